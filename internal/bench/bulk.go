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
	var id string
	if err := r.Bench.db.QueryRow(ctx, `select id from fetchq.operation_add($1, 'retry', '{"status": "killed"}')`, r.queue).Scan(&id); err != nil {
		return fmt.Errorf("ask for the operation: %w", err)
	}
	began := r.Now()
	var over, starved atomic.Bool
	watched := make(chan error, 1)
	go func() {
		defer over.Store(true)
		for {
			var state string
			var ended bool
			err := r.Bench.db.QueryRow(ctx, `select state, finished_at is not null, done from fetchq.operations where id = $1`, id).
				Scan(&state, &ended, &m.documents)
			if err == nil && ended && state != "done" {
				err = fmt.Errorf("the operation is %s", state)
			}
			if err == nil && !ended {
				err = r.sleep(ctx, 20*time.Millisecond)
			}
			if ended || err != nil {
				m.took = r.Now().Sub(began)
				watched <- err
				return
			}
		}
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
	if rate := float64(alone.documents) / alone.took.Seconds(); rate > 0 && !starved.Load() {
		kept := float64(beside.documents) / beside.took.Seconds() / rate
		m.extra.kept = &kept
	}
	return err
}
