-- Groups of errors as pages and the API show them: read from what folds have put together, and from no table of a queue.

-- error_step is how many seconds each step has, of which the errors of a time are read: of up to 3 hours 5 minutes, up to 3 days an hour, else 6
-- hours; for as long as they are kept.
create function fetchq.error_step(p_from timestamptz, p_to timestamptz, p_now timestamptz) returns integer
language sql immutable as $$
    select case
        when until - drawn <= interval '3 hours' and drawn >= p_now - interval '25 hours' then 300
        when until - drawn <= interval '3 days' and drawn >= p_now - interval '7 days' then 3600
        else 21600 end
    from (select coalesce(p_to, p_now) as until, coalesce(p_from, coalesce(p_to, p_now) - interval '30 days') as drawn) t
$$;

-- error_begin is where the first of these steps begins, of which there are 400 at most; where no time is asked for, a month is drawn.
create function fetchq.error_begin(p_from timestamptz, p_to timestamptz, p_now timestamptz) returns timestamptz
language sql immutable as $$
    select date_bin(width, greatest(coalesce(p_from, until - interval '30 days'), until - width * 400), 'epoch')
    from (select coalesce(p_to, p_now) as until, make_interval(secs => fetchq.error_step(p_from, p_to, p_now)) as width) t
$$;

-- error_top returns the groups of errors of some queues (null: all) that were seen from p_from (null: ever) up to p_to (null: now), as one group
-- for each fingerprint, in an order: errors (the most), last_seen or first_seen (the newest). It looks at 5,000 groups at most, of the queues that failed last;
-- looked is how many these were, and groups how many of them fit.
--
-- errors are those of that time, to the step of fetchq.error_step; without p_from all that there were. So the first step counts as a whole. counts are those of the steps up to now, the oldest first, from begins on. documents is an estimate where it is
-- not exact, and counts those since first_seen, of a subject in two queues both.
create function fetchq.error_top(
    p_queues text[], p_from timestamptz, p_to timestamptz, p_text text, p_version integer, p_fingerprint bigint, p_order text, p_limit integer,
    p_now timestamptz default clock_timestamp()
) returns table (
    fingerprint bigint, queues text[], first_seen timestamptz, last_seen timestamptz, errors bigint, documents bigint, exact boolean, versions integer[],
    pattern text, sample text, step integer, begins timestamptz, counts bigint[], groups bigint, looked bigint)
language plpgsql stable set jit = off as $$
#variable_conflict use_column
declare
    v_most  constant integer := 5000;
    v_until constant timestamptz := coalesce(p_to, p_now);
    v_since constant timestamptz := coalesce(p_from, '-infinity');
    v_step  constant integer := fetchq.error_step(p_from, p_to, p_now);
    v_width constant interval := make_interval(secs => v_step);
    v_first constant timestamptz := fetchq.error_begin(p_from, p_to, p_now);
begin
    return query
        with asked as materialized (
            select e.*
            from (
                select s.queue from fetchq.queue_states s
                where s.last_error_at >= v_since and (p_queues is null or s.queue = any (p_queues))
                order by s.last_error_at desc
            ) s cross join lateral (
                select * from fetchq.error_groups e
                where e.queue = s.queue and (p_fingerprint is null or e.fingerprint = p_fingerprint) offset 0
            ) e
            limit v_most
        ), fit as materialized (
            select a.*, case when p_to is null and (p_from is null or a.first_seen >= p_from) then a.errors else (
                    select sum(c.errors) from fetchq.error_counts c
                    where c.queue = a.queue and c.fingerprint = a.fingerprint and c.step = v_step
                        and c.slot >= coalesce(v_first, '-infinity') and c.slot < v_until) end as n
            from asked a
            where a.last_seen >= v_since and a.first_seen < v_until and (p_version is null or p_version = any (a.versions))
                and (p_text is null or position(lower(p_text) in lower(a.pattern || ' ' || a.sample)) > 0)
        ), merged as materialized (
            select fingerprint, array_agg(queue::text order by n desc, queue) as queues, min(first_seen) as first_seen, max(last_seen) as last_seen,
                sum(n)::bigint as n, sum(fetchq.document_estimate(documents))::bigint as documents,
                bool_and(cardinality(documents) < 128) as exact, (array_agg(pattern order by last_seen desc))[1] as pattern,
                (array_agg(sample order by last_seen desc))[1] as sample
            from fit where n > 0 group by fingerprint
        ), shown as materialized (
            select m.*, row_number() over (order by case p_order when 'last_seen' then extract(epoch from last_seen) when 'first_seen' then
                extract(epoch from first_seen) else n end desc, last_seen desc, fingerprint) as place
            from merged m order by place limit p_limit
        )
        select m.fingerprint, m.queues, m.first_seen, m.last_seen, m.n, m.documents, m.exact,
            array(select distinct v::integer from fit f cross join unnest(f.versions) v where f.fingerprint = m.fingerprint order by 1),
            m.pattern, m.sample, v_step, v_first, array(
                select coalesce(sum(c.errors), 0)::bigint
                from generate_series(v_first, v_until - interval '1 microsecond', v_width) g (slot) left join (
                    select c.slot, c.errors from fetchq.error_counts c
                    where c.queue = any (m.queues) and c.fingerprint = m.fingerprint and c.step = v_step and c.slot >= v_first and c.slot < v_until
                ) c on c.slot = g.slot
                group by g.slot order by g.slot),
            (select count(*) from merged), (select count(*) from asked)
        from shown m order by m.place;
end $$;

-- error_course returns how many errors there were in each step of a time, the oldest first, in all groups of which fetchq.error_top tells: it looks
-- at the same 5,000 at most, and at 400 steps of each.
create function fetchq.error_course(
    p_queues text[], p_from timestamptz, p_to timestamptz, p_text text, p_version integer, p_now timestamptz default clock_timestamp(),
    out step integer, out begins timestamptz, out counts bigint[])
language plpgsql stable set jit = off as $$
declare
    v_most  constant integer := 5000;
    v_until constant timestamptz := coalesce(p_to, p_now);
begin
    step := fetchq.error_step(p_from, p_to, p_now);
    begins := fetchq.error_begin(p_from, p_to, p_now);
    with asked as materialized (
        select e.queue, e.fingerprint, e.last_seen, e.first_seen, e.versions, e.pattern, e.sample
        from (
            select s.queue from fetchq.queue_states s
            where s.last_error_at >= coalesce(p_from, '-infinity') and (p_queues is null or s.queue = any (p_queues))
            order by s.last_error_at desc
        ) s cross join lateral (select * from fetchq.error_groups e where e.queue = s.queue offset 0) e
        limit v_most
    ), slots as materialized (
        select c.slot, sum(c.errors)::bigint as n
        from asked a cross join lateral (
            select c.slot, c.errors from fetchq.error_counts c
            where c.queue = a.queue and c.fingerprint = a.fingerprint and c.step = error_course.step and c.slot >= begins and c.slot < v_until offset 0
        ) c
        where a.last_seen >= begins and a.first_seen < v_until and (p_version is null or p_version = any (a.versions))
            and (p_text is null or position(lower(p_text) in lower(a.pattern || ' ' || a.sample)) > 0)
        group by c.slot
    )
    select array_agg(coalesce(n, 0) order by g.slot) into counts
    from generate_series(begins, v_until - interval '1 microsecond', make_interval(secs => step)) g (slot) left join slots s on s.slot = g.slot;
end $$;

-- error_lately tells of the newest p_looks lines of a group in a queue: how many these were, who wrote them, and about which documents, 20 and
-- p_limit at most, with how often and when last, and how these documents stand (null: gone); and how many of all documents of these lines stand in
-- which state. It goes by the index of fingerprints, as log_visit does.
create function fetchq.error_lately(
    p_queue text, p_fingerprint bigint, p_looks integer default 1000, p_limit integer default 50,
    out looked bigint, out workers text[], out works bigint[], out others bigint, out subjects text[], out times bigint[], out dates timestamptz[],
    out statuses integer[], out documents bigint, out states integer[], out standing bigint[])
language plpgsql stable set enable_seqscan = off set enable_bitmapscan = off set enable_mergejoin = off set jit = off as $$
begin
    perform fetchq.queue_find(p_queue);
    execute format($t$
        with line as materialized (
            select created_at, subject, worker from %1$I.logs where fingerprint between $1 and $1 order by fingerprint desc, created_at desc, id desc limit $2
        ), worker as materialized (
            select worker, count(*) as n, row_number() over (order by count(*) desc, worker) as place from line where worker is not null group by worker
        ), document as materialized (
            select subject, count(*) as n, max(created_at) as last, row_number() over (order by max(created_at) desc, subject) as place
            from line where subject is not null group by subject
        ), stands as materialized (
            select d.*, (select status from %1$I.docs where subject = d.subject limit 1)::integer as status from document d
        ), state as materialized (
            select status, count(*) as n from stands group by status
        )
        select (select count(*) from line),
            (select array_agg(worker order by place) from worker where place <= 20), (select array_agg(n order by place) from worker where place <= 20),
            (select count(*) from worker where place > 20),
            (select array_agg(subject order by place) from stands where place <= $3), (select array_agg(n order by place) from stands where place <= $3),
            (select array_agg(last order by place) from stands where place <= $3), (select array_agg(status order by place) from stands where place <= $3),
            (select count(*) from document), (select array_agg(status order by status) from state), (select array_agg(n order by status) from state) $t$, 'q_' || p_queue)
    into looked, workers, works, others, subjects, times, dates, statuses, documents, states, standing using p_fingerprint, p_looks, p_limit;
end $$;
