package queue_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
)

func TestMeasuresOutsideTheirLimitsAreRefusedByGoAndSQLAlike(t *testing.T) {
	t.Parallel()
	ctx, e := engine(t)
	db := e.DB()
	for _, tt := range []struct {
		m    queue.Measure
		want string
	}{
		{queue.Measure{Name: "", Type: "counter"}, "1 to 63 of"},
		{queue.Measure{Name: "Pages", Type: "counter"}, "1 to 63 of"},
		{queue.Measure{Name: strings.Repeat("a", 64), Type: "counter"}, "1 to 63 of"},
		{queue.Measure{Name: "pages\n", Type: "counter"}, "1 to 63 of"},
		{queue.Measure{Name: "wait", Type: "timing"}, "kept already"},
		{queue.Measure{Name: "docs_seen", Type: "gauge"}, "kept already"},
		{queue.Measure{Name: "pages", Type: "histogram"}, "counter, gauge or timing"},
		{queue.Measure{Name: "pages", Type: "counter", Value: -1}, "0 to 1e15"},
		{queue.Measure{Name: "pages", Type: "counter", Value: 2e15}, "0 to 1e15"},
		{queue.Measure{Name: "depth", Type: "gauge", Value: math.NaN()}, "is a number"},
		{queue.Measure{Name: "depth", Type: "gauge", Value: math.Inf(1)}, ""},
		{queue.Measure{Name: "depth", Type: "gauge", Value: -1e301}, "-1e300 to 1e300"},
		{queue.Measure{Name: "parse", Type: "timing", Value: -0.1}, "0 to 1e12"},
		{queue.Measure{Name: "parse", Type: "timing", Value: 1e13}, "0 to 1e12"},
		{queue.Measure{Name: strings.Repeat("a", 63), Type: "timing", Value: 1e12}, "taken"},
		{queue.Measure{Name: "deep", Type: "gauge", Value: -1e300}, "taken"},
	} {
		inGo := tt.m.Check()
		var inSQL *string
		if err := db.QueryRow(ctx, `select fetchq.metric_problem($1, $2, $3)`, tt.m.Name, tt.m.Type, tt.m.Value).Scan(&inSQL); err != nil {
			t.Fatal(err)
		}
		if taken := tt.want == "taken"; taken != (inGo == nil) || taken != (inSQL == nil) {
			t.Errorf("%+v: Go says %v, SQL %v", tt.m, inGo, inSQL)
			continue
		}
		if inGo != nil && (!strings.Contains(inGo.Error(), tt.want) || !strings.Contains(*inSQL, tt.want)) {
			t.Errorf("%+v: Go says %v, SQL %v; %q is wanted", tt.m, inGo, *inSQL, tt.want)
		}
	}
}

func TestANameKeepsItsTypeAndAQueueHasAThousand(t *testing.T) {
	t.Parallel()
	ctx, e := engine(t)
	if err := e.PushMetrics(ctx, "a", []queue.Measure{{"pages", "counter", 1}, {"pages", "counter", 2}}); err != nil {
		t.Fatal(err)
	}
	err := e.PushMetrics(ctx, "a", []queue.Measure{{"depth", "gauge", 1}, {"pages", "timing", 2}})
	if errs.Of(err) != errs.Invalid || !strings.Contains(err.Error(), "pages is a counter of this queue already, and cannot be a timing") {
		t.Errorf("another type: %v", err)
	}
	var many []queue.Measure
	for i := range 999 {
		many = append(many, queue.Measure{Name: fmt.Sprintf("m%d", i), Type: "counter", Value: 1})
	}
	if err := e.PushMetrics(ctx, "a", many); err != nil {
		t.Fatalf("1000 names: %v", err)
	}
	err = e.PushMetrics(ctx, "a", []queue.Measure{{"pages", "counter", 1}, {"onemore", "gauge", 1}})
	if errs.Of(err) != errs.Invalid || !strings.Contains(err.Error(), "1000 metrics already") {
		t.Errorf("a name too many: %v", err)
	}
	if err := e.PushMetrics(ctx, "nowhere", many[:1]); errs.Of(err) != errs.NotFound {
		t.Errorf("no such queue: %v", err)
	}
}

func TestMetricsOfAResolutionCountOnceAndSpoilNobody(t *testing.T) {
	t.Parallel()
	ctx, e := engine(t)
	push(t, e, queue.Push{Subject: "1"}, queue.Push{Subject: "2"}, queue.Push{Subject: "3"}, queue.Push{Subject: "4"})
	docs := pick(t, e, queue.PickParams{Limit: 4})
	item := func(i int, m ...queue.Measure) queue.Resolution {
		return queue.Resolution{Subject: docs[i].Subject, Lease: docs[i].Lease, Action: "complete", Metrics: m}
	}
	pages := queue.Measure{Name: "pages", Type: "counter", Value: 3}
	items := []queue.Resolution{
		item(0, pages, queue.Measure{Name: "parse", Type: "timing", Value: 12.5}),
		item(1, queue.Measure{Name: "pages", Type: "gauge", Value: 3}),
		item(2, queue.Measure{Name: "Pages", Type: "gauge", Value: 3}),
		item(3),
	}
	for _, want := range [][]string{{"ok", "invalid", "invalid", "ok"}, {"already", "invalid", "invalid", "already"}} {
		results, err := e.Resolve(ctx, "a", items)
		if err != nil {
			t.Fatal(err)
		}
		if got := outcomes(results); strings.Join(got, " ") != strings.Join(want, " ") {
			t.Fatalf("outcomes %v; %v is right: %+v", got, want, results)
		}
	}
	results, err := e.Resolve(ctx, "a", []queue.Resolution{item(1, pages), item(2, pages)})
	if err != nil || strings.Join(outcomes(results), "+") != "ok+ok" {
		t.Fatalf("%v: %+v", err, results)
	}
	var sum float64
	err = e.DB().QueryRow(ctx, `select sum(value) from fetchq.metric_totals('a') where name = 'pages'`).Scan(&sum)
	if err != nil || sum != 9 {
		t.Errorf("%v pages were counted (%v); 9 is right", sum, err)
	}
	if _, err := e.Fold(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	err = e.DB().QueryRow(ctx, `select sum(value) from fetchq.metric_totals('a') where name = 'pages'`).Scan(&sum)
	if err != nil || sum != 9 {
		t.Errorf("after a fold %v pages were counted (%v); 9 is right", sum, err)
	}
}
