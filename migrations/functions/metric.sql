-- Counters: exact reads of one queue. Folding is in maintenance.sql.

-- queue_counters returns the exact counters of a queue by version: folded totals plus what is not folded yet, in one
-- statement and so from one snapshot.
create function fetchq.queue_counters(p_queue text) returns table (
    version integer, planned bigint, pending bigint, active bigint, completed bigint, killed bigint,
    ev_entered bigint, ev_picked bigint, ev_completed bigint, ev_rescheduled bigint, ev_rejected bigint, ev_orphaned bigint,
    ev_killed bigint, ev_dropped bigint, ev_forwarded bigint, ev_errors bigint, ev_logs bigint)
language plpgsql stable as $$
begin
    perform fetchq.queue_find(p_queue);
    return query execute format($t$
        select c.version::integer, sum(c.planned)::bigint, sum(c.pending)::bigint, sum(c.active)::bigint, sum(c.completed)::bigint,
            sum(c.killed)::bigint, sum(c.ev_entered)::bigint, sum(c.ev_picked)::bigint, sum(c.ev_completed)::bigint,
            sum(c.ev_rescheduled)::bigint, sum(c.ev_rejected)::bigint, sum(c.ev_orphaned)::bigint, sum(c.ev_killed)::bigint,
            sum(c.ev_dropped)::bigint, sum(c.ev_forwarded)::bigint, sum(c.ev_errors)::bigint, sum(c.ev_logs)::bigint
        from (
            select version, planned, pending, active, completed, killed, ev_entered, ev_picked, ev_completed, ev_rescheduled,
                ev_rejected, ev_orphaned, ev_killed, ev_dropped, ev_forwarded, ev_errors, ev_logs
            from fetchq.counters where queue = $1
            union all
            select version, planned, pending, active, completed, killed, ev_entered, ev_picked, ev_completed, ev_rescheduled,
                ev_rejected, ev_orphaned, ev_killed, ev_dropped, ev_forwarded, ev_errors, ev_logs
            from %I.deltas
        ) c group by c.version order by c.version $t$, 'q_' || p_queue) using p_queue;
end $$;

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

-- queue_oldest_due returns the date of the document that has been due longest, or null. It hops over the pairs of
-- version and priority of the index docs_due, one probe a pair, 200 pairs at most.
create function fetchq.queue_oldest_due(p_queue text) returns timestamptz
language plpgsql stable as $$
declare
    v timestamptz;
begin
    execute format($t$
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
        select min(next_iteration) from (select next_iteration from pair limit 200) t $t$, 'q_' || p_queue) into v;
    return v;
end $$;
