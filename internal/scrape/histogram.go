package scrape

import (
	"math"
	"sort"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/proto"

	"github.com/fetchq/server/internal/metrics"
)

// bounds are the upper bounds in seconds of the classic buckets: from what a pick takes at best to a week.
var bounds = []float64{
	0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 21_600, 86_400, 604_800,
}

// Native histograms have buckets that grow by 2^(1/8), 9 %, as long as there are no more than mostNative of them; else by the square of
// that, and so on.
const (
	finestSchema = 3
	mostNative   = 160
)

// bucketsUnder are, for each bound, the last of our buckets that is read back as no more than it. A timing within 1 % of a
// bound may be counted on either side of it.
var bucketsUnder = func() []int {
	out := make([]int, len(bounds))
	for i, b := range bounds {
		n := metrics.HighBucket - metrics.LowBucket + 1
		out[i] = metrics.LowBucket - 1 + sort.Search(n, func(k int) bool { return metrics.BucketValue(metrics.LowBucket+k) > b*1000 })
	}
	return out
}()

// nativeIndex are the native buckets of the finest schema, by the place of ours.
var nativeIndex = func() []int32 {
	out := make([]int32, metrics.HighBucket-metrics.LowBucket+1)
	for i := range out {
		seconds := metrics.BucketValue(metrics.LowBucket+i) / 1000
		out[i] = int32(math.Ceil(math.Log2(seconds) * (1 << finestSchema)))
	}
	return out
}()

// upperBounds are bounds as families want them; nobody changes them.
var upperBounds = func() []*float64 {
	out := make([]*float64, len(bounds))
	for i := range bounds {
		out[i] = &bounds[i]
	}
	return out
}()

// wantsNative says whether a scraper takes native histograms: only protobuf carries them.
func wantsNative(accept string) bool {
	return strings.Contains(accept, "application/vnd.google.protobuf")
}

// histogram turns timings in milliseconds into a histogram in seconds.
func histogram(h *metrics.Histogram, native bool) *dto.Histogram {
	zero, first, counts := h.Buckets()
	out := &dto.Histogram{SampleCount: proto.Uint64(uint64(h.Count)), SampleSum: proto.Float64(h.Sum / 1000)} //nolint:gosec // never negative
	cumulated := make([]uint64, len(bounds))
	buckets := make([]dto.Bucket, len(bounds))
	out.Bucket = make([]*dto.Bucket, len(bounds))
	sum, at := uint64(zero), 0 //nolint:gosec // never negative
	for i, last := range bucketsUnder {
		for ; at < len(counts) && first+at <= last; at++ {
			sum += uint64(counts[at]) //nolint:gosec // never negative
		}
		cumulated[i] = sum
		buckets[i].UpperBound, buckets[i].CumulativeCount = upperBounds[i], &cumulated[i]
		out.Bucket[i] = &buckets[i]
	}
	if native {
		addNative(out, zero, first, counts)
	}
	return out
}

// addNative adds the buckets of a native histogram.
func addNative(out *dto.Histogram, zero int64, first int, counts []int64) {
	schema := int32(finestSchema)
	var places []int32
	var values []int64
	for ; ; schema-- {
		places, values = places[:0], values[:0]
		for i, n := range counts {
			if n == 0 {
				continue
			}
			place := nativeIndex[first+i-metrics.LowBucket]
			// Each coarser bucket ends where the second of its two ends.
			for range finestSchema - schema {
				place = (place + 1) >> 1
			}
			if k := len(places) - 1; k >= 0 && places[k] == place {
				values[k] += n
			} else {
				places, values = append(places, place), append(values, n)
			}
		}
		if len(places) <= mostNative {
			break
		}
	}
	out.Schema, out.ZeroThreshold, out.ZeroCount = proto.Int32(schema), proto.Float64(metrics.Tiniest/1000), proto.Uint64(uint64(zero)) //nolint:gosec // never negative
	before := int64(0)
	for i, place := range places {
		if i == 0 || place != places[i-1]+1 {
			gap := place
			if i > 0 {
				gap = place - places[i-1] - 1
			}
			out.PositiveSpan = append(out.PositiveSpan, &dto.BucketSpan{Offset: proto.Int32(gap), Length: proto.Uint32(0)})
		}
		*out.PositiveSpan[len(out.PositiveSpan)-1].Length++
		out.PositiveDelta = append(out.PositiveDelta, values[i]-before)
		before = values[i]
	}
	if len(places) == 0 && zero == 0 {
		// A span without length tells an empty native histogram from one that has classic buckets only.
		out.PositiveSpan = []*dto.BucketSpan{{Offset: proto.Int32(0), Length: proto.Uint32(0)}}
	}
}
