-- Limits of a queue: picks take turns, and each sees how many documents may still be handed out. Those by key are in keyed.sql.

-- take_turn holds what a name stands for until the end of the transaction, and tells whether it had to wait for it.
create function fetchq.take_turn(p_name text) returns boolean
language plpgsql as $$
declare
    v_key constant bigint := hashtextextended(p_name, 0);
begin
    if pg_try_advisory_xact_lock(v_key) then
        return false;
    end if;
    perform pg_advisory_xact_lock(v_key);
    return true;
end $$;

-- moment returns the clock's time for a call whose moment p_now is the clock's, and for another p_now. What is handed out under a
-- limit is handed out after all was seen that the limit counts: else a document that was ended in between would seem, by
-- the dates of both, to have been held at the same time.
create function fetchq.moment(p_now timestamptz) returns timestamptz
language sql volatile as $$
    select case when clock_timestamp() - p_now between interval '0' and interval '10 seconds' then clock_timestamp() else p_now end
$$;

-- gate_enter returns how many documents a limited queue may hand out, p_limit at most, and the moment of the pick, which is never
-- before that of the last one. The caller holds the queue's turn.
--
-- Each write gives the gate's row the next id, and the last one is read first: however many versions of it a held
-- snapshot keeps, none is walked. Whoever has an old snapshot of his own fails with 40001 when he writes.
--
-- Token bucket: it holds burst tokens at most and gets picks of them each per; the pick pays one for each document. At a change of
-- limits it keeps what it held after the last pick: nothing that came in before the change is counted at the new rate.
create function fetchq.gate_enter(q fetchq.queues, p_limit integer, p_now timestamptz) returns fetchq.gate
language plpgsql as $$
declare
    g fetchq.gate;
    v_now timestamptz;
begin
    execute format('select id, tokens, filled_at, picked, counted_at, counted_ms, $1 from %I.gate order by id desc limit 1', 'q_' || q.name)
    into g using p_limit;
    if q.max_active is not null then
        g := fetchq.gate_count(q, g, p_now);
    end if;
    v_now := greatest(g.filled_at, fetchq.moment(p_now));
    if q.rate_picks is not null then
        g.tokens := fetchq.bucket(g.tokens, g.filled_at, q.limits_since, v_now, q.rate_picks, q.rate_per, q.rate_burst);
        g.allowed := least(g.allowed, floor(g.tokens + 1e-6));
    end if;
    g.filled_at := v_now;
    return g;
end $$;

-- bucket returns how many tokens a bucket holds; one that nobody has taken from yet is full.
create function fetchq.bucket(
    p_tokens float8, p_filled_at timestamptz, p_since timestamptz, p_now timestamptz, p_picks integer, p_per interval, p_burst integer
) returns float8
language sql immutable as $$
    select least(p_burst, coalesce(p_tokens + p_picks / extract(epoch from p_per)::float8
        * greatest(extract(epoch from p_now - greatest(p_filled_at, p_since))::float8, 0), p_burst))
$$;

-- gate_count lowers what a gate allows to what max_active leaves.
--
-- The active documents are those that were ever picked without those whose leases ended, and the counters tell both. While a
-- snapshot is held, the deltas that were folded stay in their table. Then only its last blocks are read, where the new ones are:
-- all picks are known, for each takes its turn and notes the sum in the gate, so that an end that stands elsewhere makes the
-- queue seem fuller until it is folded, and never emptier. All is read where that is little, where the gate does not know the
-- sum, and where the queue seems full, for one part in 20 of the time.
create function fetchq.gate_count(q fetchq.queues, g fetchq.gate, p_now timestamptz) returns fetchq.gate
language plpgsql as $$
declare
    v_deltas constant text := format('%I.deltas', 'q_' || q.name);
    v_blocks constant bigint := pg_relation_size(v_deltas::regclass) / current_setting('block_size')::bigint;
    v_whole  boolean := v_blocks <= 128 or (g.counted_at > q.limits_since) is not true;
    v_active bigint;
    v_picked bigint;
    v_began  timestamptz := clock_timestamp();
begin
    for i in 1 .. 2 loop
        execute format($t$
            select coalesce(sum(active), 0), coalesce(sum(ev_picked), 0) from (
                select active, ev_picked from fetchq.counters where queue = $1
                union all select active, ev_picked from %s where ctid >= $2
            ) c $t$, v_deltas)
        into v_active, v_picked using q.name, format('(%s,0)', case when v_whole then 0 else v_blocks - 64 end)::tid;
        exit when v_whole;
        v_active := v_active + g.picked - v_picked;
        exit when v_active + g.allowed <= q.max_active or p_now < g.counted_at + 20 * interval '1 millisecond' * g.counted_ms;
        v_whole := true;
        v_began := clock_timestamp();
    end loop;
    if v_whole then
        g.picked := v_picked;
        g.counted_at := p_now;
        g.counted_ms := extract(epoch from clock_timestamp() - v_began) * 1000;
    end if;
    g.allowed := greatest(least(g.allowed, q.max_active - v_active), 0);
    return g;
end $$;

-- gate_leave notes a pick of p_taken documents, and returns when the queue may hand out p_wanted more by itself: null where that is
-- not known. One look is for what comes in within a hundredth of a second, so that waiting picks do not look for each token.
create function fetchq.gate_leave(q fetchq.queues, g fetchq.gate, p_taken integer, p_wanted integer) returns timestamptz
language plpgsql as $$
declare
    s constant text := 'q_' || q.name;
    v_rate constant float8 := q.rate_picks / extract(epoch from q.rate_per)::float8;
    v_next timestamptz;
begin
    if p_taken > 0 then
        -- What chose by keys has moved filled_at to its own moment, a little later.
        execute format($t$
            update %1$I.gate set id = id + 1, filled_at = greatest(filled_at, $1), picked = $2, counted_at = $3, counted_ms = $4,
                tokens = case when $5 is null then tokens
                    else fetchq.bucket($6, $1, $1, greatest(filled_at, $1), $5, $7, $8) - $9 end
            where id = %2$s $t$, s, case when fetchq.is_keyed(q) then format('(select id from %I.gate order by id desc limit 1)', s) else '$10' end)
        using g.filled_at, g.picked + p_taken, g.counted_at, g.counted_ms, q.rate_picks, g.tokens, q.rate_per, q.rate_burst, p_taken, g.id;
    end if;
    if p_wanted > 0 and q.rate_picks is not null and g.tokens - p_taken < 1 then
        return g.filled_at + interval '1 microsecond'
            + make_interval(secs => (least(p_wanted, greatest(1, least(q.rate_burst / 2, v_rate / 100))) - g.tokens + p_taken) / v_rate);
    elsif p_wanted > 0 and p_taken < g.allowed and fetchq.is_keyed(q) then
        return fetchq.key_next(q, g.filled_at);
    end if;
    return null;
end $$;

-- gate_build makes the gate of a queue with limits, where it is missing, or columns of it: one row, which each pick writes.
create function fetchq.gate_build(s text) returns void
language plpgsql as $$
begin
    execute format('create table if not exists %I.gate (tokens float8, filled_at timestamptz) with (fillfactor = 20)', s);
    execute format($t$
        alter table %I.gate
            add column if not exists id bigint not null default 0, -- of the last write
            add column if not exists picked bigint,                -- documents that were ever picked; null: not known
            add column if not exists counted_at timestamptz,       -- when all of the counters was read
            add column if not exists counted_ms float8,            -- how long that took
            add column if not exists key_at text[],                -- by leaf: the key that was walked last
            add column if not exists key_front timestamptz         -- the lowest ready_at of keys $t$, s);
    execute format('create unique index if not exists gate_id on %I.gate (id)', s);
    execute format('insert into %1$I.gate select where not exists (select from %1$I.gate)', s);
    execute format('update %I.gate set picked = null, counted_at = null, key_front = null', s);
end $$;
