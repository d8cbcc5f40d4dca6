package bench

import (
	"context"
	"sync"
	"time"
)

// load is a workload that is ready to run.
type load struct {
	workers int
	turn    func(ctx context.Context, worker, turn int) (step, error)
	finish  func(ctx context.Context, worker int) (int, error) // what a worker still holds; nil: nothing
	rest    func(ctx context.Context, m *measured) error       // measured in another way, in place of turns
}

// step is what one turn of a worker did.
type step struct {
	documents int           // that it dealt with
	took      time.Duration // of what is measured; 0: the whole turn
	pushed    int           // documents that it pushed for others to deal with; its time is no call's
	over      bool          // nothing is left to do
}

// measured is what a workload did.
type measured struct {
	documents, pushed int64
	took              time.Duration
	times             times
	extra             extra
}

// extra is what only some workloads measure.
type extra struct {
	commits     *float64 // a second
	program     *float64 // shares of one core
	postgres    *float64
	connections *int     // of the server to the database
	kept        *float64 // of the rate that workers had before
	alone       float64  // that rate, documents a second
	cancel      *float64 // seconds that a cancel took
	lists       []ListTime
	lag         *float64 // seconds that the folded counters were behind, at most
}

// repeat makes turns from all workers until the time is up or nothing is left. The first error ends it for all.
func (r *run) repeat(ctx context.Context, l load) (measured, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		mu    sync.Mutex
		total measured
		all   sync.WaitGroup
	)
	began := r.Now()
	for worker := range l.workers {
		all.Go(func() {
			mine, err := r.work(ctx, l, worker, began)
			if err != nil {
				cancel(err)
			}
			mu.Lock()
			defer mu.Unlock()
			total.documents += mine.documents
			total.pushed += mine.pushed
			total.times.merge(&mine.times)
		})
	}
	all.Wait()
	total.took = r.Now().Sub(began)
	return total, context.Cause(ctx)
}

// work is one worker's share of a repeat.
func (r *run) work(ctx context.Context, l load, worker int, began time.Time) (mine measured, err error) {
	for turn := 0; ctx.Err() == nil; turn++ {
		at := r.Now()
		if at.Sub(began) >= r.o.Duration {
			break
		}
		did, err := l.turn(ctx, worker, turn)
		if err != nil {
			return mine, err
		}
		if did.over {
			break
		}
		if did.took == 0 {
			did.took = r.Now().Sub(at)
		}
		mine.documents += int64(did.documents)
		mine.pushed += int64(did.pushed)
		// The first call of a connection has to connect and to plan: where the time of a call is what counts, it does not.
		if did.pushed == 0 && (turn > 0 || !r.latency) {
			mine.times.add(did.took)
		}
	}
	if l.finish != nil && ctx.Err() == nil {
		n, err := l.finish(ctx, worker)
		mine.documents += int64(n)
		return mine, err
	}
	return mine, nil
}
