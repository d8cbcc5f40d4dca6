-- How operations change documents: a batch at a time, each in one transaction with how far the operation has come.

-- operation_step makes the next batch of an operation that a node has claimed: it changes up to p_size documents, looks at ten times as
-- many to find them, and writes where it left off. It waits for no document: what others hold it comes back to, for 30 seconds. Only a move may
-- wait, for half a second, where its subject is being inserted elsewhere; it fails then (55P03). With p_later what is next is put with what was
-- locked, untried; without p_behind that is left for a later batch, unless nothing else is left.
--
-- It returns the state behind it (lost: the claim is over), how much it did (looks, changes, failures; 0 where all that is left is locked), how
-- many documents it changed, and what became pending, by version and priority with the lowest date of each; of a move, in to_queue.
create function fetchq.operation_step(
    p_id uuid, p_node text, p_size integer default 1000, p_now timestamptz default clock_timestamp(), p_behind boolean default true,
    p_later boolean default false,
    out state text, out items integer, out changed integer, out versions integer[], out priorities integer[], out dates timestamptz[],
    out counts integer[])
language plpgsql
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off set lock_timeout = '500ms'
as $$
declare
    o        fetchq.operations := fetchq.operation_held(p_id, p_node);
    q        fetchq.queues;
    f        fetchq.document_filter;
    v_leaves text[];
    v_find   text[];
    v_found  record;
    v_leaf   integer;
    v_here   text[];
    v_act    record;
    v_busy   text[] := '{}';
    v_tried  integer := 0; -- of what was locked
    v_done   constant bigint := o.done;
    v_next   timestamptz; -- the first date of what was planned
begin
    items := 0;
    changed := 0;
    if o.id is null then
        state := 'lost';
        return;
    end if;
    q := fetchq.operation_queue(o);
    f := fetchq.document_filter_of(o.filter);
    v_leaves := fetchq.leaves(q);
    if o.walk is null then
        o := fetchq.operation_begin(o, f, q);
    end if;
    -- What was locked comes first. While that is as much as a batch takes, nothing is put to it.
    if p_behind or o.walked then
        v_tried := least(cardinality(o.behind), p_size);
    end if;
    v_find := o.behind[1 : v_tried];
    if v_tried < p_size and not o.walked then
        v_found := fetchq.operation_find(o, f, v_leaves, p_size - v_tried);
        o := v_found.op;
        v_find := v_find || v_found.subjects;
        items := v_found.looked;
    end if;
    if p_later then
        v_busy := v_find;
        v_find := '{}';
    end if;
    for v_leaf, v_here in select * from fetchq.operation_leaves(q, v_find) loop
        v_act := fetchq.operation_act(o, f, v_leaves[v_leaf + 1], v_here, p_now);
        items := items + v_act.done + v_act.left_alone + coalesce(cardinality(v_act.wrong), 0);
        o.done := o.done + v_act.done;
        o.left_alone := o.left_alone + v_act.left_alone;
        o := fetchq.operation_note(o, null, v_act.wrong, v_act.details);
        v_busy := v_busy || v_act.busy;
        v_next := least(v_next, v_act.planned);
        versions := versions || v_act.versions; priorities := priorities || v_act.priorities;
        dates := dates || v_act.dates; counts := counts || v_act.counts;
    end loop;
    changed := o.done - v_done;
    if changed > 0 then
        perform fetchq.touch(o.queue, 'fold', p_now + interval '1 second');
        if o.to_queue is not null then
            perform fetchq.touch(o.to_queue, 'fold', p_now + interval '1 second');
        end if;
    end if;
    if v_next is not null then
        perform fetchq.touch(coalesce(o.to_queue, o.queue), 'mark_due', v_next);
    end if;
    o := fetchq.operation_wait(o, v_tried, v_busy, p_now);
    if o.walked and o.behind = '{}' then
        o.state := 'done';
    end if;
    perform fetchq.operation_write(o, p_now);
    state := o.state;
end $$;

-- operation_held returns an operation that a node has claimed, and holds it until the transaction ends; a null row where the claim is over.
create function fetchq.operation_held(p_id uuid, p_node text) returns fetchq.operations
language sql as $$
    select * from fetchq.operations where id = p_id and claimed_by = p_node and state = 'running' for update
$$;

-- operation_queue returns the queue of an operation. FQ004: it or to_queue is gone, or is another one of the same name.
create function fetchq.operation_queue(o fetchq.operations) returns fetchq.queues
language plpgsql stable as $$
declare
    q fetchq.queues := fetchq.queue_find(o.queue);
begin
    if q.created_at > o.created_at then
        raise exception using errcode = 'FQ004', column = 'queue', message = 'the queue was made anew since this was asked for';
    elsif o.to_queue is not null then
        if (fetchq.queue_find(o.to_queue)).created_at > o.created_at then
            raise exception using errcode = 'FQ004', column = 'to_queue', message = 'to_queue was made anew since this was asked for';
        end if;
    end if;
    return q;
end $$;

-- operation_leaves returns subjects by the leaf in which each stands.
create function fetchq.operation_leaves(q fetchq.queues, p_subjects text[]) returns table (leaf integer, subjects text[])
language sql stable as $$
    select 0, p_subjects where q.partitions = 1 and p_subjects <> '{}'
    union all
    (select fetchq.partition_of(s, q.partitions), array_agg(s order by s collate "C") from unnest(p_subjects) s where q.partitions > 1
    group by 1 order by 1)
$$;

-- operation_write writes how far an operation has come, and lengthens its claim; one that is over is let go.
create function fetchq.operation_write(o fetchq.operations, p_now timestamptz) returns void
language sql as $$
    update fetchq.operations set
        state = o.state, finished_at = case when o.state = 'done' then p_now end,
        claimed_by = case when o.state = 'running' then o.claimed_by end,
        claimed_until = case when o.state = 'running' then p_now + interval '10 seconds' end,
        walk = o.walk, walked = o.walked, leaf = o.leaf, at_subject = o.at_subject, at_date = o.at_date, at_seq = o.at_seq,
        part = o.part, place = o.place, line = o.line, behind = o.behind, behind_since = o.behind_since,
        total = o.total, looked = o.looked, done = o.done, created = o.created, left_alone = o.left_alone, failed = o.failed,
        failures = 0, error = null
    where id = o.id
$$;

-- operation_note counts failures, and keeps the first 1,000 of an operation.
create function fetchq.operation_note(o fetchq.operations, p_lines bigint[], p_subjects text[], p_details text[]) returns fetchq.operations
language plpgsql as $$
begin
    if o.failed < 1000 and cardinality(p_details) > 0 then
        insert into fetchq.operation_failures (operation, number, line, subject, detail)
        select o.id, o.failed + ord, line, subject, fetchq.cut_text(detail, 1000)
        from unnest(p_lines, p_subjects, p_details) with ordinality u (line, subject, detail, ord)
        where o.failed + ord <= 1000;
    end if;
    o.failed := o.failed + coalesce(cardinality(p_details), 0);
    return o;
end $$;

-- operation_wait keeps what was locked for the next batch. What has been so for 30 seconds is a failure.
create function fetchq.operation_wait(o fetchq.operations, p_tried integer, p_busy text[], p_now timestamptz) returns fetchq.operations
language plpgsql as $$
declare
    v_over text[];
begin
    if p_busy = '{}' and o.behind = '{}' then
        return o; -- as mostly
    end if;
    select coalesce(array_agg(subject order by since, subject) filter (where not over), '{}'),
        coalesce(array_agg(since order by since, subject) filter (where not over), '{}'),
        array_agg(subject order by subject) filter (where over)
    into o.behind, o.behind_since, v_over
    from (
        select subject, since, since <= p_now - interval '30 seconds' as over from (
            select u.subject, coalesce(b.since, p_now) as since
            from unnest(p_busy) u (subject) left join unnest(o.behind, o.behind_since) b (subject, since) on b.subject = u.subject
            union all
            select subject, since from unnest(o.behind[p_tried + 1 :], o.behind_since[p_tried + 1 :]) b (subject, since)
        ) w
    ) w;
    return fetchq.operation_note(o, null, v_over,
        array_fill('the document was locked by other work for 30 seconds'::text, array[coalesce(cardinality(v_over), 0)]));
end $$;

-- operation_find returns up to p_limit subjects that are next on the operation's way, and the operation behind them.
create function fetchq.operation_find(
    o fetchq.operations, f fetchq.document_filter, p_leaves text[], p_limit integer,
    out op fetchq.operations, out subjects text[], out looked integer)
language plpgsql as $$
declare
    v_bytes constant bigint := case when o.to_queue is not null then 4194304 else 9223372036854775807 end; -- of payloads that travel
    v_looks constant integer := least(10 * p_limit, 20000);
    v_next  integer := p_limit; -- rows of the next look: mostly all of them fit
    v       record;
begin
    looked := 0;
    subjects := '{}';
    if o.walk = 'list' then
        v := fetchq.operation_slice(o, p_limit, v_bytes);
        o := v.op;
        subjects := v.subjects;
        o.looked := o.looked + cardinality(subjects);
    end if;
    while o.walk <> 'list' and not o.walked and looked < v_looks and cardinality(subjects) < p_limit and (v_bytes > 4194304 or subjects = '{}') loop
        if o.walk = 'error' then
            v := fetchq.operation_error_look(o, f, v_next, p_limit - cardinality(subjects), v_bytes);
        else
            v := fetchq.operation_look(o, f, p_leaves[o.leaf + 1], v_next, p_limit - cardinality(subjects), v_bytes);
        end if;
        v_next := v_looks - looked - v.looked;
        looked := looked + v.looked;
        o.looked := o.looked + v.looked;
        subjects := subjects || v.subjects;
        if v.ended then
            o.leaf := o.leaf + 1;
            o.at_subject := null; o.at_date := null; o.at_seq := null;
            o.walked := o.walk = 'error' or o.leaf = cardinality(p_leaves);
        elsif v.looked > 0 then
            o.at_subject := v.at_subject; o.at_date := v.at_date; o.at_seq := v.at_seq;
        end if;
    end loop;
    op := o;
end $$;

-- operation_slice returns the next subjects of a list: up to p_limit, whose payloads take up to p_bytes. A part that was read to its end goes.
create function fetchq.operation_slice(o fetchq.operations, p_limit integer, p_bytes bigint, out op fetchq.operations, out subjects text[])
language plpgsql as $$
declare
    v_held integer;
    v_fit  integer;
begin
    select p.subjects[o.place + 1 : o.place + p_limit], cardinality(p.subjects) into subjects, v_held
    from fetchq.operation_parts p where p.operation = o.id and p.part = o.part;
    subjects := coalesce(subjects, '{}');
    if o.to_queue is not null then
        execute format($t$
            select count(*) from (
                select sum(d.size) over (order by u.ord) - d.size as before
                from unnest($1) with ordinality u (subject, ord)
                    left join lateral (select size from %I.docs where subject = u.subject limit 1) d on true
            ) t where (before < $2) is not false $t$, 'q_' || o.queue)
        into v_fit using subjects, p_bytes;
        subjects := subjects[1 : greatest(v_fit, 1)];
    end if;
    o.place := o.place + cardinality(subjects);
    if o.place >= coalesce(v_held, 0) then
        delete from fetchq.operation_parts p where p.operation = o.id and p.part = o.part;
        o.part := o.part + 1;
        o.place := 0;
        o.walked := not exists (select from fetchq.operation_parts p where p.operation = o.id and p.part = o.part);
    end if;
    op := o;
end $$;
