package charts

import (
	"context"
	"math"

	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/metrics"
)

// Reader reads what charts show from the series that are kept, and the marks from the store.
type Reader struct {
	Series *metrics.Store
	*Store
}

// Values reads the lines that are of one metric together. A queue or a metric that is not there has no values: a dashboard outlives them.
func (r Reader) Values(ctx context.Context, asks []Ask, at Span) ([][]float64, error) {
	all := make([][]float64, len(asks))
	together := map[Measure][]int{}
	for i, a := range asks {
		all[i] = unknown(at)
		m := Measure{a.Metric, a.Agg}
		together[m] = append(together[m], i)
	}
	for m, places := range together {
		queues := make([]string, len(places))
		for n, i := range places {
			queues[n] = asks[i].Queue
		}
		found, err := r.values(ctx, m, queues, at)
		if errs.Of(err) == errs.NotFound && len(places) > 1 {
			// One of them is not there: the others are.
			for n, i := range places {
				one, err := r.values(ctx, m, queues[n:n+1], at)
				if err == nil {
					all[i] = one[0]
				} else if errs.Of(err) != errs.NotFound {
					return nil, err
				}
			}
			continue
		}
		if errs.Of(err) == errs.NotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		for n, i := range places {
			all[i] = found[n]
		}
	}
	return all, nil
}

// values reads one metric of some queues; "" are all together. Where the series are kept in wider steps only, a value stands for
// each of the steps that it covers.
func (r Reader) values(ctx context.Context, m Measure, queues []string, at Span) ([][]float64, error) {
	names := make([]string, len(queues))
	for i, name := range queues {
		if names[i] = name; name == "" {
			names[i] = metrics.AllQueues
		}
	}
	list, err := r.Series.Series(ctx, metrics.Query{Queues: names, Metrics: []string{m.Metric}, Agg: m.Agg, From: at.From, To: at.To, Step: at.Step})
	if err != nil {
		return nil, err
	}
	all := make([][]float64, len(list))
	for i, s := range list {
		all[i] = spread(s, m.Agg, at)
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
	names, err := r.Series.Names(ctx, queues)
	list := make([]Metric, len(names))
	for i, n := range names {
		list[i] = Metric{n.Name, n.Type}
	}
	return list, err
}

var _ Source = Reader{}
