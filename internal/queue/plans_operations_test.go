package queue_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/fetchq/server/internal/dbtest"
)

// operation asks for an operation in the queue a, claims it, and returns its id.
func (w *watcher) operation(action, filter string, args ...string) (id string) {
	w.t.Helper()
	w.exec(`set auto_explain.log_min_duration = -1`)
	w.exec(`select fetchq.operation_cancel(id) from fetchq.operations where state in ('waiting', 'running')`)
	arg := func(i int) (v *string) {
		if len(args) > i && args[i] != "" {
			v = &args[i]
		}
		return v
	}
	err := w.conn.QueryRow(w.t.Context(), `select id from fetchq.operation_add('a', $1, $2::jsonb, case when $2 is null then array['s 5', 's 150000', 'x'] end, $3, $4::integer)`,
		action, optionalText(filter), arg(0), arg(1)).Scan(&id)
	if err != nil {
		w.t.Fatal(err)
	}
	w.exec(`select fetchq.operation_claim('n', 10)`)
	w.exec(`set auto_explain.log_min_duration = 0`)
	return id
}

func optionalText(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func TestThePlansOfOperations(t *testing.T) {
	if testing.Short() {
		t.Skip("fills a queue with 200,000 documents")
	}
	t.Parallel()
	for _, partitions := range []int{1, 8} {
		t.Run(fmt.Sprintf("%d partitions", partitions), func(t *testing.T) {
			t.Parallel()
			w := watch(t, dbtest.URL(t))
			fill(w, partitions)
			w.exec(`set auto_explain.log_min_duration = -1`)
			w.exec(`select fetchq.queue_put('b')`)
			w.exec(`select fetchq.doc_act_many('a', array(select 's ' || i from generate_series(190000, 192000) i), array_fill('kill'::text, array[2001]))`)
			w.exec(`analyze q_a.docs`)
			pkey := []string{"docs_pkey"}
			const step = `select fetchq.operation_step($1, 'n', 1000)`
			twice := func(name string, first, then []string, id string) {
				t.Helper()
				w.uses(name+", the first batch", first, step, id)
				w.uses(name+", the second batch", then, step, id)
			}
			twice("all", pkey, pkey, w.operation("kill", `{}`))
			twice("by priority", pkey, pkey, w.operation("set_priority", `{"priority": 1}`, "", "7"))
			twice("by prefix", pkey, pkey, w.operation("complete", `{"subject_prefix": "s 19"}`))
			finished := []string{"docs_finished", "docs_pkey"}
			twice("completed", finished, finished, w.operation("drop", `{"status": "completed"}`))
			twice("killed", finished, finished, w.operation("retry", `{}`))
			twice("planned, as a list", []string{"docs_planned", "docs_pkey"}, pkey, w.operation("run_now", `{"status": "planned"}`))
			twice("planned, by date", []string{"docs_planned", "docs_pkey"}, pkey, w.operation("run_now", `{"status": "planned", "due_after": "2020-01-01"}`))
			twice("active, as a list", []string{"docs_active", "docs_pkey"}, pkey, w.operation("kill", `{"status": "active"}`))
			twice("pending, more than a list takes", []string{"docs_due", "docs_pkey"}, pkey, w.operation("kill", `{"status": "pending"}`))
			twice("a move", pkey, pkey, w.operation("move", `{}`, "b"))
			w.uses("a move of names", pkey, step, w.operation("move", "", "b"))
			w.uses("names", pkey, step, w.operation("retry", ""))
			const count = `select fetchq.operation_count('a', $1, $2::jsonb)`
			w.uses("count by the counters", []string{}, count, "drop", `{"status": "completed"}`)
			w.uses("count all", pkey, count, "drop", `{}`)
			w.uses("count a prefix", pkey, count, "drop", `{"subject_prefix": "s 1", "status": "completed"}`)
			w.uses("count completed", []string{"docs_finished"}, count, "drop", `{"status": "completed", "attempts_min": 1}`)
			w.uses("count active", []string{"docs_active"}, count, "drop", `{"status": "active", "worker": "x"}`)
			w.uses("count planned", []string{"docs_planned", "docs_pkey"}, count, "drop", `{"status": "planned", "priority": 2}`)
		})
	}
}

// TestABatchOfAnOperationCostsTheSameWhereverItIs has a small and a large queue, and a snapshot that keeps whatever the batches leave behind.
func TestABatchOfAnOperationCostsTheSameWhereverItIs(t *testing.T) {
	if testing.Short() || dbtest.Raced {
		t.Skip("fills a queue with 200,000 documents; make bugs runs it")
	}
	t.Parallel()
	url := dbtest.URL(t)
	w := watch(t, url)
	w.exec(`set auto_explain.log_min_duration = -1`)
	for name, documents := range map[string]int{"small": 10_000, "large": 200_000} {
		w.exec(`select fetchq.queue_put($1)`, name)
		w.exec(`select count(*) from (select array_agg('s' || lpad(i::text, 6, '0')) as s from generate_series(1, $2::int) i group by i / 10000) g
			cross join lateral fetchq.doc_push_many($1, g.s)`, name, documents)
		w.exec(`select count(*) from (select array_agg('s' || lpad(i::text, 6, '0')) as s from generate_series(1, $2::int) i group by i / 10000) g
			cross join lateral fetchq.doc_act_many($1, g.s, array_fill('kill'::text, array[cardinality(g.s)]))`, name, documents)
		w.exec(`vacuum analyze q_` + name + `.docs`)
	}
	snapshot, err := dbtest.Open(t, url).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = snapshot.Rollback(t.Context()) }()
	if _, err := snapshot.Exec(t.Context(), `set transaction isolation level repeatable read; select count(*) from q_large.gate`); err != nil {
		t.Fatal(err)
	}
	pages := func(id string) (n int) {
		t.Helper()
		var text string
		if err := w.conn.QueryRow(t.Context(), `explain (analyze, buffers, format json) select fetchq.operation_step('`+id+`', 'n', 500)`).Scan(&text); err != nil {
			t.Fatal(err)
		}
		var plan []struct {
			Plan struct {
				Hit  int `json:"Shared Hit Blocks"`
				Read int `json:"Shared Read Blocks"`
			}
		}
		if err := json.Unmarshal([]byte(text), &plan); err != nil {
			t.Fatal(err)
		}
		return plan[0].Plan.Hit + plan[0].Plan.Read
	}
	for _, asked := range [][2]string{{"retry", `{"status": "killed"}`}, {"reschedule", `{}`}} { // in this order: nothing is killed after it
		action, filter := asked[0], asked[1]
		cost := map[string]int{}
		for _, name := range []string{"small", "large"} {
			var id string
			err := w.conn.QueryRow(t.Context(), `select id from fetchq.operation_add($1, $2, $3, p_date => case when $2 = 'reschedule' then now() end)`, name, action, filter).Scan(&id)
			if err != nil {
				t.Fatal(err)
			}
			w.exec(`select fetchq.operation_claim('n', 10)`)
			w.exec(`select fetchq.operation_step($1, 'n', 500)`, id) // chooses the way
			cost[name] = pages(id)
			for range 300 {
				w.exec(`select fetchq.operation_step($1, 'n', 500)`, id)
			}
			if name == "large" {
				cost["behind 150,000"] = pages(id)
			}
			w.exec(`select fetchq.operation_cancel($1)`, id)
		}
		t.Logf("%s: %v pages", action, cost)
		// Twenty times as many documents make the trees a level higher, which is a quarter of the pages; a batch that looked again at what
		// those before it have left behind would read thousands more with each.
		for name, n := range cost {
			if most := cost["small"] * 3 / 2; n > most || n < 500 {
				t.Errorf("%s: a batch of 500 touches %d pages in %s; %d at most are wanted", action, n, name, most)
			}
		}
	}
}
