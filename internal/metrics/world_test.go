package metrics

import (
	"context"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/internal/dbtest"
)

// dawn is when the series of tests begin: the first snapshot is taken at it.
var dawn = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// seriesWorld is a database with queues, whose series begin at dawn.
type seriesWorld struct {
	testing.TB
	ctx   context.Context
	db    *pgxpool.Pool
	store *Store
	names []string
}

func newSeriesWorld(t testing.TB, queues ...string) *seriesWorld {
	t.Helper()
	w := &seriesWorld{TB: t, ctx: t.Context(), db: dbtest.New(t), names: queues}
	w.store = NewStore(w.db, slog.New(slog.DiscardHandler))
	for _, q := range queues {
		w.exec(`select fetchq.queue_create($1)`, q)
	}
	w.upkeep(dawn)
	w.snapshot(dawn)
	return w
}

func (w *seriesWorld) exec(sql string, args ...any) {
	w.Helper()
	if _, err := w.db.Exec(w.ctx, sql, args...); err != nil {
		w.Fatalf("%s: %v", sql, err)
	}
}

func scan[T any](w *seriesWorld, sql string, args ...any) (v T) {
	w.Helper()
	if err := w.db.QueryRow(w.ctx, sql, args...).Scan(&v); err != nil {
		w.Fatalf("%s: %v", sql, err)
	}
	return v
}

func (w *seriesWorld) upkeep(at time.Time) {
	w.Helper()
	if err := w.store.upkeep(w.ctx, at); err != nil {
		w.Fatal(err)
	}
}

// snapshot folds all queues and takes a snapshot.
func (w *seriesWorld) snapshot(at time.Time) int {
	w.Helper()
	for _, q := range w.names {
		w.exec(`select fetchq.mnt_fold($1, $2)`, q, at)
	}
	n, err := w.store.Snapshot(w.ctx, at)
	if err != nil {
		w.Fatal(err)
	}
	return n
}

// push adds documents to a queue, due at once.
func (w *seriesWorld) push(queue string, n int) {
	w.Helper()
	w.exec(`select count(*) from fetchq.doc_push_many($1, array(select gen_random_uuid()::text from generate_series(1, $2)))`, queue, n)
}

// measure sends measures of one name at a moment.
func (w *seriesWorld) measure(at time.Time, queue, name, typ string, values ...float64) {
	w.Helper()
	w.exec(`select fetchq.metric_push_many($1, array_fill($2::text, array[$3::integer]), array_fill($4::text, array[$3]), $5, $6)`,
		queue, name, len(values), typ, values, at)
}

// series reads one curve.
func (w *seriesWorld) series(q Query) Series {
	w.Helper()
	out, err := w.store.Series(w.ctx, q)
	if err != nil {
		w.Fatalf("read %+v: %v", q, err)
	}
	if len(out) != 1 {
		w.Fatalf("%d series of %+v", len(out), q)
	}
	return out[0]
}

func (w *seriesWorld) values(q Query) []float64 {
	w.Helper()
	var out []float64
	for _, p := range w.series(q).Points {
		out = append(out, p.Value)
	}
	return out
}

// sum returns the sum over a counter's series, in which gaps count as nothing.
func (w *seriesWorld) sum(queue, metric string, step time.Duration, from, to time.Time) (sum float64) {
	w.Helper()
	for _, v := range w.values(Query{Queues: []string{queue}, Metrics: []string{metric}, From: from, To: to, Step: step}) {
		if !math.IsNaN(v) {
			sum += v
		}
	}
	return sum
}

// same compares values, of which NaN is like itself.
func (w *seriesWorld) same(what string, got []float64, want ...float64) {
	w.Helper()
	if !slices.EqualFunc(got, want, func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }) {
		w.Errorf("%s: %v; %v is right", what, got, want)
	}
}

// refused checks that an error says something.
func (w *seriesWorld) refused(err error, part string) {
	w.Helper()
	if err == nil || !strings.Contains(err.Error(), part) {
		w.Errorf("error %v; one that says %q is wanted", err, part)
	}
}
