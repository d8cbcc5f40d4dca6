package queue

import (
	"testing"
	"time"
)

// clockwork is a clock that stands still until a test moves it.
type clockwork struct{ at time.Time }

func (c *clockwork) now() time.Time { return c.at }

func (c *clockwork) pass(d time.Duration) { c.at = c.at.Add(d) }

func TestQuickScansAreFull(t *testing.T) {
	t.Parallel()
	c := &clockwork{time.Unix(1e9, 0)}
	s := newSweeps(c.now)
	key := sweepKey{"q", "due", -1}
	for range 3 {
		w := s.begin(key)
		if !w.full || w.interval().Valid {
			t.Fatalf("the scan is %+v", w)
		}
		c.pass(time.Millisecond)
		s.end(w, true, 0)
	}
}

func TestSlowScansBeginWhereTheLastCleanOneBegan(t *testing.T) {
	t.Parallel()
	c := &clockwork{time.Unix(1e9, 0)}
	s := newSweeps(c.now)
	key := sweepKey{"q", "due", -1}
	w := s.begin(key)
	c.pass(100 * time.Millisecond)
	s.end(w, true, 7)

	c.pass(500 * time.Millisecond)
	w = s.begin(key)
	if w.full || w.since != 600*time.Millisecond+sweepMargin || w.block != 7 || w.interval().Microseconds != w.since.Microseconds() {
		t.Errorf("the second scan is %+v", w)
	}
	s.end(w, false, 9) // it left something behind: the next goes back as far

	c.pass(500 * time.Millisecond)
	w = s.begin(key)
	if w.full || w.since != 1100*time.Millisecond+sweepMargin || w.block != 7 {
		t.Errorf("the third scan is %+v", w)
	}
	s.end(w, true, 9)

	c.pass(time.Second)
	if w := s.begin(key); !w.full || w.block != 0 {
		t.Errorf("2 s after a full scan of 100 ms the next is %+v", w)
	}
	if w := s.begin(key); w.full || w.block != 9 {
		t.Errorf("a second one at once is %+v", w)
	}
	if w := s.begin(sweepKey{"q", "orphans", -1}); !w.full {
		t.Errorf("the first of another kind is %+v", w)
	}
	s.forget("q")
	if w := s.begin(key); !w.full {
		t.Errorf("after the queue is forgotten it is %+v", w)
	}
}
