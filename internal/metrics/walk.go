package metrics

import "time"

// walk is where the gauges of one queue stand while its rows are read. Where it has no row they stay as they were.
type walk struct {
	queue  int
	beat   int // the next one
	now    row
	gauges map[*curve][]blend
}

// walk begins with the row that stands before the first beat, where there is one.
func (p *plan) walk(queue int, earlier []byte, want func(id int) bool) (*walk, error) {
	w := &walk{queue: queue, gauges: map[*curve][]blend{}}
	for _, l := range p.series {
		if _, has := l.source[queue]; has {
			p.begin(l)
			if l.typ == typeGauge {
				w.gauges[l] = make([]blend, len(l.bins))
			}
		}
	}
	if earlier == nil || len(w.gauges) == 0 {
		return w, nil
	}
	r, err := decode(earlier, want)
	w.now = flat(r)
	return w, err
}

// to goes on to a row.
func (w *walk) to(p *plan, slot time.Time, r row) {
	if len(w.gauges) == 0 {
		return
	}
	for ; w.beat < len(p.beats) && p.beats[w.beat].slot.Before(slot); w.beat++ {
		w.put(p, w.now)
	}
	if w.beat < len(p.beats) && p.beats[w.beat].slot.Equal(slot) {
		w.put(p, r)
		w.beat++
	}
	w.now = flat(r)
}

// put counts the gauges as they are in the next beat.
func (w *walk) put(p *plan, here row) {
	b := p.beats[w.beat]
	i := p.bin(b.slot)
	for l, blends := range w.gauges {
		if at, found := here.at(l.source[w.queue][0]); found && i < len(blends) {
			blends[i].add(here[at], b.measured.Seconds())
		}
	}
}

// end goes on to the end, and adds the gauges to those of other queues.
func (w *walk) end(p *plan) {
	if len(w.gauges) == 0 {
		return
	}
	for ; w.beat < len(p.beats); w.beat++ {
		w.put(p, w.now)
	}
	for l, blends := range w.gauges {
		for i, b := range blends {
			if b.weight > 0 {
				l.bins[i].gauged = true
				l.bins[i].low += b.low
				l.bins[i].high += b.high
				l.bins[i].avg += b.mean()
			}
		}
	}
}
