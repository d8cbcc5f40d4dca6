package queue_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/queue"
)

// planNode is one node of a plan as auto_explain writes it.
type planNode struct {
	Type     string     `json:"Node Type"`
	Parent   string     `json:"Parent Relationship"`
	Subplan  string     `json:"Subplan Name"`
	Relation string     `json:"Relation Name"`
	Index    string     `json:"Index Name"`
	Plans    []planNode `json:"Plans"`
}

// watcher makes calls on a connection that tells the plan of every statement inside them.
type watcher struct {
	t     *testing.T
	conn  *pgx.Conn
	plans []planNode
}

func watch(t *testing.T, url string) *watcher {
	t.Helper()
	w := &watcher{t: t}
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	cfg.OnNotice = heard(t, func(p planNode) { w.plans = append(w.plans, p) })
	if w.conn, err = pgx.ConnectConfig(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.conn.Close(context.Background()) })
	w.exec(tellPlans)
	return w
}

// tellPlans makes a connection tell the plan of each statement in a notice, those inside functions too.
const tellPlans = `load 'auto_explain'; set auto_explain.log_min_duration = 0; set auto_explain.log_nested_statements = on;
	set auto_explain.log_format = json; set client_min_messages = log`

// heard hands on the plans that notices tell.
func heard(t *testing.T, keep func(planNode)) func(*pgconn.PgConn, *pgconn.Notice) {
	return func(_ *pgconn.PgConn, n *pgconn.Notice) {
		_, text, found := strings.Cut(n.Message, "plan:\n")
		if !found {
			return
		}
		var plan struct{ Plan planNode }
		if err := json.Unmarshal([]byte(text), &plan); err != nil {
			t.Errorf("a plan cannot be read: %v\n%s", err, text)
		}
		keep(plan.Plan)
	}
}

// watched returns an engine, and what returns the plans of the statements that it has run by then.
func watched(t *testing.T, url string) (e *queue.Engine, plans func() []planNode) {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	var all []planNode
	cfg.MaxConns = 1 // the notices come one after the other
	cfg.ConnConfig.OnNotice = heard(t, func(p planNode) { all = append(all, p) })
	cfg.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, tellPlans)
		return err
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return queue.New(pool, queue.Options{Log: slog.New(slog.DiscardHandler), Node: "n", Now: time.Now}), func() []planNode { return all }
}

func (w *watcher) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.conn.Exec(w.t.Context(), sql, args...); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
}

// uses makes a call and holds every scan of a queue's documents in it against the indexes that it may use, by the
// beginnings of their names (an index of a partition is named after it), and wants each of them used.
// Sorts may stand above rows that were read, never below the limit of a scan that locks.
func (w *watcher) uses(name string, indexes []string, sql string, args ...any) {
	w.t.Helper()
	w.plans = nil
	w.exec(sql, args...)
	used := map[string]bool{}
	var walk func(n planNode, locking bool)
	walk = func(n planNode, locking bool) {
		if n.Type == "LockRows" {
			locking = true
		}
		if locking && (n.Type == "Sort" || n.Type == "Incremental Sort") {
			w.t.Errorf("%s: a scan that locks is sorted", name)
		}
		if strings.HasPrefix(n.Relation, "docs") {
			switch {
			case n.Type == "Seq Scan" || n.Type == "Bitmap Heap Scan":
				w.t.Errorf("%s: a %s of %s", name, n.Type, n.Relation)
			case strings.HasSuffix(n.Type, "Scan"):
				known := false
				for _, index := range indexes {
					if isIndex(n.Index, index) {
						used[index], known = true, true
					}
				}
				if !known {
					w.t.Errorf("%s: %s of %s by %q; one of %v is wanted", name, n.Type, n.Relation, n.Index, indexes)
				}
			}
		}
		for _, child := range n.Plans {
			walk(child, locking)
		}
	}
	for _, p := range w.plans {
		walk(p, false)
	}
	for _, index := range indexes {
		if !used[index] {
			w.t.Errorf("%s: the index %s is not used", name, index)
		}
	}
}

// isIndex says whether an index is the one that stands for a column list on the parent: partitions name theirs after the
// table and the columns.
func isIndex(name, want string) bool {
	if name == want {
		return true
	}
	columns := map[string]string{
		"docs_pkey": "_pkey", "docs_due": "_version_priority_next_iteration_seq_idx", "docs_planned": "_version_next_iteration_idx",
		"docs_active": "_next_iteration_idx", "docs_finished": "_status_last_iteration_seq_idx",
	}[want]
	table, found := strings.CutSuffix(name, columns)
	return found && strings.HasPrefix(table, "docs_p") && !strings.Contains(strings.TrimPrefix(table, "docs_p"), "_")
}

func TestThePlansOfHotStatements(t *testing.T) {
	if testing.Short() {
		t.Skip("fills a queue with 200,000 documents")
	}
	t.Parallel()
	for _, partitions := range []int{1, 8} {
		t.Run(fmt.Sprintf("%d partitions", partitions), func(t *testing.T) {
			t.Parallel()
			w := watch(t, dbtest.URL(t))
			fill(w, partitions)
			pkey := []string{"docs_pkey"}
			none := []string{}
			w.uses("push", none, `select fetchq.doc_push_many('a', array['new 1', 'new 2', 's 1'])`)
			w.uses("push with update", pkey, `select fetchq.doc_push_many('a', array['new 3', 's 1'], p_on_conflict => 'update')`)
			w.uses("pick", []string{"docs_due", "docs_pkey"}, `select fetchq.doc_pick_many('a', 0, 100, p_partition => 0)`)
			w.uses("pick from a mark", []string{"docs_due", "docs_pkey"}, `select fetchq.doc_pick_many('a', 0, 100, p_mark_partitions => array[0],
				p_mark_priorities => array[0], p_mark_dates => array['2020-01-01'::timestamptz], p_mark_seqs => array[0], p_partition => 0)`)
			w.uses("pick that comes back short", []string{"docs_due", "docs_planned", "docs_pkey"},
				`select fetchq.doc_pick_many('a', 1, 100, p_now => clock_timestamp() + interval '1 day')`)
			w.exec(`select fetchq.doc_pick_many('a', 0, 10, '1 hour', p_key => 'again')`)
			w.uses("pick again under a key", pkey, `select fetchq.doc_pick_many('a', 0, 10, '1 hour', p_key => 'again')`)
			for _, action := range []string{"complete", "reject", "kill", "drop"} {
				w.uses("resolve: "+action, pkey, `select fetchq.doc_resolve_many('a', array['s 150000', 's 150001'], array[1, 2], array[$1, $1])`, action)
			}
			w.uses("admin", pkey, `select fetchq.doc_act_many('a', array['s 150000', 's 5'], array['run_now', 'run_now'])`)
			w.uses("extend", pkey, `select fetchq.doc_extend_many('a', array['s 150000', 's 150001'], array[1, 2])`)
			w.uses("mark due", []string{"docs_planned", "docs_pkey"}, `select fetchq.mnt_mark_due('a', 1000, clock_timestamp() + interval '2 days')`)
			w.uses("next due", []string{"docs_planned"}, `select fetchq.mnt_next_due('a')`)
			w.uses("orphans", []string{"docs_active", "docs_pkey", "docs_planned"}, `select fetchq.mnt_orphans('a', 1000, clock_timestamp() + interval '1 day')`)
			w.uses("next orphan", []string{"docs_active"}, `select fetchq.mnt_next_orphan('a')`)
			w.exec(`select fetchq.queue_set('a', '{"completed_retention": "1 hour"}')`)
			w.uses("expire", []string{"docs_finished", "docs_pkey"}, `select fetchq.mnt_expire('a', 1000, clock_timestamp() + interval '1 day')`)
			w.uses("oldest due", []string{"docs_due"}, `select fetchq.queue_oldest_due('a')`)
			w.uses("list planned", []string{"docs_planned"}, `select fetchq.docs_by_next('a', 0, p_version => null, p_priority => null, p_date => '2020-01-01', p_seq => 0, p_limit => 50)`)
			w.uses("list pending", []string{"docs_due"}, `select fetchq.docs_by_next('a', 1, p_version => null, p_priority => null, p_date => '2020-01-01', p_seq => 0, p_limit => 50)`)
			w.uses("list planned back", []string{"docs_planned"}, `select fetchq.docs_by_next('a', 0, null, null, now() + interval '1 day', 0, 50, true)`)
			w.uses("list pending back", []string{"docs_due"}, `select fetchq.docs_by_next('a', 1, null, null, now(), 0, 50, true)`)
			w.uses("trace", pkey, `select fetchq.trace('s 5')`)
		})
	}
}

// fill makes a queue of 200,000 documents: pending, planned, active and completed ones, and dead rows of picks.
func fill(w *watcher, partitions int) {
	w.t.Helper()
	w.exec(`set auto_explain.log_min_duration = -1`)
	w.exec(fmt.Sprintf(`select fetchq.queue_put('a', '{"partitions": %d}')`, partitions))
	w.exec(`select count(*) from (
			select array_agg('s ' || i) as s, array_agg(case when i % 4 = 0 then interval '1 hour' end) as d, array_agg((i % 8 = 0)::integer) as v,
				array_agg(i % 3) as p
			from generate_series(0, 199999) i group by i / 10000
		) g cross join lateral fetchq.doc_push_many('a', g.s, null, g.v, g.p, null, g.d)`)
	w.exec(`select count(*) from generate_series(1, 20) i cross join lateral fetchq.doc_pick_many('a', 0, 1000, '1 hour', i::text)`)
	w.exec(`select count(*) from (
			select array_agg(subject) as s, array_agg(lease) as l, array_agg('complete'::text) as a
			from (select subject, lease, row_number() over () as n from q_a.docs where status = 2 limit 15000) d group by n / 1000
		) g cross join lateral fetchq.doc_resolve_many('a', g.s, g.l, g.a)`)
	w.exec(`analyze q_a.docs`)
	w.exec(`set auto_explain.log_min_duration = 0`)
}
