package metrics

import (
	"encoding/binary"
	"errors"
	"math"
)

// A row of a series has one queue's metrics in a step as bytes: a version, then the metrics in the order of their numbers,
// each as uvarint (number - the number before) << 2 | kind, and behind it
//
//	counter  number: what was added
//	gauge    number: the value at the end of the step, and throughout
//	moving   numbers: the value at the end, the lowest, the highest, the mean by time
//	timing   uvarint length, histogram
//
// number is a uvarint: a whole number in zigzag, shifted by one; or 1, and the 8 bytes of a float64. A histogram is its sum as
// a number, Low and High as 4 bytes of a float32, a uvarint of zeros, and stretches of buckets: uvarint gap since the last
// one, uvarint length, and the counts in Rice codes, up to a whole byte.
const codecVersion = 1

// The kinds of a value.
const (
	kindCounter = iota
	kindGauge
	kindMoving
	kindTiming
)

// errCorrupt says that bytes are not what this version, or one before it, wrote.
var errCorrupt = errors.New("the row of a series cannot be read")

// wide is how many empty buckets end a stretch: to begin another one costs as many bits.
const wide = 24

func appendNumber(b []byte, v float64) []byte {
	if whole := int64(v); math.Abs(v) < 1<<53 && float64(whole) == v {
		return binary.AppendUvarint(b, uint64(whole<<1^whole>>63)<<1) //nolint:gosec // zigzag
	}
	return binary.LittleEndian.AppendUint64(binary.AppendUvarint(b, 1), math.Float64bits(v))
}

// reader reads a row; what is short or wrong sets bad, and everything after it is 0.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.b, r.bad = nil, true
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) number() float64 {
	v := r.uvarint()
	if v == 1 {
		if raw := r.take(8); raw != nil {
			return math.Float64frombits(binary.LittleEndian.Uint64(raw))
		}
		return 0
	}
	v >>= 1
	return float64(int64(v>>1) ^ -int64(v&1))
}

func (r *reader) float32() float64 {
	if raw := r.take(4); raw != nil {
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(raw)))
	}
	return 0
}

// appendTo appends the histogram's bytes.
func (h *Histogram) appendTo(b []byte) []byte {
	b = appendNumber(b, h.Sum)
	b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(h.Low)))
	b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(h.High)))
	b = binary.AppendUvarint(b, uint64(h.zero)) //nolint:gosec // never negative
	at := lowBucket
	for i := 0; i < len(h.counts); {
		if h.counts[i] == 0 {
			i++
			continue
		}
		end := i + 1 // behind the last count that is not 0
		for j := end; j < len(h.counts) && j-end < wide; j++ {
			if h.counts[j] != 0 {
				end = j + 1
			}
		}
		b = binary.AppendUvarint(b, uint64(h.first+i-at)) //nolint:gosec // never negative
		b = binary.AppendUvarint(b, uint64(end-i))        //nolint:gosec // never negative
		w, r := bitWriter{bytes: b}, rice{mean: 4}
		for _, n := range h.counts[i:end] {
			w.count(&r, n)
		}
		b = w.bytes
		at, i = h.first+end, end
	}
	return b
}

// parseHistogram reads a histogram from all of b.
func parseHistogram(b []byte) (*Histogram, error) {
	h := &Histogram{}
	err := h.parse(b)
	return h, err
}

// parse is parseHistogram in the room that a histogram has; after an error it is of no use.
func (h *Histogram) parse(b []byte) error {
	h.clear()
	r := reader{b: b}
	h.Sum, h.Low, h.High = r.number(), r.float32(), r.float32()
	h.zero = int64(r.uvarint()) //nolint:gosec // looked at below
	h.Count = h.zero
	at := lowBucket
	for !r.bad && len(r.b) > 0 {
		gap, length := r.uvarint(), r.uvarint()
		if gap > bucketCount || length == 0 || length > bucketCount || at+int(gap)+int(length) > highBucket+1 {
			return errCorrupt
		}
		at += int(gap)
		h.room(at, at+int(length)-1)
		in, c := bitReader{bytes: r.b}, rice{mean: 4}
		for range length {
			n := in.count(&c)
			h.counts[at-h.first] = n
			h.Count += n
			at++
			if in.short || n < 0 || h.Count < 0 {
				return errCorrupt
			}
		}
		r.take(uint64(in.used())) //nolint:gosec // never negative
	}
	if r.bad || h.zero < 0 {
		return errCorrupt
	}
	return nil
}
