package queue

import (
	"context"
	"errors"
	"math"
	"regexp"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/errs"
)

// Limits of measures. The SQL functions enforce the same ones.
const (
	MaxMetricName  = 63   // bytes
	MaxMetricNames = 1000 // of one queue
	maxCounter     = 1e15
	maxGauge       = 1e300
	maxTiming      = 1e12 // ms
)

// Measure is something that a caller measured in a queue, by a name of its own.
type Measure struct {
	Name  string
	Type  string  // counter, gauge or timing
	Value float64 // of a counter what is added, of a gauge its value, of a timing milliseconds
}

var (
	metricName  = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)
	metricCodes = map[string]int16{"counter": 1, "gauge": 2, "timing": 3}
	ownMetric   = regexp.MustCompile(`^(docs_.*|entered|picked|processed|completed|rescheduled|rejected|orphaned|killed|dropped|forwarded|errors|logs|wait|work)$`)
)

// Check refuses a measure that no queue takes. The error is an *errs.Error (Invalid) that names the member.
func (m Measure) Check() error {
	outside := func(low, high float64) bool { return !(m.Value >= low && m.Value <= high) } // also what is no number
	switch {
	case !metricName.MatchString(m.Name):
		return errs.Field("name", "a metric's name is 1 to %d of a-z, 0-9 and _, and begins with a letter", MaxMetricName)
	case ownMetric.MatchString(m.Name):
		return errs.Field("name", "%s is the name of a metric that is kept already", m.Name)
	case metricCodes[m.Type] == 0:
		return errs.Field("type", "type is counter, gauge or timing")
	case math.IsNaN(m.Value) || math.IsInf(m.Value, 0):
		return errs.Field("value", "value is a number")
	case m.Type == "counter" && outside(0, maxCounter):
		return errs.Field("value", "value of a counter is what is added: 0 to 1e15")
	case m.Type == "gauge" && outside(-maxGauge, maxGauge):
		return errs.Field("value", "value of a gauge is from -1e300 to 1e300")
	case m.Type == "timing" && outside(0, maxTiming):
		return errs.Field("value", "value of a timing is in milliseconds: 0 to 1e12")
	}
	return nil
}

// measureColumns turns measures into arrays.
func measureColumns(list []Measure) (names, types []string, values []float64) {
	for _, m := range list {
		names, types, values = append(names, m.Name), append(types, m.Type), append(values, m.Value)
	}
	return names, types, values
}

// PushMetrics takes up to MaxBatch measures of a queue: all of them or none. A name that is new needs no declaration, and keeps
// its type. Errors: NotFound, Invalid (a name, type or value outside its limits, a name of another type, more than MaxMetricNames
// names; Field says which item).
func (e *Engine) PushMetrics(ctx context.Context, queue string, list []Measure) error {
	if err := errors.Join(find(ctx, queue), batch("metrics", len(list))); err != nil {
		return err
	}
	names, types, values := measureColumns(list)
	_, err := retry(ctx, "push metrics of "+queue, func() (any, error) {
		return e.db.Exec(ctx, `select fetchq.metric_push_many($1, $2, $3, $4)`, queue, names, types, values)
	})
	return err
}

// learn notes the names that resolutions measure, and returns what is wrong with those that the queue cannot take, by name and type.
func (e *Engine) learn(ctx context.Context, queue string, items []Resolution) (map[Measure]string, error) {
	seen := map[Measure]bool{}
	var names []string
	var types []int16
	for _, r := range items {
		for _, m := range r.Metrics {
			m.Value = 0
			if !seen[m] {
				seen[m] = true
				names, types = append(names, m.Name), append(types, metricCodes[m.Type])
			}
		}
	}
	if names == nil {
		return nil, nil
	}
	type problem struct {
		name, why string
		code      int16
	}
	list, err := query(ctx, e, "learn metrics of "+queue, func(row pgx.CollectableRow) (p problem, err error) {
		err = row.Scan(&p.name, &p.code, &p.why)
		return p, err
	}, `select name, type, problem from fetchq.metric_learn((fetchq.queue_find($1)).name, $2, $3)`, queue, names, types)
	if err != nil {
		return nil, err
	}
	wrong := map[Measure]string{}
	for _, p := range list {
		for m := range seen {
			if m.Name == p.name && metricCodes[m.Type] == p.code {
				wrong[m] = p.why
			}
		}
	}
	return wrong, nil
}

// unmeasurable returns why a resolution's metrics cannot be taken; "" where they can.
func unmeasurable(r Resolution, wrong map[Measure]string) string {
	for _, m := range r.Metrics {
		if err := m.Check(); err != nil {
			var e *errs.Error
			if errors.As(err, &e) {
				return "metrics: " + e.Message
			}
		}
		m.Value = 0
		if why := wrong[m]; why != "" {
			return "metrics: " + why
		}
	}
	return ""
}

// resolveMeasured is settle for resolutions of which some carry metrics. Those whose metrics cannot be taken are invalid, and
// none of the others suffers; a metric counts with its resolution, in the same transaction, and so where that is ok: once.
func (e *Engine) resolveMeasured(ctx context.Context, queue string, items []owned[Resolution]) ([]Result, error) {
	wellNamed := make([]Resolution, 0, len(items))
	for _, r := range items {
		if unmeasurable(r.item, nil) == "" {
			wellNamed = append(wellNamed, r.item)
		}
	}
	wrong, err := e.learn(ctx, queue, wellNamed)
	if err != nil {
		return nil, err
	}
	results := make([]Result, len(items))
	good := make([]owned[Resolution], 0, len(items))
	at := make([]int, 0, len(items))
	for i, r := range items {
		if detail := unmeasurable(r.item, wrong); detail != "" {
			results[i] = Result{Subject: r.item.Subject, Outcome: "invalid", Detail: detail}
			continue
		}
		good, at = append(good, r), append(at, i)
	}
	if len(good) == 0 {
		return results, nil
	}
	done, err := e.settle(ctx, queue, good, true, "")
	if err != nil {
		return nil, err
	}
	for i, r := range done {
		results[at[i]] = r
	}
	return results, nil
}

// measures tells whether any of some resolutions carries metrics.
func measures(items []owned[Resolution]) bool {
	return slices.ContainsFunc(items, func(r owned[Resolution]) bool { return len(r.item.Metrics) > 0 })
}

// measured are the metrics of resolutions as arrays, with the place of the resolution that each belongs to, from 1 on.
func measured(items []owned[Resolution]) (places []int, names []string, types []int16, values []float64) {
	for i, r := range items {
		for _, m := range r.item.Metrics {
			places = append(places, i+1)
			names, types, values = append(names, m.Name), append(types, metricCodes[m.Type]), append(values, m.Value)
		}
	}
	return places, names, types, values
}
