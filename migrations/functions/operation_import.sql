-- Imports: lines that were stored first, in parts of whole lines, and are pushed in batches by whichever node has a hand free. What stands
-- in a line is read by the program; SQL keeps what was read and how far it is.

-- import_begin writes an import whose lines are about to come, in state uploading. An upload that gives nothing for five minutes has
-- broken off. made is false where an import was asked for under the same key before; of its text, when that has come, body is a hash.
create function fetchq.import_begin(
    p_queue text, p_format text, p_columns text[], p_on_conflict text, p_by text, p_as text, p_from text, p_request_id text, p_key text,
    p_now timestamptz default clock_timestamp(), out made boolean, out op fetchq.operations)
language plpgsql as $$
declare
    o fetchq.operations := fetchq.operation_empty(p_queue, 'import', p_now);
    v record;
begin
    perform fetchq.queue_find(p_queue);
    if p_on_conflict is null or p_on_conflict not in ('ignore', 'update') then
        perform fetchq.refuse('on_conflict', 'ignore or update is wanted');
    end if;
    o.state := 'uploading'; o.claimed_until := p_now + interval '5 minutes'; o.total := 0;
    o.format := p_format; o.columns := p_columns; o.on_conflict := p_on_conflict;
    o.asked_by := p_by; o.asked_as := p_as; o.asked_from := p_from; o.request_id := p_request_id; o.key := p_key;
    o.asked := fetchq.asked(row(p_queue, p_format, p_columns, p_on_conflict)::text);
    v := fetchq.operation_insert(o);
    made := v.made;
    op := v.op;
end $$;

-- import_store adds the next part of an upload (null: none), and notes lines that were refused as they came. It returns how many bytes this
-- import has, and how many of all imports that are not done are stored by now. FQ004: the import was canceled, or broke off.
create function fetchq.import_store(
    p_id uuid, p_part integer, p_line bigint, p_data bytea, p_bad_lines bigint[] default null, p_bad_details text[] default null,
    p_now timestamptz default clock_timestamp(), out own bigint, out stored bigint)
language plpgsql as $$
declare
    o fetchq.operations;
begin
    select * into o from fetchq.operations where id = p_id and state = 'uploading' for update;
    if not found then
        raise exception using errcode = 'FQ004', column = 'id', message = 'the import was canceled meanwhile, or took too long to come';
    end if;
    o := fetchq.operation_note(o, p_bad_lines, null, p_bad_details);
    own := o.total + coalesce(octet_length(p_data), 0);
    if own > o.total then
        insert into fetchq.operation_parts (operation, part, line, data) values (p_id, p_part, p_line, p_data);
    end if;
    update fetchq.operations set total = own, failed = o.failed, claimed_until = p_now + interval '5 minutes' where id = p_id;
    select sum(total - looked) into stored from fetchq.operations where action = 'import' and state in ('uploading', 'waiting', 'running');
end $$;

-- import_end puts an import that has come in whole in its queue's line, or, where p_error says why it did not, ends it, and frees its key: it may
-- be sent again. p_body is a hash of the text.
create function fetchq.import_end(p_id uuid, p_error text default null, p_body bytea default null, p_now timestamptz default clock_timestamp())
returns fetchq.operations
language plpgsql as $$
declare
    o fetchq.operations;
begin
    update fetchq.operations set
        state = case when p_error is null then 'waiting' else 'failed' end, error = p_error, claimed_until = null,
        body = p_body, key = case when p_error is null then key end,
        finished_at = case when p_error is not null then p_now end
    where id = p_id and state = 'uploading'
    returning * into o;
    if not found then
        raise exception using errcode = 'FQ004', column = 'id', message = 'the import was canceled meanwhile, or took too long to come';
    end if;
    perform fetchq.operation_tell();
    return o;
end $$;

-- import_step pushes the documents of the next lines of an import that a node has claimed, and notes that it has come from p_from to p_place in
-- the part and to p_line; at the end of the part that goes. p_lines are those of the documents, which stand in the part from p_starts to p_ends;
-- the other lines were refused by the program. It returns what operation_step does; lost also where the import has come elsewhere by now.
--
-- Lines whose documents are locked by others are put off behind the last part, up to 1,000 of them, and for 30 seconds; so are all with
-- p_later. Such a line is a batch of its own: while it must wait, items is 0.
create function fetchq.import_step(
    p_id uuid, p_node text, p_part integer, p_from integer, p_place integer, p_line bigint, p_lines bigint[], p_starts integer[], p_ends integer[],
    p_subjects text[], p_payloads jsonb[], p_versions integer[], p_priorities integer[], p_dates timestamptz[], p_delays interval[],
    p_bad_lines bigint[], p_bad_details text[], p_later boolean default false, p_now timestamptz default clock_timestamp(),
    out state text, out items integer, out changed integer, out versions integer[], out priorities integer[], out dates timestamptz[],
    out counts integer[])
language plpgsql set lock_timeout = '500ms' as $$
declare
    o       fetchq.operations := fetchq.operation_held(p_id, p_node);
    q       fetchq.queues;
    v_late  boolean; -- the line was put off before
    v_held  integer;
    v_busy  integer[]; -- places of documents that are locked
    v_over  text;
    v_ords  integer[]; -- of the others
    v_rows  fetchq.result[];
begin
    items := coalesce(cardinality(p_lines), 0) + coalesce(cardinality(p_bad_lines), 0);
    changed := coalesce(cardinality(p_lines), 0);
    if o.id is null or (o.part, o.place) <> (p_part, p_from) then
        state := 'lost';
        return;
    end if;
    q := fetchq.operation_queue(o);
    select octet_length(p.data), p.subjects is not null into v_held, v_late
    from fetchq.operation_parts p where p.operation = o.id and p.part = o.part;
    v_busy := fetchq.import_busy(o, q, v_late, p_subjects, cardinality(p_lines), p_later);
    if v_late and v_busy <> '{}' and o.behind_since[1] > p_now - interval '30 seconds' then
        items := 0;
        changed := 0;
        perform fetchq.operation_write(o, p_now);
        state := o.state;
        return;
    elsif v_late and v_busy <> '{}' then
        v_over := 'the document was locked by other work for 30 seconds';
    elsif v_busy <> '{}' and cardinality(o.behind) + cardinality(v_busy) > 1000 then
        v_over := 'the document was locked by other work, as those of many lines before';
    elsif v_busy <> '{}' then
        o := fetchq.import_defer(o, p_lines, p_starts, p_ends, p_subjects, v_busy, p_now);
    end if;
    if v_over is not null then
        o := fetchq.operation_note(o, fetchq.at(p_lines, v_busy), fetchq.at(p_subjects, v_busy), array_fill(v_over, array[cardinality(v_busy)]));
    end if;
    if v_late then
        o.behind := o.behind[2 :];
        o.behind_since := o.behind_since[2 :];
    end if;
    if v_busy <> '{}' then
        v_ords := array(select i from generate_subscripts(p_lines, 1) i where i <> all (v_busy) order by i);
        p_lines := fetchq.at(p_lines, v_ords); p_subjects := fetchq.at(p_subjects, v_ords); p_payloads := fetchq.at(p_payloads, v_ords);
        p_versions := fetchq.at(p_versions, v_ords); p_priorities := fetchq.at(p_priorities, v_ords);
        p_dates := fetchq.at(p_dates, v_ords); p_delays := fetchq.at(p_delays, v_ords);
    end if;
    v_rows := array(
        select r from fetchq.doc_append_many(o.queue, p_payloads, p_versions, p_priorities, p_dates, p_delays, null, p_subjects, o.on_conflict, p_now,
            array[fetchq.operation_actor(o)]) r
        where cardinality(p_lines) > 0);
    select o.done + count(*) filter (where r.outcome in ('created', 'updated')), o.created + count(*) filter (where r.outcome = 'created'),
        o.left_alone + count(*) filter (where r.outcome in ('ignored', 'active', 'duplicate'))
    into o.done, o.created, o.left_alone
    from unnest(v_rows) r;
    o := fetchq.operation_note(o, p_bad_lines, null, p_bad_details);
    o := fetchq.operation_note(o,
        array(select p_lines[r.ord] from unnest(v_rows) r where r.outcome = 'invalid' order by r.ord),
        array(select left(r.subject, 255) from unnest(v_rows) r where r.outcome = 'invalid' order by r.ord),
        array(select r.detail from unnest(v_rows) r where r.outcome = 'invalid' order by r.ord));
    select array_agg(m.version), array_agg(m.priority), array_agg(m.date), array_agg(m.n) into versions, priorities, dates, counts
    from (
        select r.version::integer, r.priority::integer, min(r.next_iteration) as date, count(*)::integer as n
        from unnest(v_rows) r where r.status = 1 and r.outcome in ('created', 'updated') group by 1, 2
    ) m;
    o.looked := o.looked + case when v_late then 0 else p_place - o.place end;
    o.place := p_place; o.line := p_line;
    if p_place >= coalesce(v_held, 0) then
        delete from fetchq.operation_parts p where p.operation = o.id and p.part = o.part;
        o.part := o.part + 1;
        o.place := 0;
        if not exists (select from fetchq.operation_parts p where p.operation = o.id and p.part = o.part) then
            o.state := 'done';
        end if;
    end if;
    perform fetchq.operation_write(o, p_now);
    state := o.state;
end $$;

-- import_busy returns the places of those of p_count documents that are to be put off: all with p_later; of an import that updates, those that
-- others hold. The other ones are held when it returns. Lines of one subject stay in their order: behind one that was put off all are.
create function fetchq.import_busy(
    o fetchq.operations, q fetchq.queues, p_late boolean, p_subjects text[], p_count integer, p_later boolean
) returns integer[]
language plpgsql set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
    v_leaves constant text[] := fetchq.leaves(q);
    v_names  text[];
    v_leaf   integer;
    v_here   text[];
    v_locked text[];
    v_all    text[] := case when p_late then '{}' else o.behind end;
begin
    if p_later then
        return array(select generate_series(1, p_count));
    elsif o.on_conflict = 'update' then
        v_names := array(select distinct s collate "C" from unnest(p_subjects) s where s is not null order by 1);
        for v_leaf, v_here in select * from fetchq.operation_leaves(q, v_names) loop
            execute format($t$
                with held as materialized (
                    select subject from %1$I.%2$I where subject = any ($1) order by subject for update skip locked
                )
                select array(
                    select d.subject from %1$I.%2$I d where d.subject = any ($1)
                    except select subject from held) $t$, 'q_' || q.name, v_leaves[v_leaf + 1])
            into v_locked using v_here;
            v_all := v_all || v_locked;
        end loop;
    end if;
    if v_all = '{}' then
        return '{}'; -- as mostly
    end if;
    return array(select ord from unnest(p_subjects) with ordinality u (subject, ord) where subject = any (v_all) order by ord);
end $$;

-- import_defer puts lines off, each as a part of its own behind the last one.
create function fetchq.import_defer(
    o fetchq.operations, p_lines bigint[], p_starts integer[], p_ends integer[], p_subjects text[], p_places integer[], p_now timestamptz
) returns fetchq.operations
language plpgsql as $$
begin
    insert into fetchq.operation_parts (operation, part, line, subjects, data)
    select o.id, m.part + u.ord, p_lines[u.i], array[p_subjects[u.i]], substring(p.data from p_starts[u.i] + 1 for p_ends[u.i] - p_starts[u.i])
    from (select max(part) as part from fetchq.operation_parts where operation = o.id) m
        cross join unnest(p_places) with ordinality u (i, ord)
        join fetchq.operation_parts p on p.operation = o.id and p.part = o.part;
    o.behind := o.behind || fetchq.at(p_subjects, p_places);
    o.behind_since := o.behind_since || array_fill(p_now, array[cardinality(p_places)]);
    return o;
end $$;
