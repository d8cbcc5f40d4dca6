-- Pick: due documents are leased to a worker.

-- doc_pick_many leases up to p_limit due documents of one payload version, in the order of priority (high first), date
-- (old first) and seq. A partitioned queue is searched one partition after the other from p_partition on (null: a random
-- one), so that its order is best effort. The payloads of an answer stop at 16 MiB.
--
-- Marks say where the caller's last picks left off, one for each partition (from 0) and priority: the scan of that
-- priority starts at the mark's (date, seq), behind the dead index entries that a held snapshot keeps from being
-- removed; priorities without a mark are not looked at. Null marks: everything is.
-- A pick that comes back short marks up to 1,000 planned documents that are due pending, and takes from these;
-- marked_priorities and marked_dates tell the lowest date for each priority among them. p_since says for how long documents may
-- have been due that were not marked yet, as far as the caller knows (null: for ever): the scan for these starts there.
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
    p_since           interval    default null,
    p_now             timestamptz default clock_timestamp(),
    p_by              text[]      default null
) returns table (
    subject text, payload jsonb, version smallint, priority smallint, attempts integer, iterations integer, created_at timestamptz,
    last_iteration timestamptz, lease bigint, lease_expires_at timestamptz, due_at timestamptz, seq bigint, size integer,
    partition integer, partitions integer, marked_priorities integer[], marked_dates timestamptz[])
language sql as $$
    select * from fetchq.doc_pick_for(p_queue, p_version, array[p_limit], array[p_lock], array[p_worker], p_key, p_mark_partitions,
        p_mark_priorities, p_mark_dates, p_mark_seqs, p_partition, p_since, p_now, p_by)
    where subject is not null
$$;

-- doc_pick_for is doc_pick_many for several who ask at once, each with a limit, a lock and a worker of its own: the first
-- documents are the first one's, and so on. All limits together are 1 to 1,000. A queue with limits that hands out less than was
-- asked for says so in a last row without a subject: created_at is the moment of the pick, and due_at when it may hand out more by
-- itself; null: not known.
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
    p_since           interval    default null,
    p_now             timestamptz default clock_timestamp(),
    p_by              text[]      default null
) returns table (
    subject text, payload jsonb, version smallint, priority smallint, attempts integer, iterations integer, created_at timestamptz,
    last_iteration timestamptz, lease bigint, lease_expires_at timestamptz, due_at timestamptz, seq bigint, size integer,
    partition integer, partitions integer, marked_priorities integer[], marked_dates timestamptz[])
language plpgsql
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    q          fetchq.queues := fetchq.queue_find(p_queue);
    s          constant text := 'q_' || p_queue;
    v_lock     interval := coalesce(p_locks[1], q.lock); -- where one asks; v_worker too
    v_worker   text := p_workers[1];
    v_locks    interval[]; -- where several ask, of each place; v_workers too
    v_workers  text[];
    v_by       text[] := p_by;
    v_limit    integer := p_limits[1];
    v_left     integer;
    v_bytes    bigint := 16777216;
    v_first    constant integer := coalesce(p_partition, floor(random() * q.partitions)::integer);
    v_taken    integer;
    v_asked    integer;
    v_gate     fetchq.gate; -- of a queue with limits
    v_began    timestamptz := clock_timestamp();
begin
    if p_version not between 0 and 32767 or p_version is null then
        perform fetchq.refuse('version', format('version is %s; 0 to 32767 are allowed', p_version));
    elsif octet_length(p_key) not between 1 and 255 then
        perform fetchq.refuse('idempotency_key', format('the key has %s bytes; 1 to 255 are allowed', octet_length(p_key)));
    elsif p_partition < 0 then
        perform fetchq.refuse('partition', format('partition is %s; 0 is the first', p_partition));
    end if;
    -- What one alone asks for is looked at without a query.
    if cardinality(p_limits) is distinct from 1 or cardinality(p_locks) is distinct from 1 or cardinality(p_workers) is distinct from 1
        or v_limit is null or v_limit not between 1 and 1000 or octet_length(v_worker) > 255
        or p_locks[1] not between interval '1 second' and interval '24 hours' then
        v_limit := fetchq.check_asks(p_limits, p_locks, p_workers);
        select min(coalesce(u.l, q.lock)), array_agg(coalesce(u.l, q.lock) order by ord), array_agg(u.w order by ord), null,
            case when cardinality(p_by) > 1 then array_agg(p_by[ord] order by ord) else p_by end
        into v_lock, v_locks, v_workers, v_worker, v_by
        from unnest(p_limits, p_locks, p_workers) with ordinality u (n, l, w, ord), generate_series(1, n);
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
    if fetchq.is_paused(q, p_now, p_version) then
        return;
    end if;
    v_asked := v_limit;
    if q.max_active is not null or q.rate_picks is not null or q.key_max_active is not null or q.key_rate_picks is not null then
        if fetchq.take_turn(p_queue) then
            p_now := p_now + (clock_timestamp() - v_began);
        end if;
        q := fetchq.queue_find(p_queue); -- also without a wait: it may have been changed just before
        if fetchq.is_paused(q, p_now, p_version) then
            return;
        end if;
        perform set_config('fetchq.look_again', '', true);
        v_gate := fetchq.gate_enter(q, v_limit, p_now);
        v_limit := v_gate.allowed;
        p_now := v_gate.filled_at;
    end if;
    if p_key is not null then -- whose old answer is over, else it would have been repeated
        execute format('delete from %I.requests where kind = ''pick'' and key = $1', s) using p_key;
    end if;
    v_left := v_limit;
    for i in 0 .. q.partitions - 1 loop
        exit when v_left <= 0 or v_bytes <= 0;
        if q.journal = 'all' then
            return query execute format('select * from %I.pick_%s_noted($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)',
                s, (v_first + i) % q.partitions)
            using p_version::smallint, v_left, v_bytes, v_lock, v_worker, v_locks[v_limit - v_left + 1 :], v_workers[v_limit - v_left + 1 :], p_key,
                p_mark_partitions, p_mark_priorities, p_mark_dates, p_mark_seqs, p_since, q.partitions, p_now,
                case when cardinality(v_by) > 1 then v_by[v_limit - v_left + 1 :] else fetchq.actors(v_by) end;
        else
            return query execute format('select * from %I.pick_%s($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)',
                s, (v_first + i) % q.partitions)
            using p_version::smallint, v_left, v_bytes, v_lock, v_worker, v_locks[v_limit - v_left + 1 :], v_workers[v_limit - v_left + 1 :], p_key,
                p_mark_partitions, p_mark_priorities, p_mark_dates, p_mark_seqs, p_since, q.partitions, p_now;
        end if;
        get diagnostics v_taken = row_count;
        v_left := v_left - v_taken;
        if q.partitions > 1 then
            v_bytes := v_bytes - current_setting('fetchq.bytes')::bigint;
        end if;
    end loop;

    if v_gate.allowed is not null then
        due_at := fetchq.gate_leave(q, v_gate, v_limit - v_left, v_asked - v_limit + v_left);
        if v_asked > v_limit - v_left then
            created_at := v_gate.filled_at;
            return next;
        end if;
    end if;
    if v_left < v_limit then
        perform fetchq.touch(p_queue, 'orphans', p_now + v_lock);
        perform fetchq.touch(p_queue, 'fold', p_now + interval '1 second');
    end if;
end $$;

-- check_asks returns how many documents several ask for together, or refuses what one of them asks.
create function fetchq.check_asks(p_limits integer[], p_locks interval[], p_workers text[]) returns integer
language plpgsql immutable as $$
declare
    v_asked constant integer := (select sum(n) from unnest(p_limits) n);
begin
    if v_asked not between 1 and 1000 or v_asked is null or exists (select from unnest(p_limits) n where n < 1 or n is null) then
        perform fetchq.refuse('limit', format('limit is %s; 1 to 1000 are allowed', array_to_string(p_limits, ' + ')));
    elsif cardinality(p_locks) is distinct from cardinality(p_limits) or cardinality(p_workers) is distinct from cardinality(p_limits) then
        perform fetchq.refuse('limit', 'the arrays differ in length');
    elsif exists (select from unnest(p_locks) l where l not between interval '1 second' and interval '24 hours') then
        perform fetchq.refuse('lock', format('lock is %s; 1 second to 24 hours are allowed', array_to_string(p_locks, ', ')));
    elsif exists (select from unnest(p_workers) w where octet_length(w) > 255) then
        perform fetchq.refuse('worker', 'worker has more than 255 bytes');
    end if;
    return v_asked;
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

-- doc_pick leases up to p_limit due documents of one payload version for p_lock.
create function fetchq.doc_pick(p_queue text, p_version integer default 0, p_limit integer default 1, p_lock interval default null)
returns table (
    subject text, payload jsonb, version smallint, priority smallint, attempts integer, iterations integer, created_at timestamptz,
    last_iteration timestamptz, lease bigint, lease_expires_at timestamptz)
language sql as $$
    select subject, payload, version, priority, attempts, iterations, created_at, last_iteration, lease, lease_expires_at
    from fetchq.doc_pick_many(p_queue, p_version, p_limit, p_lock)
$$;
