-- +goose Up

-- The queues that a viewer or an operator sees, as a token has them: names, or beginnings of names with * at their end; null: all.
-- An admin sees all, whatever stands here.
alter table fetchq.users add queues text[];

-- What a queue hides of payloads and of the details of log lines from those without the right to see it: paths, null for none; and whether
-- viewers see payloads at all.
alter table fetchq.queues add redact text[], add viewer_payloads text not null default 'shown' check (viewer_payloads in ('shown', 'hidden'));

-- +goose Down
alter table fetchq.queues drop redact, drop viewer_payloads;
alter table fetchq.users drop queues;
