-- Runs of backups, verifications and restores: operations of no queue, which internal/catalog carries out. Of each sort one is under way at
-- a time; the others stand in line.

-- backup_add asks for one. p_key and p_asked are as those of operation_add.
create function fetchq.backup_add(
    p_action text, p_asks jsonb, p_by text, p_as text, p_from text default null, p_request_id text default null, p_key text default null,
    p_asked bytea default null, p_now timestamptz default clock_timestamp()
) returns fetchq.operations
language plpgsql as $$
declare
    o fetchq.operations := fetchq.operation_empty('', p_action, p_now);
begin
    o.asks := p_asks;
    o.asked_by := p_by; o.asked_as := p_as; o.asked_from := p_from; o.request_id := p_request_id; o.key := p_key;
    o.asked := coalesce(p_asked, fetchq.asked(p_asks::text));
    return (fetchq.operation_insert(o)).op;
end $$;

-- backup_claim gives a node what nobody is at: what a node left behind when it died, and the first in the line of each sort. A claim lasts for
-- 15 seconds; backup_tell lengthens it.
create function fetchq.backup_claim(p_node text, p_now timestamptz default clock_timestamp()) returns setof fetchq.operations
language plpgsql as $$
declare
    v_id uuid;
    v_op fetchq.operations;
begin
    for v_id in
        select o.id from fetchq.operations o
        where o.queue = '' and o.state in ('waiting', 'running') and (o.claimed_until <= p_now) is not false
            and not exists (
                select from fetchq.operations b
                where b.queue = '' and b.action = o.action and b.id <> o.id
                    and (b.state = 'running' or b.state = 'waiting' and o.state = 'waiting' and b.number < o.number))
        order by o.number
        for update of o skip locked
    loop
        begin
            update fetchq.operations set
                state = 'running', claimed_by = p_node, claimed_until = p_now + interval '15 seconds', started_at = coalesce(started_at, greatest(p_now, created_at))
            where id = v_id
            returning * into v_op;
            return next v_op;
        exception when unique_violation then
            null; -- another node began one of the same sort in this moment
        end;
    end loop;
end $$;

-- backup_tell writes how far one has come and lengthens its claim. It returns false where that is over, or the operation was canceled.
create function fetchq.backup_tell(p_id uuid, p_node text, p_told jsonb, p_looked bigint default null, p_total bigint default null,
    p_now timestamptz default clock_timestamp()) returns boolean
language sql as $$
    with told as (
        update fetchq.operations set told = coalesce(told, '{}') || p_told, looked = coalesce(p_looked, looked), total = coalesce(p_total, total),
            claimed_until = p_now + interval '15 seconds'
        where id = p_id and claimed_by = p_node and state = 'running'
        returning 1
    )
    select exists (select from told)
$$;

-- backup_done ends one that came to its end. FQ005: its claim is over, or it was canceled.
create function fetchq.backup_done(p_id uuid, p_node text, p_told jsonb, p_done bigint, p_now timestamptz default clock_timestamp()) returns void
language plpgsql as $$
begin
    update fetchq.operations set state = 'done', told = coalesce(told, '{}') || p_told, looked = p_done, total = p_done, done = p_done, finished_at = p_now,
        error = null, failures = 0, claimed_by = null, claimed_until = null
    where id = p_id and claimed_by = p_node and state = 'running';
    if not found then
        raise exception using errcode = 'FQ005', column = 'id', message = 'the operation was canceled, or another node took it over';
    end if;
    perform fetchq.operation_tell();
end $$;
