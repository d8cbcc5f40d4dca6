package operations

import (
	"context"
	"sync"
	"time"
)

// How long a batch takes: long enough to be worth its commit, short enough that nobody who waits for one of its documents minds.
const (
	wanted    = 75 * time.Millisecond
	firstSize = 500
	leastSize = 50
	mostSize  = 5000
	mostWait  = time.Second
	lockWait  = 100 * time.Millisecond // where all that is left is locked
)

// While workers work, an operation goes no faster than this many documents a second, and rests for at least a share of the time that its
// batches take, and at most for a multiple of it.
const (
	mostRate  = 25_000.0
	leastRest = 0.05
	mostRest  = 2.0
)

// pace finds the size of batches.
type pace struct{ size int }

func newPace() *pace { return &pace{firstSize} }

// next takes in how long a batch took and what it did, and returns how long to wait before the next.
func (p *pace) next(took time.Duration, b batch, busy bool) time.Duration {
	if b.items == 0 {
		return lockWait
	}
	factor := float64(wanted) / float64(max(took, time.Millisecond))
	p.size = min(max(int(float64(p.size)*min(max(factor, 0.5), 2)), leastSize), mostSize)
	if !busy {
		return 0
	}
	t := took.Seconds()
	rest := min(max(float64(b.did)/mostRate-t, leastRest*t), mostRest*t)
	return min(time.Duration(rest*float64(time.Second)), mostWait)
}

// load knows whether workers work, as of a second ago.
type load struct {
	now func() time.Time

	mu     sync.Mutex
	at     time.Time // when the counters were read last
	picked int64
	moved  time.Time // when they were seen to have grown last
}

const (
	loadLasts = time.Second
	calmAfter = 5 * time.Second // the counters are folded every second while there is work, and later where there is much
)

// busy says whether documents were picked anywhere on this database lately: whatever queue it was, its workers share the
// server. Not knowing counts as busy.
func (s *Service) busy(ctx context.Context) bool {
	l := s.load
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if now.Sub(l.at) < loadLasts {
		return now.Sub(l.moved) < calmAfter
	}
	var picked int64
	if err := s.db.QueryRow(ctx, `select coalesce(sum(ev_picked), 0)::bigint from fetchq.counters`).Scan(&picked); err != nil {
		return true
	}
	switch {
	case l.at.IsZero():
		l.moved = now.Add(loadLasts - calmAfter) // until the next look
	case picked > l.picked:
		l.moved = now
	}
	l.at, l.picked = now, picked
	return now.Sub(l.moved) < calmAfter
}
