-- +goose Up

-- What a job knows of the time ahead, so that those of a queue in which nothing happens need not run to find nothing: when
-- there is something to do again, and when it found something last.
alter table fetchq.jobs add column again timestamptz, add column last_found timestamptz;

-- +goose Down
alter table fetchq.jobs drop column again, drop column last_found;
