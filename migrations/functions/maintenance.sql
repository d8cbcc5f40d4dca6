-- Maintenance: what the loop does for each queue. None of it waits for a lock longer than 5 seconds: a queue that is locked
-- by other work must not hold those who keep the others in order. When it runs is in job.sql.
--
-- p_since bounds a scan from below, for while a snapshot is held the dead entries of an index stay at its head. It says how long ago
-- the caller began a scan that left nothing behind: whatever a transaction planned or leased later lies ahead of that.
-- Null: the scan is a full one.

-- mnt_mark_due marks up to p_limit due documents of each version and partition pending. It returns the lowest date and
-- the number for each version, partition and priority among them. With p_since it knows the versions that have been folded.
create function fetchq.mnt_mark_due(
    p_queue text, p_limit integer default 1000, p_now timestamptz default clock_timestamp(), p_since interval default null
) returns table (version integer, partition integer, priority integer, date timestamptz, items bigint)
language plpgsql
set lock_timeout = '5s' set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
set plan_cache_mode = force_generic_plan as $$
declare
    q fetchq.queues := fetchq.queue_find(p_queue);
    s constant text := 'q_' || p_queue;
    v_leaves constant text[] := fetchq.leaves(q);
begin
    for i in 1 .. cardinality(v_leaves) loop
        version := -1;
        loop
            version := fetchq.next_version(q, v_leaves[i], version, p_since);
            exit when version is null;
            partition := i - 1;
            for priority, date, items in execute format('select * from %I.mark_%s%s($1, $2, $3, $4)', s, i - 1,
                    case when q.journal = 'all' then '_noted' else '' end)
                using version::smallint, p_limit, p_now, p_now - p_since
            loop
                return next;
            end loop;
        end loop;
    end loop;
end $$;

-- next_version returns the version after p_version of which a leaf has planned documents: one probe of the index. With p_since it
-- takes it from the counters, and it may have none.
create function fetchq.next_version(q fetchq.queues, p_leaf text, p_version integer, p_since interval) returns integer
language plpgsql stable as $$
declare
    v integer;
begin
    if p_since is not null then
        select min(version) into v from fetchq.counters where queue = q.name and version > p_version;
    else
        execute format('select version from %I.%I where status = 0 and version > $1 order by version limit 1', 'q_' || q.name, p_leaf)
        into v using p_version::smallint;
    end if;
    return v;
end $$;

-- mnt_next_due returns when the next planned document becomes due; null where none is planned.
create function fetchq.mnt_next_due(p_queue text, p_since interval default null, p_now timestamptz default clock_timestamp())
returns timestamptz
language plpgsql stable set lock_timeout = '5s' set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
    q fetchq.queues := fetchq.queue_find(p_queue);
    v_leaf    text;
    v_version integer;
    v_date    timestamptz;
    v_first   timestamptz;
begin
    foreach v_leaf in array fetchq.leaves(q) loop
        v_version := -1;
        loop
            v_version := fetchq.next_version(q, v_leaf, v_version, p_since);
            exit when v_version is null;
            execute format($t$ select next_iteration from %I.%I where status = 0 and version = $1 and next_iteration >= $2
                order by next_iteration limit 1 $t$, 'q_' || p_queue, v_leaf)
            into v_date using v_version::smallint, coalesce(p_now - p_since, '-infinity');
            v_first := least(v_first, v_date);
        end loop;
    end loop;
    return v_first;
end $$;

-- mnt_orphans ends up to p_limit leases of each partition that ran out: the document comes back after the queue's
-- backoff, or is killed when it has no attempt left; a line in the log says whose lease it was. One that is to be requeued goes on
-- with what that says. Then it takes back what is held although it is paused at once. It returns what came
-- back pending: the lowest date and the number for each version, partition and priority; other rows have a null date.
create function fetchq.mnt_orphans(
    p_queue text, p_limit integer default 1000, p_now timestamptz default clock_timestamp(), p_since interval default null
) returns table (version integer, partition integer, priority integer, date timestamptz, items bigint)
language plpgsql set lock_timeout = '5s' set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
    q fetchq.queues := fetchq.queue_find(p_queue);
    v_leaves constant text[] := fetchq.leaves(q);
    v_next timestamptz;
begin
    for i in 1 .. cardinality(v_leaves) loop
        return query execute format($t$
            with lost as materialized (
                select subject, version as old_version, attempts, requeue, attempts >= $4 as dies,
                    coalesce((requeue ->> 'date')::timestamptz, case when attempts < $4 then $2 + fetchq.backoff($1, attempts) end) as next
                from %1$I.%2$I
                where status = 2 and next_iteration <= $2 and next_iteration >= $6
                order by next_iteration
                limit $3
                for update skip locked
            ), changed as (
                update %1$I.%2$I d set
                    status = coalesce((l.next <= $2)::integer, -1),
                    next_iteration = coalesce(l.next, $2),
                    last_iteration = case when l.dies then $2 else d.last_iteration end,
                    attempts = case when l.dies and l.requeue is not null then 0 else d.attempts end,
                    payload = coalesce(l.requeue -> 'payload', d.payload),
                    size = case when l.requeue ? 'payload' then pg_column_size(l.requeue -> 'payload') else d.size end,
                    version = coalesce((l.requeue -> 'version')::integer, d.version),
                    priority = coalesce((l.requeue -> 'priority')::integer, d.priority),
                    requeue = null,
                    lease = d.lease + 1,
                    ended = 0
                from lost l where d.subject = l.subject
                returning d.subject, d.status, d.version, d.priority, l.attempts, d.worker, d.next_iteration, l.old_version, l.dies,
                    d.lease, d.picked_at
            ), logged as (
                insert into %1$I.logs (created_at, kind, attempt, subject, message, worker, fingerprint)
                select $2, 1, attempts, subject, 'the lease ran out', worker, fetchq.error_fingerprint('the lease ran out') from changed order by subject
            )%4$s, counted as (
                insert into %1$I.deltas (version, planned, pending, active, killed, ev_orphaned, ev_killed, ev_errors, ev_logs)
                select version, sum((status = 0)::integer * n), sum((status = 1)::integer * n), sum((status = 2)::integer * n),
                    sum((status = -1)::integer * n), count(*) filter (where status = 2), count(*) filter (where status = 2 and dies),
                    count(*) filter (where status = 2), count(*) filter (where status = 2)
                from (
                    select old_version as version, 2 as status, -1 as n, dies from changed
                    union all select version, status, 1, dies from changed
                ) c group by version
            )%3$s
            select version::integer, $5, priority::integer, min(next_iteration) filter (where status = 1), count(*)
            from changed group by version, priority $t$, 'q_' || p_queue, v_leaves[i],
            case when q.journal <> 'off' then fetchq.journal_text(q, $t$
                select row_number() over (), 'orphan', false, 2, status, attempts, lease, next_iteration,
                    fetchq.micros_between(picked_at, $2), subject, worker, null from changed $t$, '$2') end,
            fetchq.error_deltas_text('q_' || p_queue, $t$
                select $2, old_version, subject, 'the lease ran out', 'the lease ran out' from changed $t$))
        using q, p_now, p_limit, q.max_attempts, i - 1, coalesce(p_now - p_since, '-infinity');
        if found then
            v_next := p_now;
        end if;
    end loop;
    if fetchq.is_paused(q, p_now) and q.pause_kind = 'at_once' or q.version_pauses is not null then
        return query
            select r.version::integer, fetchq.partition_of(r.subject, q.partitions), r.priority::integer,
                min(r.next_iteration) filter (where r.status = 1), count(*)
            from fetchq.take_back(q, p_limit, p_now) r where r.outcome = 'ok' group by 1, 2, 3;
        if found then
            v_next := p_now;
        end if;
    end if;
    if v_next is not null then
        -- What comes back after its backoff becomes due when mark_due may be asleep.
        v_next := fetchq.mnt_next_due(p_queue, p_since, p_now);
        if v_next is not null then
            perform fetchq.touch(p_queue, 'mark_due', v_next);
        end if;
        perform fetchq.touch(p_queue, 'fold', p_now + interval '1 second');
    end if;
end $$;

-- mnt_next_orphan returns when the next lease runs out; null where none is held.
create function fetchq.mnt_next_orphan(p_queue text, p_since interval default null, p_now timestamptz default clock_timestamp())
returns timestamptz
language plpgsql stable set lock_timeout = '5s' set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
    q fetchq.queues := fetchq.queue_find(p_queue);
    v_leaf  text;
    v_date  timestamptz;
    v_first timestamptz;
begin
    foreach v_leaf in array fetchq.leaves(q) loop
        execute format('select next_iteration from %I.%I where status = 2 and next_iteration >= $1 order by next_iteration limit 1',
            'q_' || p_queue, v_leaf)
        into v_date using coalesce(p_now - p_since, '-infinity');
        v_first := least(v_first, v_date);
    end loop;
    return v_first;
end $$;

-- mnt_fold moves a queue's deltas into its totals and returns how many rows it moved. It takes the rows that it sees
-- and no others: a row that stands before them and commits later is there for the next fold. p_block is the first block of the
-- table that it reads, 0 is all of them: while a snapshot is held, the rows that were folded stay in the blocks before. Without p_oldest
-- it leaves oldest_due_at as it is. Where an error is among them it
-- writes last_error_at: no error that was folded is younger, also one that committed after the fold had been called.
create function fetchq.mnt_fold(
    p_queue text, p_now timestamptz default clock_timestamp(), p_block bigint default 0, p_oldest boolean default true
) returns bigint
language plpgsql set enable_seqscan = off set lock_timeout = '5s' set jit = off as $$
declare
    n        bigint;
    v_failed boolean;
    v_oldest timestamptz;
begin
    perform fetchq.queue_find(p_queue);
    -- Read before the deltas are taken: whoever locks both tables, as a truncate does, begins with the documents.
    -- It is planned anew: each connection comes to each queue here, and would remember a plan of 170 kB for each.
    if p_oldest then
        execute fetchq.oldest_due_query('q_' || p_queue) into v_oldest;
    end if;
    execute format($t$
        with gone as (
            delete from %I.deltas where ctid >= $2 returning *
        ), total as (
            insert into fetchq.counters as c
            select $1, version, sum(planned), sum(pending), sum(active), sum(completed), sum(killed), sum(ev_entered), sum(ev_picked),
                sum(ev_completed), sum(ev_rescheduled), sum(ev_rejected), sum(ev_orphaned), sum(ev_killed), sum(ev_dropped),
                sum(ev_forwarded), sum(ev_errors), sum(ev_logs)
            from gone group by version order by version
            on conflict (queue, version) do update set
                planned = c.planned + excluded.planned, pending = c.pending + excluded.pending, active = c.active + excluded.active,
                completed = c.completed + excluded.completed, killed = c.killed + excluded.killed,
                ev_entered = c.ev_entered + excluded.ev_entered, ev_picked = c.ev_picked + excluded.ev_picked,
                ev_completed = c.ev_completed + excluded.ev_completed, ev_rescheduled = c.ev_rescheduled + excluded.ev_rescheduled,
                ev_rejected = c.ev_rejected + excluded.ev_rejected, ev_orphaned = c.ev_orphaned + excluded.ev_orphaned,
                ev_killed = c.ev_killed + excluded.ev_killed, ev_dropped = c.ev_dropped + excluded.ev_dropped,
                ev_forwarded = c.ev_forwarded + excluded.ev_forwarded, ev_errors = c.ev_errors + excluded.ev_errors,
                ev_logs = c.ev_logs + excluded.ev_logs
        ), timed as (
            insert into fetchq.measures
            select $1, name, 3, $3, sum(n), sum(sum), min(low), max(high), 0, array_agg(bucket order by bucket), array_agg(n order by bucket)
            from (
                select name, fetchq.timing_bucket(ms) as bucket, count(*) as n, sum(ms) as sum, min(ms) as low, max(ms) as high
                from (
                    select 'wait' as name, unnest(waits)::float8 as ms from gone
                    union all select 'work', unnest(works) from gone
                ) t group by name, fetchq.timing_bucket(ms)
            ) b group by name
        )
        select count(*), coalesce(sum(ev_errors), 0) > 0 from gone $t$, 'q_' || p_queue)
    into n, v_failed using p_queue, format('(%s,0)', greatest(p_block, 0))::tid, p_now;
    insert into fetchq.queue_states as s (queue, as_of, oldest_due_at, last_error_at)
    values (p_queue, p_now, v_oldest, case when v_failed then greatest(p_now, clock_timestamp()) end)
    on conflict (queue) do update set as_of = excluded.as_of, oldest_due_at = case when p_oldest then excluded.oldest_due_at else s.oldest_due_at end,
        last_error_at = greatest(s.last_error_at, excluded.last_error_at);
    return n + fetchq.mnt_measures(p_queue) + case when v_failed then fetchq.mnt_errors(p_queue) else 0 end;
end $$;

-- mnt_expire removes what the queue's settings keep no longer, p_limit rows of each sort at most: answers kept for repeated
-- calls, completed and killed documents, log lines, and the journal. It returns how many rows went, and whether there may be more.
create function fetchq.mnt_expire(
    p_queue text, p_limit integer default 5000, p_now timestamptz default clock_timestamp(), out items bigint, out more boolean
) language plpgsql set lock_timeout = '5s' set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
    q fetchq.queues := fetchq.queue_find(p_queue);
    s constant text := 'q_' || p_queue;
    n bigint;
    k record;
    v_left  bigint;
    v_leaf  text;
    v_kinds text[];
    v_keys  text[];
begin
    -- The key of a pick stands as long as one of its leases lives: it may have been extended. To look at documents and to
    -- delete keys are two statements, for the reason that lock_docs tells.
    execute format($t$
        select array_agg(kind), array_agg(key) from (
            select kind, key from %1$I.requests r
            where expires_at < $1 and not exists (
                select from unnest(r.subjects, r.leases) u (subject, lease) cross join lateral (
                    select lease, status, next_iteration from %1$I.docs where subject = u.subject limit 1
                ) d
                where r.kind = 'pick' and d.lease = u.lease and d.status = 2 and d.next_iteration > $1)
            order by expires_at limit $2) old $t$, s)
    into v_kinds, v_keys using p_now, p_limit;
    execute format($t$
        with gone as (
            delete from %I.requests r using unnest($1, $2) u (kind, key)
            where r.kind = u.kind and r.key = u.key and r.expires_at < $3 returning 1
        )
        select count(*) from gone $t$, s)
    into items using v_kinds, v_keys, p_now;
    more := items = p_limit;

    items := items + fetchq.key_expire(q, p_now);

    for k in select * from (values (3, q.completed_retention), (-1, q.killed_retention)) t (status, retention) where retention is not null loop
        v_left := p_limit;
        foreach v_leaf in array fetchq.leaves(q) loop
            execute format($t$
                with old as materialized (
                    select subject from %1$I.%2$I
                    where status in (3, -1) and status = $1 and last_iteration < $2
                    order by last_iteration limit $3
                    for update skip locked
                ), gone as (
                    delete from %1$I.%2$I d using old where d.subject = old.subject
                    returning d.version, d.subject, d.attempts, d.lease
                ), counted as (
                    insert into %1$I.deltas (version, completed, killed)
                    select version, -count(*) filter (where $1 = 3), -count(*) filter (where $1 = -1) from gone group by version
                )%3$s
                select count(*) from gone $t$, s, v_leaf, case when q.journal = 'all' then fetchq.journal_text(q, $t$
                    select row_number() over (), 'expire', false, $1, null::smallint, attempts, lease, null::timestamptz, null::bigint, subject,
                        null, null from gone $t$, '$4') end)
            into n using k.status::smallint, p_now - k.retention, v_left, p_now;
            items := items + n;
            v_left := v_left - n;
            exit when v_left = 0;
        end loop;
        if v_left < p_limit then
            perform fetchq.touch(p_queue, 'fold', p_now + interval '1 second');
        end if;
        more := more or v_left = 0;
    end loop;

    if q.logs_retention is not null then
        execute format($t$
            with old as materialized (
                select created_at, id from %1$I.logs where created_at < $1 order by created_at, id limit $2
                for update skip locked
            ), gone as (
                delete from %1$I.logs l using old where l.created_at = old.created_at and l.id = old.id returning 1
            )
            select count(*) from gone $t$, s)
        into n using p_now - q.logs_retention, p_limit;
        items := items + n;
        more := more or n = p_limit;
    end if;
    if q.logs_rows is not null then
        -- Lines are numbered as they are written, so that the number of the last one tells which are too many, without a count. Among the oldest by
        -- their dates, those are looked for.
        execute format($t$
            with old as materialized (
                select created_at, id from %1$I.logs
                where id <= (select last_value from %1$I.logs_id_seq) - $1 and created_at <= (
                    select max(created_at) from (select created_at from %1$I.logs order by created_at, id limit $2) o)
                order by created_at, id limit $2
                for update skip locked
            ), gone as (
                delete from %1$I.logs l using old where l.created_at = old.created_at and l.id = old.id returning 1
            )
            select count(*) from gone $t$, s)
        into n using q.logs_rows, p_limit;
        items := items + n;
        more := more or n = p_limit;
    end if;
    select * into k from fetchq.errors_expire(q, p_limit, p_now);
    items := items + k.items;
    more := more or k.more;
    select * into k from fetchq.mnt_journal(p_queue, p_now);
    items := items + k.items;
    more := more or k.more;
end $$;

-- mnt_run does all maintenance of one queue once, but vacuum. It returns the number of rows that each job found.
create function fetchq.mnt_run(p_queue text, p_now timestamptz default clock_timestamp())
returns table (kind text, items bigint)
language plpgsql as $$
begin
    perform fetchq.queue_find(p_queue);
    return query select 'orphans', coalesce(sum(m.items), 0)::bigint from fetchq.mnt_orphans(p_queue, 1000, p_now) m;
    return query select 'mark_due', coalesce(sum(m.items), 0)::bigint from fetchq.mnt_mark_due(p_queue, 1000, p_now) m;
    return query select 'expire', e.items from fetchq.mnt_expire(p_queue, 5000, p_now) e;
    return query select 'fold', fetchq.mnt_fold(p_queue, p_now);
end $$;
