-- Undo of operations: what they keep of the documents that they change, and the operation that puts it back.
--
-- For ten minutes after its end one that killed, rescheduled, set priorities or moved can be undone, if it changed up to 100,000 documents. A
-- document that anybody changed or picked since has another lease number, and is left alone. What a worker held when it was killed or
-- rescheduled is due again, without the attempt. Events stay counted, for they happened.

-- operation_undoable tells whether operations of an action keep what they change.
create function fetchq.operation_undoable(p_action text) returns boolean
language sql immutable as $$
    select p_action in ('kill', 'reschedule', 'set_priority', 'move')
$$;

-- operation_keep keeps documents of a leaf, which are locked, as they are before the operation changes them; the lease is that which they
-- have behind it. Of a move only that is known: it is what they have in to_queue.
create function fetchq.operation_keep(o fetchq.operations, p_leaf text, p_subjects text[], p_lease bigint default null) returns void
language plpgsql as $$
declare
    d fetchq.operation_kept;
begin
    if not fetchq.operation_undoable(o.action) or o.done >= 100000 then
        return;
    elsif p_lease is null then
        execute format($t$
            select array_agg(subject), array_agg(case when $2 = 'set_priority' and status = 2 then lease else lease + 1 end), array_agg(status),
                array_agg(priority), array_agg(attempts), array_agg(iterations), array_agg(next_iteration), array_agg(last_iteration)
            from (select * from %I.%I where subject = any ($1) order by subject) t $t$, 'q_' || o.queue, p_leaf)
        into d using p_subjects, o.action;
    else
        d.subjects := p_subjects;
        d.leases := array_fill(p_lease, array[cardinality(p_subjects)]);
    end if;
    insert into fetchq.operation_undo (operation, subject, lease, status, priority, attempts, iterations, next_iteration, last_iteration)
    select o.id, u.* from unnest(d.subjects, d.leases, d.statuses, d.priorities, d.attempts, d.iterations, d.dates, d.lasts) u;
end $$;

-- operation_undo asks for what an operation did to be put back, by an operation that does it. FQ001 says why it cannot be, FQ004: there is none.
create function fetchq.operation_undo(
    p_id uuid, p_by text default session_user, p_as text default 'sql', p_from text default null, p_request_id text default null,
    p_now timestamptz default clock_timestamp()
) returns fetchq.operations
language plpgsql as $$
declare
    old fetchq.operations;
    o   fetchq.operations;
    v_problem text;
begin
    select * into old from fetchq.operations where id = p_id for update;
    if not found then
        raise exception using errcode = 'FQ004', column = 'id', message = 'there is no such operation';
    end if;
    v_problem := fetchq.operation_undo_problem(old, p_now);
    if v_problem is not null then
        perform fetchq.refuse('id', v_problem);
    end if;
    o := fetchq.operation_empty(coalesce(old.to_queue, old.queue), 'undo', p_now);
    o.to_queue := case when old.action = 'move' then old.queue end;
    o.undoes := old.id;
    o.asked_by := p_by; o.asked_as := p_as; o.asked_from := p_from; o.request_id := p_request_id;
    o.walk := 'list';
    o.total := old.done;
    perform fetchq.operation_queue(o);
    o := (fetchq.operation_insert(o)).op;
    insert into fetchq.operation_parts (operation, part, subjects)
    select o.id, (n - 1) / 10000, array_agg(subject order by n)
    from (select subject, row_number() over (order by subject) as n from fetchq.operation_undo where operation = old.id) t
    group by (n - 1) / 10000;
    return o;
end $$;

-- operation_undo_problem says why an operation cannot be undone; null: it can.
create function fetchq.operation_undo_problem(o fetchq.operations, p_now timestamptz default clock_timestamp()) returns text
language sql stable as $$
    select case
        when not fetchq.operation_undoable(o.action) then format('%s cannot be undone', o.action)
        when o.finished_at is null then 'it is not over; cancel it first'
        when o.done = 0 then 'it changed nothing'
        when o.done > 100000 then 'it changed more than 100,000 documents'
        when o.finished_at < p_now - interval '10 minutes' then 'it ended more than 10 minutes ago'
        when exists (select from fetchq.operations u where u.undoes = o.id) then 'it is undone already'
        when not exists (select from fetchq.queues q where q.name = o.queue and q.created_at <= o.created_at)
            or o.to_queue is not null and not exists (select from fetchq.queues q where q.name = o.to_queue and q.created_at <= o.created_at)
            then 'its queue is gone' end
$$;

-- operation_unchanged returns those of subjects, locked documents of a leaf, that nobody has changed since the operation that is undone.
create function fetchq.operation_unchanged(o fetchq.operations, p_leaf text, p_subjects text[]) returns text[]
language plpgsql as $$
declare
    v_names  text[];
    v_leases bigint[];
    v_same   text[];
begin
    select array_agg(subject), array_agg(lease) into v_names, v_leases
    from fetchq.operation_undo where operation = o.undoes and subject = any (p_subjects);
    execute format($t$
        select array_agg(d.subject order by d.subject) from unnest($1, $2) u (subject, lease)
            cross join lateral (select subject from %I.%I where subject = u.subject and lease = u.lease limit 1) d $t$, 'q_' || o.queue, p_leaf)
    into v_same using v_names, v_leases;
    return v_same;
end $$;

-- operation_revert puts documents back that are locked and that nobody has changed.
create function fetchq.operation_revert(
    o fetchq.operations, p_leaf text, p_subjects text[], p_now timestamptz,
    out done integer, out versions integer[], out priorities integer[], out dates timestamptz[], out counts integer[], out planned timestamptz)
language plpgsql as $$
declare
    q fetchq.queues := fetchq.queue_find(o.queue);
    d fetchq.operation_kept;
    v_only_priority boolean;
begin
    select action = 'set_priority' into v_only_priority from fetchq.operations where id = o.undoes;
    select array_agg(subject), array_agg(lease), array_agg(status), array_agg(priority), array_agg(attempts), array_agg(iterations),
        array_agg(next_iteration), array_agg(last_iteration)
    into d from (select * from fetchq.operation_undo where operation = o.undoes and subject = any (p_subjects) order by subject) t;
    execute format($t$
        with old as materialized (
            select u.*, d.status as was, d.version as was_version
            from unnest(($1).subjects, ($1).statuses, ($1).priorities, ($1).attempts, ($1).iterations, ($1).dates, ($1).lasts) with ordinality
                    u (subject, status, priority, attempts, iterations, next_iteration, last_iteration, ord)
                cross join lateral (select status, version from %1$I.%2$I where subject = u.subject limit 1) d
        ), changed as (
            update %1$I.%2$I d set
                priority = o.priority,
                status = case when $4 then case when d.status in (0, 1) then (d.next_iteration <= $2)::integer else d.status end
                    when o.status = 2 then 1 when o.status in (0, 1) then (o.next_iteration <= $2)::integer else o.status end,
                next_iteration = case when $4 then d.next_iteration when o.status = 2 then $2 else o.next_iteration end,
                attempts = case when $4 then d.attempts when o.status = 2 then greatest(o.attempts - 1, 0) else o.attempts end,
                iterations = case when $4 then d.iterations else o.iterations end,
                last_iteration = case when $4 then d.last_iteration else o.last_iteration end,
                lease = d.lease + (d.status <> 2)::integer,
                ended = case when d.status = 2 then d.ended else 0 end
            from old o where d.subject = o.subject
            returning o.ord, o.was, o.was_version, d.subject, d.status, d.version, d.priority, d.next_iteration, d.attempts, d.lease
        ), counted as (
            insert into %1$I.deltas (version, planned, pending, active, completed, killed)
            select version, sum((status = 0)::integer * n), sum((status = 1)::integer * n), sum((status = 2)::integer * n),
                sum((status = 3)::integer * n), sum((status = -1)::integer * n)
            from (select was_version as version, was as status, -1 as n from changed union all select version, status, 1 from changed) c
            group by version
        ), made as (
            select version, priority, min(next_iteration) as date, count(*) as n from changed where status = 1 group by version, priority
        )%3$s
        select (select count(*) from changed), (select min(next_iteration) from changed where status = 0),
            array_agg(version::integer), array_agg(priority::integer), array_agg(date), array_agg(n::integer)
        from made $t$, 'q_' || o.queue, p_leaf, case when q.journal <> 'off' then fetchq.journal_text(q, $t$
            select ord, 'undo', true, was, status, attempts, lease, next_iteration, null::bigint, subject, null::text, fetchq.operation_actor($3)
            from changed $t$, '$2') end)
    into done, planned, versions, priorities, dates, counts using d, p_now, o, v_only_priority;
end $$;

-- operation_forget removes what is kept of operations that cannot be undone any more, p_limit documents at most, and returns how many went.
create function fetchq.operation_forget(p_limit integer, p_now timestamptz) returns bigint
language sql as $$
    with old as materialized (
        select u.operation, u.subject from fetchq.operations o cross join lateral (
            select operation, subject from fetchq.operation_undo where operation = o.id limit p_limit) u
        where fetchq.operation_undoable(o.action) and (o.finished_at < p_now - interval '10 minutes' or o.finished_at is not null and o.done > 100000)
            and not exists (select from fetchq.operations b where b.undoes = o.id and b.finished_at is null)
        limit p_limit
    ), gone as (
        delete from fetchq.operation_undo u using old where (u.operation, u.subject) = (old.operation, old.subject) returning 1
    )
    select count(*) from gone
$$;
