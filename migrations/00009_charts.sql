-- +goose Up

-- Charts that a team keeps together, in the order of their positions.
create table fetchq.dashboards (
    id         uuid primary key,
    name       text not null check (octet_length(name) between 1 and 100),
    charts     text[] not null default '{}', -- each as it stands in an address
    edits      bigint not null default 0,    -- so that nobody writes over somebody else's change
    created_by text not null,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp()
);
create unique index dashboards_name on fetchq.dashboards (lower(name));

-- Events that charts show as a line, such as a deploy. queue null: of all queues.
create table fetchq.marks (
    id         bigint generated always as identity primary key,
    at         timestamptz not null,
    text       text not null check (octet_length(text) between 1 and 200),
    queue      text collate "C",
    created_by text not null
);
create index marks_at on fetchq.marks (at);

-- +goose Down
drop table fetchq.marks;
drop table fetchq.dashboards;
