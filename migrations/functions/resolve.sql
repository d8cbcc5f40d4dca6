-- Resolve, and what an admin does to a document: one function settles both.

-- doc_resolve_many ends up to 10,000 leases and returns one row for each item, in their order. Actions: complete,
-- reschedule, reject, kill, drop, forward. A null in an array, or a null array, leaves that field of the document as it
-- is. One bad item never spoils the others: it answers invalid, and says why in detail.
-- Outcomes: ok, already, stale, not_found, exists (forward), invalid.
create function fetchq.doc_resolve_many(
    p_queue      text,
    p_subjects   text[],
    p_leases     bigint[],
    p_actions    text[],
    p_dates      timestamptz[] default null,
    p_delays     interval[]    default null,
    p_payloads   jsonb[]       default null,
    p_priorities integer[]     default null,
    p_versions   integer[]     default null,
    p_messages   text[]        default null,
    p_details    jsonb[]       default null,
    p_ref_ids    text[]        default null,
    p_retries    boolean[]     default null,
    p_to_queues  text[]        default null,
    p_thens      text[]        default null,
    p_now        timestamptz   default clock_timestamp(),
    p_by         text[]        default null
) returns setof fetchq.result
language plpgsql
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
set plan_cache_mode = force_generic_plan as $$
declare
    q      constant fetchq.queues := fetchq.queue_find(p_queue);
    n      constant integer := cardinality(p_subjects);
    v_rows fetchq.result[] := '{}';
    v_next timestamptz;
    v_ords integer[]; -- of the items that are not settled
    v_look boolean;
begin
    -- Of two drops of one subject the second is judged by what the first found, which a look afterwards cannot tell.
    if n between 1 and 10000 and (p_actions <@ array['complete', 'reschedule']
            or p_actions <@ array['drop'] and (select count(distinct s collate "C") from unnest(p_subjects) s) = n)
        and p_versions is null and p_messages is null and p_details is null and p_ref_ids is null and p_retries is null and p_to_queues is null and p_thens is null
        and cardinality(p_leases) = n and cardinality(p_actions) = n and (cardinality(p_dates) = n) is not false
        and (cardinality(p_delays) = n) is not false and (cardinality(p_payloads) = n) is not false
        and (cardinality(p_priorities) = n) is not false then
        v_rows := fetchq.settle_plain(q, p_subjects, p_leases, p_actions, p_dates, p_delays, p_payloads, p_priorities, p_now, p_by);
    end if;
    if cardinality(v_rows) > 0 then
        if 'reschedule' = any (p_actions) then
            select min(r.next_iteration) into v_next from unnest(v_rows) r where r.status = 0;
            if v_next is not null then
                perform fetchq.touch(p_queue, 'mark_due', v_next);
            end if;
        end if;
        perform fetchq.touch(p_queue, 'fold', p_now + interval '1 second');
    end if;
    if cardinality(v_rows) = n then
        return query select * from unnest(v_rows);
        return;
    elsif v_rows = '{}' then
        return query select * from fetchq.settle(p_queue, false, p_subjects, p_leases, p_actions, p_dates, p_delays, p_payloads, p_priorities,
            p_versions, p_messages, p_details, p_ref_ids, p_retries, p_to_queues, p_thens, p_now, false, p_by);
        return;
    end if;
    -- First a look at the others, then those are settled that are to be requeued.
    foreach v_look in array array[true, false] loop
        v_ords := array(select i from generate_series(1, n) i except select r.ord from unnest(v_rows) r order by 1);
        exit when v_ords = '{}';
        v_rows := v_rows || array(
            select (v_ords[r.ord], r.subject, r.outcome, r.detail, r.status, r.version, r.priority, r.next_iteration)::fetchq.result
            from fetchq.settle(p_queue, false, fetchq.at(p_subjects, v_ords), fetchq.at(p_leases, v_ords), fetchq.at(p_actions, v_ords),
                fetchq.at(p_dates, v_ords), fetchq.at(p_delays, v_ords), fetchq.at(p_payloads, v_ords), fetchq.at(p_priorities, v_ords),
                null, null, null, null, null, null, null, p_now, v_look, case when cardinality(p_by) > 1 then fetchq.at(p_by, v_ords) else p_by end) r
            where r.outcome <> 'requeued');
    end loop;
    return query select * from unnest(v_rows) r order by r.ord;
end $$;

-- settle_plain completes and reschedules, or drops, what the leaves of a queue can without a closer look, and returns those items in
-- their order. It goes from leaf to leaf in the order of lock_docs.
create function fetchq.settle_plain(
    q fetchq.queues, p_subjects text[], p_leases bigint[], p_actions text[], p_dates timestamptz[], p_delays interval[],
    p_payloads jsonb[], p_priorities integer[], p_now timestamptz, p_by text[]
) returns fetchq.result[]
language plpgsql as $$
declare
    v_call constant text := format('select array_agg((r.*)::fetchq.result order by r.ord) from %I.%s_%%s', 'q_' || q.name,
            case when p_actions[1] = 'drop' then 'drop' else 'settle' end)
        || case when q.journal = 'all' then '_noted($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) r' else '($1, $2, $3, $4, $5, $6, $7, $8, $9) r' end;
    v_by   constant text[] := case when q.journal = 'all' then fetchq.actors(p_by) end;
    v_part integer;
    v_ords integer[];
    v_rows fetchq.result[];
    v_all  fetchq.result[] := '{}';
begin
    if q.partitions = 1 then
        execute format(v_call, 0) into v_rows
        using v_ords, p_subjects, p_leases, p_actions, p_dates, p_delays, p_payloads, p_priorities, p_now, v_by;
        return coalesce(v_rows, '{}');
    end if;
    for v_part, v_ords in select * from fetchq.partition_items(q, p_subjects) loop
        execute format(v_call, v_part) into v_rows
        using v_ords, fetchq.at(p_subjects, v_ords), fetchq.at(p_leases, v_ords), fetchq.at(p_actions, v_ords), fetchq.at(p_dates, v_ords),
            fetchq.at(p_delays, v_ords), fetchq.at(p_payloads, v_ords), fetchq.at(p_priorities, v_ords), p_now, v_by;
        v_all := v_all || v_rows;
    end loop;
    return array(select r from unnest(v_all) r order by (r).ord);
end $$;

-- doc_act_many is what an admin does, whoever holds the document: complete, reschedule, kill, drop, forward from any
-- state, and run_now, retry, release, edit. It ends a lease by giving the document a new number.
-- Outcomes: ok, not_found, active (run_now, or a new date for a document that is held), exists (forward), invalid. Under p_key the
-- call is carried out once in 24 hours; repeated, it answers what it answered, without the state of the documents.
create function fetchq.doc_act_many(
    p_queue      text,
    p_subjects   text[],
    p_actions    text[],
    p_dates      timestamptz[] default null,
    p_delays     interval[]    default null,
    p_payloads   jsonb[]       default null,
    p_priorities integer[]     default null,
    p_versions   integer[]     default null,
    p_messages   text[]        default null,
    p_details    jsonb[]       default null,
    p_ref_ids    text[]        default null,
    p_to_queues  text[]        default null,
    p_thens      text[]        default null,
    p_now        timestamptz   default clock_timestamp(),
    p_by         text[]        default null,
    p_key        text          default null
) returns setof fetchq.result
language plpgsql as $$
declare
    q fetchq.queues := fetchq.queue_find(p_queue);
    v_rows fetchq.result[];
begin
    if p_key is not null then
        v_rows := fetchq.repeat_begin(q, 'act', p_key, p_subjects, p_subjects, p_now);
        if v_rows is not null then
            return query select * from unnest(v_rows);
            return;
        end if;
    end if;
    v_rows := array(
        select r from fetchq.settle(p_queue, true, p_subjects, null, p_actions, p_dates, p_delays, p_payloads, p_priorities, p_versions,
            p_messages, p_details, p_ref_ids, null, p_to_queues, p_thens, p_now, false, p_by) r);
    if p_key is not null then
        perform fetchq.repeat_end(q, 'act', p_key, v_rows);
    end if;
    return query select * from unnest(v_rows);
end $$;

-- doc_put_back releases documents that were picked for somebody who has gone away since, or whom p_by takes them from, each while its
-- lease is the one that is named: that pick does not count as an attempt. Outcomes: ok, stale, not_found, invalid (it is not active any
-- more). Without p_by it is to the journal nobody's doing but the engine's, else an admin's.
create function fetchq.doc_put_back(
    p_queue text, p_subjects text[], p_leases bigint[], p_now timestamptz default clock_timestamp(), p_by text[] default null
) returns setof fetchq.result
language sql as $$
    select * from fetchq.settle(p_queue, true, p_subjects, p_leases, array_fill('release'::text, array[cardinality(p_subjects)]), null, null,
        null, null, null, null, null, null, null, null, null, p_now, false, p_by)
$$;

-- settle carries out doc_resolve_many and doc_act_many. In a resolution the first item with the live lease of a subject
-- ends it, and later ones for that subject answer as a repeated call would. With p_look it only tells what is wrong with items that
-- settle_plain left: it takes no lock, for others hold what comes before these in the order of locks. 40001: an item is good by now;
-- requeued: it is good, and settle_plain left it because it is to be requeued.
--
-- What is to be requeued when its lease ends (docs.requeue): a holder's action, a release and a lost lease are carried out, and then
-- the push that asked for it is, as an update of the document as it stands then, or as a new one where it went; but the
-- lease number stays, so that a repeated call is known. Another action of an admin is his word on a document that has the new values.
--
-- The rows are found by the primary key, one by one: the planner must not look at the small index of active documents
-- here, for under a held snapshot that index is a heap of dead entries.
create function fetchq.settle(
    p_queue text, p_admin boolean, p_subjects text[], p_leases bigint[], p_actions text[], p_dates timestamptz[], p_delays interval[],
    p_payloads jsonb[], p_priorities integer[], p_versions integer[], p_messages text[], p_details jsonb[], p_ref_ids text[],
    p_retries boolean[], p_to_queues text[], p_thens text[], p_now timestamptz, p_look boolean default false, p_by text[] default null
) returns setof fetchq.result
language plpgsql set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
    q fetchq.queues := fetchq.queue_find(p_queue);
    n constant integer := coalesce(cardinality(p_subjects), 0);
    v_by constant text[] := case when p_by is not null or not p_admin or p_leases is null then fetchq.actors(p_by) end;
    v_held    text[];
    v_rows    fetchq.result[];
    v_forward jsonb[];
    v_next    timestamptz;
begin
    if n = 0 then
        return;
    elsif n > 10000 then
        perform fetchq.refuse('resolutions', format('the call has %s items; 10000 are allowed', n));
    elsif cardinality(p_leases) <> n or cardinality(p_actions) <> n or cardinality(p_dates) <> n or cardinality(p_delays) <> n
        or cardinality(p_payloads) <> n or cardinality(p_priorities) <> n or cardinality(p_versions) <> n
        or cardinality(p_messages) <> n or cardinality(p_details) <> n or cardinality(p_ref_ids) <> n
        or cardinality(p_retries) <> n or cardinality(p_to_queues) <> n or cardinality(p_thens) <> n or p_actions is null then
        perform fetchq.refuse('resolutions', 'the arrays differ in length');
    end if;
    if p_look then
        v_held := array(select distinct s from unnest(p_subjects) s);
    else
        v_held := fetchq.lock_docs(q, p_subjects);
    end if;
    execute format($t$
        with item as materialized (
            select i.*,
                fetchq.action_problem($3, subject, lease, action, date is not null or delay is not null, at, payload, priority, version,
                    ref_id, retry, to_queue, after) as problem
            from (
                select u.*, fetchq.date_of(date, delay, $2, $2) as at
                from unnest($4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) with ordinality
                    u (subject, lease, action, date, delay, payload, priority, version, message, details, ref_id, retry, to_queue, after, ord)
            ) i
        ), known as materialized (
            select item.*, case
                when problem is not null then problem
                when action = 'forward' and not exists (select from fetchq.queues where name = to_queue) then
                    'to_queue is not a queue'
                end as wrong,
                subject = any ($19) as held
            from item
        ), judged as (
            select k.*, h.d_lease, h.status, h.d_version, h.d_priority, h.attempts, h.next_iteration, h.ended, h.picked_at, h.worker, h.own, case
                when k.wrong is not null then 'invalid'
                when h.d_lease is null then 'not_found'
                when k.lease <> h.d_lease then 'stale' -- an admin names none
                when not $3 and h.status = 2 then case when h.next_iteration <= $2 then 'stale'
                    when $20 and h.requeue is not null then 'requeued' when $20 then 'again' else 'ok' end
                when not $3 then case when h.ended = fetchq.action_code(k.action) then 'already' else 'stale' end
                when h.status = 2 and (k.action = 'run_now' or k.action = 'edit' and (k.date is not null or k.delay is not null)) then 'active'
                when k.action = 'retry' and h.status <> -1 then 'not killed'
                when k.action = 'release' and h.status <> 2 then 'not active'
                when k.action = 'edit' and h.status in (3, -1) and (k.date is not null or k.delay is not null) then 'finished'
                else 'ok' end as verdict,
                case when k.action is distinct from 'edit' then h.requeue end as requeue
            from known k left join lateral (
                select lease as d_lease, status, version as d_version, priority as d_priority, attempts, next_iteration, ended, worker,
                    picked_at, requeue, case when k.action = 'forward' and k.payload is null then payload end as own
                from %1$I.docs where k.held and k.wrong is null and subject = k.subject limit 1
            ) h on true
        ), ranked as (
            select j.*, row_number() over (partition by subject, verdict order by ord) as nth,
                first_value(action) over (partition by subject, verdict order by ord) as winner,
                first_value(after) over (partition by subject, verdict order by ord) as winner_after
            from judged j
        ), acted as (
            select r.*, n.new_status, case when n.new_status = -1 and action <> 'edit' then $2 else f.next end as new_next,
                verdict = 'ok' and nth = 1 as wins,
                action = 'drop' or action = 'forward' and coalesce(after, 'complete') = 'drop' as goes,
                case when action in ('complete', 'reschedule', 'run_now', 'retry', 'forward') then 0
                     when action = 'release' then greatest(attempts - 1, 0)
                     else attempts end as new_attempts,
                action in ('complete', 'reschedule', 'reject', 'kill', 'forward') as iterates,
                d_lease + ($3 and not (action = 'edit' and status = 2))::integer as new_lease,
                coalesce(case when action <> 'forward' then version end, (requeue -> 'version')::integer, d_version) as new_version,
                coalesce(case when action <> 'forward' then priority end, (requeue -> 'priority')::integer, d_priority) as new_priority,
                requeue is not null and (not $3 or action = 'release') as goes_on
            from ranked r cross join lateral (
                select case
                    when r.action = 'forward' then $2
                    when r.date is not null or r.delay is not null then r.at
                    when r.action = 'edit' then r.next_iteration
                    when r.action = 'reject' and r.verdict = 'ok' then $2 + fetchq.backoff($1, r.attempts)
                    else $2 end as next
            ) f cross join lateral (
                select case r.action
                    when 'complete' then 3
                    when 'forward' then 3
                    when 'kill' then -1
                    when 'reject' then case when r.retry is false or r.attempts >= $18 then -1 else (f.next <= $2)::integer end
                    when 'reschedule' then (f.next <= $2)::integer
                    when 'edit' then case when r.status in (0, 1) then (f.next <= $2)::integer else r.status end
                    else 1 end as new_status
            ) n
        ), settled as materialized (
            select a.*, case when goes_on then (n.date <= $2)::integer else new_status end as then_status,
                case when goes_on then n.date else new_next end as then_next,
                case when goes_on and (goes or new_status in (3, -1)) then 0 else new_attempts end as then_attempts,
                case when goes_on then coalesce((requeue -> 'version')::integer, new_version) else new_version end as then_version,
                case when goes_on then coalesce((requeue -> 'priority')::integer, new_priority) else new_priority end as then_priority,
                goes and not goes_on as gone, goes and goes_on as anew,
                case when wins and action = 'reject' then fetchq.error_pattern(coalesce(message, 'rejected')) end as pattern
            from acted a cross join lateral (select (requeue ->> 'date')::timestamptz as date) n
        ), changed as (
            update %1$I.docs d set
                status = s.then_status,
                next_iteration = s.then_next,
                attempts = s.then_attempts,
                iterations = case when s.anew then 0 else d.iterations + s.iterates::integer end,
                created_at = case when s.anew then $2 else d.created_at end,
                last_iteration = case when s.anew then null when s.iterates then $2 else d.last_iteration end,
                picked_at = case when s.anew then null else d.picked_at end,
                worker = case when s.anew then null else d.worker end,
                lease = s.new_lease,
                ended = case when $3 then 0 else fetchq.action_code(s.action) end,
                payload = coalesce(p.payload, d.payload),
                size = case when p.payload is null then d.size else pg_column_size(p.payload) end,
                priority = s.then_priority,
                version = s.then_version,
                requeue = case when s.action = 'edit' then d.requeue end
            from settled s cross join lateral (
                select case when s.goes_on and s.requeue ? 'payload' or s.action = 'forward' then s.requeue -> 'payload'
                    else coalesce(s.payload, s.requeue -> 'payload') end as payload
            ) p
            where d.subject = s.subject and s.wins and not s.gone
        ), gone as (
            delete from %1$I.docs d using settled s
            where d.subject = s.subject and s.wins and s.gone
        ), logged as (
            insert into %1$I.logs (created_at, kind, attempt, subject, message, ref_id, worker, details, fingerprint)
            select $2, (action = 'reject')::integer, attempts, subject, fetchq.cut_text(coalesce(message, 'rejected'), 10240), ref_id,
                case when not $3 then worker end, fetchq.cut_json(details, 262144), fetchq.pattern_code(pattern)
            from settled where wins and (message is not null or action = 'reject')
            order by ord
        )%3$s, counted as (
            insert into %1$I.deltas (version, planned, pending, active, completed, killed, ev_entered, ev_completed, ev_rescheduled,
                ev_rejected, ev_killed, ev_dropped, ev_forwarded, ev_errors, ev_logs, works)
            select c.version, sum((c.status = 0)::integer * c.n), sum((c.status = 1)::integer * c.n), sum((c.status = 2)::integer * c.n),
                sum((c.status = 3)::integer * c.n), sum((c.status = -1)::integer * c.n), count(*) filter (where c.n = 1 and c.anew),
                count(*) filter (where c.n = -1 and c.action = 'complete'), count(*) filter (where c.n = -1 and c.action = 'reschedule'),
                count(*) filter (where c.n = -1 and c.action = 'reject'),
                count(*) filter (where c.n = -1 and (c.action = 'kill' or c.action = 'reject' and c.new_status = -1)),
                count(*) filter (where c.n = -1 and c.action = 'drop'), count(*) filter (where c.n = -1 and c.action = 'forward'),
                count(*) filter (where c.n = -1 and c.action = 'reject'),
                count(*) filter (where c.n = -1 and (c.message is not null or c.action = 'reject')),
                array_agg(fetchq.took(c.picked_at, $2)) filter (where c.n = -1 and not $3)
            from (
                select d_version as version, status, -1 as n, action, new_status, message, anew, picked_at from settled where wins
                union all
                select then_version, then_status, 1, action, new_status, message, anew, null from settled where wins and not gone
            ) c group by c.version order by sum((c.status = 2)::integer * c.n)
        )%2$s, answered as (
            select s.ord::integer as ord, s.subject,
                case
                    when s.verdict in ('not killed', 'not active', 'finished') then 'invalid'
                    when s.verdict <> 'ok' or s.nth = 1 then s.verdict
                    when $3 then 'invalid'
                    when s.requeue is null and (s.winner = 'drop' or s.winner = 'forward' and s.winner_after = 'drop') then 'not_found'
                    when s.winner = s.action then 'already'
                    else 'stale'
                end as outcome,
                case
                    when s.wrong is not null then s.wrong
                    when s.verdict = 'not killed' then 'action retry is for killed documents'
                    when s.verdict = 'not active' then 'action release is for active documents'
                    when s.verdict = 'finished' then 'next_iteration of a finished document is set by reschedule or run_now'
                    when s.verdict = 'ok' and s.nth > 1 and $3 then 'subject stands earlier in this call'
                end as detail,
                t.then_status as status, t.then_version as version, t.then_priority as priority, t.then_next as next_iteration,
                case when s.wins and s.action = 'forward' then jsonb_build_object('queue', s.to_queue, 'ord', s.ord, 'subject', s.subject,
                    'payload', coalesce(s.payload, case when not s.goes_on then s.requeue -> 'payload' end, s.own),
                    'version', coalesce(s.version, case when not s.goes_on then (s.requeue -> 'version')::integer end, s.d_version),
                    'priority', coalesce(s.priority, case when not s.goes_on then (s.requeue -> 'priority')::integer end, s.d_priority),
                    'date', s.at) end as forward
            from settled s left join lateral (
                select s.then_status, s.then_version, s.then_priority, s.then_next where s.wins and not s.gone
            ) t on true
        )
        select array_agg((ord, subject, outcome, detail, status, version, priority, next_iteration)::fetchq.result order by ord),
            array_agg(forward order by ord) filter (where forward is not null),
            min(next_iteration) filter (where status = 0)
        from answered $t$, 'q_' || p_queue, case when q.journal <> 'off' and not p_look then fetchq.journal_text(q, $t$
            select s.ord, s.action, $3 and (s.lease is null or $21 is not null), s.status, case when not s.gone then s.then_status end, s.attempts,
                case when s.gone then s.d_lease else s.new_lease end, case when not s.gone then s.then_next end,
                case when s.status = 2 and s.action <> 'edit' then fetchq.micros_between(s.picked_at, $2) end, s.subject,
                case when s.status = 2 then s.worker end, coalesce($21[s.ord], $21[1])
            from settled s
            where s.wins $t$ || case when q.journal = 'errors' then $t$ and (s.action in ('reject', 'kill') or $3 and (s.lease is null or $21 is not null)) $t$ else '' end,
            '$2') end, case when 'reject' = any (p_actions) and not p_look then fetchq.error_deltas_text('q_' || p_queue, $t$
            select $2, d_version, subject, coalesce(message, 'rejected'), pattern from settled where pattern is not null $t$) end)
    into v_rows, v_forward, v_next
    using q, p_now, p_admin, p_subjects, p_leases, p_actions, p_dates, p_delays, p_payloads, p_priorities, p_versions, p_messages,
        p_details, p_ref_ids, p_retries, p_to_queues, p_thens, q.max_attempts, v_held, p_look, v_by;

    if p_look then
        if exists (select from unnest(v_rows) r where r.outcome = 'again') then
            raise exception using errcode = '40001', message = 'a lease that was not live is live now';
        end if;
        return query select * from unnest(v_rows);
        return;
    end if;
    if v_forward is not null then
        v_rows := fetchq.forward(v_rows, v_forward, p_now, v_by);
    end if;
    if v_next is not null then
        perform fetchq.touch(p_queue, 'mark_due', v_next);
    end if;
    perform fetchq.touch(p_queue, 'fold', p_now + interval '1 second');
    return query select * from unnest(v_rows);
end $$;
