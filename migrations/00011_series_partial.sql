-- +goose Up

-- The wider steps of which only a part was measured, since no snapshot was taken in the rest; those that are not here were measured whole.
create table fetchq.series_partial (
    step     integer not null, -- its seconds, as in the name of its series
    slot     timestamptz not null,
    measured integer not null check (measured > 0), -- seconds
    primary key (step, slot)
);

-- +goose Down
drop table fetchq.series_partial;
