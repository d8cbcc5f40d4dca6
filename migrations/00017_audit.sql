-- +goose Up

-- The audit log has a schema of its own, so that another role may own it: who owns a schema may drop what stands in it
-- (docs/audit.md). Its functions stand here and not among those that are made anew, for only their owner may do that.
create schema fetchq_audit;

create table fetchq_audit.lines (
    id         bigint generated always as identity primary key,
    at         timestamptz not null default clock_timestamp(), -- the trigger's, whatever is given
    actor_kind text not null check (actor_kind in ('user', 'token', 'shell', 'program', 'nobody')),
    actor      text collate "C" not null check (octet_length(actor) <= 300), -- an address, a name; '': not known
    action     text collate "C" not null check (octet_length(action) between 1 and 60),
    target     text collate "C" not null check (octet_length(target) <= 300),
    outcome    text not null check (outcome in ('done', 'refused')),
    code       text not null default '' check (octet_length(code) <= 40), -- why it was refused
    times      integer not null default 1 check (times >= 1),             -- so often, since the line before it of the same kind
    address    text not null check (octet_length(address) <= 100),
    request_id text not null check (octet_length(request_id) <= 100),
    details    jsonb not null default '{}' check (octet_length(details::text) <= 8192)
);
create index lines_at on fetchq_audit.lines (at, id);
create index lines_actor on fetchq_audit.lines (actor, at, id);
create index lines_action on fetchq_audit.lines (action, at, id);
create index lines_target on fetchq_audit.lines (target, at, id);

-- +goose StatementBegin
-- stamp gives a line the time of the database: one that says of itself that it is old would be removed with the old ones.
create function fetchq_audit.stamp() returns trigger
language plpgsql set search_path = pg_catalog as $$
begin
    new.at := clock_timestamp();
    return new;
end $$;
-- +goose StatementEnd
create trigger stamp before insert on fetchq_audit.lines for each row execute function fetchq_audit.stamp();

-- +goose StatementBegin
-- refuse keeps lines as they are. trim alone removes some, and none before it is 30 days old.
create function fetchq_audit.refuse() returns trigger
language plpgsql set search_path = pg_catalog as $$
begin
    if tg_op = 'DELETE' then
        if current_setting('fetchq.audit_trim', true) = 'on' and old.at < clock_timestamp() - interval '30 days' then
            return old;
        end if;
    end if;
    raise exception using errcode = 'FQ003', message = 'the audit log takes lines and changes none; fetchq_audit.trim removes what is older than 30 days';
end $$;
-- +goose StatementEnd
create trigger refuse before update or delete on fetchq_audit.lines for each row execute function fetchq_audit.refuse();
create trigger refuse_truncate before truncate on fetchq_audit.lines for each statement execute function fetchq_audit.refuse();

-- +goose StatementBegin
-- trim removes up to p_limit of the oldest lines that are older than p_keep, and returns how many those were. It works with the
-- rights of its owner, so that the program's role needs none to delete.
create function fetchq_audit.trim(p_keep interval, p_limit integer default 10000) returns bigint
language plpgsql security definer set search_path = pg_catalog as $$
declare
    n bigint;
begin
    if p_keep is null or p_keep < interval '30 days' then
        raise exception using errcode = 'FQ001', column = 'keep', message = 'lines are kept for 30 days at least';
    end if;
    perform set_config('fetchq.audit_trim', 'on', true);
    delete from fetchq_audit.lines where id in (
        select id from fetchq_audit.lines
        where at < least(clock_timestamp() - p_keep, clock_timestamp() - interval '30 days') order by at, id limit p_limit);
    get diagnostics n = row_count;
    perform set_config('fetchq.audit_trim', 'off', true);
    return n;
end $$;
-- +goose StatementEnd
revoke all on function fetchq_audit.trim(interval, integer) from public;

-- A token that was rotated has two secrets for a time.
alter table fetchq.tokens
    add column old_hash       bytea unique,
    add column old_until      timestamptz,
    add column old_used_at    timestamptz, -- to the minute: when somebody used the old secret last
    add column rotated_at     timestamptz,
    add column last_used_from text;

-- Nodes keep tokens in memory, and ask once a second whether any has changed: who changes one, by whatever SQL, counts here. A sequence would
-- tell of a change before it is committed.
insert into fetchq.meta (key, value) values ('tokens', '0');
-- +goose StatementBegin
create function fetchq.tokens_changed() returns trigger
language plpgsql set search_path = pg_catalog as $$
begin
    update fetchq.meta set value = (value::bigint + 1)::text where key = 'tokens';
    return null;
end $$;
-- +goose StatementEnd
create trigger changed after delete or truncate or update of hash, old_hash, old_until, rights, queues, name, expires_at, revoked_at
    on fetchq.tokens for each statement execute function fetchq.tokens_changed();

-- +goose Down
drop trigger changed on fetchq.tokens;
drop function fetchq.tokens_changed();
delete from fetchq.meta where key = 'tokens';
alter table fetchq.tokens drop column old_hash, drop column old_until, drop column old_used_at, drop column rotated_at, drop column last_used_from;
drop schema fetchq_audit cascade;
