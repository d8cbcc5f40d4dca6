package queue

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Events are counts of what has happened in a queue since it was made; a truncate leaves them. Logs has the Errors as well.
type Events struct {
	Entered, Picked, Completed, Rescheduled, Rejected, Orphaned, Killed, Dropped, Forwarded, Errors, Logs int64
}

// Summary is one queue on a page over many, as its last fold saw it at AsOf: at most 2 s old where something happens.
type Summary struct {
	Name        string
	CreatedAt   time.Time
	Paused      bool
	PauseReason *string
	PausedUntil *time.Time
	MaxAttempts int
	Counts      Counts
	Events      Events
	OldestDueAt *time.Time // since when the document waits that has been due longest; nil: none is due
	LastErrorAt *time.Time // no error that was folded is younger; nil: there was none, or a truncate took the lines
	AsOf        time.Time
}

// VersionCounts are the documents of one payload version of a queue.
type VersionCounts struct {
	Version int
	Counts  Counts
}

// The sums over rows c of counters that Counts.targets and Events.targets read.
const (
	sumOfCounts = `coalesce(sum(c.planned), 0)::bigint, coalesce(sum(c.pending), 0)::bigint, coalesce(sum(c.active), 0)::bigint,
		coalesce(sum(c.completed), 0)::bigint, coalesce(sum(c.killed), 0)::bigint`
	sumOfEvents = `coalesce(sum(c.ev_entered), 0)::bigint, coalesce(sum(c.ev_picked), 0)::bigint, coalesce(sum(c.ev_completed), 0)::bigint,
		coalesce(sum(c.ev_rescheduled), 0)::bigint, coalesce(sum(c.ev_rejected), 0)::bigint, coalesce(sum(c.ev_orphaned), 0)::bigint,
		coalesce(sum(c.ev_killed), 0)::bigint, coalesce(sum(c.ev_dropped), 0)::bigint, coalesce(sum(c.ev_forwarded), 0)::bigint,
		coalesce(sum(c.ev_errors), 0)::bigint, coalesce(sum(c.ev_logs), 0)::bigint`
)

func (c *Counts) targets() []any {
	return []any{&c.Planned, &c.Pending, &c.Active, &c.Completed, &c.Killed}
}

func (v *Events) targets() []any {
	return []any{
		&v.Entered, &v.Picked, &v.Completed, &v.Rescheduled, &v.Rejected, &v.Orphaned, &v.Killed, &v.Dropped, &v.Forwarded, &v.Errors, &v.Logs,
	}
}

// Summaries returns all queues in the order of their names. It is one statement over the register and the folded totals and
// reads no table of a queue: it costs the same however full, busy or locked the queues are.
func (e *Engine) Summaries(ctx context.Context) ([]Summary, error) {
	return query(ctx, e, "sum up the queues", scanSummary, `
		with total as (
			select q.name, `+sumOfCounts+`, `+sumOfEvents+`
			from fetchq.queues q left join fetchq.counters c on c.queue = q.name
			group by q.name
		)
		select total.*, q.created_at, fetchq.is_paused(q, clock_timestamp()), q.pause_reason, q.paused_until, q.max_attempts,
			s.oldest_due_at, s.last_error_at, coalesce(s.as_of, q.created_at)
		from total join fetchq.queues q on q.name = total.name left join fetchq.queue_states s on s.queue = total.name
		order by total.name`)
}

func scanSummary(row pgx.CollectableRow) (s Summary, err error) {
	targets := append([]any{&s.Name}, s.Counts.targets()...)
	targets = append(targets, s.Events.targets()...)
	err = row.Scan(append(targets, &s.CreatedAt, &s.Paused, &s.PauseReason, &s.PausedUntil, &s.MaxAttempts,
		&s.OldestDueAt, &s.LastErrorAt, &s.AsOf)...)
	if !s.Paused { // a pause that is over
		s.PauseReason, s.PausedUntil = nil, nil
	}
	return s, err
}

// Versions returns the exact counts of a queue by payload version, the lowest first. A version without documents is left out;
// of a queue without any there is version 0, with none. Errors: NotFound.
func (e *Engine) Versions(ctx context.Context, queue string) ([]VersionCounts, error) {
	if err := find(queue); err != nil {
		return nil, err
	}
	all, err := query(ctx, e, "count the versions of "+queue, func(row pgx.CollectableRow) (v VersionCounts, err error) {
		err = row.Scan(append([]any{&v.Version}, v.Counts.targets()...)...)
		return v, err
	}, `select version, planned, pending, active, completed, killed from fetchq.queue_counters($1)
		where (planned, pending, active, completed, killed) <> (0, 0, 0, 0, 0) order by version`, queue)
	if err == nil && len(all) == 0 {
		all = []VersionCounts{{}}
	}
	return all, err
}

// Events returns the exact counts of what has happened in a queue. Errors: NotFound.
func (e *Engine) Events(ctx context.Context, queue string) (Events, error) {
	if err := find(queue); err != nil {
		return Events{}, err
	}
	return queryRow(ctx, e, "count the events of "+queue, func(row pgx.CollectableRow) (v Events, err error) {
		err = row.Scan(v.targets()...)
		return v, err
	}, `select `+sumOfEvents+` from fetchq.queue_counters($1) c`, queue)
}
