-- Leaves: a table that holds documents has functions of its own, in the schema of its queue. Their statements name the
-- table, so that a connection plans each once: planned anew in each call, as the statements of all other functions are, they
-- cost a pick of 100 with its completion a quarter more, and one of a single document half as much again. Only what workers
-- call all day stands here, for each connection remembers each leaf that it has come to (about 0.4 MB), and what pages ask of a queue
-- that changes (counted and oldest_due, in metric.sql; as much again).
--
-- Each function stands there twice: as it is, and with _noted behind its name, which does the same and writes the journal (journal.sql).
-- Who calls one reads the queue's setting and takes the one or the other: so a queue without a whole journal has no trace of it, and
-- to change the setting makes no function anew. p_by says who calls: one for all items, or one for each.

-- queue_functions makes the functions of a queue's leaves. p_anew: after the functions here have changed, and with them perhaps
-- the arguments; else, when a setting has, none goes away meanwhile, for others may be calling it.
create function fetchq.queue_functions(q fetchq.queues, p_anew boolean default true) returns void
language plpgsql as $$
declare
    s        constant text := 'q_' || q.name;
    v_leaves constant text[] := fetchq.leaves(q);
    v_old    text;
    v_noted  boolean;
begin
    for v_old in select oid::regprocedure from pg_proc where pronamespace = to_regnamespace(quote_ident(s)) and p_anew loop
        execute 'drop function ' || v_old;
    end loop;
    execute fetchq.counted_text(s);
    execute fetchq.oldest_due_text(s);
    for v_noted in select unnest(array[false, true]) loop
        execute fetchq.push_text(s, v_noted);
        for i in 1 .. cardinality(v_leaves) loop
            execute fetchq.mark_text(s, v_leaves[i], i - 1, v_noted);
            execute fetchq.pick_text(s, v_leaves[i], i - 1, fetchq.is_keyed(q), v_noted);
            execute fetchq.settle_text(s, v_leaves[i], i - 1, v_noted);
            execute fetchq.drop_text(s, v_leaves[i], i - 1, v_noted);
        end loop;
    end loop;
    for i in 1 .. cardinality(v_leaves) loop
        if fetchq.is_keyed(q) and q.key_ready then
            execute fetchq.choose_text(q, s, v_leaves[i], i - 1);
        elsif fetchq.is_keyed(q) then
            execute fetchq.choose_slowly_text(q, s, v_leaves[i], i - 1);
        end if;
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
-- subject, so that two calls with the same subjects wait for each other in one order. Each has the lease number of the moment in
-- which it goes in: a call may wait for long before one, and a document that came and went meanwhile had higher numbers than its beginning.
create function fetchq.push_text(s text, p_noted boolean) returns text
language sql immutable as $f$
    select format($t$
create or replace function %1$I.push%2$s(
    p_subjects text[], p_payloads jsonb[], p_versions integer[], p_priorities integer[], p_dates timestamptz[], p_delays interval[],
    p_now timestamptz%3$s
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
            select subject, block.first + ord, fetchq.micros(), date, p_now, pg_column_size(payload), version, priority, (date <= p_now)::integer, payload
            from item cross join block
            where problem is null and nth = 1
            order by subject
            on conflict (subject) do nothing
            returning subject, status, version, priority, next_iteration%4$s
        ), counted as (
            insert into %1$I.deltas (version, planned, pending, ev_entered)
            select version, count(*) filter (where status = 0), count(*) filter (where status = 1), count(*)
            from made group by version
        )%5$s
        select i.ord, i.subject,
            case when i.problem is not null then 'invalid' when i.nth > 1 then 'duplicate' when m.subject is null then 'ignored'
                else 'created' end,
            i.problem, m.status, m.version, m.priority, m.next_iteration
        from item i left join made m on m.subject = i.subject and i.nth = 1 and i.problem is null
        order by i.ord;
end $$ $t$, s, case when p_noted then '_noted' else '' end, case when p_noted then ', p_by text[]' else '' end,
    case when p_noted then ', seq, lease' else '' end, case when p_noted then format($t$, numbered as materialized (
            select nextval('%1$I.seq') as first from (select count(*) from made) m
        ), noted as (
            insert into %1$I.journal_0 (id, at, action, new_status, attempt, lease, next_iteration, subject, actor)
            select n.first + m.seq - block.first, p_now, 'push', m.status, 0, m.lease, m.next_iteration, m.subject,
                coalesce(p_by[m.seq - block.first], p_by[1])
            from made m cross join block cross join numbered n
        )$t$, s) else '' end)
$f$;

-- mark_text is the function mark_<number> of a leaf: it marks planned documents of one version pending that became due since p_from
-- (null: ever), and returns the lowest date and the number for each priority among them.
create function fetchq.mark_text(s text, p_leaf text, p_number integer, p_noted boolean) returns text
language sql immutable as $f$
    select format($t$
create or replace function %1$I.mark_%3$s%5$s(p_version smallint, p_limit integer, p_now timestamptz, p_from timestamptz)
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
            returning d.priority, d.next_iteration%6$s
        ), counted as (
            insert into %1$I.deltas (version, planned, pending) values (p_version, -cardinality(v_subjects), cardinality(v_subjects))
        )%7$s
        select priority::integer, min(next_iteration), count(*) from marked group by priority;
end $$ $t$, s, p_leaf, p_number, substr(s, 3), case when p_noted then '_noted' else '' end,
    case when p_noted then ', d.subject, d.attempts, d.lease' else '' end, case when p_noted then format($t$, numbered as materialized (
            select nextval('%1$I.seq') as first
        ), noted as (
            insert into %1$I.journal_0 (id, at, action, old_status, new_status, attempt, lease, next_iteration, subject)
            select n.first + row_number() over (), p_now, 'mark_due', 0, 1, m.attempts, m.lease, m.next_iteration, m.subject
            from marked m cross join numbered n
        )$t$, s) else '' end)
$f$;

-- pick_text is the function pick_<number> of a leaf: it leases up to p_limit documents, of which the payloads take up to p_bytes.
-- First what is pending already, from the marks on; where that is too little, what became due since the last marking.
-- p_locks and p_workers are those of single places, p_lock and p_worker stand for all others. Under p_key it keeps what it leased. It
-- says how many bytes it took in the setting fetchq.bytes, if there are other leaves to go to. Where the queue has limits by key,
-- choose finds what it takes.
--
-- To find and to lease are two statements: the first reads the index docs_due and the second writes by the primary key, and
-- the payloads go from the second straight to the caller. Its rows come as they are written: in the order in which they were found.
create function fetchq.pick_text(s text, p_leaf text, p_number integer, p_keyed boolean, p_noted boolean) returns text
language sql immutable as $f$
    select format($t$
create or replace function %1$I.pick_%3$s%5$s(
    p_version smallint, p_limit integer, p_bytes bigint, p_lock interval, p_worker text, p_locks interval[], p_workers text[], p_key text,
    p_mark_partitions integer[], p_mark_priorities integer[], p_mark_dates timestamptz[], p_mark_seqs bigint[], p_since interval,
    p_partitions integer, p_now timestamptz%6$s
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
    v_attempts integer[]; -- for the journal; v_first too
    v_first    bigint;
    v_bytes    bigint;
    v_priorities integer[]; -- of what was marked; v_marked too
    v_marked     timestamptz[];
begin
    for v_round in 1 .. 2 loop
        exit when v_left <= 0 or v_taken >= p_bytes;
        if v_round = 2 then
            select array_agg(m.priority order by m.priority desc), array_agg(m.date order by m.priority desc) into v_priorities, v_marked
            from %1$I.mark_%3$s%5$s(p_version, 1000, p_now, p_now - p_since) m;
            exit when v_priorities is null;
            p_mark_partitions := array_fill(%3$s, array[cardinality(v_priorities)]);
            p_mark_priorities := v_priorities;
            p_mark_dates := v_marked;
            p_mark_seqs := array_fill(0::bigint, array[cardinality(v_priorities)]);
        end if;
%4$s        continue when v_subjects is null;
%7$s        return query
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
end $$ $t$, s, p_leaf, p_number, case when p_keyed then format($t$
        select subjects, dates, leases, bytes, moment into v_subjects, v_dates, v_leases, v_bytes, p_now
        from %1$I.choose_%2$s(p_version, v_left, p_bytes - v_taken, p_now);
%3$s$t$, s, p_number, case when p_noted then format($t$
        select array_agg(d.attempts + 1 order by i.ord) into v_attempts
        from unnest(v_subjects) with ordinality i (subject, ord) cross join lateral (select attempts from %I.%I where subject = i.subject limit 1) d;
$t$, s, p_leaf) else '' end) else format($t$
        -- The frames follow the order of the scan. The first document always fits.
        if p_mark_partitions is null then
            select array_agg(subject), array_agg(next_iteration), array_agg(lease + 1), sum(size)%4$s
            into v_subjects, v_dates, v_leases, v_bytes%5$s
            from (
                select *, sum(size) over (rows unbounded preceding) - size as before from (
                    select subject, next_iteration, lease, size%6$s from %1$I.%2$I
                    where status = 1 and version = p_version and next_iteration <= p_now
                    order by priority desc, next_iteration, seq
                    limit v_left
                    for update skip locked) due
            ) fits
            where before = 0 or before < p_bytes - v_taken;
        else
            select array_agg(subject), array_agg(next_iteration), array_agg(lease + 1), sum(size)%4$s
            into v_subjects, v_dates, v_leases, v_bytes%5$s
            from (
                select *, sum(size) over (rows unbounded preceding) - size as before from (
                    select d.*
                    from (
                        select * from unnest(p_mark_partitions, p_mark_priorities, p_mark_dates, p_mark_seqs) u (partition, priority, date, seq)
                        where partition = %3$s order by priority desc
                    ) mark cross join lateral (
                        select subject, next_iteration, lease, size%6$s from %1$I.%2$I
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
$t$, s, p_leaf, p_number, case when p_noted then ', array_agg(attempts + 1)' else '' end, case when p_noted then ', v_attempts' else '' end,
    case when p_noted then ', attempts' else '' end) end,
    case when p_noted then '_noted' else '' end, case when p_noted then ', p_by text[]' else '' end, case when p_noted then format($t$        v_first := nextval('%1$I.seq');
        insert into %1$I.journal_0 (id, at, action, old_status, new_status, attempt, lease, next_iteration, took, subject, worker, actor)
        select v_first + i.ord, p_now, 'pick', 1, 2, i.attempt, i.lease, p_now + coalesce(p_locks[p_limit - v_left + i.ord], p_lock),
            fetchq.micros_between(i.due_at, p_now), i.subject, coalesce(p_workers[p_limit - v_left + i.ord], p_worker),
            coalesce(p_by[p_limit - v_left + i.ord], p_by[1])
        from unnest(v_subjects, v_dates, v_leases, v_attempts) with ordinality i (subject, due_at, lease, attempt, ord);
$t$, s) else '' end)
$f$;

-- settle_text is the function settle_<number> of a leaf: it completes and reschedules what it may in one short statement, for that
-- is what most calls ask. It leaves alone, and does not return, whatever needs a closer look: a lease that is not live, a
-- value that is refused. fetchq.settle tells what is wrong with these, and finds those of one subject that come behind one
-- that was settled here as it would find a repeated call. p_ords numbers the items; null: from 1 on.
--
-- The rows are written in the order of subjects, as by all who write several. status + 0: the planner must not come by
-- the small index of active documents, which under a held snapshot is a heap of dead entries.
create function fetchq.settle_text(s text, p_leaf text, p_number integer, p_noted boolean) returns text
language sql stable as $f$
    -- Postgres 18 tells what was there before an update; an older one has to look.
    with v as (select current_setting('server_version_num')::integer >= 180000 as tells)
    select format($t$
create or replace function %1$I.settle_%3$s%4$s(
    p_ords integer[], p_subjects text[], p_leases bigint[], p_actions text[], p_dates timestamptz[], p_delays interval[], p_payloads jsonb[],
    p_priorities integer[], p_now timestamptz%5$s
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
            from item i%6$s
            where d.subject = i.subject and d.lease = i.lease and d.status + 0 = 2 and d.next_iteration > p_now and d.requeue is null
            returning i.ord, d.subject, d.status, d.version, d.priority, d.next_iteration, d.picked_at%7$s
        ), counted as (
            insert into %1$I.deltas (version, planned, pending, active, completed, ev_completed, ev_rescheduled, works)
            select version, count(*) filter (where status = 0), count(*) filter (where status = 1), -count(*),
                count(*) filter (where status = 3), count(*) filter (where status = 3), count(*) filter (where status <> 3),
                array_agg(fetchq.took(picked_at, p_now))
            from changed group by version
        )%8$s
        select ord, subject, 'ok', null::text, status, version, priority, next_iteration from changed;
end $$ $t$, s, p_leaf, p_number, case when p_noted then '_noted' else '' end, case when p_noted then ', p_by text[]' else '' end,
    case when p_noted and not v.tells then format(' cross join lateral (select attempts from %I.%I where subject = i.subject limit 1) o', s, p_leaf)
        else '' end,
    case when not p_noted then '' when v.tells then ', old.attempts, d.lease, d.worker'
        else ', o.attempts, d.lease, d.worker' end, case when p_noted then format($t$, numbered as materialized (
            select nextval('%1$I.seq') as first from (select count(*) from changed) c
        ), noted as (
            insert into %1$I.journal_0 (id, at, action, old_status, new_status, attempt, lease, next_iteration, took, subject, worker, actor)
            select n.first + c.ord, p_now, case when c.status = 3 then 'complete' else 'reschedule' end, 2, c.status, c.attempts, c.lease,
                c.next_iteration, fetchq.micros_between(c.picked_at, p_now), c.subject, c.worker, coalesce(p_by[c.ord], p_by[1])
            from changed c cross join numbered n
        )$t$, s) else '' end) from v
$f$;

-- drop_text is the function drop_<number> of a leaf: it does for drops what settle_<number> does for completions.
create function fetchq.drop_text(s text, p_leaf text, p_number integer, p_noted boolean) returns text
language sql immutable as $f$
    select format($t$
create or replace function %1$I.drop_%3$s%4$s(
    p_ords integer[], p_subjects text[], p_leases bigint[], p_actions text[], p_dates timestamptz[], p_delays interval[], p_payloads jsonb[],
    p_priorities integer[], p_now timestamptz%5$s
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
            where d.subject = i.subject and d.lease = i.lease and d.status + 0 = 2 and d.next_iteration > p_now and d.requeue is null
            returning i.ord, d.subject, d.version, d.picked_at%6$s
        ), counted as (
            insert into %1$I.deltas (version, active, ev_dropped, works)
            select version, -count(*), count(*), array_agg(fetchq.took(picked_at, p_now)) from gone group by version
        )%7$s
        select ord, subject, 'ok', null::text, null::smallint, null::smallint, null::smallint, null::timestamptz from gone;
end $$ $t$, s, p_leaf, p_number, case when p_noted then '_noted' else '' end, case when p_noted then ', p_by text[]' else '' end,
    case when p_noted then ', d.attempts, d.lease, d.worker' else '' end, case when p_noted then format($t$, numbered as materialized (
            select nextval('%1$I.seq') as first from (select count(*) from gone) g
        ), noted as (
            insert into %1$I.journal_0 (id, at, action, old_status, attempt, lease, took, subject, worker, actor)
            select n.first + g.ord, p_now, 'drop', 2, g.attempts, g.lease, fetchq.micros_between(g.picked_at, p_now), g.subject, g.worker,
                coalesce(p_by[g.ord], p_by[1])
            from gone g cross join numbered n
        )$t$, s) else '' end)
$f$;
