-- Choose: what a pick from a queue with limits by key takes. Each leaf has a function of its own, as in leaf.sql; it finds
-- documents and locks them, and the leaf's pick leases them.

-- choose_text is the function choose_<number> of a leaf: up to p_limit documents that are due and whose keys are open, of which the
-- payloads take up to p_bytes. The order is best effort across keys; those of one key come by priority (high first), date, seq.
--
-- It walks over the keys that have something due, from the one on where the last pick of this leaf left off, by one probe of the
-- index for each: so each key gets its turn, and a blocked one costs the same however many documents it has. When 64 keys gave
-- nothing, it goes along the line of keys that had to wait for their time and have it now. If all that gave nothing, it walks
-- on over 2,000 further keys; where there are more, it says in the setting fetchq.look_again when to look again.
--
-- What it returns is leased at the moment that it returns, after all was seen that the limits count; the buckets are those of that
-- moment too. Only picks write keys, in their turns, with moments that lie ahead. So the line begins at its lowest moment that is left,
-- which the gate keeps: the dead entries before it, that a held snapshot keeps, are not walked.
create function fetchq.choose_text(q fetchq.queues, s text, p_leaf text, p_number integer) returns text
language sql immutable as $f$
    select format($t$
create or replace function %1$I.choose_%3$s(p_version smallint, p_limit integer, p_bytes bigint, p_now timestamptz,
    out subjects text[], out dates timestamptz[], out leases bigint[], out bytes bigint, out moment timestamptz)
language plpgsql as $$
declare
    q       constant fetchq.queues := fetchq.queue_find(%4$L);
    v_rate  constant float8 := q.key_rate_picks / extract(epoch from q.key_rate_per)::float8;
    v_left  integer := p_limit;
    v_gate  bigint;
    v_start text;        -- the key behind which the walk begins
    v_front timestamptz; -- where the line begins
    v_phase text := 'walk';
    v_again boolean := false; -- the walk began anew at the first key
    v_over  boolean := false; -- the walk came by all keys
    v_vain  integer := 0;     -- keys of the walk that gave nothing
    v_seen  text[] := '{}';
    v_at    text;
    v_key   text;
    v_held   integer; -- how many documents of the key are active
    v_kept   float8;  -- the bucket of the key, as it was kept; v_filled_at and v_was_ready too
    v_filled_at timestamptz;
    v_was_ready timestamptz;
    v_tokens float8;
    v_open   integer; -- how many documents of the key may be taken
    v_found  record;
    v_taken  integer;
    v_more   boolean;
    v_keys   text[] := '{}'; -- whose buckets are written; v_takens and v_mores too
    v_takens integer[] := '{}';
    v_mores  boolean[] := '{}'; -- it may have more to pick: null where that is another leaf
    v_ready  timestamptz;
    walk cursor (p_from text) for
        with recursive w as (
            (select %5$s as key from %1$I.%2$I where status + 0 = 1 and version = p_version and %5$s >= p_from order by 1 limit 1)
            union all
            select n.key from w cross join lateral (
                select %5$s as key from %1$I.%2$I where status + 0 = 1 and version = p_version and %5$s > w.key order by 1 limit 1) n
        )
        select %7$s from w %8$s;
    line cursor for
        select %7$s from %1$I.keys w %8$s where w.ready_at >= v_front and w.ready_at <= p_now order by w.ready_at;
begin
    bytes := 0;
    select id, key_at[%3$s + 1], coalesce(key_front, '-infinity') into v_gate, v_start, v_front from %1$I.gate order by id desc limit 1;
    open walk(coalesce(v_start || E'\x01', '')); -- nothing lies between a key and that
    loop
        exit when v_left = 0 or bytes >= p_bytes;
        if v_phase = 'walk' and (v_over or v_vain = 64) then
            v_phase := 'line';
            open line;
        end if;
        if v_phase = 'line' then
            fetch line into v_key, v_held, v_kept, v_filled_at, v_was_ready;
            if not found then
                v_phase := 'walk on';
                continue;
            end if;
            continue when v_key = any (v_seen);
        else
            exit when v_over or v_phase = 'walk on' and (subjects is not null or v_vain >= 2064);
            fetch walk into v_key, v_held, v_kept, v_filled_at, v_was_ready;
            if not found and not v_again and v_start is not null then
                v_again := true;
                close walk;
                open walk('');
                continue;
            elsif v_key is null or v_again and v_key > v_start then
                v_over := true;
                continue;
            end if;
            v_at := v_key;
            if v_phase = 'walk' then
                v_seen := v_seen || v_key;
            end if;
        end if;

        v_open := v_left;
        v_tokens := null;
        if v_key <> '' then
            if v_rate is not null then
                v_tokens := fetchq.bucket(v_kept, v_filled_at, q.limits_since, p_now, q.key_rate_picks, q.key_rate_per, q.key_rate_burst);
            end if;
            v_open := least(v_open, floor(v_tokens + 1e-6), q.key_max_active - v_held);
        end if;
        v_taken := 0;
        if v_open > 0 then
            select array_agg(subject) filter (where fits) as subjects, array_agg(next_iteration) filter (where fits) as dates,
                array_agg(lease + 1) filter (where fits) as leases, coalesce(sum(size), 0) as bytes, count(*) filter (where fits) as n into v_found
            from (
                select *, bytes + before = 0 or bytes + before < p_bytes as fits from (
                    select *, sum(size) over (rows unbounded preceding) - size as before from (
                        select subject, next_iteration, lease, size from %1$I.%2$I
                        where status + 0 = 1 and version = p_version and %5$s = v_key and next_iteration <= p_now
                        order by priority desc, next_iteration, seq
                        limit v_open
                        for update skip locked) due
                ) sized
            ) fitting;
            v_taken := v_found.n;
            subjects := subjects || v_found.subjects;
            dates := dates || v_found.dates;
            leases := leases || v_found.leases;
            bytes := bytes + v_found.bytes;
            v_left := v_left - v_taken;
        end if;
        if v_taken = 0 and v_phase <> 'line' then
            v_vain := v_vain + 1;
        end if;
        if v_tokens is not null and (v_taken > 0 or v_kept is not null) then
            v_more := v_taken = v_open or v_open <= 0;
            %6$s
            -- Of what was not picked only those are written that come into the line, or leave it.
            if v_taken > 0 or (v_was_ready > p_now) is not true and (v_was_ready is not null or v_more and v_tokens < 1 - 1e-6) then
                v_keys := v_keys || v_key;
                v_takens := v_takens || v_taken;
                v_mores := v_mores || v_more;
            end if;
        end if;
    end loop;
    close walk;
    if v_phase <> 'walk' then
        close line;
    end if;
    if not v_over and v_left > 0 and bytes < p_bytes then
        perform set_config('fetchq.look_again', '250 milliseconds', true);
    end if;
    v_at := coalesce(v_at, v_start);
    moment := fetchq.moment(p_now);
    if v_keys <> '{}' then
        -- A key that has its time and was not picked empty is opened by what ends a lease: the walk finds it then.
        insert into %1$I.keys as k (key, tokens, filled_at, ready_at)
        select u.key, u.tokens, moment, case
            when u.more is null then moment
            when not u.more then null
            when u.tokens < 1 - 1e-6 then moment + interval '1 microsecond' + make_interval(secs => (1 - u.tokens) / v_rate)
            when v_left = 0 and u.key = v_key then moment end
        from (
            select u.key, u.more, fetchq.bucket(k.tokens, k.filled_at, q.limits_since, moment, q.key_rate_picks, q.key_rate_per,
                q.key_rate_burst) - u.taken as tokens
            from unnest(v_keys, v_takens, v_mores) u (key, taken, more)
                left join lateral (select tokens, filled_at from %1$I.keys where key = u.key limit 1) k on true
        ) u
        on conflict (key) do update set tokens = excluded.tokens, filled_at = excluded.filled_at, ready_at = excluded.ready_at;
    end if;
    if v_rate is not null then
        select ready_at into v_ready from %1$I.keys where ready_at >= v_front order by ready_at limit 1;
    end if;
    if subjects is not null or v_at is distinct from v_start or v_ready is distinct from v_front then
        update %1$I.gate set id = id + 1, key_at[%3$s + 1] = v_at, key_front = v_ready,
            filled_at = case when subjects is null then filled_at else greatest(filled_at, moment) end
        where id = v_gate;
    end if;
end $$ $t$, s, p_leaf, p_number, q.name, fetchq.key_text(q.key), case when q.partitions > 1 then
        format($t$if not v_more and exists (select from %I.docs where status + 0 = 1 and version = p_version and %s = v_key limit 1) then
                v_more := null;
            end if;$t$, s, fetchq.key_text(q.key))
        else '' end,
        'w.key, held.n, kept.tokens, kept.filled_at, kept.ready_at',
        -- A lease that ran out counts until it is taken back, or for a minute: an extension that came in time may not be committed yet.
        format($t$cross join lateral (
                select count(*)::integer as n from (
                    select from %1$I.docs where status + 0 = 2 and %2$s = w.key and next_iteration > p_now - interval '1 minute'
                    limit coalesce(q.key_max_active, 0)) h
            ) held left join lateral (select tokens, filled_at, ready_at from %1$I.keys where key = w.key limit 1) kept on v_rate is not null$t$,
            s, fetchq.key_text(q.key)))
$f$;

-- choose_slowly_text is choose_<number> while the indexes by key are being made: it looks at the first 1,000 documents that are
-- due, and at 5,000 further ones by their subjects, from the one on where the last pick left off.
create function fetchq.choose_slowly_text(q fetchq.queues, s text, p_leaf text, p_number integer) returns text
language sql immutable as $f$
    select format($t$
create or replace function %1$I.choose_%3$s(p_version smallint, p_limit integer, p_bytes bigint, p_now timestamptz,
    out subjects text[], out dates timestamptz[], out leases bigint[], out bytes bigint, out moment timestamptz)
language plpgsql as $$
declare
    q       constant fetchq.queues := fetchq.queue_find(%4$L);
    v_gate  bigint;
    v_start text;
    v_at    text;
    v_held  jsonb; -- by key: how many documents are active
    v_open  jsonb := '{}'; -- by key: how many more may be taken
    v_key   text;
    v_keys  text[] := '{}'; -- of what is taken
    v_tokens float8;
    c       record;
    d       record;
begin
    bytes := 0;
    subjects := '{}';
    select id, coalesce(key_at[%3$s + 1], '') into v_gate, v_start from %1$I.gate order by id desc limit 1;
    select case when count(*) = 5000 then max(subject) else '' end into v_at
    from (select subject from %1$I.%2$I where subject > v_start order by subject limit 5000) t;
    if q.key_max_active is not null then
        select jsonb_object_agg(key, n) into v_held from (
            select %5$s as key, count(*) as n from %1$I.docs where status = 2 and next_iteration > p_now - interval '1 minute' group by 1) t;
    end if;
    for c in
        select subject, key from (
            select subject, %5$s as key from %1$I.%2$I where status = 1 and version = p_version and next_iteration <= p_now
            order by priority desc, next_iteration, seq limit 1000) due
        union all
        select subject, key from (
            select subject, %5$s as key, status, version from %1$I.%2$I where subject > v_start order by subject limit 5000) further
        where status = 1 and version = p_version
    loop
        exit when cardinality(subjects) >= p_limit or bytes >= p_bytes;
        v_key := c.key;
        if v_key <> '' then
            if not v_open ? v_key then
                select fetchq.bucket(tokens, filled_at, q.limits_since, p_now, q.key_rate_picks, q.key_rate_per, q.key_rate_burst) into v_tokens
                from %1$I.keys where key = v_key;
                v_open := v_open || jsonb_build_object(v_key, least(floor(coalesce(v_tokens, q.key_rate_burst) + 1e-6),
                    q.key_max_active - coalesce((v_held -> v_key)::integer, 0)));
            end if;
            continue when (v_open -> v_key)::integer <= 0;
        end if;
        select subject, next_iteration, lease, size into d from %1$I.%2$I
        where subject = c.subject and status + 0 = 1 and version = p_version and %5$s = v_key and next_iteration <= p_now
        for update skip locked;
        continue when not found or d.subject = any (subjects) or bytes > 0 and bytes + d.size > p_bytes;
        subjects := subjects || d.subject;
        dates := dates || d.next_iteration;
        leases := leases || d.lease + 1;
        bytes := bytes + d.size;
        continue when v_key = '';
        v_open := v_open || jsonb_build_object(v_key, (v_open -> v_key)::integer - 1);
        v_keys := v_keys || v_key;
    end loop;
    moment := fetchq.moment(p_now);
    if q.key_rate_picks is not null then
        insert into %1$I.keys as k (key, tokens, filled_at)
        select key, q.key_rate_burst - count(*), moment from unnest(v_keys) key group by key
        on conflict (key) do update set filled_at = moment, ready_at = null, tokens = excluded.tokens - q.key_rate_burst
            + fetchq.bucket(k.tokens, k.filled_at, q.limits_since, moment, q.key_rate_picks, q.key_rate_per, q.key_rate_burst);
    end if;
    if cardinality(subjects) < p_limit then
        perform set_config('fetchq.look_again', '50 milliseconds', true);
    end if;
    subjects := nullif(subjects, '{}');
    update %1$I.gate set id = id + 1, key_at[%3$s + 1] = v_at,
        filled_at = case when subjects is null then filled_at else greatest(filled_at, moment) end
    where id = v_gate and (v_at <> v_start or subjects is not null);
end $$ $t$, s, p_leaf, p_number, q.name, fetchq.key_text(q.key))
$f$;
