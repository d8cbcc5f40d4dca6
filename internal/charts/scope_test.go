package charts_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/fetchq/server/internal/charts"
	"github.com/fetchq/server/internal/queue"
)

// TestAChartIsOfTheQueuesThatTheContextSees the sum of all of them too.
func TestAChartIsOfTheQueuesThatTheContextSees(t *testing.T) {
	t.Parallel()
	w := newSeriesWorld(t)
	w.from.Engine = queue.New(w.db, queue.Options{Now: time.Now})
	w.push("pages", 3)
	w.push("images", 4)
	w.snapshot(sec(10))
	store := charts.NewStore(w.db)
	for name, text := range map[string]string{"pages": "ours", "images": "theirs", "": "all"} {
		if _, err := store.AddMark(t.Context(), name, text, "somebody", sec(5)); err != nil {
			t.Fatal(err)
		}
	}
	ctx := queue.Within(t.Context(), "pages", func(name string) bool { return name == "pages" })
	at, err := charts.ParseSpan(url.Values{"from": {"2026-01-01T00:00:00Z"}, "to": {"2026-01-01T00:01:00Z"}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	chart := charts.Of("", []string{"pages", "images"}, "entered:sum")
	chart.Rest = true
	for _, tt := range []struct {
		chart charts.Chart
		want  string
	}{{charts.Of("", nil, "entered:sum"), "3"}, {chart, "3 - 0"}} {
		spec, err := tt.chart.Spec(ctx, w.from, at)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, l := range strings.Split(strings.TrimSpace(lines(spec)), "\n") {
			_, values, _ := strings.Cut(l, ": ")
			first, _, _ := strings.Cut(values, " ")
			got = append(got, first)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%v: %s; %s is wanted", tt.chart.Queues, lines(spec), tt.want)
		}
		for _, m := range spec.Marks {
			if m.Text == "theirs" {
				t.Error("a mark of the other queue stands there")
			}
		}
	}
	if _, err := w.db.Exec(t.Context(), `select fetchq.metric_learn('images', array['theirs_own'], array[1::smallint])`); err != nil {
		t.Fatal(err)
	}
	none := queue.Within(t.Context(), "none", func(string) bool { return false })
	for _, queues := range [][]string{nil, {"images"}, {"pages", "images"}} {
		if names, err := w.from.Names(ctx, queues); err != nil || len(names) != 0 {
			t.Errorf("of %v: %v, %v", queues, names, err)
		}
		if names, err := w.from.Names(none, queues); err != nil || len(names) != 0 {
			t.Errorf("of none: %v, %v", names, err)
		}
	}
	if names, err := w.from.Names(t.Context(), []string{"images"}); err != nil || len(names) != 1 {
		t.Errorf("who sees all: %v, %v", names, err)
	}
}
