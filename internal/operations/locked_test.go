package operations

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/queue"
)

// hold runs a statement in a transaction that stays open; the function that is returned ends it.
func (w *world) hold(sql string) (end func()) {
	w.t.Helper()
	tx, err := w.db.Begin(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
	if _, err := tx.Exec(w.t.Context(), sql); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
	return func() {
		if err := tx.Commit(w.t.Context()); err != nil {
			w.t.Error(err)
		}
	}
}

// claimed claims the one operation that there is, at a moment so many seconds ahead.
func (w *world) claimed(node string, ahead float64) claim {
	w.t.Helper()
	rows, err := w.db.Query(w.t.Context(), `select `+claimColumns+` from fetchq.operation_claim($1, 1, clock_timestamp() + $2 * interval '1 second') o`, node, ahead)
	if err != nil {
		w.t.Fatal(err)
	}
	c, err := pgx.CollectExactlyOneRow(rows, scanClaim)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// updating sends an import that updates what is there.
func (w *world) updating(text string) Operation {
	w.t.Helper()
	r := importOf("a", NDJSON)
	r.OnConflict = queue.Update
	o, err := w.Import(w.t.Context(), r, strings.NewReader(text))
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

// TestAnImportComesBackToDocumentsThatAreLocked has lines about two documents that another transaction holds. The others go on; the lines of
// one subject stay in their order, also where the documents are free again before the second line comes.
func TestAnImportComesBackToDocumentsThatAreLocked(t *testing.T) {
	t.Parallel()
	for i, partitions := range []int{1, 3, 1, 3} {
		soon := i >= 2
		w := newWorld(t)
		w.put("a", fmt.Sprintf(`{"partitions":%d}`, partitions))
		w.fill("a", "pending", 0, 10)
		end := w.hold(`select from q_a.docs where subject in ('s000001', 's000002') order by subject for update`)
		var text strings.Builder
		for i := range 10 {
			fmt.Fprintf(&text, "{\"subject\":\"s%06d\",\"priority\":1}\n", i)
		}
		text.WriteString("{\"subject\":\"s000001\",\"priority\":7}\n{\"subject\":5}\n{\"subject\":\"new\"}\n{\"subject\":\"s000001\",\"version\":-1}\n")
		o := w.updating(text.String())
		c := w.claimed("n1", 0)
		for i := range 8 {
			if soon && i == 2 {
				break
			}
			b, err := w.importBatch(t.Context(), c, 4, false)
			if err != nil || b.state != Running {
				t.Fatalf("batch %d: %+v, error %v", i, b, err)
			}
			if waits := i >= 4; waits != (b.items == 0) {
				t.Errorf("batch %d came to %d lines", i, b.items)
			}
		}
		if got := w.get(o); !soon && (got.Done != 9 || got.Created != 1 || got.Failed != 1) {
			t.Errorf("while two are locked: %+v", got)
		}
		if p, _ := w.get(o).Progress(); !soon && p != 1 {
			t.Errorf("progress %v", p)
		}
		end()
		if o = w.finish(Operation{ID: w.release1(c)}); o.State != Done || o.Done != 12 || o.Failed != 2 {
			t.Errorf("%d partitions: %+v", partitions, o)
		}
		beginWith(t, w.failuresOf(o), "12 ", "14 s000001: version is -1")
		if got := w.rows(`select subject, priority from q_a.docs where priority <> 1 order by subject`); cmp.Diff([]string{"new 0", "s000001 7"}, got) != "" {
			t.Errorf("%d partitions: %q", partitions, got)
		}
		if n := scanOne[int](w, `select count(*) from fetchq.operation_parts`); n != 0 {
			t.Errorf("%d parts are left", n)
		}
		w.tally("a")
	}
}

// release1 gives an operation back whose claim a test has.
func (w *world) release1(c claim) [16]byte {
	w.t.Helper()
	w.exec(`select fetchq.operation_release('n1')`)
	return c.id
}

func TestALineWhoseDocumentIsLockedForHalfAMinuteIsAFailure(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a")
	w.fill("a", "pending", 0, 3)
	w.hold(`select from q_a.docs where subject = 's000001' for update`)
	o := w.updating("{\"subject\":\"s000000\"}\n{\"subject\":\"s000001\"}\n{\"subject\":\"s000002\"}\n")
	c := w.claimed("n1", 0)
	for range 3 {
		if b, err := w.importBatch(t.Context(), c, 10, false); err != nil || b.state != Running {
			t.Fatalf("%+v, error %v", b, err)
		}
	}
	w.exec(`update fetchq.operations set behind_since = array[behind_since[1] - interval '31 seconds']`)
	if b, err := w.importBatch(t.Context(), c, 10, false); err != nil || b.state != Done || b.items != 1 {
		t.Fatalf("%+v, error %v", b, err)
	}
	if diff := cmp.Diff([]string{"2 s000001: the document was locked by other work for 30 seconds"}, w.failuresOf(o)); diff != "" {
		t.Error(diff)
	}
	if got := w.get(o); got.Done != 2 || got.Failed != 1 {
		t.Errorf("%+v", got)
	}
}

// TestASubjectThatIsBeingInsertedBlocksNoOther has a transaction that inserts a subject and stays open. Who inserts the same one waits for it:
// an import and a move go on with the others, and come back to that one.
func TestASubjectThatIsBeingInsertedBlocksNoOther(t *testing.T) {
	t.Parallel()
	for name, ask := range map[string]func(*world) Operation{
		"import": func(w *world) Operation {
			var text strings.Builder
			for i := range 40 {
				fmt.Fprintf(&text, "{\"subject\":\"s%06d\"}\n", i)
			}
			return w.send("a", NDJSON, text.String())
		},
		"move": func(w *world) Operation {
			w.fill("b", "pending", 0, 40)
			return w.ask(Request{Queue: "b", Action: Move, Filter: all(), ToQueue: "a"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "a", "b")
			end := w.hold(`select fetchq.doc_push_many('a', array['s000003'])`)
			o := ask(w)
			if err := w.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			for deadline := time.Now().Add(30 * time.Second); w.get(o).Done < 39; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("the others wait too: %+v", w.get(o))
				}
			}
			if got := w.get(o); got.Over() {
				t.Errorf("it is over: %+v", got)
			}
			end()
			for deadline := time.Now().Add(30 * time.Second); !w.get(o).Over(); time.Sleep(10 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("it does not end: %+v", w.get(o))
				}
			}
			got := w.get(o)
			if got.State != Done || got.Done != 39 || got.LeftAlone+got.Failed != 1 {
				t.Errorf("%+v", got)
			}
			w.tally("a")
		})
	}
}

// TestLinesThatAnotherNodeHasPushedAreNotPushedAgain has a node that loses its claim to another one and gets it back, and still has its
// old place.
func TestLinesThatAnotherNodeHasPushedAreNotPushedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a")
	o := w.send("a", NDJSON, lines(10, "p"))
	old := w.claimed("n1", 0)
	if _, err := w.importBatch(t.Context(), old, 4, false); err != nil {
		t.Fatal(err)
	}
	other := New(w.db, w.engine, Options{Log: w.Log, Node: "n2", Now: w.Now})
	if _, err := other.importBatch(t.Context(), w.claimed("n2", 11), 3, false); err != nil {
		t.Fatal(err)
	}
	again := w.claimed("n1", 60)
	if b, err := w.importBatch(t.Context(), old, 4, false); err != nil || b.state != lost || w.tally("a") != "pending 7" {
		t.Errorf("%+v, error %v; %s", b, err, w.tally("a"))
	}
	if b, err := w.importBatch(t.Context(), again, 10, false); err != nil || b.state != Done || w.get(o).Created != 10 || w.tally("a") != "pending 10" {
		t.Errorf("%+v, error %v; %s", b, err, w.tally("a"))
	}
}

// TestADocumentThatFitsNoMoreIsCountedThoughItsWorkerHasNoName has a filter by a worker, and a document that somebody without a name took.
func TestADocumentThatFitsNoMoreIsCountedThoughItsWorkerHasNoName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a")
	w.fill("a", "active", 0, 2)
	o := w.ask(Request{Queue: "a", Action: Drop, Filter: &Filter{Status: "active", Worker: "host-7"}})
	w.claim("n1", 0)
	if state, _ := w.step(o, "n1", 1); state != Running {
		t.Fatal(state)
	}
	w.exec(`select fetchq.doc_act_many('a', array['s000001'], array['release'])`)
	w.exec(`select fetchq.doc_pick_many('a', 0, 1, '1 hour')`)
	if state, _ := w.step(o, "n1", 1); state != Done {
		t.Fatal(state)
	}
	if got := w.get(o); got.Done != 1 || got.LeftAlone != 1 || got.Failed != 0 || w.tally("a") != "active 1" {
		t.Errorf("%+v; %s", got, w.tally("a"))
	}
}
