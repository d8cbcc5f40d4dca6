package charts_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fetchq/server/internal/charts"
	"github.com/fetchq/server/internal/errs"
)

// FuzzAddress reads charts and their times out of addresses. What is taken keeps the bounds of a chart, and its own address leads to the same.
func FuzzAddress(f *testing.F) {
	f.Add("m=picked:rate&queue=pages&queue=images&stack=1&range=1h")
	f.Add("title=%00&m=a:sum&from=2026-11-30T00:00:00Z&to=2026-11-29T00:00:00Z&step=10s")
	f.Add("m=a:p99&m=b:max&compare=1&rest=1&from=9999-12-31T00:00&to=0001-01-01T00:00&step=1h")
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		q, err := url.ParseQuery(text)
		if err != nil {
			return
		}
		c, err := charts.Parse(q)
		if err != nil {
			if errs.Of(err) != errs.Invalid {
				t.Fatalf("%q: %v", text, err)
			}
		} else {
			if len(c.Queues) > charts.MaxQueues || len(c.Measures) == 0 || len(c.Measures) > charts.MaxMetrics {
				t.Fatalf("%q makes %+v", text, c)
			}
			if again, err := charts.Parse(c.Query()); err != nil || !cmp.Equal(again, c) {
				t.Fatalf("%q makes %+v, whose address makes %+v, %v", text, c, again, err)
			}
		}
		span, err := charts.ParseSpan(q, now)
		if err != nil {
			if errs.Of(err) != errs.Invalid {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		if n := span.Points(); n < 1 || n > charts.MaxPoints || !span.From.Before(span.To) {
			t.Fatalf("%q makes %d points from %s to %s", text, n, span.From, span.To)
		}
	})
}
