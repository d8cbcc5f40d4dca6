package bench

import (
	"math"
	"time"
)

// times counts how long calls took, in buckets that grow by 1 %: its memory does not grow with the run, and a percentile is
// right to 1 %.
type times struct {
	buckets [2400]int64 // bucket n ends at 1.01^(n+1) microseconds; the last one, beyond six hours, takes the rest
	count   int64
	max     time.Duration
}

var growth = math.Log(1.01)

func (t *times) add(d time.Duration) {
	n := 0
	if us := float64(d) / float64(time.Microsecond); us > 1 {
		n = min(int(math.Log(us)/growth), len(t.buckets)-1)
	}
	t.buckets[n]++
	t.count++
	t.max = max(t.max, d)
}

func (t *times) merge(o *times) {
	for n, count := range &o.buckets {
		t.buckets[n] += count
	}
	t.count += o.count
	t.max = max(t.max, o.max)
}

// at returns what that share of the calls took at most, in milliseconds; 0 where there was none.
func (t *times) at(share float64) float64 {
	left := int64(math.Ceil(share * float64(t.count)))
	for n, count := range &t.buckets {
		if left -= count; left <= 0 && count > 0 {
			return min(math.Pow(1.01, float64(n+1))/1000, t.most())
		}
	}
	return 0
}

// most is the longest, in milliseconds.
func (t *times) most() float64 { return float64(t.max) / float64(time.Millisecond) }
