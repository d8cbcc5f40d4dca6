package operations

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/errs"
)

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

func TestAMoveDoesNotGoOnIntoAnotherQueueOfTheSameName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a", "b")
	w.fill("a", "pending", 0, 10)
	o := w.ask(Request{Queue: "a", Action: Move, Filter: all(), ToQueue: "b"})
	w.claim("n1", 0)
	if state, _ := w.step(o, "n1", 4); state != Running || w.tally("b") != "pending 4" {
		t.Fatalf("%s: %s", state, w.tally("b"))
	}
	w.exec(`select fetchq.queue_drop('b')`)
	w.put("b", `{}`)
	w.exec(`select fetchq.operation_release('n1')`)
	if o = w.finish(o); o.State != Failed || o.Done != 4 || o.Error == nil || *o.Error != "to_queue was made anew since this was asked for" {
		t.Errorf("%+v", o)
	}
	if w.tally("a") != "pending 6" || w.tally("b") != "" {
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
	queued, named, acted, printed := r, r, r, r
	queued.Queue = "b"
	named.Subjects = []string{"s000001"}
	acted.Action = Drop
	printed.Print = []byte("of another body")
	for name, r := range map[string]Request{"another queue": queued, "other subjects": named, "another action": acted, "another body": printed} {
		_, err := w.Create(t.Context(), r)
		checkRefusal(t, name+" under the same key", err, errs.Invalid, "idempotency_key")
	}
	if w.tally("a") != "killed 1, pending 2" {
		t.Error(w.tally("a"))
	}
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

// TestOneStatementRemovesNoMoreThanItsLimit has old operations with many failures.
func TestOneStatementRemovesNoMoreThanItsLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a")
	for range 3 {
		w.do(Request{Queue: "a", Action: Drop, Subjects: []string{"n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8", "n9", "n10"}})
	}
	w.exec(`update fetchq.operations set finished_at = finished_at - interval '31 days'`)
	for left, before := 1, 33; left > 0; {
		w.exec(`select fetchq.operations_tidy(4)`)
		left = scanOne[int](w, `select (select count(*) from fetchq.operation_failures) + (select count(*) from fetchq.operations)`)
		if gone := before - left; gone < 1 || gone > 2*4 {
			t.Fatalf("%d rows went at once", gone)
		}
		before = left
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
