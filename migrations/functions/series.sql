-- Series: their partitions and what they keep. Rows are written and read by internal/metrics.

-- series_steps are the steps of series in seconds, with how long each is kept and how much time a partition holds.
create function fetchq.series_steps() returns table (step integer, kept interval, span interval)
language sql immutable as $$
    values (10, interval '6 hours', interval '1 hour'), (60, interval '3 days', interval '12 hours'),
        (600, interval '30 days', interval '72 hours'), (3600, interval '400 days', interval '720 hours')
$$;

-- series_partitions makes the partitions from an hour before p_now, which is how far snapshots go back, to one partition's time behind it.
-- It returns how many it made. It keeps out no readers, is not kept out by them, and waits for no lock longer than 2 seconds.
create function fetchq.series_partitions(p_now timestamptz default clock_timestamp()) returns integer
language plpgsql set lock_timeout = '2s' as $$
declare
    s      record;
    v_from timestamptz;
    n      integer := 0;
begin
    perform pg_advisory_xact_lock(7378413, 1);
    for s in select * from fetchq.series_steps() loop
        v_from := date_bin(s.span, p_now - interval '1 hour', 'epoch');
        while v_from <= p_now + s.span loop
            n := n + fetchq.series_partition(s.step, s.span, v_from)::integer;
            v_from := v_from + s.span;
        end loop;
    end loop;
    return n;
end $$;

-- series_partition makes the partition of a step that begins at p_from, and returns false where it is there.
create function fetchq.series_partition(p_step integer, p_span interval, p_from timestamptz) returns boolean
language plpgsql as $$
declare
    v_name constant text := format('series_%s_%s', p_step, to_char(p_from at time zone 'UTC', 'YYYYMMDDHH24'));
begin
    if to_regclass('fetchq.' || v_name) is not null then
        return false;
    end if;
    -- Attached, not made as one: that would keep out who reads.
    execute format('create table fetchq.%I (like fetchq.%I including all)', v_name, 'series_' || p_step);
    execute format('alter table fetchq.%I attach partition fetchq.%I for values from (%L) to (%L)', 'series_' || p_step, v_name,
        p_from, p_from + p_span);
    return true;
end $$;

-- series_old lists the partitions that are kept no longer, the oldest of each step first.
create function fetchq.series_old(p_now timestamptz default clock_timestamp()) returns setof text
language sql stable as $$
    select c.relname::text
    from fetchq.series_steps() s join pg_inherits i on i.inhparent = ('fetchq.series_' || s.step)::regclass join pg_class c on c.oid = i.inhrelid
    where to_timestamp(right(c.relname, 10) || '+00', 'YYYYMMDDHH24TZH') + s.span < p_now - s.kept
    order by s.step, c.relname
$$;

-- series_drop drops one partition; one that is gone already is no error. It is called in a transaction of its own, for it keeps out
-- readers of all that are in this step; so it waits for a fifth of a second at most. 55P03: somebody reads it for longer.
create function fetchq.series_drop(p_name text) returns void
language plpgsql set lock_timeout = '200ms' as $$
begin
    if p_name !~ '^series_[0-9]+_[0-9]{10}$' then
        perform fetchq.refuse('name', 'this is not a partition of series');
    end if;
    execute format('drop table if exists fetchq.%I', p_name);
end $$;

-- series_expire removes up to p_limit rows in each step of queues that keep their series for a shorter time, and what is known of queues
-- and steps that are gone. It returns how many rows of series went.
create function fetchq.series_expire(p_limit integer default 5000, p_now timestamptz default clock_timestamp()) returns bigint
language plpgsql set lock_timeout = '2s' as $$
declare
    v_step integer;
    n      bigint;
    v_all  bigint := 0;
begin
    delete from fetchq.series_queues s where s.id > 0 and not exists (select from fetchq.queues q where q.name = s.queue);
    delete from fetchq.metrics m where m.queue <> '' and not exists (select from fetchq.queues q where q.name = m.queue);
    delete from fetchq.series_partial p using fetchq.series_steps() s where s.step = p.step and p.slot < p_now - s.kept - s.span;
    for v_step in select step from fetchq.series_steps() loop
        execute format($t$
            with old as materialized (
                select r.queue, r.slot
                from fetchq.queues q join fetchq.series_queues s on s.queue = q.name cross join lateral (
                    select queue, slot from fetchq.%1$I where queue = s.id and slot < $1 - q.series_retention order by slot limit $2
                ) r
                where q.series_retention is not null
                limit $2
            ), gone as (
                delete from fetchq.%1$I r using old where r.queue = old.queue and r.slot = old.slot returning 1
            )
            select count(*) from gone $t$, 'series_' || v_step) into n using p_now, p_limit;
        v_all := v_all + n;
    end loop;
    return v_all;
end $$;
