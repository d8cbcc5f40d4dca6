package operations

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
)

// undo asks for an undo and finishes it.
func (w *world) undo(o Operation) Operation {
	w.t.Helper()
	u, err := w.Undo(w.t.Context(), o.ID, Asked{By: "ann", As: "user"})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.finish(u)
}

const (
	// What a document is, but for its lease; what was active is due again, without the attempt.
	likeBefore = `select subject, priority, version, iterations, last_iteration, case status when 2 then 1 else status end, attempts - (status = 2)::integer,
		case when status <> 2 then next_iteration end from q_a.docs order by subject`
	asNow = `select subject, priority, version, iterations, last_iteration, status, attempts, case when subject not between 's000020' and 's000029' then next_iteration end
		from q_a.docs order by subject`
)

// aged has ten documents of each status, of which the active ones are s000020 to s000029.
func aged(t *testing.T, partitions int) *world {
	t.Helper()
	w := newWorld(t)
	w.put("a", fmt.Sprintf(`{"partitions":%d}`, partitions))
	w.put("b", `{}`)
	w.fill("a", "active", 20, 30)
	for i, state := range []string{"killed", "planned", "", "completed", "pending"} {
		if state != "" {
			w.fill("a", state, 10*i, 10*i+10)
		}
	}
	w.exec(`update q_a.docs set priority = 3, attempts = 2, iterations = 5 where subject < 's000030'`)
	w.exec(`select fetchq.queue_recount('a')`)
	return w
}

func TestAnUndoPutsDocumentsBack(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]Request{
		"kill":         {Action: Kill, Message: "by mistake"},
		"reschedule":   {Action: Reschedule, Next: wire.Date{At: time.Now().Add(24 * time.Hour)}},
		"into the due": {Action: Reschedule, Next: wire.Date{At: time.Now().Add(-time.Hour)}},
	} {
		for _, partitions := range []int{1, 3} {
			t.Run(fmt.Sprint(name, partitions), func(t *testing.T) {
				t.Parallel()
				w := aged(t, partitions)
				before := w.rows(likeBefore)
				r.Queue, r.Filter = "a", all()
				o := w.do(r)
				if diff := cmp.Diff(before, w.rows(asNow)); diff == "" {
					t.Fatalf("%+v changed nothing", o)
				}
				u := w.undo(o)
				if u.State != Done || u.Done != o.Done || u.LeftAlone+u.Failed != 0 || u.Undoes == nil || *u.Undoes != o.ID || u.AskedBy != "ann" {
					t.Errorf("%+v", u)
				}
				if diff := cmp.Diff(before, w.rows(asNow)); diff != "" {
					t.Errorf("(-before +after the undo):\n%s", diff)
				}
				if got := w.tally("a"); got != "killed 10, planned 10, pending 20, completed 10" {
					t.Error(got)
				}
				if n := scanOne[int](w, `select count(*) from fetchq.operations where action = 'undo'`); n != 1 {
					t.Errorf("%d undos", n)
				}
				// What was due is found by a pick at once.
				if picked, err := w.engine.Pick(t.Context(), "a", queue.PickParams{Limit: 100}); err != nil || len(picked.Documents) != 20 {
					t.Errorf("%d documents are picked behind it, 20 are wanted; %v", len(picked.Documents), err)
				}
			})
		}
	}
}

func TestAnUndoOfPrioritiesLeavesTheRestAsItIs(t *testing.T) {
	t.Parallel()
	w := aged(t, 1)
	const sql = `select subject, priority, status, case when status = 2 then lease end, attempts, iterations, next_iteration from q_a.docs order by subject`
	before := w.rows(sql)
	o := w.do(Request{Queue: "a", Action: SetPriority, Priority: new(9), Filter: all()})
	if u := w.undo(o); u.Done != 50 {
		t.Errorf("%+v", u)
	}
	if diff := cmp.Diff(before, w.rows(sql)); diff != "" {
		t.Errorf("(-before +after the undo):\n%s", diff)
	}
	if got := w.tally("a"); got != "killed 10, planned 10, pending 10, active 10, completed 10" {
		t.Error(got)
	}
}

func TestAnUndoLeavesAloneWhatWasChangedSince(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a")
	w.fill("a", "pending", 0, 30)
	o := w.do(Request{Queue: "a", Action: Reschedule, Next: wire.Date{At: time.Now().Add(-time.Hour)}, Filter: all()})
	if picked, err := w.engine.Pick(t.Context(), "a", queue.PickParams{Limit: 4}); err != nil || len(picked.Documents) != 4 {
		t.Fatal(err)
	}
	acts := []queue.Resolution{{Subject: "s000029", Action: "kill"}, {Subject: "s000028", Action: "edit", Priority: new(3)}, {Subject: "s000027", Action: "drop"}}
	if _, err := w.engine.Act(t.Context(), "a", acts); err != nil {
		t.Fatal(err)
	}
	if u := w.undo(o); u.State != Done || u.Done != 23 || u.LeftAlone != 7 || u.Failed != 0 {
		t.Errorf("%+v", u)
	}
	if got := w.tally("a"); got != "killed 1, pending 24, active 4" {
		t.Error(got)
	}
}

func TestAnUndoOfAMoveTakesDocumentsBack(t *testing.T) {
	t.Parallel()
	w := aged(t, 1)
	w.fill("b", "pending", 100, 105)
	before := w.rows(likeBefore)
	o := w.do(Request{Queue: "a", Action: Move, ToQueue: "b", Filter: all()})
	if _, err := w.engine.Act(t.Context(), "b", []queue.Resolution{{Subject: "s000040", Action: "kill"}}); err != nil {
		t.Fatal(err)
	}
	u := w.undo(o)
	if u.State != Done || u.Done != 49 || u.LeftAlone != 1 || u.Queue != "b" || *u.ToQueue != "a" {
		t.Errorf("%+v", u)
	}
	if diff := cmp.Diff(withoutLine(before, "s000040 "), w.rows(asNow)); diff != "" {
		t.Errorf("(-before +after the undo):\n%s", diff)
	}
	if w.tally("b") != "killed 1, pending 5" {
		t.Error(w.tally("b"))
	}
	if w.events("b", "forwarded") != 49 || w.events("a", "forwarded") != 50 {
		t.Errorf("%d and %d are forwarded", w.events("b", "forwarded"), w.events("a", "forwarded"))
	}
}

func TestAnUndoSaysWhyItCannotBe(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a", "b")
	w.fill("a", "pending", 0, 10)
	refused := func(o Operation, want string) {
		t.Helper()
		why, err := w.WhyNoUndo(t.Context(), o.ID)
		_, asked := w.Undo(t.Context(), o.ID, Asked{By: "ann", As: "user"})
		if err != nil || !strings.Contains(why, want) || asked == nil || !strings.Contains(asked.Error(), want) {
			t.Errorf("%q, %v, %v; %q is wanted", why, err, asked, want)
		}
	}
	kill := Request{Queue: "a", Action: Kill, Filter: all()}
	refused(w.ask(Request{Queue: "b", Action: Kill, Filter: all()}), "it is not over")
	o := w.do(kill)
	refused(w.do(kill), "changed nothing")
	refused(w.do(Request{Queue: "a", Action: Drop, Subjects: []string{"s000001"}}), "drop cannot be undone")
	w.exec(`update fetchq.operations set done = 100001 where id = $1`, o.ID)
	refused(o, "more than 100,000")
	w.exec(`update fetchq.operations set done = 10, finished_at = finished_at - interval '11 minutes' where id = $1`, o.ID)
	refused(o, "more than 10 minutes ago")
	if n := scanOne[int](w, `select count(*) from fetchq.operation_undo where operation = $1`, o.ID); n != 10 {
		t.Errorf("%d documents are kept, 10 are wanted", n)
	}
	w.exec(`select fetchq.operations_tidy()`)
	if n := scanOne[int](w, `select count(*) from fetchq.operation_undo`); n != 0 {
		t.Errorf("%d documents are kept of what is too old", n)
	}
	o = w.do(Request{Queue: "a", Action: Reschedule, Next: wire.Date{At: time.Now()}, Filter: all()})
	w.undo(o)
	refused(o, "undone already")
	w.fill("b", "pending", 0, 5)
	gone := w.do(Request{Queue: "b", Action: Kill, Filter: all()})
	if err := w.engine.Drop(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	refused(gone, "its queue is gone")
}

// withoutLine leaves out the line that begins so.
func withoutLine(lines []string, prefix string) (out []string) {
	for _, l := range lines {
		if !strings.HasPrefix(l, prefix) {
			out = append(out, l)
		}
	}
	return out
}
