package queue_test

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
)

// nodeOf is a node that is not started: it hears of nothing, and writes when it is told to.
func nodeOf(t *testing.T, url, node string, now func() time.Time) *queue.Engine {
	t.Helper()
	e := queue.New(dbtest.Open(t, url), queue.Options{Log: slog.New(slog.DiscardHandler), Node: node, Now: now})
	t.Cleanup(e.Stop)
	return e
}

// workers returns the list, and each worker by name.
func workers(t *testing.T, e *queue.Engine) (queue.Workers, map[string]queue.Worker) {
	t.Helper()
	list, err := e.Workers(t.Context())
	if err != nil || !list.Whole {
		t.Fatalf("workers: %v, whole: %v", err, list.Whole)
	}
	by := map[string]queue.Worker{}
	for _, w := range list.List {
		by[w.Name] = w
	}
	return list, by
}

func written(t *testing.T, e *queue.Engine) int {
	t.Helper()
	n, err := e.WriteCrew(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func resolutions(action string, docs []queue.Leased) []queue.Resolution {
	var items []queue.Resolution
	for _, d := range docs {
		items = append(items, queue.Resolution{Subject: d.Subject, Lease: d.Lease, Action: action})
	}
	return items
}

func resolved(t *testing.T, e *queue.Engine, worker, action string, docs []queue.Leased) {
	t.Helper()
	results, err := e.ResolveOf(t.Context(), "a", worker, resolutions(action, docs))
	if err != nil || len(results) != len(docs) || results[0].Outcome != "ok" {
		t.Fatalf("%s: %+v, %v", action, results, err)
	}
}

func some(n int) []queue.Push {
	docs := make([]queue.Push, n)
	for i := range docs {
		docs[i].Subject = "s" + string(rune('a'+i))
	}
	return docs
}

func TestWorkersOfAllNodesAreListedWithWhatTheyDo(t *testing.T) {
	t.Parallel()
	url, now := dbtest.URL(t), time.Now()
	clock := func() time.Time { return now }
	here, there := nodeOf(t, url, "one", clock), nodeOf(t, url, "two", clock)
	put(t, here, "a", `{"journal":"errors"}`)
	push(t, here, some(20)...)

	first := pick(t, here, queue.PickParams{Limit: 8, Worker: "w1"})
	now = now.Add(time.Second) // its work takes a second
	resolved(t, here, "", "complete", first[:4])
	resolved(t, here, "", "reject", first[4:5])
	if results, err := here.Resolve(t.Context(), "a", resolutions("complete", first[:1])); err != nil || results[0].Outcome != "already" {
		t.Fatalf("the same again: %+v, %v", results, err)
	}
	pick(t, here, queue.PickParams{Limit: 2, Worker: "w2"})
	pick(t, here, queue.PickParams{Limit: 3})
	pick(t, here, queue.PickParams{Version: 7, Worker: "waits"})
	// Two of what node one handed out end at the other: there they count for who says that they are his.
	resolved(t, there, "w1", "complete", first[5:6])
	resolved(t, there, "", "complete", first[6:7])
	exec(t, here.DB(), `select * from fetchq.doc_pick_many('a', 0, 1, '1 minute', 'psql')`)
	fold(t, here, "a")

	if n := written(t, here) + written(t, there); n != 4 {
		t.Errorf("%d rows were written", n)
	}
	if n := written(t, here); n != 0 {
		t.Errorf("%d rows were written again", n)
	}
	if n := here.LeasesKnown(); n != 5 { // that of w1, and those that ended at the other, and two of w2
		t.Errorf("%d leases are remembered", n)
	}
	for name, e := range map[string]*queue.Engine{"one": here, "two": there, "three": nodeOf(t, url, "three", clock)} {
		list, by := workers(t, e)
		if list.Unnamed != 3 || len(list.Partial) > 0 || len(list.List) != 4 {
			t.Errorf("%s: %d without a name, partial %v, %d workers", name, list.Unnamed, list.Partial, len(list.List))
		}
		w := by["w1"]
		if w.State != queue.WorkerWorking || w.Holds.Documents != 1 || w.Did.Picked != 8 || w.Did.Ended != 6 || w.Did.Errors != 1 || w.PicksPerMin != 48 {
			t.Errorf("%s: w1 is %s, holds %d and did %+v, %v a minute", name, w.State, w.Holds.Documents, w.Did, w.PicksPerMin)
		}
		if diff := cmp.Diff([]int64{5}, w.Did.Counts); diff != "" || w.Did.Sum != 5000 || w.Did.Low != 1000 || w.Did.High != 1000 {
			t.Errorf("%s: the work of w1 took %+v", name, w.Did)
		}
		if len(w.Posts) != 1 || w.Posts[0].Queue != "a" || w.Posts[0].SeenAt == nil {
			t.Errorf("%s: w1 stands at %+v", name, w.Posts)
		}
		if share, known := w.Did.ErrorShare(); !known || share != 1.0/6 {
			t.Errorf("%s: of what w1 did a share of %v failed", name, share)
		}
		if s := by["waits"].State; s != queue.WorkerWaiting {
			t.Errorf("%s: who waits is %s", name, s)
		}
		if w := by["psql"]; w.State != queue.WorkerWorking || w.Posts[0].SeenAt != nil || w.Holds.Documents != 1 {
			t.Errorf("%s: who works by SQL is %+v", name, w)
		}
		counts, err := e.WorkerCounts(t.Context())
		if err != nil || counts.ByQueue["a"].Seen != 3 || counts.Seen != 3 {
			t.Errorf("%s: the queue has %+v, %v", name, counts, err)
		}
	}
	held, err := there.HeldBy(t.Context(), "a", "w2", 1)
	if err != nil || len(held) != 1 || held[0].Attempts != 1 || held[0].LeaseEnd.Before(held[0].PickedAt) || held[0].PickedAt.IsZero() {
		t.Errorf("w2 holds %+v, %v", held, err)
	}
	// A release is fenced by the lease.
	ctx := queue.By(t.Context(), "user:ann@example.com")
	lease := queue.Lease{Subject: held[0].Subject, Lease: held[0].Lease}
	for _, want := range []string{"ok", "stale"} {
		if results, err := there.Release(ctx, "a", []queue.Lease{lease}); err != nil || results[0].Outcome != want {
			t.Errorf("released: %+v, %v; %s is wanted", results, err, want)
		}
	}
	if results, err := here.Resolve(t.Context(), "a", []queue.Resolution{{Subject: lease.Subject, Lease: lease.Lease, Action: "complete"}}); err != nil || results[0].Outcome != "stale" {
		t.Errorf("what its worker says then: %+v, %v", results, err)
	}
	if d, err := here.Doc(t.Context(), "a", lease.Subject); err != nil || d.Status != queue.Pending || d.Attempts != 0 {
		t.Errorf("released it is %s after %d attempts, %v", d.Status, d.Attempts, err)
	}
	if lines := one[string](t, here.DB(), `select action || ' ' || admin || ' ' || actor from q_a.journal where subject = $1`, lease.Subject); lines != "release true user:ann@example.com" {
		t.Errorf("the journal says %q", lines)
	}
	_, err = there.HeldBy(t.Context(), "none", "w2", 1)
	turnedDown(t, "of no queue", err, errs.NotFound, "queue")
}

func TestWhatAWorkerDidIsThatOfTheLastMinutes(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 12, 0, 30, 0, time.UTC)
	e := nodeOf(t, dbtest.URL(t), "one", func() time.Time { return now })
	put(t, e, "a", `{}`)
	push(t, e, some(10)...)
	for range 10 { // one a minute
		pick(t, e, queue.PickParams{Worker: "w"})
		now = now.Add(time.Minute)
	}
	_, by := workers(t, e)
	if d := by["w"].Did; d.Picked != 5 || d.Over != 4*time.Minute+30*time.Second {
		t.Errorf("it picked %d in %s", d.Picked, d.Over)
	}
	now = now.Add(4 * time.Minute)
	pick(t, e, queue.PickParams{Worker: "w"})
	if _, by = workers(t, e); by["w"].Did.Picked != 0 {
		t.Errorf("after a rest it picked %d", by["w"].Did.Picked)
	}
	// Of two nodes that saw it one after the other, only so much counts as lies in the last five minutes.
	written(t, e)
	exec(t, e.DB(), `update fetchq.workers set seen_at = clock_timestamp(), picked = 0, over = '0'`)
	for node, ago := range map[string]string{"half of it": "2 minutes 30 seconds", "all of it": "1 minute", "nothing": "1 hour"} {
		exec(t, e.DB(), `insert into fetchq.workers
			select queue, worker, $1, clock_timestamp() - $2::interval, '4 minutes', 100, 0, 0, '{}', '{}', 0, 0, 0 from fetchq.workers where node = 'one'`, node, ago)
	}
	_, by = workers(t, nodeOf(t, e.DB().Config().ConnString(), "two", time.Now))
	if d := by["w"].Did; d.Picked < 162 || d.Picked > 163 || d.Over < 299*time.Second || d.Over > 300*time.Second { // 100 of 4 minutes, and 150 s of 240
		t.Errorf("of two nodes it picked %d in %s", d.Picked, d.Over)
	}
}

func TestAWorkerThatIsNotHeardIsSilentOrGone(t *testing.T) {
	t.Parallel()
	e := nodeOf(t, dbtest.URL(t), "one", time.Now)
	put(t, e, "a", `{}`)
	push(t, e, some(10)...)
	pick(t, e, queue.PickParams{Limit: 2, Worker: "short", Lock: 5 * time.Minute})
	pick(t, e, queue.PickParams{Limit: 2, Worker: "long", Lock: time.Hour})
	pick(t, e, queue.PickParams{Version: 3, Worker: "waits"})
	fold(t, e, "a")
	written(t, e)
	other := nodeOf(t, e.DB().Config().ConnString(), "two", time.Now)
	for _, tt := range []struct {
		ago  string
		want map[string]queue.WorkerState
	}{
		{"1 minute", map[string]queue.WorkerState{"short": "working", "long": "working", "waits": "waiting"}},
		{"2 minutes 20 seconds", map[string]queue.WorkerState{"short": "working", "long": "working", "waits": "gone"}},
		{"2 minutes 40 seconds", map[string]queue.WorkerState{"short": "silent", "long": "working", "waits": "gone"}},
		{"31 minutes", map[string]queue.WorkerState{"short": "silent", "long": "silent", "waits": "gone"}},
	} {
		exec(t, e.DB(), `update fetchq.workers set seen_at = clock_timestamp() - $1::interval`, tt.ago)
		exec(t, e.DB(), `update q_a.docs set picked_at = clock_timestamp() - $1::interval,
			next_iteration = clock_timestamp() - $1::interval + case worker when 'long' then interval '1 hour' else '5 minutes' end where status = 2`, tt.ago)
		list, _ := workers(t, other)
		states := map[string]queue.WorkerState{}
		for _, w := range list.List {
			states[w.Name] = w.State
		}
		if diff := cmp.Diff(tt.want, states); diff != "" {
			t.Errorf("not seen for %s: %s", tt.ago, diff)
		}
	}
}

func TestTheListOfWorkersWaitsForNoQueueAndLooksAtSoMuch(t *testing.T) {
	t.Parallel()
	e := nodeOf(t, dbtest.URL(t), "one", time.Now)
	for _, name := range []string{"a", "b"} {
		put(t, e, name, `{}`)
		if _, err := e.Push(t.Context(), name, some(10), queue.Ignore); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Pick(t.Context(), name, queue.PickParams{Limit: 5, Worker: "w"}); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Fold(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	tx := begin(t, e.DB(), `lock table q_b.docs`)
	list, by := workers(t, e)
	if diff := cmp.Diff([]string{"b"}, list.Partial); diff != "" || by["w"].Holds.Documents != 5 {
		t.Errorf("beside a queue that is locked: %s; it holds %d", diff, by["w"].Holds.Documents)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, by = workers(t, e); by["w"].Holds.Documents != 10 {
		t.Errorf("it holds %d", by["w"].Holds.Documents)
	}
	if held := one[int](t, e.DB(), `select held from fetchq.worker_holds(3) where queue = 'a' and partial`); held != 3 {
		t.Errorf("of three that are looked at it holds %d", held)
	}
	exec(t, e.DB(), `select fetchq.queue_drop('b')`)
	if n := one[int](t, e.DB(), `select count(*) from fetchq.workers where queue = 'b'`); n != 0 {
		t.Errorf("%d rows of a queue that is gone", n)
	}
}

func TestWorkersThatWereNotSeenForADayAreForgotten(t *testing.T) {
	t.Parallel()
	e := nodeOf(t, dbtest.URL(t), "one", time.Now)
	put(t, e, "a", `{}`)
	for _, name := range []string{"old", "new", "quiet"} {
		pick(t, e, queue.PickParams{Worker: name})
	}
	written(t, e)
	for _, name := range []string{"old", "quiet"} {
		if _, err := e.Quiet(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	exec(t, e.DB(), `update fetchq.workers set seen_at = seen_at - interval '25 hours' where worker = 'old'`)
	exec(t, e.DB(), `update fetchq.quiets set since = since - interval '25 hours'`)
	before := one[int](t, e.DB(), `select changes from fetchq.quiet_state`)
	exec(t, e.DB(), `select fetchq.worker_forget(10000)`)
	names := one[[]string](t, e.DB(), `select array(select worker from fetchq.workers order by 1) || array(select 'q ' || worker from fetchq.quiets)`)
	if diff := cmp.Diff([]string{"new", "quiet", "q quiet"}, names); diff != "" {
		t.Error(diff)
	}
	if after := one[int](t, e.DB(), `select changes from fetchq.quiet_state`); after != before+1 {
		t.Errorf("the number of changes went from %d to %d", before, after)
	}
	exec(t, e.DB(), `update fetchq.workers set seen_at = seen_at + interval '1 minute' where worker = 'new'`)
	exec(t, e.DB(), `select fetchq.worker_forget(1)`)
	if names := one[[]string](t, e.DB(), `select array(select worker from fetchq.workers)`); !slices.Equal(names, []string{"new"}) {
		t.Errorf("of the newest one is left %v", names)
	}
}

func TestBucketsOfWorkAreThoseOfSeries(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	for _, ms := range []float64{0, 1e-5, 1e-4, 2e-4, 0.5, 1, 1.02, 1.021, 999, 1000, 1e12, 1e300} {
		if want := one[int16](t, db, `select fetchq.timing_bucket($1)`, ms); queue.TimingBucket(ms) != want {
			t.Errorf("%v ms is in bucket %d, and in SQL %d", ms, queue.TimingBucket(ms), want)
		}
	}
}
