package metrics

import (
	"context"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
)

// Limits of a query.
const (
	MaxSeries     = 200   // queues times metrics
	MaxPoints     = 2_000 // of one series
	DefaultPoints = 300
	lookBack      = time.Hour // where From is not given
)

// AllQueues is what stands for all queues together, in a query and in its answer.
const AllQueues = "*"

// Query asks for series: one for each of Queues and Metrics.
type Query struct {
	Queues  []string // AllQueues for all together, which is also what none means
	Only    []string // the queues that may be seen; nil: all
	Metrics []string
	Agg     string    // sum, rate, avg, min, max, p50, p95, p99; "": sum of a counter, avg of others
	From    time.Time // zero: an hour before To
	To      time.Time // not included; zero: the end of the last snapshot
	Step    time.Duration
	Points  int // at most; 0: DefaultPoints. Not with Step
}

// Series is a metric of a queue over time.
type Series struct {
	Queue, Metric, Agg string
	Step               time.Duration
	Points             []Point
}

// Point is the value of a step that begins At: of a counter what was counted (sum) or how much a second of those that were measured
// (rate), of a gauge its mean by time, lowest or highest value, of a timing milliseconds (rate: how many a second). It is NaN where there is none: no
// snapshot was taken, the queue or the metric was not there yet, or, of most of a timing's, nothing was timed.
type Point struct {
	At    time.Time
	Value float64
}

// aggs are the aggregations of each type.
var aggs = map[int16][]string{
	typeCounter: {"sum", "rate"},
	typeGauge:   {"avg", "min", "max"},
	typeTiming:  {"sum", "rate", "avg", "min", "max", "p50", "p95", "p99"},
}

// Series answers a query. It reads the coarsest rows that make up the steps, and finer ones where the last of those has not
// ended yet; where what is asked for is kept no longer in steps so fine, or there would be more than maxRows, the steps are wider, and Step
// says so. Never are there more points than asked for. Errors: NotFound (queue, metric), Invalid (agg, step, points, from, to).
func (s *Store) Series(ctx context.Context, q Query) ([]Series, error) {
	p := &plan{Query: q, db: s.db}
	if err := p.prepare(ctx); err != nil {
		return nil, database.Error("read series", err)
	}
	if p.empty {
		return p.answer(), nil
	}
	err := p.read(ctx)
	return p.answer(), database.Error("read series", err)
}

// plan is a query under way.
type plan struct {
	Query
	db     querier
	last   time.Time // the end of the last snapshot, which stands for now; where none was taken, now
	empty  bool      // none was taken
	from   time.Time // of the first point
	step   time.Duration
	base   int // of steps
	series []*curve
	floors map[int]time.Time // queues that keep their series for a shorter time, and since when

	ids     []int            // the queues to read; 0 is all of them
	of      map[int][]*curve // what is made of each of them
	numbers map[int]bool     // the metrics to read
	timings int              // how many of those asked for are timings
	chunk   int              // rows that one statement reads, about; 0: perRead
	beats   []beat
}

// curve is one of the series.
type curve struct {
	queue, metric, agg string
	typ                int16
	source             map[int][]int // the numbers of the metrics in each queue that it is made of
	left               int           // how many of these queues are still to be read
	bins               []bin         // while it is read
	open               int           // of bins: the one that timing is of
	timing             Histogram
	values             []float64 // after that
}

// bin is one point of a line.
type bin struct {
	known          bool
	covered        float64 // seconds that were measured
	sum            float64
	timing         *Histogram
	settled        bool // sum is the value
	gauged         bool
	low, high, avg float64 // of gauges: of all queues together
}

func (p *plan) prepare(ctx context.Context) error {
	rows, err := p.db.Query(ctx, `select coalesce(last + interval '10 seconds', clock_timestamp()), last is null from fetchq.series_state`)
	if err != nil {
		return err
	}
	if _, err := pgx.ForEachRow(rows, []any{&p.last, &p.empty}, func() error { return nil }); err != nil {
		return err
	}
	if err := p.check(); err != nil {
		return err
	}
	if err := p.find(ctx); err != nil {
		return err
	}
	return p.time()
}

// find finds the queues and metrics, and makes the curves.
func (p *plan) find(ctx context.Context) error {
	if len(p.Queues) == 0 {
		p.Queues = []string{AllQueues}
	}
	switch {
	case len(p.Metrics) == 0:
		return errs.Field("metric", "metric is missing; one at least is wanted")
	case len(p.Queues)*len(p.Metrics) > MaxSeries:
		return errs.Field("metric", "%d queues and %d metrics are asked for; their product is %d at most", len(p.Queues), len(p.Metrics), MaxSeries)
	}
	ids, err := p.findQueues(ctx)
	if err != nil {
		return err
	}
	own, err := p.findMetrics(ctx)
	if err != nil {
		return err
	}
	for _, metric := range p.Metrics {
		numbers := coreNumbers(metric)
		isCore := numbers != nil
		if !isCore && len(own[metric]) == 0 {
			return &errs.Error{Code: errs.NotFound, Field: "metric", Message: "no queue that was asked for has such a metric"}
		}
		for _, queue := range p.Queues {
			l := &curve{queue: queue, metric: metric, source: map[int][]int{}}
			all := queue == AllQueues
			for _, name := range slices.Sorted(maps.Keys(ids)) { // all together, "", comes first
				id := ids[name]
				switch m, has := own[metric][name]; {
				case isCore:
					l.typ = core[numbers[0]-1].typ
					if name == queue || all && p.Only == nil && id == 0 || all && p.Only != nil && id != 0 {
						l.source[id] = numbers
					}
				case !has || id == 0 && (!all || p.Only != nil):
				case l.typ != 0 && l.typ != m.typ: // the same name of another sort; the first counts
				case all && p.Only == nil && id != 0 && own[metric][""].id != 0: // in the sum already
				case all || name == queue:
					l.typ = m.typ
					l.source[id] = []int{m.id}
				}
			}
			if l.typ == 0 {
				for _, m := range own[metric] {
					l.typ = m.typ
				}
			}
			if l.agg = p.Agg; l.agg == "" {
				l.agg = aggs[l.typ][0]
			}
			if !slices.Contains(aggs[l.typ], l.agg) {
				return errs.Field("agg", "%s is a %s, of which there is %s", metric, typeNames[l.typ], strings.Join(aggs[l.typ], ", "))
			}
			p.series = append(p.series, l)
		}
	}
	p.wanted()
	return nil
}

// findQueues returns the numbers of the queues by name: those asked for, and for all of them every one that may be seen; all
// together are "".
func (p *plan) findQueues(ctx context.Context) (map[string]int, error) {
	all := slices.Contains(p.Queues, AllQueues)
	rows, err := p.db.Query(ctx, `
		select q.name, coalesce(s.id, -1), $4::timestamptz - q.series_retention
		from fetchq.queues q left join fetchq.series_queues s on s.queue = q.name
		where ($1 or q.name = any ($2)) and ($3::text[] is null or q.name = any ($3)) order by q.name`, all, p.Queues, p.Only, p.last)
	if err != nil {
		return nil, err
	}
	ids := map[string]int{}
	p.floors = map[int]time.Time{}
	var name string
	var id int
	var floor pgtype.Timestamptz
	_, err = pgx.ForEachRow(rows, []any{&name, &id, &floor}, func() error {
		ids[name] = id
		if floor.Valid {
			p.floors[id] = floor.Time
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, queue := range p.Queues {
		if _, found := ids[queue]; !found && queue != AllQueues {
			return nil, &errs.Error{Code: errs.NotFound, Field: "queue", Message: "there is no such queue"}
		}
	}
	for name, id := range ids {
		if id < 0 {
			ids[name] = math.MinInt32 // no snapshot has seen it
		}
	}
	if all && p.Only == nil {
		ids[""] = 0
	}
	return ids, nil
}

// numbered is a custom metric of one queue.
type numbered struct {
	id  int
	typ int16
}

// findMetrics returns the custom metrics of the names asked for, by name and queue.
func (p *plan) findMetrics(ctx context.Context) (map[string]map[string]numbered, error) {
	var custom []string
	for _, m := range p.Metrics {
		if coreNumbers(m) == nil {
			custom = append(custom, m)
		}
	}
	out := map[string]map[string]numbered{}
	if custom == nil {
		return out, nil
	}
	rows, err := p.db.Query(ctx, `select name, queue, id, type from fetchq.metrics
		where name = any ($1) and ($2 or queue = any ($3)) and ($4::text[] is null or queue = any ($4)) order by id`,
		custom, slices.Contains(p.Queues, AllQueues), p.Queues, p.Only)
	if err != nil {
		return nil, err
	}
	var name, queue string
	var m numbered
	_, err = pgx.ForEachRow(rows, []any{&name, &queue, &m.id, &m.typ}, func() error {
		if out[name] == nil {
			out[name] = map[string]numbered{}
		}
		out[name][queue] = m
		return nil
	})
	return out, err
}
