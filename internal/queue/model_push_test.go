package queue_test

import (
	"cmp"
	"time"

	"github.com/fetchq/server/internal/queue"
)

// push: the rows "push (new)", "push, on_conflict: update", "the same on active" and "the same with then: requeue".
func (c *calendar) push(now time.Time, docs []queue.Push, policy queue.OnConflict) []queue.Result {
	seen := map[string]bool{}
	results := make([]queue.Result, len(docs))
	for i, p := range docs {
		results[i] = c.pushOne(now, p, policy, seen)
	}
	return results
}

func (c *calendar) pushOne(now time.Time, p queue.Push, policy queue.OnConflict, seen map[string]bool) queue.Result {
	d, again := c.docs[p.Subject], seen[p.Subject]
	seen[p.Subject] = true
	var before document
	if d != nil {
		before = *d
	}
	switch {
	case !valid(p.Subject, p.Version, p.Priority):
		return result(p.Subject, "invalid", nil)
	case again:
		return result(p.Subject, "duplicate", nil)
	case d == nil:
		d = c.enter(now, p)
		c.noted(now, "push", false, caller, nil, d)
		return result(p.Subject, "created", d)
	case policy == queue.Ignore:
		return result(p.Subject, "ignored", d)
	case d.Status == queue.Active && policy == queue.Requeue:
		r := queue.Requeued{}
		if d.Requeue != nil {
			r = *d.Requeue
		}
		r.Next = dateOf(p.Next, now, now)
		if p.Payload != nil {
			r.Payload = p.Payload
		}
		r.Version, r.Priority = cmp.Or(p.Version, r.Version), cmp.Or(p.Priority, r.Priority)
		d.Requeue = &r
		c.noted(now, "requeue", false, caller, &before, d)
		return result(p.Subject, "requeued", d)
	case d.Status == queue.Active:
		return result(p.Subject, "active", d)
	}
	if d.Status == queue.Completed || d.Status == queue.Killed {
		d.Attempts = 0
	}
	d.set(p.Payload, p.Version, p.Priority)
	d.dueAt(now, dateOf(p.Next, now, now))
	d.fence()
	c.noted(now, "update", false, caller, &before, d)
	return result(p.Subject, "updated", d)
}

// enter makes a new document. Its lease number is read from the database; see adopt.
func (c *calendar) enter(now time.Time, p queue.Push) *document {
	d := &document{Document: queue.Document{Subject: p.Subject, Payload: []byte(`{}`), CreatedAt: now, Seq: c.next}}
	c.next++
	d.set(p.Payload, p.Version, p.Priority)
	d.dueAt(now, dateOf(p.Next, now, now))
	c.docs[p.Subject] = d
	c.count(d.Version, "entered")
	return d
}
