-- +goose NO TRANSACTION
-- +goose Up

-- Each statement may be run again: what was done before a failure stands.

alter table fetchq.queues
    -- Which transitions of documents are written down: off none, errors those that failed and what an admin did, all every one.
    add column if not exists journal           text not null default 'errors' check (journal in ('off', 'errors', 'all')),
    add column if not exists journal_retention interval default '30 days',
    -- A move to another tablespace that is not over: when it began, and what stood in its way last; null: none is on.
    add column if not exists move_began        timestamptz,
    add column if not exists move_halt         text;

-- Names that queues had before, so that who asks for one is told the new name. One that a queue has again is not looked at.
create table if not exists fetchq.renames (
    old_name   text collate "C" primary key,
    new_name   text collate "C" not null,
    renamed_at timestamptz not null
);

-- One line of a journal.
-- +goose StatementBegin
do $$
begin
    if to_regtype('fetchq.transition') is null then
        create type fetchq.transition as (
            queue text, id bigint, at timestamptz, subject text, action text, admin boolean, old_status smallint, new_status smallint,
            attempt integer, lease bigint, next_iteration timestamptz, took bigint, worker text, actor text);
    end if;
end $$;
-- +goose StatementEnd

-- The journal of each queue, in a transaction of its own, as fetchq.journal_build makes it; and what idempotency keys are for.
-- +goose StatementBegin
do $$
declare
    v_queue text;
    v_space text;
    s       text;
begin
    for v_queue, v_space in select name, coalesce(tablespace, '') from fetchq.queues order by name loop
        s := 'q_' || v_queue;
        for i in 1 .. 600 loop
            begin
                perform set_config('lock_timeout', '200ms', true);
                perform set_config('default_tablespace', v_space, true);
                execute format($t$
                    create table if not exists %I.journal (
                        id             bigint      not null,
                        at             timestamptz not null,
                        lease          bigint,
                        took           bigint,
                        next_iteration timestamptz,
                        attempt        integer,
                        old_status     smallint,
                        new_status     smallint,
                        admin          boolean     not null default false,
                        action         text        not null,
                        subject        text collate "C",
                        worker         text,
                        actor          text
                    ) $t$, s);
                if to_regclass(format('%I.journal_0', s)) is null then
                    execute format('create table %1$I.journal_0 () inherits (%1$I.journal) with (autovacuum_vacuum_cost_delay = 0)', s);
                    execute format('create index journal_0_subject on %I.journal_0 (hashtextextended(subject, 0), id)', s);
                end if;
                execute format('alter table %I.requests drop constraint if exists requests_kind_check', s);
                execute format('alter table %I.requests add constraint requests_kind_check check (kind in (''append'', ''pick'', ''act'')) not valid', s);
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
        execute format('drop table if exists %I.journal cascade', 'q_' || v_queue);
        execute format('delete from %I.requests where kind = ''act''', 'q_' || v_queue);
        commit;
    end loop;
end $$;
-- +goose StatementEnd
drop table if exists fetchq.renames;
drop type if exists fetchq.transition cascade;
alter table fetchq.queues drop column if exists journal, drop column if exists journal_retention, drop column if exists move_began,
    drop column if exists move_halt;
