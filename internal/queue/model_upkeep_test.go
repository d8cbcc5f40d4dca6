package queue_test

import (
	"slices"
	"time"

	"github.com/fetchq/server/internal/queue"
)

// markDue: the row "mark due". Without versions it is for all of them.
func (c *calendar) markDue(now time.Time, locked func(string) bool, versions ...int) {
	for _, d := range c.docs {
		if d.Status == queue.Planned && !d.Next.After(now) && !locked(d.Subject) && (versions == nil || slices.Contains(versions, d.Version)) {
			c.marked(now, d)
		}
	}
}

// marked makes a planned document pending.
func (c *calendar) marked(now time.Time, d *document) {
	if d.Status == queue.Planned {
		before := *d
		d.Status = queue.Pending
		c.noted(now, "mark_due", false, "", &before, d)
	}
}

// orphans: the row "lease runs out".
func (c *calendar) orphans(now time.Time, locked func(string) bool) {
	for _, d := range c.docs {
		if d.Status != queue.Active || d.live(now) || locked(d.Subject) {
			continue
		}
		before := *d
		c.count(d.Version, "orphaned")
		c.line(now, "error", d, d.Worker, "")
		c.failed(now, d, true, queue.Resolution{})
		if d.Status == queue.Killed {
			d.LastIteration = &now
		}
		d.goOn(now)
		d.fence()
		c.noted(now, "orphan", false, "", &before, d)
	}
	c.takeBack(now, locked)
}

// takeBack releases what is held although it is paused at once.
func (c *calendar) takeBack(now time.Time, locked func(string) bool) {
	for _, d := range c.docs {
		if !d.live(now) || locked(d.Subject) || !c.stopped(now, d.Version) {
			continue
		}
		before := *d
		d.Attempts--
		d.dueAt(now, now)
		d.goOn(now)
		d.fence()
		c.noted(now, "release", false, "", &before, d)
	}
}

// expire removes what the settings keep no longer.
func (c *calendar) expire(now time.Time, locked func(string) bool) {
	if c.KeyRatePicks == 0 {
		for _, b := range c.byKey {
			b.most = bucket{} // without a rate it goes, unless somebody picks at this moment
		}
	}
	over := func(at time.Time, keep time.Duration) bool { return keep > 0 && at.Before(now.Add(-keep)) }
	for subject, d := range c.docs {
		if locked(subject) {
			continue
		}
		if d.Status == queue.Completed && over(*d.LastIteration, c.CompletedRetention) ||
			d.Status == queue.Killed && over(*d.LastIteration, c.KilledRetention) {
			delete(c.docs, subject)
			c.noted(now, "expire", false, "", d, nil)
		}
	}
	c.forget(now)
	c.logs = slices.DeleteFunc(c.logs, func(l queue.Log) bool { return over(l.CreatedAt, c.LogsRetention) })
}

// truncate removes the documents, and the log and the journal if asked; events stay counted.
func (c *calendar) truncate(now time.Time, logs bool) {
	clear(c.docs)
	clear(c.keys)
	clear(c.made)
	if logs {
		c.logs, c.journal = nil, nil
	}
	c.notedAll(now, "truncate", caller)
}

// attach is a restore: documents get new lease numbers, events begin anew, and the queue is paused.
func (c *calendar) attach(now time.Time) {
	c.Journal = "errors" // as of any queue at first
	c.notedAll(now, "attach", "role:postgres")
	for _, d := range c.docs {
		d.Lease, d.Ended = 0, ""
	}
	clear(c.events)
	c.pauses = map[int]pause{-1: {}}
}

// isPaused returns the pause under which a version stands: that of the queue, or its own.
func (c *calendar) isPaused(now time.Time, version int) *pause {
	for _, v := range []int{-1, version} {
		if p, is := c.pauses[v]; is && (p.until.IsZero() || now.Before(p.until)) {
			return &p
		}
	}
	return nil
}

// stopped tells whether leases of a version are to end at once.
func (c *calendar) stopped(now time.Time, version int) bool {
	for _, v := range []int{-1, version} {
		if p, is := c.pauses[v]; is && p.atOnce && (p.until.IsZero() || now.Before(p.until)) {
			return true
		}
	}
	return false
}

// note writes lines of a worker's to the log.
func (c *calendar) note(now time.Time, lines []queue.NewLog, worker string) {
	for _, l := range lines {
		d := c.docs[l.Subject]
		if d == nil {
			subject := l.Subject
			c.logs = append(c.logs, queue.Log{CreatedAt: now, Kind: "note", Subject: &subject, Message: l.Message, Worker: &worker})
			c.count(0, "logs")
			continue
		}
		c.line(now, "note", d, &worker, l.Message)
	}
}
