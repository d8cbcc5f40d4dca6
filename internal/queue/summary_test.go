package queue_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
)

func fold(t *testing.T, e *queue.Engine, name string) {
	t.Helper()
	if _, err := e.Fold(t.Context(), name); err != nil {
		t.Fatal(err)
	}
}

func TestSummariesHaveWhatTheLastFoldSaw(t *testing.T) {
	t.Parallel()
	ctx, e := engine(t)
	put(t, e, "c", `{"max_attempts": 7}`)
	put(t, e, "b_2", `{}`)
	if _, err := e.Pause(ctx, "c", queue.PauseParams{Reason: "dinner"}); err != nil {
		t.Fatal(err)
	}
	push(t, e, queue.Push{Subject: "x"}, queue.Push{Subject: "y", Version: ptr(3)}, queue.Push{Subject: "z", Version: ptr(3), Next: wire.Date{At: time.Now().Add(time.Hour)}})
	held := pick(t, e, queue.PickParams{})[0]
	if _, err := e.Resolve(ctx, "a", []queue.Resolution{{Subject: "x", Lease: held.Lease, Action: "reject", Message: "boom", Next: wire.Date{At: time.Now().Add(time.Hour)}}}); err != nil {
		t.Fatal(err)
	}
	fold(t, e, "a")
	push(t, e, queue.Push{Subject: "not folded"})
	got, err := e.Summaries(ctx)
	if err != nil {
		t.Fatal(err)
	}
	want := []queue.Summary{
		{
			Name: "a", MaxAttempts: 5, Counts: queue.Counts{Planned: 2, Pending: 1},
			Events: queue.Events{Entered: 3, Picked: 1, Rejected: 1, Errors: 1, Logs: 1},
		},
		{Name: "b_2", MaxAttempts: 5},
		{Name: "c", MaxAttempts: 7, Paused: true, PauseReason: ptr("dinner"), PauseKind: queue.Drain},
	}
	moments := cmpopts.IgnoreFields(queue.Summary{}, "CreatedAt", "OldestDueAt", "LastErrorAt", "AsOf")
	if diff := cmp.Diff(want, got, moments); diff != "" {
		t.Error(diff)
	}
	y, err := e.Doc(ctx, "a", "y")
	if err != nil || got[0].OldestDueAt == nil || !got[0].OldestDueAt.Equal(y.Next) || got[1].OldestDueAt != nil {
		t.Errorf("the oldest is due at %v and %v; at %v and never is right; %v", got[0].OldestDueAt, got[1].OldestDueAt, y.Next, err)
	}
	for _, s := range got {
		if s.CreatedAt.IsZero() || s.AsOf.Before(s.CreatedAt) {
			t.Errorf("%s was made at %v and summed up at %v", s.Name, s.CreatedAt, s.AsOf)
		}
	}
	if !got[0].AsOf.After(held.ExpiresAt.Add(-time.Hour)) {
		t.Errorf("the fold is of %v", got[0].AsOf)
	}
}

func TestSummariesAndOnlyTheyDoWithoutTheTablesOfQueues(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	e := start(t, url, "n")
	put(t, e, "a", `{}`)
	tx, err := dbtest.Open(t, url).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
	if _, err := tx.Exec(t.Context(), `lock table q_a.docs, q_a.logs, q_a.deltas in access exclusive mode`); err != nil {
		t.Fatal(err)
	}
	got, err := e.Summaries(t.Context())
	if err != nil || len(got) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := e.Standing(ctx, "a"); err == nil {
		t.Error("the exact counts were read past a lock, so that this test proves nothing")
	}
}

func TestStandingIsExactWithoutAFold(t *testing.T) {
	t.Parallel()
	ctx, e := engine(t)
	standing := func() queue.Standing {
		t.Helper()
		s, err := e.Standing(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		// All of it but the versions and events is what Get returns.
		q, err := e.Get(ctx, "a")
		if err != nil || s.AsOf.After(q.AsOf) {
			t.Errorf("as of %v, before %v; %v", s.AsOf, q.AsOf, err)
		}
		q.AsOf = s.AsOf
		if diff := cmp.Diff(q, s.Queue); diff != "" {
			t.Errorf("not what Get returns: %s", diff)
		}
		return s
	}
	versions := func() []queue.VersionStanding {
		t.Helper()
		list := standing().Versions
		for i := range list {
			list[i].AskedAt = nil // who asked is another test's
		}
		return list
	}
	if diff := cmp.Diff([]queue.VersionStanding{{}}, versions()); diff != "" {
		t.Errorf("of an empty queue: %s", diff)
	}
	push(t, e, queue.Push{Subject: "x", Version: ptr(4)}, queue.Push{Subject: "y", Version: ptr(2)}, queue.Push{Subject: "z", Version: ptr(2)})
	fold(t, e, "a")
	held := pick(t, e, queue.PickParams{Version: 2})[0]
	want := []queue.VersionStanding{{Version: 2, Counts: queue.Counts{Pending: 1, Active: 1}}, {Version: 4, Counts: queue.Counts{Pending: 1}}}
	if diff := cmp.Diff(want, versions()); diff != "" {
		t.Error(diff)
	}
	if _, err := e.Resolve(ctx, "a", []queue.Resolution{{Subject: held.Subject, Lease: held.Lease, Action: "complete"}}); err != nil {
		t.Fatal(err)
	}
	if err := e.AddLogs(ctx, "a", "w", []queue.NewLog{{Message: "a note"}}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(queue.Events{Entered: 3, Picked: 1, Completed: 1, Logs: 1}, standing().Events); diff != "" {
		t.Error(diff)
	}
	if _, err := e.Act(ctx, "a", []queue.Resolution{{Subject: "x", Action: "drop"}}); err != nil {
		t.Fatal(err)
	}
	want = []queue.VersionStanding{{Version: 2, Counts: queue.Counts{Pending: 1, Completed: 1}}}
	if diff := cmp.Diff(want, versions()); diff != "" {
		t.Errorf("after a drop: %s", diff)
	}
	if _, err := e.Truncate(ctx, "a", false); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]queue.VersionStanding{{}}, versions()); diff != "" {
		t.Errorf("of an emptied queue: %s", diff)
	}
	for _, name := range []string{"none", "No queue"} {
		if _, err := e.Standing(ctx, name); errs.Of(err) != errs.NotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSummariesOfManyQueuesGroupTheCountersOnce(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	// Rows of the register alone: a summary reads nothing else of a queue.
	if _, err := dbtest.Open(t, url).Exec(t.Context(), `
		insert into fetchq.queues (name) select 'q' || to_char(i, 'FM0000') from generate_series(1, 1000) i;
		insert into fetchq.counters (queue, version, pending, ev_entered) select name, v, 2, 3 from fetchq.queues, generate_series(0, 2) v;
		insert into fetchq.queue_states (queue, as_of) select name, now() from fetchq.queues;
		analyze fetchq.queues, fetchq.counters, fetchq.queue_states`); err != nil {
		t.Fatal(err)
	}
	e, plans := watched(t, url)
	got, err := e.Summaries(t.Context())
	if err != nil || len(got) != 1000 || got[999].Name != "q1000" || got[999].Counts.Pending != 6 || got[999].Events.Entered != 9 {
		t.Fatalf("%d queues, %v", len(got), err)
	}
	nodes := 0
	var walk func(n planNode)
	walk = func(n planNode) {
		nodes++
		if n.Type == "Nested Loop" {
			t.Error("something is read once a queue")
		}
		for _, child := range n.Plans {
			walk(child)
		}
	}
	for _, p := range plans() {
		walk(p)
	}
	if nodes == 0 {
		t.Error("no plan was seen")
	}
}
