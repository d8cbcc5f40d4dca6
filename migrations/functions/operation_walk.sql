-- How operations find documents: the condition that these fulfil, the order in which they are gone through, and how many there are.
--
-- An operation goes by one of four ways, chosen when it begins:
--   list      subjects, up to 10,000 a part: those that were named, or, where up to 100,000 documents are planned, pending or active,
--             those that a partial index tells at once
--   finished  the index of completed and killed documents, from the oldest on to those that ended when the operation began
--   error     the lines of a group of errors, from the oldest on to those that were there when the operation began: each document at its last error
--   subject   the primary key
-- Each look is at a bounded number of rows and goes on behind the last one, so that none costs more as the queue grows, and none
-- walks what an earlier one has left behind.

-- operation_condition is the condition that a document d fulfils which the operation $2 with the filter $1 is for. No index serves it: the
-- planner must not come by one of status, for a partial index may be a heap of dead entries. It is never null, as worker may be.
create function fetchq.operation_condition() returns text
language sql immutable as $f$
    select $t$ coalesce(
        (($1).status is null or d.status + 0 = ($1).status)
        and (($1).prefix is null or starts_with(d.subject, ($1).prefix))
        and (($1).version is null or d.version = ($1).version)
        and (($1).priority is null or d.priority = ($1).priority)
        and (($1).attempts_min is null or d.attempts >= ($1).attempts_min)
        and (($1).worker is null or d.worker = ($1).worker)
        and (($1).due_after is null or d.next_iteration >= ($1).due_after)
        and (($1).due_before is null or d.next_iteration < ($1).due_before)
        and (($1).finished_after is null or d.last_iteration >= ($1).finished_after)
        and (($1).finished_before is null or d.last_iteration < ($1).finished_before)
        and (($1).created_after is null or d.created_at >= ($1).created_after)
        and (($1).created_before is null or d.created_at < ($1).created_before)
        and (($1).payload is null or d.payload @> ($1).payload)
        and d.created_at <= ($2).started_at
        and case ($2).action when 'retry' then d.status + 0 = -1 when 'run_now' then d.status + 0 <> 2 when 'kill' then d.status + 0 <> -1
            when 'complete' then d.status + 0 <> 3 when 'set_priority' then d.priority <> ($2).priority else true end,
        false) $t$
$f$;

-- prefix_end is the first text behind all subjects that begin with a prefix: no subject is longer than what is put behind it.
create function fetchq.prefix_end(p_prefix text) returns text
language sql immutable as $$
    select p_prefix || repeat(chr(1114111), 64)
$$;

-- operation_look looks at up to p_looks rows of a leaf in the order of one of the ways, behind the place where the operation left off, and
-- returns the subjects of up to p_limit documents that fit, whose payloads take up to p_bytes; the first always does. The place is that of
-- the last row looked at; ended says that none stands behind it.
create function fetchq.operation_look(
    o fetchq.operations, f fetchq.document_filter, p_leaf text, p_looks integer, p_limit integer, p_bytes bigint,
    out subjects text[], out looked integer, out ended boolean, out at_subject text, out at_date timestamptz, out at_seq bigint)
language plpgsql set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
    v_range constant text := case o.walk
        when 'finished' then $t$ d.status in (3, -1) and d.status = ($1).status and d.last_iteration <= ($2).started_at
            and (d.last_iteration, d.seq) > (coalesce(($2).at_date, '-infinity'), coalesce(($2).at_seq, 0)) $t$
        else $t$ d.subject > coalesce(($2).at_subject, '') and d.subject >= coalesce(($1).prefix, '')
            and (($1).prefix is null or d.subject < fetchq.prefix_end(($1).prefix)) $t$ end;
    v_order constant text := case o.walk when 'finished' then 'd.last_iteration, d.seq' else 'd.subject' end;
begin
    execute format($t$
        with looked as materialized (
            select row_number() over (order by $t$ || v_order || $t$) as nth, d.subject, d.last_iteration, d.seq, d.size,
                $t$ || fetchq.operation_condition() || $t$ as fits
            from (select * from %I.%I d where $t$ || v_range || ' order by ' || v_order || $t$ limit $3) d
        ), fit as materialized (
            select nth, subject from (
                select nth, subject, row_number() over (order by nth) as place, sum(size) over (order by nth) - size as before
                from looked where fits
            ) t
            where place <= $4 and before < $5
        ), edge as materialized (
            select case when (select count(*) from fit) < (select count(*) from looked where fits) then (select max(nth) from fit)
                else (select max(nth) from looked) end as nth
        )
        select array(select subject from fit order by nth), coalesce(edge.nth, 0),
            coalesce(edge.nth, 0) < $3 and coalesce(edge.nth, 0) = (select count(*) from looked), l.subject, l.last_iteration, l.seq
        from edge left join looked l on l.nth = edge.nth $t$, 'q_' || o.queue, p_leaf)
    into subjects, looked, ended, at_subject, at_date, at_seq using f, o, p_looks, p_limit, p_bytes;
end $$;

-- operation_error_look is operation_look by the lines of a group of errors. A document is found at its last error, and not where that is of another group.
create function fetchq.operation_error_look(
    o fetchq.operations, f fetchq.document_filter, p_looks integer, p_limit integer, p_bytes bigint,
    out subjects text[], out looked integer, out ended boolean, out at_subject text, out at_date timestamptz, out at_seq bigint)
language plpgsql set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
begin
    execute format($t$
        with looked as materialized (
            select row_number() over (order by l.created_at, l.id) as nth, l.created_at, l.id, d.subject, d.size
            from (
                select created_at, id, subject from %1$I.logs l
                where fingerprint >= ($1).fingerprint and (fingerprint, created_at) <= (($1).fingerprint, ($2).started_at)
                    and (fingerprint, created_at, id) > (($1).fingerprint, coalesce(($2).at_date, '-infinity'), coalesce(($2).at_seq, 0))
                order by fingerprint, created_at, id limit $3
            ) l left join lateral (
                select subject, size from %1$I.docs d
                where d.subject = l.subject and $t$ || fetchq.operation_condition() || $t$ and not exists (
                    select from %1$I.logs n
                    where n.subject = l.subject and (n.created_at, n.id) > (l.created_at, l.id) and n.created_at <= ($2).started_at and n.kind = 1)
                limit 1
            ) d on true
        ), fit as materialized (
            select nth, subject from (
                select nth, subject, row_number() over (order by nth) as place, sum(size) over (order by nth) - size as before
                from looked where subject is not null
            ) t
            where place <= $4 and before < $5
        ), edge as materialized (
            select case when (select count(*) from fit) < (select count(subject) from looked) then (select max(nth) from fit)
                else (select max(nth) from looked) end as nth
        )
        select array(select subject from fit order by nth), coalesce(edge.nth, 0),
            coalesce(edge.nth, 0) < $3 and coalesce(edge.nth, 0) = (select count(*) from looked), l.created_at, l.id
        from edge left join looked l on l.nth = edge.nth $t$, 'q_' || o.queue)
    into subjects, looked, ended, at_date, at_seq using f, o, p_looks, p_limit, p_bytes;
end $$;

-- operation_begin chooses the way of an operation, and takes the subjects at once where that is a list.
create function fetchq.operation_begin(o fetchq.operations, f fetchq.document_filter, q fetchq.queues) returns fetchq.operations
language plpgsql as $$
declare
    v_most     constant integer := 100000;
    v_part     constant integer := 10000;
    v_near     integer; -- documents behind the prefix, as far as that is looked at
    v_subjects text[];
begin
    if f.fingerprint is not null then
        o.walk := 'error';
        return o;
    end if;
    v_near := fetchq.operation_near(f, q, v_part);
    if v_near < v_part then
        o.walk := 'subject';
        o.total := v_near;
        return o;
    elsif f.status in (0, 1, 2) then
        v_subjects := fetchq.operation_collect(o, f, q, v_most);
    end if;
    if v_subjects is not null then
        o.walk := 'list';
        o.total := cardinality(v_subjects);
        insert into fetchq.operation_parts (operation, part, subjects)
        select o.id, i, v_subjects[i * v_part + 1 : (i + 1) * v_part] from generate_series(0, greatest(o.total - 1, 0) / v_part) i;
    else
        o.walk := case when f.status in (3, -1) then 'finished' else 'subject' end;
        o.total := fetchq.operation_counted(o.queue, case when o.walk = 'finished' then f.status end, null);
        if v_near is not null and o.walk = 'subject' then
            o.total := null;
        end if;
    end if;
    return o;
end $$;

-- operation_near counts the documents whose subjects begin with the prefix of a filter, p_most at most; null where it has none.
create function fetchq.operation_near(f fetchq.document_filter, q fetchq.queues, p_most integer) returns integer
language plpgsql stable set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
    v_leaf text;
    v_here integer;
    n      integer := 0;
begin
    if f.prefix is null then
        return null;
    end if;
    foreach v_leaf in array fetchq.leaves(q) loop
        execute format('select count(*) from (select from %I.%I where subject >= $1 and subject < fetchq.prefix_end($1) limit $2) t',
            'q_' || q.name, v_leaf)
        into v_here using f.prefix, p_most - n;
        n := n + v_here;
        exit when n >= p_most;
    end loop;
    return n;
end $$;

-- operation_counted is how many documents of a status (null: any) and version (null: any) a queue has.
create function fetchq.operation_counted(p_queue text, p_status integer, p_version integer) returns bigint
language sql stable as $$
    select coalesce(sum(case p_status when -1 then killed when 0 then planned when 1 then pending when 2 then active when 3 then completed
        else killed + planned + pending + active + completed end), 0)::bigint
    from fetchq.queue_counters(p_queue) where p_version is null or version = p_version
$$;

-- operation_collect returns the subjects of the planned, pending or active documents that fit, in their order; null where there are more than
-- p_most to look at. Planned ones are looked at version by version, since the index of their dates leads with it.
create function fetchq.operation_collect(o fetchq.operations, f fetchq.document_filter, q fetchq.queues, p_most integer) returns text[]
language plpgsql set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
    v_range constant text := case f.status
        when 0 then 'status = 0 and version = $4 and next_iteration >= coalesce(($1).due_after, ''-infinity'')
            and next_iteration < coalesce(($1).due_before, ''infinity'')'
        when 1 then 'status = 1 and $4 is not null'
        when 2 then 'status = 2 and $4 is not null' end;
    v_look  constant text := 'select array_agg(d.subject) filter (where ' || fetchq.operation_condition() || '), count(*)
        from (select * from %I.%I where ' || v_range || ' limit $3) d';
    v_leaf    text;
    v_version integer;
    v_found   text[];
    v_all     text[] := '{}';
    v_here    integer;
    n         integer := 0;
begin
    foreach v_leaf in array fetchq.leaves(q) loop
        v_version := -1;
        loop
            if f.status = 0 then
                v_version := fetchq.next_version(q, v_leaf, v_version, null);
                exit when v_version is null;
                continue when v_version <> f.version;
            end if;
            execute format(v_look, 'q_' || q.name, v_leaf)
            into v_found, v_here using f, o, p_most + 1 - n, v_version::smallint;
            n := n + v_here;
            if n > p_most then
                return null;
            end if;
            v_all := v_all || v_found;
            exit when f.status <> 0;
        end loop;
    end loop;
    return array(select s from unnest(v_all) s order by s collate "C");
end $$;

-- operation_count tells how many documents an operation would be for, without doing anything: exactly where the counters or a look at
-- 10,000 documents can say it, else at least so many. The arguments are those of operation_add.
create function fetchq.operation_count(
    p_queue text, p_action text, p_filter jsonb default null, p_subjects text[] default null, p_to_queue text default null,
    p_priority integer default null, p_date timestamptz default null, p_delay interval default null, p_message text default null,
    p_now timestamptz default clock_timestamp(), out items bigint, out exact boolean)
language plpgsql set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
    o fetchq.operations := fetchq.operation_of(p_queue, p_action, p_filter, p_subjects, p_to_queue, p_priority, p_date, p_delay, p_message, p_now);
    f fetchq.document_filter := fetchq.document_filter_of(o.filter);
    q fetchq.queues := fetchq.queue_find(p_queue);
    v_looks    constant integer := 10000;
    v_left     integer := v_looks;
    v_subjects text[];
    v_leaf     text;
    v_look     record;
begin
    o.started_at := p_now;
    exact := true;
    if p_subjects is not null then
        execute format('select count(*) from (select distinct unnest($3) as subject) u cross join lateral (
            select from %I.docs d where d.subject = u.subject and ' || fetchq.operation_condition() || ' limit 1) d', 'q_' || p_queue)
        into items using f, o, p_subjects;
        return;
    elsif f.fingerprint is not null then
        v_look := fetchq.operation_error_look(o, f, v_looks, v_looks, 9223372036854775807);
        items := cardinality(v_look.subjects);
        exact := v_look.ended;
        return;
    elsif f.status is not null and p_action <> 'set_priority'
        and (f.prefix, f.priority, f.attempts_min, f.worker, f.due_after, f.due_before, f.finished_after, f.finished_before, f.created_after,
            f.created_before, f.payload) is null then
        items := fetchq.operation_counted(p_queue, f.status, f.version);
        return;
    end if;
    if f.status in (0, 1, 2) and f.prefix is null then
        v_subjects := fetchq.operation_collect(o, f, q, v_looks);
        if v_subjects is not null then
            items := cardinality(v_subjects);
            return;
        end if;
    end if;
    items := 0;
    o.walk := case when f.status in (3, -1) and f.prefix is null then 'finished' else 'subject' end;
    foreach v_leaf in array fetchq.leaves(q) loop
        v_look := fetchq.operation_look(o, f, v_leaf, v_left, v_looks, 9223372036854775807);
        items := items + cardinality(v_look.subjects);
        v_left := v_left - v_look.looked;
        exact := v_look.ended;
        exit when not exact;
    end loop;
end $$;
