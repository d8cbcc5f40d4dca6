package queue

import (
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// sweeps bound the scans of maintenance from below. While a snapshot is held, the dead entries of what was marked, taken back or
// folded stay at the head of their index, and every full scan walks them all. So a scan begins where the last one that left
// nothing behind began, less a margin, and a full scan is only a backstop: for what a transaction that was open for longer than the margin
// brought to light.
type sweeps struct {
	mu    sync.Mutex
	now   func() time.Time
	scans map[sweepKey]*swept
}

// sweepKey is a queue and what is looked for in it. version is for what picks look for; -1 is all.
type sweepKey struct {
	queue, what string
	version     int
}

// swept is what is known of the scans of one key.
type swept struct {
	clean time.Time     // when the last scan began that left nothing behind
	block int64         // of deltas: where it ended
	full  time.Time     // when the last full scan began
	took  time.Duration // how long that took
}

// sweep is a scan under way.
type sweep struct {
	key   sweepKey
	full  bool
	since time.Duration // how far back it looks, where it is not full
	block int64         // from where on it reads, where it is not full
	began time.Time
}

// sweepMargin is how long a transaction may be open before what it planned, leased or counted may have to wait for a full scan.
const sweepMargin = 2 * time.Second

func newSweeps(now func() time.Time) *sweeps {
	return &sweeps{now: now, scans: map[sweepKey]*swept{}}
}

// slowScan is what a full scan takes without a held snapshot, and much more.
const slowScan = 25 * time.Millisecond

// begin returns a scan. It is full where nothing is known, or where the last full one was quick; else at most every 20 × the time that
// one took.
func (s *sweeps) begin(key sweepKey) sweep {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	k := s.scans[key]
	if k == nil {
		k = &swept{}
		s.scans[key] = k
	}
	w := sweep{key: key, began: now, block: k.block, since: now.Sub(k.clean) + sweepMargin}
	if k.clean.IsZero() || k.took < slowScan || now.Sub(k.full) >= sweepShare*k.took {
		w.full, w.block, w.since = true, 0, 0
		k.full = now // others do not sweep meanwhile
	}
	return w
}

// interval is how far back a scan looks, as the SQL functions want it: null for a full one.
func (w sweep) interval() pgtype.Interval {
	return pgtype.Interval{Microseconds: w.since.Microseconds(), Valid: !w.full}
}

// end notes a scan that went well. clean says that it left nothing behind, and block where the next one may begin.
func (s *sweeps) end(w sweep, clean bool, block int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.scans[w.key]
	if k == nil {
		return // forgotten meanwhile
	}
	if w.full {
		k.took = s.now().Sub(w.began)
	}
	if clean && w.began.After(k.clean) {
		k.clean, k.block = w.began, block
	}
}

// forget drops what is known about a queue: it may be another one by now.
func (s *sweeps) forget(queue string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.scans {
		if key.queue == queue {
			delete(s.scans, key)
		}
	}
}
