-- Workers: what they hold, and those that are asked to go quiet. What they did, their nodes write (internal/queue/crew.go).

-- worker_quiet asks a worker to go quiet: it is handed nothing more in any queue, and told so, until worker_wake. Whoever is asked
-- already stays as he is. Nodes hear of it at once, and look once a second besides.
create function fetchq.worker_quiet(p_worker text, p_by text default null) returns fetchq.quiets
language plpgsql as $$
declare
    r fetchq.quiets;
begin
    if p_worker is null or octet_length(p_worker) not between 1 and 255 then
        perform fetchq.refuse('worker', format('the name has %s bytes; 1 to 255 are allowed', coalesce(octet_length(p_worker), 0)));
    end if;
    perform from fetchq.quiet_state for update; -- the rest in turns
    select * into r from fetchq.quiets where worker = p_worker;
    if found then
        return r;
    elsif (select count(*) from fetchq.quiets) >= 10000 then
        perform fetchq.refuse('worker', '10000 workers are quiet already; wake some first');
    end if;
    insert into fetchq.quiets (worker, since, by) values (p_worker, clock_timestamp(), coalesce(p_by, 'role:' || session_user))
    returning * into r;
    update fetchq.quiet_state set changes = changes + 1;
    perform pg_notify('fetchq', '{"say":"quiet"}');
    return r;
end $$;

-- worker_wake ends what worker_quiet asked; it returns whether the worker was quiet.
create function fetchq.worker_wake(p_worker text) returns boolean
language plpgsql as $$
begin
    perform from fetchq.quiet_state for update;
    delete from fetchq.quiets where worker = p_worker;
    if not found then
        return false;
    end if;
    update fetchq.quiet_state set changes = changes + 1;
    perform pg_notify('fetchq', '{"say":"quiet"}');
    return true;
end $$;

-- worker_forget removes rows of workers that were not seen for a day, and what is beyond the newest p_most; and what workers were
-- asked that nobody has seen for so long.
create function fetchq.worker_forget(p_most integer, p_now timestamptz default clock_timestamp()) returns void
language plpgsql as $$
begin
    delete from fetchq.workers where seen_at < p_now - interval '1 day';
    delete from fetchq.workers where (worker, queue, node) in (
        select worker, queue, node from fetchq.workers order by seen_at desc, worker, queue, node offset p_most);
    if exists (select from fetchq.quiets where since < p_now - interval '1 day') then
        perform from fetchq.quiet_state for update;
        delete from fetchq.quiets q where since < p_now - interval '1 day' and not exists (select from fetchq.workers w where w.worker = q.worker);
        if found then
            update fetchq.quiet_state set changes = changes + 1;
        end if;
    end if;
end $$;

-- worker_holds returns who holds documents, by queue: how many, when the first and the last lease ends, and since when the first and
-- the last was picked. Of a queue it looks at the p_limit documents whose leases end first; partial says that there are more, or that
-- the queue is locked, and nothing is known of it (a row without a number). A null worker gave no name.
--
-- Which queues have active documents the folded counters tell. A queue's come by the index docs_active.
create function fetchq.worker_holds(p_limit integer default 10000, p_queues text[] default null) returns table (
    queue text, worker text, held bigint, first_end timestamptz, last_end timestamptz, first_pick timestamptz, last_pick timestamptz, partial boolean)
language plpgsql set enable_seqscan = off set enable_bitmapscan = off set jit = off set lock_timeout = '200ms' as $$
#variable_conflict use_column
declare
    v_queue text;
begin
    for v_queue in
        select c.queue from fetchq.counters c join fetchq.queues q on q.name = c.queue
        where p_queues is null or c.queue = any (p_queues) group by c.queue having sum(c.active) > 0 order by c.queue
    loop
        begin
            return query execute format($t$
                with held as materialized (
                    select worker, next_iteration, picked_at from %I.docs where status = 2 order by next_iteration limit $2
                )
                select $1, worker, count(*), min(next_iteration), max(next_iteration), min(picked_at), max(picked_at),
                    (select count(*) = $2 from held)
                from held group by worker $t$, 'q_' || v_queue)
            using v_queue, p_limit;
        exception when lock_not_available or undefined_table then -- or dropped meanwhile
            return query select v_queue, null, null::bigint, null::timestamptz, null::timestamptz, null::timestamptz, null::timestamptz, true;
        end;
    end loop;
end $$;

-- worker_docs returns up to p_limit of the documents of a queue that a worker holds, those whose leases end first in front. It looks at
-- 10,000 active ones, in that order; null is who gave no name.
create function fetchq.worker_docs(p_queue text, p_worker text, p_limit integer) returns table (
    subject text, version smallint, priority smallint, attempts integer, picked_at timestamptz, lease bigint, lease_expires_at timestamptz)
language plpgsql stable set enable_seqscan = off set enable_bitmapscan = off set jit = off set lock_timeout = '1s' as $$
begin
    perform fetchq.queue_find(p_queue);
    return query execute format($t$
        select subject::text, version, priority, attempts, picked_at, lease, next_iteration
        from (select * from %I.docs where status = 2 order by next_iteration limit 10000) held
        where worker is not distinct from $1
        order by next_iteration, subject
        limit $2 $t$, 'q_' || p_queue)
    using p_worker, p_limit;
end $$;
