package queue_test

import (
	"cmp"
	"time"

	"github.com/fetchq/server/internal/queue"
)

// settle: the rows "complete" to "edit" except "lease runs out", for a worker with leases or an admin without. One item
// of a call ends a lease, or acts on a document; others for that document see the state before it, but those with the
// same lease are a repeated call.
func (m model) settle(now time.Time, name string, items []queue.Resolution, leased bool) []queue.Result {
	results := make([]queue.Result, len(items))
	ended := map[string]document{} // as they were before the call
	for i, r := range items {
		before, again := ended[r.Subject]
		switch {
		case again && leased && r.Lease != before.Lease && m.takes(r, leased):
			results[i] = result(r.Subject, "stale", nil)
			continue
		case again && !leased && m.takes(r, leased):
			results[i] = result(r.Subject, cmp.Or(refused(&before, r), "invalid"), nil)
			continue
		}
		if d := m[name].docs[r.Subject]; d != nil {
			before = *d
		}
		results[i] = m.settleOne(now, name, r, leased)
		if !again && (results[i].Outcome == "ok" || results[i].Outcome == "exists") {
			ended[r.Subject] = before
		}
	}
	return results
}

func (m model) settleOne(now time.Time, name string, r queue.Resolution, leased bool) queue.Result {
	c := m[name]
	d := c.docs[r.Subject]
	switch {
	case !m.takes(r, leased):
		return result(r.Subject, "invalid", nil)
	case d == nil:
		return result(r.Subject, "not_found", nil)
	case leased && d.Lease == r.Lease && d.Status != queue.Active && d.Ended == r.Action:
		return result(r.Subject, "already", d)
	case leased && (d.Lease != r.Lease || !d.live(now)):
		return result(r.Subject, "stale", d)
	}
	if !leased {
		if outcome := refused(d, r); outcome != "" {
			return result(r.Subject, outcome, d)
		}
	}
	held := *d
	worker := d.Worker
	if !leased {
		worker = nil
	}
	if r.Message != "" && r.Action != "reject" {
		c.line(now, "note", d, worker, r.Message)
	}
	wish, last := d.Requeue, !leased && r.Action != "release" && r.Action != "edit"
	if wish != nil && last { // an admin has the last word
		d.Requeue = nil
		if r.Payload == nil {
			r.Payload = wish.Payload
		}
		r.Version, r.Priority = cmp.Or(r.Version, wish.Version), cmp.Or(r.Priority, wish.Priority)
	}
	outcome := m.act(now, c, d, r)
	switch {
	case wish == nil || r.Action == "edit":
	case last && r.Action == "forward": // which leaves the values of the document as they are
		d.set(wish.Payload, wish.Version, wish.Priority)
	case last:
	case c.docs[r.Subject] == nil: // it enters anew; what was not asked for, and its lease number, stay
		d.Attempts, d.Iterations, d.CreatedAt, d.LastIteration, d.PickedAt, d.Worker = 0, 0, now, nil, nil, nil
		d.goOn(now)
		c.docs[r.Subject] = d
		c.count(d.Version, "entered")
	default:
		d.goOn(now)
	}
	switch {
	case leased:
		d.Ended = r.Action
	case r.Action != "edit" || held.Status != queue.Active:
		d.fence()
	}
	if c.docs[r.Subject] == nil {
		c.noted(now, r.Action, !leased, caller, &held, nil)
		return result(r.Subject, outcome, nil)
	}
	c.noted(now, r.Action, !leased, caller, &held, d)
	return result(r.Subject, outcome, d)
}

// takes tells whether an item makes sense at all.
func (m model) takes(r queue.Resolution, leased bool) bool {
	dated := !r.Next.IsZero()
	switch r.Action {
	case "reschedule":
		if !dated {
			return false
		}
	case "reject":
		if !leased {
			return false
		}
	case "forward":
		if m[r.ToQueue] == nil {
			return false
		}
	case "edit":
		if leased || !dated && r.Payload == nil && r.Version == nil && r.Priority == nil {
			return false
		}
	case "complete", "kill", "drop":
	case "run_now", "retry", "release":
		if leased {
			return false
		}
	default:
		return false
	}
	switch {
	case dated && r.Action != "reschedule" && r.Action != "reject" && r.Action != "forward" && r.Action != "edit",
		(r.ToQueue != "" || r.Then != "") && r.Action != "forward",
		r.Retry != nil && r.Action != "reject":
		return false
	}
	return valid(r.Subject, r.Version, r.Priority)
}

// refused is the outcome of what an admin may not do to a document in its state; "" where he may.
func refused(d *document, r queue.Resolution) string {
	dated := r.Action == "edit" && !r.Next.IsZero()
	finished := d.Status == queue.Completed || d.Status == queue.Killed
	switch {
	case d.Status == queue.Active && (r.Action == "run_now" || dated):
		return "active"
	case r.Action == "retry" && d.Status != queue.Killed,
		r.Action == "release" && d.Status != queue.Active,
		dated && finished:
		return "invalid"
	}
	return ""
}

// act carries out an action on a document that may take it.
func (m model) act(now time.Time, c *calendar, d *document, r queue.Resolution) (outcome string) {
	version := d.Version // events count for it
	if r.Action != "forward" {
		defer d.set(r.Payload, r.Version, r.Priority)
	}
	switch r.Action {
	case "complete":
		c.count(version, "completed")
		d.complete(now)
	case "reschedule":
		c.count(version, "rescheduled")
		d.iterated(now)
		d.Attempts = 0
		d.dueAt(now, dateOf(r.Next, now, now))
	case "reject":
		c.count(version, "rejected")
		c.line(now, "error", d, d.Worker, r.Message)
		d.iterated(now)
		c.failed(now, d, r.Retry == nil || *r.Retry, r)
	case "kill":
		c.count(version, "killed")
		d.iterated(now)
		d.Status, d.Next = queue.Killed, now
	case "drop":
		c.count(version, "dropped")
		delete(c.docs, d.Subject)
	case "forward":
		return m.forward(now, c, d, r)
	case "run_now", "retry":
		d.Attempts = 0
		d.dueAt(now, now)
	case "release":
		d.Attempts--
		d.dueAt(now, now)
	case "edit":
		if d.Status == queue.Planned || d.Status == queue.Pending {
			d.dueAt(now, dateOf(r.Next, now, d.Next))
		}
	}
	return "ok"
}

func (d *document) iterated(now time.Time) {
	d.Iterations++
	d.LastIteration = &now
}

func (d *document) complete(now time.Time) {
	d.iterated(now)
	d.Attempts = 0
	d.Status, d.Next = queue.Completed, now
}

// failed lets a document come back after the backoff or at the date asked for, or sets it aside.
func (c *calendar) failed(now time.Time, d *document, retry bool, r queue.Resolution) {
	if d.Attempts >= c.MaxAttempts || !retry {
		c.count(d.Version, "killed")
		d.Status, d.Next = queue.Killed, now
		return
	}
	least, fuzz := c.backoff(d.Attempts)
	if !r.Next.IsZero() {
		fuzz = 0
	}
	d.dueAt(now, dateOf(r.Next, now, now.Add(least)))
	d.Fuzz = fuzz
}

// backoff returns the least wait after a number of attempts, and how much longer the jitter may make it.
func (c *calendar) backoff(attempts int) (least, fuzz time.Duration) {
	var wait time.Duration
	switch c.Backoff {
	case "fixed":
		wait = c.Base
	case "exponential":
		wait = min(c.Base<<(attempts-1), c.Cap)
	}
	jitter := time.Duration(float64(wait) * c.Jitter)
	return wait - jitter, 2 * jitter
}

// forward: completes or drops here and pushes there.
func (m model) forward(now time.Time, c *calendar, d *document, r queue.Resolution) string {
	c.count(d.Version, "forwarded")
	own := *d
	if r.Then == "drop" {
		delete(c.docs, d.Subject)
	} else {
		d.complete(now)
	}
	own.set(r.Payload, r.Version, r.Priority)
	there := queue.Push{Subject: own.Subject, Payload: own.Payload, Version: &own.Version, Priority: &own.Priority, Next: r.Next}
	if m[r.ToQueue].pushOne(now, there, queue.Ignore, map[string]bool{}).Outcome == "ignored" {
		return "exists"
	}
	return "ok"
}
