package maintenance

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/queue"
)

// block keeps the jobs of one kind of some queues from ending.
type block struct {
	began   chan string   // the queue of each job as it begins
	release chan struct{} // closed: they end
	once    sync.Once
}

func newBlock(l *Loop, name string, queues ...string) *block {
	b := &block{began: make(chan string, 100), release: make(chan struct{})}
	held := map[string]bool{}
	for _, q := range queues {
		held[q] = true
	}
	kinds := map[string]kind{}
	for n, k := range l.kinds {
		kinds[n] = k
	}
	k := kinds[name]
	run := k.run
	k.run = func(ctx context.Context, e *queue.Engine, q string) (queue.Upkeep, error) {
		if !held[q] {
			return run(ctx, e, q)
		}
		b.began <- q
		select {
		case <-b.release:
			return queue.Upkeep{}, nil
		case <-ctx.Done():
			return queue.Upkeep{}, ctx.Err()
		}
	}
	kinds[name] = k
	l.kinds = kinds
	return b
}

func (b *block) end() { b.once.Do(func() { close(b.release) }) }

// clock is a machine's clock that a test moves.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.at.Store(time.Now().UnixNano())
	return c
}

func (c *clock) now() time.Time        { return time.Unix(0, c.at.Load()) }
func (c *clock) move(by time.Duration) { c.at.Add(int64(by)) }

func start(t *testing.T, l *Loop) {
	t.Helper()
	if err := l.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Stop)
}

// TestASlowJobHoldsUpNothingElse blocks a job of one queue, and in turn its vacuum and those of others: every other job of
// every queue runs again and again meanwhile, also the vacuum of the queue whose fold is slow.
func TestASlowJobHoldsUpNothingElse(t *testing.T) {
	t.Parallel()
	for kind, queues := range map[string][]string{"fold": {"slow"}, vacuum: {"slow", "a", "b"}} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			db, e, l := node(t, dbtest.URL(t), "n1")
			for _, name := range []string{"slow", "a", "b"} {
				put(t, e, name, `{}`)
			}
			busy := newBlock(l, kind, queues...)
			defer busy.end()
			start(t, l)
			<-busy.began
			eventually(t, "all other jobs run three times", func() bool {
				// What is due already keeps its place in the line: those behind it would else never come to the front.
				if _, err := db.Exec(context.Background(), `update fetchq.jobs set next_run = clock_timestamp()
					where claimed_by is null and next_run > clock_timestamp()`); err != nil {
					t.Fatal(err)
				}
				return scan[int](t, db, `select min(runs) from fetchq.jobs where not (kind = $1 and queue = any ($2))`, kind, queues) >= 3
			})
			if n := len(busy.began); n > 0 {
				t.Errorf("%d more of the slow jobs began; they share a slot, or are claimed", n)
			}
			if n := scan[int](t, db, `select coalesce(sum(runs), 0) from fetchq.jobs where kind = $1 and queue = any ($2)`, kind, queues); n != 0 {
				t.Errorf("the slow jobs ended %d times", n)
			}
		})
	}
}

func TestWhenTheSlotsAreFullTheEndOfAJobLetsTheNextBegin(t *testing.T) {
	t.Parallel()
	db, e, l := node(t, dbtest.URL(t), "n1")
	var all []string
	for i := range quickSlots + 2 {
		all = append(all, fmt.Sprint("q", i))
		put(t, e, all[i], `{}`)
	}
	if _, err := db.Exec(t.Context(), `update fetchq.jobs set next_run = 'infinity' where kind <> 'fold'`); err != nil {
		t.Fatal(err)
	}
	busy := newBlock(l, "fold", all...)
	if n, err := l.runOnce(t.Context()); n != quickSlots || err != nil {
		t.Fatalf("%d jobs began, error %v; %d slots are there", n, err, quickSlots)
	}
	for range quickSlots {
		<-busy.began
	}
	if n, err := l.runOnce(t.Context()); n != 0 || err != nil {
		t.Errorf("%d jobs more began, error %v", n, err)
	}
	busy.end()
	select {
	case <-l.signal:
	case <-time.After(10 * time.Second):
		t.Fatal("the loop is not told")
	}
	l.jobs.Wait()
	if n := round(t, l); n != 2 {
		t.Errorf("%d jobs began afterwards; 2 were left", n)
	}
}

func TestStopInterruptsJobsAndGivesThemBack(t *testing.T) {
	t.Parallel()
	db, e, l := node(t, dbtest.URL(t), "n1")
	put(t, e, "a", `{}`)
	busy := newBlock(l, "fold", "a")
	start(t, l)
	t.Cleanup(busy.end)
	<-busy.began
	stopped := make(chan struct{})
	go func() { l.Stop(); close(stopped) }()
	select {
	case <-stopped:
	case <-time.After(10 * time.Second):
		t.Fatal("Stop waits for a job")
	}
	if n := scan[int](t, db, `select count(*) from fetchq.jobs where claimed_by is not null`); n != 0 {
		t.Errorf("%d jobs are claimed after Stop", n)
	}
}

// TestAJobWaitsForALockForFiveSecondsAtMost locks a queue as a long migration would: its jobs fail and are tried again.
func TestAJobWaitsForALockForFiveSecondsAtMost(t *testing.T) {
	t.Parallel()
	db, e, l := node(t, dbtest.URL(t), "n1")
	put(t, e, "a", `{}`)
	tx, err := db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	if _, err := tx.Exec(t.Context(), `lock table q_a.docs in access exclusive mode`); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	round(t, l)
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("the jobs took %s", took)
	}
	const failed = `select string_agg(kind, ' ' order by kind) from fetchq.jobs where last_outcome = 'failed' and last_error like '%lock timeout%'`
	if got := scan[string](t, db, failed); got != "expire fold mark_due orphans" {
		t.Errorf("%q gave up on the lock", got)
	}
}

func TestRetentionGoesOnAtOnceWhileABatchIsFull(t *testing.T) {
	t.Parallel()
	db, e, l := node(t, dbtest.URL(t), "n1")
	put(t, e, "a", `{"completed_retention":"1h","partitions":3}`)
	if _, err := db.Exec(t.Context(), `
		select count(*) from fetchq.doc_push_many('a', array(select i::text from generate_series(1, 10000) i));
		select count(*) from fetchq.doc_act_many('a', array(select i::text from generate_series(1, 10000) i), array_fill('complete'::text, array[10000]));
		update q_a.docs set last_iteration = last_iteration - interval '2 hours';
		update fetchq.jobs set next_run = 'infinity' where kind <> 'expire'`); err != nil {
		t.Fatal(err)
	}
	for run, left := range []int{5000, 0, 0} {
		round(t, l)
		if n := scan[int](t, db, `select count(*) from q_a.docs`); n != left {
			t.Errorf("after run %d there are %d documents; %d are wanted", run+1, n, left)
		}
		next := scan[float64](t, db, `select extract(epoch from next_run - clock_timestamp())::float8 from fetchq.jobs where kind = 'expire'`)
		if full := run < 2; full && next > 0 || !full && next < 4 {
			t.Errorf("after run %d the next is in %.1f s", run+1, next)
		}
	}
}
