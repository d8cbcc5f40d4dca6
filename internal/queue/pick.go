package queue

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
)

// Picked is the answer to a pick.
type Picked struct {
	Documents []Leased
	Told
}

// Told is what an answer tells a worker beside it.
type Told struct {
	Pause *Pause // why nothing is handed out at present; nil: it is
	Quiet bool   // the worker is to finish what it holds, and to ask for nothing more; nothing is handed to it
}

// Pick leases up to p.Limit due documents of one payload version to a worker, and waits up to p.Wait for the first.
//
// Order: priority (high first), next_iteration (old first), seq; best effort across partitions and nodes, and across keys where a
// queue has limits by key. It returns no documents when nothing is due, when the queue is paused or at its limits, and at once when
// the engine stops, or when the queue is paused, or the worker is asked to go quiet, while it waits.
// Errors: NotFound (no such queue), Invalid (limit, version, lock, wait, worker, idempotency_key).
func (e *Engine) Pick(ctx context.Context, queue string, p PickParams) (Picked, error) {
	if p.Limit == 0 {
		p.Limit = 1
	}
	if err := errors.Join(find(ctx, queue), p.check()); err != nil {
		return Picked{}, err
	}
	s, w := spot{queue, p.Version}, post{queue, p.Worker}
	e.asks.note(s, p.Worker)
	var deadline <-chan time.Time
	if p.Wait > 0 {
		e.crew.seen(w)
		timer := time.NewTimer(p.Wait)
		defer timer.Stop()
		deadline = timer.C
	}
	picked, err := e.pickFrom(ctx, s, p, deadline)
	if err == nil {
		e.crew.picked(w, picked.Documents)
	}
	return picked, err
}

// pickFrom is Pick until a deadline; nil: it does not wait.
func (e *Engine) pickFrom(ctx context.Context, s spot, p PickParams, deadline <-chan time.Time) (Picked, error) {
	for e.isQuiet(p.Worker) {
		if picked, stays, err := e.pickQuiet(ctx, s, p, deadline); stays {
			return picked, err
		}
	}
	if deadline == nil {
		return e.pickNow(ctx, s, p)
	}
	// In line before the first look: what is pushed after it wakes us.
	w := e.hub.join(s)
	defer e.hub.leave(w)
	var picked Picked
	pausedBefore := false
	// Where somebody has just looked, the tick does so within the time that this one waits.
	looks := p.IdempotencyKey != "" || e.stop == nil || p.Wait < 2*pollEvery || !e.hub.isEmpty(s)
	for first := true; ; looks, first = true, false {
		if looks {
			began := e.now()
			var err error
			picked, err = e.pickNow(ctx, s, p)
			if err != nil || picked.Quiet || len(picked.Documents) > 0 {
				if len(picked.Documents) == p.Limit {
					e.hub.wake(s, 1) // there may be more for the next in line
				}
				return picked, err
			}
			switch {
			case picked.Pause == nil:
				pausedBefore = false
				e.hub.foundNothing(s, began)
			case !first && !pausedBefore:
				return picked, nil // the worker is to know now
			default:
				pausedBefore = true
			}
		}
		e.peers.wait(s.queue)
		switch e.idle(ctx, w, p.Worker, deadline) {
		case idleWoken:
		case idleQuiet:
			return Picked{Told: Told{Quiet: true}}, nil
		case idleOver:
			return picked, nil
		case idleGone:
			return Picked{}, database.Error("wait for documents of "+s.queue, ctx.Err())
		}
	}
}

// idled is why a pick does not wait any longer.
type idled int

const (
	idleWoken idled = iota
	idleQuiet       // its worker is asked to go quiet
	idleOver        // its time is over, or the engine stops
	idleGone        // its caller went away
)

// idle waits in line.
func (e *Engine) idle(ctx context.Context, w *waiter, worker string, deadline <-chan time.Time) idled {
	for {
		quiet, changed := e.quiets.has(worker)
		if quiet {
			return idleQuiet
		}
		select {
		case <-changed:
		case <-w.woken:
			return idleWoken
		case <-deadline:
			return idleOver
		case <-e.stopped:
			return idleOver
		case <-ctx.Done():
			return idleGone
		}
	}
}

func (p PickParams) check() error {
	switch {
	case p.Limit < 1 || p.Limit > MaxBatch:
		return errs.Field("limit", "limit is %d; 1 to %d are allowed", p.Limit, MaxBatch)
	case p.Version < 0 || p.Version > MaxVersion:
		return errs.Field("version", "version is %d; 0 to %d are allowed", p.Version, MaxVersion)
	case p.Wait < 0 || p.Wait > MaxWait:
		return errs.Field("wait", "wait is %s; 0s to 60s is allowed", p.Wait)
	}
	return checkLock(p.Lock)
}

// pickAsk is what one caller asks for in a scan that serves several.
type pickAsk struct {
	limit  int
	lock   time.Duration // 0: the queue's
	worker string
	by     string
}

func (a pickAsk) who() string { return a.by }

// pickNow looks once for documents. Picks that come together are one scan.
func (e *Engine) pickNow(ctx context.Context, s spot, p PickParams) (Picked, error) {
	state, err := e.state(ctx, s.queue)
	if err != nil {
		return Picked{}, err
	}
	if e.isQuiet(p.Worker) { // this node has learnt it just now
		if picked, stays, err := e.pickQuiet(ctx, s, p, nil); stays {
			return picked, err
		}
	}
	asks := []pickAsk{{p.Limit, p.Lock, p.Worker, byOf(ctx)}}
	pause := pauseOf(state.pauses, s.version)
	var docs []Leased
	if p.IdempotencyKey != "" || pause != nil {
		// There are no marks under a key, for what is picked again says nothing about what is pending.
		docs, _, err = e.pickScan(ctx, s, nil, asks, p.IdempotencyKey)
	} else {
		var shares [][]Leased
		shares, err = e.picks.do(ctx, s.queue+" "+strconv.Itoa(s.version), asks, func(ctx context.Context, asks []pickAsk) ([][]Leased, error) {
			return e.pickFor(ctx, s, asks, state.limited)
		})
		if err == nil {
			docs = shares[0]
		}
	}
	if err != nil || len(docs) > 0 {
		return Picked{Documents: docs}, err
	}
	return Picked{Told: Told{Pause: pause}}, nil
}

// share gives each ask its documents: as many as it wants, from the first on.
func share(docs []Leased, asks []pickAsk) [][]Leased {
	shares := make([][]Leased, len(asks))
	for i, a := range asks {
		n := min(a.limit, len(docs))
		shares[i], docs = docs[:n:n], docs[n:]
	}
	return shares
}

// total is how many documents all asks want.
func total(asks []pickAsk) (n int) {
	for _, a := range asks {
		n += a.limit
	}
	return n
}

// behind are the asks without what the first n documents serve.
func behind(asks []pickAsk, n int) []pickAsk {
	for i, a := range asks {
		if n < a.limit {
			rest := slices.Clone(asks[i:])
			rest[0].limit -= n
			return rest
		}
		n -= a.limit
	}
	return nil
}

// pickMarked looks from the marks on, and once more in full when that came back short and the marks are not known to tell of
// everything.
func (e *Engine) pickMarked(ctx context.Context, s spot, asks []pickAsk) (docs []Leased, full bool, err error) {
	sc := e.marks.begin(s, false)
	docs, full, err = e.pickScan(ctx, s, sc, asks, "")
	if err == nil && !full && len(docs) < total(asks) && e.marks.incomplete(sc) {
		var more []Leased
		more, full, err = e.pickScan(ctx, s, e.marks.begin(s, true), behind(asks, len(docs)), "")
		docs = append(docs, more...)
		if len(docs) > 0 {
			err = nil
		}
	}
	return docs, full, err
}

// pickFor is pickMarked for several who ask at once; it returns what each gets. An answer stops at maxAnswer bytes: whoever got nothing
// of one that is full is served by the next, for to him the queue would seem empty. In a limited queue there are no marks: what its
// limits cut short says nothing about what is pending.
func (e *Engine) pickFor(ctx context.Context, s spot, asks []pickAsk, limited bool) (shares [][]Leased, err error) {
	for len(asks) > 0 {
		var docs []Leased
		var full bool
		if limited {
			docs, full, err = e.pickScan(ctx, s, nil, asks, "")
		} else {
			docs, full, err = e.pickMarked(ctx, s, asks)
		}
		if err != nil && len(shares) == 0 {
			return nil, err
		}
		got := share(docs, asks)
		served := len(got)
		for full && len(docs) > 0 && served > 0 && len(got[served-1]) == 0 {
			served--
		}
		shares, asks = append(shares, got[:served]...), asks[served:]
	}
	return shares, nil
}

// putBack gives back what was picked for a caller who has gone away meanwhile: nobody knows that it is held.
func (e *Engine) putBack(line string, _ []pickAsk, shares [][]Leased) {
	queue, _, _ := strings.Cut(line, " ")
	var subjects []string
	var leases []int64
	for _, docs := range shares {
		for _, d := range docs {
			subjects, leases = append(subjects, d.Subject), append(leases, d.Lease)
		}
	}
	if len(subjects) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), mergeTime)
	defer cancel()
	results, err := query(ctx, e, "put documents of "+queue+" back", scanResult, `select * from fetchq.doc_put_back($1, $2, $3)`, queue, subjects, leases)
	if err != nil {
		e.log.Warn("documents that were picked for a caller who went away come back when their leases run out", "queue", queue,
			"documents", len(subjects), "error", err)
	}
	e.noteResults(queue, results)
}

// pickScan is one call of the SQL function, with the marks of a scan if there is one. Documents come in the order in which the
// asks take them. full tells that they are as many bytes as one answer holds.
func (e *Engine) pickScan(ctx context.Context, s spot, sc *scan, asks []pickAsk, key string) (docs []Leased, full bool, err error) {
	partitions, priorities, dates, seqs := e.marks.columns(sc)
	w := e.sweeps.begin(sweepKey{s.queue, "due", s.version})
	limits, locks, workers := make([]int, len(asks)), make([]pgtype.Interval, len(asks)), make([]*string, len(asks))
	for i, a := range asks {
		limits[i], locks[i], workers[i] = a.limit, lockInterval(a.lock), optional(a.worker)
	}
	began := e.now()
	rows, err := query(ctx, e, "pick from "+s.queue, scanPicked, `
		select subject, payload, version, priority, attempts, iterations, created_at, last_iteration, lease, lease_expires_at,
			due_at, seq, size, partition, partitions, marked_priorities, marked_dates
		from fetchq.doc_pick_for($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, p_since => $11, p_by => $12)`,
		s.queue, s.version, limits, locks, workers, optional(key), partitions, priorities, dates, seqs, w.interval(), bysOf(asks, pickAsk.who))
	if err != nil {
		// What this call took may be pending again, below marks that other picks have raised since.
		e.marks.forget(s.queue)
		return nil, false, err
	}
	if n := len(rows) - 1; n >= 0 && rows[n].limits {
		e.limited(s, rows[n], began, n == 0)
		if rows = rows[:n]; sc != nil { // the limits are new
			e.marks.forget(s.queue)
		}
	}
	docs = make([]Leased, len(rows))
	last := make(map[leg]mark)
	parts, bytes := 0, 0
	for i, r := range rows {
		docs[i] = r.Leased
		parts = r.partitions
		bytes += r.size
		last[leg{r.partition, r.Priority}] = mark{r.due, r.seq}
		for j, priority := range r.markedPriorities {
			e.marks.lower(s, priority, r.markedDates[j])
		}
	}
	full = bytes >= maxAnswer
	if short := len(rows) < total(asks) && !full; short && sc != nil {
		e.sweeps.end(w, true, 0) // it took all that was due, so nothing that it marked is left
	}
	if sc != nil {
		e.marks.end(sc, last, parts, len(rows) < total(asks) && !full)
	}
	return docs, full, nil
}

// maxAnswer is where the SQL function stops: bytes of payloads in one answer.
const maxAnswer = 16 << 20

type pickedRow struct {
	Leased
	due              time.Time
	seq              int64
	size             int
	partition        int
	partitions       int
	markedPriorities []int
	markedDates      []time.Time

	limits bool          // no document, but the word of a queue whose limits cut the pick short
	more   time.Duration // with limits: in how long there may be more; 0: not known
}

func scanPicked(row pgx.CollectableRow) (r pickedRow, err error) {
	if row.RawValues()[0] == nil {
		return scanLimits(row)
	}
	var due pgtype.Timestamptz
	var partition, partitions *int
	err = row.Scan(&r.Subject, &r.Payload, &r.Version, &r.Priority, &r.Attempts, &r.Iterations, &r.CreatedAt, &r.LastIteration,
		&r.Lease, &r.ExpiresAt, &due, &r.seq, &r.size, &partition, &partitions, &r.markedPriorities, &r.markedDates)
	r.due, r.partition, r.partitions = due.Time, value(partition), value(partitions)
	return r, err
}

// scanLimits reads the last row of a pick from a queue with limits: created_at is the moment of the pick, and due_at that of the next.
func scanLimits(row pgx.CollectableRow) (r pickedRow, err error) {
	values, err := row.Values()
	if err != nil {
		return r, err
	}
	r.limits = true
	at, known := values[6].(time.Time)
	if next, given := values[10].(time.Time); known && given {
		r.more = max(next.Sub(at), time.Millisecond)
	}
	return r, nil
}

// slowLook is how long a look at a limited queue may take, without a document, until those that wait look less often.
const slowLook = 5 * time.Millisecond

// limited lets those who wait for a limited queue look again when it has more. After a look that took long and found nothing, what
// is pushed wakes nobody for four times as long: many keys were looked at, and all were at their limits.
func (e *Engine) limited(s spot, r pickedRow, began time.Time, empty bool) {
	if took := e.now().Sub(began); empty && took > slowLook {
		e.hub.rest(s, min(4*took, pollEvery/4))
	}
	if r.more > 0 {
		e.hub.wakeIn(s, r.more)
	}
}
