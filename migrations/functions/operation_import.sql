-- Imports: lines that were stored first, in parts of whole lines, and are pushed in batches by whichever node has a hand free. What stands
-- in a line is read by the program; SQL keeps what was read and how far it is.

-- import_begin writes an import whose lines are about to come, in state uploading. An upload that gives nothing for five minutes has
-- broken off. made is false where an import was asked for under the same key before.
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

-- import_end puts an import that has come in whole in its queue's line, or, where p_error says why it did not, ends it.
create function fetchq.import_end(p_id uuid, p_error text default null, p_now timestamptz default clock_timestamp()) returns fetchq.operations
language plpgsql as $$
declare
    o fetchq.operations;
begin
    update fetchq.operations set
        state = case when p_error is null then 'waiting' else 'failed' end, error = p_error, claimed_until = null,
        finished_at = case when p_error is not null then p_now end
    where id = p_id and state = 'uploading'
    returning * into o;
    if not found then
        raise exception using errcode = 'FQ004', column = 'id', message = 'the import was canceled meanwhile, or took too long to come';
    end if;
    perform fetchq.operation_tell();
    return o;
end $$;

-- import_step pushes the documents of the next lines of an import that a node has claimed, and notes that it has come to p_place in the part
-- and to p_line; at the end of the part that goes. p_lines are those of the documents; the other lines were refused by the program.
-- It returns what operation_step does.
create function fetchq.import_step(
    p_id uuid, p_node text, p_part integer, p_place integer, p_line bigint, p_lines bigint[], p_subjects text[], p_payloads jsonb[],
    p_versions integer[], p_priorities integer[], p_dates timestamptz[], p_delays interval[], p_bad_lines bigint[], p_bad_details text[],
    p_now timestamptz default clock_timestamp(),
    out state text, out items integer, out changed integer, out versions integer[], out priorities integer[], out dates timestamptz[],
    out counts integer[])
language plpgsql set lock_timeout = '500ms' as $$
declare
    o      fetchq.operations := fetchq.operation_held(p_id, p_node);
    v_rows fetchq.result[];
    v_held integer;
begin
    items := coalesce(cardinality(p_lines), 0) + coalesce(cardinality(p_bad_lines), 0);
    changed := coalesce(cardinality(p_lines), 0);
    if o.id is null or o.part <> p_part then
        state := 'lost';
        return;
    end if;
    perform fetchq.operation_queue(o);
    v_rows := array(
        select r from fetchq.doc_append_many(o.queue, p_payloads, p_versions, p_priorities, p_dates, p_delays, null, p_subjects, o.on_conflict, p_now) r);
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
    o.looked := o.looked + p_place - o.place;
    o.place := p_place; o.line := p_line;
    select octet_length(p.data) into v_held from fetchq.operation_parts p where p.operation = o.id and p.part = o.part;
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
