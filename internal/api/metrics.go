package api

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fetchq/server/client"
	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/metrics"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
)

func (s *Server) metricRoutes() {
	register(s, route{
		method: http.MethodPost, path: "/queues/{queue}/metrics", needs: auth.Note, summary: "Send metrics", body: client.MetricsRequest{},
		status: http.StatusAccepted,
	}, s.pushMetrics)
	register(s, route{method: http.MethodGet, path: "/queues/{queue}/metrics", needs: auth.See, summary: "Show the metrics of a queue as they stand"}, s.getMetrics)
	register(s, route{method: http.MethodGet, path: "/series", needs: auth.See, summary: "Show metrics over time"}, s.series)
	types := s.huma.OpenAPI().Components.Schemas
	s.huma.OpenAPI().Paths[base+"/series"].Get.Responses["200"].Content = map[string]*huma.MediaType{
		"application/json": {Schema: types.Schema(reflect.TypeFor[client.SeriesResponse](), true, "")},
		"text/csv":         {Schema: &huma.Schema{Type: huma.TypeString}},
	}
}

// measures turns metrics of a resolution into the engine's, and says what is wrong with them.
func measures(list []client.Metric) ([]queue.Measure, string) {
	if len(list) == 0 {
		return nil, ""
	}
	out := make([]queue.Measure, len(list))
	for i, m := range list {
		out[i] = queue.Measure(m)
		if err := out[i].Check(); err != nil {
			return nil, fmt.Sprintf("metrics[%d]: %s", i, message(err))
		}
	}
	return out, ""
}

func (s *Server) pushMetrics(ctx context.Context, in *InQueueBody) (*empty, error) {
	var body client.MetricsRequest
	if err := wire.Decode(in.sent.bytes, &body); err != nil {
		return nil, err
	}
	if len(body.Metrics) == 0 {
		return nil, errs.Field("metrics", "1 to %d metrics are wanted", queue.MaxBatch)
	}
	list := make([]queue.Measure, len(body.Metrics))
	for i, m := range body.Metrics {
		list[i] = queue.Measure(m)
		if err := list[i].Check(); err != nil {
			return nil, within(fmt.Sprintf("metrics[%d]", i), err)
		}
	}
	return nil, s.Engine.PushMetrics(ctx, in.Queue, list)
}

func (s *Server) getMetrics(ctx context.Context, in *InQueue) (*out[client.MetricsResponse], error) {
	totals, err := s.Series.Totals(ctx, in.Queue)
	if err != nil {
		return nil, err
	}
	return &out[client.MetricsResponse]{client.MetricsResponse{Metrics: each(totals, clientTotal)}}, nil
}

func clientTotal(t metrics.Total) client.MetricTotal {
	m := client.MetricTotal{Name: t.Name, Type: t.Type, Value: t.Value, UpdatedAt: clientTime(t.UpdatedAt)}
	if h := t.Timing; h != nil {
		m.Count, m.P50, m.P95, m.P99 = &h.Count, finite(h.Quantile(0.5)), finite(h.Quantile(0.95)), finite(h.Quantile(0.99))
	}
	return m
}

// finite is nil where there is no value.
func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// rawOut is an answer that is written here.
type rawOut struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

func (s *Server) series(ctx context.Context, in *struct {
	Queue  []string `query:"queue,explode" maxItems:"200" doc:"Which queue; may be repeated. * or none: all together that the token may see."`
	Metric []string `query:"metric,explode" maxItems:"200" doc:"Which metric; may be repeated."`
	Agg    string   `query:"agg" enum:"sum,rate,avg,min,max,p50,p95,p99" doc:"Of a counter sum (default) or rate, of a gauge avg (default), min or max, of a timing any; its default is avg."`
	From   string   `query:"from" doc:"A date, or a span from now with a sign; default: an hour before to."`
	To     string   `query:"to" doc:"A date, or a span from now with a sign; not included. Default: the last snapshot."`
	Step   string   `query:"step" doc:"The time of a point: a multiple of 10 s. It is wider where so fine ones are kept no longer."`
	Points int      `query:"points" minimum:"1" maximum:"2000" doc:"How many points at most, where there is no step. Default: 300."`
	Format string   `query:"format" enum:"json,csv" default:"json"`
}) (*rawOut, error) {
	for _, name := range in.Queue {
		if name == metrics.AllQueues {
			continue
		}
		if err := wire.CheckText("queue", name, 255); err != nil {
			return nil, err
		}
		if err := seeQueue(ctx, name); err != nil {
			return nil, err
		}
	}
	for _, name := range in.Metric {
		if err := wire.CheckText("metric", name, 255); err != nil {
			return nil, err
		}
	}
	q := metrics.Query{Queues: in.Queue, Metrics: in.Metric, Agg: in.Agg, Points: in.Points}
	var err error
	if q.Only, err = s.allowed(ctx); err != nil {
		return nil, err
	}
	if q.From, err = s.moment("from", in.From); err != nil {
		return nil, err
	}
	if q.To, err = s.moment("to", in.To); err != nil {
		return nil, err
	}
	if in.Step != "" {
		if q.Step, err = durationOf("step", in.Step); err != nil {
			return nil, err
		}
		if q.Step == 0 {
			q.Step = time.Nanosecond // below every limit, and not "as the server chooses"
		}
		if in.Points != 0 {
			return nil, errs.Field("points", "step and points are given; one of them is wanted")
		}
	}
	list, err := s.Series.Series(ctx, q)
	if err != nil {
		return nil, err
	}
	if in.Format == "csv" {
		b, err := seriesCSV(list)
		return &rawOut{"text/csv; charset=utf-8", b}, err
	}
	b, err := json.Marshal(client.SeriesResponse{Series: each(list, clientSeries)})
	return &rawOut{"application/json", b}, err
}

func clientSeries(s metrics.Series) client.Series {
	return client.Series{
		Queue: s.Queue, Metric: s.Metric, Agg: s.Agg, StepS: int64(s.Step / time.Second),
		Points: each(s.Points, func(p metrics.Point) client.SeriesPoint {
			at := float64(p.At.Unix())
			return client.SeriesPoint{&at, finite(p.Value)}
		}),
	}
}

// seriesCSV has a line for each point; its value is empty where nothing is known.
func seriesCSV(list []metrics.Series) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	lines := [][]string{{"time", "queue", "metric", "agg", "step_s", "value"}}
	for _, s := range list {
		for _, p := range s.Points {
			value := ""
			if v := finite(p.Value); v != nil {
				value = strconv.FormatFloat(*v, 'g', -1, 64)
			}
			lines = append(lines, []string{p.At.UTC().Format(time.RFC3339), s.Queue, s.Metric, s.Agg, strconv.Itoa(int(s.Step / time.Second)), value})
		}
	}
	err := w.WriteAll(lines)
	return b.Bytes(), err
}
