-- +goose Up

-- People whom somebody else identifies: an OpenID provider, by its issuer and its own number of the person, which is never given
-- to another; or the proxy before the program (issuer 'proxy'), by the e-mail address. Who has one signs in by it alone.
create table fetchq.identities (
    issuer     text collate "C" not null,
    subject    text collate "C" not null,
    user_id    uuid not null unique references fetchq.users on delete cascade,
    created_at timestamptz not null default clock_timestamp(),
    primary key (issuer, subject)
);

-- By which door a session was begun.
alter table fetchq.sessions add door text not null default 'own' check (door in ('own', 'provider', 'proxy'));

-- +goose Down
alter table fetchq.sessions drop door;
drop table fetchq.identities;
