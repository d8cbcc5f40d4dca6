package prometheus_test

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/fetchq/server/client"
	"github.com/fetchq/server/internal/app"
	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/config"
	"github.com/fetchq/server/internal/dbtest"
)

// world is the program with a queue, and a token in a file.
type world struct {
	t         *testing.T
	program   *app.App
	token     string
	tokenFile string
	client    *client.Client
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ctx := context.Background()
	databaseURL := dbtest.URL(t)
	w := &world{t: t}
	w.program = app.New(config.Config{Listen: "127.0.0.1:0", DatabaseURL: databaseURL, PoolSize: 10, DrainTimeout: time.Second}, "v1", slog.New(slog.DiscardHandler))
	if err := w.program.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.program.Stop(ctx) })
	tokens := auth.NewTokens(dbtest.Open(t, databaseURL), time.Now)
	mint := func(name, right string) string {
		_, text, err := tokens.Create(ctx, name, []string{right}, nil, nil, "")
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	w.token = mint("prometheus", auth.Read)
	w.tokenFile = filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(w.tokenFile, []byte(w.token+"\n"), 0o600); err != nil { // as fetchq token create writes it
		t.Fatal(err)
	}
	w.client = client.New("http://"+w.program.Addr(), mint("worker", auth.Admin))
	if _, _, err := w.client.PutQueue(ctx, "pages", nil); err != nil {
		t.Fatal(err)
	}
	return w
}

// push adds documents.
func (w *world) push(from, n int) {
	w.t.Helper()
	docs := make([]client.Push, n)
	for i := range docs {
		docs[i].Subject = fmt.Sprint("d", from+i)
	}
	if _, err := w.client.Push(w.t.Context(), "pages", client.PushRequest{Documents: docs}); err != nil {
		w.t.Fatal(err)
	}
}

// work picks and resolves documents: a tenth is rejected for good.
func (w *world) work(n int) {
	w.t.Helper()
	picked, err := w.client.Pick(w.t.Context(), "pages", client.PickRequest{Limit: n, Worker: "w"})
	if err != nil || len(picked.Documents) != n {
		w.t.Fatalf("%d picked, %v", len(picked.Documents), err)
	}
	never := false
	done := make([]client.Resolution, n)
	for i, d := range picked.Documents {
		done[i] = client.Resolution{Subject: d.Subject, Lease: d.Lease, Action: client.ActionComplete}
		if i%10 == 0 {
			done[i].Action, done[i].Retry, done[i].Message = client.ActionReject, &never, "no"
		}
	}
	if _, err := w.client.Resolve(w.t.Context(), "pages", done...); err != nil {
		w.t.Fatal(err)
	}
}

// measure sends a counter, a gauge and timings from 10 ms to 10 s, evenly by their logarithms, and returns these in seconds.
func (w *world) measure() []float64 {
	w.t.Helper()
	seconds := make([]float64, 500)
	list := []client.Metric{{Name: "bytes", Type: "counter", Value: 1500}, {Name: "depth", Type: "gauge", Value: -3}}
	for i := range seconds {
		seconds[i] = math.Pow(10, -2+3*float64(i)/499)
		list = append(list, client.Metric{Name: "parse", Type: "timing", Value: seconds[i] * 1000})
	}
	if err := w.client.PushMetrics(w.t.Context(), "pages", list...); err != nil {
		w.t.Fatal(err)
	}
	return seconds
}

// TestARealPrometheusScrapes follows what happens in a queue through the eyes of Prometheus, and has it run the queries of the
// dashboards and alerts.
func TestARealPrometheusScrapes(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for snapshots")
	}
	program(t, "prometheus")
	w := newWorld(t)
	p := start(t, w.program.Addr(), w.tokenFile)
	is := func(want float64) func(float64) bool { return func(v float64) bool { return v == want } }

	p.wait(`up{job="fetchq"}`, is(1))
	w.push(0, 100)
	p.wait(`fetchq_documents_entered_total{queue="pages"}`, is(100))
	w.push(100, 150)
	p.wait(`fetchq_documents_entered_total{queue="pages"}`, is(250))
	p.wait(`max_over_time(fetchq_documents_entered_total{queue="pages"}[5m]) - min_over_time(fetchq_documents_entered_total{queue="pages"}[5m])`,
		func(v float64) bool { return v == 250 || v == 150 }) // the first scrape may have seen the first 100 already
	p.wait(`increase(fetchq_documents_entered_total{queue="pages"}[5m])`, func(v float64) bool { return v >= 150 })

	w.work(200)
	seconds := w.measure()
	p.wait(`fetchq_documents{queue="pages",status="pending"}`, is(50))
	p.wait(`fetchq_documents_completed_total{queue="pages"}`, is(180))
	p.wait(`fetchq_documents_killed_total{queue="pages"}`, is(20))
	p.wait(`fetchq_work_seconds_count{queue="pages"}`, is(200))
	p.wait(`fetchq_wait_seconds_count{queue="pages"}`, is(200))
	p.wait(`fetchq_custom_events_total{queue="pages",metric="bytes"}`, is(1500))
	p.wait(`fetchq_custom_value{queue="pages",metric="depth"}`, is(-3))
	p.wait(`fetchq_custom_seconds_count{queue="pages",metric="parse"}`, is(500))
	for _, q := range []float64{0.1, 0.5, 0.9, 0.99} {
		// Prometheus draws a line through the bucket, so that its answer is the truth's neighbour in the same bucket.
		truth := seconds[int(math.Ceil(q*500))-1]
		low, high := around(truth)
		p.wait(fmt.Sprintf(`histogram_quantile(%v, fetchq_custom_seconds_bucket{queue="pages",metric="parse"})`, q),
			func(v float64) bool { return v >= low && v <= high })
	}

	w.push(250, 50) // so that rates are not 0
	w.work(100)
	w.measure()
	p.wait(`fetchq_custom_seconds_count{queue="pages",metric="parse"}`, is(1000))
	p.wait(`fetchq_work_seconds_count{queue="pages"}`, is(300))
	t.Run("dashboards", func(t *testing.T) { tryDashboards(t, p) })
	t.Run("alerts", func(t *testing.T) { tryAlerts(t, p) })
	t.Run("promtool check metrics", func(t *testing.T) {
		status, text, err := get(t, "http://"+w.program.Addr()+"/metrics", w.token)
		if err != nil || status != 200 {
			t.Fatal(status, text, err)
		}
		promtool(t, ".", text, "check", "metrics")
	})

	native := start(t, w.program.Addr(), w.tokenFile, "--enable-feature=native-histograms")
	for _, q := range []float64{0.1, 0.5, 0.9, 0.99} {
		truth := seconds[int(math.Ceil(q*500))-1]
		got := native.wait(fmt.Sprintf(`histogram_quantile(%v, fetchq_custom_seconds{queue="pages",metric="parse"})`, q), func(v float64) bool { return v > 0 })
		if math.Abs(got/truth-1) > 0.10 { // a bucket of 9 %, and 1 % of ours
			t.Errorf("the %v quantile is %v by native buckets; it is %v", q, got, truth)
		}
	}
}

// around returns the bounds of the bucket in which a value lies, and 1 % beyond.
func around(v float64) (low, high float64) {
	bounds := []float64{0, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30}
	i, _ := slices.BinarySearch(bounds, v)
	return bounds[i-1] * 0.99, bounds[i] * 1.01
}
