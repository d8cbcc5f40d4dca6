package queue_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
)

const (
	raceWorkers = 50
	raceLock    = time.Second // the shortest lease there is, so that many run out
)

// TestNoTwoLeasesOfADocumentOverlap lets 50 workers on two nodes pick, extend, resolve, repeat, come too late and give up,
// while maintenance takes back what they lost. By the database's clock no two leases of a document may overlap, each
// document must be completed exactly once, and the counters must tell just what happened.
func TestNoTwoLeasesOfADocumentOverlap(t *testing.T) {
	for _, c := range []struct {
		partitions, documents int
		journal               string
	}{{1, 20_000, "errors"}, {1, 5_000, "all"}, {4, 5_000, "all"}} {
		t.Run(fmt.Sprintf("%d partitions, journal %s", c.partitions, c.journal), func(t *testing.T) {
			if testing.Short() {
				c.documents /= 5
			}
			r := newRace(t, c.partitions, c.documents, c.journal)
			r.run(t)
			r.checkLeases(t)
			r.checkCounters(t)
			if c.journal == "all" {
				r.checkJournal(t)
			}
		})
	}
}

// race is one race: its nodes, and what each worker saw.
type race struct {
	db        *pgxpool.Pool
	nodes     [2]*queue.Engine
	documents int
	completed atomic.Int64
	seen      [raceWorkers][]*hold
	rejected  atomic.Int64
	moved     atomic.Int64 // rescheduled
	extended  atomic.Int64
}

// hold is one lease by the database's clock. It lasts from its pick to its end, or until it was ended.
type hold struct {
	subject    string
	lease      int64
	from, till time.Time
	ended      time.Time // when its holder's call ended it; zero: it ran out
	action     string    // with which it ended
}

func newRace(t *testing.T, partitions, documents int, journal string) *race {
	t.Helper()
	url := dbtest.URL(t)
	r := &race{db: dbtest.Open(t, url), nodes: [2]*queue.Engine{start(t, url, "node-1"), start(t, url, "node-2")}, documents: documents}
	put(t, r.nodes[0], "a", fmt.Sprintf(`{"partitions":%d,"max_attempts":1000000,"backoff":{"kind":"none"},"journal":%q}`, partitions, journal))
	for first := 0; first < documents; first += queue.MaxBatch {
		docs := make([]queue.Push, queue.MaxBatch)
		for i := range docs {
			priority := (first + i) % 3
			docs[i] = queue.Push{Subject: fmt.Sprintf("document %d", first+i), Priority: &priority}
		}
		push(t, r.nodes[0], docs...)
	}
	return r
}

// run lets the workers work until every document is completed.
func (r *race) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	seed := rand.Uint64() //nolint:gosec // a test, which tells its seed
	t.Logf("seed %d", seed)
	workers, workCtx := errgroup.WithContext(ctx)
	for i := range raceWorkers {
		workers.Go(func() error {
			w := &racer{race: r, id: i, rand: rand.New(rand.NewPCG(seed, uint64(i)))} //nolint:gosec // as above
			return w.work(workCtx)
		})
	}
	upkeepCtx, stop := context.WithCancel(ctx)
	var upkeep errgroup.Group
	upkeep.Go(func() error { return r.maintain(upkeepCtx) })
	if err := workers.Wait(); err != nil {
		t.Errorf("after %d of %d documents: %v", r.completed.Load(), r.documents, err)
	}
	stop()
	if err := upkeep.Wait(); err != nil {
		t.Error(err)
	}
	if t.Failed() {
		t.FailNow()
	}
}

// maintain runs the jobs that the queue needs, on either node in turn.
func (r *race) maintain(ctx context.Context) error {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for i := 0; ; i++ {
		e := r.nodes[i%len(r.nodes)]
		for _, job := range []func(context.Context, string) (queue.Upkeep, error){e.Orphans, e.MarkDue, e.Fold} {
			if _, err := job(ctx, "a"); err != nil && ctx.Err() == nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// racer is one worker.
type racer struct {
	*race
	id   int
	rand *rand.Rand
	late []*hold // held past their end, to be resolved all the same
}

func (w *racer) work(ctx context.Context) error {
	e := w.nodes[w.id%2]
	ctx = queue.By(ctx, fmt.Sprint("token:worker ", w.id))
	for w.completed.Load() < int64(w.documents) {
		picked, err := e.Pick(ctx, "a", queue.PickParams{Limit: 1 + w.rand.IntN(20), Lock: raceLock, Wait: 100 * time.Millisecond,
			Worker: fmt.Sprint("worker ", w.id)})
		if err != nil {
			return err
		}
		var holds []*hold
		for _, d := range picked.Documents {
			holds = append(holds, &hold{subject: d.Subject, lease: d.Lease, from: d.ExpiresAt.Add(-raceLock), till: d.ExpiresAt})
		}
		w.seen[w.id] = append(w.seen[w.id], holds...)
		if err := w.settle(ctx, e, holds); err != nil {
			return err
		}
	}
	return nil
}

// settle decides what becomes of each document: most are completed.
func (w *racer) settle(ctx context.Context, e *queue.Engine, holds []*hold) error {
	var now, twice, extend []*hold
	for _, h := range holds {
		switch n := w.rand.IntN(100); {
		case n < 3: // given up
		case n < 6:
			w.late = append(w.late, h)
		case n < 10:
			twice = append(twice, h)
		case n < 20:
			extend = append(extend, h)
			now = append(now, h)
		default:
			now = append(now, h)
		}
	}
	for i := 0; i < len(w.late); i++ {
		if h := w.late[i]; time.Since(h.till) > 0 {
			now = append(now, h)
			w.late = append(w.late[:i], w.late[i+1:]...)
			i--
		}
	}
	if err := w.extend(ctx, e, extend); err != nil {
		return err
	}
	if err := w.resolve(ctx, e, now); err != nil {
		return err
	}
	return w.resolveTwice(ctx, twice)
}

func (w *racer) extend(ctx context.Context, e *queue.Engine, holds []*hold) error {
	leases := make([]queue.Lease, len(holds))
	for i, h := range holds {
		leases[i] = queue.Lease{Subject: h.subject, Lease: h.lease}
	}
	results, _, err := e.Extend(ctx, "a", leases, raceLock, "")
	if err != nil {
		return err
	}
	for i, r := range results {
		if r.Outcome == "ok" {
			w.extended.Add(1)
			holds[i].till = *r.ExpiresAt
		}
	}
	return nil
}

// plan makes one resolution for each hold. Every action has the moment of the call as the document's next date.
func (w *racer) plan(holds []*hold) []queue.Resolution {
	items := make([]queue.Resolution, len(holds))
	for i, h := range holds {
		items[i] = queue.Resolution{Subject: h.subject, Lease: h.lease, Action: "complete"}
		switch w.rand.IntN(20) {
		case 0:
			items[i].Action = "reject"
		case 1:
			items[i].Action, items[i].Next = "reschedule", wire.Date{Delay: &wire.Interval{}}
		}
	}
	return items
}

func (w *racer) resolve(ctx context.Context, e *queue.Engine, holds []*hold) error {
	items := w.plan(holds)
	results, err := e.Resolve(ctx, "a", items)
	if err != nil {
		return err
	}
	for i, r := range results {
		switch r.Outcome {
		case "ok":
			w.end(holds[i], items[i].Action, r.Next)
		case "stale":
		default:
			return fmt.Errorf("%s of %s answers %s", items[i].Action, r.Subject, r.Outcome)
		}
	}
	return nil
}

// resolveTwice makes the same call on both nodes at once: one of them may end the lease, and the other is told so.
func (w *racer) resolveTwice(ctx context.Context, holds []*hold) error {
	items := w.plan(holds)
	var results [2][]queue.Result
	both, ctx := errgroup.WithContext(ctx)
	for i, e := range w.nodes {
		both.Go(func() (err error) {
			results[i], err = e.Resolve(ctx, "a", items)
			return err
		})
	}
	if err := both.Wait(); err != nil {
		return err
	}
	for i, one := range results[0] {
		other := results[1][i]
		if one.Outcome != "ok" {
			one, other = other, one
		}
		switch [2]string{one.Outcome, other.Outcome} {
		case [2]string{"ok", "already"}, [2]string{"ok", "stale"}: // stale: somebody else held it by then
			w.end(holds[i], items[i].Action, one.Next)
		case [2]string{"stale", "stale"}:
		default:
			return fmt.Errorf("%s of %s twice answers %s and %s", items[i].Action, one.Subject, one.Outcome, other.Outcome)
		}
	}
	return nil
}

func (w *racer) end(h *hold, action string, at time.Time) {
	h.ended, h.action = at, action
	switch action {
	case "complete":
		w.completed.Add(1)
	case "reject":
		w.rejected.Add(1)
	default:
		w.moved.Add(1)
	}
}
