package operations

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAMoveTakesDocumentsOverAsTheyAre(t *testing.T) {
	t.Parallel()
	for _, partitions := range [][2]int{{1, 1}, {3, 1}, {1, 3}, {3, 4}} {
		t.Run(fmt.Sprint(partitions), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.put("a", fmt.Sprintf(`{"partitions":%d}`, partitions[0]))
			w.put("b", fmt.Sprintf(`{"partitions":%d}`, partitions[1]))
			w.fill("a", "active", 0, 10)
			w.exec(`update q_a.docs set attempts = 3, iterations = 5, payload = '{"n": 1}', version = 2, priority = 7, last_iteration = now()`)
			w.exec(`select fetchq.queue_recount('a')`)
			w.fill("a", "killed", 10, 20)
			w.fill("a", "completed", 20, 30)
			w.fill("a", "planned", 30, 40)
			w.fill("a", "pending", 40, 50)
			w.exec(`select fetchq.doc_push_many('b', array['s000005', 's000015'], array['{"mine": true}', '{"mine": true}']::jsonb[])`)
			const columns = `subject, payload, size, version, priority, iterations, created_at, last_iteration, picked_at, worker,
				case status when 2 then 1 else status end, attempts - (status = 2)::integer, case when status <> 2 then next_iteration end `
			before := w.rows(`select ` + columns + `from q_a.docs where subject not in ('s000005', 's000015') order by subject`)
			began := time.Now().UnixMicro()
			o := w.do(Request{Queue: "a", Action: Move, Filter: all(), ToQueue: "b", Message: "moved"})
			if o.State != Done || o.Done != 48 || o.Failed != 2 {
				t.Errorf("%+v", o)
			}
			after := w.rows(`select subject, payload, size, version, priority, iterations, created_at, last_iteration, picked_at, worker,
				status, attempts, case when subject >= 's000010' then next_iteration end from q_b.docs where payload <> '{"mine": true}' order by subject`)
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("(-before +after):\n%s", diff)
			}
			if diff := cmp.Diff([]string{"s000005: the subject is taken in to_queue", "s000015: the subject is taken in to_queue"}, w.failuresOf(o)); diff != "" {
				t.Error(diff)
			}
			if w.tally("a") != "killed 1, active 1" || w.tally("b") != "killed 9, planned 10, pending 21, completed 10" {
				t.Errorf("%s; %s", w.tally("a"), w.tally("b"))
			}
			if w.events("a", "forwarded") != 48 || w.events("b", "entered") != 50 || w.events("a", "dropped") != 0 || w.events("a", "logs") != 48 {
				t.Errorf("%d forwarded, %d entered", w.events("a", "forwarded"), w.events("b", "entered"))
			}
			// What a worker held is due now, with a new lease number, and the old one is stale.
			if n := scanOne[int](w, `select count(*) from q_b.docs where lease < $1 and payload <> '{"mine": true}' or ended <> 0`, began); n > 0 {
				t.Errorf("%d documents have old lease numbers", n)
			}
			if n := scanOne[int](w, `select count(distinct seq) from q_b.docs`); n != 50 {
				t.Errorf("%d numbers for 50 documents", n)
			}
			if got := w.tally("b"); got != "killed 9, planned 10, pending 21, completed 10" {
				t.Error(got)
			}
		})
	}
}

func TestAMoveOfLargePayloadsTakesManyBatches(t *testing.T) {
	if testing.Short() {
		t.Skip("moves payloads of megabytes twice")
	}
	t.Parallel()
	w := newWorld(t, "a", "b")
	w.exec(`select count(*) from fetchq.doc_push_many('a', array(select 's' || i from generate_series(1, 40) i),
		array(select jsonb_build_array((select string_agg(md5((i * 100000 + j)::text), '') from generate_series(1, 20000) j)) from generate_series(1, 40) i))`)
	for _, r := range []Request{
		{Queue: "a", Action: Move, Filter: all(), ToQueue: "b"},
		{Queue: "b", Action: Move, Filter: &Filter{Status: "pending"}, ToQueue: "a"}, // as a list
	} {
		o := w.ask(r)
		w.claim("n1", 0)
		batches := 0
		for state := Running; state == Running; batches++ {
			state, _ = w.step(o, "n1", 1000)
		}
		if batches < 5 || batches > 15 || w.get(o).Done != 40 {
			t.Errorf("%d batches for 25 MB, %d documents", batches, w.get(o).Done)
		}
	}
	if w.tally("a") != "pending 40" || w.tally("b") != "" {
		t.Errorf("%s; %s", w.tally("a"), w.tally("b"))
	}
}

// TestMovesInBothDirectionsMeet has two queues whose documents change places, with subjects that both have.
func TestMovesInBothDirectionsMeet(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a", "b")
	w.fill("a", "pending", 0, 3000)
	w.fill("b", "pending", 2000, 5000)
	one := w.ask(Request{Queue: "a", Action: Move, Filter: all(), ToQueue: "b"})
	two := w.ask(Request{Queue: "b", Action: Move, Filter: all(), ToQueue: "a"})
	one, two = w.finish(one), w.finish(two)
	total := scanOne[int](w, `select (select count(*) from q_a.docs) + (select count(*) from q_b.docs)`)
	subjects := scanOne[int](w, `select count(*) from (select subject from q_a.docs union select subject from q_b.docs) t`)
	if one.State != Done || two.State != Done || total != 6000 || subjects != 5000 {
		t.Errorf("%d documents with %d subjects; %+v; %+v", total, subjects, one, two)
	}
	w.tally("a")
	w.tally("b")
}
