package queue

import (
	"math"
	"slices"
	"sync"
	"time"
)

// crew remembers what workers did that called this node: when each was seen last in each queue, and what it did in the minutes
// before. A call notes it in memory; it is written every few seconds, all workers in one statement. Who names no worker is not noted.
//
// A resolution names no worker. Whose it is, and how long he held the document, is known of leases that this node handed out; of
// others the caller may say who he is.
type crew struct {
	now func() time.Time

	mu     sync.Mutex
	stints map[post]*stint
	leases map[heldLease]handed
}

// post is a worker in a queue.
type post struct{ queue, worker string }

// heldLease names a lease that this node handed out.
type heldLease struct {
	queue, subject string
	lease          int64
}

// handed is to whom a lease went, when, and when it ends by the database's clock.
type handed struct {
	worker   string
	at, ends time.Time
}

// stint is what a worker did in a queue.
type stint struct {
	since, seen time.Time
	written     time.Time // that it was seen
	busy        bool      // it did something since that was written
	minutes     [crewMinutes]minute
}

// minute are the counts of one minute.
type minute struct {
	number                int64 // minutes since 1970
	picked, ended, errors int64
	works                 map[int16]int32 // by bucket
	sum, low, high        float64         // milliseconds
}

// Limits of what is remembered.
const (
	crewMinutes = 5
	mostStints  = 10_000
	mostLeases  = 100_000
	keepStint   = 10 * time.Minute // since it was seen; what it did is written long before
	keepLease   = time.Minute      // beyond its end: the database has another clock
	seenEvery   = 15 * time.Second // that a worker was seen, where nothing else is new, is written so often
)

func newCrew(now func() time.Time) *crew {
	return &crew{now: now, stints: map[post]*stint{}, leases: map[heldLease]handed{}}
}

// stint returns that of a worker who is seen now; nil: he has no name, or there are too many. The caller holds the lock.
func (c *crew) stint(p post, now time.Time) *stint {
	if p.worker == "" {
		return nil
	}
	s := c.stints[p]
	if s == nil {
		if len(c.stints) >= mostStints {
			return nil
		}
		s = &stint{since: now}
		c.stints[p] = s
	}
	s.seen = now
	return s
}

// minute returns the counts of the minute that is on.
func (s *stint) minute(now time.Time) *minute {
	number := now.Unix() / 60
	m := &s.minutes[number%crewMinutes]
	if m.number != number {
		*m = minute{number: number}
	}
	s.busy = true
	return m
}

// seen notes that a worker asked.
func (c *crew) seen(p post) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stint(p, c.now())
}

// picked notes what a worker was handed.
func (c *crew) picked(p post, docs []Leased) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	s := c.stint(p, now)
	if s == nil || len(docs) == 0 {
		return
	}
	s.minute(now).picked += int64(len(docs))
	for _, d := range docs {
		if len(c.leases) >= mostLeases {
			return
		}
		c.leases[heldLease{p.queue, d.Subject, d.Lease}] = handed{p.worker, now, d.ExpiresAt}
	}
}

// extended notes who held on to documents, as the database tells.
func (c *crew) extended(queue string, leases []Lease, results []ExtendResult) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	last := ""
	for i, r := range results {
		if r.Outcome != "ok" || i >= len(leases) {
			continue
		}
		if r.Worker != last {
			last = r.Worker
			c.stint(post{queue, last}, now)
		}
		k := heldLease{queue, leases[i].Subject, leases[i].Lease}
		if h, known := c.leases[k]; known && r.ExpiresAt != nil {
			h.ends = *r.ExpiresAt
			c.leases[k] = h
		}
	}
}

// ended notes what became of resolutions. caller is who they are of, where this node does not know better; "" is not said.
func (c *crew) ended(queue, caller string, items []Resolution, results []Result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	for i, r := range results {
		if i >= len(items) || r.Outcome != "ok" && r.Outcome != "exists" {
			continue
		}
		k := heldLease{queue, items[i].Subject, items[i].Lease}
		h, known := c.leases[k]
		if !known {
			h.worker = caller
		}
		delete(c.leases, k)
		s := c.stint(post{queue, h.worker}, now)
		if s == nil {
			continue
		}
		m := s.minute(now)
		m.ended++
		if items[i].Action == "reject" {
			m.errors++
		}
		if known {
			m.work(now.Sub(h.at))
		}
	}
}

// work counts how long a document was held.
func (m *minute) work(d time.Duration) {
	ms := max(float64(d.Microseconds())/1000, 0)
	if m.works == nil {
		m.works, m.low, m.high = map[int16]int32{}, ms, ms
	}
	m.works[timingBucket(ms)]++
	m.sum += ms
	m.low, m.high = min(m.low, ms), max(m.high, ms)
}

// timingBucket is fetchq.timing_bucket.
func timingBucket(ms float64) int16 {
	if !(ms > 1e-4) {
		return math.MinInt16
	}
	return int16(min(max(math.Ceil(math.Log(ms)/math.Log(1.02)), -465), 1500))
}

// did adds up what a worker did in the minutes before it was seen last.
func (s *stint) did() (d Did) {
	first := s.seen.Unix()/60 - crewMinutes + 1
	d.Over = min(s.seen.Sub(s.since), s.seen.Sub(time.Unix(60*first, 0)))
	works := map[int16]int32{}
	for _, m := range s.minutes {
		if m.number < first {
			continue
		}
		d.Picked, d.Ended, d.Errors = d.Picked+m.picked, d.Ended+m.ended, d.Errors+m.errors
		if m.works == nil {
			continue
		}
		if len(works) == 0 {
			d.Low, d.High = m.low, m.high
		}
		d.Sum, d.Low, d.High = d.Sum+m.sum, min(d.Low, m.low), max(d.High, m.high)
		for b, n := range m.works {
			works[b] += n
		}
	}
	for b := range works {
		d.Buckets = append(d.Buckets, b)
	}
	slices.Sort(d.Buckets)
	for _, b := range d.Buckets {
		d.Counts = append(d.Counts, int64(works[b]))
	}
	return d
}

// sight is what there is to write of a worker.
type sight struct {
	post
	seen time.Time
	did  Did
}

// news returns what is not written yet, in the order of posts, and takes it for written. It forgets who was not seen for long, and
// leases that are over.
func (c *crew) news() []sight {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	var list []sight
	for p, s := range c.stints {
		if s.busy || s.seen.Sub(s.written) >= seenEvery {
			s.busy, s.written = false, s.seen
			list = append(list, sight{p, s.seen, s.did()})
		} else if now.Sub(s.seen) > keepStint {
			delete(c.stints, p)
		}
	}
	for k, h := range c.leases {
		if now.Sub(h.ends) > keepLease {
			delete(c.leases, k)
		}
	}
	slices.SortFunc(list, func(a, b sight) int { return comparePosts(a.post, b.post) })
	return list
}

// again makes what could not be written news.
func (c *crew) again(list []sight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, g := range list {
		if s := c.stints[g.post]; s != nil {
			s.busy = true
		}
	}
}

// all returns all that is remembered.
func (c *crew) all() []sight {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]sight, 0, len(c.stints))
	for p, s := range c.stints {
		list = append(list, sight{p, s.seen, s.did()})
	}
	return list
}
