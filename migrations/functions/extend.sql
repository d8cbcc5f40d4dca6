-- Extend: a worker holds a document for longer.

-- doc_extend_many moves the end of live leases to now + p_lock (null: the queue's lock), and answers one row for each in
-- their order: ok, stale, not_found; worker is who holds it, where it is ok. p_progress is written to the log of each document as a
-- note. Where the queue, or the document's version, is paused at once, its lease is about to end and is stale here.
create function fetchq.doc_extend_many(
    p_queue    text,
    p_subjects text[],
    p_leases   bigint[],
    p_lock     interval    default null,
    p_progress text        default null,
    p_now      timestamptz default clock_timestamp(),
    p_by       text[]      default null
) returns table (ord integer, subject text, outcome text, detail text, lease_expires_at timestamptz, version integer, worker text)
language plpgsql set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
#variable_conflict use_column
declare
    q fetchq.queues := fetchq.queue_find(p_queue);
    n constant integer := coalesce(cardinality(p_subjects), 0);
    v_lock constant interval := coalesce(p_lock, q.lock);
    v_held text[];
    v_over integer[]; -- versions that are paused at once; null is all
begin
    if n = 0 then
        return;
    elsif n > 10000 then
        perform fetchq.refuse('leases', format('the call has %s leases; 10000 are allowed', n));
    elsif cardinality(p_leases) is distinct from n then
        perform fetchq.refuse('leases', 'the arrays differ in length');
    elsif v_lock not between interval '1 second' and interval '24 hours' then
        perform fetchq.refuse('lock', format('lock is %s; 1 second to 24 hours are allowed', v_lock));
    end if;
    if q.paused or q.version_pauses is not null then
        v_over := array(select p.version from fetchq.pauses(q, p_now) p where p.kind = 'at_once');
    end if;
    v_held := fetchq.lock_docs(q, p_subjects);
    return query execute format($t$
        with item as materialized (
            select ord::integer, subject, lease from unnest($1, $2) with ordinality u (subject, lease, ord)
        ), held as materialized (
            select u.subject, d.*
            from unnest($6) u (subject)
                cross join lateral (
                    select lease as d_lease, status, next_iteration, attempts, worker, version from %1$I.docs
                    where subject = u.subject limit 1
                ) d
        ), judged as materialized (
            select i.*, h.attempts, h.worker, h.version, row_number() over (partition by i.subject order by i.ord) as nth, case
                when h.subject is null then 'not_found'
                when array_position($7, null) is not null or h.version = any ($7) then 'stale'
                when h.d_lease = i.lease and h.status = 2 and h.next_iteration > $4 then 'ok'
                else 'stale' end as outcome
            from item i left join held h on h.subject = i.subject
        ), changed as (
            update %1$I.docs d set next_iteration = $4 + $3
            from (select subject, min(ord) as ord from judged where outcome = 'ok' group by subject) j where d.subject = j.subject
            returning j.ord, d.subject, d.attempts, d.lease, d.next_iteration, d.worker
        ), logged as (
            insert into %1$I.logs (created_at, kind, attempt, subject, message, worker)
            select distinct on (subject) $4, 0, attempts, subject, fetchq.cut_text($5, 10240), worker
            from judged where outcome = 'ok' and $5 is not null
            returning subject
        ), counted as (
            insert into %1$I.deltas (version, ev_logs)
            select version, count(*) from (
                select distinct subject, version from judged where outcome = 'ok' and $5 is not null) t group by version
        )%2$s
        select ord, subject, outcome, null::text, case when outcome = 'ok' then $4 + $3 end, version::integer,
            case when outcome = 'ok' then worker end
        from judged order by ord $t$,
        'q_' || p_queue, case when q.journal = 'all' then fetchq.journal_text(q, $t$
            select ord, 'extend', false, 2, 2, attempts, lease, next_iteration, null::bigint, subject, worker, coalesce($8[ord], $8[1])
            from changed $t$, '$4') end)
    using p_subjects, p_leases, v_lock, p_now, p_progress, v_held, v_over, fetchq.actors(p_by);
    perform fetchq.touch(p_queue, 'orphans', p_now + v_lock);
    if p_progress is not null then
        perform fetchq.touch(p_queue, 'fold', p_now + interval '1 second');
    end if;
end $$;
