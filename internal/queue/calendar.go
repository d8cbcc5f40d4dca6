package queue

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/errs"
)

// Bounds of a calendar.
const (
	MaxSteps      = 100
	calendarReads = 1_000 // entries of an index that are read for a step
)

// Due is how many documents become due in a step of a calendar.
type Due struct {
	At        time.Time // when the step begins
	Documents int64
	Known     string // exact; about: there are too many to count all of them; least: and they stand too close together to say more
}

// Calendar returns how many planned documents of a queue become due in each of some steps (1 to MaxSteps) from a moment on. What is due
// already counts to the first. Its cost does not grow with the queue: past 1,000 documents a step it says about how many there are, or how many at least.
// Errors: NotFound, Invalid (steps).
func (e *Engine) Calendar(ctx context.Context, name string, from time.Time, step time.Duration, steps int) ([]Due, error) {
	if err := find(ctx, name); err != nil {
		return nil, err
	}
	if steps < 1 || steps > MaxSteps || step < time.Minute {
		return nil, errs.Field("steps", "1 to %d steps of a minute at least are wanted", MaxSteps)
	}
	return query(ctx, e, "read the calendar", pgx.RowToStructByPos[Due],
		`select at, documents, known from fetchq.queue_calendar($1, $2, $3::interval, $4, $5)`, name, from, step, steps, calendarReads)
}
