-- Leaves: a table that holds documents has functions of its own, in the schema of its queue. Their statements name the
-- table, so that a connection plans each once: planned anew in each call, as the statements of all other functions are, they
-- cost a pick of 100 with its completion a quarter more, and one of a single document half as much again. Only what workers
-- call all day stands here, for each connection remembers each leaf that it has come to (about 0.4 MB).

-- queue_functions makes the functions of a queue's leaves anew.
create function fetchq.queue_functions(q fetchq.queues) returns void
language plpgsql as $$
declare
    s        constant text := 'q_' || q.name;
    v_leaves constant text[] := fetchq.leaves(q);
    v_old    text;
begin
    for v_old in select oid::regprocedure from pg_proc where pronamespace = to_regnamespace(quote_ident(s)) loop
        execute 'drop function ' || v_old;
    end loop;
    execute fetchq.push_text(s);
    for i in 1 .. cardinality(v_leaves) loop
        execute fetchq.mark_text(s, v_leaves[i], i - 1);
        execute fetchq.pick_text(s, v_leaves[i], i - 1);
        execute fetchq.settle_text(s, v_leaves[i], i - 1);
        execute fetchq.drop_text(s, v_leaves[i], i - 1);
    end loop;
end $$;

-- partition_of returns in which leaf a subject stands, as Postgres finds it for a table that is partitioned by the hash of a
-- text: hash_combine64 over hashtextextended with HASH_PARTITION_SEED, by the modulus (src/backend/partitioning/partbounds.c).
create function fetchq.partition_of(p_subject text, p_partitions integer) returns integer
language sql immutable as $$
    select case when p_partitions = 1 then 0
        else mod(mod(hashtextextended(p_subject collate "C", 8816678312871386365)::numeric + 5305509591434766563 + 18446744073709551616,
            18446744073709551616), p_partitions)::integer end
$$;

-- push_text is the function push of a queue: doc_push_many where a subject that is taken stays as it is. The rows go in by
-- subject, so that two calls with the same subjects wait for each other in one order.
create function fetchq.push_text(s text) returns text
language sql immutable as $f$
    select format($t$
create function %1$I.push(
    p_subjects text[], p_payloads jsonb[], p_versions integer[], p_priorities integer[], p_dates timestamptz[], p_delays interval[],
    p_lease bigint, p_now timestamptz
) returns table (ord integer, subject text, outcome text, detail text, status smallint, version smallint, priority smallint,
    next_iteration timestamptz)
language plpgsql as $$
#variable_conflict use_column
begin
    return query
        with block as materialized (
            select nextval('%1$I.seq') as first -- materialized: one number a call, whatever the plan
        ), item as materialized (
            select i.*, fetchq.item_problem(i.subject, i.payload, i.version, i.priority, i.date) as problem,
                row_number() over (partition by i.subject order by i.ord) as nth
            from (
                select ord::integer, subject, coalesce(payload, '{}') as payload, coalesce(version, 0) as version,
                    coalesce(priority, 0) as priority, fetchq.date_of(date, delay, p_now, p_now) as date
                from unnest(p_subjects, p_payloads, p_versions, p_priorities, p_dates, p_delays) with ordinality
                    u (subject, payload, version, priority, date, delay, ord)
            ) i
        ), made as (
            insert into %1$I.docs (subject, seq, lease, next_iteration, created_at, size, version, priority, status, payload)
            select subject, block.first + ord, p_lease, date, p_now, pg_column_size(payload), version, priority, (date <= p_now)::integer, payload
            from item cross join block
            where problem is null and nth = 1
            order by subject
            on conflict (subject) do nothing
            returning subject, status, version, priority, next_iteration
        ), counted as (
            insert into %1$I.deltas (version, planned, pending, ev_entered)
            select version, count(*) filter (where status = 0), count(*) filter (where status = 1), count(*)
            from made group by version
        )
        select i.ord, i.subject,
            case when i.problem is not null then 'invalid' when i.nth > 1 then 'duplicate' when m.subject is null then 'ignored'
                else 'created' end,
            i.problem, m.status, m.version, m.priority, m.next_iteration
        from item i left join made m on m.subject = i.subject and i.nth = 1 and i.problem is null
        order by i.ord;
end $$ $t$, s)
$f$;

-- mark_text is the function mark_<number> of a leaf: it marks planned documents of one version pending that became due since p_from
-- (null: ever), and returns the lowest date and the number for each priority among them.
create function fetchq.mark_text(s text, p_leaf text, p_number integer) returns text
language sql immutable as $f$
    select format($t$
create function %1$I.mark_%3$s(p_version smallint, p_limit integer, p_now timestamptz, p_from timestamptz)
returns table (priority integer, date timestamptz, items bigint)
language plpgsql as $$
#variable_conflict use_column
declare
    v_subjects text[];
begin
    select array_agg(subject) into v_subjects from (
        select subject from %1$I.%2$I
        where status = 0 and version = p_version and next_iteration <= p_now and next_iteration >= coalesce(p_from, '-infinity')
        order by next_iteration
        limit p_limit
        for update skip locked) due;
    if v_subjects is null then
        return; -- what most picks from an empty queue find
    end if;
    perform fetchq.touch(%4$L, 'fold', p_now + interval '1 second');
    return query
        with marked as (
            update %1$I.%2$I d set status = 1 from unnest(v_subjects) due (subject) where d.subject = due.subject
            returning d.priority, d.next_iteration
        ), counted as (
            insert into %1$I.deltas (version, planned, pending) values (p_version, -cardinality(v_subjects), cardinality(v_subjects))
        )
        select priority::integer, min(next_iteration), count(*) from marked group by priority;
end $$ $t$, s, p_leaf, p_number, substr(s, 3))
$f$;

-- pick_text is the function pick_<number> of a leaf: it leases up to p_limit documents, of which the payloads take up to p_bytes.
-- First what is pending already, from the marks on; where that is too little, what became due since the last marking.
-- p_locks and p_workers are those of single places, p_lock and p_worker stand for all others. Under p_key it keeps what it leased. It
-- says how many bytes it took in the setting fetchq.bytes, if there are other leaves to go to.
--
-- To find and to lease are two statements: the first reads the index docs_due and the second writes by the primary key, and
-- the payloads go from the second straight to the caller. Its rows come as they are written: in the order in which they were found.
create function fetchq.pick_text(s text, p_leaf text, p_number integer) returns text
language sql immutable as $f$
    select format($t$
create function %1$I.pick_%3$s(
    p_version smallint, p_limit integer, p_bytes bigint, p_lock interval, p_worker text, p_locks interval[], p_workers text[], p_key text,
    p_mark_partitions integer[], p_mark_priorities integer[], p_mark_dates timestamptz[], p_mark_seqs bigint[], p_since interval,
    p_partitions integer, p_now timestamptz
) returns table (
    subject text, payload jsonb, version smallint, priority smallint, attempts integer, iterations integer, created_at timestamptz,
    last_iteration timestamptz, lease bigint, lease_expires_at timestamptz, due_at timestamptz, seq bigint, size integer,
    partition integer, partitions integer, marked_priorities integer[], marked_dates timestamptz[])
language plpgsql as $$
#variable_conflict use_column
declare
    v_left     integer := p_limit;
    v_taken    bigint := 0;
    v_subjects text[];
    v_dates    timestamptz[];
    v_leases   bigint[];
    v_bytes    bigint;
    v_places   integer[];
    v_priorities integer[]; -- of what was marked; v_marked too
    v_marked     timestamptz[];
begin
    for v_round in 1 .. 2 loop
        exit when v_left <= 0 or v_taken >= p_bytes;
        if v_round = 2 then
            select array_agg(m.priority order by m.priority desc), array_agg(m.date order by m.priority desc) into v_priorities, v_marked
            from %1$I.mark_%3$s(p_version, 1000, p_now, p_now - p_since) m;
            exit when v_priorities is null;
            p_mark_partitions := array_fill(%3$s, array[cardinality(v_priorities)]);
            p_mark_priorities := v_priorities;
            p_mark_dates := v_marked;
            p_mark_seqs := array_fill(0::bigint, array[cardinality(v_priorities)]);
        end if;
        -- The frames follow the order of the scan. The first document always fits.
        if p_mark_partitions is null then
            select array_agg(subject), array_agg(next_iteration), array_agg(lease + 1), sum(size)
            into v_subjects, v_dates, v_leases, v_bytes
            from (
                select *, sum(size) over (rows unbounded preceding) - size as before from (
                    select subject, next_iteration, lease, size from %1$I.%2$I
                    where status = 1 and version = p_version and next_iteration <= p_now
                    order by priority desc, next_iteration, seq
                    limit v_left
                    for update skip locked) due
            ) fits
            where before = 0 or before < p_bytes - v_taken;
        else
            select array_agg(subject), array_agg(next_iteration), array_agg(lease + 1), sum(size)
            into v_subjects, v_dates, v_leases, v_bytes
            from (
                select *, sum(size) over (rows unbounded preceding) - size as before from (
                    select d.*
                    from (
                        select * from unnest(p_mark_partitions, p_mark_priorities, p_mark_dates, p_mark_seqs) u (partition, priority, date, seq)
                        where partition = %3$s order by priority desc
                    ) mark cross join lateral (
                        select subject, next_iteration, lease, size from %1$I.%2$I
                        where status = 1 and version = p_version and next_iteration <= p_now
                            and priority = mark.priority and (next_iteration, seq) >= (mark.date, mark.seq)
                        order by next_iteration, seq
                        limit v_left
                        for update skip locked
                    ) d
                    limit v_left) due
            ) fits
            where before = 0 or before < p_bytes - v_taken;
        end if;
        continue when v_subjects is null;
        return query
            update %1$I.%2$I d set status = 2, next_iteration = p_now + coalesce(i.lock, p_lock), picked_at = p_now,
                attempts = d.attempts + 1, lease = d.lease + 1, ended = 0, worker = coalesce(i.worker, p_worker)
            from unnest(v_subjects, v_dates, p_locks[p_limit - v_left + 1 : p_limit - v_left + cardinality(v_subjects)],
                p_workers[p_limit - v_left + 1 : p_limit - v_left + cardinality(v_subjects)]) i (subject, due_at, lock, worker)
            where d.subject = i.subject
            returning d.subject, d.payload, d.version, d.priority, d.attempts, d.iterations, d.created_at, d.last_iteration, d.lease,
                d.next_iteration, i.due_at, d.seq, d.size, %3$s, p_partitions, v_priorities, v_marked;
        insert into %1$I.deltas (version, pending, active, ev_picked, waits)
        values (p_version, -cardinality(v_subjects), cardinality(v_subjects), cardinality(v_subjects),
            array(select fetchq.took(d, p_now) from unnest(v_dates) d));
        if p_key is not null then
            insert into %1$I.requests as r (kind, key, expires_at, subjects, leases) values ('pick', p_key, p_now + p_lock, v_subjects, v_leases)
            on conflict (kind, key) do update set subjects = r.subjects || excluded.subjects, leases = r.leases || excluded.leases;
        end if;
        v_left := v_left - cardinality(v_subjects);
        v_taken := v_taken + v_bytes;
    end loop;
    if p_partitions > 1 then
        perform set_config('fetchq.bytes', v_taken::text, true);
    end if;
end $$ $t$, s, p_leaf, p_number)
$f$;

-- settle_text is the function settle_<number> of a leaf: it completes and reschedules what it may in one short statement, for that
-- is what most calls ask. It leaves alone, and does not return, whatever needs a closer look: a lease that is not live, a
-- value that is refused. fetchq.settle tells what is wrong with these, and finds those of one subject that come behind one
-- that was settled here as it would find a repeated call. p_ords numbers the items; null: from 1 on.
--
-- The rows are written in the order of subjects, as by all who write several. status + 0: the planner must not come by
-- the small index of active documents, which under a held snapshot is a heap of dead entries.
create function fetchq.settle_text(s text, p_leaf text, p_number integer) returns text
language sql immutable as $f$
    select format($t$
create function %1$I.settle_%3$s(
    p_ords integer[], p_subjects text[], p_leases bigint[], p_actions text[], p_dates timestamptz[], p_delays interval[], p_payloads jsonb[],
    p_priorities integer[], p_now timestamptz
) returns table (ord integer, subject text, outcome text, detail text, status smallint, version smallint, priority smallint,
    next_iteration timestamptz)
language plpgsql as $$
#variable_conflict use_column
begin
    return query
        with item as materialized (
            select coalesce(nth, place)::integer as ord, subject, lease, action = 'complete' as completes, coalesce(at, p_now) as at, payload, priority
            from (
                select *, fetchq.date_of(date, delay, null, p_now) as at, date is not null or delay is not null as dated
                from unnest(p_ords, p_subjects, p_leases, p_actions, p_dates, p_delays, p_payloads, p_priorities) with ordinality
                    u (nth, subject, lease, action, date, delay, payload, priority, place)
            ) u
            where dated = (action = 'reschedule') and fetchq.item_problem(subject, payload, null, priority, coalesce(at, p_now)) is null
            order by subject collate "C", 1
        ), changed as (
            update %1$I.%2$I d set
                status = case when i.completes then 3 else (i.at <= p_now)::integer end, next_iteration = i.at, attempts = 0,
                iterations = d.iterations + 1, last_iteration = p_now, ended = case when i.completes then 1 else 2 end,
                payload = coalesce(i.payload, d.payload),
                size = case when i.payload is null then d.size else pg_column_size(i.payload) end,
                priority = coalesce(i.priority, d.priority)
            from item i
            where d.subject = i.subject and d.lease = i.lease and d.status + 0 = 2 and d.next_iteration > p_now
            returning i.ord, d.subject, d.status, d.version, d.priority, d.next_iteration, d.picked_at
        ), counted as (
            insert into %1$I.deltas (version, planned, pending, active, completed, ev_completed, ev_rescheduled, works)
            select version, count(*) filter (where status = 0), count(*) filter (where status = 1), -count(*),
                count(*) filter (where status = 3), count(*) filter (where status = 3), count(*) filter (where status <> 3),
                array_agg(fetchq.took(picked_at, p_now))
            from changed group by version
        )
        select ord, subject, 'ok', null::text, status, version, priority, next_iteration from changed;
end $$ $t$, s, p_leaf, p_number)
$f$;

-- drop_text is the function drop_<number> of a leaf: it does for drops what settle_<number> does for completions.
create function fetchq.drop_text(s text, p_leaf text, p_number integer) returns text
language sql immutable as $f$
    select format($t$
create function %1$I.drop_%3$s(
    p_ords integer[], p_subjects text[], p_leases bigint[], p_actions text[], p_dates timestamptz[], p_delays interval[], p_payloads jsonb[],
    p_priorities integer[], p_now timestamptz
) returns table (ord integer, subject text, outcome text, detail text, status smallint, version smallint, priority smallint,
    next_iteration timestamptz)
language plpgsql as $$
#variable_conflict use_column
begin
    return query
        with item as materialized (
            select coalesce(nth, place)::integer as ord, subject, lease
            from unnest(p_ords, p_subjects, p_leases, p_actions, p_dates, p_delays, p_payloads, p_priorities) with ordinality
                u (nth, subject, lease, action, date, delay, payload, priority, place)
            where action = 'drop' and date is null and delay is null and fetchq.item_problem(subject, payload, null, priority, p_now) is null
            order by subject collate "C", 1
        ), gone as (
            delete from %1$I.%2$I d using item i
            where d.subject = i.subject and d.lease = i.lease and d.status + 0 = 2 and d.next_iteration > p_now
            returning i.ord, d.subject, d.version, d.picked_at
        ), counted as (
            insert into %1$I.deltas (version, active, ev_dropped, works)
            select version, -count(*), count(*), array_agg(fetchq.took(picked_at, p_now)) from gone group by version
        )
        select ord, subject, 'ok', null::text, null::smallint, null::smallint, null::smallint, null::timestamptz from gone;
end $$ $t$, s, p_leaf, p_number)
$f$;
