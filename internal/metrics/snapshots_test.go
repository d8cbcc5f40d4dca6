package metrics

import (
	"log/slog"
	"testing"
	"time"
)

func TestTheServiceMakesPartitionsAndWritesTheStepThatEnded(t *testing.T) {
	t.Parallel()
	w := newSeriesWorld(t, "a")
	w.exec(`update fetchq.series_state set last = null`)
	s := NewSnapshots(w.db, time.Now, slog.New(slog.DiscardHandler))
	for range 2 { // the second finds nothing to do
		pause, err := s.runOnce(t.Context())
		if err != nil || pause <= 0 || pause > finest+snapshotLate {
			t.Fatalf("the next one is in %v: %v", pause, err)
		}
	}
	if n := scan[int](w, `select count(*) from fetchq.series_10 where queue = 0 and slot > clock_timestamp() - interval '25 s'`); n < 1 || n > 2 {
		t.Errorf("%d steps were written; one has ended, or two", n)
	}
}

func TestTheServiceStartsAndStopsInAnyOrder(t *testing.T) {
	t.Parallel()
	w := newSeriesWorld(t)
	s := NewSnapshots(w.db, time.Now, slog.New(slog.DiscardHandler))
	s.Stop()
	if err := s.Start(t.Context()); err != nil { // does nothing any more
		t.Fatal(err)
	}
	s.Stop()
	s = NewSnapshots(w.db, time.Now, slog.New(slog.DiscardHandler))
	for range 2 {
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.Now().Add(20 * time.Second)
	for scan[int](w, `select count(*) from fetchq.series_10 where slot > $1`, dawn.Add(day)) == 0 {
		if time.Now().After(deadline) {
			t.Fatal("no snapshot was taken")
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.Stop()
	s.Stop()
}
