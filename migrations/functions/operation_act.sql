-- What a batch of an operation does to the documents of one leaf. The table of states holds here as for fetchq.settle, which is for
-- single documents and has a closer look at each.

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
                    case when ($2).filter is not null then null
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
    if v_subjects is null then
        return;
    elsif o.action = 'move' then
        v_out := fetchq.operation_move(o, p_leaf, v_subjects, p_now);
        wrong := wrong || v_out.taken;
        details := details || array_fill('the subject is taken in to_queue'::text, array[cardinality(v_out.taken)]);
    elsif o.action = 'drop' then
        v_out := fetchq.operation_drop(o, p_leaf, v_subjects, p_now);
    else
        v_out := fetchq.operation_change(o, p_leaf, v_subjects, v_statuses, v_attempts, p_now);
    end if;
    done := v_out.done;
    versions := v_out.versions; priorities := v_out.priorities; dates := v_out.dates; counts := v_out.counts; planned := v_out.planned;
end $$;

-- operation_change gives documents that are locked their new state; p_statuses are the old ones.
create function fetchq.operation_change(
    o fetchq.operations, p_leaf text, p_subjects text[], p_statuses smallint[], p_attempts integer[], p_now timestamptz,
    out done integer, out versions integer[], out priorities integer[], out dates timestamptz[], out counts integer[], out planned timestamptz)
language plpgsql as $$
declare
    v_status constant text := case o.action when 'complete' then '3' when 'kill' then '-1' when 'reschedule' then '(($1).next_iteration <= $2)::integer'
        when 'set_priority' then 'case when o.status in (0, 1) then (d.next_iteration <= $2)::integer else o.status end' else '1' end;
    v_date constant text := case o.action when 'reschedule' then '($1).next_iteration' when 'set_priority' then 'd.next_iteration' else '$2' end;
begin
    execute format($t$
        with old as materialized (
            select * from unnest($3, $4, $5) u (subject, status, attempts)
        ), changed as (
            update %1$I.%2$I d set
                status = $t$ || v_status || ', next_iteration = ' || v_date || $t$,
                attempts = case when ($1).action in ('kill', 'set_priority') then d.attempts else 0 end,
                iterations = d.iterations + (($1).action in ('complete', 'reschedule', 'kill'))::integer,
                last_iteration = case when ($1).action in ('complete', 'reschedule', 'kill') then $2 else d.last_iteration end,
                lease = d.lease + (($1).action <> 'set_priority' or o.status <> 2)::integer,
                ended = 0,
                priority = coalesce(($1).priority, d.priority)
            from old o where d.subject = o.subject
            returning o.status as was, d.status, d.version, d.priority, d.next_iteration
        ), logged as (
            insert into %1$I.logs (created_at, kind, attempt, subject, message, ref_id)
            select $2, 0, attempts, subject, ($1).message, ($1).id::text from old where ($1).message is not null
        ), counted as (
            insert into %1$I.deltas (version, planned, pending, active, completed, killed, ev_completed, ev_rescheduled, ev_killed, ev_logs)
            select version,
                count(*) filter (where status = 0) - count(*) filter (where was = 0), count(*) filter (where status = 1) - count(*) filter (where was = 1),
                count(*) filter (where status = 2) - count(*) filter (where was = 2), count(*) filter (where status = 3) - count(*) filter (where was = 3),
                count(*) filter (where status = -1) - count(*) filter (where was = -1),
                count(*) filter (where ($1).action = 'complete'), count(*) filter (where ($1).action = 'reschedule'),
                count(*) filter (where ($1).action = 'kill'), count(*) filter (where ($1).message is not null)
            from changed group by version
        ), made as (
            select version, priority, min(next_iteration) as date, count(*) as n from changed where status = 1 group by version, priority
        )
        select (select count(*) from changed), (select min(next_iteration) from changed where status = 0),
            array_agg(version::integer), array_agg(priority::integer), array_agg(date), array_agg(n::integer)
        from made $t$, 'q_' || o.queue, p_leaf)
    into done, planned, versions, priorities, dates, counts using o, p_now, p_subjects, p_statuses, p_attempts;
end $$;

-- operation_drop removes documents that are locked.
create function fetchq.operation_drop(
    o fetchq.operations, p_leaf text, p_subjects text[], p_now timestamptz,
    out done integer, out versions integer[], out priorities integer[], out dates timestamptz[], out counts integer[], out planned timestamptz)
language plpgsql as $$
begin
    execute format($t$
        with gone as (
            delete from %1$I.%2$I d using unnest($3) u (subject) where d.subject = u.subject
            returning d.subject, d.status, d.version, d.attempts
        ), logged as (
            insert into %1$I.logs (created_at, kind, attempt, subject, message, ref_id)
            select $2, 0, attempts, subject, ($1).message, ($1).id::text from gone where ($1).message is not null
        ), counted as (
            insert into %1$I.deltas (version, planned, pending, active, completed, killed, ev_dropped, ev_forwarded, ev_logs)
            select version, -count(*) filter (where status = 0), -count(*) filter (where status = 1), -count(*) filter (where status = 2),
                -count(*) filter (where status = 3), -count(*) filter (where status = -1),
                count(*) filter (where ($1).action = 'drop'), count(*) filter (where ($1).action = 'move'), count(*) filter (where ($1).message is not null)
            from gone group by version
        )
        select count(*) from gone $t$, 'q_' || o.queue, p_leaf)
    into done using o, p_now, p_subjects;
end $$;

-- operation_move takes documents that are locked over into to_queue, as they are: with state, date, attempts and the times of what happened to
-- them. One that a worker holds is released first. Where a subject is taken there the document stays here.
create function fetchq.operation_move(
    o fetchq.operations, p_leaf text, p_subjects text[], p_now timestamptz,
    out done integer, out taken text[], out versions integer[], out priorities integer[], out dates timestamptz[], out counts integer[],
    out planned timestamptz)
language plpgsql as $$
declare
    d       fetchq.moved;
    v_moved text[];
begin
    -- No statement reads one queue and writes another: they may stand on different nodes.
    execute format($t$
        select array_agg(subject), array_agg(payload), array_agg(size), array_agg(version), array_agg(priority), array_agg(attempts),
            array_agg(iterations), array_agg(status), array_agg(next_iteration), array_agg(created_at), array_agg(last_iteration),
            array_agg(picked_at), array_agg(worker)
        from (select * from %I.%I where subject = any ($1) order by subject) t $t$, 'q_' || o.queue, p_leaf)
    into d using p_subjects;
    execute format($t$
        with block as materialized (
            select nextval('%1$I.seq') as first
        ), made as (
            insert into %1$I.docs (subject, payload, size, version, priority, attempts, iterations, status, next_iteration, created_at,
                last_iteration, picked_at, worker, seq, lease)
            select subject, payload, size, version, priority, case when status = 2 then greatest(attempts - 1, 0) else attempts end, iterations,
                case when status in (0, 1, 2) then (status = 2 or next_iteration <= $2)::integer else status end,
                case when status = 2 then $2 else next_iteration end, created_at, last_iteration, picked_at, worker, block.first + ord, $3
            from unnest(($1).subjects, ($1).payloads, ($1).sizes, ($1).versions, ($1).priorities, ($1).attempts, ($1).iterations,
                    ($1).statuses, ($1).dates, ($1).created, ($1).last, ($1).picked, ($1).workers) with ordinality
                    u (subject, payload, size, version, priority, attempts, iterations, status, next_iteration, created_at, last_iteration,
                        picked_at, worker, ord)
                cross join block
            order by subject
            on conflict (subject) do nothing
            returning subject, status, version, priority, next_iteration
        ), counted as (
            insert into %1$I.deltas (version, planned, pending, completed, killed, ev_entered)
            select version, count(*) filter (where status = 0), count(*) filter (where status = 1), count(*) filter (where status = 3),
                count(*) filter (where status = -1), count(*)
            from made group by version
        ), ready as (
            select version, priority, min(next_iteration) as date, count(*) as n from made where status = 1 group by version, priority
        )
        select (select coalesce(array_agg(subject order by subject), '{}') from made), (select min(next_iteration) from made where status = 0),
            array_agg(version::integer), array_agg(priority::integer), array_agg(date), array_agg(n::integer)
        from ready $t$, 'q_' || o.to_queue)
    into v_moved, planned, versions, priorities, dates, counts using d, p_now, fetchq.micros();
    taken := array(select unnest(d.subjects) except select unnest(v_moved) order by 1);
    done := (fetchq.operation_drop(o, p_leaf, v_moved, p_now)).done;
end $$;
