package metrics

import (
	"context"
	"log/slog"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// world is what the counters say and what time it is.
type world struct {
	t       *testing.T
	now     time.Time
	samples []Sample
	err     error
	recent  *Recent
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, now: time.Unix(1_800_000_000, 0)}
	w.recent = New(func(context.Context) ([]Sample, error) { return w.samples, w.err }, nil, func() time.Time { return w.now }, slog.New(slog.DiscardHandler))
	return w
}

// after lets time go by and takes a sample.
func (w *world) after(d time.Duration, samples ...Sample) {
	w.t.Helper()
	w.now = w.now.Add(d)
	w.samples = samples
	if err := w.recent.runOnce(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// steady takes n samples 5 s apart of a queue to which so many documents come in that time, half of which are processed and
// one of which fails.
func (w *world) steady(n int, q *Sample, come int64) {
	w.t.Helper()
	for range n {
		q.Entered += come
		q.Processed += come / 2
		q.Errors++
		q.Pending += come - come/2
		w.after(every, *q)
	}
}

var (
	unknown = math.NaN()
	near    = cmp.Options{cmpopts.EquateNaNs(), cmpopts.EquateApprox(0, 1e-6)}
)

// line returns a line whose last values are known.
func line(values ...float64) []float64 {
	l := make([]float64, Points)
	for i := range l {
		l[i] = unknown
	}
	copy(l[Points-len(values):], values)
	return l
}

func (w *world) is(queue string, want Trend) {
	w.t.Helper()
	if diff := cmp.Diff(idle(want), w.recent.Of(queue), near); diff != "" {
		w.t.Error(diff)
	}
}

// idle returns a trend that, where it says nothing of active and killed documents, has none of them whenever it knows of the pending ones.
func idle(t Trend) Trend {
	if t.Active == nil {
		t.Active = line()
		for i, v := range t.Pending {
			t.Active[i] = v * 0
		}
		t.Killed = t.Active
	}
	return t
}

func TestNothingIsKnownOfAQueueBeforeItsSecondSample(t *testing.T) {
	w := newWorld(t)
	w.is("a", unknownTrend())
	if diff := cmp.Diff(w.recent.Of("a"), w.recent.Total(), near); diff != "" {
		t.Error(diff)
	}
	w.after(every, Sample{Queue: "a", Pending: 7, Active: 5, Killed: 2, Entered: 1_000_000, Processed: 500, Errors: 3})
	w.is("a", Trend{Pending: line(7), Active: line(5), Killed: line(2), Processed: line(), Errors: line()})
	w.after(every, Sample{Queue: "a", Pending: 8, Active: 4, Killed: 3, Entered: 1_000_002, Processed: 501, Errors: 3}, Sample{Queue: "b", Pending: 1, Active: 10, Killed: 100})
	w.is("a", Trend{
		Known: true, Over: every, EnteredPerMin: 24, ProcessedPerMin: 12, Pending: line(8), Active: line(4), Killed: line(3), Processed: line(12), Errors: line(0),
	})
	all := w.recent.Total()
	if diff := cmp.Diff([][]float64{line(9), line(14), line(103)}, [][]float64{all.Pending, all.Active, all.Killed}, near); diff != "" {
		t.Error(diff)
	}
}

func TestRatesAreThoseOfTheLastMinute(t *testing.T) {
	w := newWorld(t)
	q := Sample{Queue: "a"}
	w.steady(24, &q, 100)
	w.steady(12, &q, 10)
	got := w.recent.Of("a")
	if !got.Known || got.EnteredPerMin != 120 || got.ProcessedPerMin != 60 || got.ErrorsPerMin != 12 {
		t.Errorf("%+v", got)
	}
	w.steady(6, &q, 50)
	if got := w.recent.Of("a"); got.EnteredPerMin != 360 || got.ProcessedPerMin != 180 {
		t.Errorf("half of the minute is busier: %+v", got)
	}
}

func TestLinesHaveAPointForEachHalfMinuteOfFifteen(t *testing.T) {
	w := newWorld(t)
	q := Sample{Queue: "a"}
	w.after(0, q)
	w.steady(6, &q, 100)
	w.steady(6, &q, 2)
	w.steady(3, &q, 4)
	want := Trend{
		Known: true, Over: time.Minute, EnteredPerMin: (3*100 + 6*2 + 3*4), ProcessedPerMin: (3*50 + 6*1 + 3*2), ErrorsPerMin: 12,
		Pending: line(300, 306, 312), Processed: line(600, 12, 24), Errors: line(12, 12, 12),
	}
	w.is("a", want)
	w.steady(3+26*6, &q, 4)
	got := w.recent.Of("a")
	if diff := cmp.Diff([]float64{unknown, 600, 12, 24, 24}, got.Processed[:5], near); diff != "" {
		t.Error(diff)
	}
	w.steady(3*6, &q, 4)
	for i, v := range w.recent.Of("a").Processed {
		if v != 24 {
			t.Errorf("point %d is %v; what is older than 15 minutes is to be gone", i, v)
		}
	}
}
