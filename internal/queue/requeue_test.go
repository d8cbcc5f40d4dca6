package queue_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
)

// TestWhatIsHeldGoesOnWithWhatWasPushedMeanwhile ends a lease in every way, behind a push that asked for a requeue.
func TestWhatIsHeldGoesOnWithWhatWasPushedMeanwhile(t *testing.T) {
	t.Parallel()
	no := false
	later := time.Now().Add(time.Hour).Truncate(time.Microsecond)
	for name, c := range map[string]struct {
		ends     queue.Resolution
		admin    bool
		status   queue.Status
		payload  string
		attempts int
	}{
		"complete":         {queue.Resolution{Action: "complete", Payload: []byte(`{"n": 0}`)}, false, queue.Planned, `{"n": 2}`, 0},
		"reschedule":       {queue.Resolution{Action: "reschedule", Next: wire.Date{Delay: &wire.Interval{}}}, false, queue.Planned, `{"n": 2}`, 0},
		"reject":           {queue.Resolution{Action: "reject", Message: "boom"}, false, queue.Planned, `{"n": 2}`, 1},
		"last try":         {queue.Resolution{Action: "reject", Retry: &no}, false, queue.Planned, `{"n": 2}`, 0},
		"kill":             {queue.Resolution{Action: "kill"}, false, queue.Planned, `{"n": 2}`, 0},
		"drop":             {queue.Resolution{Action: "drop"}, false, queue.Planned, `{"n": 2}`, 0},
		"forward":          {queue.Resolution{Action: "forward", ToQueue: "b", Then: "drop"}, false, queue.Planned, `{"n": 2}`, 0},
		"release":          {queue.Resolution{Action: "release"}, true, queue.Planned, `{"n": 2}`, 0},
		"edited":           {queue.Resolution{Action: "edit", Payload: []byte(`{"n": 3}`)}, true, queue.Active, `{"n": 3}`, 1},
		"admin's complete": {queue.Resolution{Action: "complete"}, true, queue.Completed, `{"n": 2}`, 0},
		"admin's kill":     {queue.Resolution{Action: "kill"}, true, queue.Killed, `{"n": 2}`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, e := engine(t)
			put(t, e, "b", `{}`)
			push(t, e, queue.Push{Subject: "x", Payload: []byte(`{"n": 1}`)})
			held := pick(t, e, queue.PickParams{})[0]
			pushes, err := e.Push(ctx, "a", []queue.Push{{Subject: "x", Payload: []byte(`{"n": 2}`), Next: wire.Date{At: later}}}, queue.Requeue)
			if err != nil || pushes[0].Outcome != "requeued" {
				t.Fatalf("the push says %+v, %v", pushes, err)
			}
			stored, err := e.Doc(ctx, "a", "x")
			if err != nil || stored.Requeue == nil || string(stored.Requeue.Payload) != `{"n": 2}` || !stored.Requeue.Next.Equal(later) || string(stored.Payload) != `{"n": 1}` {
				t.Errorf("while it is held: %+v, %v", stored, err)
			}
			c.ends.Subject = "x"
			call := e.Act
			if !c.admin {
				c.ends.Lease, call = held.Lease, e.Resolve
			}
			for _, want := range []string{"ok", "already"} {
				results, err := call(ctx, "a", []queue.Resolution{c.ends})
				if err != nil || results[0].Outcome != want {
					t.Errorf("it says %+v, %v; %s is wanted", results, err, want)
				}
				if c.admin {
					break
				}
			}
			stored, err = e.Doc(ctx, "a", "x")
			if err != nil || stored.Status != c.status || string(stored.Payload) != c.payload || stored.Attempts != c.attempts {
				t.Errorf("it goes on as %s with %s after %d attempts, %v", stored.Status, stored.Payload, stored.Attempts, err)
			}
			if (stored.Requeue != nil) != (c.status == queue.Active) {
				t.Errorf("it is to be requeued again: %+v", stored.Requeue)
			}
			if c.status == queue.Planned && !stored.Next.Equal(later) {
				t.Errorf("it goes on at %s; %s is wanted", stored.Next, later)
			}
			checks, err := e.Doctor(ctx)
			for _, check := range checks {
				if !check.OK() {
					t.Errorf("the counters are wrong: %+v", check)
				}
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestALostLeaseGoesOnWithWhatWasPushedMeanwhile(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	for _, attempts := range []int{1, 5} {
		exec(t, db, `select fetchq.queue_put('a', jsonb_build_object('max_attempts', $1::int)), fetchq.queue_truncate('a', true)`, attempts)
		exec(t, db, `select fetchq.doc_push('a', 'x')`)
		exec(t, db, `select fetchq.doc_pick('a', 0, 1, '1 second')`)
		exec(t, db, `select fetchq.doc_push_many('a', array['x'], array['{"n": 2}'::jsonb], array[3], array[7], null, array[interval '1 minute'], 'requeue')`)
		exec(t, db, `select fetchq.mnt_orphans('a', p_now => clock_timestamp() + interval '10 seconds')`)
		got := one[string](t, db, `select concat_ws(' ', status, attempts, version, priority, payload, requeue is null) from q_a.docs`)
		if want := fmt.Sprintf(`0 %d 3 7 {"n": 2} t`, map[int]int{1: 0, 5: 1}[attempts]); got != want {
			t.Errorf("of %d attempts it goes on as %s; %s is wanted", attempts, got, want)
		}
		if errors := one[int](t, db, `select count(*) from q_a.logs where kind = 1`); errors != 1 {
			t.Errorf("%d errors are logged", errors)
		}
	}
}

// TestAWishIsThereOrNotThereAsItsTransactionIs rolls back the push, and then the completion.
func TestAWishIsThereOrNotThereAsItsTransactionIs(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	exec(t, db, `select fetchq.queue_create('a'), fetchq.doc_push('a', 'x')`)
	exec(t, db, `select fetchq.doc_pick('a')`)
	const wish = `select count(requeue) from q_a.docs`
	for _, commits := range []bool{false, true} {
		tx := begin(t, db, `select fetchq.doc_push_many('a', array['x'], array['{"n": 2}'::jsonb], p_on_conflict => 'requeue')`)
		end := tx.Rollback
		if commits {
			end = tx.Commit
		}
		if err := end(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := one[int](t, db, wish); (n == 1) != commits {
			t.Errorf("committed %v: %d wishes are there", commits, n)
		}
	}
	tx := begin(t, db, `select fetchq.doc_resolve_many('a', array['x'], array[lease], array['complete']) from q_a.docs`)
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := one[int](t, db, wish); n != 1 {
		t.Error("a completion that was rolled back took the wish along")
	}
}

// TestAPlainBatchLeavesRequeuesToACloserLook completes many documents in one call, of which some were pushed again.
func TestAPlainBatchLeavesRequeuesToACloserLook(t *testing.T) {
	t.Parallel()
	ctx, e := engine(t)
	for _, settings := range []string{`{}`, `{"partitions": 4}`} {
		if err := e.Drop(ctx, "a"); err != nil {
			t.Fatal(err)
		}
		put(t, e, "a", settings)
		docs := make([]queue.Push, 20)
		for i := range docs {
			docs[i].Subject = fmt.Sprint("d", i)
		}
		push(t, e, docs...)
		var items []queue.Resolution
		for _, d := range pick(t, e, queue.PickParams{Limit: 20}) {
			items = append(items, queue.Resolution{Subject: d.Subject, Lease: d.Lease, Action: "complete"})
		}
		items[3].Lease++
		if _, err := e.Push(ctx, "a", docs[5:10], queue.Requeue); err != nil {
			t.Fatal(err)
		}
		results, err := e.Resolve(ctx, "a", items)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range results {
			want := "ok"
			if i == 3 {
				want = "stale"
			}
			if r.Outcome != want || r.Subject != items[i].Subject {
				t.Errorf("%d: %+v; %s of %s is wanted", i, r, want, items[i].Subject)
			}
		}
		stale := 1
		q, err := e.Get(ctx, "a")
		want := queue.Counts{Completed: int64(15 - stale), Active: int64(stale), Pending: 5}
		for _, d := range docs[5:10] {
			if d.Subject == items[3].Subject { // its wish waits
				want.Pending--
				want.Completed++
			}
		}
		if diff := cmp.Diff(want, q.Counts); diff != "" || err != nil {
			t.Errorf("%s: %s, %v", settings, diff, err)
		}
	}
}

// TestNoPushIsLostThatAsksForARequeue has pushers that push numbers, each to a subject of its own, and workers that complete, reject,
// come too late or give up. In the end each last number was worked on.
func TestNoPushIsLostThatAsksForARequeue(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	nodes := [2]*queue.Engine{start(t, url, "node-1"), start(t, url, "node-2")}
	put(t, nodes[0], "a", `{"backoff":{"kind":"none"},"max_attempts":1000000}`)
	const subjectsOf, pushesOf = 12, 60
	var done [subjectsOf]atomic.Int64 // the last number that was completed
	var pushing sync.WaitGroup
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	all, ctx := errgroup.WithContext(ctx)
	outcomes := [2]atomic.Int64{}
	pushing.Add(subjectsOf)
	for i := range subjectsOf {
		all.Go(func() error {
			defer pushing.Done()
			r := rand.New(rand.NewPCG(5, uint64(i))) //nolint:gosec // a test
			for n := 1; n <= pushesOf; n++ {
				payload := fmt.Appendf(nil, `{"subject":%d,"n":%d}`, i, n)
				results, err := nodes[n%2].Push(ctx, "a", []queue.Push{{Subject: fmt.Sprint("s", i), Payload: payload}}, queue.Requeue)
				if err != nil {
					return err
				}
				switch results[0].Outcome {
				case "requeued":
					outcomes[0].Add(1)
				case "created", "updated":
					outcomes[1].Add(1)
				default:
					return fmt.Errorf("a push is %s", results[0].Outcome)
				}
				time.Sleep(time.Duration(r.IntN(8)) * time.Millisecond)
			}
			return nil
		})
	}
	over := make(chan struct{})
	go func() { pushing.Wait(); close(over) }()
	finished := func() bool {
		select {
		case <-over:
		default:
			return false
		}
		for i := range done {
			if done[i].Load() < pushesOf {
				return false
			}
		}
		return true
	}
	for w := range 10 {
		all.Go(func() error {
			r := rand.New(rand.NewPCG(6, uint64(w))) //nolint:gosec // a test
			for !finished() && ctx.Err() == nil {
				if err := requeueTurn(ctx, nodes[w%2], r, done[:]); err != nil {
					return err
				}
			}
			return ctx.Err()
		})
	}
	all.Go(func() error {
		for !finished() && ctx.Err() == nil {
			if _, err := nodes[0].Orphans(ctx, "a"); err != nil {
				return err
			}
			time.Sleep(100 * time.Millisecond)
		}
		return nil
	})
	if err := all.Wait(); err != nil {
		for i := range done {
			t.Logf("of s%d the last number is %d", i, done[i].Load())
		}
		t.Fatal(err)
	}
	t.Logf("%d pushes met a document that was held, %d did not", outcomes[0].Load(), outcomes[1].Load())
	if outcomes[0].Load() == 0 {
		t.Error("no push met a document that was held")
	}
	if checks, err := nodes[0].Doctor(t.Context()); err != nil || len(checks) != 1 || !checks[0].OK() {
		t.Errorf("%+v, %v", checks, err)
	}
}

// requeueTurn is one pick of a worker and what he makes of it.
func requeueTurn(ctx context.Context, e *queue.Engine, r *rand.Rand, done []atomic.Int64) error {
	picked, err := e.Pick(ctx, "a", queue.PickParams{Limit: 3, Lock: time.Second, Wait: 200 * time.Millisecond})
	if err != nil {
		return err
	}
	var items []queue.Resolution
	var payloads [][2]int
	for _, d := range picked.Documents {
		var p struct{ Subject, N int }
		if err := json.Unmarshal(d.Payload, &p); err != nil {
			return err
		}
		item := queue.Resolution{Subject: d.Subject, Lease: d.Lease, Action: "complete"}
		switch r.IntN(12) {
		case 0:
			item.Action = "reject"
		case 1:
			continue // given up: the lease runs out
		case 2:
			item.Action = "drop"
		}
		items, payloads = append(items, item), append(payloads, [2]int{p.Subject, p.N})
	}
	time.Sleep(time.Duration(r.IntN(6)) * time.Millisecond)
	results, err := e.Resolve(ctx, "a", items)
	if err != nil {
		return err
	}
	for i, res := range results {
		if res.Outcome == "ok" && items[i].Action != "reject" {
			n := &done[payloads[i][0]]
			n.Store(max(n.Load(), int64(payloads[i][1])))
		}
	}
	return nil
}
