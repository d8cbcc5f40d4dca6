-- Limits by key: at most so many documents of one key are active, and are picked in a time. A key is a value in the payload, the
-- host of a subject that is a URL, or the beginning of a subject.
--
-- A key is stored nowhere. It is an expression, and two indexes by it say which keys have documents that are due, and how many of a
-- key are active: exactly, whoever changed them. So nothing but the pick differs in a queue with such limits. The table keys
-- has the buckets that are not full, and with them a line of keys that have something due and wait for their time.

-- is_keyed tells whether a queue has limits by key.
create function fetchq.is_keyed(q fetchq.queues) returns boolean
language sql immutable as $$
    select q.key is not null and (q.key_max_active is not null or q.key_rate_picks is not null)
$$;

-- key_text returns the expression of a document's key, 255 characters at most; '' is none. It is made of Postgres's own functions
-- alone, for ours are dropped and made anew when they change, and an index would stand in the way.
-- The host: RFC 3986, appendix B, without user and port.
create function fetchq.key_text(p_key jsonb) returns text
language sql immutable as $$
    select format('(coalesce(left(%s, 255), %L))', case
        when p_key ? 'payload' then format('(payload #>> %L::text[]) collate "C"', (
            select array_agg(replace(replace(part, '~1', '/'), '~0', '~') order by ord)
            from unnest(string_to_array(substr(p_key ->> 'payload', 2), '/')) with ordinality u (part, ord)))
        when p_key ->> 'subject' = 'host' then
            format('lower(substring(subject from %L))', '^[^:/?#]+://(?:[^/?#@]*@)?(\[[^\]/?#]*\]|[^:/?#]*)')
        else format('coalesce(substring(subject from %L), subject)', format('^((?:[^%1$s]*%1$s){%2$s}[^%1$s]*)%1$s',
            '\U' || lpad(to_hex(ascii(p_key ->> 'until')), 8, '0'), (p_key ->> 'nth')::integer - 1))
    end, '')
$$;

-- key_indexes returns the indexes of a queue that its settings ask for: of payloads, and by key. The names of those by key end in a hash of the expression, so that another key has
-- others. Their predicates are written as no other index has them (status + 0): the planner must not come by the index of all
-- that is due, in which a million documents of a blocked key may stand before an open one.
create function fetchq.key_indexes(q fetchq.queues) returns table (name text, definition text)
language sql immutable as $$
    select l.leaf || '_payload', format('on %I.%I using gin (payload jsonb_path_ops)%s', 'q_' || q.name, l.leaf, coalesce(' tablespace ' || quote_ident(q.tablespace), ''))
    from unnest(fetchq.leaves(q)) l (leaf) where q.payload_index
    union all
    select l.leaf || i.name || left(md5(k.key), 8), format('on %I.%I (%s)%s where status + 0 = %s', 'q_' || q.name, l.leaf, i.columns,
            coalesce(' tablespace ' || quote_ident(q.tablespace), ''), i.status)
    from (select fetchq.key_text(q.key) as key) k cross join unnest(fetchq.leaves(q)) l (leaf) cross join lateral (values
        ('_keyed_', 'version, ' || k.key || ', priority desc, next_iteration, seq', 1), ('_held_', k.key || ', next_iteration', 2)) i (name, columns, status)
    where fetchq.is_keyed(q)
$$;

-- key_change brings a queue in line with its limits by key, after queue_set has changed them. In a new queue the indexes are made at
-- once; else by the job index, and until then picks do without.
create function fetchq.key_change(q fetchq.queues, p_creating boolean) returns fetchq.queues
language plpgsql as $$
declare
    s constant text := 'q_' || q.name;
    v_space constant text := current_setting('default_tablespace');
    v_index text;
    v_definition text;
begin
    if fetchq.is_keyed(q) then
        perform set_config('default_tablespace', coalesce(q.tablespace, ''), true);
        execute format($t$
            create table if not exists %I.keys (
                key       text collate "C" primary key,
                tokens    float8      not null,
                filled_at timestamptz not null,
                ready_at  timestamptz -- when the key may be picked again; null: nothing of it was due
            ) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000,
                autovacuum_vacuum_cost_delay = 0) $t$, s);
        execute format('create index if not exists keys_ready on %I.keys (ready_at) where ready_at is not null', s);
        perform set_config('default_tablespace', v_space, true);
    end if;
    if p_creating then
        for v_index, v_definition in select * from fetchq.key_indexes(q) loop
            execute format('create index %I %s', v_index, v_definition);
        end loop;
    end if;
    update fetchq.queues set key_ready = fetchq.is_keyed(q) and fetchq.keys_built(q.name) where name = q.name returning * into q;
    if not p_creating then
        perform fetchq.queue_functions(q, false);
        if exists (select from fetchq.key_plan(q.name)) then
            insert into fetchq.jobs (queue, kind) values (q.name, 'index') on conflict do nothing;
            perform fetchq.touch(q.name, 'index', clock_timestamp());
        end if;
    end if;
    return q;
end $$;

-- key_plan returns what is to be done about the indexes of a queue that its settings ask for, in its order: statements that run outside of
-- transactions. It removes what is not wanted, and what was left by a build that did not come to its end.
create function fetchq.key_plan(p_queue text) returns setof text
language sql stable as $$
    with wanted as materialized (
        select i.* from fetchq.queues q cross join lateral fetchq.key_indexes(q) i where q.name = p_queue
    ), here as (
        select c.relname::text as name, i.indisvalid as valid
        from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = 'q_' || p_queue and c.relname ~ '^docs(_p[0-9]+)?_((keyed|held)_[0-9a-f]{8}|payload)$'
    )
    select statement from (
        select 1 as ord, name, format('drop index concurrently if exists %I.%I', 'q_' || p_queue, name) as statement
        from here where not valid
        union all
        select 2, name, format('create index concurrently if not exists %I %s', name, definition)
        from wanted where not exists (select from here where here.name = wanted.name and valid)
        union all
        select 3, name, format('drop index concurrently if exists %I.%I', 'q_' || p_queue, name)
        from here where valid and name not in (select name from wanted)
    ) t order by ord, name
$$;

-- keys_built tells whether no index by key of a queue is missing.
create function fetchq.keys_built(p_queue text) returns boolean
language sql stable as $$
    select not exists (select from fetchq.key_plan(p_queue) p where p like 'create%' and p !~ '_payload on ')
$$;

-- payload_indexed tells whether a queue has the index of its payloads, on all leaves.
create function fetchq.payload_indexed(p_queue text) returns boolean
language sql stable as $$
    select q.payload_index and not exists (select from fetchq.key_plan(p_queue) p where p like 'create%' and p ~ '_payload on ')
    from fetchq.queues q where q.name = p_queue
$$;

-- key_done lets picks use the indexes by key, when all are there. It returns whether that is new.
create function fetchq.key_done(p_queue text) returns boolean
language plpgsql as $$
declare
    q fetchq.queues;
begin
    select * into q from fetchq.queues where name = p_queue for update;
    if not found or q.key_ready or not fetchq.is_keyed(q) or not fetchq.keys_built(p_queue) then
        return false;
    end if;
    update fetchq.queues set key_ready = true where name = p_queue returning * into q;
    perform fetchq.queue_functions(q, false);
    return true;
end $$;

-- key_next returns when the next key that waits for its time may be picked; soon, where the pick did not come to all keys.
create function fetchq.key_next(q fetchq.queues, p_now timestamptz) returns timestamptz
language plpgsql as $$
declare
    v_next timestamptz;
begin
    execute format($t$
        select min(ready_at) from %1$I.keys
        where ready_at > $1 and ready_at >= (select coalesce(key_front, '-infinity') from %1$I.gate order by id desc limit 1) $t$, 'q_' || q.name)
    into v_next using p_now;
    return least(v_next, p_now + nullif(current_setting('fetchq.look_again', true), '')::interval);
end $$;

-- key_expire removes buckets that are full, among those in some 200 blocks of the table, and returns how many went. It takes the
-- queue's turn, for a pick may be about to take from one; where somebody has it, another run will do.
create function fetchq.key_expire(q fetchq.queues, p_now timestamptz) returns bigint
language plpgsql as $$
declare
    v_keys   constant text := format('%I.keys', 'q_' || q.name);
    v_blocks bigint;
    v_first  bigint;
    n        bigint := 0;
begin
    if to_regclass(v_keys) is not null and pg_try_advisory_xact_lock(hashtextextended(q.name, 0)) then
        v_blocks := pg_relation_size(v_keys::regclass) / current_setting('block_size')::bigint;
        v_first := floor(random() * greatest(v_blocks - 199, 1));
        execute format($t$
            delete from %s where ctid >= $1 and ctid < $2
                and ($3 is null or fetchq.bucket(tokens, filled_at, $4, $5, $3, $6, $7) >= $7) $t$, v_keys)
        using format('(%s,0)', v_first)::tid, format('(%s,0)', v_first + 200)::tid, q.key_rate_picks, q.limits_since, p_now, q.key_rate_per,
            q.key_rate_burst;
        get diagnostics n = row_count;
    end if;
    return n;
end $$;
