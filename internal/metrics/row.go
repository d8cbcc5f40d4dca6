package metrics

import (
	"encoding/binary"
	"slices"
)

// value is one metric of a queue in a step.
type value struct {
	id   int
	kind uint8

	last            float64 // of a counter: what was added; of a gauge: the value at the end
	low, high, mean float64 // of a moving gauge; mean by time
	timing          *Histogram
}

func counter(id int, added float64) value { return value{id: id, kind: kindCounter, last: added} }

func gauge(id int, v float64) value { return value{id: id, kind: kindGauge, last: v} }

// bounds returns the lowest, highest and mean value of a gauge.
func (v value) bounds() (low, high, mean float64) {
	if v.kind == kindMoving {
		return v.low, v.high, v.mean
	}
	return v.last, v.last, v.last
}

// row is one queue's metrics in a step, by their numbers.
type row []value

// at returns the place of a metric, or where it would stand.
func (r row) at(id int) (int, bool) {
	return slices.BinarySearchFunc(r, id, func(v value, id int) int { return v.id - id })
}

// set puts a value in, in place of one of its number.
func (r *row) set(v value) {
	if i, found := r.at(v.id); found {
		(*r)[i] = v
	} else {
		*r = slices.Insert(*r, i, v)
	}
}

// add adds to a counter, or to the timings of one, in the row. Of a gauge it adds the values: the row is that of several queues.
func (r *row) add(v value) {
	i, found := r.at(v.id)
	switch {
	case !found:
		if v.timing != nil {
			whole := &Histogram{}
			whole.Merge(v.timing)
			v.timing = whole
		}
		*r = slices.Insert(*r, i, v)
	case v.kind == kindTiming:
		if (*r)[i].timing != nil {
			(*r)[i].timing.Merge(v.timing)
		}
	default:
		(*r)[i].last += v.last
	}
}

// encode returns the bytes of a row.
func (r row) encode() []byte {
	b := []byte{codecVersion}
	before := 0
	var h []byte
	for _, v := range r {
		b = binary.AppendUvarint(b, uint64(v.id-before)<<2|uint64(v.kind)) //nolint:gosec // rising
		before = v.id
		switch v.kind {
		case kindMoving:
			b = appendNumber(b, v.last)
			b = appendNumber(b, v.low)
			b = appendNumber(b, v.high)
			b = appendNumber(b, v.mean)
		case kindTiming:
			h = v.timing.appendTo(h[:0])
			b = append(binary.AppendUvarint(b, uint64(len(h))), h...)
		default:
			b = appendNumber(b, v.last)
		}
	}
	return b
}

// decode reads a row: all of it, or those metrics that want says.
func decode(b []byte, want func(id int) bool) (row, error) { return decodeInto(nil, b, want) }

// decodeInto is decode in the room of a row that nobody needs any more, and of its histograms.
func decodeInto(old row, b []byte, want func(id int) bool) (row, error) {
	if len(b) == 0 || b[0] != codecVersion {
		return nil, errCorrupt
	}
	r := reader{b: b[1:]}
	out := old[:0]
	id := uint64(0)
	for !r.bad && len(r.b) > 0 {
		head := r.uvarint()
		step := head >> 2
		id += step
		if id > 1<<31 || step == 0 {
			return nil, errCorrupt
		}
		v := value{id: int(id), kind: uint8(head & 3)}
		wanted := want == nil || want(v.id)
		switch v.kind {
		case kindMoving:
			v.last, v.low, v.high, v.mean = r.number(), r.number(), r.number(), r.number()
		case kindTiming:
			raw := r.take(r.uvarint())
			if !wanted {
				continue
			}
			if n := len(out); n < len(old) {
				v.timing = old[n].timing
			}
			if v.timing == nil {
				v.timing = &Histogram{}
			}
			if err := v.timing.parse(raw); err != nil {
				return nil, err
			}
		default:
			v.last = r.number()
		}
		if wanted {
			out = append(out, v)
		}
	}
	if r.bad {
		return nil, errCorrupt
	}
	return out, nil
}
