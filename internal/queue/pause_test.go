package queue_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
)

func TestAPauseAtOnceTakesBackWhatIsHeld(t *testing.T) {
	t.Parallel()
	ctx, e := engine(t)
	for _, partitions := range []string{`{}`, `{"partitions": 3}`} {
		if err := e.Drop(ctx, "a"); err != nil {
			t.Fatal(err)
		}
		put(t, e, "a", partitions)
		push(t, e, queue.Push{Subject: "x"}, queue.Push{Subject: "y"}, queue.Push{Subject: "z"})
		held := pick(t, e, queue.PickParams{Limit: 3, Worker: "w"})
		q, err := e.Pause(ctx, "a", queue.PauseParams{Kind: queue.AtOnce, Reason: "it burns", Until: wire.Date{At: time.Now().Add(time.Hour)}})
		if err != nil || q.Counts != (queue.Counts{Pending: 3}) {
			t.Errorf("%s: the queue has %+v, %v", partitions, q.Counts, err)
		}
		leases, items := make([]queue.Lease, 3), make([]queue.Resolution, 3)
		for i, d := range held {
			leases[i] = queue.Lease{Subject: d.Subject, Lease: d.Lease}
			items[i] = queue.Resolution{Subject: d.Subject, Lease: d.Lease, Action: "complete"}
			stored, err := e.Doc(ctx, "a", d.Subject)
			if err != nil || stored.Attempts != 0 || stored.Status != queue.Pending {
				t.Errorf("%s: %s is %s after %d attempts, %v", partitions, d.Subject, stored.Status, stored.Attempts, err)
			}
		}
		extended, told, err := e.Extend(ctx, "a", leases, time.Minute, "")
		pause := told.Pause
		if err != nil || extended[0].Outcome != "stale" || pause == nil || pause.Kind != queue.AtOnce || *pause.Reason != "it burns" || pause.Until == nil {
			t.Errorf("%s: an extension says %+v, %+v, %v", partitions, extended, pause, err)
		}
		results, err := e.Resolve(ctx, "a", items)
		if diff := cmp.Diff([]string{"stale", "stale", "stale"}, outcomes(results)); diff != "" || err != nil {
			t.Errorf("%s: completions say %s, %v", partitions, diff, err)
		}
		if picked, err := e.Pick(ctx, "a", queue.PickParams{}); err != nil || picked.Pause == nil || picked.Pause.Kind != queue.AtOnce || len(picked.Documents) > 0 {
			t.Errorf("%s: a pick says %+v, %v", partitions, picked, err)
		}
		if _, err := e.Resume(ctx, "a", nil); err != nil {
			t.Fatal(err)
		}
		if docs := pick(t, e, queue.PickParams{Limit: 3}); len(docs) != 3 {
			t.Errorf("%s: %d documents are there after the pause", partitions, len(docs))
		}
	}
}

// TestAPauseAtOnceTakesBackWhatWasBeingPicked has a pick that began before the pause and is committed behind it.
func TestAPauseAtOnceTakesBackWhatWasBeingPicked(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	e, db := start(t, url, "n"), dbtest.Open(t, url)
	put(t, e, "a", `{}`)
	push(t, e, queue.Push{Subject: "x"}, queue.Push{Subject: "y"})
	tx := begin(t, db, `select fetchq.doc_pick_many('a', 0, 2)`)
	if q, err := e.Pause(t.Context(), "a", queue.PauseParams{Kind: queue.AtOnce}); err != nil || q.Counts.Active != 0 {
		t.Fatalf("%+v, %v", q, err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if lease := one[int64](t, db, `select lease from q_a.docs where subject = 'x'`); true {
		results, _, err := e.Extend(t.Context(), "a", []queue.Lease{{Subject: "x", Lease: lease}}, time.Minute, "")
		if err != nil || results[0].Outcome != "stale" {
			t.Errorf("its lease, which is about to end, is extended: %+v, %v", results, err)
		}
	}
	if wake := one[bool](t, db, `select exists (select from fetchq.jobs j left join fetchq.wakes w using (queue, kind)
		where kind = 'orphans' and least(next_run, at) <= clock_timestamp())`); !wake {
		t.Error("the job orphans sleeps")
	}
	if did, err := e.Orphans(t.Context(), "a"); err != nil || did.Items != 2 {
		t.Errorf("the job takes back %d, %v", did.Items, err)
	}
	if q, err := e.Get(t.Context(), "a"); err != nil || q.Counts != (queue.Counts{Pending: 2}) {
		t.Errorf("the queue has %+v, %v", q.Counts, err)
	}
}

func TestAPauseOfAVersionIsForThatOneOnly(t *testing.T) {
	t.Parallel()
	ctx, e := engine(t)
	push(t, e, queue.Push{Subject: "old"}, queue.Push{Subject: "new", Version: ptr(1)}, queue.Push{Subject: "held", Version: ptr(1)})
	held := pick(t, e, queue.PickParams{Version: 1})[0]
	if _, err := e.Pause(ctx, "a", queue.PauseParams{Version: ptr(1), Reason: "a bug", Kind: queue.AtOnce}); err != nil {
		t.Fatal(err)
	}
	picked, err := e.Pick(ctx, "a", queue.PickParams{Version: 1})
	if err != nil || len(picked.Documents) > 0 || picked.Pause == nil || *picked.Pause.Version != 1 || *picked.Pause.Reason != "a bug" {
		t.Errorf("a pick of the version says %+v, %v", picked, err)
	}
	results, told, err := e.Extend(ctx, "a", []queue.Lease{{Subject: held.Subject, Lease: held.Lease}}, time.Minute, "")
	if err != nil || results[0].Outcome != "stale" || told.Pause == nil || *told.Pause.Version != 1 {
		t.Errorf("an extension says %+v, %+v, %v", results, told, err)
	}
	old := pick(t, e, queue.PickParams{})
	if diff := cmp.Diff([]string{"old"}, subjects(old)); diff != "" {
		t.Errorf("of the other version: %s", diff)
	}
	if _, told, err := e.Extend(ctx, "a", []queue.Lease{{Subject: "old", Lease: old[0].Lease}}, time.Minute, ""); err != nil || told.Pause != nil {
		t.Errorf("an extension of the other version says %+v, %v", told, err)
	}
	q, err := e.Resume(ctx, "a", nil)
	if err != nil || q.Paused || len(q.Pauses) != 1 || *q.Pauses[0].Version != 1 {
		t.Errorf("after the queue is resumed: %+v, %v", q.Pauses, err)
	}
	if q, err = e.Resume(ctx, "a", ptr(1)); err != nil || q.Pauses != nil {
		t.Errorf("after the version is resumed: %+v, %v", q.Pauses, err)
	}
	if docs := pick(t, e, queue.PickParams{Limit: 5, Version: 1}); len(docs) != 2 {
		t.Errorf("%v are there after the pause", subjects(docs))
	}
}

func TestWhatAPauseRefuses(t *testing.T) {
	t.Parallel()
	ctx, e := engine(t)
	_, err := e.Pause(ctx, "a", queue.PauseParams{Kind: "slowly"})
	turnedDown(t, "an unknown kind", err, errs.Invalid, "kind")
	_, err = e.Pause(ctx, "a", queue.PauseParams{Version: ptr(40_000)})
	turnedDown(t, "a version too high", err, errs.Invalid, "version")
	for v := range 100 {
		if _, err := e.Pause(ctx, "a", queue.PauseParams{Version: ptr(v)}); err != nil {
			t.Fatal(err)
		}
	}
	_, err = e.Pause(ctx, "a", queue.PauseParams{Version: ptr(100)})
	turnedDown(t, "too many versions", err, errs.Invalid, "version")
}

// TestAPickThatWaitsIsToldOfAPause: it answers at once when the pause comes, and waits when it is there already.
func TestAPickThatWaitsIsToldOfAPause(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	one, two := start(t, url, "node-1"), start(t, url, "node-2")
	put(t, one, "a", `{}`)
	for _, where := range []*queue.Engine{one, two} {
		told := make(chan *queue.Pause, 1)
		go func() {
			picked, err := one.Pick(t.Context(), "a", queue.PickParams{Wait: time.Minute})
			if err != nil || len(picked.Documents) > 0 {
				t.Errorf("%+v, %v", picked, err)
			}
			told <- picked.Pause
		}()
		time.Sleep(300 * time.Millisecond) // or it may come second, and wait
		if _, err := where.Pause(t.Context(), "a", queue.PauseParams{Reason: "dinner"}); err != nil {
			t.Fatal(err)
		}
		select {
		case pause := <-told:
			if pause == nil || *pause.Reason != "dinner" || pause.Kind != queue.Drain {
				t.Errorf("it is told %+v", pause)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("it waits on")
		}
		began := time.Now()
		if picked, err := one.Pick(t.Context(), "a", queue.PickParams{Wait: 2500 * time.Millisecond}); err != nil || picked.Pause == nil {
			t.Errorf("%+v, %v", picked, err)
		}
		if waited := time.Since(began); waited < 2*time.Second {
			t.Errorf("one that comes to a paused queue waits for %s", waited)
		}
		if _, err := where.Resume(t.Context(), "a", nil); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTakingBackLeavesWhatIsLocked(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	exec(t, db, `select fetchq.queue_create('a'), fetchq.doc_push('a', 'x'), fetchq.doc_push('a', 'y')`)
	exec(t, db, `select fetchq.doc_pick('a', 0, 2)`)
	tx := begin(t, db, `select fetchq.doc_complete('a', 'x', null, lease) from q_a.docs where subject = 'x'`)
	exec(t, db, `select fetchq.queue_pause('a', p_kind => 'at_once')`) // or it would wait here for ever
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := one[string](t, db, `select string_agg(subject || ' ' || status || ' ' || attempts, ', ' order by subject) from q_a.docs`); got != "x 3 0, y 1 0" {
		t.Errorf("the documents are %s", got)
	}
}
