-- +goose Up

-- Whether a queue has an index of its payloads, so that what they contain is found at once. It costs every write.
alter table fetchq.queues add column payload_index boolean not null default false;

alter type fetchq.document_filter
    add attribute finished_after  timestamptz, -- included
    add attribute finished_before timestamptz, -- not included
    add attribute created_after   timestamptz,
    add attribute created_before  timestamptz,
    add attribute payload         jsonb; -- which that of the document contains

-- Filters of the documents of a queue that people saved, as the queries of URLs.
create table fetchq.views (
    id         uuid primary key,
    queue      text collate "C" not null,
    user_id    uuid not null references fetchq.users on delete cascade,
    name       text not null,
    query      text not null,
    shared     boolean not null default false,
    created_at timestamptz not null default clock_timestamp(),
    unique (queue, user_id, name)
);
create index views_user on fetchq.views (user_id);

-- Undo of operations: which one it undoes, and what documents were before one that can be undone, with the lease that they have behind it.
alter table fetchq.operations
    drop constraint operations_action_check,
    add constraint operations_action_check check (
        action in ('run_now', 'retry', 'kill', 'drop', 'complete', 'reschedule', 'set_priority', 'move', 'import', 'undo')),
    add column undoes uuid;
create unique index operations_undoes on fetchq.operations (undoes) where undoes is not null;
create table fetchq.operation_undo (
    operation      uuid not null references fetchq.operations on delete cascade,
    subject        text collate "C" not null,
    lease          bigint not null,
    status         smallint, -- this and what follows is null of a move
    priority       smallint,
    attempts       integer,
    iterations     integer,
    next_iteration timestamptz,
    last_iteration timestamptz,
    primary key (operation, subject)
);
-- The same, a column an array.
create type fetchq.operation_kept as (
    subjects text[], leases bigint[], statuses smallint[], priorities smallint[], attempts integer[], iterations integer[], dates timestamptz[], lasts timestamptz[]
);

-- +goose Down
drop type fetchq.operation_kept;
drop table fetchq.operation_undo;
delete from fetchq.operations where action = 'undo';
alter table fetchq.operations
    drop column undoes,
    drop constraint operations_action_check,
    add constraint operations_action_check check (
        action in ('run_now', 'retry', 'kill', 'drop', 'complete', 'reschedule', 'set_priority', 'move', 'import'));
drop table fetchq.views;
alter type fetchq.document_filter drop attribute finished_after, drop attribute finished_before, drop attribute created_after,
    drop attribute created_before, drop attribute payload;
alter table fetchq.queues drop column payload_index;
