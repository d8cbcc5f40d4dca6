package operations

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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
