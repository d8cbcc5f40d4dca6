-- Logs: lines about documents that come from outside a resolution, and the trace of a subject.

-- log_add_many writes lines of one kind (0 note, 1 error), one for each of p_messages. A subject needs no document; where
-- it has one, the line takes its attempt. Messages are kept up to 10 KB and details up to 256 KB; a cut is marked.
create function fetchq.log_add_many(
    p_queue    text,
    p_kind     integer,
    p_subjects text[],
    p_messages text[],
    p_details  jsonb[]     default null,
    p_ref_ids  text[]      default null,
    p_worker   text        default null,
    p_now      timestamptz default clock_timestamp()
) returns void
language plpgsql as $$
declare
    n constant integer := coalesce(cardinality(p_messages), 0);
begin
    perform fetchq.queue_find(p_queue);
    if n = 0 then
        return;
    elsif n > 10000 then
        perform fetchq.refuse('logs', format('the call has %s lines; 10000 are allowed', n));
    elsif cardinality(p_subjects) <> n or cardinality(p_details) <> n or cardinality(p_ref_ids) <> n then
        perform fetchq.refuse('logs', 'the arrays differ in length');
    elsif p_kind not in (0, 1) or p_kind is null then
        perform fetchq.refuse('kind', '0 (note) or 1 (error) is wanted');
    elsif array_position(p_messages, null) is not null then
        perform fetchq.refuse('message', 'each line has a message');
    elsif exists (select from unnest(p_subjects) s where octet_length(s) not between 1 and 255) then
        perform fetchq.refuse('subject', 'a subject has 1 to 255 bytes');
    elsif exists (select from unnest(p_ref_ids) r where octet_length(r) > 255) then
        perform fetchq.refuse('ref_id', 'a ref_id has up to 255 bytes');
    elsif octet_length(p_worker) > 255 then
        perform fetchq.refuse('worker', format('worker has %s bytes; 255 are allowed', octet_length(p_worker)));
    end if;
    execute format($t$
        with line as materialized (
            select u.*, d.attempts, d.version, case when $1 = 1 then fetchq.error_pattern(message) end as pattern
            from unnest($2, $3, $4, $5) with ordinality u (subject, message, details, ref_id, ord)
                left join lateral (select attempts, version from %1$I.docs where subject = u.subject) d on true
        ), written as (
            insert into %1$I.logs (created_at, kind, attempt, subject, message, ref_id, worker, details, fingerprint)
            select $7, $1, attempts, subject, fetchq.cut_text(message, 10240), ref_id, $6, fetchq.cut_json(details, 262144), fetchq.pattern_code(pattern)
            from line order by ord
        )%2$s
        insert into %1$I.deltas (version, ev_errors, ev_logs)
        select coalesce(version, 0), $1 * count(*), count(*) from line group by 1 $t$, 'q_' || p_queue, case when p_kind = 1 then
            fetchq.error_deltas_text('q_' || p_queue, 'select $7, version, subject, message, pattern from line') end)
    using p_kind, p_subjects, p_messages, p_details, p_ref_ids, p_worker, p_now;
    perform fetchq.touch(p_queue, 'fold', p_now + interval '1 second');
end $$;

-- log_last_error returns the moment of the youngest error in a queue's log, or null where it has none. It looks at 10,000 lines: where
-- these are notes alone, and there may be more, it returns the moment of the oldest of them, for no error is younger.
create function fetchq.log_last_error(p_queue text) returns timestamptz
language plpgsql stable as $$
declare
    v timestamptz;
begin
    execute format($t$
        select case when count(*) filter (where kind = 1) > 0 then max(created_at) filter (where kind = 1)
            when count(*) = $1 then min(created_at) end
        from (select created_at, kind from %I.logs order by created_at desc, id desc limit $1) l $t$, 'q_' || p_queue)
    into v using 10000;
    return v;
end $$;

-- trace returns where a subject stands in all queues, or in those of p_queues.
create function fetchq.trace(p_subject text, p_queues text[] default null) returns table (
    queue text, subject text, seq bigint, status smallint, payload jsonb, version smallint, priority smallint, attempts integer,
    iterations integer, next_iteration timestamptz, created_at timestamptz, last_iteration timestamptz, picked_at timestamptz, worker text)
language plpgsql stable as $$
declare
    v_queue text;
begin
    for v_queue in select name from fetchq.queues where p_queues is null or name = any (p_queues) order by name loop
        begin
            return query execute format($t$
                select $1, subject::text, seq, status, payload, version, priority, attempts, iterations, next_iteration, created_at,
                    last_iteration, picked_at, worker
                from %I.docs where subject = $2 $t$, 'q_' || v_queue)
            using v_queue, p_subject;
        exception when undefined_table or invalid_schema_name then
            null; -- dropped in this moment
        end;
    end loop;
end $$;

-- trace_logs returns the last p_limit lines about a subject in each of these queues, newest first.
create function fetchq.trace_logs(p_subject text, p_queues text[] default null, p_limit integer default 200) returns table (
    queue text, id bigint, created_at timestamptz, kind smallint, subject text, message text, details jsonb, ref_id text, worker text,
    attempt integer, fingerprint bigint)
language plpgsql stable as $$
declare
    v_queue text;
begin
    for v_queue in select name from fetchq.queues where p_queues is null or name = any (p_queues) order by name loop
        begin
            return query execute format($t$
                select $1, id, created_at, kind, subject::text, message, details, ref_id, worker, attempt, fingerprint
                from %I.logs where subject = $2 order by created_at desc, id desc limit $3 $t$, 'q_' || v_queue)
            using v_queue, p_subject, p_limit;
        exception when undefined_table or invalid_schema_name then
            null; -- dropped in this moment
        end;
    end loop;
end $$;
