package metrics

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// beat is a step of which there is a row of all queues, and so a snapshot.
type beat struct {
	slot  time.Time
	width time.Duration
}

// read reads the rows, from the coarsest to the finest that is needed, and counts them into the curves.
func (p *plan) read(ctx context.Context) error {
	ids, numbers, total := p.wanted()
	var beats []beat
	own := map[int][]stored{}
	at := p.from
	table := ""
	for i := p.base; i >= 0; i-- {
		end := p.last.Truncate(steps[i].width) // behind the last row of this kind
		if p.To.Before(end) {
			end = p.To
		}
		if !at.Before(end) {
			continue
		}
		if table == "" {
			table = steps[i].table
		}
		rows, err := p.db.Query(ctx, `select queue, slot, case when queue <> 0 or $4 then data else '' end from `+steps[i].table+`
			where queue = any ($1) and slot >= $2 and slot < $3 order by queue, slot`, append(slices.Clone(ids), 0), at, end, total)
		if err != nil {
			return err
		}
		list, err := pgx.CollectRows(rows, scanStored)
		if err != nil {
			return err
		}
		for _, r := range list {
			own[r.queue] = append(own[r.queue], r)
			if r.queue == 0 {
				beats = append(beats, beat{r.slot, steps[i].width})
			}
		}
		at = p.last.Truncate(steps[i].width)
	}
	if beats == nil {
		return nil
	}
	earlier := map[int][]byte{}
	if p.gauges() {
		var late []int
		for _, id := range ids {
			if len(own[id]) == 0 || own[id][0].slot.After(beats[0].slot) {
				late = append(late, id)
			}
		}
		var err error
		if earlier, err = carried(ctx, p.db, table, late, beats[0].slot); err != nil {
			return err
		}
	}
	p.mark(beats)
	want := func(id int) bool { return numbers[id] }
	for _, id := range ids {
		if err := p.take(id, own[id], beats, earlier[id], want); err != nil {
			return err
		}
	}
	return nil
}

// wanted returns the queues and the metrics to read, and whether all queues together are among these.
func (p *plan) wanted() (ids []int, numbers map[int]bool, total bool) {
	numbers = map[int]bool{}
	for _, l := range p.series {
		for queue, list := range l.source {
			for _, number := range list {
				numbers[number] = true
			}
			if !slices.Contains(ids, queue) {
				ids = append(ids, queue)
			}
		}
	}
	return ids, numbers, slices.Contains(ids, 0)
}

func (p *plan) gauges() bool {
	return slices.ContainsFunc(p.series, func(l *curve) bool { return l.typ == typeGauge })
}

func (p *plan) bin(slot time.Time) int { return int(slot.Sub(p.from) / p.step) }

// mark notes which points there were snapshots of. A queue's own retention hides what is older.
func (p *plan) mark(beats []beat) {
	for _, l := range p.series {
		since := time.Time{}
		for queue := range l.source {
			if floor, short := p.floors[queue]; short && floor.After(since) {
				since = floor
			}
		}
		for _, b := range beats {
			if i := p.bin(b.slot); len(l.source) > 0 && i < len(l.bins) && !b.slot.Before(since) {
				l.bins[i].known = true
				l.bins[i].covered += b.width.Seconds()
			}
		}
	}
}

// take counts the rows of one queue.
func (p *plan) take(queue int, rows []stored, beats []beat, earlier []byte, want func(id int) bool) error {
	gauges := map[*curve][]blend{}
	for _, l := range p.series {
		if _, has := l.source[queue]; has && l.typ == typeGauge {
			gauges[l] = make([]blend, len(l.bins))
		}
	}
	var now row
	if earlier != nil && len(gauges) > 0 {
		r, err := decode(earlier, want)
		if err != nil {
			return err
		}
		now = flat(r)
	}
	for _, b := range beats {
		here := now
		if len(rows) > 0 && rows[0].slot.Equal(b.slot) {
			r, err := decode(rows[0].data, want)
			if err != nil {
				return err
			}
			rows = rows[1:]
			p.add(queue, b.slot, r)
			here, now = r, flat(r)
		}
		if i := p.bin(b.slot); len(gauges) > 0 {
			for l, blends := range gauges {
				if at, found := here.at(l.source[queue][0]); found && i < len(blends) {
					blends[i].add(here[at], b.width.Seconds())
				}
			}
		}
	}
	for l, blends := range gauges {
		for i, b := range blends {
			if b.weight > 0 {
				l.bins[i].gauged = true
				l.bins[i].low += b.low
				l.bins[i].high += b.high
				l.bins[i].avg += b.mean()
			}
		}
	}
	return nil
}

// add counts the counters and timings of a row.
func (p *plan) add(queue int, slot time.Time, r row) {
	for _, l := range p.series {
		i := p.bin(slot)
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
				if b.timing == nil {
					b.timing = &Histogram{}
				}
				b.timing.Merge(r[at].timing)
			}
		}
	}
}

// answer returns the curves as series.
func (p *plan) answer() []Series {
	out := make([]Series, len(p.series))
	for i, l := range p.series {
		out[i] = Series{Queue: l.queue, Metric: l.metric, Agg: l.agg, Step: p.step, Points: make([]Point, len(l.bins))}
		for k, b := range l.bins {
			v := math.NaN()
			if b.known {
				v = b.value(l.typ, l.agg)
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
