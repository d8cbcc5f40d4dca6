-- +goose Up

-- Passkeys: a key of a person's phone or computer, of which only the public half is here.
create table fetchq.passkeys (
    id         bytea primary key, -- the authenticator's own number of it
    user_id    uuid not null references fetchq.users on delete cascade,
    name       text not null,
    credential jsonb not null,    -- public key, flags and counter, as the library keeps them
    created_at timestamptz not null default clock_timestamp(),
    used_at    timestamptz
);
create index passkeys_user on fetchq.passkeys (user_id);

-- Sign-ins by a passkey that have begun: the challenge that is to be signed, once.
create table fetchq.passkey_sign_ins (
    hash       bytea primary key, -- SHA-256 of what the browser's cookie holds
    data       jsonb not null,
    expires_at timestamptz not null
);
create index passkey_sign_ins_expiry on fetchq.passkey_sign_ins (expires_at);

-- +goose Down
drop table fetchq.passkey_sign_ins;
drop table fetchq.passkeys;
