package metrics

import (
	"context"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// perRead is about how many rows one statement reads: of some queues, or one. What is read is counted row by row, and a curve whose
// queues are all read keeps its values only; so what a query holds does not grow with its queues.
const perRead = 12_000

// stretch is a part of the time that is read from rows of one step.
type stretch struct {
	step
	from, to time.Time
}

// stretches are the parts from the coarsest step to the finest that is needed.
func (p *plan) stretches() (list []stretch) {
	at := p.from
	for i := p.base; i >= 0; i-- {
		behind := p.last.Truncate(steps[i].width) // the last row of this kind
		end := behind
		if p.To.Before(end) {
			end = p.To
		}
		if at.Before(end) {
			list = append(list, stretch{steps[i], at, end})
			at = behind
		}
	}
	return list
}

// read reads the rows and counts them into the curves.
func (p *plan) read(ctx context.Context) error {
	list := p.stretches()
	for _, s := range list {
		beats, err := beatsOf(ctx, p.db, s.step, s.from, s.to)
		if err != nil {
			return err
		}
		p.beats = append(p.beats, beats...)
	}
	if p.beats == nil {
		return nil
	}
	if p.chunk == 0 {
		p.chunk = perRead
	}
	for ids := range slices.Chunk(p.ids, max(p.chunk/p.rows()/max(p.timings, 1), 1)) {
		if err := p.readSome(ctx, list, ids); err != nil {
			return err
		}
	}
	return nil
}

// readSome reads the rows of some queues.
func (p *plan) readSome(ctx context.Context, list []stretch, ids []int) error {
	earlier := map[int][]byte{}
	if p.gauges() {
		var err error
		if earlier, err = carried(ctx, p.db, list[0].table, ids, p.beats[0].slot); err != nil {
			return err
		}
	}
	want := func(id int) bool { return p.numbers[id] }
	walks := map[int]*walk{}
	for _, id := range ids {
		w, err := p.walk(id, earlier[id], want)
		if err != nil {
			return err
		}
		walks[id] = w
	}
	for _, s := range list {
		rows, err := p.db.Query(ctx, `select queue, slot, data from `+s.table+`
			where queue = any ($1) and slot >= $2 and slot < $3 order by queue, slot`, ids, s.from, s.to)
		if err != nil {
			return err
		}
		var (
			id   int
			slot time.Time
			data pgtype.DriverBytes // which is good until the next row is read, as r is
			r    row
		)
		if _, err = pgx.ForEachRow(rows, []any{&id, &slot, &data}, func() error {
			if r, err = decodeInto(r, data, want); err != nil {
				return err
			}
			p.add(id, slot, r)
			walks[id].to(p, slot, r)
			return nil
		}); err != nil {
			return err
		}
	}
	for _, id := range ids {
		walks[id].end(p)
		p.done(id)
	}
	return nil
}

// wanted notes the queues and the metrics to read.
func (p *plan) wanted() {
	p.numbers, p.of = map[int]bool{}, map[int][]*curve{}
	known := map[int]bool{}
	timings := map[string]bool{}
	for _, l := range p.series {
		if l.typ == typeTiming {
			timings[l.metric] = true
		}
		l.left = len(l.source)
		for queue := range l.source {
			p.of[queue] = append(p.of[queue], l)
		}
		for _, queue := range slices.Sorted(maps.Keys(l.source)) {
			for _, number := range l.source[queue] {
				p.numbers[number] = true
			}
			if !known[queue] {
				known[queue] = true
				p.ids = append(p.ids, queue)
			}
		}
	}
	p.timings = len(timings)
}

func (p *plan) gauges() bool {
	return slices.ContainsFunc(p.series, func(l *curve) bool { return l.typ == typeGauge })
}

func (p *plan) bin(slot time.Time) int { return int(slot.Sub(p.from) / p.step) }

// begin makes the bins of a curve, and notes of which points there were snapshots. A queue's own retention hides what is older.
func (p *plan) begin(l *curve) {
	if l.bins != nil {
		return
	}
	l.bins = make([]bin, p.count())
	since := time.Time{}
	for queue := range l.source {
		if floor, short := p.floors[queue]; short && floor.After(since) {
			since = floor
		}
	}
	for _, b := range p.beats {
		if i := p.bin(b.slot); i < len(l.bins) && !b.slot.Before(since) {
			l.bins[i].known = true
			l.bins[i].covered += b.measured.Seconds()
		}
	}
}

// done makes values of the curves that wait for no queue but this one.
func (p *plan) done(queue int) {
	for _, l := range p.of[queue] {
		if l.left--; l.left > 0 {
			continue
		}
		l.settle()
		l.values = make([]float64, len(l.bins))
		for i, b := range l.bins {
			switch {
			case !b.known:
				l.values[i] = math.NaN()
			case b.settled:
				l.values[i] = b.sum
			default:
				l.values[i] = b.value(l.typ, l.agg)
			}
		}
		l.bins = nil
	}
}

// timingsOf returns where the timings of a bin are counted. The rows of a queue come in the order of time: a curve of one queue has
// one bin at a time, and makes a value of it before it begins another.
func (l *curve) timingsOf(i int) *Histogram {
	b := &l.bins[i]
	switch {
	case len(l.source) > 1:
		if b.timing == nil {
			b.timing = &Histogram{}
		}
		return b.timing
	case b.timing == nil:
		l.settle()
		l.open, b.timing = i, &l.timing
	}
	return b.timing
}

// settle makes a value of the bin that is open, where one is.
func (l *curve) settle() {
	if b := &l.bins[l.open]; b.timing == &l.timing {
		b.sum, b.settled, b.timing = b.value(l.typ, l.agg), true, nil
		l.timing.clear()
	}
}

// add counts the counters and timings of a row.
func (p *plan) add(queue int, slot time.Time, r row) {
	i := p.bin(slot)
	for _, l := range p.of[queue] {
		if l.typ == typeGauge || i >= len(l.bins) {
			continue
		}
		b := &l.bins[i]
		for _, number := range l.source[queue] {
			at, found := r.at(number)
			switch {
			case !found:
			case r[at].timing == nil:
				b.sum += r[at].last
			default:
				l.timingsOf(i).Merge(r[at].timing)
			}
		}
	}
}

// answer returns the curves as series.
func (p *plan) answer() []Series {
	out := make([]Series, len(p.series))
	for i, l := range p.series {
		out[i] = Series{Queue: l.queue, Metric: l.metric, Agg: l.agg, Step: p.step, Points: make([]Point, p.count())}
		for k := range out[i].Points {
			v := math.NaN()
			if l.values != nil {
				v = l.values[k]
			}
			out[i].Points[k] = Point{p.from.Add(time.Duration(k) * p.step), v}
		}
	}
	return out
}

var quantiles = map[string]float64{"p50": 0.5, "p95": 0.95, "p99": 0.99}

func (b *bin) value(typ int16, agg string) float64 {
	if typ == typeGauge {
		if !b.gauged {
			return math.NaN()
		}
		return map[string]float64{"avg": b.avg, "min": b.low, "max": b.high}[agg]
	}
	sum, count := b.sum, b.sum
	if typ == typeTiming {
		if b.timing == nil {
			b.timing = &Histogram{}
		}
		sum, count = b.timing.Sum, float64(b.timing.Count)
	}
	switch agg {
	case "sum":
		return sum
	case "rate":
		return count / b.covered
	}
	switch t := b.timing; {
	case t.Count == 0:
		return math.NaN()
	case agg == "avg":
		return t.Mean()
	case agg == "min":
		return t.Low
	case agg == "max":
		return t.High
	default:
		return t.Quantile(quantiles[agg])
	}
}
