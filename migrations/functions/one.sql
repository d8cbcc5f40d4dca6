-- The forms for one document, with the names and arguments of Fetchq 4 and the lease at the end; without a lease they
-- act as an admin. They raise FQ004 not_found, FQ005 stale, FQ007 active, FQ001 invalid.

create function fetchq.doc_reschedule(
    p_queue text, p_subject text, p_next_iteration timestamptz, p_payload jsonb default null, p_lease bigint default null
) returns text language sql as $$
    select fetchq.settle_one(p_queue, p_subject, 'reschedule', p_lease, p_next_iteration, p_payload)
$$;

create function fetchq.doc_complete(p_queue text, p_subject text, p_payload jsonb default null, p_lease bigint default null)
returns text language sql as $$
    select fetchq.settle_one(p_queue, p_subject, 'complete', p_lease, null, p_payload)
$$;

create function fetchq.doc_kill(p_queue text, p_subject text, p_payload jsonb default null, p_lease bigint default null)
returns text language sql as $$
    select fetchq.settle_one(p_queue, p_subject, 'kill', p_lease, null, p_payload)
$$;

create function fetchq.doc_drop(p_queue text, p_subject text, p_lease bigint default null) returns text language sql as $$
    select fetchq.settle_one(p_queue, p_subject, 'drop', p_lease)
$$;

-- doc_reject wants a lease: null means the present one, whoever holds it.
create function fetchq.doc_reject(
    p_queue text, p_subject text, p_message text, p_details jsonb default null, p_ref_id text default null, p_lease bigint default null
) returns text
language plpgsql as $$
declare
    v_lease bigint := p_lease;
begin
    perform fetchq.queue_find(p_queue);
    if v_lease is null then
        execute format('select lease from %I.docs where subject = $1', 'q_' || p_queue) into v_lease using p_subject;
    end if;
    return fetchq.settle_one(p_queue, p_subject, 'reject', coalesce(v_lease, 0), null, null, p_message, p_details, p_ref_id);
end $$;

-- settle_one settles a single document and raises what went wrong.
create function fetchq.settle_one(
    p_queue text, p_subject text, p_action text, p_lease bigint, p_date timestamptz default null, p_payload jsonb default null,
    p_message text default null, p_details jsonb default null, p_ref_id text default null
) returns text language sql as $$
    select fetchq.one(r) from fetchq.settle(p_queue, p_lease is null, array[p_subject], array[p_lease], array[p_action], array[p_date],
        null, array[p_payload], null, null, array[p_message], array[p_details], array[p_ref_id], null, null, null, clock_timestamp()) r
$$;
