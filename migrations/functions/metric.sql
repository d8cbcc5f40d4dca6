-- Counters: exact reads of one queue. Folding is in maintenance.sql.

-- queue_counters returns the exact counters of a queue by version: folded totals plus what is not folded yet, in one
-- statement and so from one snapshot.
create function fetchq.queue_counters(p_queue text) returns table (
    version integer, planned bigint, pending bigint, active bigint, completed bigint, killed bigint,
    ev_entered bigint, ev_picked bigint, ev_completed bigint, ev_rescheduled bigint, ev_rejected bigint, ev_orphaned bigint,
    ev_killed bigint, ev_dropped bigint, ev_forwarded bigint, ev_errors bigint, ev_logs bigint)
language plpgsql stable set jit = off as $$
begin
    perform fetchq.queue_find(p_queue);
    return query execute format('select * from %I.counted()', 'q_' || p_queue);
end $$;

-- counted_text is the function counted of a queue, which does that: it has no parameter, so that a connection plans it once.
create function fetchq.counted_text(s text) returns text
language sql immutable as $f$
    select format($t$
create or replace function %1$I.counted() returns table (
    version integer, planned bigint, pending bigint, active bigint, completed bigint, killed bigint,
    ev_entered bigint, ev_picked bigint, ev_completed bigint, ev_rescheduled bigint, ev_rejected bigint, ev_orphaned bigint,
    ev_killed bigint, ev_dropped bigint, ev_forwarded bigint, ev_errors bigint, ev_logs bigint)
language plpgsql stable as $$
begin
    return query
        select c.version::integer, sum(c.planned)::bigint, sum(c.pending)::bigint, sum(c.active)::bigint, sum(c.completed)::bigint,
            sum(c.killed)::bigint, sum(c.ev_entered)::bigint, sum(c.ev_picked)::bigint, sum(c.ev_completed)::bigint,
            sum(c.ev_rescheduled)::bigint, sum(c.ev_rejected)::bigint, sum(c.ev_orphaned)::bigint, sum(c.ev_killed)::bigint,
            sum(c.ev_dropped)::bigint, sum(c.ev_forwarded)::bigint, sum(c.ev_errors)::bigint, sum(c.ev_logs)::bigint
        from (
            select f.version, f.planned, f.pending, f.active, f.completed, f.killed, f.ev_entered, f.ev_picked, f.ev_completed,
                f.ev_rescheduled, f.ev_rejected, f.ev_orphaned, f.ev_killed, f.ev_dropped, f.ev_forwarded, f.ev_errors, f.ev_logs
            from fetchq.counters f where f.queue = %2$L
            union all
            select d.version, d.planned, d.pending, d.active, d.completed, d.killed, d.ev_entered, d.ev_picked, d.ev_completed,
                d.ev_rescheduled, d.ev_rejected, d.ev_orphaned, d.ev_killed, d.ev_dropped, d.ev_forwarded, d.ev_errors, d.ev_logs
            from %1$I.deltas d
        ) c group by c.version order by c.version;
end $$ $t$, s, substr(s, 3))
$f$;

-- metric_get returns one core metric of a queue (docs_pending, entered, …), or all of them by name.
create function fetchq.metric_get(p_queue text, p_metric text) returns bigint
language plpgsql stable as $$
declare
    v bigint;
begin
    select value into v from fetchq.metric_get(p_queue) where metric = p_metric;
    if not found then
        raise exception using errcode = 'FQ004', column = 'metric', message = 'there is no such metric';
    end if;
    return v;
end $$;

create function fetchq.metric_get(p_queue text) returns table (metric text, value bigint)
language sql stable as $$
    select m.metric, m.value
    from (
        select coalesce(sum(planned), 0) p0, coalesce(sum(pending), 0) p1, coalesce(sum(active), 0) p2,
            coalesce(sum(completed), 0) p3, coalesce(sum(killed), 0) p4, coalesce(sum(ev_entered), 0) e1,
            coalesce(sum(ev_picked), 0) e2, coalesce(sum(ev_completed), 0) e3, coalesce(sum(ev_rescheduled), 0) e4,
            coalesce(sum(ev_rejected), 0) e5, coalesce(sum(ev_orphaned), 0) e6, coalesce(sum(ev_killed), 0) e7,
            coalesce(sum(ev_dropped), 0) e8, coalesce(sum(ev_forwarded), 0) e9, coalesce(sum(ev_errors), 0) e10,
            coalesce(sum(ev_logs), 0) e11
        from fetchq.queue_counters(p_queue)
    ) t cross join lateral (values
        ('docs_planned', p0::bigint), ('docs_pending', p1::bigint), ('docs_active', p2::bigint), ('docs_completed', p3::bigint),
        ('docs_killed', p4::bigint), ('entered', e1::bigint), ('picked', e2::bigint), ('completed', e3::bigint),
        ('rescheduled', e4::bigint), ('rejected', e5::bigint), ('orphaned', e6::bigint), ('killed', e7::bigint),
        ('dropped', e8::bigint), ('forwarded', e9::bigint), ('errors', e10::bigint), ('logs', e11::bigint), ('processed', (e3 + e4 + e5 + e8 + e9)::bigint)) m (metric, value)
$$;

-- queue_oldest_due returns the date of the document that has been due longest, or null.
create function fetchq.queue_oldest_due(p_queue text) returns timestamptz
language plpgsql stable set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
    v timestamptz;
begin
    execute format('select %I.oldest_due()', 'q_' || p_queue) into v;
    return v;
end $$;

-- oldest_due_query is its query. It hops over the pairs of version and priority of the index docs_due, one probe a pair, 200 pairs at most.
create function fetchq.oldest_due_query(s text) returns text
language sql immutable as $f$
    select format($t$
        with recursive pair as (
            (select version, priority, next_iteration from %1$I.docs where status = 1
             order by version, priority desc, next_iteration limit 1)
            union all
            select n.version, n.priority, n.next_iteration from pair p cross join lateral (
                (select version, priority, next_iteration from %1$I.docs
                 where status = 1 and version = p.version and priority < p.priority
                 order by priority desc, next_iteration limit 1)
                union all
                (select version, priority, next_iteration from %1$I.docs where status = 1 and version > p.version
                 order by version, priority desc, next_iteration limit 1)
                limit 1) n
        )
        select min(next_iteration) from (select next_iteration from pair limit 200) t $t$, s)
$f$;

-- oldest_due_text is the function oldest_due of a queue, which does that: it has no parameter, so that a connection plans it once.
create function fetchq.oldest_due_text(s text) returns text
language sql immutable as $f$
    select format($t$
create or replace function %I.oldest_due() returns timestamptz
language plpgsql stable as $$
begin
    return (%s);
end $$ $t$, s, fetchq.oldest_due_query(s))
$f$;
