package web

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fetchq/server/internal/queue"
)

func TestACalendarIsCountedOnceAMinuteHoweverManyLook(t *testing.T) {
	t.Parallel()
	var now atomic.Int64
	now.Store(time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC).UnixNano())
	var counts atomic.Int64
	hold, fails := make(chan struct{}), atomic.Bool{}
	c := newCalendars(func() time.Time { return time.Unix(0, now.Load()) }, func(_ context.Context, name string) ([]queue.Due, []queue.Due, error) {
		counts.Add(1)
		<-hold
		if fails.Load() {
			return nil, nil, errors.New("the database is away")
		}
		return []queue.Due{{Documents: int64(len(name)), Known: "about"}}, []queue.Due{{Documents: 1, Known: "exact"}}, nil
	})
	for range 3 {
		if k := c.get("pages"); !k.at.IsZero() {
			t.Fatalf("%+v is told before it was counted", k)
		}
	}
	close(hold)
	for deadline := time.Now().Add(10 * time.Second); c.get("pages").at.IsZero(); {
		if time.Now().After(deadline) {
			t.Fatal("it is never counted")
		}
	}
	for range 3 {
		if k := c.get("pages"); k.hours[0].Documents != 5 {
			t.Errorf("%+v", k)
		}
	}
	if n := counts.Load(); n != 1 {
		t.Errorf("it was counted %d times in a minute", n)
	}
	// What was counted last stays where it cannot be counted again.
	fails.Store(true)
	now.Add(int64(calendarLasts))
	for deadline := time.Now().Add(10 * time.Second); counts.Load() < 2; time.Sleep(time.Millisecond) {
		if k := c.get("pages"); len(k.hours) == 0 || time.Now().After(deadline) {
			t.Fatalf("%+v", k)
		}
	}
	if k := c.get("pages"); k.hours[0].Documents != 5 {
		t.Errorf("%+v", k)
	}
}

func TestACalendarThatTakesLongIsCountedLessOften(t *testing.T) {
	t.Parallel()
	var now, counts atomic.Int64
	now.Store(time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC).UnixNano())
	c := newCalendars(func() time.Time { return time.Unix(0, now.Load()) }, func(context.Context, string) ([]queue.Due, []queue.Due, error) {
		counts.Add(1)
		now.Add(int64(300 * time.Millisecond))
		return nil, nil, nil
	})
	until := func(n int64) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); c.get("").lasts == 0 || counts.Load() < n; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("it was counted %d times; %d are wanted", counts.Load(), n)
			}
		}
	}
	until(1)
	now.Add(int64(calendarRests*300*time.Millisecond - 1))
	if k := c.look(""); k.asked {
		t.Error("it is counted again before it rested for so many times as long")
	}
	now.Add(1)
	until(2)
}

func TestAStripSaysHowSureItIs(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	s := strip("Hours", "hour", []queue.Due{{At: at, Documents: 10, Known: "exact"}, {At: at.Add(time.Hour), Documents: 2_000_000, Known: "about"}, {At: at.Add(2 * time.Hour), Documents: 1000, Known: "least"}}, "15:04")
	if s.Bars[0].Count != "10" || s.Bars[0].About || s.Bars[1].Count != "≈ 2,000,000" || !s.Bars[1].About || s.Bars[2].Count != "≥ 1,000" || s.Bars[1].Part != 1 {
		t.Errorf("%+v", s.Bars)
	}
	if !strings.HasPrefix(s.Note, "≥ 2 M") && !strings.HasPrefix(s.Note, "≥ 2.00 M") {
		t.Errorf("together they are %q", s.Note)
	}
}

func TestACalendarOfMoreQueuesThanAreCountedSaysAtLeast(t *testing.T) {
	t.Parallel()
	list := []queue.Summary{{Name: "nothing_planned"}}
	for i := range calendarMost {
		list = append(list, queue.Summary{Name: fmt.Sprint("q", i), Counts: queue.Counts{Planned: int64(i + 2)}})
	}
	if names, known := mostPlanned(list); len(names) != calendarMost || known != "exact" || names[0] != fmt.Sprint("q", calendarMost-1) {
		t.Errorf("%d queues are %s", len(names), known)
	}
	names, known := mostPlanned(append(list, queue.Summary{Name: "least", Counts: queue.Counts{Planned: 1}}))
	if len(names) != calendarMost || known != "least" {
		t.Errorf("%d queues are %s", len(names), known)
	}
	if s := strip("Hours", "hour", steps(time.Now(), time.Hour, 2, known), "15:04"); !strings.HasPrefix(s.Note, "≥ 0") || s.Bars[1].Count != "≥ 0" {
		t.Errorf("%+v", s)
	}
}

func TestTextsInAFileAreNoFormulas(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@a": "'@a", "\t=1": "'\t=1", "\r=1": "'\r=1", "": "", "pages p95": "pages p95", "a=b": "a=b",
	} {
		if got := cell(text); got != want {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestACalendarThatTakesLongStopsAndSaysAtLeast(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	var asked []string
	hours, days, err := sumDue(t.Context(), []string{"slow", "next", "last"}, "exact", func() time.Time { return now },
		func(_ context.Context, name string, _ time.Time, _ time.Duration, n int) ([]queue.Due, error) {
			asked = append(asked, name)
			now = now.Add(calendarSpends / 4)
			return slices.Repeat([]queue.Due{{Documents: 3, Known: "exact"}}, n), nil
		})
	if err != nil || !slices.Equal(asked, []string{"slow", "slow", "next", "next"}) {
		t.Fatalf("%q were counted, %v", asked, err)
	}
	if hours[0].Documents != 6 || hours[0].Known != "least" || days[daysAhead-1].Known != "least" {
		t.Errorf("%+v, %+v", hours[0], days[daysAhead-1])
	}
}
