package metrics

import (
	"testing"
	"time"
)

// total returns one metric of a queue as it stands.
func (w *seriesWorld) total(queue, name string) Total {
	w.Helper()
	all, err := w.store.Totals(w.ctx, queue)
	if err != nil {
		w.Fatal(err)
	}
	for _, m := range all {
		if m.Name == name {
			return m
		}
	}
	w.Fatalf("%s has no %s", queue, name)
	return Total{}
}

func TestANewGaugeHasItsValueAtOnce(t *testing.T) {
	t.Parallel()
	w := newSeriesWorld(t, "a")
	before := time.Now().Add(-time.Minute)
	look := func(when string) {
		t.Helper()
		if got := w.total("a", "depth"); got.Value != 7 || got.UpdatedAt.Before(before) {
			t.Errorf("%s it is %v of %v; 7 is right", when, got.Value, got.UpdatedAt)
		}
	}
	w.exec(`select fetchq.metric_set('a', 'depth', 7)`)
	look("before the fold")
	w.exec(`select fetchq.mnt_fold('a')`)
	look("before the snapshot")
	w.snapshot(sec(10))
	look("after it")
	// A name whose first value no fold has taken is in no series.
	w.exec(`select fetchq.metric_set('a', 'width', 3)`)
	if _, err := w.store.Snapshot(w.ctx, sec(20)); err != nil {
		t.Fatal(err)
	}
	w.same("not folded yet", w.values(Query{Queues: []string{"a"}, Metrics: []string{"width"}, From: sec(10), To: sec(20), Step: finest}), gap)
}

func TestAllThatAGaugeWasInAStepCountsHoweverManyFoldsTookIt(t *testing.T) {
	t.Parallel()
	w := newSeriesWorld(t, "a")
	for i, values := range [][]float64{{10}, {40, 40}, {10}} {
		w.measure(sec(1+2*i), "a", "depth", "gauge", values...)
		w.exec(`select fetchq.mnt_fold('a')`)
	}
	w.snapshot(sec(10))
	w.snapshot(sec(20))
	for agg, want := range map[string]float64{"avg": 25, "min": 10, "max": 40} {
		w.same(agg, w.values(Query{Queues: []string{"a"}, Metrics: []string{"depth"}, Agg: agg, From: dawn, To: sec(20), Step: finest}), want, 10)
	}
}

func TestALateGaugeDoesNotReplaceANewerOne(t *testing.T) {
	t.Parallel()
	w := newSeriesWorld(t, "a")
	w.measure(sec(12), "a", "depth", "gauge", 5)
	w.snapshot(sec(20))
	w.measure(sec(8), "a", "depth", "gauge", 100) // of a transaction that took long
	w.snapshot(sec(30))
	w.snapshot(sec(40))
	if got := w.total("a", "depth"); got.Value != 5 || !got.UpdatedAt.Equal(sec(12)) {
		t.Errorf("it is %v of %v; 5 of the 12th second is right", got.Value, got.UpdatedAt)
	}
	q := Query{Queues: []string{"a"}, Metrics: []string{"depth"}, Agg: "max", From: sec(10), To: sec(40), Step: finest}
	w.same("highest", w.values(q), 5, 100, 5)
	q.Agg = "min"
	w.same("lowest", w.values(q), 5, 5, 5)
}

func TestWhatIsSentInAStepThatHasNotEndedWaitsForIt(t *testing.T) {
	t.Parallel()
	w := newSeriesWorld(t, "a")
	w.measure(sec(9), "a", "bytes", "counter", 1)
	w.measure(sec(12), "a", "bytes", "counter", 3)
	w.measure(sec(12), "a", "depth", "gauge", 8)
	w.snapshot(sec(13))
	if got := w.total("a", "bytes"); got.Value != 4 {
		t.Errorf("the total is %v; 4 is right", got.Value)
	}
	w.snapshot(sec(20))
	bytes := Query{Queues: []string{"a"}, Metrics: []string{"bytes"}, From: dawn, To: sec(20), Step: finest}
	w.same("bytes", w.values(bytes), 1, 3)
	bytes.Metrics = []string{"depth"}
	w.same("depth", w.values(bytes), gap, 8)
	if got := w.total("a", "bytes"); got.Value != 4 {
		t.Errorf("the total is %v; 4 is right", got.Value)
	}
	if n := scan[int](w, `select count(*) from fetchq.measures`); n != 0 {
		t.Errorf("%d measures are left", n)
	}
}
