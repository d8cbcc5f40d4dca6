package metrics

import (
	"context"
	"sort"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/database"
)

// Total is one metric of a queue as it stands.
type Total struct {
	Name, Type string
	Value      float64    // of a counter all that was added, of a gauge the last value, of a timing milliseconds together
	Timing     *Histogram // of a timing
	UpdatedAt  time.Time
}

// Totals returns all metrics of a queue by name, exactly and from one moment: also what no fold has taken yet. Errors: NotFound.
func (s *Store) Totals(ctx context.Context, queue string) ([]Total, error) {
	op := "read the metrics of " + queue
	rows, err := s.db.Query(ctx, `select name, type, value, count, histogram, buckets, counts, low, high, updated_at from fetchq.metric_totals($1)`, queue)
	if err != nil {
		return nil, database.Error(op, err)
	}
	var (
		m      measure
		value  float64
		packed []byte
	)
	all := map[string]*Total{}
	_, err = pgx.ForEachRow(rows, []any{&m.name, &m.typ, &value, &m.count, &packed, &m.buckets, &m.counts, &m.low, &m.high, &m.at}, func() error {
		t := all[m.name]
		if t == nil {
			t = &Total{Name: m.name, Type: typeNames[m.typ]}
			all[m.name] = t
		}
		switch m.typ {
		case typeGauge:
			if !m.at.Before(t.UpdatedAt) {
				t.Value = value
			}
		case typeTiming:
			if t.Timing == nil {
				t.Timing = &Histogram{}
			}
			if packed != nil {
				h, err := parseHistogram(packed)
				if err != nil {
					return err
				}
				t.Timing.Merge(h)
			} else if m.count > 0 {
				m.sum = value
				t.Timing.Merge(m.timing())
			}
			t.Value = t.Timing.Sum
		default:
			t.Value += value
		}
		if m.at.After(t.UpdatedAt) {
			t.UpdatedAt = m.at
		}
		m.buckets, m.counts, packed = nil, nil, nil
		return nil
	})
	if err != nil {
		return nil, database.Error(op, err)
	}
	for _, c := range core { // the timings that nothing has happened to yet
		if all[c.name] == nil {
			all[c.name] = &Total{Name: c.name, Type: typeNames[c.typ], Timing: &Histogram{}}
		}
	}
	out := make([]Total, 0, len(all))
	for _, t := range all {
		out = append(out, *t)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out, nil
}
