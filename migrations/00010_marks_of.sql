-- +goose Up

-- The marks of a queue by time: charts read them so, and only the newest of each are kept.
create index marks_of on fetchq.marks (coalesce(queue, ''), at);

-- +goose Down
drop index fetchq.marks_of;
