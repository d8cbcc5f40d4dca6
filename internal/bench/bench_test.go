package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/internal/app"
	"github.com/fetchq/server/internal/config"
	"github.com/fetchq/server/internal/dbtest"
)

// open returns a benchmark on a database of its own, with a server in this process, and a pool to look at what it does.
func open(t *testing.T) (*Bench, *pgxpool.Pool) {
	t.Helper()
	ctx, quiet := context.Background(), slog.New(slog.DiscardHandler)
	cfg := config.Config{DatabaseURL: dbtest.URL(t), PoolSize: 10, DrainTimeout: time.Second}
	tools, err := app.OpenTools(ctx, cfg, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tools.Close(ctx) })
	node, err := tools.Node(ctx, cfg, "test", quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.Stop(ctx) })
	_, token, err := tools.Tokens.Create(ctx, "bench", []string{"read", "push", "work"}, []string{"bench_*"}, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	b, err := Open(ctx, Target{DatabaseURL: cfg.DatabaseURL, ServerURL: "http://" + node.Addr(), Token: token, Settle: node.Settle, Local: true, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b, dbtest.Open(t, cfg.DatabaseURL)
}

// nothingLeft wants every queue and schema of benchmarks to be gone.
func nothingLeft(t *testing.T, db *pgxpool.Pool) {
	t.Helper()
	var queues, schemas int
	err := db.QueryRow(context.Background(), `select (select count(*) from fetchq.queues where name ~ '^bench_[a-z2-7]{20}$'),
		(select count(*) from pg_namespace where nspname ~ '^(q|raw)_bench_[a-z2-7]{20}$')`).Scan(&queues, &schemas)
	if err != nil || queues+schemas > 0 {
		t.Errorf("%d queues and %d schemas are left, error %v", queues, schemas, err)
	}
}

// TestDocumentsCountedAreRowsChanged runs every workload by every door, and compares what it says with what stands in the table.
func TestDocumentsCountedAreRowsChanged(t *testing.T) {
	t.Parallel()
	b, db := open(t)
	b.listRuns = 2
	for _, w := range workloads() {
		if testing.Short() && (w.name == "due" || w.name == "polls") {
			continue // these take seconds
		}
		doors := w.doors
		if w.raw == w.name {
			doors = append([]string{ByRaw}, doors...)
		}
		for _, door := range doors {
			var rows, completed, taken, planned, visits int64
			b.inspect = func(ctx context.Context, r *run) {
				err := db.QueryRow(ctx, `select count(*), count(*) filter (where status = 3), count(*) filter (where status = 2),
					count(*) filter (where status = 0), coalesce(sum(iterations), 0) from `+r.table("docs")).Scan(&rows, &completed, &taken, &planned, &visits)
				if err != nil {
					t.Error(err)
				}
			}
			o := Options{Workload: w.name, By: door, Duration: 150 * time.Millisecond, Connections: 2, Queues: 2}
			if w.lays {
				o.Backlog, o.Planned, o.Batch = 3000, 200, 10
			}
			if w.name == "due" {
				o.Duration = 20 * time.Second
			}
			if door == BySQL && w.name == "wait" {
				continue // its workers hear of a push by SQL when they look again, a second later
			}
			r, err := b.Run(context.Background(), o)
			if err != nil {
				t.Fatalf("%s by %s: %v", w.name, door, err)
			}
			want := completed
			switch {
			case w.name == "ingest" || w.name == "stream":
				want = rows
			case w.name == "wait" && door == ByRaw || w.name == "pick" && door == ByRaw:
				want = taken
			case w.name == "due":
				want = int64(r.Planned) - planned
			case w.name == "bulk":
				want = int64(r.Planned)
			case w.name == "fail":
				want = completed + planned - int64(r.Planned)
				if share := float64(planned-int64(r.Planned)) / float64(want); share < 0.15 || share > 0.25 {
					t.Errorf("fail by %s: %.2f of the documents failed", door, share)
				}
			case w.name == "discard":
				want = int64(r.Backlog+r.Planned) - rows
			case w.name == "calendar":
				want = visits
				if r.Calls == 0 || r.Lag == nil {
					t.Errorf("calendar by %s: %d urgent documents, counters behind by %v", door, r.Calls, r.Lag)
				}
			case w.name == "lists":
				want = r.Documents // they change nothing
				if len(r.Lists) < 50 || r.Lists[0].Rows != 200 || r.Calls != int64(len(r.Lists)*b.listRuns) {
					t.Errorf("%d lists in %d calls, the first of %d rows", len(r.Lists), r.Calls, r.Lists[0].Rows)
				}
			case w.name == "emptied":
				want = completed - int64(r.Backlog)
			case w.name == "mix":
				if rows != int64(r.Backlog+r.Planned)+r.Pushed {
					t.Errorf("mix by %s: %d rows, %d pushed", door, rows, r.Pushed)
				}
			}
			if r.Documents != want {
				t.Errorf("%s by %s: %d documents are counted, %d rows were changed", w.name, door, r.Documents, want)
			}
			if w.name == "together" && taken != 0 {
				t.Errorf("together: %d documents are still held", taken)
			}
			if works := w.name != "idle" && w.name != "polls" && !strings.HasPrefix(w.name, "e"); works && r.Documents == 0 {
				t.Errorf("%s by %s did nothing", w.name, door)
			}
			if r.P50 > r.P95 || r.P95 > r.P99 || r.P99 > r.Max || r.Calls > 0 && r.P50 <= 0 {
				t.Errorf("%s by %s: times of calls are %v, %v, %v, %v", w.name, door, r.P50, r.P95, r.P99, r.Max)
			}
			nothingLeft(t, db)
		}
	}
}

// TestCostsAreReadAndASnapshotIsHeld runs alone: WAL is counted for the whole server, which the tests of this package share.
func TestCostsAreReadAndASnapshotIsHeld(t *testing.T) {
	b, db := open(t)
	held := 0
	b.inspect = func(ctx context.Context, _ *run) {
		err := db.QueryRow(ctx, `select count(*) from pg_stat_activity where application_name = 'fetchq bench snapshot' and backend_xmin is not null`).Scan(&held)
		if err != nil {
			t.Error(err)
		}
	}
	r, err := b.Run(context.Background(), Options{Workload: "drain", By: BySQL, Batch: 10, Connections: 2, Backlog: 500, Hold: true, Duration: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if held != 1 {
		t.Errorf("%d snapshots are held; one is wanted", held)
	}
	// 50 picks and 50 resolutions; a pick that finds nothing, a fold or two.
	if *r.Commits < 0.18 || *r.Commits > 0.4 {
		t.Errorf("%.3f commits a document; 0.2 and a little are wanted", *r.Commits)
	}
	if *r.WAL < 300 || *r.WAL > 20_000 {
		t.Errorf("%.0f bytes of WAL a document", *r.WAL)
	}
	if *r.DeadDocs != 1000 {
		t.Errorf("%d dead rows in docs; a snapshot holds both old versions of 500", *r.DeadDocs)
	}
}

// TestNothingIsLeftWhenItIsCancelled interrupts workloads where they are: while they lay up documents, and while they run.
func TestNothingIsLeftWhenItIsCancelled(t *testing.T) {
	t.Parallel()
	b, db := open(t)
	if _, err := db.Exec(context.Background(), `select fetchq.queue_create('bench_mine')`); err != nil {
		t.Fatal(err)
	}
	for _, o := range []Options{
		{Workload: "drain", By: BySQL, Backlog: 1_000_000},
		{Workload: "drain", By: ByHTTP, Backlog: 1_000_000, Batch: 1},
		{Workload: "drain", By: ByRaw, Backlog: 5000, Batch: 1, Connections: 2},
		{Workload: "ingest", By: BySQL}, {Workload: "ingest", By: ByHTTP}, {Workload: "wait", By: ByHTTP},
		{Workload: "polls", By: ByHTTP}, {Workload: "ingest", By: BySQL, Rest: time.Minute},
	} {
		o.Duration = time.Minute
		ctx, cancel := context.WithTimeout(context.Background(), 700*time.Millisecond)
		_, err := b.Run(ctx, o)
		if ctx.Err() == nil || err == nil {
			t.Errorf("%s by %s ended before it was cancelled: %v", o.Workload, o.By, err)
		}
		cancel()
		nothingLeft(t, db)
	}
	var mine int
	if err := db.QueryRow(context.Background(), `select count(*) from fetchq.queues where name = 'bench_mine'`).Scan(&mine); err != nil || mine != 1 {
		t.Errorf("somebody's queue is gone, error %v", err)
	}
	if err := b.drop(context.Background(), "bench_mine"); err == nil {
		t.Error("somebody's queue may be dropped")
	}
}

func TestResultsAreJSONForPrograms(t *testing.T) {
	t.Parallel()
	b, _ := open(t)
	var out bytes.Buffer
	p := JSON(&out)
	limit, err := b.Run(context.Background(), Options{Workload: "ingest", By: ByRaw, Duration: minDuration})
	if err != nil {
		t.Fatal(err)
	}
	r, err := b.Run(context.Background(), Options{Workload: "ingest", Duration: minDuration})
	if err != nil {
		t.Fatal(err)
	}
	r.Against(limit)
	for _, r := range []Result{limit, r} {
		if err := p.Print(r); err != nil {
			t.Fatal(err)
		}
	}
	decoder := json.NewDecoder(&out)
	for n := range 2 {
		var got map[string]any
		if err := decoder.Decode(&got); err != nil {
			t.Fatal(err)
		}
		if got["workload"] != "ingest" || got["documents_per_second"].(float64) <= 0 || (got["of_raw"] != nil) != (n == 1) || got["program_cores"] != nil {
			t.Errorf("object %d is %v", n, got)
		}
	}
	if _, err := decoder.Token(); err != io.EOF {
		t.Errorf("more than two objects: %v", err)
	}
}
