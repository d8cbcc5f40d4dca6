-- Backups: how a queue comes back. What it consists of is read and written by internal/backup; docs/backup-format.md has the format.
--
-- A queue that is restored is filled in a schema of its own, the stage, to which no call leads. Nothing that lives is touched before
-- restore_swap, which gives the stage the place of the queue in one transaction.

-- restore_stage makes an empty queue with some settings as the schema p_stage, with tables beside it for what stands in the schema fetchq.
-- Two columns of its documents are missing: restore_swap adds them with one value for all, which writes no row.
create function fetchq.restore_stage(p_stage text, p_settings jsonb) returns void
language plpgsql as $$
declare
    v_name constant text := 'r' || md5(p_stage); -- nobody sees it, for it goes in this transaction
    v_step integer;
begin
    perform fetchq.queue_create(v_name, p_settings);
    execute format('alter schema %I rename to %I', 'q_' || v_name, p_stage);
    execute format('create table %I._register as select * from fetchq.queues where name = %L', p_stage, v_name);
    delete from fetchq.queues where name = v_name;
    delete from fetchq.queue_states where queue = v_name;
    delete from fetchq.jobs where queue = v_name;
    execute format('alter table %I.docs drop column lease, drop column ended', p_stage);
    execute format($t$
        create table %1$I._metrics as select name, id, type, value, count, histogram, updated_at from fetchq.metrics with no data;
        create table %1$I._folded as select name, type, at, count, sum, low, high, last, buckets, counts from fetchq.measures with no data;
        create table %1$I._marks as select at, text, created_by from fetchq.marks with no data;
        create table %1$I._error_groups as
        select fingerprint, first_seen, last_seen, errors, versions, documents, pattern, sample from fetchq.error_groups with no data;
        create table %1$I._error_counts as select fingerprint, step, slot, errors from fetchq.error_counts with no data $t$, p_stage);
    for v_step in select step from fetchq.series_steps() loop
        execute format('create table %I.%I as select slot, data from fetchq.%I with no data', p_stage, '_series_' || v_step, 'series_' || v_step);
    end loop;
end $$;

-- restore_bare drops the indexes of a stage, which is filled faster without them, and returns the statements that make them again: those
-- of step 1 may run side by side, the others after them in the order of their steps.
create function fetchq.restore_bare(p_stage text) returns table (step integer, statement text)
language plpgsql as $$
declare
    v_drop text;
begin
    create temporary table restore_indexes on commit drop as
    select c.relname::text as index, t.relname::text as name, t.relkind in ('p', 'I') as parted, i.indisprimary as key,
        exists (select from pg_inherits h where h.inhrelid = c.oid) as child,
        replace(pg_get_indexdef(c.oid), ' ON ONLY ', ' ON ') as definition
    from pg_index i join pg_class c on c.oid = i.indexrelid join pg_class t on t.oid = i.indrelid
    where t.relnamespace = to_regnamespace(quote_ident(p_stage)) and (t.relname ~ '^docs(_p[0-9]+)?$' or t.relname in ('logs', 'journal_0'));
    for v_drop in
        select case when key then format('alter table %I.%I drop constraint %I', p_stage, name, index) else format('drop index %I.%I', p_stage, index) end
        from restore_indexes where not child
    loop
        execute v_drop;
    end loop;
    return query
        select 1, definition from restore_indexes where not parted
        union all
        select 2, format('alter table %I.%I add constraint %I primary key using index %I', p_stage, name, index, index) from restore_indexes
        where not parted and key
        union all
        -- A partitioned table takes in the indexes that its partitions have.
        select 3, case when key then format('alter table %I.%I add constraint %I primary key (subject)', p_stage, name, index) else definition end
        from restore_indexes where parted
        order by 1;
end $$;

-- restore_settle ends the leases of a stage: a document that was active goes on as an admin's release would leave it, with its attempts. It
-- returns the gauges that a real count finds.
create function fetchq.restore_settle(p_stage text, p_now timestamptz default clock_timestamp()) returns table (
    version integer, planned bigint, pending bigint, active bigint, completed bigint, killed bigint)
language plpgsql as $$
begin
    execute format($t$
        update %I.docs d set
            status = (coalesce((d.requeue ->> 'date')::timestamptz, d.picked_at, $1) <= $1)::integer,
            next_iteration = coalesce((d.requeue ->> 'date')::timestamptz, d.picked_at, $1),
            payload = coalesce(d.requeue -> 'payload', d.payload),
            size = case when d.requeue ? 'payload' then pg_column_size(d.requeue -> 'payload') else d.size end,
            version = coalesce((d.requeue -> 'version')::integer, d.version),
            priority = coalesce((d.requeue -> 'priority')::integer, d.priority),
            requeue = null
        where d.status = 2 $t$, p_stage) using p_now;
    return query execute format($t$
        select version::integer, count(*) filter (where status = 0), count(*) filter (where status = 1), count(*) filter (where status = 2),
            count(*) filter (where status = 3), count(*) filter (where status = -1)
        from %I.docs group by version order by version $t$, p_stage);
end $$;

-- restore_metrics gives the custom metrics of a stage numbers that nobody has, in the order of the old ones, and returns both.
create function fetchq.restore_metrics(p_stage text) returns table (old_id integer, new_id integer)
language plpgsql as $$
begin
    return query execute format($t$
        with numbered as materialized (
            select id, nextval(pg_get_serial_sequence('fetchq.metrics', 'id'))::integer as fresh
            from (select id from %1$I._metrics where id >= 64 order by id) m
        ), changed as (
            update %1$I._metrics m set id = n.fresh from numbered n where m.id = n.id
        )
        select id, fresh from numbered order by id $t$, p_stage);
end $$;

-- restore_partitions makes the partitions that the series of a stage want, as far back as series are kept.
create function fetchq.restore_partitions(p_stage text, p_now timestamptz default clock_timestamp()) returns void
language plpgsql set lock_timeout = '2s' as $$
declare
    s      record;
    v_from timestamptz;
begin
    perform pg_advisory_xact_lock(7378413, 1);
    for s in select * from fetchq.series_steps() loop
        execute format('delete from %I.%I where slot < $1 or slot > $2', p_stage, '_series_' || s.step) using p_now - s.kept, p_now;
        for v_from in execute format('select distinct date_bin($1, slot, ''epoch'') from %I.%I', p_stage, '_series_' || s.step) using s.span loop
            perform fetchq.series_partition(s.step, s.span, v_from);
        end loop;
    end loop;
end $$;

-- restore_swap makes the stage the queue p_queue, paused. p_facts is what the backup knows of it beside its tables: created_at, version_pauses,
-- seq, log_seq, lease (the highest number in it), counters. p_lease is the highest lease number that was seen in the queue that stands there
-- now. FQ006: that one has documents, and p_replace does not say that they may go. 55P03: calls under way in it do not end.
--
-- What people saved as views of the queue that stands there is theirs, and stays.
--
-- Its number of leases is above all that either queue has given: those of the clock, and of documents that are picked while this one waits
-- for its locks; a million of these for one document is more than it can be.
create function fetchq.restore_swap(
    p_stage text, p_queue text, p_facts jsonb, p_replace boolean default false, p_lease bigint default 0, p_reason text default null,
    p_by text[] default null, p_now timestamptz default clock_timestamp()
) returns fetchq.queues
language plpgsql as $$
declare
    q        fetchq.queues;
    s        constant text := 'q_' || p_queue;
    v_filled boolean;
    v_seq    bigint := 0;
    v_logs   bigint := 1;
    v_id     integer;
    v_step   integer;
begin
    perform fetchq.need_read_committed();
    if p_queue is null or p_queue !~ '^[a-z][a-z0-9_]{0,39}$' then
        perform fetchq.refuse('as', 'a queue''s name is 1 to 40 of a-z, 0-9 and _, and begins with a letter');
    end if;
    if exists (select from fetchq.queues where name = p_queue) then
        perform fetchq.lock_queue(p_queue);
        perform from fetchq.queues where name = p_queue for update;
        execute format('select exists (select from %I.docs)', s) into v_filled;
        if v_filled and not p_replace then
            raise exception using errcode = 'FQ006', column = 'queue',
                message = format('the queue %s has documents; restore it under another name, or say that it is to be replaced', p_queue);
        end if;
        execute format('select last_value from %I.seq', s) into v_seq;
        execute format('select last_value from %s', pg_get_serial_sequence(format('%I.logs', s), 'id')) into v_logs;
        update fetchq.views set queue = p_stage where queue = p_queue; -- out of the way of queue_drop
        perform fetchq.queue_drop(p_queue);
        update fetchq.views set queue = p_queue where queue = p_stage;
    elsif exists (select from pg_namespace where nspname = s) then
        raise exception using errcode = 'FQ006', column = 'queue', message = format('the schema %s stands there without a queue', s);
    end if;
    execute format('alter schema %I rename to %I', p_stage, s);
    execute format($t$
        insert into fetchq.queues select r.* from %I._register g cross join lateral jsonb_populate_record(null::fetchq.queues, to_jsonb(g) || $1) r
        returning * $t$, s) into q
    using jsonb_build_object('name', p_queue, 'created_at', coalesce(p_facts -> 'created_at', to_jsonb(p_now)), 'paused', true, 'pause_kind', 'drain',
        'pause_reason', p_reason, 'paused_until', null, 'version_pauses', p_facts -> 'version_pauses', 'limits_since', p_now);
    execute format('alter table %I.docs add column lease bigint not null default %s, add column ended smallint not null default 0', s,
        greatest(p_lease, (p_facts ->> 'lease')::bigint, fetchq.micros()) + 1000000);
    execute format('alter table %I.docs alter column lease drop default', s);
    perform setval(format('%I.seq', s)::regclass, greatest(v_seq, (p_facts ->> 'seq')::bigint));
    perform setval(pg_get_serial_sequence(format('%I.logs', s), 'id'), greatest(v_logs, (p_facts ->> 'log_seq')::bigint, 1));
    insert into fetchq.counters select c.* from jsonb_array_elements(p_facts -> 'counters') e (counter)
        cross join lateral jsonb_populate_record(null::fetchq.counters, e.counter || jsonb_build_object('queue', p_queue)) c;
    insert into fetchq.queue_states (queue, as_of, last_error_at) values (p_queue, p_now, fetchq.log_last_error(p_queue));
    -- Series count on from what was counted.
    insert into fetchq.series_queues (queue, totals)
    select p_queue, array[0, 0, 0, 0, 0, sum(ev_entered), sum(ev_picked), sum(ev_completed), sum(ev_rescheduled), sum(ev_rejected), sum(ev_orphaned),
        sum(ev_killed), sum(ev_dropped), sum(ev_forwarded), sum(ev_errors), sum(ev_logs)]::bigint[]
    from fetchq.counters where queue = p_queue having count(*) > 0 returning id into v_id;
    for v_step in select step from fetchq.series_steps() where v_id is not null loop
        execute format('insert into fetchq.%I (slot, queue, data) select slot, $1, data from %I.%I order by slot', 'series_' || v_step, s,
            '_series_' || v_step) using v_id;
    end loop;
    execute format($t$
        insert into fetchq.metrics (queue, name, id, type, value, count, histogram, updated_at)
        select $1, name, id, type, value, count, histogram, updated_at from %I._metrics $t$, s) using p_queue;
    execute format($t$
        insert into fetchq.measures (queue, name, type, at, count, sum, low, high, last, buckets, counts)
        select $1, name, type, at, count, sum, low, high, last, buckets, counts from %I._folded $t$, s) using p_queue;
    execute format('insert into fetchq.marks (queue, at, text, created_by) select $1, at, text, created_by from %I._marks', s) using p_queue;
    execute format($t$
        insert into fetchq.error_groups (queue, fingerprint, first_seen, last_seen, errors, versions, documents, pattern, sample)
        select $1, fingerprint, first_seen, last_seen, errors, versions, documents, pattern, sample from %1$I._error_groups $t$, s) using p_queue;
    execute format($t$
        insert into fetchq.error_counts (queue, fingerprint, step, slot, errors)
        select $1, fingerprint, step, slot, errors from %I._error_counts order by step, slot $t$, s) using p_queue;
    perform fetchq.mnt_errors(p_queue); -- what no fold had put together: the counters have it, so that no fold would come to it
    for v_step in select step from fetchq.series_steps() loop
        execute format('drop table %I.%I', s, '_series_' || v_step);
    end loop;
    execute format('drop table %1$I._register, %1$I._metrics, %1$I._folded, %1$I._marks, %1$I._error_groups, %1$I._error_counts', s);
    perform fetchq.queue_functions(q);
    perform fetchq.journal_all(q, 'restore', p_by, p_now);
    -- The job index gives fingerprints to lines of errors that had none when they were read.
    insert into fetchq.jobs (queue, kind) select p_queue, unnest(fetchq.job_kinds() || array['index']);
    return q;
end $$;
