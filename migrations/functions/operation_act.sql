-- What a batch of an operation does to the documents of one leaf. The table of states holds here as for fetchq.settle, which is for
-- single documents and has a closer look at each: whoever asks for an operation is an admin, who has the last word where a document was
-- to be requeued; a move is a release first, after which it goes on with what was asked for.

-- operation_actor names who asked, as the journal does.
create function fetchq.operation_actor(o fetchq.operations) returns text
language sql immutable as $$
    select case o.asked_as when 'sql' then 'role' else o.asked_as end || ':' || o.asked_by
$$;

-- operation_act does to documents of a leaf what the operation is for, where they still fit when they are locked. It returns how many it
-- changed and left alone, who is locked by others, what of a list of names went wrong and why, what became pending by version and
-- priority, and the first date of what was planned.
create function fetchq.operation_act(
    o fetchq.operations, f fetchq.document_filter, p_leaf text, p_subjects text[], p_now timestamptz,
    out done integer, out left_alone integer, out busy text[], out wrong text[], out details text[],
    out versions integer[], out priorities integer[], out dates timestamptz[], out counts integer[], out planned timestamptz)
language plpgsql as $$
declare
    s constant text := 'q_' || o.queue;
    v_subjects text[];
    v_statuses smallint[];
    v_versions smallint[];
    v_attempts integer[];
    v_same     text[];
    v_out      record;
begin
    done := 0; left_alone := 0; busy := '{}';
    execute format($t$
        select array_agg(subject), array_agg(status), array_agg(version), array_agg(attempts) from (
            select subject, status, version, attempts from %I.%I d
            where d.subject = any ($3) and $t$ || fetchq.operation_condition() || $t$
            order by subject
            for update skip locked
        ) held $t$, s, p_leaf)
    into v_subjects, v_statuses, v_versions, v_attempts using f, o, p_subjects;
    if cardinality(v_subjects) is distinct from cardinality(p_subjects) then
        -- Who is missing was locked, or does not fit by now. A later snapshot than that of the lock tells which.
        execute format($t$
            with missing as materialized (
                select u.subject, d.subject is not null and $t$ || fetchq.operation_condition() || $t$ as fits,
                    case when ($2).filter is not null or ($2).undoes is not null then null
                        when d.subject is null then 'there is no such document'
                        when d.created_at > ($2).started_at then 'the document entered the queue after the operation began'
                        when ($2).action = 'retry' then 'retry is for killed documents'
                        when ($2).action = 'run_now' then 'the document is held by a worker; release it first'
                    end as detail
                from unnest($3) u (subject) left join lateral (select * from %I.%I where subject = u.subject limit 1) d on true
                where u.subject <> all ($4)
            )
            select coalesce(array_agg(subject order by subject) filter (where fits), '{}'),
                count(*) filter (where not fits and detail is null),
                array_agg(subject order by subject) filter (where not fits and detail is not null),
                array_agg(detail order by subject) filter (where not fits and detail is not null)
            from missing $t$, s, p_leaf)
        into busy, left_alone, wrong, details using f, o, p_subjects, coalesce(v_subjects, '{}');
    end if;
    if v_subjects is not null and o.undoes is not null then
        v_same := fetchq.operation_unchanged(o, p_leaf, v_subjects);
        left_alone := left_alone + cardinality(v_subjects) - coalesce(cardinality(v_same), 0);
        v_subjects := v_same;
    end if;
    if v_subjects is null then
        return;
    elsif o.to_queue is not null then
        v_out := fetchq.operation_move(o, p_leaf, v_subjects, p_now);
        perform fetchq.operation_keep(o, p_leaf, array(select unnest(v_subjects) except select unnest(v_out.taken)), v_out.lease);
        wrong := wrong || v_out.taken;
        details := details || array_fill('the subject is taken in to_queue'::text, array[cardinality(v_out.taken)]);
    elsif o.action = 'drop' then
        v_out := fetchq.operation_drop(o, p_leaf, v_subjects, p_now);
    elsif o.undoes is not null then
        v_out := fetchq.operation_revert(o, p_leaf, v_subjects, p_now);
    else
        perform fetchq.operation_keep(o, p_leaf, v_subjects);
        v_out := fetchq.operation_change(o, p_leaf, v_subjects, v_statuses, v_versions, v_attempts, p_now);
    end if;
    done := v_out.done;
    versions := v_out.versions; priorities := v_out.priorities; dates := v_out.dates; counts := v_out.counts; planned := v_out.planned;
end $$;

-- operation_change gives documents that are locked their new state; p_statuses, p_versions and p_attempts are the old ones.
create function fetchq.operation_change(
    o fetchq.operations, p_leaf text, p_subjects text[], p_statuses smallint[], p_versions smallint[], p_attempts integer[], p_now timestamptz,
    out done integer, out versions integer[], out priorities integer[], out dates timestamptz[], out counts integer[], out planned timestamptz)
language plpgsql as $$
declare
    q fetchq.queues := fetchq.queue_find(o.queue);
    v_edit   constant boolean := o.action = 'set_priority';
    v_status constant text := case o.action when 'complete' then '3' when 'kill' then '-1' when 'reschedule' then '(($1).next_iteration <= $2)::integer'
        when 'set_priority' then 'case when o.status in (0, 1) then (d.next_iteration <= $2)::integer else o.status end' else '1' end;
    v_date constant text := case o.action when 'reschedule' then '($1).next_iteration' when 'set_priority' then 'd.next_iteration' else '$2' end;
begin
    execute format($t$
        with old as materialized (
            select * from unnest($3, $4, $5, $6) with ordinality u (subject, status, version, attempts, ord)
        ), changed as (
            update %1$I.%2$I d set
                status = $t$ || v_status || ', next_iteration = ' || v_date || $t$,
                attempts = case when $7 or ($1).action = 'kill' then d.attempts else 0 end,
                iterations = d.iterations + (($1).action in ('complete', 'reschedule', 'kill'))::integer,
                last_iteration = case when ($1).action in ('complete', 'reschedule', 'kill') then $2 else d.last_iteration end,
                lease = d.lease + (not $7 or o.status <> 2)::integer,
                ended = 0,
                payload = case when $7 then d.payload else coalesce(d.requeue -> 'payload', d.payload) end,
                size = case when $7 or not d.requeue ? 'payload' or d.requeue is null then d.size else pg_column_size(d.requeue -> 'payload') end,
                version = case when $7 then d.version else coalesce((d.requeue -> 'version')::integer, d.version) end,
                priority = coalesce(($1).priority, case when not $7 then (d.requeue -> 'priority')::integer end, d.priority),
                requeue = case when $7 then d.requeue end
            from old o where d.subject = o.subject
            returning o.ord, o.status as was, o.version as was_version, o.attempts, d.subject, d.status, d.version, d.priority, d.next_iteration,
                d.lease, d.picked_at, d.worker
        ), logged as (
            insert into %1$I.logs (created_at, kind, attempt, subject, message, ref_id)
            select $2, 0, attempts, subject, ($1).message, ($1).id::text from old where ($1).message is not null
        ), counted as (
            insert into %1$I.deltas (version, planned, pending, active, completed, killed, ev_completed, ev_rescheduled, ev_killed, ev_logs)
            select version, sum((status = 0)::integer * n), sum((status = 1)::integer * n), sum((status = 2)::integer * n), sum((status = 3)::integer * n),
                sum((status = -1)::integer * n), count(*) filter (where n = -1 and ($1).action = 'complete'),
                count(*) filter (where n = -1 and ($1).action = 'reschedule'), count(*) filter (where n = -1 and ($1).action = 'kill'),
                count(*) filter (where n = -1 and ($1).message is not null)
            from (select was_version as version, was as status, -1 as n from changed union all select version, status, 1 from changed) c
            group by version
        ), made as (
            select version, priority, min(next_iteration) as date, count(*) as n from changed where status = 1 group by version, priority
        )%3$s
        select (select count(*) from changed), (select min(next_iteration) from changed where status = 0),
            array_agg(version::integer), array_agg(priority::integer), array_agg(date), array_agg(n::integer)
        from made $t$, 'q_' || o.queue, p_leaf, case when q.journal <> 'off' then fetchq.journal_text(q, $t$
            select ord, case when $7 then 'edit' else ($1).action end, true, was, status, attempts, lease, next_iteration,
                case when was = 2 and not $7 then fetchq.micros_between(picked_at, $2) end, subject, case when was = 2 then worker end,
                fetchq.operation_actor($1)
            from changed $t$, '$2') end)
    into done, planned, versions, priorities, dates, counts using o, p_now, p_subjects, p_statuses, p_versions, p_attempts, v_edit;
end $$;

-- operation_drop removes documents that are locked.
create function fetchq.operation_drop(
    o fetchq.operations, p_leaf text, p_subjects text[], p_now timestamptz,
    out done integer, out versions integer[], out priorities integer[], out dates timestamptz[], out counts integer[], out planned timestamptz)
language plpgsql as $$
declare
    q fetchq.queues := fetchq.queue_find(o.queue);
begin
    execute format($t$
        with gone as (
            delete from %1$I.%2$I d using unnest($3) with ordinality u (subject, ord) where d.subject = u.subject
            returning u.ord, d.subject, d.status, d.version, d.attempts, d.lease, d.picked_at, d.worker
        ), logged as (
            insert into %1$I.logs (created_at, kind, attempt, subject, message, ref_id)
            select $2, 0, attempts, subject, ($1).message, ($1).id::text from gone where ($1).message is not null
        ), counted as (
            insert into %1$I.deltas (version, planned, pending, active, completed, killed, ev_dropped, ev_forwarded, ev_logs)
            select version, -count(*) filter (where status = 0), -count(*) filter (where status = 1), -count(*) filter (where status = 2),
                -count(*) filter (where status = 3), -count(*) filter (where status = -1),
                count(*) filter (where ($1).action = 'drop'), count(*) filter (where ($1).to_queue is not null), count(*) filter (where ($1).message is not null)
            from gone group by version
        )%3$s
        select count(*) from gone $t$, 'q_' || o.queue, p_leaf, case when q.journal <> 'off' then fetchq.journal_text(q, $t$
            select ord, ($1).action, true, status, null::smallint, attempts, lease, null::timestamptz,
                case when status = 2 then fetchq.micros_between(picked_at, $2) end, subject, case when status = 2 then worker end,
                fetchq.operation_actor($1)
            from gone $t$, '$2') end)
    into done using o, p_now, p_subjects;
end $$;

-- operation_move takes documents that are locked over into to_queue, as they are: with state, date, attempts and the times of what happened to
-- them. One that a worker holds is released first. Where a subject is taken there the document stays here.
create function fetchq.operation_move(
    o fetchq.operations, p_leaf text, p_subjects text[], p_now timestamptz,
    out done integer, out taken text[], out lease bigint, out versions integer[], out priorities integer[], out dates timestamptz[], out counts integer[],
    out planned timestamptz)
language plpgsql as $$
declare
    q fetchq.queues := fetchq.queue_find(o.to_queue);
    d       fetchq.moved;
    v_moved text[];
begin
    lease := fetchq.micros();
    -- No statement reads one queue and writes another: they may stand on different nodes.
    execute format($t$
        select array_agg(subject), array_agg(coalesce(requeue -> 'payload', payload)),
            array_agg(case when requeue ? 'payload' then pg_column_size(requeue -> 'payload') else size end),
            array_agg(coalesce((requeue -> 'version')::integer, version)), array_agg(coalesce((requeue -> 'priority')::integer, priority)),
            array_agg(attempts), array_agg(iterations), array_agg(status),
            array_agg(case when status = 2 then (requeue ->> 'date')::timestamptz else next_iteration end), array_agg(created_at),
            array_agg(last_iteration), array_agg(picked_at), array_agg(worker)
        from (select * from %I.%I where subject = any ($1) order by subject) t $t$, 'q_' || o.queue, p_leaf)
    into d using p_subjects;
    execute format($t$
        with block as materialized (
            select nextval('%1$I.seq') as first
        ), made as (
            insert into %1$I.docs (subject, payload, size, version, priority, attempts, iterations, status, next_iteration, created_at,
                last_iteration, picked_at, worker, seq, lease)
            select subject, payload, size, version, priority, case when status = 2 then greatest(attempts - 1, 0) else attempts end, iterations,
                case when status in (0, 1, 2) then (coalesce(next_iteration, $2) <= $2)::integer else status end,
                coalesce(next_iteration, $2), created_at, last_iteration, picked_at, worker, block.first + ord, $3
            from unnest(($1).subjects, ($1).payloads, ($1).sizes, ($1).versions, ($1).priorities, ($1).attempts, ($1).iterations,
                    ($1).statuses, ($1).dates, ($1).created, ($1).last, ($1).picked, ($1).workers) with ordinality
                    u (subject, payload, size, version, priority, attempts, iterations, status, next_iteration, created_at, last_iteration,
                        picked_at, worker, ord)
                cross join block
            order by subject
            on conflict (subject) do nothing
            returning subject, status, version, priority, next_iteration, attempts, lease
        ), counted as (
            insert into %1$I.deltas (version, planned, pending, completed, killed, ev_entered)
            select version, count(*) filter (where status = 0), count(*) filter (where status = 1), count(*) filter (where status = 3),
                count(*) filter (where status = -1), count(*)
            from made group by version
        ), ready as (
            select version, priority, min(next_iteration) as date, count(*) as n from made where status = 1 group by version, priority
        )%2$s
        select (select coalesce(array_agg(subject order by subject), '{}') from made), (select min(next_iteration) from made where status = 0),
            array_agg(version::integer), array_agg(priority::integer), array_agg(date), array_agg(n::integer)
        from ready $t$, 'q_' || o.to_queue, case when q.journal <> 'off' then fetchq.journal_text(q, $t$
            select row_number() over (order by subject), 'move', true, null::smallint, status, attempts, lease, next_iteration, null::bigint, subject,
                null::text, fetchq.operation_actor($4)
            from made $t$, '$2') end)
    into v_moved, planned, versions, priorities, dates, counts using d, p_now, lease, o;
    taken := array(select unnest(d.subjects) except select unnest(v_moved) order by 1);
    done := (fetchq.operation_drop(o, p_leaf, v_moved, p_now)).done;
end $$;
