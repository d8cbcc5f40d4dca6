package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/wire"
)

// Push puts up to MaxBatch documents into a queue and returns one result each, in their order. Outcomes: created,
// updated, requeued, ignored, active, duplicate, invalid. Errors: NotFound (no such queue), Invalid (too many, unknown policy).
func (e *Engine) Push(ctx context.Context, queue string, docs []Push, policy OnConflict) ([]Result, error) {
	items := own(ctx, docs)
	if n := len(docs); n == 0 || n > mergePushes {
		return e.pushAll(ctx, queue, items, policy)
	}
	return e.pushes.do(ctx, queue+" "+string(policy), items, func(ctx context.Context, items []owned[Push]) ([]Result, error) {
		return e.pushAll(ctx, queue, items, policy)
	})
}

// pushAll is Push in one call of its own.
func (e *Engine) pushAll(ctx context.Context, queue string, items []owned[Push], policy OnConflict) ([]Result, error) {
	return e.push(ctx, queue, items, policy, func(items []owned[Push]) ([]Result, error) {
		subjects, payloads, c := pushed(items)
		return query(ctx, e, "push to "+queue, scanResult, `select * from fetchq.doc_push_many($1, $2, $3, $4, $5, $6, $7, $8, p_by => $9)`,
			queue, subjects, payloads, c.versions, c.priorities, c.dates, c.delays, string(policy), bysOf(items, owned[Push].who))
	})
}

// Append is Push where a document may lack a subject: it gets a UUID of version 7. A key (1 to 255 bytes) makes a call, also one whose
// documents all have subjects, repeatable for 24 hours: under the same key nothing more is pushed, and the answer is the first one,
// without the state of the documents; "" is no key. Errors: as Push, and Invalid (the key stands for other documents).
func (e *Engine) Append(ctx context.Context, queue, key string, docs []Push, policy OnConflict) ([]Result, error) {
	if key == "" && !slices.ContainsFunc(docs, func(d Push) bool { return d.Subject == "" }) {
		return e.Push(ctx, queue, docs, policy)
	}
	return e.push(ctx, queue, own(ctx, docs), policy, func(items []owned[Push]) ([]Result, error) {
		subjects, payloads, c := pushed(items)
		return query(ctx, e, "append to "+queue, scanResult, `select * from fetchq.doc_append_many($1, $2, $3, $4, $5, $6, $7, $8, $9, p_by => $10)`,
			queue, payloads, c.versions, c.priorities, c.dates, c.delays, optional(key), subjects, string(policy), bysOf(items, owned[Push].who))
	})
}

// push makes a call for a batch. Where Postgres cannot read the data of a document, that one is invalid, and the call is
// made for the others.
func (e *Engine) push(
	ctx context.Context, queue string, docs []owned[Push], policy OnConflict, call func([]owned[Push]) ([]Result, error),
) ([]Result, error) {
	if err := errors.Join(find(ctx, queue), batch("documents", len(docs))); err != nil {
		return nil, err
	}
	if policy != Ignore && policy != Update && policy != Requeue {
		return nil, errs.Field("on_conflict", "%q is no policy; ignore or update is wanted", policy)
	}
	if len(docs) == 0 {
		return nil, e.exists(ctx, queue)
	}
	results, err := call(docs)
	if spoiled(err) {
		results, err = e.pushSound(ctx, queue, docs, call)
	}
	if err != nil {
		return nil, err
	}
	e.noteResults(queue, results)
	return results, nil
}

// pushSound makes a call for those documents of a batch that Postgres can read.
func (e *Engine) pushSound(ctx context.Context, queue string, docs []owned[Push], call func([]owned[Push]) ([]Result, error)) ([]Result, error) {
	results := make([]Result, len(docs))
	var sound []owned[Push]
	var places []int
	for i, d := range docs {
		detail, err := e.unreadable(ctx, d)
		if err != nil {
			return nil, err
		}
		if detail != "" {
			results[i] = Result{Subject: d.item.Subject, Outcome: "invalid", Detail: detail}
			continue
		}
		sound, places = append(sound, d), append(places, i)
	}
	if len(sound) == 0 {
		return results, e.exists(ctx, queue)
	}
	some, err := call(sound)
	for i, r := range some {
		results[places[i]] = r
	}
	return results, err
}

// unreadable says what of a document Postgres cannot read; "" where it can read all.
func (e *Engine) unreadable(ctx context.Context, d owned[Push]) (string, error) {
	subjects, payloads, c := pushed([]owned[Push]{d})
	_, err := e.db.Exec(ctx, `select $1::timestamptz[], $2::interval[]`, c.dates, c.delays)
	if spoiled(err) {
		return "next_iteration is outside the years 1970 to 9999", nil
	}
	if err == nil {
		_, err = e.db.Exec(ctx, `select $1::text[], $2::jsonb[]`, subjects, payloads)
		if spoiled(err) {
			return "payload cannot be stored as jsonb", nil
		}
	}
	return "", database.Error("read a document", err)
}

// pushed returns the arrays of a push.
func pushed(items []owned[Push]) (subjects []*string, payloads [][]byte, c columns) {
	n := len(items)
	subjects, payloads = make([]*string, n), make([][]byte, n)
	for i := range items {
		d := &items[i].item
		subjects[i], payloads[i] = optional(d.Subject), d.Payload
		c.version(i, n, d.Version)
		c.priority(i, n, d.Priority)
		c.date(i, n, d.Next)
	}
	return subjects, payloads, c
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
