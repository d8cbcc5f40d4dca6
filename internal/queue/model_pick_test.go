package queue_test

import (
	"time"

	"github.com/fetchq/server/internal/queue"
)

// pick: the row of that name, for a queue of one partition. locked tells which documents another transaction holds.
//
// Pending documents come first; when they are too few, those that are planned and due are marked and taken too.
func (c *calendar) pick(now time.Time, p queue.PickParams, locked func(subject string) bool) []*document {
	if again := c.pickAgain(now, p.IdempotencyKey); again != nil {
		return again
	}
	if c.isPaused(now, p.Version) != nil {
		return nil
	}
	limit := c.allowed(now, p.Limit)
	if limit == 0 {
		return nil
	}
	taken := c.take(now, p, limit, locked)
	if len(taken) < limit {
		c.markDue(now, locked, p.Version)
		taken = append(taken, c.take(now, p, limit-len(taken), locked)...)
	}
	c.paid(now, p, taken)
	return taken
}

// pickAgain returns the documents of an earlier pick under the same key whose leases live.
func (c *calendar) pickAgain(now time.Time, key string) []*document {
	var again []*document
	for _, l := range c.keys[key] {
		if d := c.docs[l.Subject]; d != nil && d.Lease == l.Lease && d.live(now) {
			again = append(again, d)
		}
	}
	return again
}

// allowed is how many documents the queue may hand out: max_active in all, and what the token bucket of its rate holds.
func (c *calendar) allowed(now time.Time, limit int) int {
	if c.MaxActive > 0 {
		free := c.MaxActive
		for _, d := range c.docs {
			if d.Status == queue.Active {
				free--
			}
		}
		limit = min(limit, free)
	}
	if c.RatePicks > 0 {
		limit = min(limit, int(c.bucket.at(now, c.since, c.RatePicks, c.RatePer, c.RateBurst).tokens))
	}
	return max(limit, 0)
}

// at is the bucket with what came in since then, and not before the limits were changed.
func (b bucket) at(now, since time.Time, picks int, per time.Duration, burst int) bucket {
	if b.filled.IsZero() {
		return bucket{float64(burst), now}
	}
	if since.Before(b.filled) {
		since = b.filled
	}
	came := max(now.Sub(since), 0).Seconds() / per.Seconds() * float64(picks)
	return bucket{min(b.tokens+came, float64(burst)), now}
}

// at is the bucket of a key now.
func (b keyBucket) at(now time.Time, c *calendar) keyBucket {
	return keyBucket{
		least: b.least.at(now, c.since, c.KeyRatePicks, c.RatePer, c.KeyRateBurst), most: b.most.at(now, c.since, c.KeyRatePicks, c.RatePer, c.KeyRateBurst),
	}
}

// changeLimits changes the rules. What a key's bucket may have got until then it may keep.
func (c *calendar) changeLimits(now time.Time, change func()) {
	if c.KeyRatePicks > 0 {
		for _, b := range c.byKey {
			b.most = b.at(now, c).most
		}
	}
	change()
	c.since = now
}

// open is how many documents of a key may be handed out at least and at most, limit at most. A lease that ran out counts for a minute
// more.
func (c *calendar) open(now time.Time, key string, limit int) (least, most int) {
	if key == "" {
		return limit, limit
	}
	if c.KeyMaxActive > 0 {
		free := c.KeyMaxActive
		for _, d := range c.docs {
			if d.Status == queue.Active && d.key() == key && d.Next.After(now.Add(-time.Minute)) {
				free--
			}
		}
		limit = min(limit, free)
	}
	limit = max(limit, 0)
	if c.KeyRatePicks == 0 {
		return limit, limit
	}
	if c.byKey[key] == nil {
		c.byKey[key] = &keyBucket{}
	}
	b := c.byKey[key].at(now, c)
	return min(limit, int(b.least.tokens)), min(limit, int(b.most.tokens))
}

// take leases up to limit pending documents.
func (c *calendar) take(now time.Time, p queue.PickParams, limit int, locked func(string) bool) []*document {
	var due []*document
	for _, d := range c.docs {
		if d.Status == queue.Pending && d.Version == p.Version && !locked(d.Subject) {
			due = append(due, d)
		}
	}
	due = inOrder(due)
	due = due[:min(limit, len(due))]
	for _, d := range due {
		c.lease(now, d, p)
	}
	return due
}

// lease hands a document to a worker.
func (c *calendar) lease(now time.Time, d *document, p queue.PickParams) {
	lock := p.Lock
	if lock == 0 {
		lock = c.Lock
	}
	before := *d
	d.Status = queue.Active
	d.Next = now.Add(lock)
	d.PickedAt, d.Worker = &now, &p.Worker
	d.Attempts++
	d.fence()
	c.count(d.Version, "picked")
	c.noted(now, "pick", false, caller, &before, d)
}

// paid takes a pick from the bucket, and remembers it under its key.
func (c *calendar) paid(now time.Time, p queue.PickParams, taken []*document) {
	if c.RatePicks > 0 && len(taken) > 0 {
		c.bucket = c.bucket.at(now, c.since, c.RatePicks, c.RatePer, c.RateBurst)
		c.bucket.tokens -= float64(len(taken))
	}
	for _, d := range taken {
		if c.KeyRatePicks > 0 && d.key() != "" {
			b := c.byKey[d.key()].at(now, c)
			b.least.tokens, b.most.tokens = max(b.least.tokens-1, 0), b.most.tokens-1
			*c.byKey[d.key()] = b
		}
	}
	if p.IdempotencyKey == "" || len(taken) == 0 {
		return
	}
	leases := make([]queue.Lease, len(taken))
	for i, d := range taken {
		leases[i] = queue.Lease{Subject: d.Subject, Lease: d.Lease}
	}
	c.keys[p.IdempotencyKey] = leases
}

// live tells whether a worker holds the document: its lease is live until its end and stale from then on.
func (d *document) live(now time.Time) bool { return d.Status == queue.Active && now.Before(d.Next) }

// extend: the row of that name. progress is a note in the log of each document whose lease was extended.
func (c *calendar) extend(now time.Time, leases []queue.Lease, lock time.Duration, progress string) []queue.ExtendResult {
	if lock == 0 {
		lock = c.Lock
	}
	results := make([]queue.ExtendResult, len(leases))
	told, once := map[string]bool{}, map[string]bool{}
	for i, l := range leases {
		d := c.docs[l.Subject]
		results[i] = queue.ExtendResult{Subject: l.Subject, Outcome: "stale"}
		switch {
		case d == nil:
			results[i].Outcome = "not_found"
		case c.stopped(now, d.Version):
			results[i].Version = d.Version
		case d.Lease == l.Lease && d.live(now):
			before := *d
			end := now.Add(lock)
			d.Next = end
			if !once[l.Subject] {
				once[l.Subject] = true
				c.noted(now, "extend", false, caller, &before, d)
			}
			results[i].Outcome, results[i].ExpiresAt, results[i].Version = "ok", &end, d.Version
			if d.Worker != nil {
				results[i].Worker = *d.Worker
			}
			if progress != "" && !told[l.Subject] {
				c.line(now, "note", d, d.Worker, progress)
				told[l.Subject] = true
			}
		default:
			results[i].Version = d.Version
		}
	}
	return results
}
