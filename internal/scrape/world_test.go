package scrape

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/metrics"
	"github.com/fetchq/server/internal/queue"
)

// world is a handler on a database of its own.
type world struct {
	testing.TB
	db      *pgxpool.Pool
	engine  *queue.Engine
	series  *metrics.Store
	handler *Handler
	backups Backups   // what is told of them
	asked   int       // how often
	clock   time.Time // this machine's, as the handler knows it: a look lasts until a test moves it
	taken   int       // snapshots
}

func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldOn(t, dbtest.New(t))
}

func newWorldOn(t testing.TB, db *pgxpool.Pool) *world {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	w := &world{TB: t, db: db, engine: queue.New(db, queue.Options{Log: log, Node: "test", Now: time.Now}), series: metrics.NewStore(db, log)}
	w.handler = New(Options{Pool: db, Engine: w.engine, Series: w.series, Version: "v1", Log: log, Now: func() time.Time { return w.clock },
		Backups: func(context.Context) (Backups, error) {
			w.asked++
			return w.backups, nil
		}})
	return w
}

func (w *world) exec(sql string, args ...any) {
	w.Helper()
	if _, err := w.db.Exec(w.Context(), sql, args...); err != nil {
		w.Fatalf("%s: %v", sql, err)
	}
}

// counted folds a queue and takes a snapshot in a time to come, so that what happened is told, and ends the last look.
func (w *world) counted(queues ...string) {
	w.Helper()
	for _, q := range queues {
		w.exec(`select fetchq.mnt_fold($1)`, q)
	}
	w.exec(`select fetchq.series_partitions()`)
	w.taken++
	if n, err := w.series.Snapshot(w.Context(), time.Now().Add(time.Duration(w.taken)*time.Minute)); err != nil || n == 0 {
		w.Fatalf("%d steps, %v", n, err)
	}
	w.clock = w.clock.Add(lookLasts)
}

// get scrapes, with headers in pairs.
func (w *world) get(view View, headers ...string) *httptest.ResponseRecorder {
	w.Helper()
	r := httptest.NewRequestWithContext(w.Context(), http.MethodGet, "/metrics", http.NoBody)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	if err := w.handler.Serve(rec, r, view); err != nil {
		w.Fatal(err)
	}
	if rec.Code != http.StatusOK {
		w.Fatalf("%d %s", rec.Code, rec.Body)
	}
	return rec
}

// families scrapes and reads the text.
func (w *world) families(view View) map[string]*dto.MetricFamily {
	w.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	all, err := parser.TextToMetricFamilies(w.get(view).Body)
	if err != nil {
		w.Fatal(err)
	}
	return all
}

// number returns the value of a counter or gauge, by its labels in the order of their names; it fails where there is none.
func (w *world) number(all map[string]*dto.MetricFamily, name string, labels ...string) float64 {
	w.Helper()
	m := find(all[name], labels)
	if m == nil {
		w.Fatalf("%s has no sample %q", name, labels)
	}
	if m.Counter != nil {
		return m.Counter.GetValue()
	}
	return m.Gauge.GetValue()
}

func find(f *dto.MetricFamily, labels []string) *dto.Metric {
	for _, m := range f.GetMetric() {
		var have []string
		for _, l := range m.Label {
			have = append(have, l.GetValue())
		}
		if strings.Join(have, "\n") == strings.Join(labels, "\n") {
			return m
		}
	}
	return nil
}

// plain is the body of an answer without its encoding.
func plain(t *testing.T, rec *httptest.ResponseRecorder) string {
	t.Helper()
	var from io.Reader = rec.Body
	if rec.Header().Get("Content-Encoding") == "gzip" {
		var err error
		if from, err = gzip.NewReader(rec.Body); err != nil {
			t.Fatal(err)
		}
	}
	text, err := io.ReadAll(from)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (w *world) put(name string) {
	w.Helper()
	if _, _, err := w.engine.Put(w.Context(), name, []byte(`{}`)); err != nil {
		w.Fatal(err)
	}
}

// work pushes documents, picks them, and completes all but one, which is rejected for good.
func (w *world) work(name string, n int) {
	w.Helper()
	ctx := context.Background()
	list := make([]queue.Push, n)
	for i := range list {
		list[i].Subject = fmt.Sprint("s", i)
	}
	if _, err := w.engine.Push(ctx, name, list, queue.Ignore); err != nil {
		w.Fatal(err)
	}
	picked, err := w.engine.Pick(ctx, name, queue.PickParams{Limit: n, Worker: "w"})
	if err != nil || len(picked.Documents) != n {
		w.Fatalf("%d picked, %v", len(picked.Documents), err)
	}
	done := make([]queue.Resolution, n)
	for i, d := range picked.Documents {
		done[i] = queue.Resolution{Subject: d.Subject, Lease: d.Lease, Action: "complete"}
	}
	never := false
	done[0].Action, done[0].Retry, done[0].Message = "reject", &never, "no"
	if _, err := w.engine.Resolve(ctx, name, done); err != nil {
		w.Fatal(err)
	}
}
