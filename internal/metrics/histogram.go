package metrics

import "math"

// A Histogram counts timings in buckets of a logarithmic scale. Bucket i holds what lies in (γ^(i-1), γ^i] milliseconds and
// is read back as 2γ^i/(γ+1), the value that is off by the same share at both ends: (γ-1)/(γ+1), 0.99 %. What is not above
// 0.0001 ms counts as 0. SQL has the same scale in fetchq.bucket.
//
// Histograms merge by sum, so that a percentile over any time and any set of queues has that error and no other. The zero
// value is empty.
type Histogram struct {
	Count     int64
	Sum       float64 // milliseconds, of the values as they came
	Low, High float64 // the smallest and the largest of them; 0 while Count is 0

	zero   int64
	first  int     // the bucket of counts[0]
	counts []int64 // neither end is 0
}

const (
	gamma       = 1.02
	tiniest     = 1e-4 // ms; what is not above it counts as 0
	lowBucket   = -465
	highBucket  = 1500           // 250 years
	zeroBucket  = math.MinInt16  // how SQL writes the bucket of 0
	bucketCount = 2 * highBucket // an upper bound, for what is read
)

var lnGamma = math.Log(gamma)

// bucketOf returns the bucket of a value; zeroBucket for what counts as 0.
func bucketOf(ms float64) int {
	if !(ms > tiniest) { // also what is no number
		return zeroBucket
	}
	return int(min(max(math.Ceil(math.Log(ms)/lnGamma), lowBucket), highBucket))
}

// valueOf returns the value by which a bucket is read back.
func valueOf(bucket int) float64 { return 2 * math.Pow(gamma, float64(bucket)) / (gamma + 1) }

// Add counts a value of so many milliseconds n times.
func (h *Histogram) Add(ms float64, n int64) {
	if n > 0 {
		h.put(bucketOf(ms), n)
		h.note(n, ms*float64(n), ms, ms)
	}
}

// AddBuckets counts what SQL has put into buckets: values of so many milliseconds together, from low to high.
func (h *Histogram) AddBuckets(buckets []int16, counts []int64, sum, low, high float64) {
	total := int64(0)
	// In the order of SQL the last is the highest, and the first that is not 0 the lowest: room for both saves room for each.
	if n := len(buckets); n > 2 && buckets[n-1] != zeroBucket {
		h.room(min(max(int(buckets[1]), lowBucket), highBucket), min(max(int(buckets[n-1]), lowBucket), highBucket))
	}
	for i, b := range buckets {
		if i < len(counts) && counts[i] > 0 {
			h.put(int(b), counts[i])
			total += counts[i]
		}
	}
	h.note(total, sum, low, high)
}

// Merge counts what o has counted.
func (h *Histogram) Merge(o *Histogram) {
	if o.Count == 0 {
		return
	}
	h.zero += o.zero
	if len(o.counts) > 0 {
		h.room(o.first, o.first+len(o.counts)-1)
		for i, n := range o.counts {
			h.counts[o.first-h.first+i] += n
		}
	}
	h.note(o.Count, o.Sum, o.Low, o.High)
}

// note counts n values beside their buckets.
func (h *Histogram) note(n int64, sum, low, high float64) {
	switch {
	case n == 0:
		return
	case h.Count == 0:
		h.Low, h.High = low, high
	default:
		h.Low, h.High = min(h.Low, low), max(h.High, high)
	}
	h.Count += n
	h.Sum += sum
}

func (h *Histogram) put(bucket int, n int64) {
	if bucket == zeroBucket {
		h.zero += n
		return
	}
	bucket = min(max(bucket, lowBucket), highBucket)
	h.room(bucket, bucket)
	h.counts[bucket-h.first] += n
}

// room makes room for the buckets from low to high.
func (h *Histogram) room(low, high int) {
	switch {
	case len(h.counts) == 0:
		h.first, h.counts = low, zeros(h.counts, high-low+1)
	case low >= h.first && high-h.first < cap(h.counts):
		if n := len(h.counts); high-h.first >= n {
			h.counts = h.counts[:high-h.first+1]
			clear(h.counts[n:])
		}
	case low < h.first || high >= h.first+len(h.counts):
		first, last := min(low, h.first), max(high, h.first+len(h.counts)-1)
		wider := make([]int64, last-first+1)
		copy(wider[h.first-first:], h.counts)
		h.first, h.counts = first, wider
	}
}

// zeros returns n counts of 0, in the room of some that nobody needs where it is enough.
func zeros(old []int64, n int) []int64 {
	if n > cap(old) {
		return make([]int64, n)
	}
	clear(old[:n])
	return old[:n]
}

// clear makes h empty; it keeps its room.
func (h *Histogram) clear() { *h = Histogram{counts: h.counts[:0]} }

// Quantile returns the value of nearest rank: the smallest one that is not below a share q of all, within 1 %. It is NaN
// where nothing was counted.
func (h *Histogram) Quantile(q float64) float64 {
	if h.Count == 0 {
		return math.NaN()
	}
	rank := min(max(int64(math.Ceil(q*float64(h.Count))), 1), h.Count)
	value := 0.0
	if left := rank - h.zero; left > 0 {
		for i, n := range h.counts {
			if left -= n; left <= 0 {
				value = valueOf(h.first + i)
				break
			}
		}
	}
	return min(max(value, h.Low), h.High)
}

// Mean returns the mean; NaN where nothing was counted.
func (h *Histogram) Mean() float64 {
	if h.Count == 0 {
		return math.NaN()
	}
	return h.Sum / float64(h.Count)
}
