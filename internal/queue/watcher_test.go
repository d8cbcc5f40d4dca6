package queue_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

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
	table string // whose scans uses looks at: docs or logs
	plans []planNode
}

func watch(t *testing.T, url string) *watcher {
	t.Helper()
	w := &watcher{t: t, table: "docs"}
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

// uses makes a call and holds every scan of a queue's documents (or logs) in it against the indexes that it may use, by the
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
		if strings.HasPrefix(n.Relation, w.table) {
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
