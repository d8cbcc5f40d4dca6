package metrics

import (
	"bytes"
	"log/slog"
	"strings"
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

func TestAReaderOfAnOldPartitionStopsNeitherSnapshotsNorTheOtherDrops(t *testing.T) {
	t.Parallel()
	w := newSeriesWorld(t, "a")
	w.exec(`update fetchq.series_state set last = null`)
	old := func() int { return scan[int](w, `select count(*) from fetchq.series_old()`) }
	const held = "series_10_2026010100"
	if n := old(); n < 5 {
		t.Fatalf("%d partitions are old", n)
	}
	reader, err := w.db.Begin(w.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reader.Exec(w.ctx, `lock table fetchq.`+held+` in access share mode`); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	s := NewSnapshots(w.db, time.Now, slog.New(slog.NewTextHandler(&said, nil)))
	for range 2 {
		s.kept = time.Time{}
		if _, err := s.runOnce(w.ctx); err != nil {
			t.Fatal(err)
		}
	}
	if n := scan[int](w, `select count(*) from fetchq.series_10 where queue = 0 and slot > clock_timestamp() - interval '25 s'`); n < 1 {
		t.Error("no snapshot was taken")
	}
	if left := scan[string](w, `select string_agg(o, ' ') from fetchq.series_old() o`); left != held {
		t.Errorf("left are %q; %s is what is read", left, held)
	}
	if n := strings.Count(said.String(), "looked after"); n != 1 || !strings.Contains(said.String(), "drop the old partitions") {
		t.Errorf("the log says:\n%s", said.String())
	}
	if err := reader.Rollback(w.ctx); err != nil {
		t.Fatal(err)
	}
	if err := w.store.upkeep(w.ctx, time.Time{}); err != nil || old() != 0 {
		t.Errorf("%d partitions are left: %v", old(), err)
	}
}
