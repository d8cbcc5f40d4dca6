package catalog

import (
	"context"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/internal/backup"
	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/operations"
	"github.com/fetchq/server/internal/queue"
)

// world is a database with a destination in a folder, named here.
type world struct {
	t      *testing.T
	db     *pgxpool.Pool
	engine *queue.Engine
	jobs   *operations.Service
	s      *Service // not started: tests call what its loop does
	dir    string
}

var ann = operations.Asked{By: "ann@example.org", As: "user", From: "192.0.2.1"}

func newWorld(t *testing.T) *world {
	t.Helper()
	db := dbtest.New(t)
	log := slog.New(slog.DiscardHandler)
	w := &world{t: t, db: db, dir: t.TempDir()}
	w.engine = queue.New(db, queue.Options{Log: log, Node: "test", Now: time.Now})
	t.Cleanup(w.engine.Stop)
	w.jobs = operations.New(db, w.engine, operations.Options{Log: log, Node: "test", Now: time.Now, ImportLimit: 1 << 20})
	t.Cleanup(w.jobs.Stop)
	w.s = w.node("test", nil)
	if _, err := w.s.PutDestination(t.Context(), Destination{Name: "here", URL: w.url()}, "ann"); err != nil {
		t.Fatal(err)
	}
	return w
}

// node is the service of another node, with some variables in its environment.
func (w *world) node(name string, env map[string]string) *Service {
	connect := func(ctx context.Context) (*pgx.Conn, error) { return pgx.ConnectConfig(ctx, w.db.Config().ConnConfig) }
	log := slog.New(slog.DiscardHandler)
	s := New(Options{
		DB: w.db, Backups: backup.New(backup.Options{Program: "test", Log: log, Connect: connect}), Operations: w.jobs, Engine: w.engine, Log: log, Node: name, Now: time.Now,
		Secret: func(name string) (string, bool) { text, there := env[name]; return text, there },
	})
	w.t.Cleanup(s.Stop)
	return s
}

func (w *world) url() string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(w.dir)}).String()
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.db.Exec(w.t.Context(), sql, args...); err != nil {
		w.t.Fatalf("%v, in: %.300s", err, sql)
	}
}

func (w *world) number(sql string, args ...any) (n int) {
	w.t.Helper()
	if err := w.db.QueryRow(w.t.Context(), sql, args...).Scan(&n); err != nil {
		w.t.Fatalf("%v, in: %.300s", err, sql)
	}
	return n
}

// fill makes a queue with n documents.
func (w *world) fill(name string, n int) {
	w.t.Helper()
	if _, _, err := w.engine.Put(w.t.Context(), name, nil); err != nil {
		w.t.Fatal(err)
	}
	w.exec(`select count(*) from fetchq.doc_push_many($1, (select array_agg('s' || i order by i) from generate_series(1, $2::int) i))`, name, n)
}

// work does all that is asked for, and returns the last operation as it stands then.
func (w *world) work(o operations.Operation, err error) operations.Operation {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	for {
		n, err := w.s.runOnce(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		w.s.work.Wait()
		if n == 0 {
			break
		}
	}
	return w.get(o)
}

func (w *world) get(o operations.Operation) operations.Operation {
	w.t.Helper()
	o, err := w.jobs.Get(w.t.Context(), o.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

// made makes a backup, and returns its name.
func (w *world) made(queues ...string) string {
	w.t.Helper()
	o := w.work(w.s.Run(w.t.Context(), Asks{Destination: "here", Queues: queues}, ann, Repeat{}))
	if o.State != operations.Done {
		w.t.Fatalf("%s: %v", o.State, *told(errs.New(errs.Internal, "%v", o.Error)))
	}
	return ToldOf(o).Name
}

// files are the names of what stands in the folder.
func (w *world) files() (names []string) {
	w.t.Helper()
	list, err := os.ReadDir(w.dir)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range list {
		names = append(names, f.Name())
	}
	return names
}
