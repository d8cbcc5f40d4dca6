package metrics

import (
	"context"
	"math"
	"time"
)

// Past reads the lines that Recent has of the 15 minutes before a moment. Its steps are those of the series whose middle they
// have in them, and so off by half of one at most.
func (s *Store) Past(ctx context.Context, queues []string, to time.Time) (map[string]Trend, error) {
	lines := map[string]Trend{}
	for _, name := range queues {
		lines[name] = Trend{Pending: unknownLine(), Processed: unknownLine(), Errors: unknownLine()}
	}
	for _, m := range []struct {
		metric, agg string
		line        func(Trend) []float64
		factor      float64
	}{
		{"docs_pending", "avg", func(t Trend) []float64 { return t.Pending }, 1},
		{"processed", "rate", func(t Trend) []float64 { return t.Processed }, time.Minute.Seconds()},
		{"errors", "rate", func(t Trend) []float64 { return t.Errors }, time.Minute.Seconds()},
	} {
		all, err := s.Series(ctx, Query{
			Queues: queues, Metrics: []string{m.metric}, Agg: m.agg, Step: Step, From: to.Add(-Span - Step).Truncate(Step), To: to.Add(Step).Truncate(Step),
		})
		if err != nil {
			return nil, err
		}
		for _, one := range all {
			line := m.line(lines[one.Queue])
			for _, p := range one.Points {
				if i := int(math.Floor(float64(p.At.Add(Step/2).Sub(to.Add(-Span))) / float64(Step))); i >= 0 && i < Points && one.Step == Step {
					line[i] = p.Value * m.factor
				}
			}
		}
	}
	return lines, nil
}

// unknownLine is a line of which nothing is known.
func unknownLine() []float64 {
	line := make([]float64, Points)
	for i := range line {
		line[i] = math.NaN()
	}
	return line
}
