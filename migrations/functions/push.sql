-- Push: documents enter a queue.

-- doc_push_many pushes up to 10,000 documents and returns one row for each, in their order.
--
-- An array that is null means the defaults: payload {}, version 0, priority 0, date now; so does a null in an array. Of a
-- date and a delay the date counts. p_on_conflict 'ignore' leaves a subject that is taken as it is; 'update' gives it
-- what is not null here, and the date; a document that a worker holds is left alone and answers active. 'requeue' is as update, but
-- keeps the values for a document that is held: it goes on with them when its lease ends. Of several the last ones count.
-- Outcomes: created, updated, requeued, ignored, active, duplicate, invalid.
create function fetchq.doc_push_many(
    p_queue       text,
    p_subjects    text[],
    p_payloads    jsonb[]       default null,
    p_versions    integer[]     default null,
    p_priorities  integer[]     default null,
    p_dates       timestamptz[] default null,
    p_delays      interval[]    default null,
    p_on_conflict text          default 'ignore',
    p_now         timestamptz   default clock_timestamp(),
    p_by          text[]        default null
) returns setof fetchq.result
language plpgsql set enable_seqscan = off set enable_bitmapscan = off set jit = off set plan_cache_mode = force_generic_plan as $$
declare
    q fetchq.queues := fetchq.queue_find(p_queue);
    n constant integer := coalesce(cardinality(p_subjects), 0);
    v_first timestamptz; -- of what is planned
begin
    if n = 0 then
        return;
    elsif n > 10000 then
        perform fetchq.refuse('documents', format('the call has %s documents; 10000 are allowed', n));
    elsif cardinality(p_payloads) <> n or cardinality(p_versions) <> n or cardinality(p_priorities) <> n
        or cardinality(p_dates) <> n or cardinality(p_delays) <> n then
        perform fetchq.refuse('documents', 'the arrays differ in length');
    end if;
    case p_on_conflict
    when 'ignore' then
        return query select * from fetchq.push_ignore(q, p_subjects, p_payloads, p_versions, p_priorities, p_dates, p_delays, p_now, p_by);
    when 'update', 'requeue' then
        return query select * from fetchq.push_update(q, p_subjects, p_payloads, p_versions, p_priorities, p_dates, p_delays,
            p_on_conflict = 'requeue', p_now, p_by);
    else
        perform fetchq.refuse('on_conflict', 'ignore, update or requeue is wanted');
    end case;
    select min(d) into v_first
    from unnest(p_dates, p_delays) u (date, delay) cross join lateral (select fetchq.date_of(date, delay, p_now, p_now) as d) t
    where d > p_now;
    if v_first is not null then
        perform fetchq.touch(p_queue, 'mark_due', v_first);
    end if;
    perform fetchq.touch(p_queue, 'fold', p_now + interval '1 second');
end $$;

-- push_ignore is doc_push_many where a subject that is taken stays as it is.
create function fetchq.push_ignore(
    q fetchq.queues, p_subjects text[], p_payloads jsonb[], p_versions integer[], p_priorities integer[],
    p_dates timestamptz[], p_delays interval[], p_now timestamptz, p_by text[]
) returns setof fetchq.result
language plpgsql as $$
begin
    if q.journal = 'all' then
        return query execute format('select * from %I.push_noted($1, $2, $3, $4, $5, $6, $7, $8)', 'q_' || q.name)
        using p_subjects, p_payloads, p_versions, p_priorities, p_dates, p_delays, p_now, fetchq.actors(p_by);
        return;
    end if;
    return query execute format('select * from %I.push($1, $2, $3, $4, $5, $6, $7)', 'q_' || q.name)
    using p_subjects, p_payloads, p_versions, p_priorities, p_dates, p_delays, p_now;
end $$;

-- push_update is doc_push_many where a subject that is taken gets the new values. What is new goes in first, for who
-- inserts may wait for others who insert, and must not hold documents meanwhile. When a subject that was taken then is
-- gone when it is to be changed, all that was done is given back and it begins anew; ten times, for only subjects that
-- come and go at once need that.
create function fetchq.push_update(
    q fetchq.queues, p_subjects text[], p_payloads jsonb[], p_versions integer[], p_priorities integer[],
    p_dates timestamptz[], p_delays interval[], p_requeue boolean, p_now timestamptz, p_by text[]
) returns setof fetchq.result
language plpgsql as $$
declare
    v_pushed  fetchq.result[];
    v_taken   integer[];
    v_changed fetchq.result[];
begin
    for i in 1 .. 10 loop
        begin
            v_pushed := array(
                select r from fetchq.push_ignore(q, p_subjects, p_payloads, p_versions, p_priorities, p_dates, p_delays, p_now, p_by) r);
            v_taken := array(select r.ord from unnest(v_pushed) r where r.outcome = 'ignored');
            v_changed := fetchq.push_change(q, v_taken, p_subjects, p_payloads, p_versions, p_priorities, p_dates, p_delays, p_requeue, p_now, p_by);
            return query
                select * from unnest(v_pushed) r where r.outcome <> 'ignored'
                union all select * from unnest(v_changed)
                order by 1;
            return;
        exception when sqlstate '02000' then
            null; -- push_change found a subject gone
        end;
    end loop;
    raise exception using errcode = '40001', message = 'subjects of this push came and went ten times meanwhile';
end $$;

-- push_change gives documents that stand there the values of the items of a push that p_ords names. 02000: one is gone.
create function fetchq.push_change(
    q fetchq.queues, p_ords integer[], p_subjects text[], p_payloads jsonb[], p_versions integer[], p_priorities integer[],
    p_dates timestamptz[], p_delays interval[], p_requeue boolean, p_now timestamptz, p_by text[]
) returns fetchq.result[]
language plpgsql as $$
declare
    v_held constant text[] := fetchq.lock_docs(q, array(
        select u.subject from unnest(p_subjects) with ordinality u (subject, ord) where u.ord = any (p_ords)));
    v_rows fetchq.result[];
begin
    if cardinality(v_held) <> cardinality(p_ords) then
        raise exception using errcode = '02000', message = 'a subject of this push went meanwhile';
    elsif cardinality(p_ords) = 0 then
        return '{}';
    end if;
    execute format($t$
        with old as materialized (
            select t.*, d.status as old_status, d.version as old_version, d.attempts, d.worker as holder
            from (
                select ord::integer, subject, payload, version, priority, fetchq.date_of(date, delay, $7, $7) as date
                from unnest($1, $2, $3, $4, $5, $6) with ordinality u (subject, payload, version, priority, date, delay, ord)
                where ord = any ($8)
            ) t cross join lateral (
                select status, version, attempts, worker from %1$I.docs where subject = t.subject limit 1
            ) d
        ), changed as (
            update %1$I.docs d set
                payload = coalesce(o.payload, d.payload),
                size = case when o.payload is null then d.size else pg_column_size(o.payload) end,
                version = coalesce(o.version, d.version),
                priority = coalesce(o.priority, d.priority),
                next_iteration = o.date,
                status = (o.date <= $7)::integer,
                attempts = case when o.old_status in (3, -1) then 0 else d.attempts end,
                lease = d.lease + 1,
                ended = 0
            from old o where d.subject = o.subject and o.old_status <> 2
            returning o.ord, o.subject, o.old_status, o.old_version, o.attempts, d.status, d.version, d.priority, d.next_iteration, d.lease
        ), kept as (
            update %1$I.docs d set requeue = coalesce(d.requeue, '{}')
                || jsonb_strip_nulls(jsonb_build_object('date', o.date, 'version', o.version, 'priority', o.priority))
                || case when o.payload is null then '{}' else jsonb_build_object('payload', o.payload) end
            from old o where d.subject = o.subject and o.old_status = 2 and $9
            returning o.ord, o.subject, o.attempts, o.holder, d.next_iteration, d.lease
        ), counted as (
            insert into %1$I.deltas (version, planned, pending, completed, killed)
            select version, sum((status = 0)::integer * n), sum((status = 1)::integer * n), sum((status = 3)::integer * n),
                sum((status = -1)::integer * n)
            from (
                select version, status, 1 as n from changed
                union all select old_version, old_status, -1 from changed
            ) t group by version
        )%2$s
        select array_agg((o.ord, o.subject, case when c.ord is not null then 'updated' when $9 then 'requeued' else 'active' end, null,
            coalesce(c.status, o.old_status), c.version, c.priority, c.next_iteration)::fetchq.result)
        from old o left join changed c on c.ord = o.ord $t$, 'q_' || q.name, case when q.journal = 'all' then fetchq.journal_text(q, $t$
            select ord, 'update', false, old_status, status, attempts, lease, next_iteration, null::bigint, subject, null, coalesce($10[ord], $10[1])
            from changed
            union all select ord, 'requeue', false, 2, 2, attempts, lease, next_iteration, null, subject, holder, coalesce($10[ord], $10[1])
            from kept $t$, '$7') end)
    into v_rows using p_subjects, p_payloads, p_versions, p_priorities, p_dates, p_delays, p_now, p_ords, p_requeue, fetchq.actors(p_by);
    return v_rows;
end $$;

-- doc_append_many is doc_push_many for documents that need no subject of their own: each that has none in p_subjects gets a
-- UUID of version 7. Under a key of the caller's the call is carried out once in 24 hours. Repeated, it pushes nothing and
-- answers what it answered, whatever has become of the documents, and whatever their payload is by then; FQ001 when the call
-- has another number of documents, or other subjects.
create function fetchq.doc_append_many(
    p_queue       text,
    p_payloads    jsonb[],
    p_versions    integer[]     default null,
    p_priorities  integer[]     default null,
    p_dates       timestamptz[] default null,
    p_delays      interval[]    default null,
    p_key         text          default null,
    p_subjects    text[]        default null,
    p_on_conflict text          default 'ignore',
    p_now         timestamptz   default clock_timestamp(),
    p_by          text[]        default null
) returns setof fetchq.result
language plpgsql as $$
declare
    q fetchq.queues := fetchq.queue_find(p_queue);
    v_subjects text[] := array(
        select coalesce(s, fetchq.uuid_v7()::text) from unnest(p_subjects, p_payloads) with ordinality u (s, payload, ord) order by ord);
    v_rows fetchq.result[];
begin
    if cardinality(v_subjects) = 0 then
        return;
    elsif cardinality(p_subjects) <> cardinality(p_payloads) then
        perform fetchq.refuse('documents', 'the arrays differ in length');
    end if;
    if p_key is not null then
        v_rows := fetchq.repeat_begin(q, 'append', p_key, p_subjects, v_subjects, p_now);
        if v_rows is not null then
            return query select * from unnest(v_rows);
            return;
        end if;
    end if;
    v_rows := array(
        select r from fetchq.doc_push_many(p_queue, v_subjects, p_payloads, p_versions, p_priorities, p_dates, p_delays, p_on_conflict, p_now,
            p_by) r);
    if p_key is not null then
        perform fetchq.repeat_end(q, 'append', p_key, v_rows);
    end if;
    return query select * from unnest(v_rows);
end $$;

-- doc_push pushes one document if its subject is free. It returns 1, or 0 where the subject is taken.
create function fetchq.doc_push(
    p_queue text, p_subject text, p_version integer default 0, p_priority integer default 0,
    p_next_iteration timestamptz default null, p_payload jsonb default '{}'
) returns integer
language sql as $$
    select (fetchq.one(r) = 'created')::integer
    from fetchq.doc_push_many(p_queue, array[p_subject], array[p_payload], array[p_version], array[p_priority], array[p_next_iteration]) r
$$;

-- doc_append pushes one document under a new subject, and returns the subject.
create function fetchq.doc_append(p_queue text, p_payload jsonb default '{}', p_version integer default 0, p_priority integer default 0)
returns text
language sql as $$
    select case fetchq.one(r) when 'created' then (r).subject end
    from fetchq.doc_append_many(p_queue, array[p_payload], array[p_version], array[p_priority]) r
$$;

-- doc_upsert pushes one document, or gives the one that has the subject the new values. It returns created or updated.
-- FQ007: a worker holds the document.
create function fetchq.doc_upsert(
    p_queue text, p_subject text, p_version integer default 0, p_priority integer default 0,
    p_next_iteration timestamptz default null, p_payload jsonb default '{}'
) returns text
language sql as $$
    select fetchq.one(r)
    from fetchq.doc_push_many(p_queue, array[p_subject], array[p_payload], array[p_version], array[p_priority], array[p_next_iteration],
        null, 'update') r
$$;

-- one returns the outcome of a call for a single document, or raises what went wrong as an error: FQ001 invalid, FQ004
-- not_found, FQ005 stale, FQ007 active.
create function fetchq.one(r fetchq.result) returns text
language plpgsql as $$
begin
    case r.outcome
    when 'invalid' then perform fetchq.refuse(split_part(r.detail, ' ', 1), r.detail);
    when 'not_found' then raise exception using errcode = 'FQ004', column = 'subject', message = 'there is no such document';
    when 'stale' then raise exception using errcode = 'FQ005', column = 'lease', message = 'the lease is over';
    when 'active' then raise exception using errcode = 'FQ007', message = 'the document is held by a worker; release it first';
    else return r.outcome;
    end case;
    return null;
end $$;
