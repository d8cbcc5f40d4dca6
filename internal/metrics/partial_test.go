package metrics

import (
	"math"
	"slices"
	"testing"
	"time"
)

// TestARateIsOverTheTimeThatWasMeasured has one document a second, measured for 70 seconds, not for nearly two hours, and then for an hour:
// in steps of every width there is one a second, however much of them was measured.
func TestARateIsOverTheTimeThatWasMeasured(t *testing.T) {
	t.Parallel()
	w := newSeriesWorld(t, "a")
	for i := range 7 {
		w.push("a", 10)
		w.measure(sec(10*i+1), "a", "parse", "timing", slices.Repeat([]float64{5}, 10)...)
		w.measure(sec(10*i+1), "a", "depth", "gauge", map[bool]float64{true: 10, false: 70}[i < 6])
		w.snapshot(sec(10 * (i + 1)))
	}
	w.push("a", 3600)
	w.upkeep(sec(3 * 3600))
	w.snapshot(sec(3 * 3600))
	for _, queue := range []string{"a", AllQueues} {
		for width, want := range map[time.Duration][]float64{
			time.Minute: {1, 1, gap}, 2 * time.Minute: {1, gap, gap}, 10 * time.Minute: {1, gap, gap}, time.Hour: {1, gap, 1}, 24 * time.Hour: {1},
		} {
			q := Query{Queues: []string{queue}, Metrics: []string{"entered"}, Agg: "rate", From: dawn, To: dawn.Add(time.Duration(len(want)) * width), Step: width}
			w.same("the rate of "+queue+" in steps of "+width.String(), w.values(q), want...)
		}
		first := Query{Queues: []string{queue}, From: dawn, To: sec(3600), Step: time.Hour}
		for metric, want := range map[string]map[string]float64{"parse": {"rate": 1, "sum": 350}, "entered": {"sum": 70}} {
			for agg, want := range want {
				first.Metrics, first.Agg = []string{metric}, agg
				w.same(agg+" of "+metric, w.values(first), want)
			}
		}
		first.Metrics, first.Agg = []string{"depth"}, "avg"
		if got := w.values(first)[0]; math.Abs(got-(60*10+10*70)/70.0) > 1e-9 {
			t.Errorf("the gauge of %s was %v in the mean; 10 for a minute and 70 for ten seconds are right", queue, got)
		}
	}
	const noted = `select count(*) from fetchq.series_partial`
	if n := scan[int](w, noted); n < 3 || n > 12 {
		t.Errorf("%d steps are noted as measured in part", n)
	}
	w.upkeep(dawn.Add(500 * day))
	if n := scan[int](w, noted); n != 0 {
		t.Errorf("%d steps are noted that are kept no longer", n)
	}
}

// TestAStepThatIsMeasuredAfterAllIsWhole writes steps in part while the clock is two hours ahead, and whole when it is right again.
func TestAStepThatIsMeasuredAfterAllIsWhole(t *testing.T) {
	t.Parallel()
	w := newSeriesWorld(t, "a")
	w.push("a", 60)
	w.snapshot(sec(60))
	w.upkeep(sec(7200 + 70))
	w.snapshot(sec(7200 + 70))
	w.snapshot(sec(60)) // it is right again
	w.push("a", 540)
	w.snapshot(sec(600))
	w.push("a", 3000)
	w.snapshot(sec(3600))
	rate := Query{Queues: []string{"a"}, Metrics: []string{"entered"}, Agg: "rate", From: dawn, To: sec(3600), Step: time.Hour}
	w.same("by hours", w.values(rate), 1)
	rate.Step = 10 * time.Minute
	w.same("by ten minutes", w.values(rate), 1, 1, 1, 1, 1, 1)
	if n := scan[int](w, `select count(*) from fetchq.series_partial where slot >= $1`, dawn); n != 0 {
		t.Errorf("%d steps are noted as measured in part", n)
	}
}
