-- +goose NO TRANSACTION
-- +goose Up

-- Each statement may be run again: what was done before a failure stands.

alter table fetchq.queues
    -- What pause stops beside the handing out: drain nothing, at_once the leases that live too.
    add column if not exists pause_kind     text not null default 'drain' check (pause_kind in ('drain', 'at_once')),
    -- Pauses of single payload versions: {"3": {"kind", "reason", "until"}}; null: none.
    add column if not exists version_pauses jsonb,
    -- Limits by key: what a document's key is, and how many of one key may be active, and be picked in a time.
    add column if not exists key            jsonb,
    add column if not exists key_max_active integer,
    add column if not exists key_rate_picks integer,
    add column if not exists key_rate_per   interval,
    add column if not exists key_rate_burst integer,
    -- Whether the indexes by key are there, so that picks may use them.
    add column if not exists key_ready      boolean not null default false,
    -- When any limit was changed last: what a bucket got before that is not counted at the new rate.
    add column if not exists limits_since   timestamptz not null default clock_timestamp();

-- Who asked last for documents of a payload version, as the nodes know: written twice a minute at most.
create table if not exists fetchq.asks (
    queue    text collate "C" not null,
    version  smallint         not null,
    asked_at timestamptz      not null,
    worker   text,
    primary key (queue, version)
) with (fillfactor = 50);

-- The gate of a queue with limits as a pick knows it: the columns of its row, and how many documents may be handed out.
-- +goose StatementBegin
do $$
begin
    if to_regtype('fetchq.gate') is null then
        create type fetchq.gate as (
            id bigint, tokens float8, filled_at timestamptz, picked bigint, counted_at timestamptz, counted_ms float8, allowed integer);
    end if;
end $$;
-- +goose StatementEnd

-- The tables of each queue, in a transaction of its own. Nobody is to wait behind this for somebody's long transaction: it
-- gives up after a moment and tries again.
-- +goose StatementBegin
do $$
declare
    v_queue text;
begin
    for v_queue in select name from fetchq.queues order by name loop
        for i in 1 .. 600 loop
            begin
                perform set_config('lock_timeout', '200ms', true);
                execute format('alter table %I.docs add column if not exists requeue jsonb', 'q_' || v_queue);
                execute format($t$ alter table %I.gate add column if not exists id bigint not null default 0,
                    add column if not exists picked bigint, add column if not exists counted_at timestamptz,
                    add column if not exists counted_ms float8, add column if not exists key_at text[],
                    add column if not exists key_front timestamptz $t$, 'q_' || v_queue);
                execute format('create unique index if not exists gate_id on %I.gate (id)', 'q_' || v_queue);
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
        execute format('alter table %I.docs drop column if exists requeue', 'q_' || v_queue);
        execute format('drop table if exists %I.keys', 'q_' || v_queue);
        execute format('drop index if exists %I.gate_id', 'q_' || v_queue);
        execute format($t$ alter table %I.gate drop column if exists id, drop column if exists picked, drop column if exists counted_at,
            drop column if exists counted_ms, drop column if exists key_at, drop column if exists key_front $t$, 'q_' || v_queue);
        commit;
    end loop;
end $$;
-- +goose StatementEnd
drop table if exists fetchq.asks;
drop type if exists fetchq.gate cascade;
alter table fetchq.queues drop column if exists pause_kind, drop column if exists version_pauses, drop column if exists key,
    drop column if exists key_max_active, drop column if exists key_rate_picks, drop column if exists key_rate_per,
    drop column if exists key_rate_burst, drop column if exists key_ready, drop column if exists limits_since;
