-- +goose Up

-- Where backups go. A destination holds no secret: credentials and the private keys of age are found in the environment, in files, or by the
-- role of the machine; identity names a variable.
create table fetchq.backup_destinations (
    name         text collate "C" primary key,
    url          text not null,
    recipients   text[] not null default '{}', -- age's public keys; none: not encrypted
    identity     text,                         -- the variable that has the private key
    keep_last    integer not null default 0,   -- which backups stay after a good run; all 0: all
    keep_daily   integer not null default 0,
    keep_weekly  integer not null default 0,
    keep_monthly integer not null default 0,
    created_at   timestamptz not null default clock_timestamp(),
    created_by   text not null,
    tested_at    timestamptz,
    test_error   text,
    pruned_at    timestamptz,
    prune_error  text
);

-- Backups that are made by the clock.
create table fetchq.backup_schedules (
    name        text collate "C" primary key,
    destination text collate "C" not null references fetchq.backup_destinations,
    queues      text[],           -- null: all that there are then
    cron        text not null,
    zone        text not null,
    verify      boolean not null default false, -- reads each one back
    max_rate    bigint not null default 0,      -- bytes of text a second; 0: as fast as it goes
    paused      boolean not null default false,
    created_at  timestamptz not null default clock_timestamp(),
    created_by  text not null,
    changed_at  timestamptz not null default clock_timestamp(),
    next_run    timestamptz not null,
    last_due    timestamptz,      -- of the last run that was asked for
    operation   uuid,             -- that run
    good_due    timestamptz,      -- of the last run that made a backup
    good_at     timestamptz,
    failed_at   timestamptz,      -- null: the last run was not one that failed
    error       text
);
create index backup_schedules_next on fetchq.backup_schedules (next_run) where not paused;

-- What is known here of backups. Which there are, the destination says.
create table fetchq.backups (
    destination text collate "C" not null references fetchq.backup_destinations on delete cascade,
    name        text collate "C" not null,
    snapshot_at timestamptz not null,
    finished_at timestamptz not null,
    queues      text[] not null,
    rows        bigint not null,
    bytes       bigint not null, -- of text, before it is packed
    stored      bigint not null, -- of the objects
    objects     jsonb not null,  -- with their digests
    made_by     text,            -- null: not from here
    schedule    text,
    operation   uuid,
    verified_at timestamptz,     -- the last time
    verified_by text,
    loaded      boolean,         -- into a scratch schema too
    problem     text,            -- what was found then
    restored_at timestamptz,
    restored_by text,
    restored_as text[],
    gone_at     timestamptz,     -- retention removed it
    primary key (destination, name)
);
create index backups_snapshot on fetchq.backups (snapshot_at);

-- Runs, verifications and restores are operations of no queue: ''. Of each sort one is under way at a time.
alter table fetchq.operations
    drop constraint operations_action_check,
    add constraint operations_action_check check (
        action in ('run_now', 'retry', 'kill', 'drop', 'complete', 'reschedule', 'set_priority', 'move', 'import', 'undo', 'backup', 'verify', 'restore')
        and (queue = '') = (action in ('backup', 'verify', 'restore'))),
    drop constraint operations_asked_as_check,
    add constraint operations_asked_as_check check (asked_as in ('token', 'user', 'sql', 'schedule')),
    add column asks jsonb, -- what is asked for
    add column told jsonb; -- how far it is, and what came of it
drop index fetchq.operations_running;
create unique index operations_running on fetchq.operations (queue, (case when queue = '' then action else '' end)) where state = 'running';

-- +goose Down
delete from fetchq.operations where queue = '';
drop index fetchq.operations_running;
create unique index operations_running on fetchq.operations (queue) where state = 'running';
alter table fetchq.operations
    drop column asks, drop column told,
    drop constraint operations_asked_as_check,
    add constraint operations_asked_as_check check (asked_as in ('token', 'user', 'sql')),
    drop constraint operations_action_check,
    add constraint operations_action_check check (
        action in ('run_now', 'retry', 'kill', 'drop', 'complete', 'reschedule', 'set_priority', 'move', 'import', 'undo'));
drop table fetchq.backups;
drop table fetchq.backup_schedules;
drop table fetchq.backup_destinations;
