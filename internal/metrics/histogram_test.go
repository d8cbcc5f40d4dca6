package metrics

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const tenDays = 10 * 24 * 3600 * 1000.0 // ms

// draws are distributions of timings, in milliseconds, from 1 µs to 10 days.
func draws(r *rand.Rand) map[string]func() float64 {
	within := func(v float64) float64 { return min(max(v, 0.001), tenDays) }
	return map[string]func() float64{
		"uniform":      func() float64 { return within(r.Float64() * tenDays) },
		"short":        func() float64 { return within(r.Float64()) },
		"log-normal":   func() float64 { return within(math.Exp(4 + 1.5*r.NormFloat64())) },
		"over all":     func() float64 { return within(0.001 * math.Pow(tenDays/0.001, r.Float64())) },
		"bimodal":      func() float64 { return within(math.Exp(r.NormFloat64()*0.1 + 12*float64(r.IntN(2)))) },
		"constant":     func() float64 { return 1234.5 },
		"microseconds": func() float64 { return 0.001 * float64(1+r.IntN(3)) },
	}
}

// nearest returns the value of nearest rank.
func nearest(sorted []float64, q float64) float64 {
	return sorted[max(int(math.Ceil(q*float64(len(sorted)))), 1)-1]
}

func random() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) } //nolint:gosec // a test's

func TestQuantilesAreWithinOnePercentHoweverTheValuesAreSplit(t *testing.T) {
	r := random()
	for name, draw := range draws(r) {
		parts := make([]Histogram, 17)
		var all []float64
		for range 20_000 {
			v := draw()
			all = append(all, v)
			parts[r.IntN(len(parts))].Add(v, 1)
		}
		slices.Sort(all)
		var whole Histogram
		for i := range parts {
			read, err := parseHistogram(parts[i].appendTo(nil))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			whole.Merge(read)
		}
		if whole.Count != int64(len(all)) {
			t.Errorf("%s: %d values; %d are right", name, whole.Count, len(all))
		}
		for p := 0; p <= 1000; p++ {
			q := float64(p) / 1000
			if want, got := nearest(all, q), whole.Quantile(q); math.Abs(got-want) > 0.01*want {
				t.Errorf("%s: the quantile %v is %v; %v is right, and 1%% is allowed", name, q, got, want)
				break
			}
		}
	}
}

func TestBucketsOfSQLAndGoAgreeAtTheirEnds(t *testing.T) {
	for i := lowBucket + 1; i <= highBucket; i++ { // the lowest one begins below what counts as 0
		v := valueOf(i)
		if got := bucketOf(v); got != i {
			t.Fatalf("the value %v of bucket %d lies in bucket %d", v, i, got)
		}
	}
	for _, v := range []float64{0, -1, tiniest, math.Inf(-1), math.NaN()} {
		if got := bucketOf(v); got != zeroBucket {
			t.Errorf("%v lies in bucket %d, not in that of 0", v, got)
		}
	}
	for _, v := range []float64{1e300, math.Inf(1)} {
		if got := bucketOf(v); got != highBucket {
			t.Errorf("%v lies in bucket %d, not in the highest", v, got)
		}
	}
}

// drawRow draws any row.
func drawRow(t *rapid.T) row {
	var out row
	id := 0
	for range rapid.IntRange(0, 12).Draw(t, "metrics") {
		id += rapid.IntRange(1, 5000).Draw(t, "step")
		number := rapid.OneOf(rapid.Float64(), rapid.Map(rapid.Int64Range(-1<<53+1, 1<<53-1), func(v int64) float64 { return float64(v) }))
		v := value{id: id, kind: uint8(rapid.IntRange(0, 3).Draw(t, "kind"))} //nolint:gosec // small
		switch v.kind {
		case kindMoving:
			v.last, v.low, v.high, v.mean = number.Draw(t, "last"), number.Draw(t, "low"), number.Draw(t, "high"), number.Draw(t, "mean")
		case kindTiming:
			v.timing = &Histogram{}
			for range rapid.IntRange(0, 60).Draw(t, "values") {
				ms := rapid.OneOf(rapid.Float64Range(0, 1e12), rapid.Float64Range(90, 110), rapid.Just(0.0)).Draw(t, "ms")
				v.timing.Add(float64(float32(ms)), rapid.OneOf(rapid.Int64Range(1, 9), rapid.Int64Range(1, 1<<50)).Draw(t, "n"))
			}
		default:
			v.last = number.Draw(t, "value")
		}
		out = append(out, v)
	}
	return out
}

func TestARowIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawRow(t)
		got, err := decode(want.encode(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(value{}, Histogram{})); diff != "" {
			t.Fatal(diff)
		}
		if len(want) > 1 {
			one, err := decode(want.encode(), func(id int) bool { return id == want[1].id })
			if err != nil || len(one) != 1 || one[0].id != want[1].id {
				t.Fatalf("of one metric %v was read: %v", one, err)
			}
		}
	})
}

func FuzzDecode(f *testing.F) {
	h := &Histogram{}
	for i := range 200 {
		h.Add(float64(i*i), int64(i))
	}
	f.Add(row{counter(1, 3), gauge(2, 0.5), {id: 70, kind: kindTiming, timing: h}}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decode(b, nil)
		if err != nil {
			return
		}
		if _, err := decode(r.encode(), nil); err != nil {
			t.Fatalf("what was read cannot be read again: %v", err)
		}
	})
}

func TestARowOfNeighbouringCountsTakesAFewBitsEach(t *testing.T) {
	r := random()
	h := &Histogram{}
	for range 360 {
		h.Add(math.Exp(5+r.NormFloat64()), 1)
	}
	if n := len(h.appendTo(nil)); n > 120 {
		t.Errorf("360 log-normal values in %d buckets take %d bytes", len(h.counts), n)
	}
}
