-- Journal: what became of documents, a line for each transition, in the queue's own schema.
--
-- A line is written in the transaction and, where the functions of leaf.sql write it, in the statement of the transition. Its number is
-- drawn from the sequence of the queue when the document is locked: so the lines of one document stand in the order in which it all
-- happened, also where a later call began earlier. Lines go into journal_0, and mnt_journal gives that another name when it is old or
-- large: what is no longer kept goes with its table. All of them inherit from the table journal, which itself is empty.
--
-- A line has the document's lease number after the transition, and the attempt that begins with a pick, or that the rest belongs to. took
-- is microseconds: of a pick from the date to the pick, of what ends a lease from the pick to the end. worker holds the document, or held
-- it until then. actor is who called: token:name, user:address, role:name of who called by SQL; null is the engine itself. A line without a
-- subject is about all documents: truncate, attach, restore, rename.

-- journal_build makes the journal of a queue, or what is missing of it.
create function fetchq.journal_build(s text) returns void
language plpgsql as $$
begin
    if to_regclass(format('%I.journal', s)) is null then
        execute format($t$
            create table %I.journal (
                id             bigint      not null,
                at             timestamptz not null,
                lease          bigint,
                took           bigint,
                next_iteration timestamptz,
                attempt        integer,
                old_status     smallint,
                new_status     smallint,
                admin          boolean     not null default false, -- whoever held the document
                action         text        not null,
                subject        text collate "C",
                worker         text,
                actor          text
            ) $t$, s);
    end if;
    if to_regclass(format('%I.journal_0', s)) is null then
        execute format('create table %1$I.journal_0 () inherits (%1$I.journal) with (autovacuum_vacuum_cost_delay = 0)', s);
        -- The hash is a fifth of the size of a subject. It is no column: where hashes differ, as after a restore elsewhere, the index is made anew.
        execute format('create index journal_0_subject on %I.journal_0 (hashtextextended(subject, 0), id)', s);
    end if;
end $$;

-- micros_between returns the microseconds from one moment to another.
create function fetchq.micros_between(p_from timestamptz, p_to timestamptz) returns bigint
language sql immutable as $$
    select (date_part('epoch', p_to - p_from) * 1000000)::bigint
$$;

-- actors returns who calls, as it was told; whoever calls by SQL is known by his role.
create function fetchq.actors(p_by text[]) returns text[]
language sql stable as $$
    select coalesce(p_by, array['role:' || session_user])
$$;

-- journal_text is the part of a statement that writes the lines which p_lines selects: ord (1 to 9,999), action, admin, old_status,
-- new_status, attempt, lease, next_iteration, took, subject, worker, actor. The documents were locked before it. p_now names the moment.
create function fetchq.journal_text(q fetchq.queues, p_lines text, p_now text) returns text
language sql stable as $f$
    select format($t$, numbered as materialized (
            select nextval('%1$I.seq') as first
        ), noted as (
            insert into %1$I.journal_0 (id, at, action, admin, old_status, new_status, attempt, lease, next_iteration, took, subject, worker, actor)
            select n.first + l.ord, %3$s, l.action, l.admin, l.old_status, l.new_status, l.attempt, l.lease, l.next_iteration, l.took, l.subject,
                l.worker, l.actor
            from (%2$s) l (ord, action, admin, old_status, new_status, attempt, lease, next_iteration, took, subject, worker, actor)
                cross join numbered n
        )$t$, 'q_' || q.name, p_lines, p_now)
$f$;

-- journal_all writes a line about all documents of a queue.
create function fetchq.journal_all(q fetchq.queues, p_action text, p_by text[], p_now timestamptz) returns void
language plpgsql as $$
begin
    if q.journal <> 'off' then
        execute format('insert into %1$I.journal_0 (id, at, action, admin, actor) values (nextval(''%1$I.seq''), $1, $2, true, $3)', 'q_' || q.name)
        using p_now, p_action, (fetchq.actors(p_by))[1];
    end if;
end $$;

-- journal_of returns the last p_limit lines about a document, the newest first: its own, and those about all documents that were written
-- between them or later. p_before: lines with lower numbers only.
create function fetchq.journal_of(p_queue text, p_subject text, p_limit integer default 100, p_before bigint default null)
returns setof fetchq.transition
language plpgsql stable set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
begin
    perform fetchq.queue_find(p_queue);
    return query execute format($t$
        with own as materialized (
            select * from %1$I.journal
            where hashtextextended(subject, 0) = hashtextextended($1::text collate "C", 0) and subject = $1 and ($3 is null or id < $3)
            order by id desc limit $2
        ), every as materialized (
            select * from %1$I.journal
            where hashtextextended(subject, 0) is null and subject is null and id > (select min(id) from own) and ($3 is null or id < $3)
            order by id desc limit $2
        )
        select $4, id, at, subject::text, action, admin, old_status, new_status, attempt, lease, next_iteration, took, worker, actor
        from (select * from own union all select * from every) l
        order by id desc limit $2 $t$, 'q_' || p_queue)
    using p_subject, p_limit, p_before, p_queue;
end $$;

-- trace_journal returns the last p_limit lines about a subject in each of these queues, or in all, the newest first in each. Like the
-- searches of search.sql it gives the locks of each queue back.
create function fetchq.trace_journal(p_subject text, p_queues text[] default null, p_limit integer default 200)
returns setof fetchq.transition
language plpgsql stable as $$
declare
    v_queue text;
    v_lines fetchq.transition[];
begin
    for v_queue in select name from fetchq.queues where p_queues is null or name = any (p_queues) order by name loop
        v_lines := null;
        begin
            v_lines := array(select l from fetchq.journal_of(v_queue, p_subject, p_limit) l);
            raise exception using errcode = 'FQ000';
        exception
            when sqlstate 'FQ000' then null;
            when invalid_schema_name or undefined_table or sqlstate 'FQ004' then continue; -- it was dropped in this moment
        end;
        return query select * from unnest(v_lines);
    end loop;
end $$;

-- mnt_journal keeps the journal of a queue small: it removes what is older than the queue keeps, and closes journal_0 where that is old
-- or large. It returns how many tables or lines went, and whether there may be more.
--
-- A journal of a few megabytes stays one table, and old lines are deleted from it. One that is larger is closed about 30 times in
-- the time that lines are kept, and each table goes as a whole when its youngest line is too old; its name says when it was closed.
create function fetchq.mnt_journal(p_queue text, p_now timestamptz default clock_timestamp(), out items bigint, out more boolean)
language plpgsql set lock_timeout = '5s' as $$
declare
    q fetchq.queues := fetchq.queue_find(p_queue);
    s constant text := 'q_' || p_queue;
    v_size  constant bigint := pg_relation_size(format('%I.journal_0', s)::regclass);
    v_old   text[];
    v_count integer;
    v_first timestamptz;
    v_table text;
begin
    items := 0;
    more := false;
    select coalesce(array_agg(relname order by relname) filter (where closed < p_now - q.journal_retention), '{}'), count(*) into v_old, v_count
    from (
        select c.relname::text, to_timestamp(substr(c.relname::text, 9, 15), 'YYYYMMDD"t"HH24MISS') as closed
        from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = format('%I.journal', s)::regclass and c.relname ~ '^journal_[0-9]{8}t[0-9]{6}$'
    ) t;
    foreach v_table in array v_old[: 10] loop
        execute format('drop table %I.%I', s, v_table);
        items := items + 1;
    end loop;
    more := cardinality(v_old) > 10;
    if v_size = 0 then
        return;
    elsif v_size <= 8 * 1048576 then
        if q.journal_retention is not null then
            execute format('delete from %I.journal_0 where at < $1', s) using p_now - q.journal_retention;
            get diagnostics v_count = row_count;
            items := items + v_count;
        end if;
        return;
    end if;
    execute format('select at from %I.journal_0 limit 1', s) into v_first; -- lines are appended: about the oldest
    if v_first < p_now - q.journal_retention / 30 or v_size > 4 * 1073741824::bigint and v_count < 100 then
        items := items + fetchq.journal_close(q, p_now)::integer;
    end if;
end $$;

-- journal_close gives journal_0 the name of a table that is closed, and makes a new one. It returns false where somebody who writes
-- holds it for longer than a moment: then all others who write would have to wait as well, and another run will do.
create function fetchq.journal_close(q fetchq.queues, p_now timestamptz) returns boolean
language plpgsql set lock_timeout = '100ms' as $$
declare
    s constant text := 'q_' || q.name;
    v_name  constant text := 'journal_' || to_char(p_now at time zone 'UTC', 'YYYYMMDD"t"HH24MISS');
    v_space constant text := current_setting('default_tablespace');
begin
    execute format('lock table %I.journal_0 in access exclusive mode', s);
    execute format('alter table %I.journal_0 rename to %I', s, v_name);
    execute format('alter index %I.journal_0_subject rename to %I', s, v_name || '_subject');
    perform set_config('default_tablespace', coalesce(q.tablespace, ''), true);
    perform fetchq.journal_build(s);
    perform set_config('default_tablespace', v_space, true);
    return true;
exception
    when lock_not_available then
        return false;
    when duplicate_table then -- closed in this very second
        return false;
end $$;
