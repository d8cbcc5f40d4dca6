-- Shared by the other files: finding a queue, refusing a value.

-- queue_find returns the register's row of a queue or raises FQ004.
create function fetchq.queue_find(p_queue text) returns fetchq.queues
language plpgsql stable as $$
declare
    q fetchq.queues;
begin
    select * into q from fetchq.queues where name = p_queue;
    if not found then
        raise exception using errcode = 'FQ004', column = 'queue',
            message = format('there is no queue %s', coalesce(quote_ident(left(p_queue, 40)), 'without a name'))
                || coalesce((select format('; it is %s now', quote_ident(new_name)) from fetchq.renames where old_name = p_queue), '');
    end if;
    return q;
end $$;

-- refuse raises FQ001 for a field; p_message says what was wrong and what would be right.
create function fetchq.refuse(p_field text, p_message text) returns void
language plpgsql immutable as $$
begin
    raise exception using errcode = 'FQ001', column = p_field, message = p_message;
end $$;

-- is_paused tells whether a queue hands out nothing at p_now, or nothing of one payload version.
create function fetchq.is_paused(q fetchq.queues, p_now timestamptz, p_version integer default null) returns boolean
language sql stable as $$
    select q.paused and (q.paused_until is null or q.paused_until > p_now)
        or coalesce(q.version_pauses ? p_version::text
            and coalesce((q.version_pauses -> p_version::text ->> 'until')::timestamptz > p_now, true), false)
$$;

-- pauses returns the pauses of a queue that last at p_now: that of the whole queue, whose version is null, and those of versions.
create function fetchq.pauses(q fetchq.queues, p_now timestamptz) returns table (version integer, kind text, reason text, until timestamptz)
language sql stable as $$
    select null, q.pause_kind, q.pause_reason, q.paused_until where fetchq.is_paused(q, p_now)
    union all
    select * from (
        select key::integer, value ->> 'kind', value ->> 'reason', (value ->> 'until')::timestamptz as until from jsonb_each(q.version_pauses)
    ) v where coalesce(until > p_now, true)
    order by 1 nulls first
$$;

-- micros returns microseconds since 1970 of the real clock: the base of a new document's lease number, so that a
-- number never comes again for a subject that was dropped and pushed anew.
create function fetchq.micros() returns bigint
language sql volatile as $$
    select (date_part('epoch', clock_timestamp()) * 1000000)::bigint
$$;

-- uuid_v7 returns a UUID of version 7 (RFC 9562, 5.7): 48 bits of milliseconds, then random bits.
create function fetchq.uuid_v7() returns uuid
language sql volatile as $$
    select encode(
        set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
            placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3) from 1 for 6),
            52, 1), 53, 1), 'hex')::uuid
$$;

-- date_of returns the date that a caller means: one that is given, or a delay from now; p_default where neither is, and
-- null (which item_problem refuses) for a delay that leads out of the calendar.
create function fetchq.date_of(p_date timestamptz, p_delay interval, p_default timestamptz, p_now timestamptz) returns timestamptz
language sql stable as $$
    select case
        when p_date is not null then p_date
        when p_delay is null then p_default
        when p_delay between interval '-1000 years' and interval '1000 years' then p_now + p_delay
    end
$$;

-- leaves returns the names of the tables that hold a queue's documents.
create function fetchq.leaves(q fetchq.queues) returns text[]
language sql immutable as $$
    select case when q.partitions = 1 then array['docs']
        else (select array_agg('docs_p' || i order by i) from generate_series(0, q.partitions - 1) i) end
$$;

-- lock_docs locks the documents of some subjects until the transaction ends, and returns the subjects that it found. The
-- statement behind it sees each row as it is by then, and no row that it writes changes under it.
--
-- Everybody goes from table to table and in each by subject, so that no two calls wait for each other crosswise. It is
-- not one statement over all partitions: where such a one meets a row that changed meanwhile, Postgres 18 (18.4 is the
-- last one seen) may crash, for looking at the row again spoils what the plan knows of partitions to skip.
create function fetchq.lock_docs(q fetchq.queues, p_subjects text[]) returns text[]
language plpgsql as $$
declare
    s constant text := 'q_' || q.name;
    v_lock constant text := $t$
        with held as materialized (
            select subject from %I.%I where subject = any ($1) order by subject for update
        )
        select array_agg(subject) from held $t$;
    v_part integer;
    v_ords integer[];
    v_held text[];
    v_all  text[] := '{}';
begin
    if q.partitions = 1 then
        execute format(v_lock, s, 'docs') into v_all using p_subjects;
        return coalesce(v_all, '{}');
    end if;
    for v_part, v_ords in select * from fetchq.partition_items(q, p_subjects) loop
        execute format(v_lock, s, 'docs_p' || v_part) into v_held using fetchq.at(p_subjects, v_ords);
        v_all := v_all || v_held;
    end loop;
    return v_all;
end $$;

-- partition_items returns the places of subjects by the leaf in which each stands, in the order in which leaves are gone through.
create function fetchq.partition_items(q fetchq.queues, p_subjects text[]) returns table (partition integer, ords integer[])
language sql immutable as $$
    select fetchq.partition_of(subject, q.partitions), array_agg(ord::integer order by ord)
    from unnest(p_subjects) with ordinality u (subject, ord)
    where subject is not null
    group by 1 order by 1
$$;

-- at returns the elements of an array that stand at some places; null where there is no array.
create function fetchq.at(p_array anyarray, p_places integer[]) returns anyarray
language sql immutable as $$
    select case when p_array is not null then array(select p_array[i] from unnest(p_places) with ordinality u (i, ord) order by ord) end
$$;

-- backoff returns how long a document waits after its p_attempts-th failure. fixed: base; exponential: base × 2^(attempts - 1), at
-- most cap; both times a random factor, evenly spread between 1 - jitter and 1 + jitter. So the mean is that without jitter, and a
-- wait at the cap may be longer by the jitter. Source: M. Brooker, Exponential Backoff And Jitter, 2015: capped exponential
-- backoff, made random so that what failed together does not come back together; jitter 1 is his "full jitter" about twice the mean.
create function fetchq.backoff(q fetchq.queues, p_attempts integer) returns interval
language sql volatile as $$
    select make_interval(secs => case q.backoff_kind
        when 'none' then 0
        when 'fixed' then extract(epoch from q.backoff_base)::float8
        else least(extract(epoch from q.backoff_base)::float8 * power(2::float8, least(greatest(p_attempts, 1), 64) - 1),
                   extract(epoch from q.backoff_cap)::float8)
    end * (1 + q.backoff_jitter * (2 * random() - 1)))
$$;

-- item_problem says why a document cannot be taken, or null. The limits are those of internal/queue.
-- Like all that call format, it says stable, else the planner would not inline it.
create function fetchq.item_problem(p_subject text, p_payload jsonb, p_version integer, p_priority integer, p_date timestamptz)
returns text language sql stable as $$
    select case
        when p_subject is null then 'subject is missing'
        when octet_length(p_subject) not between 1 and 255 then
            format('subject has %s bytes; 1 to 255 are allowed', octet_length(p_subject))
        when p_version not between 0 and 32767 then format('version is %s; 0 to 32767 are allowed', p_version)
        when p_priority not between -32767 and 32767 then
            format('priority is %s; -32767 to 32767 are allowed', p_priority)
        when p_date is null or p_date not between '1970-01-01 00:00+00' and '9999-12-31 23:59:59+00' then
            'next_iteration is outside the years 1970 to 9999'
        when pg_column_size(p_payload) > 8 * 1048576 then
            format('payload takes %s bytes; 8388608 are allowed', pg_column_size(p_payload))
    end
$$;

-- cut_text and cut_json bound what a log line keeps, and say so in what they keep.
create function fetchq.cut_text(p_text text, p_bytes integer) returns text
language sql stable as $$
    select case when octet_length(p_text) <= p_bytes then p_text
        else left(p_text, p_bytes / 4) || format(' … [cut: %s bytes, %s are kept]', octet_length(p_text), p_bytes / 4) end
$$;

create function fetchq.cut_json(p_json jsonb, p_bytes integer) returns jsonb
language sql stable as $$
    select case when p_json is null or pg_column_size(p_json) <= p_bytes then p_json
        else jsonb_build_object('cut', format('details take %s bytes, %s are kept', pg_column_size(p_json), p_bytes),
                                'begins', left(p_json::text, 2000)) end
$$;
