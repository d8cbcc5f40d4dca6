-- Lists that need more than one range of an index.

-- docs_by_next returns p_limit planned (0) or pending (1) documents behind (p_date, p_seq) in the order of date and seq; with
-- p_back those before it, the nearest first. The indexes of both lead with the version, that of the pending ones also with the
-- priority: each version, and each priority in it, is one range, found by hopping from the first of one to the first of the
-- next, and the ranges are merged.
create function fetchq.docs_by_next(
    p_queue text, p_status integer, p_version integer, p_priority integer, p_date timestamptz, p_seq bigint, p_limit integer,
    p_back boolean default false
) returns table (
    subject text, seq bigint, status smallint, payload jsonb, version smallint, priority smallint, attempts integer, iterations integer,
    next_iteration timestamptz, created_at timestamptz, last_iteration timestamptz, picked_at timestamptz, worker text)
language plpgsql stable set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
    v_hops  constant integer := 200; -- ranges that one list merges
    v_range constant text := case when p_back
        then 'd.next_iteration <= $3 and (d.next_iteration, d.seq) < ($3, $4) order by d.next_iteration desc, d.seq desc limit $5'
        else 'd.next_iteration >= $3 and (d.next_iteration, d.seq) > ($3, $4) order by d.next_iteration, d.seq limit $5' end;
    v_merge constant text := case when p_back
        then 'order by l.next_iteration desc, l.seq desc limit $5'
        else 'order by l.next_iteration, l.seq limit $5' end;
begin
    perform fetchq.queue_find(p_queue);
    if p_status = 0 then
        return query execute format($t$
            with recursive v as (
                (select version from %1$I.docs where status = 0 and ($1 is null or version = $1) order by version limit 1)
                union all
                select (select d.version from %1$I.docs d where d.status = 0 and d.version > v.version and $1 is null order by d.version limit 1)
                from v where v.version is not null
            )
            select l.subject::text, l.seq, l.status, l.payload, l.version, l.priority, l.attempts, l.iterations, l.next_iteration,
                l.created_at, l.last_iteration, l.picked_at, l.worker
            from (select version from v where version is not null limit $6) v cross join lateral (
                select * from %1$I.docs d
                where d.status = 0 and d.version = v.version and ($2 is null or d.priority = $2) and $t$ || v_range || $t$
            ) l $t$ || v_merge, 'q_' || p_queue)
        using p_version::smallint, p_priority::smallint, p_date, p_seq, p_limit, v_hops;
    else
        return query execute format($t$
            with recursive v as (
                (select version, priority from %1$I.docs
                 where status = 1 and ($1 is null or version = $1) and ($2 is null or priority = $2)
                 order by version, priority desc limit 1)
                union all
                select n.version, n.priority from v cross join lateral (
                    (select d.version, d.priority from %1$I.docs d
                     where d.status = 1 and d.version = v.version and d.priority < v.priority and $2 is null
                     order by d.priority desc limit 1)
                    union all
                    (select d.version, d.priority from %1$I.docs d
                     where d.status = 1 and d.version > v.version and $1 is null and ($2 is null or d.priority = $2)
                     order by d.version, d.priority desc limit 1)
                    limit 1) n
            )
            select l.subject::text, l.seq, l.status, l.payload, l.version, l.priority, l.attempts, l.iterations, l.next_iteration,
                l.created_at, l.last_iteration, l.picked_at, l.worker
            from (select * from v limit $6) v cross join lateral (
                select * from %1$I.docs d
                where d.status = 1 and d.version = v.version and d.priority = v.priority and $t$ || v_range || $t$
            ) l $t$ || v_merge, 'q_' || p_queue)
        using p_version::smallint, p_priority::smallint, p_date, p_seq, p_limit, v_hops;
    end if;
end $$;
