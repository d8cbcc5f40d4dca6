package scrape

import (
	"math"
	"math/rand/v2"
	"testing"

	dto "github.com/prometheus/client_model/go"

	"github.com/fetchq/server/internal/metrics"
)

// TestBucketsCountWhatIsUnderTheirBounds draws values over the whole range. What lies within 1 % of a bound may be on either side.
func TestBucketsCountWhatIsUnderTheirBounds(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // draws of a test
	var h metrics.Histogram
	surely, perhaps := make([]uint64, len(bounds)), make([]uint64, len(bounds))
	for range 20_000 {
		seconds := math.Exp(r.Float64()*40 - 20)
		if r.IntN(50) == 0 {
			seconds = 0
		}
		h.Add(seconds*1000, 1)
		for i, b := range bounds {
			if seconds <= b*0.99 {
				surely[i]++
			}
			if seconds <= b*1.01 {
				perhaps[i]++
			}
		}
	}
	got := histogram(&h, false)
	if got.GetSampleCount() != 20_000 || math.Abs(got.GetSampleSum()/h.Sum*1000-1) > 1e-12 || got.Schema != nil {
		t.Errorf("%d values of %v s", got.GetSampleCount(), got.GetSampleSum())
	}
	for i, b := range got.Bucket {
		if n := b.GetCumulativeCount(); b.GetUpperBound() != bounds[i] || n < surely[i] || n > perhaps[i] {
			t.Errorf("%d values are up to %v s; %d to %d are wanted", n, bounds[i], surely[i], perhaps[i])
		}
	}
}

// TestNativeBucketsHoldWhatTheyShould opens native histograms of narrow and of wide ranges.
func TestNativeBucketsHoldWhatTheyShould(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		low, high float64 // of log seconds
		schema    int32
	}{
		"a decade": {-3, -1, 3}, "around a second": {-0.5, 0.5, 3}, "microseconds to days": {-13, 13, 2}, "all there is": {-16, 21, 1}, "nothing": {},
	} {
		r := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // draws of a test
		var h metrics.Histogram
		var drawn []float64
		if tt.low != tt.high {
			h.Add(0, 7)
			for range 50_000 {
				seconds := math.Exp(tt.low + r.Float64()*(tt.high-tt.low))
				h.Add(seconds*1000, 1)
				drawn = append(drawn, seconds)
			}
		} else {
			tt.schema = 3
		}
		got := histogram(&h, true)
		if got.GetSchema() != tt.schema || len(got.PositiveSpan) == 0 || len(got.PositiveDelta) > mostNative {
			t.Errorf("%s: schema %d, %d spans, %d buckets; schema %d is wanted", name, got.GetSchema(), len(got.PositiveSpan), len(got.PositiveDelta), tt.schema)
			continue
		}
		total := got.GetZeroCount()
		for _, b := range opened(got) {
			total += uint64(b.n) //nolint:gosec // never negative
			surely, perhaps := int64(0), int64(0)
			for _, s := range drawn {
				if s > b.low*1.01 && s <= b.high*0.99 {
					surely++
				}
				if s > b.low*0.99 && s <= b.high*1.01 {
					perhaps++
				}
			}
			if b.n < surely || b.n > perhaps {
				t.Errorf("%s: %d values in %v to %v; %d to %d are wanted", name, b.n, b.low, b.high, surely, perhaps)
			}
		}
		if total != got.GetSampleCount() {
			t.Errorf("%s: %d values in buckets, %d in all", name, total, got.GetSampleCount())
		}
	}
}

type nativeBucket struct {
	low, high float64
	n         int64
}

// opened reads a native histogram as Prometheus does.
func opened(h *dto.Histogram) []nativeBucket {
	growth := math.Pow(2, math.Pow(2, -float64(h.GetSchema())))
	var out []nativeBucket
	at, n, d := int32(0), int64(0), 0
	for _, s := range h.PositiveSpan {
		at += s.GetOffset()
		for range s.GetLength() {
			n += h.PositiveDelta[d]
			d++
			out = append(out, nativeBucket{math.Pow(growth, float64(at-1)), math.Pow(growth, float64(at)), n})
			at++
		}
	}
	return out
}
