package metrics

import "encoding/binary"

// Renumber returns a row of a series whose custom metrics have other numbers, as those of a queue that comes from another database. The new
// numbers stand in the order of the old ones; a metric that ids does not name keeps its number. Its error says that the row cannot be read.
func Renumber(data []byte, ids map[int]int) ([]byte, error) {
	if len(data) == 0 || data[0] != codecVersion {
		return nil, errCorrupt
	}
	out := []byte{codecVersion}
	r := reader{b: data[1:]}
	id, before := 0, 0
	for len(r.b) > 0 {
		head := r.uvarint()
		if id += int(head >> 2); head>>2 == 0 || head > 1<<33 || id > 1<<31 {
			return nil, errCorrupt
		}
		now, known := ids[id]
		if !known {
			now = id
		}
		if now <= before {
			return nil, errCorrupt
		}
		value := r.b
		switch head & 3 {
		case kindMoving:
			_, _, _, _ = r.number(), r.number(), r.number(), r.number()
		case kindTiming:
			r.take(r.uvarint())
		default:
			r.number()
		}
		if r.bad {
			return nil, errCorrupt
		}
		out = binary.AppendUvarint(out, uint64(now-before)<<2|head&3) //nolint:gosec // rising
		out = append(out, value[:len(value)-len(r.b)]...)
		before = now
	}
	return out, nil
}
