package queue

import (
	"context"
	"encoding/json"

	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/wire"
)

// Put creates a queue, or changes what patch names and leaves the rest; safe to repeat. patch is an object of settings in
// the API's words. Errors: Invalid (name, setting; Field names it), Malformed (patch is no object).
func (e *Engine) Put(ctx context.Context, name string, patch json.RawMessage) (q Queue, created bool, err error) {
	if err := CheckName(name); err != nil {
		return Queue{}, false, err
	}
	settings, err := sqlSettings(patch)
	if err != nil {
		return Queue{}, false, err
	}
	created, err = queryRow(ctx, e, "put the queue "+name, pgx.RowTo[bool], `select created from fetchq.queue_put($1, $2)`, name, settings)
	if err != nil {
		return Queue{}, false, err
	}
	e.wakeQueue(name) // its limits may have changed
	q, err = e.Get(ctx, name)
	return q, created, err
}

// Patch is Put for a queue that exists. Errors: as Put, and NotFound.
func (e *Engine) Patch(ctx context.Context, name string, patch json.RawMessage) (Queue, error) {
	settings, err := sqlSettings(patch)
	if err != nil {
		return Queue{}, err
	}
	return e.change(ctx, name, "patch the queue ", `select fetchq.queue_set($1, $2)`, settings)
}

// PauseParams say how a queue is paused.
type PauseParams struct {
	Reason  string
	Until   wire.Date // zero: until it is resumed
	Kind    PauseKind // "": Drain
	Version *int      // one payload version only; nil: all of the queue
}

// Pause stops a queue, or one payload version of it, from handing out documents, until Resume or a date. At once, it also
// ends the leases that live: 10,000 with this call, what is left within seconds. Errors: NotFound, Invalid.
func (e *Engine) Pause(ctx context.Context, name string, p PauseParams) (Queue, error) {
	var c columns
	c.date(0, 1, p.Until)
	if p.Kind == "" {
		p.Kind = Drain
	}
	var at, delay any
	if c.dates != nil {
		at = c.dates[0]
	}
	if c.delays != nil {
		delay = c.delays[0]
	}
	return e.change(ctx, name, "pause the queue ",
		`select fetchq.queue_pause($1, $2, $3, $4, $5, $6)`, optional(p.Reason), at, delay, p.Kind, p.Version)
}

// Resume ends the pause of a queue; with a version, that of this one. Errors: NotFound.
func (e *Engine) Resume(ctx context.Context, name string, version *int) (Queue, error) {
	return e.change(ctx, name, "resume the queue ", `select fetchq.queue_resume($1, $2)`, version)
}

// Truncate removes all documents of a queue, and its logs if asked; events stay counted. Errors: NotFound, Overloaded
// (the queue is locked by other work).
func (e *Engine) Truncate(ctx context.Context, name string, logs bool) (Queue, error) {
	return e.change(ctx, name, "truncate the queue ", `select fetchq.queue_truncate($1, $2, $3)`, logs, who(ctx))
}

// Drop removes a queue with its documents, logs and counters. Errors: as Truncate.
func (e *Engine) Drop(ctx context.Context, name string) error {
	if err := find(ctx, name); err != nil {
		return err
	}
	_, err := retry(ctx, "drop the queue "+name, func() (any, error) {
		return e.db.Exec(ctx, `select fetchq.queue_drop($1)`, name)
	})
	e.wakeQueue(name)
	return err
}

// change runs one statement on a queue and returns the queue.
func (e *Engine) change(ctx context.Context, name, op, sql string, args ...any) (Queue, error) {
	if err := find(ctx, name); err != nil {
		return Queue{}, err
	}
	_, err := retry(ctx, op+name, func() (any, error) {
		return e.db.Exec(ctx, sql, append([]any{name}, args...)...)
	})
	e.wakeQueue(name)
	if err != nil {
		return Queue{}, err
	}
	return e.Get(ctx, name)
}

const queueColumns = `name, created_at, ` + pausesColumn + `, key_ready or not fetchq.is_keyed(q), ` + moveColumn + `, ` + settingsColumns

// Get returns one queue with its exact counts. Errors: NotFound.
func (e *Engine) Get(ctx context.Context, name string) (Queue, error) {
	if err := find(ctx, name); err != nil {
		return Queue{}, err
	}
	q, err := queryRow(ctx, e, "read the queue "+name, scanQueue, `
		select `+queueColumns+`, clock_timestamp(), fetchq.queue_oldest_due(name), c.*
		from fetchq.queue_find($1) q, lateral (
			select coalesce(sum(planned), 0)::bigint, coalesce(sum(pending), 0)::bigint, coalesce(sum(active), 0)::bigint,
				coalesce(sum(completed), 0)::bigint, coalesce(sum(killed), 0)::bigint
			from fetchq.queue_counters($1)
		) c`, name)
	return q, err
}

// ListParams choose queues by name, in its order.
type ListParams struct {
	Only  []string // nil: all
	Limit int
	After string // names after this one
}

// MaxList is the most that one page of any list holds.
const MaxList = 200

// List returns queues with the counts that the last fold saw (AsOf), and the name after which the next page begins; ""
// at the end. Errors: Invalid (limit).
func (e *Engine) List(ctx context.Context, p ListParams) (queues []Queue, next string, err error) {
	if p.Limit < 1 || p.Limit > MaxList {
		return nil, "", errs.Field("limit", "limit is %d; 1 to %d are allowed", p.Limit, MaxList)
	}
	queues, err = query(ctx, e, "list queues", scanQueue, `
		select `+queueColumns+`, coalesce(s.as_of, q.created_at), s.oldest_due_at, c.*
		from fetchq.queues q left join fetchq.queue_states s on s.queue = q.name
			cross join lateral (
				select coalesce(sum(planned), 0)::bigint, coalesce(sum(pending), 0)::bigint, coalesce(sum(active), 0)::bigint,
					coalesce(sum(completed), 0)::bigint, coalesce(sum(killed), 0)::bigint
				from fetchq.counters where queue = q.name
			) c
		where name > $1 and ($2::text[] is null or name = any ($2))
		order by name limit $3`, p.After, p.Only, p.Limit+1)
	if err != nil {
		return nil, "", err
	}
	if len(queues) > p.Limit {
		queues = queues[:p.Limit]
		next = queues[p.Limit-1].Name
	}
	return queues, next, nil
}

func scanQueue(row pgx.CollectableRow) (q Queue, err error) {
	var set settingsRow
	if err = row.Scan(q.targets(&set)...); err == nil {
		err = q.finish(set)
	}
	return q, err
}

// targets is where a row goes that has queueColumns, the moment, the oldest due date, and the counts.
func (q *Queue) targets(set *settingsRow) []any {
	to := append([]any{&q.Name, &q.CreatedAt, &set.pauses, &q.KeysReady, &q.Move}, set.targets()...)
	return append(append(to, &q.AsOf, &q.OldestDueAt), q.Counts.targets()...)
}

// finish takes over what targets read.
func (q *Queue) finish(set settingsRow) (err error) {
	q.Settings = set.settings()
	q.Pauses, err = readPauses(set.pauses)
	if len(q.Pauses) > 0 && q.Pauses[0].Version == nil {
		q.Paused, q.PauseReason, q.PausedUntil = true, q.Pauses[0].Reason, q.Pauses[0].Until
	}
	return err
}
