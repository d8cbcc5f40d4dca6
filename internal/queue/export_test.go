package queue

import (
	"maps"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// LoseMarks makes a call and then puts the marks back to where they were: what the call made pending may lie before them.
// It is the planted bug "mark lost".
func (e *Engine) LoseMarks(call func()) {
	before := e.marks.copied()
	call()
	e.marks.mu.Lock()
	defer e.marks.mu.Unlock()
	e.marks.spots = before
}

// copied returns a copy of the marks, for a moment when no pick is under way.
func (m *marks) copied() map[spot]*spotMarks {
	m.mu.Lock()
	defer m.mu.Unlock()
	spots := map[spot]*spotMarks{}
	for s, k := range m.spots {
		c := *k
		c.legs = maps.Clone(k.legs)
		spots[s] = &c
	}
	return spots
}

// DB is the engine's database.
func (e *Engine) DB() *pgxpool.Pool { return e.db }

// Waiting is how many picks stand in line.
func (e *Engine) Waiting() (n int) {
	e.hub.mu.Lock()
	defer e.hub.mu.Unlock()
	for _, line := range e.hub.lines {
		n += line.Len()
	}
	return n
}

// TimingBucket is the bucket of a timing.
var TimingBucket = timingBucket

// LeasesKnown is how many leases this node knows the workers of.
func (e *Engine) LeasesKnown() int {
	e.crew.mu.Lock()
	defer e.crew.mu.Unlock()
	return len(e.crew.leases)
}

// WaitForIndex sets how long a statement may take that looks for payloads by their index; less than a millisecond is one.
func (e *Engine) WaitForIndex(d time.Duration) { e.containedWait = d }
