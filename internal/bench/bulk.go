package bench

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// bulk lays up documents that are killed beside the backlog, lets workers drain for a while, and then has the killed ones retried by an
// operation while the workers go on. The documents of its result are those that were retried; its times are the turns of the drain meanwhile.
func bulk(ctx context.Context, r *run) (load, error) {
	if err := r.prepare(ctx); err != nil {
		return load{}, err
	}
	for at := r.o.Backlog; at < r.o.Backlog+r.o.Planned && ctx.Err() == nil; at += fillBatch {
		last, killed := min(at+fillBatch, r.o.Backlog+r.o.Planned)-1, 0
		err := r.Bench.db.QueryRow(ctx, `select count(*) from fetchq.doc_act_many($1,
				array(select 'https://bench.example/' || lpad(g::text, 9, '0') from generate_series($2::int, $3::int) g),
				array_fill('kill'::text, array[$3 - $2 + 1])) where outcome = 'ok'`, r.queue, at, last).Scan(&killed)
		if err == nil && killed != last-at+1 {
			err = fmt.Errorf("%d of %d documents were killed", killed, last-at+1)
		}
		if err != nil {
			return load{}, err
		}
	}
	return load{rest: r.retried}, r.tidy(ctx)
}

// retried measures the drain alone, and then beside the operation until that is over.
func (r *run) retried(ctx context.Context, m *measured) error {
	drain := r.drainBy()
	turn := func(ctx context.Context, _, _ int) (step, error) { return drain(ctx, r.o.Batch) }
	alone, err := r.repeat(ctx, load{workers: r.o.Connections, turn: turn})
	if err != nil {
		return err
	}
	began := r.Now()
	id, err := r.operation(ctx, "retry", `{"status": "killed"}`, nil)
	if err != nil {
		return err
	}
	var over, starved atomic.Bool
	watched := make(chan error, 1)
	go func() {
		defer over.Store(true)
		state, done, err := r.until(ctx, id, func(int64) bool { return false })
		m.took, m.documents = r.Now().Sub(began), done
		if err == nil && state != "done" {
			err = fmt.Errorf("the operation is %s", state)
		}
		if err == nil {
			m.extra.cancel, err = r.canceled(ctx)
		}
		watched <- err
	}()
	duration := r.o.Duration
	r.o.Duration = maxDuration
	beside, err := r.repeat(ctx, load{workers: r.o.Connections, turn: func(ctx context.Context, worker, turns int) (step, error) {
		if over.Load() {
			return step{over: true}, nil
		}
		did, err := turn(ctx, worker, turns)
		if did.over {
			starved.Store(true)
			did.over = false // what is retried is on its way
		}
		return did, err
	}})
	r.o.Duration = duration
	if failed := <-watched; err == nil {
		err = failed
	}
	m.pushed, m.times = beside.documents, beside.times
	m.extra.alone = float64(alone.documents) / alone.took.Seconds()
	if m.extra.alone > 0 && !starved.Load() {
		kept := float64(beside.documents) / beside.took.Seconds() / m.extra.alone
		m.extra.kept = &kept
	}
	return err
}

// operation asks for an operation of the queue and returns its id.
func (r *run) operation(ctx context.Context, action, filter string, priority *int) (id string, err error) {
	err = r.Bench.db.QueryRow(ctx, `select id from fetchq.operation_add($1, $2, $3, p_priority => $4)`, r.queue, action, filter, priority).Scan(&id)
	if err != nil {
		return "", fmt.Errorf("ask for the operation: %w", err)
	}
	return id, nil
}

// until looks at an operation every 20 ms until it is over, or has done enough.
func (r *run) until(ctx context.Context, id string, enough func(done int64) bool) (state string, done int64, err error) {
	for {
		var ended bool
		err := r.Bench.db.QueryRow(ctx, `select state, finished_at is not null, done from fetchq.operations where id = $1`, id).Scan(&state, &ended, &done)
		if err != nil || ended || enough(done) {
			return state, done, err
		}
		if err := r.sleep(ctx, 20*time.Millisecond); err != nil {
			return state, done, err
		}
	}
}

// canceled begins an operation on all documents, cancels it when it is in the middle, and returns how many seconds that took; nil where it
// was over before.
func (r *run) canceled(ctx context.Context) (*float64, error) {
	one := 1
	id, err := r.operation(ctx, "set_priority", `{}`, &one)
	if err != nil {
		return nil, err
	}
	if _, _, err = r.until(ctx, id, func(done int64) bool { return done > 0 }); err != nil {
		return nil, err
	}
	began := r.Now()
	var state string
	if err := r.Bench.db.QueryRow(ctx, `select state from fetchq.operation_cancel($1)`, id).Scan(&state); err != nil {
		return nil, fmt.Errorf("cancel the operation: %w", err)
	}
	if state != "canceled" {
		return nil, nil //nolint:nilnil // it was too quick
	}
	took := r.Now().Sub(began).Seconds()
	return &took, nil
}
