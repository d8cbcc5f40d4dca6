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
    p_now        timestamptz   default clock_timestamp()
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
begin
    -- Of two drops of one subject the second is judged by what the first found, which a look afterwards cannot tell.
    if n between 1 and 10000 and (p_actions <@ array['complete', 'reschedule']
            or p_actions <@ array['drop'] and (select count(distinct s collate "C") from unnest(p_subjects) s) = n)
        and p_versions is null and p_messages is null and p_details is null and p_ref_ids is null and p_retries is null and p_to_queues is null and p_thens is null
        and cardinality(p_leases) = n and cardinality(p_actions) = n and (cardinality(p_dates) = n) is not false
        and (cardinality(p_delays) = n) is not false and (cardinality(p_payloads) = n) is not false
        and (cardinality(p_priorities) = n) is not false then
        v_rows := fetchq.settle_plain(q, p_subjects, p_leases, p_actions, p_dates, p_delays, p_payloads, p_priorities, p_now);
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
    elsif v_rows = '{}' then
        return query select * from fetchq.settle(p_queue, false, p_subjects, p_leases, p_actions, p_dates, p_delays, p_payloads, p_priorities,
            p_versions, p_messages, p_details, p_ref_ids, p_retries, p_to_queues, p_thens, p_now);
    else
        v_ords := array(select i from generate_series(1, n) i except select r.ord from unnest(v_rows) r order by 1);
        return query
            select * from unnest(v_rows)
            union all
            select v_ords[r.ord], r.subject, r.outcome, r.detail, r.status, r.version, r.priority, r.next_iteration
            from fetchq.settle(p_queue, false, fetchq.at(p_subjects, v_ords), fetchq.at(p_leases, v_ords), fetchq.at(p_actions, v_ords),
                fetchq.at(p_dates, v_ords), fetchq.at(p_delays, v_ords), fetchq.at(p_payloads, v_ords), fetchq.at(p_priorities, v_ords),
                null, null, null, null, null, null, null, p_now, true) r
            order by 1;
    end if;
end $$;

-- settle_plain completes and reschedules, or drops, what the leaves of a queue can without a closer look, and returns those items in
-- their order. It goes from leaf to leaf in the order of lock_docs.
create function fetchq.settle_plain(
    q fetchq.queues, p_subjects text[], p_leases bigint[], p_actions text[], p_dates timestamptz[], p_delays interval[],
    p_payloads jsonb[], p_priorities integer[], p_now timestamptz
) returns fetchq.result[]
language plpgsql as $$
declare
    v_call constant text := format('select array_agg((r.*)::fetchq.result order by r.ord) from %I.%s_%%s($1, $2, $3, $4, $5, $6, $7, $8, $9) r',
        'q_' || q.name, case when p_actions[1] = 'drop' then 'drop' else 'settle' end);
    v_part integer;
    v_ords integer[];
    v_rows fetchq.result[];
    v_all  fetchq.result[] := '{}';
begin
    if q.partitions = 1 then
        execute format(v_call, 0) into v_rows
        using v_ords, p_subjects, p_leases, p_actions, p_dates, p_delays, p_payloads, p_priorities, p_now;
        return coalesce(v_rows, '{}');
    end if;
    for v_part, v_ords in select * from fetchq.partition_items(q, p_subjects) loop
        execute format(v_call, v_part) into v_rows
        using v_ords, fetchq.at(p_subjects, v_ords), fetchq.at(p_leases, v_ords), fetchq.at(p_actions, v_ords), fetchq.at(p_dates, v_ords),
            fetchq.at(p_delays, v_ords), fetchq.at(p_payloads, v_ords), fetchq.at(p_priorities, v_ords), p_now;
        v_all := v_all || v_rows;
    end loop;
    return array(select r from unnest(v_all) r order by (r).ord);
end $$;

-- doc_act_many is what an admin does, whoever holds the document: complete, reschedule, kill, drop, forward from any
-- state, and run_now, retry, release, edit. It ends a lease by giving the document a new number.
-- Outcomes: ok, not_found, active (run_now, or a new date for a document that is held), exists (forward), invalid.
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
    p_now        timestamptz   default clock_timestamp()
) returns setof fetchq.result
language sql as $$
    select * from fetchq.settle(p_queue, true, p_subjects, null, p_actions, p_dates, p_delays, p_payloads, p_priorities,
        p_versions, p_messages, p_details, p_ref_ids, null, p_to_queues, p_thens, p_now)
$$;

-- doc_put_back releases documents that were picked for somebody who has gone away since, each while its lease is the one that is
-- named: that pick does not count as an attempt. Outcomes: ok, stale, not_found, invalid (it is not active any more).
create function fetchq.doc_put_back(p_queue text, p_subjects text[], p_leases bigint[], p_now timestamptz default clock_timestamp())
returns setof fetchq.result
language sql as $$
    select * from fetchq.settle(p_queue, true, p_subjects, p_leases, array_fill('release'::text, array[cardinality(p_subjects)]), null, null,
        null, null, null, null, null, null, null, null, null, p_now)
$$;

-- action_problem says why an item cannot be taken, or null.
create function fetchq.action_problem(
    p_admin boolean, p_subject text, p_lease bigint, p_action text, p_dated boolean, p_date timestamptz, p_payload jsonb,
    p_priority integer, p_version integer, p_ref_id text, p_retry boolean, p_to_queue text, p_then text
) returns text
language sql stable as $$
    select case
        when p_action is null then 'action is missing'
        when not p_admin and p_action not in ('complete', 'reschedule', 'reject', 'kill', 'drop', 'forward') then
            'action is one of complete, reschedule, reject, kill, drop and forward'
        when p_admin and p_action = 'reject' then 'action reject needs a lease'
        when p_admin and p_action not in ('complete', 'reschedule', 'kill', 'drop', 'forward', 'run_now', 'retry', 'release', 'edit') then
            'action is one of run_now, retry, release, edit, complete, reschedule, kill, drop and forward'
        when not p_admin and p_lease is null then 'lease is missing'
        when p_action = 'reschedule' and not p_dated then 'next_iteration is missing: reschedule wants one'
        when p_dated and p_action not in ('reschedule', 'reject', 'forward', 'edit') then
            format('next_iteration has no meaning for %s', p_action)
        when p_action = 'forward' and p_to_queue is null then 'to_queue is missing: forward wants one'
        when p_action = 'forward' and coalesce(p_then, 'complete') not in ('complete', 'drop') then 'then is complete or drop'
        when p_action <> 'forward' and (p_to_queue is not null or p_then is not null) then 'to_queue and then belong to forward'
        when p_action <> 'reject' and p_retry is not null then 'retry belongs to reject'
        when p_action = 'edit' and not p_dated and p_payload is null and p_priority is null and p_version is null then
            'payload, priority, version or next_iteration is missing: edit wants one'
        when octet_length(p_ref_id) > 255 then format('ref_id has %s bytes; 255 are allowed', octet_length(p_ref_id))
        else fetchq.item_problem(p_subject, p_payload, p_version, p_priority, p_date)
    end
$$;

-- settle carries out doc_resolve_many and doc_act_many. In a resolution the first item with the live lease of a subject
-- ends it, and later ones for that subject answer as a repeated call would. With p_look it only tells what is wrong with items that
-- settle_plain left: it takes no lock, for others hold what comes before these in the order of locks. 40001: an item is good by now.
--
-- The rows are found by the primary key, one by one: the planner must not look at the small index of active documents
-- here, for under a held snapshot that index is a heap of dead entries.
create function fetchq.settle(
    p_queue text, p_admin boolean, p_subjects text[], p_leases bigint[], p_actions text[], p_dates timestamptz[], p_delays interval[],
    p_payloads jsonb[], p_priorities integer[], p_versions integer[], p_messages text[], p_details jsonb[], p_ref_ids text[],
    p_retries boolean[], p_to_queues text[], p_thens text[], p_now timestamptz, p_look boolean default false
) returns setof fetchq.result
language plpgsql set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
    q fetchq.queues := fetchq.queue_find(p_queue);
    n constant integer := coalesce(cardinality(p_subjects), 0);
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
            select k.*, h.d_lease, h.status, h.d_version, h.d_priority, h.attempts, h.next_iteration, h.picked_at, h.ended, h.worker, h.own, case
                when k.wrong is not null then 'invalid'
                when h.d_lease is null then 'not_found'
                when k.lease <> h.d_lease then 'stale' -- an admin names none
                when not $3 and h.status = 2 then case when h.next_iteration <= $2 then 'stale' when $20 then 'again' else 'ok' end
                when not $3 then case when h.ended = fetchq.action_code(k.action) then 'already' else 'stale' end
                when h.status = 2 and (k.action = 'run_now' or k.action = 'edit' and (k.date is not null or k.delay is not null)) then 'active'
                when k.action = 'retry' and h.status <> -1 then 'not killed'
                when k.action = 'release' and h.status <> 2 then 'not active'
                when k.action = 'edit' and h.status in (3, -1) and (k.date is not null or k.delay is not null) then 'finished'
                else 'ok' end as verdict
            from known k left join lateral (
                select lease as d_lease, status, version as d_version, priority as d_priority, attempts, next_iteration, picked_at, ended, worker,
                    case when k.action = 'forward' and k.payload is null then payload end as own
                from %1$I.docs where k.held and k.wrong is null and subject = k.subject limit 1
            ) h on true
        ), ranked as (
            select j.*, row_number() over (partition by subject, verdict order by ord) as nth,
                first_value(action) over (partition by subject, verdict order by ord) as winner,
                first_value(after) over (partition by subject, verdict order by ord) as winner_after
            from judged j
        ), settled as materialized (
            select r.*, n.new_status, case when n.new_status = -1 and action <> 'edit' then $2 else f.next end as new_next,
                verdict = 'ok' and nth = 1 as wins,
                action = 'drop' or action = 'forward' and coalesce(after, 'complete') = 'drop' as goes,
                case when action in ('complete', 'reschedule', 'run_now', 'retry', 'forward') then 0
                     when action = 'release' then greatest(attempts - 1, 0)
                     else attempts end as new_attempts,
                action in ('complete', 'reschedule', 'reject', 'kill', 'forward') as iterates,
                case when action = 'forward' then d_version else coalesce(version, d_version) end as new_version,
                case when action = 'forward' then d_priority else coalesce(priority, d_priority) end as new_priority
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
        ), changed as (
            update %1$I.docs d set
                status = s.new_status,
                next_iteration = s.new_next,
                attempts = s.new_attempts,
                iterations = d.iterations + s.iterates::integer,
                last_iteration = case when s.iterates then $2 else d.last_iteration end,
                lease = d.lease + ($3 and not (s.action = 'edit' and s.status = 2))::integer,
                ended = case when $3 then 0 else fetchq.action_code(s.action) end,
                payload = case when s.action = 'forward' then d.payload else coalesce(s.payload, d.payload) end,
                size = case when s.payload is null or s.action = 'forward' then d.size else pg_column_size(s.payload) end,
                priority = s.new_priority,
                version = s.new_version
            from settled s
            where d.subject = s.subject and s.wins and not s.goes
        ), gone as (
            delete from %1$I.docs d using settled s
            where d.subject = s.subject and s.wins and s.goes
        ), logged as (
            insert into %1$I.logs (created_at, kind, attempt, subject, message, ref_id, worker, details)
            select $2, (action = 'reject')::integer, attempts, subject, fetchq.cut_text(coalesce(message, 'rejected'), 10240), ref_id,
                case when not $3 then worker end, fetchq.cut_json(details, 262144)
            from settled where wins and (message is not null or action = 'reject')
            order by ord
        ), counted as (
            insert into %1$I.deltas (version, planned, pending, active, completed, killed, ev_completed, ev_rescheduled, ev_rejected,
                ev_killed, ev_dropped, ev_forwarded, ev_errors, ev_logs, works)
            select c.version, sum((c.status = 0)::integer * c.n), sum((c.status = 1)::integer * c.n), sum((c.status = 2)::integer * c.n),
                sum((c.status = 3)::integer * c.n), sum((c.status = -1)::integer * c.n),
                count(*) filter (where c.n = -1 and c.action = 'complete'), count(*) filter (where c.n = -1 and c.action = 'reschedule'),
                count(*) filter (where c.n = -1 and c.action = 'reject'),
                count(*) filter (where c.n = -1 and (c.action = 'kill' or c.action = 'reject' and c.new_status = -1)),
                count(*) filter (where c.n = -1 and c.action = 'drop'), count(*) filter (where c.n = -1 and c.action = 'forward'),
                count(*) filter (where c.n = -1 and c.action = 'reject'),
                count(*) filter (where c.n = -1 and (c.message is not null or c.action = 'reject')),
                array_agg(fetchq.took(c.picked_at, $2)) filter (where c.n = -1 and not $3)
            from (
                select d_version as version, status, -1 as n, action, new_status, message, picked_at from settled where wins
                union all
                select new_version, new_status, 1, action, new_status, message, null from settled where wins and not goes
            ) c group by c.version
        ), answered as (
            select s.ord::integer as ord, s.subject,
                case
                    when s.verdict in ('not killed', 'not active', 'finished') then 'invalid'
                    when s.verdict <> 'ok' or s.nth = 1 then s.verdict
                    when $3 then 'invalid'
                    when s.winner = 'drop' or s.winner = 'forward' and s.winner_after = 'drop' then 'not_found'
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
                t.new_status as status, t.new_version as version, t.new_priority as priority, t.new_next as next_iteration,
                case when s.wins and s.action = 'forward' then jsonb_build_object('queue', s.to_queue, 'ord', s.ord, 'subject', s.subject,
                    'payload', coalesce(s.payload, s.own), 'version', coalesce(s.version, s.d_version),
                    'priority', coalesce(s.priority, s.d_priority), 'date', s.at) end as forward
            from settled s left join lateral (
                select s.new_status, s.new_version, s.new_priority, s.new_next where s.wins and not s.goes
            ) t on true
        )
        select array_agg((ord, subject, outcome, detail, status, version, priority, next_iteration)::fetchq.result order by ord),
            array_agg(forward order by ord) filter (where forward is not null),
            min(next_iteration) filter (where status = 0)
        from answered $t$, 'q_' || p_queue)
    into v_rows, v_forward, v_next
    using q, p_now, p_admin, p_subjects, p_leases, p_actions, p_dates, p_delays, p_payloads, p_priorities, p_versions, p_messages,
        p_details, p_ref_ids, p_retries, p_to_queues, p_thens, q.max_attempts, v_held, p_look;

    if p_look then
        if exists (select from unnest(v_rows) r where r.outcome = 'again') then
            raise exception using errcode = '40001', message = 'a lease that was not live is live now';
        end if;
        return query select * from unnest(v_rows);
        return;
    end if;
    if v_forward is not null then
        v_rows := fetchq.forward(v_rows, v_forward, p_now);
    end if;
    if v_next is not null then
        perform fetchq.touch(p_queue, 'mark_due', v_next);
    end if;
    perform fetchq.touch(p_queue, 'fold', p_now + interval '1 second');
    return query select * from unnest(v_rows);
end $$;

-- action_code is how docs.ended tells which action ended a lease; 0 is none.
create function fetchq.action_code(p_action text) returns smallint
language sql immutable as $$
    select case p_action when 'complete' then 1 when 'reschedule' then 2 when 'reject' then 3 when 'kill' then 4 when 'drop' then 5
        when 'forward' then 6 else 0 end::smallint
$$;

-- forward pushes what resolutions hand on, queue by queue, and writes exists into the answer where a subject is taken. What
-- a push refuses was checked before, so that it is an error here: else the document would be nowhere.
create function fetchq.forward(p_rows fetchq.result[], p_items jsonb[], p_now timestamptz) returns fetchq.result[]
language plpgsql as $$
declare
    v_queue text;
    v_items jsonb[];
    v_taken integer[];
    v_row   fetchq.result;
begin
    for v_queue, v_items in
        select i ->> 'queue', array_agg(i order by (i ->> 'ord')::integer) from unnest(p_items) i group by 1 order by 1
    loop
        for v_row in
            select * from fetchq.doc_push_many(v_queue,
                array(select i ->> 'subject' from unnest(v_items) with ordinality u (i, o) order by o),
                array(select i -> 'payload' from unnest(v_items) with ordinality u (i, o) order by o),
                array(select (i ->> 'version')::integer from unnest(v_items) with ordinality u (i, o) order by o),
                array(select (i ->> 'priority')::integer from unnest(v_items) with ordinality u (i, o) order by o),
                array(select (i ->> 'date')::timestamptz from unnest(v_items) with ordinality u (i, o) order by o),
                null, 'ignore', p_now)
        loop
            if v_row.outcome = 'ignored' then
                v_taken := v_taken || (v_items[v_row.ord] ->> 'ord')::integer;
            elsif v_row.outcome is distinct from 'created' then
                raise exception 'a forward to the queue % is %: %', v_queue, v_row.outcome, v_row.detail;
            end if;
        end loop;
    end loop;
    return array(
        select (r.ord, r.subject, case when r.ord = any (v_taken) then 'exists' else r.outcome end, r.detail, r.status, r.version,
            r.priority, r.next_iteration)::fetchq.result
        from unnest(p_rows) r order by r.ord);
end $$;
