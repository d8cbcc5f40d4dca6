package queue

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
)

// Quiet tells since when a worker is asked to go quiet, and by whom.
type Quiet struct {
	Since time.Time
	By    string // token:name, user:address, or role:name where it was done by SQL
}

// quiets are the workers that are asked to go quiet, as far as this node knows: it is told at once, and reads with the state of a queue,
// once a second at most, how often they changed.
type quiets struct {
	mu      sync.Mutex
	names   map[string]struct{}
	changes int64         // that names are of
	changed chan struct{} // closed when names changed
}

func newQuiets() *quiets { return &quiets{changed: make(chan struct{})} }

// has says whether a worker is asked to go quiet, and returns what is closed when that may have changed.
func (q *quiets) has(worker string) (bool, <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	_, quiet := q.names[worker]
	return quiet, q.changed
}

// old says whether what is known is older than a number of changes.
func (q *quiets) old(changes int64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return changes > q.changes
}

// set takes in what was read.
func (q *quiets) set(names []string, changes int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if changes <= q.changes {
		return // somebody read later
	}
	q.names, q.changes = make(map[string]struct{}, len(names)), changes
	for _, name := range names {
		q.names[name] = struct{}{}
	}
	close(q.changed)
	q.changed = make(chan struct{})
}

// readQuiets reads who is asked to go quiet, and lets those who wait know.
func (e *Engine) readQuiets(ctx context.Context) error {
	type state struct {
		names   []string
		changes int64
	}
	// One statement has one snapshot: the number is that of these names.
	s, err := queryRow(ctx, e, "read which workers are quiet", func(row pgx.CollectableRow) (s state, err error) {
		err = row.Scan(&s.changes, &s.names)
		return s, err
	}, `select changes, array(select worker from fetchq.quiets) from fetchq.quiet_state`)
	if err == nil {
		e.quiets.set(s.names, s.changes)
	}
	return err
}

// heardQuiet is told by SQL that workers were asked to go quiet, or were woken.
func (e *Engine) heardQuiet() {
	ctx, cancel := context.WithTimeout(context.Background(), quietWait)
	defer cancel()
	if err := e.readQuiets(ctx); err != nil {
		e.log.Warn("which workers are quiet was not read; it is with the next pick", "error", err)
	}
}

const quietWait = 5 * time.Second // to read the names

// isQuiet says whether a worker is asked to go quiet.
func (e *Engine) isQuiet(worker string) bool {
	quiet, _ := e.quiets.has(worker)
	return quiet
}

// pickQuiet answers a worker that is asked to go quiet: with nothing but what the same key has leased to it before. It waits as a pick
// from a paused queue does, and returns false when the worker is woken meanwhile, before deadline.
func (e *Engine) pickQuiet(ctx context.Context, s spot, p PickParams, deadline <-chan time.Time) (picked Picked, stays bool, err error) {
	picked.Quiet = true
	look := time.NewTicker(pollEvery)
	defer look.Stop()
	for first := true; ; first = false {
		state, err := e.state(ctx, s.queue) // with which the names are read
		if err != nil {
			return Picked{}, true, err
		}
		quiet, changed := e.quiets.has(p.Worker)
		if !quiet {
			return Picked{}, false, nil
		}
		picked.Pause = pauseOf(state.pauses, s.version)
		if first && p.IdempotencyKey != "" {
			picked.Documents, err = e.pickAgain(ctx, s, p.IdempotencyKey)
			if err != nil || len(picked.Documents) > 0 {
				return picked, true, err
			}
		}
		if deadline == nil {
			return picked, true, nil
		}
		select {
		case <-changed:
		case <-look.C:
		case <-deadline:
			return picked, true, nil
		case <-e.stopped:
			return picked, true, nil
		case <-ctx.Done():
			return Picked{}, true, database.Error("wait for documents of "+s.queue, ctx.Err())
		}
	}
}

// pickAgain returns what a key has leased, as far as these leases live.
func (e *Engine) pickAgain(ctx context.Context, s spot, key string) ([]Leased, error) {
	rows, err := query(ctx, e, "pick from "+s.queue, scanPicked, `select * from fetchq.pick_again($1, $2, clock_timestamp())`, s.queue, key)
	docs := make([]Leased, len(rows))
	for i, r := range rows {
		docs[i] = r.Leased
	}
	return docs, err
}

// Quiet asks a worker to go quiet: no queue hands it anything more, and picks and extensions tell it so, those that wait at once. What
// it holds it may finish. Asked twice, the first counts. A worker that was not seen for a day is forgotten with what it was asked.
// Errors: NotFound (no worker of this name was seen for a day, or holds a document), Invalid (the name's length, 10,000 are quiet).
func (e *Engine) Quiet(ctx context.Context, worker string) (Quiet, error) {
	if err := checkWorker(worker); err != nil {
		return Quiet{}, err
	}
	known, err := e.knowsWorker(ctx, worker)
	if err == nil && !known {
		err = &errs.Error{Code: errs.NotFound, Field: "worker", Message: "no worker of this name was seen in the last day"}
	}
	if err != nil {
		return Quiet{}, err
	}
	q, err := queryRow(ctx, e, "ask a worker to go quiet", func(row pgx.CollectableRow) (q Quiet, err error) {
		err = row.Scan(&q.Since, &q.By)
		return q, err
	}, `select since, by from fetchq.worker_quiet($1, $2)`, worker, optional(byOf(ctx)))
	if err != nil {
		return q, err
	}
	return q, e.readQuiets(ctx)
}

// Wake ends what Quiet asked, and says whether the worker was quiet. Errors: Invalid (the name's length).
func (e *Engine) Wake(ctx context.Context, worker string) (bool, error) {
	if err := checkWorker(worker); err != nil {
		return false, err
	}
	was, err := queryRow(ctx, e, "wake a worker", pgx.RowTo[bool], `select fetchq.worker_wake($1)`, worker)
	if err != nil {
		return false, err
	}
	return was, e.readQuiets(ctx)
}

func checkWorker(name string) error {
	if name == "" || len(name) > MaxWorker {
		return errs.Field("worker", "a worker's name has 1 to %d bytes", MaxWorker)
	}
	return nil
}
