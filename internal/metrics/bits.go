package metrics

import (
	"encoding/binary"
	"math/bits"
)

// The counts of a histogram are close to their neighbours, and small: as bytes they take four times what they tell. They are
// written in Rice codes, whose parameter follows the counts that came before (as in RFC 9639, but without a parameter in
// the data).

const (
	escape     = 24 // so many ones stand before a count that is written whole
	escapeBits = 63
)

// rice keeps the mean of the last counts, times four.
type rice struct{ mean int64 }

func (r *rice) parameter() int { return max(bits.Len64(uint64(r.mean)*11/64)-1, 0) } //nolint:gosec // never negative

func (r *rice) follow(n int64) { r.mean += min(n, 1<<40) - r.mean/4 }

// bitWriter appends bits to bytes, the highest of each byte first.
type bitWriter struct {
	bytes []byte
	free  int // bits of the last byte
}

func (w *bitWriter) put(value uint64, n int) {
	for n > 0 {
		if w.free == 0 {
			w.bytes, w.free = append(w.bytes, 0), 8
		}
		take := min(n, w.free)
		part := byte(value >> (n - take) & (1<<take - 1)) //nolint:gosec // 8 bits at most
		w.bytes[len(w.bytes)-1] |= part << (w.free - take)
		n, w.free = n-take, w.free-take
	}
}

func (w *bitWriter) count(r *rice, n int64) {
	k := r.parameter()
	if q := n >> k; q < escape {
		w.put(1<<(q+1)-2, int(q)+1)  // q ones and a zero
		w.put(uint64(n)&(1<<k-1), k) //nolint:gosec // never negative
	} else {
		w.put(1<<escape-1, escape)
		w.put(uint64(n), escapeBits) //nolint:gosec // never negative
	}
	r.follow(n)
}

// bitReader reads what a bitWriter wrote. Behind the end there are zeros, and short is true.
type bitReader struct {
	bytes []byte
	at    int // bits read
	short bool
}

// windowBits are read at once.
const windowBits = 57

// window returns the bits that follow, windowBits at least, the first of them the highest.
func (r *bitReader) window() uint64 {
	i := r.at / 8
	if i+8 <= len(r.bytes) {
		return binary.BigEndian.Uint64(r.bytes[i:]) << (r.at % 8)
	}
	var rest [8]byte
	copy(rest[:], r.bytes[min(i, len(r.bytes)):])
	return binary.BigEndian.Uint64(rest[:]) << (r.at % 8)
}

// skip goes on by n bits.
func (r *bitReader) skip(n int) {
	r.at += n
	r.short = r.short || r.at > 8*len(r.bytes)
}

// get reads n bits, 64 at most.
func (r *bitReader) get(n int) (value uint64) {
	for n > 0 {
		take := min(n, windowBits)
		value = value<<take | r.window()>>(64-take)
		r.skip(take)
		n -= take
	}
	return value
}

func (r *bitReader) count(c *rice) int64 {
	k := c.parameter() // below 40
	w := r.window()
	q := bits.LeadingZeros64(^w)
	var n int64
	switch {
	case q >= escape:
		r.skip(escape)
		n = int64(r.get(escapeBits)) //nolint:gosec // 63 bits
	case q+1+k <= windowBits:
		r.skip(q + 1 + k)
		n = int64(q)<<k | int64(w<<(q+1)>>(64-k)) //nolint:gosec // below 64 bits
	default:
		r.skip(q + 1)
		n = int64(q)<<k | int64(r.get(k)) //nolint:gosec // below 64 bits
	}
	c.follow(n)
	return n
}

// used returns how many bytes were read, the last of them in part.
func (r *bitReader) used() int { return (r.at + 7) / 8 }
