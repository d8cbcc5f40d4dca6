-- +goose Up

-- The queues that a viewer or an operator sees, as a token has them: names, or beginnings of names with * at their end; null: all.
-- An admin sees all, whatever stands here.
alter table fetchq.users add queues text[];

-- +goose Down
alter table fetchq.users drop queues;
