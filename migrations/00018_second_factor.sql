-- +goose Up

-- The second step of people who want one: a secret shared with an app that shows codes (TOTP, RFC 6238). It is sealed under the
-- key of the installation, which is not in the database.
create table fetchq.second_factors (
    user_id      uuid primary key references fetchq.users on delete cascade,
    secret       bytea not null, -- AES-256-GCM: nonce, then text and tag
    created_at   timestamptz not null default clock_timestamp(),
    confirmed_at timestamptz, -- null: being set up, and of no effect
    last_step    bigint not null default 0 -- number of the 30 s whose code was taken last: that one and older ones are over
);

-- Codes that stand in for the app, each once. They are random, so that a SHA-256 keeps them.
create table fetchq.recovery_codes (
    user_id uuid not null references fetchq.second_factors on delete cascade,
    hash    bytea not null,
    used_at timestamptz,
    primary key (user_id, hash)
);

-- Those who have shown a password and not yet a code. It is no session: nothing but the second step looks here.
create table fetchq.half_sign_ins (
    hash       bytea primary key,
    user_id    uuid not null references fetchq.users on delete cascade,
    proof      bytea not null, -- SHA-256 of the password's hash: another password ends it
    tries      int not null default 0,
    expires_at timestamptz not null
);
create index half_sign_ins_user on fetchq.half_sign_ins (user_id);
create index half_sign_ins_expiry on fetchq.half_sign_ins (expires_at);

-- Whether who uses the link loses the second factor too; fetchq user reset makes such links.
alter table fetchq.links add drops_second boolean not null default false;

-- +goose Down
alter table fetchq.links drop drops_second;
drop table fetchq.half_sign_ins;
drop table fetchq.recovery_codes;
drop table fetchq.second_factors;
