package metrics

import (
	"context"
	"maps"
	"math"
	"slices"
	"time"
)

// Past reads the lines that Recent has of the 15 minutes before a moment. Its steps are those of the series whose middle they
// have in them, and so off by half of one at most.
func (s *Store) Past(ctx context.Context, queues []string, to time.Time) (map[string]Trend, error) {
	lines := map[string]Trend{}
	for _, name := range queues {
		lines[name] = unknownTrend()
	}
	for _, of := range []struct {
		agg    string
		line   map[string]func(Trend) []float64 // by metric
		factor float64
	}{
		{"avg", map[string]func(Trend) []float64{
			"docs_pending": func(t Trend) []float64 { return t.Pending },
			"docs_active":  func(t Trend) []float64 { return t.Active },
			"docs_killed":  func(t Trend) []float64 { return t.Killed },
		}, 1},
		{"rate", map[string]func(Trend) []float64{
			"processed": func(t Trend) []float64 { return t.Processed },
			"errors":    func(t Trend) []float64 { return t.Errors },
		}, time.Minute.Seconds()},
	} {
		all, err := s.Series(ctx, Query{
			Queues: queues, Metrics: slices.Sorted(maps.Keys(of.line)), Agg: of.agg, Step: Step,
			From: to.Add(-Span - Step).Truncate(Step), To: to.Add(Step).Truncate(Step),
		})
		if err != nil {
			return nil, err
		}
		for _, one := range all {
			line := of.line[one.Metric](lines[one.Queue])
			for _, p := range one.Points {
				if i := int(math.Floor(float64(p.At.Add(Step/2).Sub(to.Add(-Span))) / float64(Step))); i >= 0 && i < Points && one.Step == Step {
					line[i] = p.Value * of.factor
				}
			}
		}
	}
	return lines, nil
}
