package queue_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
)

// waiting is a pick that waits.
type waiting struct {
	picked queue.Picked
	err    error
}

func wait(ctx context.Context, e *queue.Engine, p queue.PickParams) <-chan waiting {
	came := make(chan waiting, 1)
	go func() {
		picked, err := e.Pick(ctx, "a", p)
		came <- waiting{picked, err}
	}()
	return came
}

// came returns what a pick that waits was answered.
func came(t *testing.T, c <-chan waiting) queue.Picked {
	t.Helper()
	select {
	case w := <-c:
		if w.err != nil {
			t.Fatal(w.err)
		}
		return w.picked
	case <-time.After(30 * time.Second):
		t.Fatal("the pick still waits")
		return queue.Picked{}
	}
}

// until asks for a condition until it holds.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for: %s", what)
		}
	}
}

// listening waits until so many nodes hear each other.
func listening(t *testing.T, url string, nodes int) {
	t.Helper()
	db := dbtest.Open(t, url)
	until(t, "nodes that listen", func() bool {
		var n int
		err := db.QueryRow(t.Context(), `select count(*) from pg_stat_activity
			where datname = current_database() and application_name = 'fetchq listen' and state = 'idle' and query = 'listen fetchq'`).Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		return n == nodes
	})
}

func TestAWorkerThatIsAskedToGoQuietIsToldAtOnceOnEveryNode(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	// The clock of the second stands: what it knows of the queue is never old, so that it learns only what it is told.
	began := time.Now()
	one, two := start(t, url, "one"), nodeOf(t, url, "two", func() time.Time { return began })
	if err := two.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	listening(t, url, 2)
	put(t, one, "a", `{}`)
	ctx := queue.By(t.Context(), "user:ann@example.com")
	first := wait(ctx, two, queue.PickParams{Worker: "w", Wait: time.Minute})
	other := wait(ctx, two, queue.PickParams{Worker: "other", Wait: time.Minute})
	until(t, "two picks in line", func() bool { return two.Waiting() == 2 })

	written(t, two)
	q, err := one.Quiet(ctx, "w")
	if err != nil || q.By != "user:ann@example.com" || q.Since.IsZero() {
		t.Fatalf("quiet: %+v, %v", q, err)
	}
	if picked := came(t, first); !picked.Quiet || picked.Pause != nil || len(picked.Documents) > 0 {
		t.Errorf("the pick that waited says %+v", picked)
	}
	if again, err := one.Quiet(t.Context(), "w"); err != nil || again != q {
		t.Errorf("asked twice: %+v, %v", again, err)
	}
	// It is handed nothing, on neither node, and the other is. The first may not have heard yet that the second waits: that one pushes.
	push(t, two, queue.Push{Subject: "x"})
	if picked := came(t, other); picked.Quiet || len(picked.Documents) != 1 {
		t.Errorf("who is not asked gets %+v", picked)
	}
	push(t, two, queue.Push{Subject: "y"})
	for _, e := range []*queue.Engine{one, two} {
		if picked, err := e.Pick(ctx, "a", queue.PickParams{Worker: "w"}); err != nil || !picked.Quiet || len(picked.Documents) > 0 {
			t.Errorf("a pick without wait says %+v, %v", picked, err)
		}
		_, by := workers(t, e)
		if w := by["w"]; w.State != queue.WorkerQuiet || w.Quiet == nil || *w.Quiet != q {
			t.Errorf("it is listed as %s, %+v", w.State, w.Quiet)
		}
	}
	// One that waits though it is quiet goes on when it is woken.
	first = wait(ctx, two, queue.PickParams{Worker: "w", Wait: time.Minute})
	if was, err := one.Wake(ctx, "w"); err != nil || !was {
		t.Errorf("wake: %v, %v", was, err)
	}
	if picked := came(t, first); picked.Quiet || len(picked.Documents) != 1 {
		t.Errorf("woken, it gets %+v", picked)
	}
	if was, err := one.Wake(ctx, "w"); err != nil || was {
		t.Errorf("woken again: %v, %v", was, err)
	}
	_, err = one.Quiet(ctx, "nobody")
	turnedDown(t, "a name that nobody has", err, errs.NotFound, "worker")
	_, err = one.Quiet(ctx, strings.Repeat("w", 256))
	turnedDown(t, "a name that is too long", err, errs.Invalid, "worker")
	_, err = one.Wake(ctx, "")
	turnedDown(t, "no name", err, errs.Invalid, "worker")
}

func TestANodeThatHearsNothingLearnsOfQuietWorkersWithTheStateOfAQueue(t *testing.T) {
	t.Parallel()
	url, now := dbtest.URL(t), time.Now()
	e := nodeOf(t, url, "one", func() time.Time { return now })
	put(t, e, "a", `{}`)
	push(t, e, some(10)...)
	held := pick(t, e, queue.PickParams{Worker: "w", IdempotencyKey: "k"})
	exec(t, e.DB(), `select fetchq.worker_quiet('w')`)
	now = now.Add(2 * time.Second)
	picked, err := e.Pick(t.Context(), "a", queue.PickParams{Worker: "w"})
	if err != nil || !picked.Quiet || len(picked.Documents) > 0 {
		t.Errorf("the first pick says %+v, %v", picked, err)
	}
	if picked, err = e.Pick(t.Context(), "a", queue.PickParams{Worker: "w", IdempotencyKey: "k"}); err != nil || !picked.Quiet ||
		cmp.Diff(subjects(held), subjects(picked.Documents)) != "" {
		t.Errorf("the same key says %+v, %v", picked, err)
	}
	if picked, err = e.Pick(t.Context(), "a", queue.PickParams{Worker: "w", IdempotencyKey: "new"}); err != nil || !picked.Quiet || len(picked.Documents) > 0 {
		t.Errorf("a new key says %+v, %v", picked, err)
	}
	leases := []queue.Lease{{Subject: held[0].Subject, Lease: held[0].Lease}}
	if results, told, err := e.Extend(t.Context(), "a", leases, time.Minute, ""); err != nil || results[0].Outcome != "ok" || !told.Quiet || told.Pause != nil {
		t.Errorf("an extension says %+v, %+v, %v", results, told, err)
	}
	if _, err := e.Pause(t.Context(), "a", queue.PauseParams{}); err != nil {
		t.Fatal(err)
	}
	if picked, err = e.Pick(t.Context(), "a", queue.PickParams{Worker: "w"}); err != nil || !picked.Quiet || picked.Pause == nil {
		t.Errorf("from a queue that is paused: %+v, %v", picked, err)
	}
	exec(t, e.DB(), `select fetchq.worker_wake('w')`)
	now = now.Add(2 * time.Second)
	if _, told, err := e.Extend(t.Context(), "a", leases, time.Minute, ""); err != nil || told.Quiet {
		t.Errorf("woken: %+v, %v", told, err)
	}
	_, err = e.Pick(t.Context(), "none", queue.PickParams{Worker: "w"})
	turnedDown(t, "no queue", err, errs.NotFound, "queue")
}
