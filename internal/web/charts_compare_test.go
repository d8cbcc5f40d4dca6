package web_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/charts"
	"github.com/fetchq/server/internal/metrics"
)

// TestBothPeriodsOfAComparisonAreTold asks as a page does that has drawn the chart up to some step: what it compares with moves on, and
// so both periods are told whole.
func TestBothPeriodsOfAComparisonAreTold(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.queues("pages")
	b := s.as(auth.RoleViewer)
	series := metrics.NewStore(s.db, slog.New(slog.DiscardHandler))
	s.pages.Metrics = charts.Reader{Series: series, Store: charts.NewStore(s.db), Engine: s.engine}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, n := range []int{0, 1, 2, 3, 4, 5, 6, 10, 20, 30, 40, 50, 60} {
		for _, sql := range []string{`select fetchq.doc_push_many('pages', array(select gen_random_uuid()::text from generate_series(1, $2)), p_now => $1)`,
			`select fetchq.series_partitions($1) where $2::int >= 0`, `select fetchq.mnt_fold('pages', $1) where $2::int >= 0`} {
			if _, err := s.db.Exec(t.Context(), sql, at, n); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := series.Snapshot(t.Context(), at); err != nil {
			t.Fatal(err)
		}
		at = at.Add(10 * time.Second)
	}
	chart := "queue=pages&m=entered%3Asum&compare=1&from=2026-01-01T00%3A01&to=2026-01-01T00%3A02"
	p := b.get("/charts/data?"+url.Values{"c": {chart, chart + "&after=1767225700"}}.Encode()).must(t, http.StatusOK)
	var told []struct{ Spec charts.Spec }
	if err := json.Unmarshal([]byte(p.body), &told); err != nil || len(told) != 2 {
		t.Fatalf("%s: %v", p.body, err)
	}
	for _, one := range told {
		if one.Spec.First != 0 || one.Spec.From != 1767225660 || one.Spec.To != 1767225720 || len(one.Spec.Lines) != 2 {
			t.Fatalf("%+v", one.Spec)
		}
	}
	if n := strings.Count(p.body, `"values":[10,20,30,40,50,60]},{"label":"entered, before"`); n != 2 || strings.Count(p.body, `"dashed":true,"values":[1,2,3,4,5,6]`) != 2 {
		t.Errorf("%s", p.body)
	}
	file := b.get("/charts/csv?" + chart)
	rows := strings.Split(strings.TrimSpace(file.body), "\n")
	if want := []string{"time,entered,\"entered, before\"", "2026-01-01T00:01:00Z,10,1", "2026-01-01T00:01:10Z,20,2"}; !slices.Equal(rows[:3], want) || len(rows) != 7 {
		t.Errorf("the file: %q", rows)
	}
}
