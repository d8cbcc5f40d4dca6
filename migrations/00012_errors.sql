-- +goose NO TRANSACTION
-- +goose Up

-- Each statement may be run again: what was done before a failure stands.

-- How many lines a log keeps, about; null: as many as its retention does.
alter table fetchq.queues add column if not exists logs_rows bigint;

-- Groups of errors, as folds left them: one for each fingerprint of a queue. Fingerprint 0 is what came when a queue had as many groups as
-- it may have. documents are the least hashes of the subjects, by which these are counted.
create table if not exists fetchq.error_groups (
    queue       text collate "C" not null,
    fingerprint bigint           not null,
    first_seen  timestamptz      not null,
    last_seen   timestamptz      not null,
    errors      bigint           not null,
    versions    smallint[]       not null,
    documents   bigint[]         not null,
    pattern     text             not null,
    sample      text             not null,
    primary key (queue, fingerprint)
) with (fillfactor = 70, autovacuum_vacuum_cost_delay = 0);

-- Errors of a group in steps of so many seconds.
create table if not exists fetchq.error_counts (
    queue       text collate "C" not null,
    fingerprint bigint           not null,
    step        integer          not null,
    slot        timestamptz      not null,
    errors      bigint           not null,
    primary key (queue, fingerprint, step, slot)
) with (fillfactor = 80, autovacuum_vacuum_cost_delay = 0);
create index if not exists error_counts_slot on fetchq.error_counts (queue, step, slot);

-- Operations for the documents of a group go by its lines.
-- +goose StatementBegin
do $$
begin
    if not exists (select from pg_attribute where attrelid = 'fetchq.document_filter'::regclass and attname = 'fingerprint' and not attisdropped) then
        alter type fetchq.document_filter add attribute fingerprint bigint;
    end if;
end $$;
-- +goose StatementEnd
alter table fetchq.operations drop constraint if exists operations_walk_check;
alter table fetchq.operations add constraint operations_walk_check check (walk in ('list', 'subject', 'finished', 'error')) not valid;

-- What each queue has of its own, in a transaction of its own, as fetchq.errors_build makes it. The index of its lines is built by a job, without
-- holding anybody up, which then gives fingerprints to its newest errors.
-- +goose StatementBegin
do $$
declare
    v_queue text;
    v_space text;
begin
    for v_queue, v_space in select name, coalesce(tablespace, '') from fetchq.queues order by name loop
        for i in 1 .. 600 loop
            begin
                perform set_config('lock_timeout', '200ms', true);
                perform set_config('default_tablespace', v_space, true);
                execute format('alter table %I.logs add column if not exists fingerprint bigint', 'q_' || v_queue);
                execute format($t$
                    create table if not exists %I.error_deltas (
                        at          timestamptz not null,
                        fingerprint bigint      not null,
                        version     smallint,
                        errors      bigint      not null,
                        documents   bigint[]    not null,
                        pattern     text        not null,
                        sample      text        not null
                    ) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0) $t$,
                    'q_' || v_queue);
                insert into fetchq.jobs (queue, kind) values (v_queue, 'index') on conflict (queue, kind) do update set next_run = clock_timestamp();
                exit;
            exception when lock_not_available then
                if i = 600 then
                    raise;
                end if;
                perform pg_sleep(0.1);
            end;
        end loop;
        commit;
    end loop;
end $$;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
do $$
declare
    v_queue text;
begin
    for v_queue in select name from fetchq.queues order by name loop
        execute format('drop table if exists %I.error_deltas', 'q_' || v_queue);
        execute format('alter table %I.logs drop column if exists fingerprint', 'q_' || v_queue);
        commit;
    end loop;
end $$;
-- +goose StatementEnd
delete from fetchq.operations where walk = 'error';
alter table fetchq.operations drop constraint if exists operations_walk_check;
alter table fetchq.operations add constraint operations_walk_check check (walk in ('list', 'subject', 'finished')) not valid;
alter type fetchq.document_filter drop attribute if exists fingerprint;
drop table if exists fetchq.error_counts;
drop table if exists fetchq.error_groups;
alter table fetchq.queues drop column if exists logs_rows;
