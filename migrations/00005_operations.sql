-- +goose Up

-- Which documents of a queue are meant. What is null does not matter.
create type fetchq.document_filter as (
    status       smallint,
    prefix       text, -- of the subject
    version      smallint,
    priority     smallint,
    attempts_min integer,
    worker       text, -- who holds the document, or held it last
    due_after    timestamptz, -- included
    due_before   timestamptz  -- not included
);

-- Documents on their way from one queue to another, a column an array.
create type fetchq.moved as (
    subjects text[], payloads jsonb[], sizes integer[], versions smallint[], priorities smallint[], attempts integer[], iterations integer[],
    statuses smallint[], dates timestamptz[], created timestamptz[], last timestamptz[], picked timestamptz[], workers text[]
);

-- Operations: work on many documents that was asked for once and is done in batches, by whichever node has a hand free. A batch and
-- where it left off are written in one transaction. While one runs its row changes several times a second, and none of the columns
-- that an index holds.
create sequence fetchq.operation_numbers;
create table fetchq.operations (
    id             uuid primary key,
    number         bigint not null unique, -- in the order in which they were asked for
    queue          text collate "C" not null,
    action         text not null check (action in ('run_now', 'retry', 'kill', 'drop', 'complete', 'reschedule', 'set_priority', 'move', 'import')),
    state          text not null default 'waiting' check (state in ('uploading', 'waiting', 'running', 'done', 'failed', 'canceled')),
    created_at     timestamptz not null,
    started_at     timestamptz,
    finished_at    timestamptz,
    -- What is asked. Without a filter it is a list of subjects, or an import, and stands in fetchq.operation_parts.
    filter         jsonb,
    to_queue       text collate "C",
    priority       smallint,
    next_iteration timestamptz,
    message        text,   -- is written to the log of each document
    on_conflict    text,   -- of an import; format and columns too
    format         text check (format in ('ndjson', 'csv')),
    columns        text[],
    -- Who asked.
    asked_by       text not null, -- the name of a token, the address of a user
    asked_as       text not null check (asked_as in ('token', 'user', 'sql')),
    asked_from     text,
    request_id     text,
    key            text collate "C", -- the same key again is the same operation
    asked          bytea, -- a hash of what was asked for under the key
    body           bytea, -- of an import: a hash of its text, when that has come
    canceled_by    text,
    -- Where it stands.
    walk           text check (walk in ('list', 'subject', 'finished')), -- by which it goes; null: it has not begun
    walked         boolean not null default false, -- to its end: only what was locked is left
    leaf           integer not null default 0,
    at_subject     text collate "C",
    at_date        timestamptz,
    at_seq         bigint,
    part           integer not null default 0,
    place          integer not null default 0, -- in the part: subjects, or bytes of an import
    line           bigint not null default 1,  -- of an import: the number of the next one
    behind         text[] not null default '{}', -- subjects that were locked when it came by; of an import, of its parts that are put off, in their order
    behind_since   timestamptz[] not null default '{}',
    total          bigint, -- what there is to look at: documents, or bytes of an import; null: not known
    looked         bigint not null default 0, -- of the total
    done           bigint not null default 0,
    created        bigint not null default 0, -- of these, by an import
    left_alone     bigint not null default 0,
    failed         bigint not null default 0,
    -- Who is at it. A claim is lengthened by each batch; one that is over is free for others.
    claimed_by     text,
    claimed_until  timestamptz,
    failures       integer not null default 0, -- tries in a row that failed
    error          text -- of the last of these, or why it ended
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0);
create unique index operations_key on fetchq.operations (key) where key is not null;
create index operations_queue on fetchq.operations (queue, number);
create index operations_open on fetchq.operations (queue, number) where state in ('uploading', 'waiting', 'running');
create unique index operations_running on fetchq.operations (queue) where state = 'running'; -- one of a queue at a time
create index operations_finished on fetchq.operations (finished_at) where finished_at is not null;

-- What operations work through: subjects, or lines of an import. A part goes when it is done. One that has both is a line of an import whose
-- subject was locked when it came by: it is put off behind the others.
create table fetchq.operation_parts (
    operation uuid not null references fetchq.operations on delete cascade,
    part      integer not null,
    line      bigint, -- the number of its first line
    subjects  text[],
    data      bytea,
    primary key (operation, part)
);
alter table fetchq.operation_parts alter data set storage external; -- read in slices

-- The first failures of an operation, one for a document or a line.
create table fetchq.operation_failures (
    operation uuid not null references fetchq.operations on delete cascade,
    number    integer not null,
    line      bigint,
    subject   text,
    detail    text not null,
    primary key (operation, number)
);

-- +goose Down
drop table fetchq.operation_failures;
drop table fetchq.operation_parts;
drop table fetchq.operations;
drop sequence fetchq.operation_numbers;
drop type fetchq.moved;
drop type fetchq.document_filter;
