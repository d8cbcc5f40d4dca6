package operations

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
)

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
		before := w.get(o).Done
		o, err := w.Cancel(t.Context(), o.ID, "me")
		if err != nil || o.State != Canceled || o.Done == 0 || o.Done >= 40_000 {
			t.Fatalf("%+v, error %v", o, err)
		}
		if batches := o.Done - before; batches > 2*mostSize {
			t.Errorf("%d documents were changed before it was heard; two batches have %d at most", batches, 2*mostSize)
		}
		if state, _ := w.step(o, w.Node, 100); state != lost {
			t.Errorf("a batch behind the cancel: %s", state)
		}
		if done := w.events("a", "completed"); int64(done) != o.Done {
			t.Errorf("%d documents are told, %d were changed", o.Done, done)
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
