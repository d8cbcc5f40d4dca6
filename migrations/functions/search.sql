-- Looks into many queues in one call.
--
-- A call takes a lock on each table and index that it reads, and keeps it until its transaction ends; the server has room for
-- some thousands of these, for all sessions together. So each visit is a subtransaction that ends in FQ000, which gives its locks
-- back; what it read stands in variables, which no rollback touches.

-- subject_search finds documents by the beginning of their subjects, in all queues or in those of p_queues: first those whose
-- subject is p_text, then others, each in the order of queue and subject, p_limit at most. p_end is the first text behind all
-- that begin with p_text; null: there is none. It visits the first p_visits queues by name, and reads of each only the range
-- of the primary key that may be shown.
create function fetchq.subject_search(
    p_text text, p_end text, p_queues text[] default null, p_limit integer default 50, p_visits integer default 1000
) returns table (queue text, subject text, status smallint, exact boolean)
language plpgsql stable set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
    v_queue    text;
    v_found    text[];
    v_statuses smallint[];
    v_others   integer := 0; -- hits that are not exact; when there are enough, the queues behind are asked for the exact one only
    v_queues   text[] := '{}';
    v_subjects text[] := '{}';
    v_all      smallint[] := '{}';
begin
    for v_queue in
        select name from fetchq.queues where p_queues is null or name = any (p_queues) order by name limit p_visits
    loop
        begin
            execute format($t$
                select array_agg(d.subject), array_agg(d.status)
                from (
                    select subject, status from %I.docs
                    where subject >= $1 and ($2 is null or subject < $2) and ($3 > 0 or subject = $1)
                    order by subject limit $3 + 1
                ) d $t$, 'q_' || v_queue)
            into v_found, v_statuses using p_text, p_end, p_limit - v_others;
            raise exception using errcode = 'FQ000';
        exception
            when sqlstate 'FQ000' then null;
            when invalid_schema_name or undefined_table then continue; -- it was dropped in this moment
        end;
        continue when v_found is null;
        v_queues := v_queues || array_fill(v_queue, array[cardinality(v_found)]);
        v_subjects := v_subjects || v_found;
        v_all := v_all || v_statuses;
        v_others := least(p_limit, v_others + cardinality(v_found) - (v_found[1] = p_text)::integer);
    end loop;
    return query
        select u.*, u.subject = p_text from unnest(v_queues, v_subjects, v_all) u (queue, subject, status)
        order by u.subject = p_text desc, u.queue collate "C", u.subject collate "C" limit p_limit;
end $$;

-- log_visit finds the newest p_limit lines of one kind in a queue that stand before (p_at, p_id) and not before p_from, among the
-- first p_looks lines there, or among those of one fingerprint. The edge is the last of these where they are so many and had too few to show.
create function fetchq.log_visit(
    p_queue text, p_kind integer, p_subject text, p_text text, p_from timestamptz, p_to timestamptz, p_at timestamptz, p_id bigint,
    p_limit integer, p_looks integer, p_fingerprint bigint, out dates timestamptz[], out ids bigint[], out edge_at timestamptz, out edge_id bigint)
language plpgsql stable set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
    -- The order of a group names the fingerprint, and no condition makes it a constant: else the planner may come by the dates of all lines.
    v_looked constant text := case when p_fingerprint is null then $t$ (
        select * from %I.logs
        where (created_at, id) < ($1, $2) and created_at >= $3 and ($4 is null or created_at < $4) and ($5 is null or subject = $5)
        order by created_at desc, id desc limit $6
    ) looked $t$ else $t$ (
        select * from %I.logs
        where fingerprint >= $10 and (fingerprint, created_at, id) < ($10, $1, $2) and (fingerprint, created_at) >= ($10, $3)
            and ($4 is null or (fingerprint, created_at) < ($10, $4)) and ($5 is null or subject = $5)
        order by fingerprint desc, created_at desc, id desc limit $6
    ) looked $t$ end;
begin
    execute format('select array_agg(created_at), array_agg(id) from (select created_at, id from' || v_looked || $t$
        where kind = $7 and ($8 is null or position(lower($8) in lower(message)) > 0)
        order by created_at desc, id desc limit $9) found $t$, 'q_' || p_queue)
    into dates, ids using p_at, p_id, p_from, p_to, p_subject, p_looks, p_kind, p_text, p_limit, p_fingerprint;
    if dates is null or cardinality(dates) < p_limit then
        execute format('select created_at, id from' || v_looked || 'offset $6 - 1', 'q_' || p_queue)
        into edge_at, edge_id using p_at, p_id, p_from, p_to, p_subject, p_looks, p_kind, p_text, p_limit, p_fingerprint;
    end if;
    raise exception using errcode = 'FQ000';
exception
    when sqlstate 'FQ000' then null;
    when invalid_schema_name or undefined_table then null; -- it was dropped in this moment
end $$;

-- log_search returns lines of one kind (0 note, 1 error) of all queues, or of those of p_queues, in the order of (created_at, queue,
-- id), the newest first: p_limit that stand before (p_at, p_queue, p_id) in it; p_at null: the newest of all.
--
-- Of each queue it looks at p_looks lines. Where a queue has more and too few to show are among them, nothing is known of what
-- stands behind: the answer is short, and ends in a row without a kind that is the place to go on from.
--
-- For errors it visits the queues by their last_error_at, and ends where none of those that follow can have one that is as young as
-- what was found. So an error that is not folded yet may be missing.
create function fetchq.log_search(
    p_kind integer, p_queues text[], p_subject text, p_text text, p_from timestamptz, p_to timestamptz,
    p_at timestamptz, p_queue text, p_id bigint, p_limit integer, p_looks integer default 10000,
    p_fingerprint bigint default null
) returns table (
    queue text, id bigint, created_at timestamptz, kind smallint, subject text, message text, details jsonb, ref_id text, worker text,
    attempt integer, fingerprint bigint)
language plpgsql stable as $$
declare
    v_name   text;
    v_last   timestamptz;
    v        record;
    v_floor  timestamptz := coalesce(p_from, '-infinity'); -- what is older is not in the answer
    -- The answer so far, in its order, and where it ends if it is short.
    v_dates  timestamptz[] := '{}';
    v_queues text[] := '{}';
    v_ids    bigint[] := '{}';
    v_edge_at    timestamptz;
    v_edge_queue text;
    v_edge_id    bigint;
begin
    for v_name, v_last in
        select q.name, s.last_error_at from fetchq.queues q left join fetchq.queue_states s on s.queue = q.name
        where (p_queues is null or q.name = any (p_queues)) and (p_kind = 0 or s.last_error_at is not null)
        order by case when p_kind = 1 then s.last_error_at end desc, q.name
    loop
        exit when p_kind = 1 and v_last < v_floor;
        -- The lines of one moment are those of the queue with the highest name first.
        v := fetchq.log_visit(v_name, p_kind, p_subject, p_text, v_floor, p_to, coalesce(p_at, 'infinity'), case
            when p_at is null or v_name collate "C" < p_queue then 9223372036854775807
            when v_name = p_queue then p_id
            else 0 end, p_limit, p_looks, p_fingerprint);
        if v.edge_at is not null and (v_edge_at is null or (v.edge_at, v_name collate "C", v.edge_id) > (v_edge_at, v_edge_queue, v_edge_id)) then
            v_edge_at := v.edge_at; v_edge_queue := v_name; v_edge_id := v.edge_id;
        end if;
        if v.dates is not null then
            select array_agg(u.at), array_agg(u.name), array_agg(u.id) into v_dates, v_queues, v_ids
            from (
                select * from unnest(v_dates || v.dates, v_queues || array_fill(v_name, array[cardinality(v.dates)]), v_ids || v.ids) u (at, name, id)
                order by u.at desc, u.name collate "C" desc, u.id desc limit p_limit
            ) u;
        end if;
        v_floor := greatest(v_floor, v_edge_at, v_dates[p_limit]);
    end loop;
    for i in 1 .. cardinality(v_dates) loop
        exit when (v_dates[i], v_queues[i] collate "C", v_ids[i]) < (v_edge_at, v_edge_queue, v_edge_id);
        return query execute format($t$
            select $1, id, created_at, kind, subject::text, message, details, ref_id, worker, attempt, fingerprint
            from %I.logs where created_at = $2 and id = $3 $t$, 'q_' || v_queues[i])
        using v_queues[i], v_dates[i], v_ids[i];
        if i = p_limit then
            return;
        end if;
    end loop;
    if v_edge_at is not null then
        return query select v_edge_queue, v_edge_id, v_edge_at, null::smallint, null, '', null::jsonb, null, null, null::integer, null::bigint;
    end if;
end $$;
