-- +goose Up

-- Wakes: whoever writes to a queue says here when a job of it has something to do, where it would sleep for longer. The rows
-- of fetchq.jobs are not touched for that: the write may stand in a transaction that stays open, and would hold the job
-- for as long. Who claims jobs takes the wakes in.
create table fetchq.wakes (
    queue text collate "C" not null,
    kind  text not null,
    at    timestamptz not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500, autovacuum_analyze_scale_factor = 0,
    autovacuum_analyze_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
create index wakes_job on fetchq.wakes (queue, kind, at);

-- +goose Down
drop table fetchq.wakes;
