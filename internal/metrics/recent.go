package metrics

import (
	"context"
	"log/slog"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/fetchq/server/internal/errs"
)

// Sample is what the counters of one queue say at one moment. Pending, Active and Killed are how many documents stand there; the
// others have counted events since the queue was made.
type Sample struct {
	Queue                   string
	Created                 time.Time // of the queue, by the database's clock
	Pending, Active, Killed int64
	Entered                 int64
	Processed               int64 // completed, rescheduled, rejected, dropped and forwarded
	Rejected                int64 // of these
	Errors                  int64
}

func (s Sample) levels() levels {
	return levels{float64(s.Pending), float64(s.Active), float64(s.Killed)}
}

const (
	every    = 5 * time.Second  // between two samples
	jitter   = every / 10       // around it, so that many nodes do not ask at once for ever
	patience = 10 * time.Second // for one read
	longest  = time.Minute      // between two tries while reads fail
)

// Recent is the last 15 minutes of all queues. It holds 3 KB a queue, however much happens there, and forgets a queue that is
// gone after these 15 minutes. Its methods are safe for concurrent use.
type Recent struct {
	read func(context.Context) ([]Sample, error)
	past Past
	now  func() time.Time
	log  *slog.Logger

	began time.Time // the series count from here, by a clock that no correction moves

	mu     sync.RWMutex
	queues map[string]*series
	total  *series

	life    sync.Mutex
	stopped bool
	stop    context.CancelFunc
	running sync.WaitGroup
}

// Past reads the lines of the 15 minutes before a moment, of queues and of AllQueues.
type Past func(ctx context.Context, queues []string, to time.Time) (map[string]Trend, error)

// New returns a Recent that asks read for one sample of each queue, and past once for what was before it began; nil: nothing
// is known of that. now is this machine's clock.
func New(read func(context.Context) ([]Sample, error), past Past, now func() time.Time, log *slog.Logger) *Recent {
	return &Recent{read: read, past: past, now: now, log: log, began: now(), queues: map[string]*series{}, total: newSeries()}
}

// Start takes samples until Stop; a start after it does nothing.
func (r *Recent) Start(ctx context.Context) error {
	r.life.Lock()
	defer r.life.Unlock()
	if r.stopped || r.stop != nil {
		return nil
	}
	ctx, r.stop = context.WithCancel(context.WithoutCancel(ctx))
	r.running.Go(func() { r.loop(ctx) })
	return nil
}

// Stop ends what Start began, and a read that is under way. What is known stays. It may be called more than once, and
// without Start.
func (r *Recent) Stop() {
	r.life.Lock()
	r.stopped = true
	if r.stop != nil {
		r.stop()
	}
	r.life.Unlock()
	r.running.Wait()
}

// loop takes samples. A row of failures is logged when it begins and when it ends.
func (r *Recent) loop(ctx context.Context) {
	failures := 0
	for {
		err := r.runOnce(ctx)
		pause := every
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if failures == 0 {
				r.log.Error("the counters cannot be read; the pages have no rates until they can", "error", err)
			}
			failures++
			pause = min(every<<min(failures, 10), longest)
		case failures > 0:
			r.log.Info("the counters can be read again", "failures", failures)
			failures = 0
		}
		if err == nil && r.past != nil {
			r.remember(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause - jitter + rand.N(2*jitter)): //nolint:gosec // jitter
		}
	}
}

// runOnce takes one sample of each queue. A sample that is not later than the one before is left out.
func (r *Recent) runOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	samples, err := r.read(ctx)
	if err != nil {
		return err
	}
	now := r.now()
	at := now.Sub(r.began)
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.total.last
	if r.total.samples > 0 && at <= before {
		return nil
	}
	var all Sample
	var moved counts
	for _, s := range samples {
		q := r.queues[s.Queue]
		// A counter never goes down, and the read before saw each queue that was there: where either is not so, the queue
		// was dropped and made anew.
		if q == nil || q.last != before || s.Entered < q.seen.Entered || s.Processed < q.seen.Processed || s.Rejected < q.seen.Rejected || s.Errors < q.seen.Errors {
			q = newSeries()
			r.queues[s.Queue] = q
			// All that happened in a young queue which that read did not see has happened since. The two clocks may differ by a minute.
			if r.total.samples > 0 && now.Sub(s.Created) < at-before+time.Minute {
				q.take(before, Sample{})
			}
		}
		moved.add(q.take(at, s), 1)
		all.Pending, all.Active, all.Killed = all.Pending+s.Pending, all.Active+s.Active, all.Killed+s.Killed
	}
	for name, q := range r.queues {
		if at-q.last > Span {
			delete(r.queues, name)
		}
	}
	r.total.put(at, all.levels(), moved)
	return nil
}

// remember reads the past of all queues once. Without it the lines begin with the process, which is no reason to try again.
func (r *Recent) remember(ctx context.Context) {
	past := r.past
	r.past = nil
	r.mu.RLock()
	names := append(slices.Sorted(maps.Keys(r.queues)), AllQueues)
	r.mu.RUnlock()
	for some := range slices.Chunk(names, 50) {
		err := r.recall(ctx, past, some...)
		if errs.Of(err) == errs.NotFound { // one was dropped in this moment: the others were not
			for _, name := range some {
				err = r.recall(ctx, past, name)
				if errs.Of(err) != errs.NotFound && err != nil {
					break
				}
				err = nil
			}
		}
		if err != nil && ctx.Err() == nil {
			r.log.Warn("what was before the start cannot be read; lines of 15 minutes begin here", "error", err)
		}
		if err != nil {
			return
		}
	}
}

func (r *Recent) recall(ctx context.Context, past Past, names ...string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	lines, err := past(ctx, names, r.began)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, line := range lines {
		if name == AllQueues {
			r.total.remember(line)
		} else if q := r.queues[name]; q != nil {
			q.remember(line)
		}
	}
	return nil
}

// Of returns the trend of a queue; that of one that no read has seen is unknown.
func (r *Recent) Of(queue string) Trend {
	now := r.now().Sub(r.began)
	r.mu.RLock()
	defer r.mu.RUnlock()
	q := r.queues[queue]
	if q == nil {
		q = newSeries()
	}
	return q.trend(now, r.total.over())
}

// Total returns the trend of all queues together.
func (r *Recent) Total() Trend {
	now := r.now().Sub(r.began)
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.total.trend(now, 0)
}

// Sum returns the trend of some queues together. What is not known of one of them counts for nothing.
func (r *Recent) Sum(queues []string) Trend {
	sum := unknownTrend()
	for _, name := range queues {
		t := r.Of(name)
		sum.Known, sum.Over = sum.Known || t.Known, max(sum.Over, t.Over)
		sum.EnteredPerMin += t.EnteredPerMin
		sum.ProcessedPerMin += t.ProcessedPerMin
		sum.RejectedPerMin += t.RejectedPerMin
		sum.ErrorsPerMin += t.ErrorsPerMin
		for _, line := range [][2][]float64{
			{sum.Pending, t.Pending}, {sum.Active, t.Active}, {sum.Killed, t.Killed}, {sum.Processed, t.Processed}, {sum.Errors, t.Errors},
		} {
			for i, v := range line[1] {
				switch {
				case math.IsNaN(v):
				case math.IsNaN(line[0][i]):
					line[0][i] = v
				default:
					line[0][i] += v
				}
			}
		}
	}
	return sum
}
