package metrics

import (
	"context"
	"time"
)

// count makes rows of what was read and writes them: the measures by their moments, the core counters spread evenly.
func (b *batch) count(ctx context.Context) error {
	measured := map[time.Time]map[*queueTotals][]measure{}
	for _, m := range b.measures {
		q := b.byName[m.queue]
		if q == nil {
			continue // dropped in this moment
		}
		slot := m.at.Truncate(finest)
		if slot.Before(b.first) {
			slot = b.first
		} else if slot.After(b.end) {
			slot = b.end // timings of the leases that the core counters have by now, or a clock that went back
		}
		if measured[slot] == nil {
			measured[slot] = map[*queueTotals][]measure{}
		}
		measured[slot][q] = append(measured[slot][q], m)
	}
	for _, q := range b.queues {
		q.compare()
	}
	n := b.slots()
	w := writer{tx: b.tx, table: steps[0].table}
	for i := range n {
		slot := b.first.Add(time.Duration(i) * finest)
		var total row
		for _, q := range b.queues {
			r, moves := q.row(i, n)
			moves = b.measure(&r, q, measured[slot][q]) || moves || b.framed(slot) || q.made && i == 0
			b.addUp(&total, r)
			if moves {
				if err := w.put(ctx, slot, q.id, r); err != nil {
					return err
				}
			}
		}
		if err := w.put(ctx, slot, 0, total); err != nil {
			return err
		}
	}
	return w.flush(ctx)
}

// compare finds out whether a queue's core metrics moved. Counters only rise: of one that fell, the queue was made anew.
func (q *queueTotals) compare() {
	metrics := counted()
	for len(q.before) < len(metrics) {
		q.before, q.changed = append(q.before, 0), true
	}
	for i, m := range metrics {
		if m.typ == typeCounter && q.now[i] < q.before[i] {
			q.before = make([]int64, len(metrics))
			q.changed = true
			return
		}
		q.changed = q.changed || q.now[i] != q.before[i]
	}
}

// row returns the core metrics of the i-th of n steps, and whether something moved there. Gauges are as they were until the last.
func (q *queueTotals) row(i, n int) (r row, moves bool) {
	for k, m := range counted() {
		before, now := q.before[k], q.now[k]
		if m.typ == typeGauge {
			v := before
			if i == n-1 {
				v = now
				moves = moves || now != before
			}
			r = append(r, gauge(k+1, float64(v)))
			continue
		}
		d := now - before
		if added := part(d, int64(i+1), int64(n)) - part(d, int64(i), int64(n)); added != 0 {
			r = append(r, counter(k+1, float64(added)))
			moves = true
		}
	}
	return r, moves
}

// part returns how much of d lies in the first i of n parts, as a whole number.
func part(d, i, n int64) int64 { return d/n*i + d%n*i/n }

// measure puts a queue's measures of one step into its row and into the totals, and its gauges as they are by then.
func (b *batch) measure(r *row, q *queueTotals, list []measure) (moves bool) {
	said := map[int]*blend{} // by the number of a gauge
	for _, m := range list {
		known := b.metric(m)
		if known == nil {
			continue // the queue was made anew meanwhile, and its names are others
		}
		moves = true
		switch m.typ {
		case typeGauge:
			all := said[known.id]
			if all == nil {
				all = &blend{}
				said[known.id] = all
			}
			late := known.count > 0 && m.at.Before(known.updated)
			if late && all.weight == 0 {
				all.add(gauge(known.id, known.value), 1) // which stands here too
			}
			all.add(value{id: known.id, kind: kindMoving, low: m.low, high: m.high, mean: m.sum / float64(m.count), last: m.last}, float64(m.count))
			if !late {
				known.value = m.last
			}
			all.last = known.value
			r.set(all.value(known.id))
			q.gauges[known.id] = known.value
		case typeCounter:
			r.add(counter(known.id, m.sum))
			known.value += m.sum
		case typeTiming:
			h := m.timing()
			r.add(value{id: known.id, kind: kindTiming, timing: h})
			if known.histogram == nil {
				known.histogram = &Histogram{}
			}
			known.histogram.Merge(h)
			known.value += m.sum
		}
		known.count += m.count
		known.touched = true
		if m.at.After(known.updated) {
			known.updated = m.at
		}
	}
	for id, v := range q.gauges {
		if _, found := r.at(id); !found {
			r.set(gauge(id, v))
		}
	}
	return moves
}

// metric returns what is known of a measure's name; nil where it is of another type.
func (b *batch) metric(m measure) *metric {
	known := b.known[m.metricKey]
	if known == nil {
		id, isCore := coreNumber(m.name)
		if !isCore {
			return nil
		}
		known = &metric{metricKey: m.metricKey, id: id, typ: m.typ}
		b.known[m.metricKey] = known
	}
	if known.typ != m.typ {
		return nil
	}
	return known
}

// addUp adds a queue's row to that of all queues, whose numbers of custom metrics are those of the queue ”.
func (b *batch) addUp(total *row, r row) {
	for _, v := range r {
		if v.id > len(core) {
			id, ok := b.common(v.id)
			if !ok {
				continue
			}
			v.id = id
		}
		if v.kind == kindMoving {
			v = gauge(v.id, v.last)
		}
		total.add(v)
	}
}
