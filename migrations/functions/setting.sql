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
declare
    k text;
begin
    if p_value = 'null' then
        q.rate_picks := null; q.rate_per := null; q.rate_burst := null;
        return q;
    end if;
    if jsonb_typeof(p_value) <> 'object' then
        perform fetchq.refuse('rate', 'null or an object with picks, per and burst is wanted');
    end if;
    for k in select jsonb_object_keys(p_value) loop
        if k not in ('picks', 'per', 'burst') then
            perform fetchq.refuse('rate.' || left(k, 40), 'rate has picks, per and burst');
        end if;
    end loop;
    q.rate_picks := fetchq.setting_integer('rate.picks', coalesce(p_value -> 'picks', 'null'), 1, 1000000000);
    q.rate_per := fetchq.setting_interval('rate.per', coalesce(p_value -> 'per', 'null'), '1 second', '24 hours');
    q.rate_burst := case when p_value ? 'burst' and p_value -> 'burst' <> 'null'
        then fetchq.setting_integer('rate.burst', p_value -> 'burst', 1, 1000000000) else q.rate_picks end;
    return q;
end $$;
