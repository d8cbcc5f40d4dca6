-- Pick: due documents are leased to a worker.

-- doc_pick_many leases up to p_limit due documents of one payload version, in the order of priority (high first), date
-- (old first) and seq. A partitioned queue is searched one partition after the other from p_partition on (null: a random
-- one), so that its order is best effort. The payloads of an answer stop at 16 MiB.
--
-- Marks say where the caller's last picks left off, one for each partition (from 0) and priority: the scan of that
-- priority starts at the mark's (date, seq), behind the dead index entries that a held snapshot keeps from being
-- removed; priorities without a mark are not looked at. Null marks: everything is.
-- A pick that comes back short marks up to 1,000 planned documents that are due pending, and takes from these;
-- marked_priorities and marked_dates tell the lowest date for each priority among them.
--
-- p_lock null: the queue's. Under p_key, the same call answers the same documents as long as one of its leases lives, also
-- from a paused queue: it leases nothing new.
create function fetchq.doc_pick_many(
    p_queue           text,
    p_version         integer     default 0,
    p_limit           integer     default 1,
    p_lock            interval    default null,
    p_worker          text        default null,
    p_key             text        default null,
    p_mark_partitions integer[]   default null,
    p_mark_priorities integer[]   default null,
    p_mark_dates      timestamptz[] default null,
    p_mark_seqs       bigint[]    default null,
    p_partition       integer     default null,
    p_now             timestamptz default clock_timestamp()
) returns table (
    subject text, payload jsonb, version smallint, priority smallint, attempts integer, iterations integer, created_at timestamptz,
    last_iteration timestamptz, lease bigint, lease_expires_at timestamptz, due_at timestamptz, seq bigint, size integer,
    partition integer, partitions integer, marked_priorities integer[], marked_dates timestamptz[])
language sql as $$
    select * from fetchq.doc_pick_for(p_queue, p_version, array[p_limit], array[p_lock], array[p_worker], p_key, p_mark_partitions,
        p_mark_priorities, p_mark_dates, p_mark_seqs, p_partition, p_now)
$$;

-- doc_pick_for is doc_pick_many for several who ask at once, each with a limit, a lock and a worker of its own: the first
-- documents are the first one's, and so on. All limits together are 1 to 1,000.
create function fetchq.doc_pick_for(
    p_queue           text,
    p_version         integer,
    p_limits          integer[],
    p_locks           interval[],
    p_workers         text[],
    p_key             text        default null,
    p_mark_partitions integer[]   default null,
    p_mark_priorities integer[]   default null,
    p_mark_dates      timestamptz[] default null,
    p_mark_seqs       bigint[]    default null,
    p_partition       integer     default null,
    p_now             timestamptz default clock_timestamp()
) returns table (
    subject text, payload jsonb, version smallint, priority smallint, attempts integer, iterations integer, created_at timestamptz,
    last_iteration timestamptz, lease bigint, lease_expires_at timestamptz, due_at timestamptz, seq bigint, size integer,
    partition integer, partitions integer, marked_priorities integer[], marked_dates timestamptz[])
language plpgsql set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
#variable_conflict use_column
declare
    q          fetchq.queues := fetchq.queue_find(p_queue);
    s constant text := 'q_' || p_queue;
    v_locks    interval[]; -- of each place, or one for all; v_workers too
    v_workers  text[] := p_workers;
    v_asked    constant integer := (select sum(n) from unnest(p_limits) n);
    v_limit    integer := v_asked;
    v_left     integer;
    v_bytes    bigint := 16777216;
    v_parts    text[] := fetchq.leaves(q);
    v_part     integer;
    v_first    constant integer := coalesce(p_partition, floor(random() * q.partitions)::integer);
    v_subjects text[] := '{}';
    v_leases   bigint[] := '{}';
    v_began    timestamptz := clock_timestamp();
    m          record;
begin
    if p_version not between 0 and 32767 or p_version is null then
        perform fetchq.refuse('version', format('version is %s; 0 to 32767 are allowed', p_version));
    elsif v_asked not between 1 and 1000 or v_asked is null or exists (select from unnest(p_limits) n where n < 1 or n is null) then
        perform fetchq.refuse('limit', format('limit is %s; 1 to 1000 are allowed', array_to_string(p_limits, ' + ')));
    elsif cardinality(p_locks) is distinct from cardinality(p_limits) or cardinality(p_workers) is distinct from cardinality(p_limits) then
        perform fetchq.refuse('limit', 'the arrays differ in length');
    elsif exists (select from unnest(p_locks) l where l not between interval '1 second' and interval '24 hours') then
        perform fetchq.refuse('lock', format('lock is %s; 1 second to 24 hours are allowed', array_to_string(p_locks, ', ')));
    elsif exists (select from unnest(p_workers) w where octet_length(w) > 255) then
        perform fetchq.refuse('worker', 'worker has more than 255 bytes');
    elsif octet_length(p_key) not between 1 and 255 then
        perform fetchq.refuse('idempotency_key', format('the key has %s bytes; 1 to 255 are allowed', octet_length(p_key)));
    elsif p_partition < 0 then
        perform fetchq.refuse('partition', format('partition is %s; 0 is the first', p_partition));
    end if;
    -- Calls under one key take turns, and so do picks from a queue with limits. Whoever had to wait reads the queue anew, which
    -- may have been paused meanwhile, and its time goes on from there.
    if p_key is not null then
        if fetchq.take_turn(p_queue || ' ' || p_key) then
            q := fetchq.queue_find(p_queue);
            p_now := p_now + (clock_timestamp() - v_began);
            v_began := clock_timestamp();
        end if;
        return query select * from fetchq.pick_again(p_queue, p_key, p_now);
        if found then
            return;
        end if;
    end if;
    if fetchq.is_paused(q, p_now) then
        return;
    end if;
    if q.max_active is not null or q.rate_picks is not null then
        if fetchq.take_turn(p_queue) then
            q := fetchq.queue_find(p_queue);
            p_now := p_now + (clock_timestamp() - v_began);
            if fetchq.is_paused(q, p_now) then
                return;
            end if;
        end if;
        v_limit := fetchq.gate_open(q, v_asked, p_now);
    end if;
    v_locks := array(select coalesce(l, q.lock) from unnest(p_locks) with ordinality u (l, ord) order by ord);
    if cardinality(p_limits) > 1 then
        select array_agg(l order by ord), array_agg(w order by ord) into v_locks, v_workers
        from unnest(p_limits, v_locks, p_workers) with ordinality u (n, l, w, ord), generate_series(1, n);
    end if;
    v_left := v_limit;
    partitions := q.partitions;

    for i in 0 .. q.partitions - 1 loop
        exit when v_left <= 0 or v_bytes <= 0;
        v_part := (v_first + i) % q.partitions;
        -- What is pending already, from the marks on.
        for m in
            select u.priority as p, u.date as d, u.seq as n
            from unnest(p_mark_partitions, p_mark_priorities, p_mark_dates, p_mark_seqs) u (part, priority, date, seq)
            where u.part = v_part
            union all select null, null, null where p_mark_partitions is null
            order by 1 desc
        loop
            exit when v_left <= 0 or v_bytes <= 0;
            for subject, payload, version, priority, attempts, iterations, created_at, last_iteration, lease, lease_expires_at, due_at,
                seq, size
            in select * from fetchq.pick_leaf(s, v_parts[v_part + 1], p_version, m.p, m.d, m.n, v_left, v_bytes, v_locks, v_workers, v_limit - v_left, p_now)
            loop
                v_left := v_left - 1;
                v_bytes := v_bytes - size;
                if p_key is not null then
                    v_subjects := v_subjects || subject;
                    v_leases := v_leases || lease;
                end if;
                partition := v_part;
                return next;
            end loop;
        end loop;
        exit when v_left <= 0 or v_bytes <= 0;
        -- Short: what became due since the last marking.
        select array_agg(t.p order by t.p desc), array_agg(t.d order by t.p desc) into marked_priorities, marked_dates
        from fetchq.mark_leaf(s, v_parts[v_part + 1], p_version, 1000, p_now) t (p, d, n);
        for m in select u.priority as p, u.date as d from unnest(marked_priorities, marked_dates) u (priority, date) loop
            exit when v_left <= 0 or v_bytes <= 0;
            for subject, payload, version, priority, attempts, iterations, created_at, last_iteration, lease, lease_expires_at, due_at,
                seq, size
            in select * from fetchq.pick_leaf(s, v_parts[v_part + 1], p_version, m.p, m.d, 0, v_left, v_bytes, v_locks, v_workers, v_limit - v_left, p_now)
            loop
                v_left := v_left - 1;
                v_bytes := v_bytes - size;
                if p_key is not null then
                    v_subjects := v_subjects || subject;
                    v_leases := v_leases || lease;
                end if;
                partition := v_part;
                return next;
            end loop;
        end loop;
        marked_priorities := null;
        marked_dates := null;
    end loop;

    if v_left < v_limit then
        if q.rate_picks is not null then
            execute format('update %I.gate set tokens = tokens - $1', s) using v_limit - v_left;
        end if;
        if p_key is not null then
            execute format($t$
                insert into %I.requests (kind, key, expires_at, subjects, leases) values ('pick', $1, $2, $3, $4)
                on conflict (kind, key) do update
                    set expires_at = excluded.expires_at, subjects = excluded.subjects, leases = excluded.leases $t$, s)
            using p_key, p_now + v_locks[1], v_subjects, v_leases;
        end if;
        perform fetchq.touch(p_queue, 'orphans', p_now + (select min(l) from unnest(v_locks) l));
        perform fetchq.touch(p_queue, 'fold', p_now + interval '1 second');
    end if;
end $$;

-- pick_leaf takes documents from one table, of one priority from (p_date, p_seq) on, or of all where p_priority is null, for
-- the places behind the first p_taken ones.
-- The rows are found by the index docs_due and written by the primary key: a row's place in the file is not its name.
create function fetchq.pick_leaf(
    s text, p_leaf text, p_version integer, p_priority integer, p_date timestamptz, p_seq bigint, p_limit integer, p_bytes bigint,
    p_locks interval[], p_workers text[], p_taken integer, p_now timestamptz
) returns table (
    subject text, payload jsonb, version smallint, priority smallint, attempts integer, iterations integer, created_at timestamptz,
    last_iteration timestamptz, lease bigint, lease_expires_at timestamptz, due_at timestamptz, seq bigint, size integer)
language plpgsql as $$
begin
    return query execute format($t$
        with due as materialized (
            select subject, next_iteration, size from %1$I.%2$I
            where status = 1 and version = $1 and next_iteration <= $6 %3$s
            order by %4$s next_iteration, seq
            limit $2
            for update skip locked
        ), fits as materialized (
            -- The frame follows the order of the scan. The first document always fits.
            select subject, next_iteration, sum(size) over (rows unbounded preceding) - size as before,
                case when cardinality($4) = 1 then 1 else $10 + row_number() over (rows unbounded preceding) end as place
            from due
        ), taken as (
            update %1$I.%2$I d set status = 2, next_iteration = $6 + $4[f.place], picked_at = $6, attempts = d.attempts + 1,
                lease = d.lease + 1, ended = 0, worker = $5[f.place]
            from fits f where d.subject = f.subject and (f.before = 0 or f.before < $3)
            returning d.subject, d.payload, d.version, d.priority, d.attempts, d.iterations, d.created_at, d.last_iteration,
                d.lease, d.next_iteration, f.next_iteration as due_at, d.seq, d.size
        ), counted as (
            insert into %1$I.deltas (version, pending, active, ev_picked)
            select $1, -n, n, n from (select count(*) as n from taken) t where n > 0
        )
        select * from taken order by priority desc, due_at, seq $t$,
        s, p_leaf,
        case when p_priority is null then '' else 'and priority = $7 and (next_iteration, seq) >= ($8, $9)' end,
        case when p_priority is null then 'priority desc,' else '' end)
    using p_version::smallint, p_limit, p_bytes, p_locks, p_workers, p_now, p_priority::smallint, p_date, p_seq, p_taken;
end $$;

-- mark_leaf marks due planned documents of one version in one table pending; it returns the lowest date and the number
-- for each priority among them.
create function fetchq.mark_leaf(s text, p_leaf text, p_version integer, p_limit integer, p_now timestamptz)
returns table (priority integer, date timestamptz, items bigint)
language plpgsql as $$
begin
    return query execute format($t$
        with due as materialized (
            select subject from %1$I.%2$I
            where status = 0 and version = $1 and next_iteration <= $3
            order by next_iteration
            limit $2
            for update skip locked
        ), marked as (
            update %1$I.%2$I d set status = 1 from due where d.subject = due.subject
            returning d.priority, d.next_iteration
        ), counted as (
            insert into %1$I.deltas (version, planned, pending)
            select $1, -n, n from (select count(*) as n from marked) t where n > 0
        )
        select priority::integer, min(next_iteration), count(*) from marked group by priority $t$, s, p_leaf)
    using p_version::smallint, p_limit, p_now;
end $$;

-- pick_again answers a pick that was made under the same key before, with those of its documents whose leases live.
-- (Under a limit of 1 the planner looks at the subject alone, and not at the index of active documents.)
create function fetchq.pick_again(p_queue text, p_key text, p_now timestamptz) returns table (
    subject text, payload jsonb, version smallint, priority smallint, attempts integer, iterations integer, created_at timestamptz,
    last_iteration timestamptz, lease bigint, lease_expires_at timestamptz, due_at timestamptz, seq bigint, size integer,
    partition integer, partitions integer, marked_priorities integer[], marked_dates timestamptz[])
language plpgsql as $$
begin
    return query execute format($t$
        select d.subject, d.payload, d.version, d.priority, d.attempts, d.iterations, d.created_at, d.last_iteration, d.lease,
            d.next_iteration, null::timestamptz, d.seq, d.size, null::integer, null::integer, null::integer[], null::timestamptz[]
        from (select subjects, leases from %1$I.requests where kind = 'pick' and key = $1) r
            cross join lateral unnest(r.subjects, r.leases) with ordinality u (subject, lease, ord)
            cross join lateral (select * from %1$I.docs where subject = u.subject limit 1) d
        where d.lease = u.lease and d.status = 2 and d.next_iteration > $2
        order by u.ord $t$, 'q_' || p_queue)
    using p_key, p_now;
end $$;

-- take_turn holds what a name stands for until the end of the transaction, and tells whether it had to wait for it.
create function fetchq.take_turn(p_name text) returns boolean
language plpgsql as $$
declare
    v_key constant bigint := hashtextextended(p_name, 0);
begin
    if pg_try_advisory_xact_lock(v_key) then
        return false;
    end if;
    perform pg_advisory_xact_lock(v_key);
    return true;
end $$;

-- gate_open returns how many documents a limited queue may hand out at p_now, p_limit at most; the caller holds the queue's
-- turn. Token bucket: it holds burst tokens at most and gets picks of them each per; the pick pays one for each document.
create function fetchq.gate_open(q fetchq.queues, p_limit integer, p_now timestamptz) returns integer
language plpgsql as $$
declare
    s constant text := 'q_' || q.name;
    v_tokens float8;
    v_active bigint;
    v_limit  integer := p_limit;
begin
    execute format($t$
        update %I.gate set
            tokens = least($1, coalesce(tokens, $1) + $2 * greatest(extract(epoch from $3 - coalesce(filled_at, $3)), 0)),
            filled_at = greatest(filled_at, $3)
        returning tokens $t$, s)
    into v_tokens
    using q.rate_burst::float8, q.rate_picks / extract(epoch from q.rate_per)::float8, p_now;
    if q.rate_picks is not null then
        v_limit := least(v_limit, floor(v_tokens)::integer);
    end if;
    if q.max_active is not null then
        select coalesce(sum(c.active), 0) into v_active from fetchq.queue_counters(q.name) c;
        v_limit := least(v_limit, q.max_active - v_active);
    end if;
    return greatest(v_limit, 0);
end $$;

-- doc_pick leases up to p_limit due documents of one payload version for p_lock.
create function fetchq.doc_pick(p_queue text, p_version integer default 0, p_limit integer default 1, p_lock interval default null)
returns table (
    subject text, payload jsonb, version smallint, priority smallint, attempts integer, iterations integer, created_at timestamptz,
    last_iteration timestamptz, lease bigint, lease_expires_at timestamptz)
language sql as $$
    select subject, payload, version, priority, attempts, iterations, created_at, last_iteration, lease, lease_expires_at
    from fetchq.doc_pick_many(p_queue, p_version, p_limit, p_lock)
$$;
