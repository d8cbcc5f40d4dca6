package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/fetchq/server/client"
	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/metrics"
)

// snapshot takes a snapshot of all series at a moment.
func (w *world) snapshot(at time.Time, queues ...string) {
	w.t.Helper()
	ctx := context.Background()
	for _, q := range queues {
		if _, err := w.engine.Fold(ctx, q); err != nil {
			w.t.Fatal(err)
		}
	}
	if _, err := w.db.Exec(ctx, `select fetchq.series_partitions($1)`, at); err != nil {
		w.t.Fatal(err)
	}
	if _, err := metrics.NewStore(w.db, slog.New(slog.DiscardHandler)).Snapshot(ctx, at); err != nil {
		w.t.Fatal(err)
	}
}

func TestMetricsAreSentAndShownExactly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(201, "PUT", "/api/v1/queues/a", `{}`)
	w.must(200, "POST", documents, `{"documents":[{"subject":"1"},{"subject":"2"}]}`)
	now := time.Now()
	w.snapshot(now, "a")
	for i := range 3 { // snapshots, folds and what no fold has taken make one sum
		w.must(202, "POST", "/api/v1/queues/a/metrics", `{"metrics":[{"name":"bytes","type":"counter","value":1.5},{"name":"depth","type":"gauge","value":`+fmt.Sprint(i)+`},
			{"name":"parse","type":"timing","value":10},{"name":"parse","type":"timing","value":1000}]}`)
		switch i {
		case 0:
			w.snapshot(now.Add(10*time.Second), "a")
		case 1:
			if _, err := w.engine.Fold(context.Background(), "a"); err != nil {
				t.Fatal(err)
			}
		}
	}
	var got client.MetricsResponse
	if err := json.Unmarshal(w.must(200, "GET", "/api/v1/queues/a/metrics", "").body, &got); err != nil {
		t.Fatal(err)
	}
	all := map[string]client.MetricTotal{}
	for _, m := range got.Metrics {
		all[m.Name] = m
	}
	if len(all) != len(got.Metrics) || len(all) != 22 {
		t.Errorf("%d metrics, of %d names; 19 of each queue and 3 of our own are right", len(got.Metrics), len(all))
	}
	for name, want := range map[string]float64{"bytes": 4.5, "depth": 2, "parse": 3030, "entered": 2, "docs_pending": 2, "picked": 0} {
		if all[name].Value != want {
			t.Errorf("%s is %v; %v is right", name, all[name].Value, want)
		}
	}
	parse := all["parse"]
	if parse.Count == nil || *parse.Count != 6 || math.Abs(*parse.P50-10) > 0.1 || math.Abs(*parse.P99-1000) > 10 {
		t.Errorf("parse: %+v", parse)
	}
	if m := all["wait"]; m.Count == nil || *m.Count != 0 || m.P50 != nil {
		t.Errorf("wait, of which there is none: %+v", m)
	}
}

func TestMetricsAreRefusedByPlaceAndReason(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(201, "PUT", "/api/v1/queues/a", `{}`)
	const path = "/api/v1/queues/a/metrics"
	w.must(202, "POST", path, `{"metrics":[{"name":"bytes","type":"counter","value":1}]}`)
	for body, field := range map[string]string{
		`{"metrics":[]}`: "metrics",
		`{"metrics":[{"name":"a","type":"counter","value":1},{"name":"B","type":"counter","value":1}]}`:   "metrics[1]",
		`{"metrics":[{"name":"wait","type":"timing","value":1}]}`:                                         "metrics[0]",
		`{"metrics":[{"name":"a","type":"counter","value":-1}]}`:                                          "metrics[0]",
		`{"metrics":[{"name":"a","type":"sum","value":1}]}`:                                               "metrics[0]",
		`{"metrics":[{"name":"a","type":"counter","value":1},{"name":"bytes","type":"gauge","value":1}]}`: "metrics[1]",
	} {
		w.refuses(w.call("POST", path, body), 422, "invalid", field)
	}
	w.refuses(w.call("POST", path, `{"metrics":[{"name":"a","type":"counter","value":1e999}]}`), 422, "invalid", "metrics[0].value")
	reader := w.token("reader", []string{auth.Read, auth.Push, auth.Work}, nil)
	w.refuses(w.call("POST", path, `{}`, "Authorization", "Bearer "+reader), 403, "forbidden", "")
	sender := w.token("sender", []string{auth.Metrics}, []string{"a"})
	if a := w.call("POST", path, `{"metrics":[{"name":"a","type":"counter","value":1}]}`, "Authorization", "Bearer "+sender); a.status != 202 {
		t.Errorf("%d %s", a.status, a.body)
	}
	w.refuses(w.call("GET", path, "", "Authorization", "Bearer "+sender), 403, "forbidden", "")
}

func TestSeriesInJSONAndCSVOfWhatATokenSees(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := time.Now().Truncate(time.Minute)
	for _, q := range []string{"a", "b"} {
		w.must(201, "PUT", "/api/v1/queues/"+q, `{}`)
	}
	w.snapshot(at, "a", "b")
	w.must(200, "POST", documents, `{"documents":[{},{},{}]}`)
	w.must(200, "POST", "/api/v1/queues/b/documents", `{"documents":[{}]}`)
	w.snapshot(at.Add(10*time.Second), "a", "b")
	span := fmt.Sprintf("&from=%s&to=%s&step=10s", at.UTC().Format(time.RFC3339), at.Add(20*time.Second).UTC().Format(time.RFC3339))
	u := at.Unix()
	want := func(queue string, v int) string {
		return fmt.Sprintf(`{"queue":%q,"metric":"entered","agg":"sum","step_s":10,"points":[[%d,%d],[%d,null]]}`, queue, u, v, u+10)
	}
	limited := w.token("limited", []string{auth.Read}, []string{"b"})
	for path, tt := range map[string]struct{ token, want string }{
		"queue=a&queue=b": {w.admin, want("a", 3) + "," + want("b", 1)},
		"":                {w.admin, want("*", 4)},
		"queue=*":         {limited, want("*", 1)},
	} {
		a := w.call("GET", "/api/v1/series?metric=entered&"+path+span, "", "Authorization", "Bearer "+tt.token)
		if got := strings.TrimSpace(string(a.body)); a.status != 200 || got != `{"series":[`+tt.want+`]}` {
			t.Errorf("%s: %d %s; %s is right", path, a.status, got, tt.want)
		}
	}
	w.refuses(w.call("GET", "/api/v1/series?metric=entered&queue=a", "", "Authorization", "Bearer "+limited), 403, "forbidden", "queue")
	w.refuses(w.call("GET", "/api/v1/series?metric=entered&queue=nowhere", ""), 404, "not_found", "queue")
	w.refuses(w.call("GET", "/api/v1/series?metric=nothing", ""), 404, "not_found", "metric")
	w.refuses(w.call("GET", "/api/v1/series?metric=entered&step=7s", ""), 422, "invalid", "step")
	w.refuses(w.call("GET", "/api/v1/series?metric=entered&step=10s&points=7", ""), 422, "invalid", "points")
	a := w.call("GET", "/api/v1/series?format=csv&metric=entered&queue=a"+span, "")
	first, second := at.UTC().Format(time.RFC3339), at.Add(10*time.Second).UTC().Format(time.RFC3339)
	csv := fmt.Sprintf("time,queue,metric,agg,step_s,value\n%s,a,entered,sum,10,3\n%s,a,entered,sum,10,\n", first, second)
	if string(a.body) != csv || !strings.HasPrefix(a.header.Get("Content-Type"), "text/csv") {
		t.Errorf("%s %s; %s is right", a.header.Get("Content-Type"), a.body, csv)
	}
}
