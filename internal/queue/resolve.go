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
	return e.ResolveOf(ctx, queue, "", items)
}

// ResolveOf is Resolve for a worker that says who it is: that counts in the list of workers where another node handed out the lease.
func (e *Engine) ResolveOf(ctx context.Context, queue, worker string, items []Resolution) ([]Result, error) {
	results, err := e.resolve(ctx, queue, items)
	if err == nil {
		e.crew.ended(queue, worker, items, results)
	}
	return results, err
}

func (e *Engine) resolve(ctx context.Context, queue string, items []Resolution) ([]Result, error) {
	// A forward also writes into another queue, whose state must not be others' concern.
	forwards := slices.ContainsFunc(items, func(r Resolution) bool { return r.ToQueue != "" })
	all := own(ctx, items)
	resolve := func(ctx context.Context, all []owned[Resolution]) ([]Result, error) {
		if measures(all) {
			return e.resolveMeasured(ctx, queue, all)
		}
		return e.settle(ctx, queue, all, true, "")
	}
	if n := len(items); n == 0 || n > mergeItems || forwards {
		return resolve(ctx, all)
	}
	return e.resolves.do(ctx, queue, all, resolve)
}

// Act is what an admin does to up to MaxBatch documents, whoever holds them; Lease is not looked at. Outcomes: ok,
// not_found, active, exists, invalid.
func (e *Engine) Act(ctx context.Context, queue string, items []Resolution) ([]Result, error) {
	return e.settle(ctx, queue, own(ctx, items), false, "")
}

// ActOnce is Act for one document under a key (1 to 255 bytes), which makes it repeatable for 24 hours: under the same key nothing
// more is done, and the answer is the first one, without the state of the document. Errors: as Act, and Invalid (the key stands
// for another document).
func (e *Engine) ActOnce(ctx context.Context, queue, key string, item Resolution) ([]Result, error) {
	return e.settle(ctx, queue, own(ctx, []Resolution{item}), false, key)
}

// Release takes documents back from whoever holds them under these leases, and returns one result each, in their order: ok, stale (it is
// another lease's by now), not_found, invalid (nobody holds it any more). They are pending again, and the attempt does not count; what
// the worker says of them then is stale. Errors: NotFound (no such queue), Invalid (too many).
func (e *Engine) Release(ctx context.Context, queue string, leases []Lease) ([]Result, error) {
	if err := errors.Join(find(ctx, queue), batch("leases", len(leases))); err != nil {
		return nil, err
	}
	subjects, tokens := make([]string, len(leases)), make([]int64, len(leases))
	for i, l := range leases {
		subjects[i], tokens[i] = l.Subject, l.Lease
	}
	by := byOf(ctx)
	if by == "" {
		by = "fetchq"
	}
	results, err := query(ctx, e, "release documents of "+queue, scanResult, `select * from fetchq.doc_put_back($1, $2, $3, p_by => $4)`,
		queue, subjects, tokens, []string{by})
	if err != nil {
		return nil, err
	}
	e.noteResults(queue, results)
	e.freed(ctx, queue, ended(results))
	return results, nil
}

func (e *Engine) settle(ctx context.Context, queue string, items []owned[Resolution], leased bool, key string) ([]Result, error) {
	if err := errors.Join(find(ctx, queue), batch("resolutions", len(items))); err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return nil, e.exists(ctx, queue)
	}
	if err := e.mayEdit(ctx, queue, items); err != nil {
		return nil, err
	}
	for _, item := range items {
		to := item.item.ToQueue
		if to == "" {
			continue
		}
		if !Sees(ctx, to) {
			return nil, errs.Field("to_queue", "there is no queue %s", to)
		}
		if err := e.MayCarry(ctx, queue, to, "to_queue"); err != nil {
			return nil, err
		}
	}
	results, err := e.settleOnce(ctx, queue, items, leased, key)
	if !spoiled(err) {
		return results, err
	}
	const detail = "payload or details cannot be stored as jsonb"
	if len(items) == 1 {
		return []Result{{Subject: items[0].item.Subject, Outcome: "invalid", Detail: detail}}, nil
	}
	// The data of one item cannot be stored: the others must not suffer.
	results = make([]Result, 0, len(items))
	for _, item := range items {
		one, err := e.settleOnce(ctx, queue, []owned[Resolution]{item}, leased, "")
		if spoiled(err) {
			one, err = []Result{{Subject: item.item.Subject, Outcome: "invalid", Detail: detail}}, nil
		}
		if err != nil {
			return nil, err
		}
		results = append(results, one...)
	}
	return results, nil
}

// settleOnce makes the call. The arrays of fields that no item has stay nil.
func (e *Engine) settleOnce(ctx context.Context, queue string, items []owned[Resolution], leased bool, key string) ([]Result, error) {
	n := len(items)
	subjects, actions, leases := make([]string, n), make([]string, n), make([]*int64, n)
	var (
		c                               columns
		payloads, details               [][]byte
		messages, refs, toQueues, thens []*string
		retries                         []*bool
		toOther                         bool
	)
	for i := range items {
		r := &items[i].item
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
				select * from fetchq.doc_resolve_many($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, p_by => $20)
			), m as materialized (
				select fetchq.metric_append($1, array_agg(u.name order by u.ord), array_agg(u.type order by u.ord), array_agg(u.value order by u.ord))
				from unnest($16::integer[], $17::text[], $18::smallint[], $19::float8[]) with ordinality u (place, name, type, value, ord)
					join r on r.ord = u.place
				where r.outcome in ('ok', 'exists')
			)
			select r.* from r cross join m order by r.ord`,
			queue, subjects, leases, actions, c.dates, c.delays, payloads, c.priorities, c.versions, messages, details, refs, retries,
			toQueues, thens, places, names, types, values, bysOf(items, owned[Resolution].who))
	} else if leased {
		results, err = query(ctx, e, "resolve in "+queue, scanResult,
			`select * from fetchq.doc_resolve_many($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, p_by => $16)`,
			queue, subjects, leases, actions, c.dates, c.delays, payloads, c.priorities, c.versions, messages, details, refs, retries,
			toQueues, thens, bysOf(items, owned[Resolution].who))
	} else {
		for i := range retries {
			if retries[i] != nil {
				return nil, errs.Field("retry", "retry belongs to reject, which needs a lease")
			}
		}
		results, err = query(ctx, e, "act on documents of "+queue, scanResult,
			`select * from fetchq.doc_act_many($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, p_by => $14, p_key => $15)`,
			queue, subjects, actions, c.dates, c.delays, payloads, c.priorities, c.versions, messages, details, refs, toQueues, thens,
			bysOf(items, owned[Resolution].who), optional(key))
	}
	if err != nil {
		return nil, err
	}
	e.noteResults(queue, results)
	e.freed(ctx, queue, ended(results))
	if toOther {
		e.noteForwards(items, results)
	}
	return results, nil
}

// ended counts the documents of a call that it settled: each may have been held.
func ended(results []Result) (n int) {
	for _, r := range results {
		if r.Outcome == "ok" || r.Outcome == "exists" {
			n++
		}
	}
	return n
}

// noteForwards tells the queues that documents were handed on to. Where they stand there is not known in full: a node
// that looks again finds out.
func (e *Engine) noteForwards(items []owned[Resolution], results []Result) {
	for i, r := range results {
		if r.Outcome == "ok" && items[i].item.ToQueue != "" {
			e.marks.forget(items[i].item.ToQueue)
			e.wakeQueue(items[i].item.ToQueue)
		}
	}
}

// Extend moves the end of live leases to now + lock (0: the queue's lock) and returns one result each, in their order:
// ok, stale, not_found. progress, when not empty, is written to each document's log as a note. told is what the workers are to know:
// the pause of the queue, or of the version of one of the documents, and whether one who holds them is asked to go quiet. Errors: NotFound (no such queue), Invalid (too many, lock).
func (e *Engine) Extend(ctx context.Context, queue string, leases []Lease, lock time.Duration, progress string) (results []ExtendResult, told Told, err error) {
	if err := errors.Join(find(ctx, queue), batch("leases", len(leases)), checkLock(lock)); err != nil {
		return nil, Told{}, err
	}
	extend := func(ctx context.Context, leases []owned[Lease]) ([]ExtendResult, error) {
		subjects, tokens := make([]string, len(leases)), make([]int64, len(leases))
		for i, l := range leases {
			subjects[i], tokens[i] = l.item.Subject, l.item.Lease
		}
		return query(ctx, e, "extend leases of "+queue, scanExtend,
			`select subject, outcome, detail, lease_expires_at, version, worker from fetchq.doc_extend_many($1, $2, $3, $4, $5, p_by => $6)`,
			queue, subjects, tokens, lockInterval(lock), optional(progress), bysOf(leases, owned[Lease].who))
	}
	switch n := len(leases); {
	case n > mergeItems || progress != "":
		results, err = extend(ctx, own(ctx, leases))
	case n > 0:
		results, err = e.extends.do(ctx, queue+" "+lock.String(), own(ctx, leases), extend)
	}
	if err != nil {
		return nil, Told{}, err
	}
	e.crew.extended(queue, leases, results)
	state, err := e.state(ctx, queue)
	for _, r := range results {
		if told.Pause == nil && state.pauses != nil {
			told.Pause = pauseOf(state.pauses, r.Version)
		}
		told.Quiet = told.Quiet || e.isQuiet(r.Worker)
	}
	return results, told, err
}

func scanExtend(row pgx.CollectableRow) (r ExtendResult, err error) {
	var subject, detail, worker *string
	var version *int
	err = row.Scan(&subject, &r.Outcome, &detail, &r.ExpiresAt, &version, &worker)
	r.Subject, r.Detail, r.Version, r.Worker = value(subject), value(detail), value(version), value(worker)
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
