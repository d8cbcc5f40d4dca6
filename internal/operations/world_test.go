package operations

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a database with a service that is not started: a test makes its rounds.
type world struct {
	*Service
	t   *testing.T
	url string
}

func newWorld(t *testing.T, queues ...string) *world {
	t.Helper()
	url := dbtest.URL(t)
	w := node(t, url, "n1")
	for _, name := range queues {
		w.put(name, `{}`)
	}
	return w
}

// node is one more node on a database.
func node(t *testing.T, url, name string) *world {
	t.Helper()
	db := dbtest.Open(t, url)
	e := queue.New(db, queue.Options{Log: slog.New(slog.DiscardHandler), Node: name, Now: time.Now})
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Stop)
	s := New(db, e, Options{Log: slog.New(slog.DiscardHandler), Node: name, Now: time.Now, ImportLimit: 64 << 20})
	t.Cleanup(s.Stop)
	return &world{s, t, url}
}

func (w *world) put(name, settings string) {
	w.t.Helper()
	if _, _, err := w.engine.Put(w.t.Context(), name, json.RawMessage(settings)); err != nil {
		w.t.Fatal(err)
	}
}

// exec runs a statement, and scan one that returns a single value.
func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.db.Exec(w.t.Context(), sql, args...); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
}

func scanOne[T any](w *world, sql string, args ...any) T {
	w.t.Helper()
	var v T
	if err := w.db.QueryRow(w.t.Context(), sql, args...).Scan(&v); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
	return v
}

// rows returns the rows of a statement as lines of text.
func (w *world) rows(sql string, args ...any) []string {
	w.t.Helper()
	rows, err := w.db.Query(w.t.Context(), sql, args...)
	if err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
	lines, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) {
		values, err := row.Values()
		return strings.TrimSuffix(fmt.Sprintln(values...), "\n"), err
	})
	if err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
	return lines
}

// fill pushes documents s000000, s000001 and so on into a queue; state says how they are left: pending, planned, active, completed or
// killed. Those of one call are of one state.
func (w *world) fill(name, state string, from, to int) {
	w.t.Helper()
	for ; from < to; from += 10_000 {
		last := min(from+10_000, to) - 1
		delay := "'0'"
		if state == "planned" {
			delay = "'1 hour'"
		}
		w.exec(`select count(*) from fetchq.doc_push_many($1, array(select 's' || lpad(i::text, 6, '0') from generate_series($2::int, $3::int) i),
			p_delays => array_fill(`+delay+`::interval, array[$3 - $2 + 1]))`, name, from, last)
		const these = `array(select 's' || lpad(i::text, 6, '0') from generate_series($2::int, $3::int) i)`
		switch state {
		case "killed", "completed":
			w.exec(`select count(*) from fetchq.doc_act_many($1, `+these+`, array_fill($4::text, array[$3 - $2 + 1]))`, name, from, last,
				map[string]string{"killed": "kill", "completed": "complete"}[state])
		case "active":
			for picked := 1; picked > 0; {
				picked = scanOne[int](w, `select count(*) from fetchq.doc_pick_many($1, 0, 1000, '1 hour', 'host-7')`, name)
			}
		}
	}
}

// ask asks for an operation.
func (w *world) ask(r Request) Operation {
	w.t.Helper()
	if r.Asked == (Asked{}) {
		r.Asked = Asked{By: "somebody", As: "user", From: "127.0.0.1", RequestID: "r1"}
	}
	o, err := w.Create(w.t.Context(), r)
	if err != nil {
		w.t.Fatalf("%+v: %v", r, err)
	}
	return o
}

// all is the filter that everything fits.
func all() *Filter { return &Filter{} }

// finish makes rounds until an operation is over.
func (w *world) finish(o Operation) Operation {
	w.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		if _, err := w.runOnce(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
		w.work.Wait()
		now := w.get(o)
		if now.Over() {
			return now
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("after a minute: %+v", now)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// do asks for an operation and finishes it.
func (w *world) do(r Request) Operation {
	w.t.Helper()
	return w.finish(w.ask(r))
}

func (w *world) get(o Operation) Operation {
	w.t.Helper()
	now, err := w.Get(w.t.Context(), o.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return now
}

// failuresOf are those of an operation as text.
func (w *world) failuresOf(o Operation) []string {
	w.t.Helper()
	list, err := w.Failures(w.t.Context(), o.ID, queue.MaxList, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	lines := []string{}
	for _, f := range list {
		line := f.Detail
		if f.Subject != nil {
			line = *f.Subject + ": " + line
		}
		if f.Line != nil {
			line = fmt.Sprint(*f.Line, " ", line)
		}
		lines = append(lines, line)
	}
	return lines
}

// tally counts documents by status, as the table has them; it fails where the counters say otherwise.
func (w *world) tally(name string) string {
	w.t.Helper()
	const counted = `select coalesce(string_agg(case status when -1 then 'killed' when 0 then 'planned' when 1 then 'pending' when 2 then 'active' else 'completed' end
		|| ' ' || n, ', ' order by status), '') from `
	got := scanOne[string](w, counted+`(select status, count(*) as n from `+pgx.Identifier{"q_" + name, "docs"}.Sanitize()+` group by status) t`)
	said := scanOne[string](w, counted+`(select t.* from (select sum(planned) p, sum(pending) d, sum(active) a, sum(completed) c, sum(killed) k
		from fetchq.queue_counters($1)) s cross join lateral (values (0, p), (1, d), (2, a), (3, c), (-1, k)) t (status, n) where n <> 0) t`, name)
	if got != said {
		w.t.Errorf("the table of %s has %s, its counters %s", name, got, said)
	}
	return got
}

// events returns a counter of events of a queue.
func (w *world) events(name, event string) int {
	w.t.Helper()
	return scanOne[int](w, `select fetchq.metric_get($1, $2)`, name, event)
}

// step makes one batch of an operation as a node.
func (w *world) step(o Operation, node string, size int) (state string, items int) {
	w.t.Helper()
	err := w.db.QueryRow(w.t.Context(), `select state, items from fetchq.operation_step($1, $2, $3)`, o.ID, node, size).Scan(&state, &items)
	if err != nil {
		w.t.Fatal(err)
	}
	return state, items
}

// claim claims as a node, at a moment so many seconds ahead, and returns the queues of what it got.
func (w *world) claim(node string, ahead float64) string {
	w.t.Helper()
	return scanOne[string](w, `select coalesce(string_agg(queue, ' ' order by number), '')
		from fetchq.operation_claim($1, 10, clock_timestamp() + $2 * interval '1 second')`, node, ahead)
}

func asError(err error, to **errs.Error) bool { return errors.As(err, to) }
