package charts

import (
	"context"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/metrics"
	"github.com/fetchq/server/internal/queue"
)

// Reader reads what charts show from the series that are kept, and the marks from the store: of queues that the context sees.
type Reader struct {
	Series *metrics.Store
	*Store
	Engine *queue.Engine // knows which queues there are
}

// Marks returns the marks of some queues, as Store does, of those that the context sees.
func (r Reader) Marks(ctx context.Context, queues []string, from, to time.Time) ([]Mark, error) {
	seen := slices.DeleteFunc(slices.Clone(queues), func(name string) bool { return !queue.Sees(ctx, name) })
	return r.Store.Marks(ctx, seen, from, to)
}

// Values reads the lines that are aggregated alike together. A queue or a metric that is not there has no values: a dashboard outlives them.
func (r Reader) Values(ctx context.Context, asks []Ask, at Span) ([][]float64, error) {
	all := make([][]float64, len(asks))
	places := map[Ask][]int{}
	queues, measures := map[string][]string{}, map[string][]string{} // by aggregation
	for i, a := range asks {
		all[i] = unknown(at)
		if a.Queue != "" && !queue.Sees(ctx, a.Queue) {
			continue
		}
		places[a] = append(places[a], i)
		if !slices.Contains(queues[a.Agg], a.Queue) {
			queues[a.Agg] = append(queues[a.Agg], a.Queue)
		}
		if !slices.Contains(measures[a.Agg], a.Metric) {
			measures[a.Agg] = append(measures[a.Agg], a.Metric)
		}
	}
	for agg := range queues {
		found, err := r.values(ctx, agg, queues[agg], measures[agg], at)
		if errs.Of(err) == errs.NotFound {
			found, err = r.apart(ctx, agg, queues[agg], measures[agg], at) // one of them is not there: the others are
		}
		if err != nil {
			return nil, err
		}
		for a, line := range found {
			for _, i := range places[a] {
				all[i] = line
			}
		}
	}
	return all, nil
}

// apart reads lines one by one, and leaves out what is not there.
func (r Reader) apart(ctx context.Context, agg string, queues, measures []string, at Span) (map[Ask][]float64, error) {
	all := map[Ask][]float64{}
	for _, q := range queues {
		for _, m := range measures {
			one, err := r.values(ctx, agg, []string{q}, []string{m}, at)
			if err != nil && errs.Of(err) != errs.NotFound {
				return nil, err
			}
			maps.Copy(all, one)
		}
	}
	return all, nil
}

// values reads some metrics of some queues; "" are all together. Where the series are kept in wider steps only, a value stands for
// each of the steps that it covers.
func (r Reader) values(ctx context.Context, agg string, queues, measures []string, at Span) (map[Ask][]float64, error) {
	only, err := r.Engine.Only(ctx, nil)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(queues))
	for i, name := range queues {
		if names[i] = name; name == "" {
			names[i] = metrics.AllQueues
		}
	}
	list, err := r.Series.Series(ctx, metrics.Query{Queues: names, Only: only, Metrics: measures, Agg: agg, From: at.From, To: at.To, Step: at.Step})
	if err != nil {
		return nil, err
	}
	all := make(map[Ask][]float64, len(list))
	for _, s := range list {
		name := s.Queue
		if name == metrics.AllQueues {
			name = ""
		}
		all[Ask{name, s.Metric, agg}] = spread(s, agg, at)
	}
	return all, nil
}

// spread puts the points of a series into the steps of a span.
func spread(s metrics.Series, agg string, at Span) []float64 {
	values := unknown(at)
	share := 1.0
	if agg == "sum" && s.Step > at.Step {
		share = float64(at.Step) / float64(s.Step)
	}
	for _, p := range s.Points {
		for t := p.At; t.Before(p.At.Add(s.Step)); t = t.Add(at.Step) {
			if n := int(t.Sub(at.From) / at.Step); !t.Before(at.From) && n < len(values) {
				values[n] = p.Value * share
			}
		}
	}
	return values
}

func unknown(at Span) []float64 {
	values := make([]float64, at.Points())
	for i := range values {
		values[i] = math.NaN()
	}
	return values
}

// Names returns the custom metrics of some queues, by name; no queue: those of all of them.
func (r Reader) Names(ctx context.Context, queues []string) ([]Metric, error) {
	if len(queues) == 0 {
		queues = nil
	}
	queues, err := r.Engine.Only(ctx, queues)
	if err != nil || queues != nil && len(queues) == 0 {
		return nil, err
	}
	names, err := r.Series.Names(ctx, queues)
	list := make([]Metric, len(names))
	for i, n := range names {
		list[i] = Metric{n.Name, n.Type}
	}
	return list, err
}

var _ Source = Reader{}
