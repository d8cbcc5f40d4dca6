-- Queues: creation, settings, removal.

-- queue_create makes a queue. FQ001: a name or setting outside its limits. FQ006: the name is taken, or its schema.
create function fetchq.queue_create(p_queue text, p_settings jsonb default '{}') returns fetchq.queues
language plpgsql as $$
declare
    q fetchq.queues;
begin
    if p_queue is null or p_queue !~ '^[a-z][a-z0-9_]{0,39}$' then
        perform fetchq.refuse('queue', 'a queue''s name is 1 to 40 of a-z, 0-9 and _, and begins with a letter');
    end if;
    insert into fetchq.queues (name) values (p_queue) on conflict do nothing;
    if not found then
        raise exception using errcode = 'FQ006', column = 'queue', message = format('the queue %s exists', p_queue);
    elsif exists (select from pg_namespace where nspname = 'q_' || p_queue) then
        raise exception using errcode = 'FQ006', column = 'queue',
            message = format('the schema q_%s stands there without a queue; fetchq.queue_attach takes in one that was restored', p_queue),
            hint = format('select fetchq.queue_attach(%L);', p_queue);
    end if;
    q := fetchq.queue_set(p_queue, p_settings, true);
    perform fetchq.queue_build(q);
    insert into fetchq.queue_states (queue, as_of) values (p_queue, clock_timestamp());
    insert into fetchq.jobs (queue, kind) select p_queue, unnest(fetchq.job_kinds());
    return q;
end $$;

-- queue_put creates the queue, or changes what p_settings names. Safe to repeat.
create function fetchq.queue_put(
    p_queue text, p_settings jsonb default '{}', p_now timestamptz default clock_timestamp(), out created boolean, out queue fetchq.queues
)
language plpgsql as $$
begin
    created := false;
    if not exists (select from fetchq.queues where name = p_queue) then
        begin
            queue := fetchq.queue_create(p_queue, p_settings);
            created := true;
            return;
        exception when sqlstate 'FQ006' then
            if not exists (select from fetchq.queues where name = p_queue) then
                raise;
            end if; -- else made by somebody else in this moment: change it
        end;
    end if;
    queue := fetchq.queue_set(p_queue, p_settings, false, p_now);
end $$;

-- queue_build creates the schema of a queue: everything hot about it, and nothing that points outside.
create function fetchq.queue_build(q fetchq.queues) returns void
language plpgsql as $$
declare
    s        constant text := 'q_' || q.name;
    v_space  constant text := current_setting('default_tablespace');
    v_leaves text[];
    v_leaf   text;
begin
    if q.tablespace is not null then
        perform set_config('default_tablespace', q.tablespace, true);
    end if;
    execute format('create schema %I', s);
    -- One number of the sequence is a block of 10,000: a call numbers its items inside the block that it drew.
    execute format('create sequence %I.seq as bigint increment by 10000 minvalue 0', s);
    execute format($t$
        create table %I.docs (
            subject        text collate "C" not null,
            seq            bigint      not null,
            lease          bigint      not null,
            next_iteration timestamptz not null,
            created_at     timestamptz not null,
            last_iteration timestamptz,
            picked_at      timestamptz,
            attempts       integer     not null default 0,
            iterations     integer     not null default 0,
            size           integer     not null, -- bytes of the payload in memory, so that a pick can stop before it reads it
            version        smallint    not null default 0,
            priority       smallint    not null default 0,
            status         smallint    not null,
            ended          smallint    not null default 0, -- the action that ended the present lease number; 0: none did
            payload        jsonb       not null,
            worker         text,
            requeue        jsonb, -- of an active document: what it goes on with when its lease ends (date, payload, version, priority)
            primary key (subject)
        )%s $t$, s, case when q.partitions > 1 then ' partition by hash (subject)' else '' end);
    if q.partitions > 1 then
        for i in 0 .. q.partitions - 1 loop
            execute format('create table %I.%I partition of %I.docs for values with (modulus %s, remainder %s)',
                s, 'docs_p' || i, s, q.partitions, i);
            v_leaves := v_leaves || ('docs_p' || i);
        end loop;
    else
        v_leaves := array['docs'];
    end if;
    execute format('create index docs_due on %I.docs (version, priority desc, next_iteration, seq) where status = 1', s);
    execute format('create index docs_planned on %I.docs (version, next_iteration) where status = 0', s);
    execute format('create index docs_active on %I.docs (next_iteration) where status = 2', s);
    execute format('create index docs_finished on %I.docs (status, last_iteration, seq) where status in (3, -1)', s);
    foreach v_leaf in array v_leaves loop
        -- A queue's rows die twice a cycle: vacuum by what has changed, without pauses, also between our own vacuums.
        execute format($t$ alter table %I.%I set (
            autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000,
            autovacuum_analyze_scale_factor = 0.1, autovacuum_vacuum_cost_delay = 0,
            toast.autovacuum_vacuum_scale_factor = 0.05, toast.autovacuum_vacuum_cost_delay = 0) $t$, s, v_leaf);
    end loop;
    execute format($t$
        create table %I.logs (
            created_at timestamptz not null,
            id         bigint generated always as identity,
            kind       smallint not null, -- 0 note, 1 error
            attempt    integer,
            subject    text collate "C",
            message    text not null,
            ref_id     text,
            worker     text,
            details    jsonb,
            primary key (created_at, id)
        ) $t$, s);
    perform fetchq.errors_build(s);
    execute 'create index ' || fetchq.errors_index(s);
    execute format('create index logs_subject on %I.logs (subject, created_at, id)', s);
    execute format($t$
        create table %I.deltas (
            version   smallint not null,
            planned   integer not null default 0,
            pending   integer not null default 0,
            active    integer not null default 0,
            completed integer not null default 0,
            killed    integer not null default 0,
            ev_entered     integer not null default 0,
            ev_picked      integer not null default 0,
            ev_completed   integer not null default 0,
            ev_rescheduled integer not null default 0,
            ev_rejected    integer not null default 0,
            ev_orphaned    integer not null default 0,
            ev_killed      integer not null default 0,
            ev_dropped     integer not null default 0,
            ev_forwarded   integer not null default 0,
            ev_errors      integer not null default 0,
            ev_logs        integer not null default 0
        ) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0) $t$, s);
    perform fetchq.queue_measures(s);
    perform fetchq.gate_build(s);
    -- Answers kept for callers that repeat themselves under an idempotency key.
    execute format($t$
        create table %I.requests (
            key        text collate "C" not null,
            kind       text not null check (kind in ('append', 'pick', 'act')),
            expires_at timestamptz not null,
            subjects   text[],
            leases     bigint[], -- of a pick
            outcomes   text[],   -- of an append
            details    text[],   -- of an append
            primary key (kind, key)
        ) $t$, s);
    execute format('create index requests_expiry on %I.requests (expires_at)', s);
    perform fetchq.journal_build(s);
    q := fetchq.key_change(q, true);
    perform set_config('default_tablespace', v_space, true);
    perform fetchq.queue_functions(q);
end $$;

-- queue_set changes the settings that p_settings names and leaves the rest. Durations are text that Postgres reads as
-- an interval. FQ001 names the setting as column. partitions and tablespace are taken at creation only.
create function fetchq.queue_set(
    p_queue text, p_settings jsonb, p_creating boolean default false, p_now timestamptz default clock_timestamp()
) returns fetchq.queues
language plpgsql as $$
declare
    q     fetchq.queues;
    old   fetchq.queues;
    k     text;
    v     jsonb;
    v_max constant interval := '36500 days';
begin
    perform fetchq.queue_find(p_queue);
    select * into q from fetchq.queues where name = p_queue for update;
    old := q;
    if jsonb_typeof(p_settings) <> 'object' then
        perform fetchq.refuse('settings', 'settings are an object');
    end if;
    for k, v in select * from jsonb_each(p_settings) loop
        case k
        when 'max_attempts' then q.max_attempts := fetchq.setting_integer(k, v, 1, 1000000);
        when 'lock' then q.lock := fetchq.setting_interval(k, v, '1 second', '24 hours');
        when 'backoff' then
            q := fetchq.setting_backoff(q, v);
        when 'max_active' then
            q.max_active := case when v <> 'null' then fetchq.setting_integer(k, v, 1, 1000000000) end;
        when 'rate' then
            q := fetchq.setting_rate(q, v);
        when 'key' then
            q.key := fetchq.setting_key(v);
        when 'key_limits' then
            q := fetchq.setting_key_limits(q, v);
        when 'logs_retention' then
            q.logs_retention := case when v <> 'null' then fetchq.setting_interval(k, v, '1 hour', v_max) end;
        when 'logs_rows' then
            q.logs_rows := case when v <> 'null' then fetchq.setting_integer(k, v, 1000, 2147483647) end;
        when 'payload_index' then
            if jsonb_typeof(v) <> 'boolean' then
                perform fetchq.refuse(k, 'true or false is wanted');
            end if;
            q.payload_index := v::boolean;
        when 'redact' then
            q.redact := fetchq.setting_redact(v);
        when 'viewer_payloads' then
            if coalesce(v #>> '{}', '') not in ('shown', 'hidden') then
                perform fetchq.refuse(k, 'shown or hidden is wanted');
            end if;
            q.viewer_payloads := v #>> '{}';
        when 'journal' then
            if coalesce(v #>> '{}', '') not in ('off', 'errors', 'all') then
                perform fetchq.refuse(k, 'off, errors or all is wanted');
            end if;
            q.journal := v #>> '{}';
        when 'journal_retention' then
            q.journal_retention := case when v <> 'null' then fetchq.setting_interval(k, v, '1 hour', v_max) end;
        when 'completed_retention' then
            q.completed_retention := case when v <> 'null' then fetchq.setting_interval(k, v, '1 hour', v_max) end;
        when 'killed_retention' then
            q.killed_retention := case when v <> 'null' then fetchq.setting_interval(k, v, '1 hour', v_max) end;
        when 'series_retention' then
            q.series_retention := case when v <> 'null' then fetchq.setting_interval(k, v, '1 hour', v_max) end;
        when 'partitions' then
            if not p_creating and v <> to_jsonb(q.partitions) then
                perform fetchq.refuse(k, format('the queue has %s partitions; their number is set at creation', q.partitions));
            end if;
            q.partitions := fetchq.setting_integer(k, v, 1, 256);
        when 'tablespace' then
            if not p_creating and v is distinct from coalesce(to_jsonb(q.tablespace), 'null') then
                perform fetchq.refuse(k, 'the tablespace is set at creation; a queue is moved to another one by a call of its own');
            end if;
            q.tablespace := v #>> '{}';
            perform fetchq.check_tablespace(k, q.tablespace);
        else
            perform fetchq.refuse(left(k, 40), 'there is no such setting');
        end case;
    end loop;
    update fetchq.queues set
        max_attempts = q.max_attempts, lock = q.lock,
        backoff_kind = q.backoff_kind, backoff_base = q.backoff_base, backoff_cap = q.backoff_cap, backoff_jitter = q.backoff_jitter,
        max_active = q.max_active, rate_picks = q.rate_picks, rate_per = q.rate_per, rate_burst = q.rate_burst,
        key = q.key, key_max_active = q.key_max_active, key_rate_picks = q.key_rate_picks, key_rate_per = q.key_rate_per,
        key_rate_burst = q.key_rate_burst,
        limits_since = case when (q.max_active, q.rate_picks, q.rate_per, q.rate_burst, q.key, q.key_max_active, q.key_rate_picks,
                q.key_rate_per, q.key_rate_burst) is distinct from (old.max_active, old.rate_picks, old.rate_per, old.rate_burst, old.key,
                old.key_max_active, old.key_rate_picks, old.key_rate_per, old.key_rate_burst) then p_now else limits_since end,
        logs_retention = q.logs_retention, logs_rows = q.logs_rows, completed_retention = q.completed_retention, killed_retention = q.killed_retention,
        journal = q.journal, journal_retention = q.journal_retention,
        series_retention = q.series_retention, payload_index = q.payload_index,
        redact = q.redact, viewer_payloads = q.viewer_payloads,
        partitions = q.partitions, tablespace = q.tablespace
    where name = p_queue returning * into q;
    if not p_creating and (fetchq.is_keyed(q), q.key, q.payload_index) is distinct from (fetchq.is_keyed(old), old.key, old.payload_index) then
        q := fetchq.key_change(q, false);
    end if;
    return q;
end $$;

-- queue_drop removes a queue with its documents, logs and counters.
create function fetchq.queue_drop(p_queue text) returns void
language plpgsql as $$
begin
    perform fetchq.queue_find(p_queue);
    delete from fetchq.queues where name = p_queue;
    execute format('drop schema %I cascade', 'q_' || p_queue);
    delete from fetchq.counters where queue = p_queue;
    delete from fetchq.queue_states where queue = p_queue;
    delete from fetchq.measures where queue = p_queue; -- these three in the order of snapshots
    delete from fetchq.series_queues where queue = p_queue; -- its rows grow old
    delete from fetchq.metrics where queue = p_queue;
    delete from fetchq.marks where queue = p_queue;
    perform fetchq.errors_forget(p_queue);
    delete from fetchq.asks where queue = p_queue;
    delete from fetchq.workers where queue = p_queue;
    delete from fetchq.views where queue = p_queue;
    delete from fetchq.jobs where queue = p_queue;
    delete from fetchq.wakes where queue = p_queue; -- after the jobs: who holds a job may take its wakes
end $$;

-- need_read_committed refuses a transaction whose snapshot is older than its locks: it would not see what it is about to remove or count.
create function fetchq.need_read_committed() returns void
language plpgsql stable as $$
begin
    if current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
        perform fetchq.refuse('queue', format('a whole queue is changed in a transaction that is read committed; this one is %s',
            current_setting('transaction_isolation')));
    end if;
end $$;

-- queue_truncate removes all documents, and the log lines and the journal if asked; events stay counted.
create function fetchq.queue_truncate(
    p_queue text, p_logs boolean default false, p_by text[] default null, p_now timestamptz default clock_timestamp()
) returns void
language plpgsql as $$
begin
    perform fetchq.need_read_committed();
    perform fetchq.queue_find(p_queue);
    -- The lock comes first: what other calls had counted by then is folded, then the gauges have nothing left to count. The
    -- tables are locked in the order in which pushes and picks come to them.
    execute format('lock table %1$I.requests, %1$I.docs, %1$I.deltas in access exclusive mode', 'q_' || p_queue);
    perform fetchq.mnt_fold(p_queue);
    execute format('truncate %1$I.docs, %1$I.requests', 'q_' || p_queue);
    if p_logs then
        execute format('truncate %1$I.logs, %1$I.journal, %1$I.error_deltas', 'q_' || p_queue);
        perform fetchq.errors_forget(p_queue);
    end if;
    perform fetchq.journal_all(fetchq.queue_find(p_queue), 'truncate', p_by, p_now);
    update fetchq.counters set planned = 0, pending = 0, active = 0, completed = 0, killed = 0 where queue = p_queue;
    update fetchq.queue_states set oldest_due_at = null, last_error_at = case when not p_logs then last_error_at end where queue = p_queue;
end $$;

-- queue_attach takes in the schema of a queue that was put back with Postgres's own tools: registers it, paused,
-- recounts it, and gives every document a new lease number, so that a lease from before is refused.
create function fetchq.queue_attach(
    p_queue text, p_settings jsonb default '{}', p_by text[] default null, p_now timestamptz default clock_timestamp()
) returns fetchq.queues
language plpgsql as $$
declare
    q fetchq.queues;
    s constant text := 'q_' || p_queue;
    v_parts integer;
    v_missing text;
begin
    perform fetchq.need_read_committed();
    if p_queue is null or p_queue !~ '^[a-z][a-z0-9_]{0,39}$' then
        perform fetchq.refuse('queue', 'a queue''s name is 1 to 40 of a-z, 0-9 and _, and begins with a letter');
    end if;
    select string_agg(format('%I.%I', s, t.name), ', ' order by t.ord) into v_missing
    from unnest(array['docs', 'seq', 'logs', 'deltas', 'requests']) with ordinality t (name, ord)
    where to_regclass(format('%I.%I', s, t.name)) is null;
    if v_missing is not null then
        raise exception using errcode = 'FQ004', column = 'queue', message = format('the schema %I is not that of a queue; it lacks %s', s, v_missing);
    end if;
    select greatest(count(*), 1) into v_parts from pg_inherits where inhparent = to_regclass(format('%I.docs', s));
    insert into fetchq.queues (name) values (p_queue) on conflict do nothing;
    execute format('alter table %I.docs add column if not exists requeue jsonb', s);
    perform fetchq.gate_build(s);
    perform fetchq.journal_build(s);
    perform fetchq.errors_build(s);
    execute 'create index if not exists ' || fetchq.errors_index(s);
    execute format('alter table %I.requests drop constraint if exists requests_kind_check', s);
    execute format('alter table %I.requests add constraint requests_kind_check check (kind in (''append'', ''pick'', ''act''))', s);
    q := fetchq.queue_set(p_queue, coalesce(p_settings, '{}') || jsonb_build_object('partitions', v_parts), true);
    perform fetchq.queue_measures(s);
    perform fetchq.key_change(q, false);
    perform fetchq.queue_functions(fetchq.queue_find(p_queue));
    execute format('lock table %1$I.docs, %1$I.deltas in access exclusive mode', s);
    execute format('update %I.docs set lease = greatest(fetchq.micros(), lease + 1), ended = 0', s);
    perform fetchq.journal_all(q, 'attach', p_by, p_now);
    perform fetchq.mnt_fold(p_queue);
    perform fetchq.queue_recount(p_queue);
    perform fetchq.errors_fill(p_queue);
    perform fetchq.errors_recount(p_queue);
    insert into fetchq.queue_states (queue, as_of) values (p_queue, clock_timestamp()) on conflict do nothing;
    insert into fetchq.jobs (queue, kind) select p_queue, unnest(fetchq.job_kinds()) on conflict do nothing;
    q := fetchq.queue_pause(p_queue, 'attached; look at its dates, then resume it');
    return q;
end $$;

-- queue_recount sets the gauges of a queue to what a real count finds, and the moment of its last error to what its log says.
-- It locks the queue's documents against writes.
create function fetchq.queue_recount(p_queue text) returns void
language plpgsql as $$
begin
    perform fetchq.need_read_committed();
    perform fetchq.queue_find(p_queue);
    execute format('lock table %I.docs in share row exclusive mode', 'q_' || p_queue);
    perform fetchq.mnt_fold(p_queue);
    update fetchq.counters set planned = 0, pending = 0, active = 0, completed = 0, killed = 0 where queue = p_queue;
    execute format($t$
        insert into fetchq.counters as c (queue, version, planned, pending, active, completed, killed)
        select $1, version, count(*) filter (where status = 0), count(*) filter (where status = 1),
            count(*) filter (where status = 2), count(*) filter (where status = 3), count(*) filter (where status = -1)
        from %I.docs group by version
        on conflict (queue, version) do update set planned = excluded.planned, pending = excluded.pending,
            active = excluded.active, completed = excluded.completed, killed = excluded.killed $t$, 'q_' || p_queue)
    using p_queue;
    update fetchq.queue_states set last_error_at = fetchq.log_last_error(p_queue) where queue = p_queue;
end $$;
