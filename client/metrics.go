package client

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"
)

// The types of metrics.
const (
	TypeCounter = "counter" // Value is what is added: 0 to 1e15
	TypeGauge   = "gauge"   // Value is what it is now
	TypeTiming  = "timing"  // Value is in milliseconds: 0 to 1e12
)

// Metric is something measured in a queue. A new name needs no declaration, and keeps its type; a queue has 1,000 at most.
type Metric struct {
	Name  string  `json:"name" minLength:"1" maxLength:"63" pattern:"^[a-z][a-z0-9_]{0,62}$" example:"parse" doc:"1 to 63 of a-z, 0-9 and _; begins with a letter."`
	Type  string  `json:"type" enum:"counter,gauge,timing" example:"timing" doc:"A name keeps its type."`
	Value float64 `json:"value" example:"12.5" doc:"Of a counter what is added, of a gauge its value, of a timing milliseconds."`
}

// MetricsRequest is the body of a call that sends metrics.
type MetricsRequest struct {
	Metrics []Metric `json:"metrics" minItems:"1" maxItems:"1000" nullable:"false" doc:"What was measured, at most 1,000: all is taken or nothing."`
}

// MetricTotal is one metric of a queue as it stands: of a counter all that was added, of a gauge the last value, of a timing all
// milliseconds together, with how many these were and their percentiles, each within 1 %.
type MetricTotal struct {
	Name      string   `json:"name"`
	Type      string   `json:"type" enum:"counter,gauge,timing"`
	Value     float64  `json:"value"`
	Count     *int64   `json:"count,omitempty" doc:"Of a timing: how many."`
	P50       *float64 `json:"p50,omitempty" doc:"Of a timing, in milliseconds."`
	P95       *float64 `json:"p95,omitempty"`
	P99       *float64 `json:"p99,omitempty"`
	UpdatedAt Time     `json:"updated_at"`
}

// MetricsResponse is the answer to a call for the metrics of a queue.
type MetricsResponse struct {
	Metrics []MetricTotal `json:"metrics"`
}

// Series is a metric of a queue over time. A point stands for StepS seconds from its moment on.
type Series struct {
	Queue  string        `json:"queue" doc:"* are all queues together."`
	Metric string        `json:"metric"`
	Agg    string        `json:"agg" enum:"sum,rate,avg,min,max,p50,p95,p99"`
	StepS  int64         `json:"step_s"`
	Points []SeriesPoint `json:"points"`
}

// SeriesPoint is a moment in seconds since 1970 and a value, which is nil where nothing is known.
type SeriesPoint [2]*float64

// Time returns the moment.
func (p SeriesPoint) Time() time.Time {
	if p[0] == nil {
		return time.Time{}
	}
	return time.Unix(int64(*p[0]), 0).UTC()
}

// Value returns the value, and whether there is one.
func (p SeriesPoint) Value() (float64, bool) {
	if p[1] == nil {
		return 0, false
	}
	return *p[1], true
}

// SeriesResponse is the answer to a call for series.
type SeriesResponse struct {
	Series []Series `json:"series"`
}

// SeriesQuery says which series to read: one for each queue and metric. Zero fields are left to the server: all queues together,
// an hour up to now, about 300 points; the sum of a counter, the mean of other metrics.
type SeriesQuery struct {
	Queues   []string
	Metrics  []string
	Agg      string
	From, To time.Time
	Step     time.Duration
	Points   int
}

// PushMetrics sends metrics of a queue: all are taken, or none. A call whose answer is lost is not repeated. Right: metrics.
func (c *Client) PushMetrics(ctx context.Context, queue string, metrics ...Metric) error {
	_, err := c.do(ctx, call{method: http.MethodPost, path: queuePath(queue, "metrics"), body: MetricsRequest{metrics}}, nil)
	return err
}

// Metrics returns all metrics of a queue as they stand, exactly. Right: read.
func (c *Client) Metrics(ctx context.Context, queue string) ([]MetricTotal, error) {
	var out MetricsResponse
	_, err := c.do(ctx, call{method: http.MethodGet, path: queuePath(queue, "metrics"), safe: true}, &out)
	return out.Metrics, err
}

// Series reads series. Right: read.
func (c *Client) Series(ctx context.Context, q SeriesQuery) ([]Series, error) {
	v := url.Values{"queue": q.Queues, "metric": q.Metrics}
	for name, text := range map[string]string{"agg": q.Agg, "from": momentText(q.From), "to": momentText(q.To)} {
		if text != "" {
			v.Set(name, text)
		}
	}
	if q.Step > 0 {
		v.Set("step", q.Step.String())
	}
	if q.Points > 0 {
		v.Set("points", strconv.Itoa(q.Points))
	}
	var out SeriesResponse
	_, err := c.do(ctx, call{method: http.MethodGet, path: "/series", query: v, safe: true}, &out)
	return out.Series, err
}

func momentText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(timeLayout)
}

// recorder collects what a handler measures, to travel with its resolution.
type recorder struct {
	mu      sync.Mutex
	metrics []Metric
	lost    int
}

type recorderKey struct{}

func record(ctx context.Context, m Metric) {
	r, ok := ctx.Value(recorderKey{}).(*recorder)
	if !ok {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.metrics { // counters and gauges need one place each, however often
		if p := &r.metrics[i]; m.Type != TypeTiming && p.Name == m.Name && p.Type == m.Type {
			if m.Type == TypeCounter {
				m.Value += p.Value
			}
			p.Value = m.Value
			return
		}
	}
	if len(r.metrics) >= maxMetrics {
		r.lost++
		return
	}
	r.metrics = append(r.metrics, m)
}

// with returns what was recorded behind what a resolution has, and how much there was no room for.
func (r *recorder) with(own []Metric) ([]Metric, int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := slices.Concat(own, r.metrics)
	lost := r.lost
	if len(all) > maxMetrics {
		lost += len(all) - maxMetrics
		all = all[:maxMetrics]
	}
	return all, lost
}

// Timing times a piece of a handler's work until stop is called; ctx is the handler's. The metric travels with the resolution
// and counts if that does. Elsewhere than in a handler nothing happens.
//
//	defer client.Timing(ctx, "parse")()
func Timing(ctx context.Context, name string) (stop func()) {
	began := time.Now()
	return func() {
		record(ctx, Metric{Name: name, Type: TypeTiming, Value: float64(time.Since(began).Nanoseconds()) / 1e6})
	}
}

// Count adds to a counter, as Timing does.
func Count(ctx context.Context, name string, by float64) {
	record(ctx, Metric{Name: name, Type: TypeCounter, Value: by})
}

// Gauge says what a gauge is now, as Timing does.
func Gauge(ctx context.Context, name string, value float64) {
	record(ctx, Metric{Name: name, Type: TypeGauge, Value: value})
}

// WithMetrics returns the resolution with metrics, which count where its outcome is ok, once.
func (r Resolution) WithMetrics(metrics ...Metric) Resolution {
	r.Metrics = append(r.Metrics[:len(r.Metrics):len(r.Metrics)], metrics...)
	return r
}
