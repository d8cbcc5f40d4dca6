-- +goose Up

-- What workers do, as each node saw it: the last minutes before it saw a worker last in a queue. A node writes its own rows only, and
-- whole, so that nothing is added up here.
create table fetchq.workers (
    queue   text collate "C" not null,
    worker  text collate "C" not null,
    node    text collate "C" not null,
    seen_at timestamptz not null,
    over    interval not null, -- what the numbers stand for: so long until seen_at
    picked  bigint not null,
    ended   bigint not null, -- leases that the worker ended itself
    errors  bigint not null, -- of these, rejections
    -- How long it held what it ended, where this node handed it out: buckets as fetchq.timing_bucket has them, milliseconds.
    buckets smallint[] not null,
    counts  integer[] not null,
    work_ms float8 not null,
    low_ms  float8 not null,
    high_ms float8 not null,
    primary key (worker, queue, node)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0);

-- The workers that are asked to go quiet, and how often that changed: nodes look at the one number to know whether they know the rest.
create table fetchq.quiets (
    worker text collate "C" primary key check (octet_length(worker) between 1 and 255),
    since  timestamptz not null,
    by     text not null
);

create table fetchq.quiet_state (
    one     boolean primary key default true check (one),
    changes bigint not null default 0
);
insert into fetchq.quiet_state default values;

-- +goose Down
drop table fetchq.quiet_state;
drop table fetchq.quiets;
drop table fetchq.workers;
