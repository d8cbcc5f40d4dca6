-- +goose Up

-- What the program notes about the database itself: the hash of its functions.
create table fetchq.meta (
    key   text primary key,
    value text not null
);

-- The register: one row a queue. Every engine call reads its queue's row, so nothing that changes often stands here.
create table fetchq.queues (
    name                 text collate "C" primary key check (name ~ '^[a-z][a-z0-9_]{0,39}$'),
    created_at           timestamptz not null default clock_timestamp(),
    paused               boolean     not null default false,
    pause_reason         text,
    paused_until         timestamptz,
    max_attempts         integer     not null default 5,
    lock                 interval    not null default '5 minutes',
    backoff_kind         text        not null default 'exponential' check (backoff_kind in ('none', 'fixed', 'exponential')),
    backoff_base         interval    not null default '10 seconds',
    backoff_cap          interval    not null default '1 hour',
    backoff_jitter       float8      not null default 0.2,
    max_active           integer,
    rate_picks           integer,
    rate_per             interval,
    rate_burst           integer,
    logs_retention       interval    default '30 days',
    completed_retention  interval,
    killed_retention     interval,
    partitions           integer     not null default 1,
    tablespace           text
);

-- Folded totals of the counters, by queue and payload version. The deltas that are not folded yet stand in the
-- queue's own schema; the sum of both is exact.
create table fetchq.counters (
    queue       text collate "C" not null,
    version     smallint not null,
    planned     bigint not null default 0,
    pending     bigint not null default 0,
    active      bigint not null default 0,
    completed   bigint not null default 0,
    killed      bigint not null default 0,
    ev_entered      bigint not null default 0,
    ev_picked       bigint not null default 0,
    ev_completed    bigint not null default 0,
    ev_rescheduled  bigint not null default 0,
    ev_rejected     bigint not null default 0,
    ev_orphaned     bigint not null default 0,
    ev_killed       bigint not null default 0,
    ev_dropped      bigint not null default 0,
    ev_forwarded    bigint not null default 0,
    ev_errors       bigint not null default 0,
    ev_logs         bigint not null default 0,
    primary key (queue, version)
) with (fillfactor = 70);

-- What the fold saw last: pages over many queues read it, so they never touch a queue's own tables.
create table fetchq.queue_states (
    queue         text collate "C" primary key,
    as_of         timestamptz not null,
    oldest_due_at timestamptz
) with (fillfactor = 50);

-- Maintenance jobs. A node claims a due row, works, and writes the outcome; a claim of a node that died runs out.
create table fetchq.jobs (
    queue         text collate "C" not null,
    kind          text not null,
    next_run      timestamptz not null default clock_timestamp(),
    claimed_by    text,
    claimed_until timestamptz,
    last_run      timestamptz,
    last_ms       float8,
    last_outcome  text check (last_outcome in ('ok', 'failed')),
    last_error    text,
    last_items    bigint,
    runs          bigint not null default 0,
    failures      bigint not null default 0,
    failing_since timestamptz,
    streak        integer not null default 0, -- > 0: runs in a row that found nothing; < 0: failures in a row
    primary key (queue, kind)
) with (fillfactor = 50);

-- Bearer tokens of the API; only the SHA-256 of a token is kept.
create table fetchq.tokens (
    id           uuid primary key,
    name         text not null unique,
    hash         bytea not null unique,
    rights       text[] not null,
    queues       text[],
    created_at   timestamptz not null default clock_timestamp(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz
);

-- One row of a push, a resolution or an admin's action: what became of the item, and the document after it.
create type fetchq.result as (
    ord            integer,
    subject        text,
    outcome        text,
    detail         text,
    status         smallint,
    version        smallint,
    priority       smallint,
    next_iteration timestamptz
);

-- +goose Down
drop schema fetchq cascade;
