-- Relocate: a queue gets another name, its settings go to a new one, its tables go to another tablespace.

-- queue_rename gives a queue another name. Documents, leases, logs, journal, counters, series, marks and jobs go along; so do the
-- stars of people, the charts of dashboards, and the lists of tokens and of schedules of backups that name the queue in full. Calls that are under way end first, for up to 5 seconds; those that come
-- meanwhile wait, and are then told of the new name, as everybody who asks for the old one is until a queue has it again.
-- FQ001: the name. FQ006: it is taken, or its schema. 55P03: calls under way do not end.
create function fetchq.queue_rename(p_queue text, p_to text, p_by text[] default null) returns fetchq.queues
language plpgsql as $$
declare
    q fetchq.queues;
begin
    perform fetchq.need_read_committed();
    perform fetchq.queue_find(p_queue);
    if p_to is null or p_to !~ '^[a-z][a-z0-9_]{0,39}$' then
        perform fetchq.refuse('to', 'a queue''s name is 1 to 40 of a-z, 0-9 and _, and begins with a letter');
    elsif p_to = p_queue then
        perform fetchq.refuse('to', 'the queue has this name; another one is wanted');
    end if;
    perform fetchq.lock_queue(p_queue);
    select * into q from fetchq.queues where name = p_queue for update;
    if not found then
        perform fetchq.queue_find(p_queue); -- renamed or dropped while this one waited
    elsif exists (select from fetchq.queues where name = p_to) then
        raise exception using errcode = 'FQ006', column = 'to', message = format('the queue %s exists', p_to);
    elsif exists (select from pg_namespace where nspname = 'q_' || p_to) then
        raise exception using errcode = 'FQ006', column = 'to', message = format('the schema q_%s stands there without a queue', p_to);
    end if;
    perform fetchq.journal_all(q, 'rename', p_by, clock_timestamp());
    execute format('alter schema %I rename to %I', 'q_' || p_queue, 'q_' || p_to);
    update fetchq.queues set name = p_to where name = p_queue returning * into q;
    update fetchq.counters set queue = p_to where queue = p_queue;
    update fetchq.queue_states set queue = p_to where queue = p_queue;
    update fetchq.asks set queue = p_to where queue = p_queue;
    delete from fetchq.workers where queue = p_queue; -- nodes write of the new name from now on
    update fetchq.measures set queue = p_to where queue = p_queue; -- these three in the order of snapshots
    update fetchq.series_queues set queue = p_to where queue = p_queue;
    update fetchq.metrics set queue = p_to where queue = p_queue;
    update fetchq.marks set queue = p_to where queue = p_queue;
    update fetchq.error_groups set queue = p_to where queue = p_queue;
    update fetchq.error_counts set queue = p_to where queue = p_queue;
    -- Charts name queues as an address does; a name of a queue stands there as it is.
    update fetchq.dashboards set edits = edits + 1,
        charts = array(select regexp_replace(c, '(^|&)queue=' || p_queue || '(?=&|$)', '\1queue=' || p_to) from unnest(charts) with ordinality u (c, n) order by n)
    where exists (select from unnest(charts) c where c ~ ('(^|&)queue=' || p_queue || '(&|$)'));
    update fetchq.tokens set queues = array_replace(queues, p_queue, p_to) where p_queue = any (queues);
    update fetchq.users set queues = array_replace(queues, p_queue, p_to) where p_queue = any (queues);
    update fetchq.backup_schedules set queues = array_replace(queues, p_queue, p_to) where p_queue = any (queues);
    delete from fetchq.views where queue = p_to;
    update fetchq.views set queue = p_to where queue = p_queue;
    delete from fetchq.stars where queue = p_to;
    update fetchq.stars set queue = p_to where queue = p_queue;
    -- Names that led to the old one lead to the new one.
    delete from fetchq.renames where old_name = p_to;
    update fetchq.renames set new_name = p_to where new_name = p_queue;
    insert into fetchq.renames (old_name, new_name, renamed_at) values (p_queue, p_to, clock_timestamp())
    on conflict (old_name) do update set new_name = excluded.new_name, renamed_at = excluded.renamed_at;
    perform fetchq.queue_functions(q);
    -- Last, for a claim may be looking at them; whoever runs one under the old name finds no queue.
    update fetchq.jobs set queue = p_to, next_run = clock_timestamp(), claimed_by = null, claimed_until = null where queue = p_queue;
    delete from fetchq.wakes where queue = p_queue;
    return q;
end $$;

-- lock_queue waits until no call is under way in a queue, for about 5 seconds, and keeps others out until the transaction ends. It waits
-- for a fifth of a second at a time, and lets those pass who came meanwhile: behind one who waits for long nobody would work.
create function fetchq.lock_queue(p_queue text) returns void
language plpgsql as $$
declare
    v_timeout constant text := current_setting('lock_timeout');
begin
    for i in 1 .. 16 loop
        begin
            perform set_config('lock_timeout', '200ms', true);
            execute format('lock table %1$I.requests, %1$I.docs, %1$I.deltas, %1$I.logs, %1$I.journal, %1$I.measures, %1$I.error_deltas in access exclusive mode',
                'q_' || p_queue);
            perform set_config('lock_timeout', v_timeout, true);
            return;
        exception when lock_not_available then
            if i = 16 then
                raise;
            end if;
            perform pg_sleep(0.05 + 0.1 * random());
        end;
    end loop;
end $$;

-- queue_settings returns the settings of a queue in the words of queue_set.
create function fetchq.queue_settings(q fetchq.queues) returns jsonb
language sql stable as $$
    select jsonb_build_object(
        'max_attempts', q.max_attempts, 'lock', q.lock,
        'backoff', jsonb_build_object('kind', q.backoff_kind, 'base', q.backoff_base, 'cap', q.backoff_cap, 'jitter', q.backoff_jitter),
        'max_active', q.max_active,
        'rate', case when q.rate_picks is not null then
            jsonb_build_object('picks', q.rate_picks, 'per', q.rate_per, 'burst', q.rate_burst) end,
        'key', q.key,
        'key_limits', case when q.key_max_active is not null or q.key_rate_picks is not null then jsonb_build_object(
            'max_active', q.key_max_active,
            'rate', case when q.key_rate_picks is not null then
                jsonb_build_object('picks', q.key_rate_picks, 'per', q.key_rate_per, 'burst', q.key_rate_burst) end) end,
        'payload_index', q.payload_index, 'redact', to_jsonb(q.redact), 'viewer_payloads', q.viewer_payloads, 'journal', q.journal, 'journal_retention', q.journal_retention, 'logs_retention', q.logs_retention, 'logs_rows', q.logs_rows, 'series_retention', q.series_retention,
        'completed_retention', q.completed_retention, 'killed_retention', q.killed_retention,
        'partitions', q.partitions, 'tablespace', q.tablespace)
$$;

-- queue_clone makes a queue with the settings of another one, and nothing else of it. FQ006: the name is taken.
create function fetchq.queue_clone(p_queue text, p_to text) returns fetchq.queues
language plpgsql as $$
declare
    q fetchq.queues := fetchq.queue_find(p_queue);
begin
    if p_to is null or p_to !~ '^[a-z][a-z0-9_]{0,39}$' then
        perform fetchq.refuse('to', 'a queue''s name is 1 to 40 of a-z, 0-9 and _, and begins with a letter');
    elsif exists (select from fetchq.queues where name = p_to) then
        raise exception using errcode = 'FQ006', column = 'to', message = format('the queue %s exists', p_to);
    end if;
    return fetchq.queue_create(p_to, fetchq.queue_settings(q));
end $$;

-- queue_move begins to move a queue to another tablespace; null is the default of the database. The job move goes on with it, table
-- by table and index by index, while the queue is paused; what is made meanwhile stands there at once. To name another tablespace
-- while a move is on, or the old one, leads it there.
create function fetchq.queue_move(p_queue text, p_tablespace text, p_now timestamptz default clock_timestamp()) returns fetchq.queues
language plpgsql as $$
declare
    q fetchq.queues := fetchq.queue_find(p_queue);
begin
    perform fetchq.check_tablespace('tablespace', p_tablespace);
    if not fetchq.is_paused(q, p_now) then
        perform fetchq.refuse('queue', 'a queue is moved while it is paused, for each table is locked while it is copied; pause it first');
    end if;
    update fetchq.queues set tablespace = p_tablespace, move_began = p_now, move_halt = null where name = p_queue returning * into q;
    insert into fetchq.jobs (queue, kind) values (p_queue, 'move') on conflict (queue, kind) do update set next_run = p_now, streak = 0;
    return q;
end $$;

-- check_tablespace refuses what cannot be the tablespace of a queue.
create function fetchq.check_tablespace(p_field text, p_tablespace text) returns void
language plpgsql stable as $$
begin
    if p_tablespace = 'pg_global' then
        perform fetchq.refuse(p_field, 'pg_global is for what all databases share; another one is wanted');
    elsif p_tablespace is not null and not exists (select from pg_tablespace where spcname = p_tablespace) then
        perform fetchq.refuse(p_field, 'there is no tablespace of this name');
    elsif not has_tablespace_privilege(p_tablespace, 'create') then
        perform fetchq.refuse(p_field, format('the role %s may not make tables in this tablespace; grant create on it', current_user));
    end if;
end $$;

-- move_left lists what of a queue does not stand in its tablespace, in the order in which it is to be moved: each table before its indexes.
create function fetchq.move_left(q fetchq.queues) returns table (name text, is_index boolean, bytes bigint)
language sql stable as $$
    select c.relname::text, c.relkind in ('i', 'I'), case when c.relkind in ('p', 'I') then 0 when c.relkind = 'i' then pg_relation_size(c.oid)
        else pg_table_size(c.oid) end
    from pg_class c left join pg_index i on i.indexrelid = c.oid left join pg_class t on t.oid = i.indrelid
    where c.relnamespace = to_regnamespace(quote_ident('q_' || q.name)) and c.relkind in ('r', 'p', 'i', 'I') and c.reltablespace <> (
        select case when s.oid = d.dattablespace then 0::oid else s.oid end
        from pg_database d, pg_tablespace s
        where d.datname = current_database() and (s.spcname = q.tablespace or q.tablespace is null and s.oid = d.dattablespace))
    order by coalesce(t.relname, c.relname), i.indexrelid is not null, c.relname
$$;

-- mnt_move moves one table or index of a queue that is on its way to another tablespace, with the lock that this takes, and returns
-- its name and what is left after it. It moves nothing where the queue is not paused, or where somebody holds the table for longer
-- than a moment; move_halt says so. When nothing is left the move is over, and its job goes.
create function fetchq.mnt_move(p_queue text, p_now timestamptz default clock_timestamp(), out moved text, out relations bigint, out bytes bigint)
language plpgsql set lock_timeout = '500ms' as $$
declare
    q fetchq.queues := fetchq.queue_find(p_queue);
    v_next record;
    v_halt text;
begin
    if q.move_began is null then
        relations := 0;
        bytes := 0;
        return;
    end if;
    select * into v_next from fetchq.move_left(q) limit 1;
    if found and not fetchq.is_paused(q, p_now) then
        v_halt := 'the queue is not paused any more; pause it, and the move goes on';
    elsif found then
        begin
            execute format('alter %s %I.%I set tablespace %I', case when v_next.is_index then 'index' else 'table' end, 'q_' || p_queue, v_next.name,
                coalesce(q.tablespace, (select spcname from pg_tablespace s join pg_database d on d.dattablespace = s.oid
                    where d.datname = current_database())));
            moved := v_next.name;
        exception when lock_not_available then
            v_halt := format('%s is in use; it is tried again', v_next.name);
        end;
    end if;
    select count(*), coalesce(sum(l.bytes), 0) into relations, bytes from fetchq.move_left(q) l;
    update fetchq.queues set move_began = case when relations > 0 then move_began end, move_halt = v_halt
    where name = p_queue and move_began = q.move_began and (relations = 0 or move_halt is distinct from v_halt);
    if relations = 0 then
        delete from fetchq.jobs where queue = p_queue and kind = 'move';
    end if;
end $$;
