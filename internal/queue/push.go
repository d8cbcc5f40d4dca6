package queue

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/wire"
)

// Push puts up to MaxBatch documents into a queue and returns one result each, in their order. Outcomes: created,
// updated, ignored, active, duplicate, invalid. Errors: NotFound (no such queue), Invalid (too many, unknown policy).
func (e *Engine) Push(ctx context.Context, queue string, docs []Push, policy OnConflict) ([]Result, error) {
	if err := errors.Join(find(queue), batch("documents", len(docs))); err != nil {
		return nil, err
	}
	return e.push(ctx, queue, docs, policy)
}

// Append is Push where a document may lack a subject: it gets a UUID of version 7. A key (1 to 255 bytes) makes the call
// repeatable for 24 hours: the same key gives the same subjects; "" is no key.
func (e *Engine) Append(ctx context.Context, queue, key string, docs []Push, policy OnConflict) ([]Result, error) {
	if err := errors.Join(find(queue), batch("documents", len(docs))); err != nil {
		return nil, err
	}
	given := make([]*string, len(docs))
	missing := false
	for i, d := range docs {
		if d.Subject != "" {
			given[i] = &d.Subject
		} else {
			missing = true
		}
	}
	if !missing {
		return e.push(ctx, queue, docs, policy)
	}
	subjects, err := queryRow(ctx, e, "name documents of "+queue, pgx.RowTo[[]string],
		`select fetchq.request_subjects($1, $2, $3)`, queue, optional(key), given)
	if err != nil {
		return nil, err
	}
	named := make([]Push, len(docs))
	for i, d := range docs {
		d.Subject = subjects[i]
		named[i] = d
	}
	results, err := e.push(ctx, queue, named, policy)
	for i := range results {
		// A subject that was made for this call can only be taken by this very call, made before.
		if given[i] == nil && results[i].Outcome == "ignored" {
			results[i].Outcome = "created"
		}
	}
	return results, err
}

func (e *Engine) push(ctx context.Context, queue string, docs []Push, policy OnConflict) ([]Result, error) {
	if policy != Ignore && policy != Update {
		return nil, errs.Field("on_conflict", "%q is no policy; ignore or update is wanted", policy)
	}
	if len(docs) == 0 {
		return nil, e.exists(ctx, queue)
	}
	results, err := e.pushOnce(ctx, queue, docs, policy)
	if spoiled(err) && len(docs) > 1 {
		// The data of one document cannot be stored: the others must not suffer.
		results = make([]Result, 0, len(docs))
		for _, d := range docs {
			one, err := e.pushOnce(ctx, queue, []Push{d}, policy)
			if spoiled(err) {
				one, err = []Result{{Subject: d.Subject, Outcome: "invalid", Detail: "payload cannot be stored as jsonb"}}, nil
			}
			if err != nil {
				return nil, err
			}
			results = append(results, one...)
		}
		return results, nil
	}
	if spoiled(err) {
		return []Result{{Subject: docs[0].Subject, Outcome: "invalid", Detail: "payload cannot be stored as jsonb"}}, nil
	}
	return results, err
}

func (e *Engine) pushOnce(ctx context.Context, queue string, docs []Push, policy OnConflict) ([]Result, error) {
	n := len(docs)
	subjects, payloads := make([]string, n), make([][]byte, n)
	var c columns
	for i, d := range docs {
		subjects[i], payloads[i] = d.Subject, d.Payload
		c.version(i, n, d.Version)
		c.priority(i, n, d.Priority)
		c.date(i, n, d.Next)
	}
	results, err := query(ctx, e, "push to "+queue, scanResult, `select * from fetchq.doc_push_many($1, $2, $3, $4, $5, $6, $7, $8)`,
		queue, subjects, payloads, c.versions, c.priorities, c.dates, c.delays, string(policy))
	if err != nil {
		return nil, err
	}
	e.noteResults(queue, results)
	return results, nil
}

// columns are the arrays of a batch whose values are mostly not given: an array that nothing was put into stays nil,
// and travels as one null.
type columns struct {
	versions, priorities []*int
	dates                []pgtype.Timestamptz
	delays               []pgtype.Interval
}

func (c *columns) version(i, n int, v *int) { put(&c.versions, i, n, v, v != nil) }

func (c *columns) priority(i, n int, v *int) { put(&c.priorities, i, n, v, v != nil) }

func (c *columns) date(i, n int, d wire.Date) {
	put(&c.dates, i, n, pgtype.Timestamptz{Time: d.At, Valid: true}, !d.At.IsZero())
	if d.Delay != nil {
		put(&c.delays, i, n, interval(*d.Delay), true)
	}
}

// put sets element i of an array of n, and makes the array at the first value that is given.
func put[T any](array *[]T, i, n int, v T, given bool) {
	if !given {
		return
	}
	if *array == nil {
		*array = make([]T, n)
	}
	(*array)[i] = v
}

func interval(iv wire.Interval) pgtype.Interval {
	return pgtype.Interval{Months: iv.Months, Days: iv.Days, Microseconds: iv.Micros, Valid: true}
}

// optional turns "" into null.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func batch(field string, n int) error {
	if n > MaxBatch {
		return errs.Field(field, "the call has %d items; %d are allowed", n, MaxBatch)
	}
	return nil
}

// scanResult reads one row of the type fetchq.result.
func scanResult(row pgx.CollectableRow) (Result, error) {
	var (
		r                 Result
		ord               int
		subject, detail   *string
		status            *int16
		version, priority *int
		next              pgtype.Timestamptz
	)
	if err := row.Scan(&ord, &subject, &r.Outcome, &detail, &status, &version, &priority, &next); err != nil {
		return r, err
	}
	r.Subject, r.Detail, r.Version, r.Priority, r.Next = value(subject), value(detail), value(version), value(priority), next.Time
	if status != nil {
		s := Status(*status)
		r.Status = &s
	}
	return r, nil
}

// value returns what p points to, or the zero value.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// noteResults lowers the marks to what a call made pending, and wakes those who wait for it.
func (e *Engine) noteResults(queue string, results []Result) {
	var made []pending
	for _, r := range results {
		if r.Status != nil && *r.Status == Pending {
			made = append(made, pending{r.Version, r.Priority, r.Next, 1})
		}
	}
	e.note(queue, made)
}

// spoiled says whether a statement failed on the data of one of its items: class 22 (data exception) or 54 (a limit of
// Postgres). Such a batch is tried item by item.
func spoiled(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code[:2] == "22" || pg.Code[:2] == "54")
}

// exists returns NotFound when there is no such queue.
func (e *Engine) exists(ctx context.Context, queue string) error {
	_, err := e.db.Exec(ctx, `select fetchq.queue_find($1)`, queue)
	return database.Error(fmt.Sprintf("find the queue %s", queue), err)
}
