package bench

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fetchq/server/internal/errs"
)

// due lays up planned documents of one date, waits for it, and measures how fast they are marked while workers drain the
// backlog. The documents of its result are those that were marked; its times are the turns of the drain.
func due(ctx context.Context, r *run) (load, error) {
	began := r.Now()
	if err := r.fill(ctx, 0, r.o.Backlog, dueDates); err != nil {
		return load{}, err
	}
	rate := 20_000.0
	if r.o.Backlog > 0 {
		rate = min(rate, float64(r.o.Backlog)/r.Now().Sub(began).Seconds())
	}
	lead := 3 + 1.5*float64(r.o.Planned)/rate
	var moment string
	if err := r.Bench.db.QueryRow(ctx, `select (now() + $1 * interval '1 second')::text`, lead).Scan(&moment); err != nil {
		return load{}, fmt.Errorf("choose the moment: %w", err)
	}
	r.Say(fmt.Sprintf("laying up %d documents that become due in %.0f s", r.o.Planned, lead))
	if err := r.fill(ctx, r.o.Backlog, r.o.Backlog+r.o.Planned, `timestamptz '`+moment+`'`); err != nil {
		return load{}, err
	}
	if err := r.tidy(ctx); err != nil {
		return load{}, err
	}
	var left float64
	if err := r.Bench.db.QueryRow(ctx, `select extract(epoch from $1::text::timestamptz - clock_timestamp())`, moment).Scan(&left); err != nil {
		return load{}, fmt.Errorf("read the clock: %w", err)
	}
	if left < 0 {
		return load{}, errs.New(errs.Invalid, "laying up the documents took %.0f s longer than their date allowed; try again with a smaller --planned", -left)
	}
	return load{rest: r.marked}, r.sleep(ctx, time.Duration(left*float64(time.Second)))
}

// marked drains until all planned documents are marked or the time is up.
func (r *run) marked(ctx context.Context, m *measured) error {
	drain := r.drainBy()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var group errgroup.Group
	began := r.Now()
	limit, done := r.o.Duration, make(chan struct{})
	left := r.o.Planned
	group.Go(func() (err error) {
		defer close(done)
		for left > 0 && r.Now().Sub(began) < limit && err == nil {
			if err = r.sleep(ctx, 50*time.Millisecond); err == nil {
				err = r.Bench.db.QueryRow(ctx, `select fetchq.metric_get($1, 'docs_planned')`, r.queue).Scan(&left)
			}
		}
		m.took = r.Now().Sub(began)
		return err
	})
	drained, err := r.repeat(ctx, load{workers: r.o.Connections, turn: func(ctx context.Context, _, _ int) (step, error) {
		select {
		case <-done:
			return step{over: true}, nil
		default:
			return drain(ctx, r.o.Batch)
		}
	}})
	if err != nil {
		cancel()
	}
	if failed := group.Wait(); failed != nil && err == nil {
		err = failed
	}
	m.documents, m.pushed, m.times = int64(r.o.Planned-left), drained.documents, drained.times
	return err
}
