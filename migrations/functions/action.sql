-- Actions of resolutions and admins: what they may say, and what a forward does elsewhere.

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

-- action_code is how docs.ended tells which action ended a lease; 0 is none.
create function fetchq.action_code(p_action text) returns smallint
language sql immutable as $$
    select case p_action when 'complete' then 1 when 'reschedule' then 2 when 'reject' then 3 when 'kill' then 4 when 'drop' then 5
        when 'forward' then 6 else 0 end::smallint
$$;

-- forward pushes what resolutions hand on, queue by queue, and writes exists into the answer where a subject is taken. What
-- a push refuses was checked before, so that it is an error here: else the document would be nowhere.
create function fetchq.forward(p_rows fetchq.result[], p_items jsonb[], p_now timestamptz, p_by text[]) returns fetchq.result[]
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
                null, 'ignore', p_now,
                case when cardinality(p_by) > 1 then array(select p_by[(i ->> 'ord')::integer] from unnest(v_items) with ordinality u (i, o) order by o) else p_by end)
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
