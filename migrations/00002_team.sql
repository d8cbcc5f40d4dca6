-- +goose Up

-- People who sign in to the pages. An e-mail address stands once, in any case of its letters.
create table fetchq.users (
    id            uuid primary key,
    email         text not null,
    name          text not null,
    role          text not null check (role in ('viewer', 'operator', 'admin')),
    password      text, -- argon2id in PHC form; null: none was chosen yet
    created_at    timestamptz not null default clock_timestamp(),
    disabled_at   timestamptz,
    last_login_at timestamptz
);
create unique index users_email on fetchq.users (lower(email));

-- Sessions of the pages. The cookie holds a random number, of which only the SHA-256 is kept; id names the session in lists.
create table fetchq.sessions (
    hash       bytea primary key,
    id         uuid not null unique,
    user_id    uuid not null references fetchq.users on delete cascade,
    created_at timestamptz not null default clock_timestamp(),
    seen_at    timestamptz not null default clock_timestamp(), -- to the minute
    expires_at timestamptz not null,
    address    text not null,
    agent      text not null,
    values     jsonb not null default '{}'
);
create index sessions_user on fetchq.sessions (user_id);
create index sessions_expiry on fetchq.sessions (expires_at);

-- One-time links: the first admin's, and those by which a user chooses a password. Only the SHA-256 is kept.
create table fetchq.links (
    hash       bytea primary key,
    kind       text not null check (kind in ('setup', 'password')),
    user_id    uuid references fetchq.users on delete cascade, -- null: setup
    created_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null
);
create index links_user on fetchq.links (user_id);

-- Queues that a user has marked to stand first.
create table fetchq.stars (
    user_id uuid not null references fetchq.users on delete cascade,
    queue   text collate "C" not null,
    primary key (user_id, queue)
);

-- Who made a token, for the page of the team; null: the command line.
alter table fetchq.tokens add created_by text;

-- When the fold last saw an error: the page of all errors looks only at queues that had any, the latest first.
alter table fetchq.queue_states add last_error_at timestamptz;
create index queue_states_errors on fetchq.queue_states (last_error_at) where last_error_at is not null;

-- +goose Down
drop index fetchq.queue_states_errors;
alter table fetchq.queue_states drop last_error_at;
alter table fetchq.tokens drop created_by;
drop table fetchq.stars;
drop table fetchq.links;
drop table fetchq.sessions;
drop table fetchq.users;
