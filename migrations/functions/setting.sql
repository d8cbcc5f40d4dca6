-- Settings: the values that queue_set takes. What is outside its limits is refused by the name of its field.

create function fetchq.setting_integer(p_field text, p_value jsonb, p_from integer, p_to integer) returns integer
language plpgsql immutable as $$
begin
    if jsonb_typeof(p_value) <> 'number' or p_value::numeric not between p_from and p_to
        or p_value::numeric <> trunc(p_value::numeric) then
        perform fetchq.refuse(p_field, format('a whole number from %s to %s is wanted', p_from, p_to));
    end if;
    return p_value::numeric::integer;
end $$;

create function fetchq.setting_interval(p_field text, p_value jsonb, p_from interval, p_to interval) returns interval
language plpgsql stable as $$
declare
    v interval;
begin
    if jsonb_typeof(p_value) = 'string' then
        begin
            v := (p_value #>> '{}')::interval;
        exception when others then
            v := null; -- not a duration: refused below with the same words as one that is out of its limits
        end;
    end if;
    if v is null or v not between p_from and p_to then
        perform fetchq.refuse(p_field, format('a duration from %s to %s is wanted', p_from, p_to));
    end if;
    return v;
end $$;

create function fetchq.setting_backoff(q fetchq.queues, p_value jsonb) returns fetchq.queues
language plpgsql stable as $$
declare
    k text;
begin
    if jsonb_typeof(p_value) <> 'object' then
        perform fetchq.refuse('backoff', 'an object with kind, base, cap and jitter is wanted');
    end if;
    for k in select jsonb_object_keys(p_value) loop
        if k not in ('kind', 'base', 'cap', 'jitter') then
            perform fetchq.refuse('backoff.' || left(k, 40), 'backoff has kind, base, cap and jitter');
        end if;
    end loop;
    if p_value ? 'kind' then
        if coalesce(p_value ->> 'kind', '') not in ('none', 'fixed', 'exponential') then
            perform fetchq.refuse('backoff.kind', 'none, fixed or exponential is wanted');
        end if;
        q.backoff_kind := p_value ->> 'kind';
    end if;
    if p_value ? 'base' then
        q.backoff_base := fetchq.setting_interval('backoff.base', p_value -> 'base', '1 millisecond', '30 days');
    end if;
    if p_value ? 'cap' then
        q.backoff_cap := fetchq.setting_interval('backoff.cap', p_value -> 'cap', '1 millisecond', '30 days');
    end if;
    if p_value ? 'jitter' then
        if jsonb_typeof(p_value -> 'jitter') <> 'number' or (p_value ->> 'jitter')::numeric not between 0 and 1 then
            perform fetchq.refuse('backoff.jitter', 'a number from 0 to 1 is wanted');
        end if;
        -- A numeric may be smaller than any float8 that is not 0.
        q.backoff_jitter := round((p_value ->> 'jitter')::numeric, 6)::float8;
    end if;
    return q;
end $$;

create function fetchq.setting_rate(q fetchq.queues, p_value jsonb) returns fetchq.queues
language plpgsql stable as $$
begin
    select * into q.rate_picks, q.rate_per, q.rate_burst from fetchq.rate_of('rate', p_value);
    return q;
end $$;

-- rate_of reads a rate; all is null where it is.
create function fetchq.rate_of(p_field text, p_value jsonb, out picks integer, out per interval, out burst integer)
language plpgsql stable as $$
declare
    k text;
begin
    if p_value = 'null' then
        return;
    elsif jsonb_typeof(p_value) <> 'object' then
        perform fetchq.refuse(p_field, 'null or an object with picks, per and burst is wanted');
    end if;
    for k in select jsonb_object_keys(p_value) loop
        if k not in ('picks', 'per', 'burst') then
            perform fetchq.refuse(p_field || '.' || left(k, 40), 'rate has picks, per and burst');
        end if;
    end loop;
    picks := fetchq.setting_integer(p_field || '.picks', coalesce(p_value -> 'picks', 'null'), 1, 1000000000);
    per := fetchq.setting_interval(p_field || '.per', coalesce(p_value -> 'per', 'null'), '1 second', '24 hours');
    burst := case when p_value ? 'burst' and p_value -> 'burst' <> 'null'
        then fetchq.setting_integer(p_field || '.burst', p_value -> 'burst', 1, 1000000000) else picks end;
end $$;

-- setting_key reads what the key of a document is: {"payload": pointer}, {"subject": "host"} or
-- {"subject": "prefix", "until": character, "nth": n}. The pointer is one of RFC 6901.
create function fetchq.setting_key(p_value jsonb) returns jsonb
language plpgsql stable as $$
declare
    k text;
    v_nth integer;
begin
    if p_value = 'null' then
        return null;
    elsif jsonb_typeof(p_value) <> 'object' then
        perform fetchq.refuse('key', 'null or an object with payload, or with subject, is wanted');
    end if;
    for k in select jsonb_object_keys(p_value) loop
        if k not in ('payload', 'subject', 'until', 'nth') then
            perform fetchq.refuse('key.' || left(k, 40), 'key has payload, or subject with until and nth');
        end if;
    end loop;
    if (p_value ? 'payload') = (p_value ? 'subject') then
        perform fetchq.refuse('key', 'either payload or subject is wanted');
    elsif p_value ? 'payload' then
        if jsonb_typeof(p_value -> 'payload') <> 'string' or octet_length(p_value ->> 'payload') > 255
            or p_value ->> 'payload' !~ '^(/([^~/]|~[01])*){1,16}$' then
            perform fetchq.refuse('key.payload', 'a JSON pointer of 1 to 16 steps and up to 255 bytes is wanted, as /host');
        end if;
    elsif p_value -> 'subject' not in ('"host"', '"prefix"') then
        perform fetchq.refuse('key.subject', 'host or prefix is wanted');
    end if;
    if p_value -> 'subject' is distinct from '"prefix"' then
        if p_value ?| array['until', 'nth'] then
            perform fetchq.refuse('key.' || case when p_value ? 'until' then 'until' else 'nth' end, 'until and nth belong to "subject": "prefix"');
        end if;
        return p_value;
    end if;
    if jsonb_typeof(p_value -> 'until') is distinct from 'string' or length(p_value ->> 'until') <> 1 then
        perform fetchq.refuse('key.until', 'one character is wanted, as /');
    end if;
    v_nth := case when p_value ? 'nth' then fetchq.setting_integer('key.nth', p_value -> 'nth', 1, 32) else 1 end;
    return p_value || jsonb_build_object('nth', v_nth);
end $$;

create function fetchq.setting_key_limits(q fetchq.queues, p_value jsonb) returns fetchq.queues
language plpgsql stable as $$
declare
    k text;
begin
    if jsonb_typeof(p_value) not in ('object', 'null') then
        perform fetchq.refuse('key_limits', 'null or an object with max_active and rate is wanted');
    end if;
    for k in select jsonb_object_keys(nullif(p_value, 'null')) loop
        if k not in ('max_active', 'rate') then
            perform fetchq.refuse('key_limits.' || left(k, 40), 'key_limits has max_active and rate');
        end if;
    end loop;
    q.key_max_active := case when coalesce(p_value -> 'max_active', 'null') <> 'null'
        then fetchq.setting_integer('key_limits.max_active', p_value -> 'max_active', 1, 1000000) end;
    select * into q.key_rate_picks, q.key_rate_per, q.key_rate_burst
    from fetchq.rate_of('key_limits.rate', coalesce(p_value -> 'rate', 'null'));
    return q;
end $$;

-- setting_redact reads which parts of payloads are hidden: paths of $, .name, ["any name"] and [*]; null: none.
create function fetchq.setting_redact(p_value jsonb) returns text[]
language plpgsql stable as $$
declare
    v_paths text[];
    p text;
begin
    if p_value in ('null', '[]') then
        return null;
    elsif jsonb_typeof(p_value) <> 'array' or jsonb_array_length(p_value) > 32 or p_value @? '$[*] ? (@.type() != "string")' then
        perform fetchq.refuse('redact', 'null or a list of up to 32 paths is wanted');
    end if;
    for p in select jsonb_array_elements_text(p_value) loop
        if octet_length(p) > 255 or p !~ '^\$(\.[A-Za-z0-9_-]+|\["[^"\\[:cntrl:]]+"\]|\[\*\]){0,16}$' then
            perform fetchq.refuse('redact', format('%s is no path such as $.user.email, $.items[*].card or $["a name"], of up to 16 steps and 255 bytes', quote_literal(left(p, 60))));
        end if;
        v_paths := v_paths || p;
    end loop;
    return v_paths;
end $$;
