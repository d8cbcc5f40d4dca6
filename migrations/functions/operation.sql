-- Operations: what is asked for, who does it, and how it ends. How documents are found and changed is in operation_walk.sql and
-- operation_step.sql, imports are in operation_import.sql.

-- operation_add asks for something to be done to many documents of a queue: those that fit a filter, or up to 10,000 subjects. Actions:
-- run_now, retry, kill, drop, complete, reschedule (to p_date, or by p_delay from now), set_priority and move (to p_to_queue).
-- A message is written to the log of each document. p_by tells who asks; the same p_key again is the same operation. p_asked is a hash of the
-- request, by default of the arguments: a key stands for one request only.
--
-- Documents that enter the queue after it has begun are left alone. FQ001 names what is wrong, FQ004 is raised where there is no queue.
create function fetchq.operation_add(
    p_queue      text,
    p_action     text,
    p_filter     jsonb       default null,
    p_subjects   text[]      default null,
    p_to_queue   text        default null,
    p_priority   integer     default null,
    p_date       timestamptz default null,
    p_delay      interval    default null,
    p_message    text        default null,
    p_by         text        default session_user,
    p_as         text        default 'sql',
    p_from       text        default null,
    p_request_id text        default null,
    p_key        text        default null,
    p_asked      bytea       default null,
    p_now        timestamptz default clock_timestamp()
) returns fetchq.operations
language plpgsql as $$
declare
    o fetchq.operations := fetchq.operation_of(p_queue, p_action, p_filter, p_subjects, p_to_queue, p_priority, p_date, p_delay, p_message, p_now);
    v record;
begin
    o.asked_by := p_by; o.asked_as := p_as; o.asked_from := p_from; o.request_id := p_request_id; o.key := p_key;
    o.asked := coalesce(p_asked, fetchq.asked(row(p_queue, p_action, p_filter, p_subjects, p_to_queue, p_priority, p_date, p_delay, p_message)::text));
    if p_subjects is not null then
        o.walk := 'list';
        o.total := (select count(distinct s) from unnest(p_subjects) s);
    end if;
    v := fetchq.operation_insert(o);
    o := v.op;
    if v.made and p_subjects is not null then
        insert into fetchq.operation_parts (operation, part, subjects)
        select o.id, 0, array(select distinct s collate "C" from unnest(p_subjects) s order by 1);
    end if;
    return o;
end $$;

-- operation_insert writes a new operation, or returns the one that was asked for under the same key, and tells the nodes.
create function fetchq.operation_insert(o fetchq.operations, out made boolean, out op fetchq.operations)
language plpgsql as $$
declare
    v_most constant integer := 100;
begin
    if octet_length(o.key) not between 1 and 255 then
        perform fetchq.refuse('idempotency_key', format('the key has %s bytes; 1 to 255 are allowed', octet_length(o.key)));
    elsif (select count(*) from fetchq.operations where queue = o.queue and state in ('uploading', 'waiting', 'running')) >= v_most then
        perform fetchq.refuse('queue', format('%s operations of this queue wait already; try again when some are done', v_most));
    end if;
    o.id := fetchq.uuid_v7();
    o.number := nextval('fetchq.operation_numbers');
    insert into fetchq.operations select o.* on conflict (key) where key is not null do nothing;
    made := found;
    if not made then
        select * into op from fetchq.operations where key = o.key;
        if (op.queue, op.action, op.asked) is distinct from (o.queue, o.action, o.asked) then
            perform fetchq.refuse('idempotency_key', 'this key stands for another request; take a new one');
        end if;
        return;
    end if;
    if o.state = 'waiting' then
        perform fetchq.operation_tell();
    end if;
    op := o;
end $$;

-- asked is a hash of what was asked for.
create function fetchq.asked(p_arguments text) returns bytea
language sql stable as $$
    select sha256(convert_to(p_arguments, 'UTF8'))
$$;

-- operation_tell lets the nodes look for operations when the transaction is committed. Those that do not hear it look by
-- themselves after some seconds.
create function fetchq.operation_tell() returns void
language sql as $$
    select pg_notify('fetchq', '{"say":"operation"}')
$$;

-- operation_of returns an operation that is not written, or refuses what is asked.
create function fetchq.operation_of(
    p_queue text, p_action text, p_filter jsonb, p_subjects text[], p_to_queue text, p_priority integer, p_date timestamptz,
    p_delay interval, p_message text, p_now timestamptz
) returns fetchq.operations
language plpgsql as $$
declare
    o fetchq.operations;
    f fetchq.document_filter;
    n constant integer := cardinality(p_subjects);
    v_problem text;
begin
    perform fetchq.queue_find(p_queue);
    o := fetchq.operation_empty(p_queue, p_action, p_now);
    if p_action is null or p_action not in ('run_now', 'retry', 'kill', 'drop', 'complete', 'reschedule', 'set_priority', 'move') then
        perform fetchq.refuse('action', 'one of run_now, retry, kill, drop, complete, reschedule, set_priority and move is wanted');
    elsif (p_filter is null) = (p_subjects is null) then
        perform fetchq.refuse('filter', 'a filter or a list of subjects is wanted, and not both; the filter {} means all documents');
    elsif n not between 1 and 10000 then
        perform fetchq.refuse('subjects', format('the list has %s subjects; 1 to 10000 are allowed', n));
    elsif exists (select from unnest(p_subjects) s where s is null or octet_length(s) not between 1 and 255) then
        perform fetchq.refuse('subjects', 'a subject has 1 to 255 bytes');
    elsif (p_action = 'set_priority') <> (p_priority is not null) then
        perform fetchq.refuse('priority', 'set_priority wants a priority, and no other action takes one');
    elsif (p_action = 'reschedule') <> (p_date is not null or p_delay is not null) then
        perform fetchq.refuse('next_iteration', 'reschedule wants a next_iteration, and no other action takes one');
    elsif (p_action = 'move') <> (p_to_queue is not null) then
        perform fetchq.refuse('to_queue', 'move wants a to_queue, and no other action takes one');
    elsif p_to_queue = p_queue then
        perform fetchq.refuse('to_queue', 'documents are moved to another queue');
    elsif p_to_queue is not null and not exists (select from fetchq.queues where name = p_to_queue) then
        perform fetchq.refuse('to_queue', 'to_queue is not a queue');
    elsif octet_length(p_message) > 1000 then
        perform fetchq.refuse('message', format('the message has %s bytes; 1000 are allowed', octet_length(p_message)));
    end if;
    o.next_iteration := fetchq.date_of(p_date, p_delay, p_now, p_now);
    v_problem := fetchq.item_problem('x', null, null, p_priority, o.next_iteration);
    if v_problem is not null then
        perform fetchq.refuse(split_part(v_problem, ' ', 1), v_problem);
    elsif p_action <> 'reschedule' then
        o.next_iteration := null;
    end if;
    o.to_queue := p_to_queue; o.priority := p_priority; o.message := nullif(p_message, '');
    if p_filter is not null then
        f := fetchq.document_filter_of(p_filter);
        if f.status <> -1 and p_action = 'retry' or f.status = 2 and p_action = 'run_now' or f.status = -1 and p_action = 'kill'
            or f.status = 3 and p_action = 'complete' then
            perform fetchq.refuse('filter.status', format('%s is not for documents that are %s', p_action, p_filter ->> 'status'));
        end if;
        o.filter := p_filter || case when p_action = 'retry' then '{"status": "killed"}' else '{}' end::jsonb;
    end if;
    return o;
end $$;

-- operation_empty returns an operation in which nothing is set but what the columns have by themselves.
create function fetchq.operation_empty(p_queue text, p_action text, p_now timestamptz) returns fetchq.operations
language plpgsql as $$
declare
    o fetchq.operations;
begin
    o.queue := p_queue; o.action := p_action; o.created_at := p_now;
    o.state := 'waiting'; o.walked := false; o.leaf := 0; o.part := 0; o.place := 0; o.line := 1; o.behind := '{}'; o.behind_since := '{}';
    o.looked := 0; o.done := 0; o.created := 0; o.left_alone := 0; o.failed := 0; o.failures := 0;
    return o;
end $$;

-- document_filter_of reads a filter, and refuses what it does not know.
create function fetchq.document_filter_of(p_filter jsonb) returns fetchq.document_filter
language plpgsql stable as $$
declare
    f fetchq.document_filter;
    k text;
    v jsonb;
begin
    if p_filter is null then
        return f;
    elsif jsonb_typeof(p_filter) <> 'object' then
        perform fetchq.refuse('filter', 'an object is wanted');
    end if;
    for k, v in select * from jsonb_each(p_filter) where value <> 'null' loop
        case k
        when 'status' then
            f.status := case v #>> '{}' when 'killed' then -1 when 'planned' then 0 when 'pending' then 1 when 'active' then 2 when 'completed' then 3 end;
            if f.status is null then
                perform fetchq.refuse('filter.status', 'planned, pending, active, completed or killed is wanted');
            end if;
        when 'subject_prefix' then f.prefix := fetchq.filter_text('filter.subject_prefix', v);
        when 'worker' then f.worker := fetchq.filter_text('filter.worker', v);
        when 'version' then f.version := fetchq.setting_integer('filter.version', v, 0, 32767);
        when 'priority' then f.priority := fetchq.setting_integer('filter.priority', v, -32767, 32767);
        when 'attempts_min' then f.attempts_min := fetchq.setting_integer('filter.attempts_min', v, 0, 2147483647);
        when 'finished_after' then f.finished_after := fetchq.filter_date('filter.finished_after', v);
        when 'finished_before' then f.finished_before := fetchq.filter_date('filter.finished_before', v);
        when 'created_after' then f.created_after := fetchq.filter_date('filter.created_after', v);
        when 'created_before' then f.created_before := fetchq.filter_date('filter.created_before', v);
        when 'payload' then
            if jsonb_typeof(v) <> 'object' or octet_length(v::text) > 4096 then
                perform fetchq.refuse('filter.payload', 'an object of up to 4096 bytes is wanted');
            end if;
            f.payload := v;
        when 'due_after' then f.due_after := fetchq.filter_date('filter.due_after', v);
        when 'fingerprint' then f.fingerprint := fetchq.fingerprint_of('filter.fingerprint', v #>> '{}');
        when 'due_before' then f.due_before := fetchq.filter_date('filter.due_before', v);
        else
            perform fetchq.refuse('filter.' || left(k, 40), 'there is no such field here');
        end case;
    end loop;
    if (f.due_after is not null or f.due_before is not null) and (f.status in (0, 1)) is not true then
        perform fetchq.refuse('filter.due_before', 'due_after and due_before go with the status planned or pending');
    elsif (f.finished_after is not null or f.finished_before is not null) and (f.status in (3, -1)) is not true then
        perform fetchq.refuse('filter.finished_before', 'finished_after and finished_before go with the status completed or killed');
    end if;
    return f;
end $$;

create function fetchq.filter_text(p_field text, p_value jsonb) returns text
language plpgsql immutable as $$
begin
    if jsonb_typeof(p_value) <> 'string' or octet_length(p_value #>> '{}') not between 1 and 255 then
        perform fetchq.refuse(p_field, 'text of 1 to 255 bytes is wanted');
    end if;
    return p_value #>> '{}';
end $$;

create function fetchq.filter_date(p_field text, p_value jsonb) returns timestamptz
language plpgsql stable as $$
begin
    if jsonb_typeof(p_value) = 'string' then
        return (p_value #>> '{}')::timestamptz;
    end if;
    perform fetchq.refuse(p_field, 'a date is wanted');
    return null;
exception when invalid_datetime_format or datetime_field_overflow then
    perform fetchq.refuse(p_field, 'a date is wanted');
    return null;
end $$;

-- operation_claim gives a node up to p_limit operations that nobody is at: those that a node left behind when it died, and the first in the
-- line of each queue where none runs. A claim lasts for 10 seconds; each batch lengthens it.
create function fetchq.operation_claim(p_node text, p_limit integer default 1, p_now timestamptz default clock_timestamp())
returns setof fetchq.operations
language plpgsql as $$
declare
    v_id uuid;
    v_op fetchq.operations;
begin
    for v_id in
        select o.id from fetchq.operations o
        where o.queue <> '' and o.state in ('waiting', 'running') and (o.claimed_until <= p_now) is not false
            and not exists (
                select from fetchq.operations b
                where b.queue = o.queue and b.id <> o.id and (b.state = 'running' or b.state = 'waiting' and o.state = 'waiting' and b.number < o.number))
        order by o.number limit p_limit
        for update of o skip locked
    loop
        begin
            update fetchq.operations set
                state = 'running', claimed_by = p_node, claimed_until = p_now + interval '10 seconds', started_at = coalesce(started_at, greatest(p_now, created_at))
            where id = v_id
            returning * into v_op;
            return next v_op;
        exception when unique_violation then
            null; -- another node began one of the same queue in this moment
        end;
    end loop;
end $$;

-- operation_next returns in how many seconds there is an operation to claim; null where there is none.
create function fetchq.operation_next(p_now timestamptz default clock_timestamp()) returns float8
language sql stable as $$
    select extract(epoch from min(coalesce(o.claimed_until, p_now)) - p_now)::float8
    from fetchq.operations o
    where o.queue <> '' and (o.state = 'running' or o.state = 'waiting' and not exists (
        select from fetchq.operations b where b.queue = o.queue and b.state = 'running'))
$$;

-- operation_release gives back what a node that stops has claimed.
create function fetchq.operation_release(p_node text) returns void
language sql as $$
    update fetchq.operations set claimed_by = null, claimed_until = null where state = 'running' and claimed_by = p_node;
    select fetchq.operation_tell()
$$;

-- operation_failed notes that a batch failed. The operation is tried again after p_wait; without one it ends. It returns how many
-- tries in a row failed by now; null where the claim is over.
create function fetchq.operation_failed(p_id uuid, p_node text, p_error text, p_wait interval, p_now timestamptz default clock_timestamp())
returns integer
language sql as $$
    update fetchq.operations set
        error = fetchq.cut_text(p_error, 4000), failures = failures + 1, claimed_by = null, claimed_until = p_now + p_wait,
        state = case when p_wait is null then 'failed' else state end, finished_at = case when p_wait is null then p_now end
    where id = p_id and claimed_by = p_node and state = 'running'
    returning failures
$$;

-- operation_cancel ends an operation that is not over: when it returns, and is committed, no further document is touched. It waits for the
-- batch that runs. What was done stays. FQ004: there is no such operation.
create function fetchq.operation_cancel(p_id uuid, p_by text default session_user, p_now timestamptz default clock_timestamp())
returns fetchq.operations
language plpgsql as $$
declare
    o fetchq.operations;
begin
    update fetchq.operations set state = 'canceled', canceled_by = p_by, finished_at = p_now, claimed_by = null, claimed_until = null
    where id = p_id and state in ('uploading', 'waiting', 'running');
    select * into o from fetchq.operations where id = p_id;
    if not found then
        raise exception using errcode = 'FQ004', column = 'id', message = 'there is no such operation';
    end if;
    perform fetchq.operation_tell(); -- the next in its line
    return o;
end $$;

-- operations_tidy removes what is kept no longer, p_limit rows of each sort at most: the failures of operations that ended 30 days ago, these
-- when they have none left, and parts of operations that ended before they had come to them. An import whose upload broke off is failed,
-- and its key is free. It returns how many rows went.
create function fetchq.operations_tidy(p_limit integer default 1000, p_now timestamptz default clock_timestamp()) returns bigint
language sql as $$
    update fetchq.operations set
        state = 'failed', error = 'the upload broke off', finished_at = p_now, claimed_by = null, claimed_until = null, key = null
    where id in (
        select id from fetchq.operations where state = 'uploading' and claimed_until <= p_now limit p_limit for update skip locked);
    with old as materialized (
        select id from fetchq.operations where finished_at < p_now - interval '30 days' order by finished_at limit p_limit for update skip locked
    ), told as materialized (
        select f.operation, f.number from old join fetchq.operation_failures f on f.operation = old.id limit p_limit
    ), untold as (
        delete from fetchq.operation_failures f using told t where (f.operation, f.number) = (t.operation, t.number) returning 1
    ), gone as (
        delete from fetchq.operations o using old
        where o.id = old.id
            and not exists (select from fetchq.operation_failures f where f.operation = o.id)
            and not exists (select from fetchq.operation_parts p where p.operation = o.id)
        returning 1
    ), left_over as materialized (
        select p.operation, p.part from fetchq.operation_parts p
        where exists (select from fetchq.operations o where o.id = p.operation and o.finished_at is not null)
        limit least(p_limit, 50) -- each may be a megabyte
        for update of p skip locked
    ), cleared as (
        delete from fetchq.operation_parts p using left_over l where (p.operation, p.part) = (l.operation, l.part) returning 1
    )
    select (select count(*) from untold) + (select count(*) from gone) + (select count(*) from cleared) + fetchq.operation_forget(p_limit, p_now)
$$;
