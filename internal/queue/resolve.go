package queue

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/fetchq/server/internal/errs"
)

// Resolve ends up to MaxBatch leases and returns one result each, in their order. Outcomes: ok, already, stale,
// not_found, exists, invalid. Errors: NotFound (no such queue), Invalid (too many).
func (e *Engine) Resolve(ctx context.Context, queue string, items []Resolution) ([]Result, error) {
	// A forward also writes into another queue, whose state must not be others' concern.
	forwards := slices.ContainsFunc(items, func(r Resolution) bool { return r.ToQueue != "" })
	resolve := func(ctx context.Context, items []Resolution) ([]Result, error) {
		if measures(items) {
			return e.resolveMeasured(ctx, queue, items)
		}
		return e.settle(ctx, queue, items, true)
	}
	if n := len(items); n == 0 || n > mergeItems || forwards {
		return resolve(ctx, items)
	}
	return e.resolves.do(ctx, queue, items, resolve)
}

// Act is what an admin does to up to MaxBatch documents, whoever holds them; Lease is not looked at. Outcomes: ok,
// not_found, active, exists, invalid.
func (e *Engine) Act(ctx context.Context, queue string, items []Resolution) ([]Result, error) {
	return e.settle(ctx, queue, items, false)
}

func (e *Engine) settle(ctx context.Context, queue string, items []Resolution, leased bool) ([]Result, error) {
	if err := errors.Join(find(queue), batch("resolutions", len(items))); err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return nil, e.exists(ctx, queue)
	}
	results, err := e.settleOnce(ctx, queue, items, leased)
	if !spoiled(err) {
		return results, err
	}
	const detail = "payload or details cannot be stored as jsonb"
	if len(items) == 1 {
		return []Result{{Subject: items[0].Subject, Outcome: "invalid", Detail: detail}}, nil
	}
	// The data of one item cannot be stored: the others must not suffer.
	results = make([]Result, 0, len(items))
	for _, item := range items {
		one, err := e.settleOnce(ctx, queue, []Resolution{item}, leased)
		if spoiled(err) {
			one, err = []Result{{Subject: item.Subject, Outcome: "invalid", Detail: detail}}, nil
		}
		if err != nil {
			return nil, err
		}
		results = append(results, one...)
	}
	return results, nil
}

// settleOnce makes the call. The arrays of fields that no item has stay nil.
func (e *Engine) settleOnce(ctx context.Context, queue string, items []Resolution, leased bool) ([]Result, error) {
	n := len(items)
	subjects, actions, leases := make([]string, n), make([]string, n), make([]*int64, n)
	var (
		c                               columns
		payloads, details               [][]byte
		messages, refs, toQueues, thens []*string
		retries                         []*bool
		toOther                         bool
	)
	for i, r := range items {
		subjects[i], actions[i] = r.Subject, r.Action
		if r.Lease != 0 {
			leases[i] = &r.Lease
		}
		c.version(i, n, r.Version)
		c.priority(i, n, r.Priority)
		c.date(i, n, r.Next)
		put(&payloads, i, n, r.Payload, r.Payload != nil)
		put(&details, i, n, r.Details, r.Details != nil)
		put(&messages, i, n, &r.Message, r.Message != "")
		put(&refs, i, n, &r.RefID, r.RefID != "")
		put(&retries, i, n, r.Retry, r.Retry != nil)
		put(&toQueues, i, n, &r.ToQueue, r.ToQueue != "")
		put(&thens, i, n, &r.Then, r.Then != "")
		toOther = toOther || r.ToQueue != ""
	}
	var results []Result
	var err error
	if places, names, types, values := measured(items); leased && places != nil {
		results, err = query(ctx, e, "resolve in "+queue, scanResult, `
			with r as materialized (
				select * from fetchq.doc_resolve_many($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
			), m as materialized (
				select fetchq.metric_append($1, array_agg(u.name order by u.ord), array_agg(u.type order by u.ord), array_agg(u.value order by u.ord))
				from unnest($16::integer[], $17::text[], $18::smallint[], $19::float8[]) with ordinality u (place, name, type, value, ord)
					join r on r.ord = u.place
				where r.outcome in ('ok', 'exists')
			)
			select r.* from r cross join m order by r.ord`,
			queue, subjects, leases, actions, c.dates, c.delays, payloads, c.priorities, c.versions, messages, details, refs, retries,
			toQueues, thens, places, names, types, values)
	} else if leased {
		results, err = query(ctx, e, "resolve in "+queue, scanResult,
			`select * from fetchq.doc_resolve_many($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
			queue, subjects, leases, actions, c.dates, c.delays, payloads, c.priorities, c.versions, messages, details, refs, retries,
			toQueues, thens)
	} else {
		for i := range retries {
			if retries[i] != nil {
				return nil, errs.Field("retry", "retry belongs to reject, which needs a lease")
			}
		}
		results, err = query(ctx, e, "act on documents of "+queue, scanResult,
			`select * from fetchq.doc_act_many($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
			queue, subjects, actions, c.dates, c.delays, payloads, c.priorities, c.versions, messages, details, refs, toQueues, thens)
	}
	if err != nil {
		return nil, err
	}
	e.noteResults(queue, results)
	if toOther {
		e.noteForwards(items, results)
	}
	return results, nil
}

// noteForwards tells the queues that documents were handed on to. Where they stand there is not known in full: a node
// that looks again finds out.
func (e *Engine) noteForwards(items []Resolution, results []Result) {
	for i, r := range results {
		if r.Outcome == "ok" && items[i].ToQueue != "" {
			e.marks.forget(items[i].ToQueue)
			e.wakeQueue(items[i].ToQueue)
		}
	}
}

// Extend moves the end of live leases to now + lock (0: the queue's lock) and returns one result each, in their order:
// ok, stale, not_found. progress, when not empty, is written to each document's log as a note. paused tells whether the
// queue is paused. Errors: NotFound (no such queue), Invalid (too many, lock).
func (e *Engine) Extend(ctx context.Context, queue string, leases []Lease, lock time.Duration, progress string) (results []ExtendResult, paused bool, err error) {
	if err := errors.Join(find(queue), batch("leases", len(leases)), checkLock(lock)); err != nil {
		return nil, false, err
	}
	extend := func(ctx context.Context, leases []Lease) ([]ExtendResult, error) {
		subjects, tokens := make([]string, len(leases)), make([]int64, len(leases))
		for i, l := range leases {
			subjects[i], tokens[i] = l.Subject, l.Lease
		}
		return query(ctx, e, "extend leases of "+queue, scanExtend,
			`select subject, outcome, detail, lease_expires_at from fetchq.doc_extend_many($1, $2, $3, $4, $5)`,
			queue, subjects, tokens, lockInterval(lock), optional(progress))
	}
	switch n := len(leases); {
	case n > mergeItems || progress != "":
		results, err = extend(ctx, leases)
	case n > 0:
		results, err = e.extends.do(ctx, queue+" "+lock.String(), leases, extend)
	}
	if err != nil {
		return nil, false, err
	}
	state, err := e.state(ctx, queue)
	return results, state.paused, err
}

func scanExtend(row pgx.CollectableRow) (r ExtendResult, err error) {
	var subject, detail *string
	err = row.Scan(&subject, &r.Outcome, &detail, &r.ExpiresAt)
	r.Subject, r.Detail = value(subject), value(detail)
	return r, err
}

func checkLock(lock time.Duration) error {
	if lock != 0 && (lock < MinLock || lock > MaxLock) {
		return errs.Field("lock", "lock is %s; 1s to 24h is allowed", lock)
	}
	return nil
}

// lockInterval is null for 0, which is the queue's own lock.
func lockInterval(lock time.Duration) pgtype.Interval {
	return pgtype.Interval{Microseconds: lock.Microseconds(), Valid: lock != 0}
}
