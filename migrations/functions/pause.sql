-- Pauses: of a queue, or of one payload version of it.

-- queue_pause stops a queue, or one payload version of it, from handing out documents, until p_until, for p_for, or until
-- queue_resume. drain: those that are held are worked on to their ends. at_once: their leases end too, as by an admin's
-- release, now or where something is in the way by the job orphans; and none can be extended.
create function fetchq.queue_pause(
    p_queue text, p_reason text default null, p_until timestamptz default null, p_for interval default null,
    p_kind text default 'drain', p_version integer default null, p_now timestamptz default clock_timestamp()
) returns fetchq.queues
language plpgsql as $$
declare
    q fetchq.queues := fetchq.queue_find(p_queue);
    v_until constant timestamptz := fetchq.date_of(p_until, p_for, null, clock_timestamp());
begin
    if octet_length(p_reason) > 1000 then
        perform fetchq.refuse('reason', format('the reason has %s bytes; 1000 are allowed', octet_length(p_reason)));
    end if;
    if v_until <= clock_timestamp() then
        perform fetchq.refuse('until', 'the end of a pause lies ahead');
    elsif v_until > '9999-12-31 23:59:59+00' or v_until is null and p_for is not null then
        perform fetchq.refuse('until', 'the end of a pause lies ahead, and before the year 10000');
    end if;
    if p_kind is null or p_kind not in ('drain', 'at_once') then
        perform fetchq.refuse('kind', 'drain or at_once is wanted');
    elsif p_version not between 0 and 32767 then
        perform fetchq.refuse('version', format('version is %s; 0 to 32767 are allowed', p_version));
    end if;
    if p_version is null then
        update fetchq.queues set paused = true, pause_reason = p_reason, paused_until = v_until, pause_kind = p_kind
        where name = p_queue returning * into q;
    else
        update fetchq.queues set version_pauses = coalesce(version_pauses, '{}') || jsonb_build_object(p_version::text,
            jsonb_build_object('kind', p_kind, 'reason', p_reason, 'until', v_until))
        where name = p_queue returning * into q;
        if (select count(*) from jsonb_object_keys(q.version_pauses)) > 100 then
            perform fetchq.refuse('version', '100 versions of this queue are paused one by one; pause the queue instead');
        end if;
    end if;
    if p_kind = 'at_once' then
        perform fetchq.take_back(q, 10000, p_now);
        perform fetchq.touch(p_queue, 'orphans', clock_timestamp());
    end if;
    return q;
end $$;

-- queue_resume ends the pause of a queue, or that of one payload version.
create function fetchq.queue_resume(p_queue text, p_version integer default null) returns fetchq.queues
language plpgsql as $$
declare
    q fetchq.queues;
begin
    perform fetchq.queue_find(p_queue);
    if p_version is null then
        update fetchq.queues set paused = false, pause_reason = null, paused_until = null, pause_kind = 'drain'
        where name = p_queue returning * into q;
    else
        update fetchq.queues set version_pauses = nullif(version_pauses - p_version::text, '{}') where name = p_queue returning * into q;
    end if;
    return q;
end $$;

-- take_back releases up to p_limit documents whose leases live although their queue or version is paused at once. It leaves
-- those alone that somebody else has locked.
create function fetchq.take_back(q fetchq.queues, p_limit integer, p_now timestamptz) returns setof fetchq.result
language plpgsql set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
    v_versions constant integer[] := array(select version from fetchq.pauses(q, p_now) where kind = 'at_once');
    v_subjects text[] := '{}';
    v_leases   bigint[] := '{}';
    v_some     record;
    v_leaf     text;
begin
    if v_versions = '{}' then
        return;
    end if;
    foreach v_leaf in array fetchq.leaves(q) loop
        execute format($t$
            select array_agg(subject) as subjects, array_agg(lease) as leases from (
                select subject, lease from %I.%I
                where status = 2 and next_iteration > $1 and ($2 is null or version = any ($2))
                limit $3
                for update skip locked) held $t$, 'q_' || q.name, v_leaf)
        into v_some using p_now, case when array_position(v_versions, null) is null then v_versions end, p_limit - cardinality(v_subjects);
        v_subjects := v_subjects || v_some.subjects;
        v_leases := v_leases || v_some.leases;
        exit when cardinality(v_subjects) >= p_limit;
    end loop;
    if v_subjects <> '{}' then
        return query select * from fetchq.doc_put_back(q.name, v_subjects, v_leases, p_now);
    end if;
end $$;
