package metrics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
)

func TestAReadThatFailsLeavesItsStepsToTheNextThatDoesNot(t *testing.T) {
	w := newWorld(t)
	q := Sample{Queue: "a"}
	w.after(0, q)
	w.steady(6, &q, 2)
	w.err = errors.New("away")
	w.now = w.now.Add(85 * time.Second)
	if err := w.recent.runOnce(t.Context()); err == nil {
		t.Error("a read failed and runOnce did not say so")
	}
	got := w.recent.Of("a")
	if got.Known || got.EnteredPerMin != 0 {
		t.Errorf("the last minute is not known: %+v", got)
	}
	if want := line(6, unknown, unknown, unknown); !cmp.Equal(want, got.Pending, near) {
		t.Errorf("pending: %v", got.Pending)
	}
	w.err = nil
	q.Entered, q.Processed, q.Pending = q.Entered+90, q.Processed+30, 66
	w.after(every, q)
	w.is("a", Trend{
		Known: true, Over: 90 * time.Second, EnteredPerMin: 60, ProcessedPerMin: 20,
		Pending: line(6, unknown, unknown, 66), Processed: line(12, 20, 20, 20), Errors: line(12, 0, 0, 0),
	})
}

func TestACounterThatWentDownBeginsAnew(t *testing.T) {
	w := newWorld(t)
	q := Sample{Queue: "a"}
	w.after(0, q)
	w.steady(20, &q, 100)
	w.after(every, Sample{Queue: "a", Pending: 2, Entered: 2})
	w.is("a", Trend{Pending: line(2), Processed: line(), Errors: line()})
	w.after(every, Sample{Queue: "a", Pending: 3, Entered: 3})
	w.is("a", Trend{Known: true, Over: time.Minute, EnteredPerMin: 1, Pending: line(3), Processed: line(0), Errors: line(0)})
}

func TestWhatHappensInANewQueueCountsFromItsBeginning(t *testing.T) {
	w := newWorld(t)
	old := Sample{Queue: "old", Created: w.now.Add(-time.Hour), Entered: 1000}
	w.after(0, old)
	w.after(every, old)
	// This database's clock is half a minute ahead; the renamed queue is older than the read that did not see its name.
	made := Sample{Queue: "made", Created: w.now.Add(30 * time.Second), Pending: 10, Entered: 12_000, Processed: 11_990, Errors: 20}
	renamed := Sample{Queue: "renamed", Created: w.now.Add(-time.Hour), Entered: 500}
	w.after(every, old, made, renamed)
	w.is("made", Trend{
		Known: true, Over: 2 * every, EnteredPerMin: 12_000 * 6, ProcessedPerMin: 11_990 * 6, ErrorsPerMin: 120,
		Pending: line(10), Processed: line(11_990 * 12), Errors: line(240),
	})
	w.is("renamed", Trend{Pending: line(0), Processed: line(), Errors: line()})
	if got := w.recent.Total(); got.EnteredPerMin != 12_000*6 {
		t.Errorf("of all %v entered a minute", got.EnteredPerMin)
	}
	// It was dropped and made anew.
	w.after(every, old, Sample{Queue: "made", Created: w.now, Entered: 7}, renamed)
	if got := w.recent.Of("made"); got.EnteredPerMin != 7*4 {
		t.Errorf("made anew: %+v", got)
	}
}

func TestAQueueThatWasMissingOnceBeginsAnew(t *testing.T) {
	w := newWorld(t)
	q := Sample{Queue: "a"}
	w.steady(3, &q, 100)
	w.after(every)
	w.after(every, Sample{Queue: "a", Pending: 4, Entered: 1_000_000})
	w.is("a", Trend{Pending: line(4), Processed: line(), Errors: line()})
}

func TestAQueueThatIsGoneIsForgottenAfterFifteenMinutes(t *testing.T) {
	w := newWorld(t)
	w.after(every, Sample{Queue: "a", Pending: 1}, Sample{Queue: "b"})
	for range int(Span / every) {
		w.after(every, Sample{Queue: "b"})
	}
	if len(w.recent.queues) != 2 {
		t.Errorf("%d queues are kept, 2 are wanted", len(w.recent.queues))
	}
	w.after(every, Sample{Queue: "b"})
	if w.recent.queues["a"] != nil || w.recent.queues["b"] == nil {
		t.Error("a is to be forgotten, and b is not")
	}
	w.is("a", Trend{Pending: line(), Processed: line(), Errors: line()})
}

func TestTheTotalIsTheSumAlsoWhenQueuesComeAndGo(t *testing.T) {
	w := newWorld(t)
	w.after(0, Sample{Queue: "a", Entered: 1000}, Sample{Queue: "b", Entered: 500, Pending: 5})
	w.after(every, Sample{Queue: "a", Entered: 1010, Processed: 4}, Sample{Queue: "b", Entered: 502, Pending: 7, Errors: 1})
	w.after(every, Sample{Queue: "b", Entered: 504, Pending: 9, Processed: 1, Errors: 1}, Sample{Queue: "c", Entered: 1_000_000, Pending: 1})
	w.after(every, Sample{Queue: "a", Entered: 3}, Sample{Queue: "b", Entered: 506, Pending: 9, Processed: 1, Errors: 1}, Sample{Queue: "c", Entered: 1_000_004})
	want := Trend{
		Known: true, Over: 15 * time.Second, EnteredPerMin: (10 + 2 + 2 + 2 + 4) * 4, ProcessedPerMin: (4 + 1) * 4, ErrorsPerMin: 4,
		Pending: line(9), Processed: line(20), Errors: line(4),
	}
	if diff := cmp.Diff(idle(want), w.recent.Total(), near); diff != "" {
		t.Error(diff)
	}
}

func TestAllQueuesGoneIsNothingAndKnown(t *testing.T) {
	w := newWorld(t)
	w.after(0)
	w.after(every)
	if got := w.recent.Total(); !got.Known || got.EnteredPerMin != 0 || got.Pending[Points-1] != 0 {
		t.Errorf("%+v", got)
	}
}

func TestASampleThatIsNotLaterIsLeftOut(t *testing.T) {
	w := newWorld(t)
	q := Sample{Queue: "a"}
	w.steady(2, &q, 100)
	before := w.recent.Of("a")
	w.after(0, Sample{Queue: "a", Entered: 1_000_000})
	w.is("a", before)
}

func TestAQueueTakesTwoAndAHalfKilobytesHoweverManySamplesCome(t *testing.T) {
	if size := unsafe.Sizeof(series{}); size > 3072 {
		t.Errorf("a series takes %d bytes", size)
	}
	w := newWorld(t)
	q := Sample{Queue: "a"}
	w.steady(2000, &q, 2)
	if got := w.recent.Of("a"); got.EnteredPerMin != 24 || slices.ContainsFunc(got.Processed, func(v float64) bool { return math.Abs(v-12) > 1e-6 }) {
		t.Errorf("%+v", got)
	}
}

func BenchmarkAPageOfAThousandQueues(b *testing.B) {
	now := time.Unix(1_800_000_000, 0)
	var samples []Sample
	for i := range 1000 {
		samples = append(samples, Sample{Queue: fmt.Sprint("queue_", i)})
	}
	r := New(func(context.Context) ([]Sample, error) { return samples, nil }, nil, func() time.Time { return now }, slog.New(slog.DiscardHandler))
	for range 200 {
		now = now.Add(every)
		if err := r.runOnce(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, s := range samples {
			if t := r.Of(s.Queue); !t.Known {
				b.Fatal("a queue is not known")
			}
		}
	}
}
