package queue

import (
	"math"
	"sync"
	"time"
)

// A mark says where this node's picks of one leg, a partition and a priority of a payload version, left off: nothing that
// is pending lies before it, as far as this node knows. A scan that starts there does not walk the dead index entries
// that a held snapshot keeps.
//
// Invariant: a mark is never above a document that this node made pending. A write lowers the mark to what it made
// pending; a pick raises it to the last document that it took, but never above what was written while it ran. What other
// nodes make pending is told by the hub, or found by a full scan.
type mark struct {
	date time.Time
	seq  int64
}

type leg struct{ partition, priority int }

// spot is a queue and a payload version: what one pick asks for.
type spot struct {
	queue   string
	version int
}

const (
	maxLegs       = 1024        // more marks than that cost more than they save
	minSweepEvery = time.Second // the least time between two full scans that are only a backstop
	sweepShare    = 20          // a full scan may take one part in 20 of the time
)

// spotMarks are the marks of one spot.
type spotMarks struct {
	legs     map[leg]mark
	parts    int  // partitions of the queue, as its last pick told; 0: not known yet
	complete bool // a full scan came back short: every leg that had something pending has a mark
	reached  int  // where it is not: the lowest priority that the last full scan came to; legs below may lack a mark
	swept    time.Time
	took     time.Duration // how long the last full scan took
	running  map[*scan]struct{}
}

// scan is one pick under way.
type scan struct {
	spot  spot
	full  bool // without marks
	began time.Time
	floor map[int]time.Time // by priority: the lowest date that was written while it ran
	void  bool              // the marks were forgotten while it ran: it must not set any
}

// marks are the low-water marks of this node.
type marks struct {
	mu    sync.Mutex
	now   func() time.Time
	spots map[spot]*spotMarks
}

func newMarks(now func() time.Time) *marks {
	return &marks{now: now, spots: map[spot]*spotMarks{}}
}

// begin returns a scan for a pick. It is full where nothing is known, where again is set (the scan with marks came back
// short, and the marks are not known to be complete), and as a backstop at most every max(1 s, 20 × its last duration).
func (m *marks) begin(s spot, again bool) *scan {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := m.spots[s]
	if k == nil {
		k = &spotMarks{legs: map[leg]mark{}, running: map[*scan]struct{}{}}
		m.spots[s] = k
	}
	now := m.now()
	sc := &scan{spot: s, began: now, floor: map[int]time.Time{}}
	due := now.Sub(k.swept) >= max(minSweepEvery, sweepShare*k.took)
	sc.full = again || k.swept.IsZero() || due || len(k.legs) > maxLegs
	if sc.full {
		k.swept = now // others do not sweep meanwhile
	}
	k.running[sc] = struct{}{}
	return sc
}

// columns returns the marks for the arguments of a pick: nil for a full scan or none, else arrays of one length.
func (m *marks) columns(sc *scan) (partitions, priorities []int, dates []time.Time, seqs []int64) {
	if sc == nil || sc.full {
		return nil, nil, nil, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	partitions, priorities, dates, seqs = []int{}, []int{}, []time.Time{}, []int64{}
	if k := m.spots[sc.spot]; k != nil {
		for l, to := range k.legs {
			if !k.complete && k.parts == 1 && l.priority < k.reached {
				continue // what has no mark may come before it; partitions have no order among each other that would suffer
			}
			partitions, priorities = append(partitions, l.partition), append(priorities, l.priority)
			dates, seqs = append(dates, to.date), append(seqs, to.seq)
		}
	}
	return partitions, priorities, dates, seqs
}

// incomplete says whether a short answer to this scan calls for a full one at once.
func (m *marks) incomplete(sc *scan) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := m.spots[sc.spot]
	return !sc.full && (k == nil || !k.complete)
}

// end raises the marks to what the scan took. last is the last document taken of each leg, and parts the partitions of
// the queue (0: not told); short says that it took less than was asked for, so that a full scan has seen every leg.
func (m *marks) end(sc *scan, last map[leg]mark, parts int, short bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := m.spots[sc.spot]
	if k == nil || sc.void {
		return
	}
	delete(k.running, sc)
	if parts > 0 {
		k.parts = parts
	}
	if sc.full {
		k.took = m.now().Sub(sc.began)
		k.complete = short
		k.reached = math.MaxInt
	}
	for l, to := range last {
		if sc.full {
			k.reached = min(k.reached, l.priority)
		}
		if floor, written := sc.floor[l.priority]; written && floor.Before(to.date) {
			to = mark{date: floor}
		}
		have, known := k.legs[l]
		// A scan from the mark on can only raise it. A full one may have stopped below it.
		if !known || sc.full || to.after(have) {
			k.legs[l] = to
		}
	}
}

// lower moves the marks of a spot down to a date that was made pending. Where it may have fallen into a leg without a
// mark, the next scan is a full one.
func (m *marks) lower(s spot, priority int, date time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := m.spots[s]
	if k == nil {
		return
	}
	for sc := range k.running {
		if floor, written := sc.floor[priority]; !written || date.Before(floor) {
			sc.floor[priority] = date
		}
	}
	found := 0
	for l, have := range k.legs {
		if l.priority != priority {
			continue
		}
		found++
		if !have.date.Before(date) {
			k.legs[l] = mark{date: date}
		}
	}
	if found < max(k.parts, 1) {
		k.complete = false
		k.swept = time.Time{}
	}
}

// forget drops what is known about a queue: after a pick whose outcome is not known, or when its documents went. Scans
// under way then leave no marks.
func (m *marks) forget(queue string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for s, k := range m.spots {
		if s.queue == queue {
			for sc := range k.running {
				sc.void = true
			}
			delete(m.spots, s)
		}
	}
}

func (m mark) after(o mark) bool {
	return m.date.After(o.date) || m.date.Equal(o.date) && m.seq > o.seq
}
