-- Measures: what callers say of a queue by names of their own. A call writes one row into the queue's own table; the fold puts
-- the rows together in fetchq.measures, and the next snapshot takes them from there.

-- queue_measures makes what the schema s of a queue lacks for measures: until the fold takes them those of callers stand in a table of
-- their own, and the timings wait and work, in milliseconds, beside the counters of the call that they belong to.
create function fetchq.queue_measures(s text) returns void
language plpgsql as $$
begin
    execute format($t$
        create table if not exists %I.measures (
            at     timestamptz not null,
            names  text[] not null,
            types  smallint[] not null,
            values float8[] not null
        ) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0) $t$, s);
    execute format('alter table %I.deltas add if not exists waits real[], add if not exists works real[]', s);
    execute format('alter table %I.deltas set (toast_tuple_target = 8160)', s); -- as they are, in the row
end $$;

-- took returns how many milliseconds lie between two moments; none where the clock was set back between.
create function fetchq.took(p_from timestamptz, p_to timestamptz) returns real
language sql stable as $$
    select greatest(date_part('epoch', p_to - p_from) * 1000, 0)::real
$$;

-- timing_bucket returns the bucket of a timing in milliseconds, as internal/metrics has them: ceil(log 1.02 of it); -32768: 0.
create function fetchq.timing_bucket(p_ms float8) returns smallint
language sql immutable as $$
    select case when p_ms > 1e-4 then least(greatest(ceil(ln(p_ms) / 0.019802627296179754), -465), 1500)::smallint else (-32768)::smallint end
$$;

-- metric_code returns the number of a type of metric; null: it is none.
create function fetchq.metric_code(p_type text) returns smallint
language sql immutable as $$
    select case p_type when 'counter' then 1 when 'gauge' then 2 when 'timing' then 3 end::smallint
$$;

-- metric_problem says why a measure cannot be taken, or null. The limits are those of internal/queue.
create function fetchq.metric_problem(p_name text, p_type text, p_value float8) returns text
language sql stable as $$
    select case
        when p_name is null or p_name !~ '^[a-z][a-z0-9_]{0,62}$' then
            'a metric''s name is 1 to 63 of a-z, 0-9 and _, and begins with a letter'
        when p_name ~ '^docs_' or p_name in ('entered', 'picked', 'processed', 'completed', 'rescheduled', 'rejected', 'orphaned', 'killed', 'dropped',
            'forwarded', 'errors', 'logs', 'wait', 'work') then format('%s is the name of a metric that is kept already', p_name)
        when fetchq.metric_code(p_type) is null then 'type is counter, gauge or timing'
        when p_value is null or p_value = 'NaN' then 'value is a number'
        when p_type = 'counter' and p_value not between 0 and 1e15 then 'value of a counter is what is added: 0 to 1e15'
        when p_type = 'gauge' and p_value not between -1e300 and 1e300 then 'value of a gauge is from -1e300 to 1e300'
        when p_type = 'timing' and p_value not between 0 and 1e12 then 'value of a timing is in milliseconds: 0 to 1e12'
    end
$$;

-- metric_learn notes the names that a queue did not have yet, and returns those that it cannot take, with the reason. A name
-- keeps its type for ever. A new name is locked until the caller's transaction ends, for others who bring the same one. It has no
-- value yet, and so is older than any measure.
create function fetchq.metric_learn(p_queue text, p_names text[], p_types smallint[]) returns table (name text, type smallint, problem text)
language plpgsql as $$
#variable_conflict use_column
begin
    if not exists (
        select from unnest(p_names) u (name) where not exists (select from fetchq.metrics m where m.queue = p_queue and m.name = u.name)
    ) then
        null; -- what most calls find
    else
        insert into fetchq.metrics (queue, name, type, updated_at)
        select p_queue, n.name, n.type, 'epoch' from (
            select u.name, (array_agg(u.type order by u.ord))[1] as type
            from unnest(p_names, p_types) with ordinality u (name, type, ord)
            where not exists (select from fetchq.metrics m where m.queue = p_queue and m.name = u.name)
            group by u.name order by min(u.ord)
            limit greatest(1000 - (select count(*) from fetchq.metrics m where m.queue = p_queue and m.id >= 64), 0)
        ) n order by n.name
        on conflict do nothing;
    end if;
    return query
        select distinct u.name, u.type, case when m.name is null then 'the queue has 1000 metrics already, which is the limit; its names stay for as long as the queue does'
            else format('%s is a %s of this queue already, and cannot be a %s', u.name,
                (array['counter', 'gauge', 'timing'])[m.type], (array['counter', 'gauge', 'timing'])[u.type]) end
        from unnest(p_names, p_types) u (name, type) left join fetchq.metrics m on m.queue = p_queue and m.name = u.name
        where m.type is distinct from u.type;
end $$;

-- metric_append writes measures of names that the queue has learnt.
create function fetchq.metric_append(p_queue text, p_names text[], p_types smallint[], p_values float8[], p_now timestamptz default clock_timestamp())
returns void
language plpgsql as $$
begin
    if cardinality(p_names) > 0 then
        execute format('insert into %I.measures values ($1, $2, $3, $4)', 'q_' || p_queue) using p_now, p_names, p_types, p_values;
        perform fetchq.touch(p_queue, 'fold', p_now + interval '1 second');
    end if;
end $$;

-- metric_push_many takes up to 10,000 measures: of a counter what is added, of a gauge its value, of a timing milliseconds.
-- All are taken or none. FQ001: a name, a type or a value outside its limits; its column says which item, as metrics[0].
create function fetchq.metric_push_many(
    p_queue text, p_names text[], p_types text[], p_values float8[], p_now timestamptz default clock_timestamp()
) returns void
language plpgsql as $$
declare
    n constant integer := coalesce(cardinality(p_names), 0);
    v_codes smallint[];
    v_at    bigint;
    v_why   text;
begin
    perform fetchq.queue_find(p_queue);
    if n = 0 then
        return;
    elsif n > 10000 then
        perform fetchq.refuse('metrics', format('the call has %s metrics; 10000 are allowed', n));
    elsif cardinality(p_types) is distinct from n or cardinality(p_values) is distinct from n then
        perform fetchq.refuse('metrics', 'the arrays differ in length');
    end if;
    select ord, problem into v_at, v_why
    from (select ord, fetchq.metric_problem(name, type, value) as problem from unnest(p_names, p_types, p_values) with ordinality u (name, type, value, ord)) p
    where problem is not null order by ord limit 1;
    if v_at is null then
        v_codes := array(select fetchq.metric_code(t) from unnest(p_types) with ordinality u (t, ord) order by ord);
        select array_position(p_names, l.name), l.problem into v_at, v_why from fetchq.metric_learn(p_queue, p_names, v_codes) l limit 1;
    end if;
    if v_at is not null then
        perform fetchq.refuse(format('metrics[%s]', v_at - 1), v_why);
    end if;
    perform fetchq.metric_append(p_queue, p_names, v_codes, p_values, p_now);
end $$;

-- metric_increment adds to a counter of a queue.
create function fetchq.metric_increment(p_queue text, p_metric text, p_value float8 default 1) returns void
language sql as $$
    select fetchq.metric_push_many(p_queue, array[p_metric], array['counter'], array[p_value])
$$;

-- metric_set says what a gauge of a queue is now.
create function fetchq.metric_set(p_queue text, p_metric text, p_value float8) returns void
language sql as $$
    select fetchq.metric_push_many(p_queue, array[p_metric], array['gauge'], array[p_value])
$$;

-- metric_timing counts something that took so many milliseconds.
create function fetchq.metric_timing(p_queue text, p_metric text, p_ms float8) returns void
language sql as $$
    select fetchq.metric_push_many(p_queue, array[p_metric], array['timing'], array[p_ms])
$$;

-- mnt_measures puts a queue's measures together by name and step of 10 s, and returns how many rows it moved.
create function fetchq.mnt_measures(p_queue text) returns bigint
language plpgsql set jit = off as $$
declare
    n bigint;
begin
    execute format($t$
        with gone as (
            delete from %I.measures returning *
        ), one as (
            select u.name, u.type, g.at, u.ord, u.value, date_bin('10 seconds', g.at, 'epoch') as slot,
                case when u.type = 3 then fetchq.timing_bucket(u.value) end as bucket
            from gone g cross join lateral unnest(g.names, g.types, g.values) with ordinality u (name, type, value, ord)
        ), grouped as (
            select name, type, slot, bucket, max(at) as at, count(*) as n, sum(value) as sum, min(value) as low, max(value) as high,
                (array_agg(value order by at desc, ord desc) filter (where type = 2))[1] as last
            from one group by name, type, slot, bucket
        ), moved as (
            insert into fetchq.measures
            select $1, name, type, max(at), sum(n), sum(sum), min(low), max(high), coalesce(max(last), 0),
                case when type = 3 then array_agg(bucket order by bucket) end, case when type = 3 then array_agg(n::bigint order by bucket) end
            from grouped group by name, type, slot
        )
        select count(*) from gone $t$, 'q_' || p_queue) into n using p_queue;
    return n;
end $$;

-- metric_totals returns the parts of a queue's totals, from one snapshot: core counters and gauges exactly, custom metrics and timings as
-- the last snapshot of series left them, then what folds have put together since, then what is not folded yet. Counters and
-- timings sum up, of a gauge the last row counts.
create function fetchq.metric_totals(p_queue text) returns table (
    name text, type smallint, value float8, count bigint, histogram bytea, buckets smallint[], counts bigint[], low float8, high float8,
    updated_at timestamptz)
language plpgsql stable as $$
begin
    perform fetchq.queue_find(p_queue);
    return query execute format($t$
        select metric, case when metric like 'docs_%%' then 2 else 1 end::smallint, value::float8, 0::bigint, null::bytea, null::smallint[],
            null::bigint[], 0::float8, 0::float8, clock_timestamp()
        from fetchq.metric_get($1)
        union all
        select name, type, value, count, histogram, null, null, 0, 0, updated_at from fetchq.metrics where queue = $1
        union all
        select name, type, case when type = 2 then last else sum end, count, null, buckets, counts, low, high, at
        from fetchq.measures where queue = $1
        union all
        select u.name, u.type, u.value, 1, null, case when u.type = 3 then array[fetchq.timing_bucket(u.value)] end, array[1::bigint], u.value, u.value, m.at
        from %1$I.measures m cross join lateral unnest(m.names, m.types, m.values) u (name, type, value)
        union all
        select name, 3::smallint, sum(ms), count(*), null, array[fetchq.timing_bucket(ms)], array[count(*)], min(ms), max(ms), clock_timestamp()
        from (
            select 'wait' as name, unnest(waits)::float8 as ms from %1$I.deltas
            union all select 'work', unnest(works) from %1$I.deltas
        ) t group by name, fetchq.timing_bucket(ms) $t$, 'q_' || p_queue) using p_queue;
end $$;
