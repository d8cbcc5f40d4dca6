-- Jobs: when maintenance runs, and on which node. fetchq.jobs has a row for each queue and kind.

-- job_kinds are the jobs of every queue. All but vacuum are functions of maintenance.sql; vacuum cannot run in one. Nor can index,
-- which only queues have whose limits by key changed; move only those have that go to another tablespace.
create function fetchq.job_kinds() returns text[]
language sql immutable as $$
    select array['mark_due', 'orphans', 'fold', 'expire', 'vacuum']
$$;

-- touch asks for a run of a maintenance job of a queue at p_at, where it would sleep for longer. It reads fetchq.jobs and locks
-- no row of it: the caller's transaction may stay open, and others must be able to claim the job meanwhile.
--
-- The wake is seen when the caller's changes are. A job that runs before that finds nothing, and one that has found nothing
-- for some time then sleeps for 30 seconds; so where that may happen the wake is written although the job runs before
-- p_at. A wake for the same moment or an earlier one is enough: calls on a busy queue write none. A job that fails keeps to
-- its own pace.
create function fetchq.touch(p_queue text, p_kind text, p_at timestamptz) returns void
language plpgsql as $$
begin
    perform from fetchq.jobs
    where queue = p_queue and kind = p_kind and streak >= 0
        and next_run + case when streak > 2 then interval '30 seconds' else interval '0' end > p_at;
    if found then -- looked at by itself, for this is all that most calls do
        insert into fetchq.wakes (queue, kind, at)
        select p_queue, p_kind, p_at
        where not exists (select from fetchq.wakes where queue = p_queue and kind = p_kind and at <= p_at);
    end if;
end $$;

-- job_claim gives a node up to p_limit jobs that are due, or whose node died, and beside these up to p_vacuums vacuums and p_indexes
-- builds of indexes and moves to another tablespace, which may take hours. It takes in the wakes first. It waits for nobody: a job that somebody else holds keeps its wakes.
--
-- It puts off for 30 seconds, all at once, marking and orphans of queues in which nothing happens: the last run of such a job saw all
-- that was folded, its next moment lies ahead, and nothing was written since, for that would have woken the fold.
--
-- A claim lasts for 10 seconds unless job_keep lengthens it. While a job is claimed its next run is infinity, so that a wake
-- that comes meanwhile is seen by job_done, or by the next node where this one dies.
create function fetchq.job_claim(
    p_node text, p_limit integer, p_vacuums integer default 1, p_now timestamptz default clock_timestamp(), p_indexes integer default 1
) returns table (queue text, kind text)
language sql as $$
    with held as materialized (
        select queue, kind from fetchq.jobs where (queue, kind) in (select queue, kind from fetchq.wakes)
        for update skip locked
    ), gone as (
        delete from fetchq.wakes w using held h where w.queue = h.queue and w.kind = h.kind returning w.queue, w.kind, w.at
    )
    update fetchq.jobs j set next_run = g.at
    from (select queue, kind, min(at) as at from gone group by queue, kind) g
    where j.queue = g.queue and j.kind = g.kind and j.next_run > g.at;

    with quiet as materialized (
        select j.queue, j.kind
        from fetchq.jobs j join fetchq.jobs f on f.queue = j.queue and f.kind = 'fold'
        where j.kind in ('mark_due', 'orphans') and j.next_run <= p_now + interval '1 second' and j.claimed_by is null
            and j.streak > 2 and (j.again > p_now + interval '1 second') is not false and j.last_run > p_now - interval '15 minutes'
            and f.streak > 2 and f.claimed_by is null and f.next_run > p_now + interval '1 second'
            and (j.last_run > f.last_found) is not false
            and not exists (select from fetchq.wakes w where w.queue = j.queue)
        for update of j skip locked
    )
    update fetchq.jobs j set next_run = least(j.again, fetchq.job_slot(p_now + interval '30 seconds'))
    from quiet where (j.queue, j.kind) = (quiet.queue, quiet.kind);

    update fetchq.jobs j set claimed_by = p_node, claimed_until = p_now + interval '10 seconds', next_run = 'infinity'
    from (
        select * from (
            select queue, kind from fetchq.jobs
            where kind not in ('vacuum', 'index', 'move') and (next_run <= p_now and claimed_by is null or claimed_until <= p_now)
            order by least(next_run, claimed_until) limit p_limit
            for update skip locked) quick
        union all select * from (
            select queue, kind from fetchq.jobs
            where kind = 'vacuum' and (next_run <= p_now and claimed_by is null or claimed_until <= p_now)
            order by least(next_run, claimed_until) limit p_vacuums
            for update skip locked) slow
        union all select * from (
            select queue, kind from fetchq.jobs
            where kind in ('index', 'move') and (next_run <= p_now and claimed_by is null or claimed_until <= p_now)
            order by least(next_run, claimed_until) limit p_indexes
            for update skip locked) slower
    ) due
    where (j.queue, j.kind) = (due.queue, due.kind)
    returning j.queue, j.kind
$$;

-- job_keep lengthens a node's claims of jobs that it is still working on.
create function fetchq.job_keep(p_node text, p_queues text[], p_kinds text[], p_now timestamptz default clock_timestamp()) returns void
language sql as $$
    update fetchq.jobs j set claimed_until = p_now + interval '10 seconds'
    from (
        select queue, kind from fetchq.jobs
        where (queue, kind) in (select * from unnest(p_queues, p_kinds)) and claimed_by = p_node
        for update skip locked
    ) held
    where (j.queue, j.kind) = (held.queue, held.kind)
$$;

-- job_done writes the outcome of a job, and returns in how many seconds it runs next; null where the claim is over, or where
-- the queue is gone, and with it the job. p_again is when there may be something to do as the job knows; a run that found
-- nothing doubles the time to the next one, up to p_idle; a failure waits 1 s × 2^n, up to 5 minutes.
create function fetchq.job_done(
    p_queue text, p_kind text, p_node text, p_ms float8, p_items bigint, p_error text, p_every interval, p_idle interval,
    p_again timestamptz default null, p_now timestamptz default clock_timestamp()
) returns float8
language sql set lock_timeout = '5s' as $$
    delete from fetchq.jobs where queue = p_queue and kind = p_kind and not exists (select from fetchq.queues where name = p_queue);

    update fetchq.jobs j set
        claimed_by = null, claimed_until = null,
        last_run = p_now, last_ms = p_ms, last_items = p_items,
        last_outcome = case when p_error is null then 'ok' else 'failed' end,
        last_error = coalesce(fetchq.cut_text(p_error, 4000), last_error),
        last_found = case when p_items > 0 then p_now else last_found end,
        again = p_again,
        runs = runs + 1,
        failures = failures + (p_error is not null)::integer,
        failing_since = case when p_error is not null then coalesce(failing_since, p_now) end,
        streak = s.streak,
        next_run = least(j.next_run, p_again, case
            when s.streak < 0 then p_now + least(interval '1 second' * power(2, least(-s.streak, 10) - 1), interval '5 minutes')
            when p_every * power(2, least(s.streak, 20)) >= least(p_idle, '30 seconds') then
                fetchq.job_slot(p_now + least(p_every * power(2, least(s.streak, 20)), p_idle))
            else p_now + p_every * power(2, least(s.streak, 20)) end)
    from (
        select case when p_error is not null then least(streak, 0) - 1 when p_items > 0 then 0 else greatest(streak, -1) + 1 end as streak
        from fetchq.jobs where queue = p_queue and kind = p_kind
    ) s
    where j.queue = p_queue and j.kind = p_kind and j.claimed_by = p_node
    returning extract(epoch from j.next_run - p_now)::float8
$$;

-- job_slot moves the next run of a job that may as well come later or sooner to one of the moments, 5 seconds apart, at which such
-- jobs run together, and spreads them over a fifth of their time.
create function fetchq.job_slot(p_at timestamptz, p_now timestamptz default clock_timestamp()) returns timestamptz
language sql volatile as $$
    select to_timestamp(5 * round(extract(epoch from p_now + (p_at - p_now) * (0.9 + 0.2 * random())) / 5)::float8)
$$;

-- job_next returns in how many seconds there is a job to claim; null where there is none. p_vacuum and p_index false: leaving those out.
create function fetchq.job_next(p_vacuum boolean default true, p_now timestamptz default clock_timestamp(), p_index boolean default true)
returns float8
language sql stable as $$
    select extract(epoch from min(case when j.claimed_by is null then least(j.next_run, w.at) else j.claimed_until end) - p_now)::float8
    from fetchq.jobs j
        left join (select queue, kind, min(at) as at from fetchq.wakes group by queue, kind) w on (w.queue, w.kind) = (j.queue, j.kind)
    where (p_vacuum or j.kind <> 'vacuum') and (p_index or j.kind not in ('index', 'move'))
$$;

-- job_run_now makes a job due. FQ004: there is no such job.
create function fetchq.job_run_now(p_queue text, p_kind text, p_now timestamptz default clock_timestamp()) returns void
language plpgsql as $$
begin
    update fetchq.jobs set next_run = p_now where queue = p_queue and kind = p_kind;
    if not found then
        raise exception using errcode = 'FQ004', column = 'kind', message = 'there is no such job';
    end if;
end $$;
