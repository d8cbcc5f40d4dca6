package operations

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
)

func TestOneOperationOfAQueueRunsAtATimeInTheOrderInWhichTheyWereAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a", "b")
	w.fill("a", "pending", 0, 10)
	w.fill("b", "pending", 0, 10)
	first := w.ask(Request{Queue: "a", Action: Kill, Filter: all()})
	second := w.ask(Request{Queue: "a", Action: Retry, Filter: all()})
	other := w.ask(Request{Queue: "b", Action: Kill, Filter: all()})
	if got := w.claim("n1", 0); got != "a b" {
		t.Fatalf("operations of %q are claimed; one of each queue is wanted", got)
	}
	if got := w.claim("n2", 0); got != "" {
		t.Errorf("another node claims %q", got)
	}
	if w.get(first).State != Running || w.get(second).State != Waiting || w.get(other).State != Running {
		t.Errorf("%s, %s and %s", w.get(first).State, w.get(second).State, w.get(other).State)
	}
	if s := scanOne[*float64](w, `select fetchq.operation_next()`); s == nil || *s < 8 || *s > 10 {
		t.Errorf("there is one to claim in %v s; the claims run out in 10", s)
	}
	if state, _ := w.step(first, "n1", 100); state != Done {
		t.Fatalf("the first one is %s", state)
	}
	if got := w.claim("n2", 0); got != "a" {
		t.Fatalf("%q is claimed behind the first", got)
	}
	if state, _ := w.step(second, "n2", 100); state != Done || w.tally("a") != "pending 10" {
		t.Errorf("the second one is %s, %s", state, w.tally("a"))
	}
}

// TestAClaimThatIsOverChangesNothing is a node that sleeps while another one takes over.
func TestAClaimThatIsOverChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a")
	w.fill("a", "pending", 0, 10)
	o := w.ask(Request{Queue: "a", Action: Kill, Filter: all()})
	if w.claim("dead", 0) != "a" || w.claim("alive", 9) != "" {
		t.Fatal("the claim does not hold for ten seconds")
	}
	if state, _ := w.step(o, "dead", 3); state != Running || w.tally("a") != "killed 3, pending 7" {
		t.Fatalf("%s: %s", state, w.tally("a"))
	}
	if got := w.claim("alive", 11); got != "a" {
		t.Fatalf("%q is taken over after eleven seconds", got)
	}
	if state, _ := w.step(o, "dead", 3); state != lost || w.tally("a") != "killed 3, pending 7" {
		t.Errorf("the node whose claim is over: %s, %s", state, w.tally("a"))
	}
	if state, _ := w.step(o, "alive", 100); state != Done || w.events("a", "killed") != 10 {
		t.Errorf("%s, %d documents were killed", state, w.events("a", "killed"))
	}
}

// TestABatchThatBreaksOffRepeatsNothing ends a batch in the middle, as a crash does: what it did and how far it was stand in one transaction.
func TestABatchThatBreaksOffRepeatsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a", "b")
	for _, name := range []string{"a", "b"} {
		w.fill(name, "pending", 0, 20)
	}
	w.put("c", `{"partitions":3}`)
	for _, r := range []Request{
		{Queue: "a", Action: Kill, Filter: all()},
		{Queue: "b", Action: Move, Filter: all(), ToQueue: "c"},
	} {
		o := w.ask(r)
		w.claim("n1", 0)
		for i := 0; ; i++ {
			tx, err := w.db.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var state string
			if err := tx.QueryRow(t.Context(), `select state from fetchq.operation_step($1, 'n1', 3)`, o.ID).Scan(&state); err != nil {
				t.Fatal(err)
			}
			if i%2 == 0 {
				_ = tx.Rollback(t.Context())
				continue
			}
			if err := tx.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			if state == Done {
				break
			}
		}
		if got := w.get(o); got.Done != 20 {
			t.Errorf("%s: %d documents are done", r.Action, got.Done)
		}
	}
	if w.tally("a") != "killed 20" || w.events("a", "killed") != 20 || w.tally("b") != "" || w.tally("c") != "pending 20" || w.events("c", "entered") != 20 {
		t.Errorf("%s; %s; %s", w.tally("a"), w.tally("b"), w.tally("c"))
	}
}

func TestADocumentWhoseStateNoLongerFitsIsLeftAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a")
	w.fill("a", "killed", 0, 10)
	o := w.ask(Request{Queue: "a", Action: Retry, Filter: &Filter{Status: "killed"}})
	w.claim("n1", 0)
	if state, _ := w.step(o, "n1", 4); state != Running {
		t.Fatal(state)
	}
	w.exec(`select fetchq.doc_act_many('a', array['s000005', 's000006'], array['complete', 'drop'])`)
	// What is killed or pushed from now on was not meant.
	w.exec(`select fetchq.doc_push_many('a', array['s000007a', 't'])`)
	w.exec(`select fetchq.doc_act_many('a', array['s000001', 's000007a', 't'], array['kill', 'kill', 'kill'])`)
	if state, _ := w.step(o, "n1", 100); state != Done {
		t.Fatal(state)
	}
	if got := w.tally("a"); got != "killed 3, pending 7, completed 1" {
		t.Error(got)
	}
	if got := w.get(o); got.Done != 8 || got.Failed != 0 {
		t.Errorf("%+v", got)
	}
}

// TestAChangeBetweenTheLookAndTheLockIsSeen has a list of pending documents that was taken at once, of which workers take some.
func TestAChangeBetweenTheLookAndTheLockIsSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a")
	w.fill("a", "pending", 0, 10)
	o := w.ask(Request{Queue: "a", Action: Kill, Filter: &Filter{Status: "pending"}})
	w.claim("n1", 0)
	if state, _ := w.step(o, "n1", 2); state != Running {
		t.Fatal(state)
	}
	w.exec(`select fetchq.doc_pick_many('a', 0, 3, '1 hour')`)
	w.exec(`select fetchq.doc_act_many('a', array['s000009'], array['drop'])`)
	if state, _ := w.step(o, "n1", 100); state != Done {
		t.Fatal(state)
	}
	if got := w.get(o); got.Done != 6 || got.LeftAlone != 4 || got.Failed != 0 || w.tally("a") != "killed 6, active 3" {
		t.Errorf("%s: %+v", w.tally("a"), got)
	}
}

func TestLockedDocumentsAreComeBackTo(t *testing.T) {
	t.Parallel()
	for _, partitions := range []int{1, 3} {
		w := newWorld(t)
		w.put("a", fmt.Sprintf(`{"partitions":%d}`, partitions))
		w.fill("a", "pending", 0, 10)
		tx, err := w.db.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), `select fetchq.doc_extend_many('a', array['s000002', 's000003'], array[1, 1])`); err != nil {
			t.Fatal(err)
		}
		o := w.ask(Request{Queue: "a", Action: Kill, Filter: all()})
		w.claim("n1", 0)
		began := time.Now()
		for range 20 {
			if state, _ := w.step(o, "n1", 4); state != Running {
				t.Fatalf("%s while two documents are locked", state)
			}
		}
		if took := time.Since(began); took > 5*time.Second || w.tally("a") != "killed 8, pending 2" {
			t.Errorf("%s after %s", w.tally("a"), took)
		}
		if _, items := w.step(o, "n1", 4); items != 0 {
			t.Errorf("a batch with nothing but what is locked came to %d", items)
		}
		if err := tx.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
		if state, _ := w.step(o, "n1", 4); state != Done || w.tally("a") != "killed 10" || w.get(o).Done != 10 {
			t.Errorf("%s, %s", state, w.tally("a"))
		}
	}
}

func TestADocumentThatIsLockedForHalfAMinuteIsAFailure(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a")
	w.fill("a", "pending", 0, 3)
	tx, err := w.db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := tx.Exec(t.Context(), `select from q_a.docs where subject = 's000001' for update`); err != nil {
		t.Fatal(err)
	}
	o := w.ask(Request{Queue: "a", Action: Kill, Filter: all()})
	w.claim("n1", 0)
	for _, ahead := range []int{0, 29, 31} {
		w.exec(`select fetchq.operation_step($1, 'n1', 100, clock_timestamp() + $2 * interval '1 second')`, o.ID, ahead)
		if want := map[int]string{0: Running, 29: Running, 31: Done}[ahead]; w.get(o).State != want {
			t.Errorf("after %d seconds it is %s", ahead, w.get(o).State)
		}
	}
	if diff := cmp.Diff([]string{"s000001: the document was locked by other work for 30 seconds"}, w.failuresOf(o)); diff != "" {
		t.Error(diff)
	}
}

func TestACancelEndsAnOperationAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a")
	w.fill("a", "pending", 0, 40_000)
	first := w.ask(Request{Queue: "a", Action: Complete, Filter: all()})
	for _, o := range []Operation{w.ask(Request{Queue: "a", Action: Drop, Filter: all()}), first} {
		if o.Action == Drop { // it waits
			if o, err := w.Cancel(t.Context(), o.ID, "me"); err != nil || o.State != Canceled || *o.CanceledBy != "me" || o.Done != 0 || !o.Over() {
				t.Fatalf("%+v, error %v", o, err)
			}
			continue
		}
		if err := w.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(20 * time.Second); w.get(o).Done == 0; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("it does not begin")
			}
		}
		began := time.Now()
		o, err := w.Cancel(t.Context(), o.ID, "me")
		if took := time.Since(began); err != nil || took > time.Second || o.State != Canceled || o.Done == 0 || o.Done >= 40_000 {
			t.Fatalf("%+v after %s, error %v", o, took, err)
		}
		done := w.events("a", "completed")
		if int64(done) != o.Done {
			t.Errorf("%d documents are told, %d were changed", o.Done, done)
		}
		time.Sleep(200 * time.Millisecond) // for a batch that should not be
		if now := w.events("a", "completed"); now != done {
			t.Errorf("%d documents were changed behind the cancel", now-done)
		}
		again, err := w.Cancel(t.Context(), o.ID, "you")
		if err != nil || *again.CanceledBy != "me" || !again.FinishedAt.Equal(*o.FinishedAt) {
			t.Errorf("canceled again: %+v, error %v", again, err)
		}
	}
	if _, err := w.Cancel(t.Context(), uuid.New(), "me"); errs.Of(err) != errs.NotFound {
		t.Errorf("cancel of none: %v", err)
	}
	w.tally("a")
}

func TestAQueueThatIsGoneFailsItsOperations(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a", "b", "c")
	w.fill("a", "pending", 0, 10)
	w.fill("b", "pending", 0, 10)
	w.fill("c", "pending", 0, 10)
	gone := w.ask(Request{Queue: "a", Action: Kill, Filter: all()})
	nowhere := w.ask(Request{Queue: "b", Action: Move, Filter: all(), ToQueue: "c"})
	w.exec(`select fetchq.queue_drop('a'), fetchq.queue_drop('c')`)
	w.put("a", `{}`) // another one of the same name
	w.fill("a", "pending", 0, 10)
	for _, o := range []Operation{gone, nowhere} {
		if o = w.finish(o); o.State != Failed || o.Error == nil || o.Done != 0 {
			t.Errorf("%+v", o)
		}
	}
	if w.tally("a") != "pending 10" || w.tally("b") != "pending 10" {
		t.Errorf("%s; %s", w.tally("a"), w.tally("b"))
	}
}

func TestAFailureThatMayPassIsTriedAgainAndOneThatDoesNotEndsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a")
	w.fill("a", "pending", 0, 10)
	dbtest.Replace(t, w.db, "operation_act", `done := 0; left_alone := 0;`, `perform 1 / (cardinality(p_subjects) - 10); done := 0; left_alone := 0;`)
	o := w.ask(Request{Queue: "a", Action: Kill, Filter: all()})
	for n := 1; n <= mostFails; n++ {
		if _, err := w.runOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.work.Wait()
		got := w.get(o)
		if got.Failures != n || got.Error == nil || got.Over() != (n == mostFails) {
			t.Fatalf("after try %d: %+v", n, got)
		}
		wait := scanOne[*float64](w, `select extract(epoch from claimed_until - clock_timestamp())::float8 from fetchq.operations`)
		if n < mostFails && (wait == nil || *wait > 61 || *wait < min(float64(int(1)<<(n-1)), 60)-1) {
			t.Errorf("after try %d it waits for %v s", n, wait)
		}
		w.exec(`update fetchq.operations set claimed_until = clock_timestamp()`)
	}
	if got := w.get(o); got.State != Failed || w.tally("a") != "pending 10" {
		t.Errorf("%+v", got)
	}
}

func TestTheSameKeyIsTheSameOperation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a", "b")
	w.fill("a", "pending", 0, 3)
	r := Request{Queue: "a", Action: Kill, Subjects: []string{"s000000"}, Key: "k", Asked: Asked{By: "me", As: "user"}}
	first := w.do(r)
	again := w.ask(r)
	if again.ID != first.ID || again.State != Done || w.events("a", "killed") != 1 {
		t.Errorf("%s and %s", first.ID, again.ID)
	}
	r.Queue = "b"
	_, err := w.Create(t.Context(), r)
	checkRefusal(t, "another queue under the same key", err, errs.Invalid, "idempotency_key")
}

func TestAQueueHasAHundredOperationsInLineAtMost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a", "b")
	for range 100 {
		w.ask(Request{Queue: "a", Action: Kill, Filter: all()})
	}
	_, err := w.Create(t.Context(), Request{Queue: "a", Action: Kill, Filter: all(), Asked: Asked{By: "x", As: "user"}})
	checkRefusal(t, "one more", err, errs.Invalid, "queue")
	w.ask(Request{Queue: "b", Action: Kill, Filter: all()})
}

func TestListsArePagesFromTheNewestOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a", "b", "c")
	var ids []uuid.UUID
	for i := range 9 {
		ids = append(ids, w.ask(Request{Queue: string(rune('a' + i%3)), Action: Kill, Filter: all()}).ID)
	}
	if _, err := w.Cancel(t.Context(), ids[4], "me"); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		p    ListParams
		want []int
	}{
		"all":               {ListParams{}, []int{8, 7, 6, 5, 4, 3, 2, 1, 0}},
		"of a queue":        {ListParams{Queues: []string{"b"}}, []int{7, 4, 1}},
		"of two queues":     {ListParams{Queues: []string{"a", "c"}}, []int{8, 6, 5, 3, 2, 0}},
		"of none":           {ListParams{Queues: []string{}}, nil},
		"in a state":        {ListParams{State: Canceled}, []int{4}},
		"of both":           {ListParams{State: Waiting, Queues: []string{"b"}}, []int{7, 1}},
		"of an unknown one": {ListParams{Queues: []string{"x"}}, nil},
	} {
		var got []int
		p := tt.p
		for p.Limit = 2; ; {
			page, next, err := w.List(t.Context(), p)
			if err != nil || len(page) > 2 {
				t.Fatalf("%s: %d, error %v", name, len(page), err)
			}
			for _, o := range page {
				for i, id := range ids {
					if id == o.ID {
						got = append(got, i)
					}
				}
			}
			if next == "" {
				break
			}
			p.Cursor = next
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for field, p := range map[string]ListParams{"limit": {}, "state": {Limit: 1, State: "gone"}, "cursor": {Limit: 1, Cursor: "x"}} {
		_, _, err := w.List(t.Context(), p)
		checkRefusal(t, "a list", err, errs.Invalid, field)
	}
}

func TestWhatIsOldAndWhatIsLeftOverIsRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a")
	old := w.do(Request{Queue: "a", Action: Drop, Subjects: []string{"nobody"}})
	young := w.do(Request{Queue: "a", Action: Drop, Subjects: []string{"nobody"}})
	w.exec(`update fetchq.operations set finished_at = finished_at - interval '31 days' where id = $1`, old.ID)
	canceled := w.ask(Request{Queue: "a", Action: Drop, Subjects: []string{"nobody"}})
	waiting := w.ask(Request{Queue: "a", Action: Drop, Subjects: []string{"nobody"}})
	if _, err := w.Cancel(t.Context(), canceled.ID, "me"); err != nil {
		t.Fatal(err)
	}
	for more := true; more; {
		var err error
		if more, err = w.tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Get(t.Context(), old.ID); errs.Of(err) != errs.NotFound {
		t.Errorf("an operation of last month: %v", err)
	}
	if n := scanOne[int](w, `select count(*) from fetchq.operation_failures`); n != 1 || w.get(young).Failed != 1 {
		t.Errorf("%d failures are kept", n)
	}
	if parts := w.rows(`select operation from fetchq.operation_parts`); len(parts) != 1 {
		t.Errorf("%d parts are kept", len(parts))
	}
	if o := w.finish(waiting); o.Failed != 1 {
		t.Errorf("%+v", o)
	}
}

// TestWhatIsAskedForOnOneNodeIsDoneByAnother has two nodes of which one is not started: the other hears of it.
func TestWhatIsAskedForOnOneNodeIsDoneByAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a")
	w.fill("a", "pending", 0, 100)
	other := node(t, w.url, "n2")
	if err := other.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond) // it has looked, and sleeps for five seconds
	began := time.Now()
	o := w.ask(Request{Queue: "a", Action: Kill, Filter: all()})
	for !w.get(o).Over() {
		if time.Since(began) > 4*time.Second {
			t.Fatalf("after four seconds it is %s", w.get(o).State)
		}
		time.Sleep(5 * time.Millisecond)
	}
	if w.tally("a") != "killed 100" {
		t.Error(w.tally("a"))
	}
}

// TestAStopGivesBackWhatRuns stops a node in the middle of an operation; another one goes on at once.
func TestAStopGivesBackWhatRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a")
	w.fill("a", "pending", 0, 30_000)
	other := node(t, w.url, "n2")
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	o := w.ask(Request{Queue: "a", Action: Kill, Filter: all()})
	for deadline := time.Now().Add(20 * time.Second); w.get(o).Done == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not begin")
		}
	}
	w.Stop()
	w.Stop()
	half := w.get(o)
	if half.State != Running || half.Done == 30_000 {
		t.Fatalf("%+v", half)
	}
	if n, err := other.runOnce(t.Context()); err != nil || n != 1 {
		t.Fatalf("the other node took %d, error %v", n, err)
	}
	other.work.Wait()
	if got := w.get(o); got.State != Done || got.Done != 30_000 || w.events("a", "killed") != 30_000 {
		t.Errorf("%+v", got)
	}
}

func TestWhatBecomesPendingIsPickedAtOnceAndWakesWhoWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a", "b")
	w.fill("a", "killed", 0, 3)
	w.fill("b", "pending", 0, 3)
	if picked, err := w.engine.Pick(t.Context(), "a", queue.PickParams{Limit: 10}); err != nil || len(picked.Documents) != 0 {
		t.Fatalf("%d documents, error %v", len(picked.Documents), err) // and its marks stand behind all that there is
	}
	got := make(chan int)
	go func() {
		picked, err := w.engine.Pick(context.WithoutCancel(t.Context()), "a", queue.PickParams{Limit: 10, Wait: 30 * time.Second})
		if err != nil {
			t.Error(err)
		}
		got <- len(picked.Documents)
	}()
	time.Sleep(50 * time.Millisecond)
	w.do(Request{Queue: "a", Action: Retry, Filter: all()})
	if n := <-got; n != 3 {
		t.Errorf("%d documents were picked", n)
	}
	w.do(Request{Queue: "b", Action: Move, Filter: &Filter{SubjectPrefix: "s000002"}, ToQueue: "a"})
	if n := len(w.failuresOf(Operation{ID: w.rowsID()})); n != 1 {
		t.Errorf("%d failures; the subject is taken", n)
	}
}

// rowsID is the id of the newest operation.
func (w *world) rowsID() uuid.UUID {
	w.t.Helper()
	return scanOne[uuid.UUID](w, `select id from fetchq.operations order by number desc limit 1`)
}
