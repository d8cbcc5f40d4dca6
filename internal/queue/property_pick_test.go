package queue_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/fetchq/server/internal/queue"
)

func (w *world) pick(to calls, c *calendar, name string, st step) error {
	p := queue.PickParams{Limit: st.Limit, Version: st.Version, Lock: st.Lock, Worker: worker}
	if st.Key != "" {
		p.IdempotencyKey = fmt.Sprint(st.Key, st.Limit, st.Version, st.Lock)
	}
	got, err := to.pick(w.ctx, name, p)
	w.wrote(name, "pick", p, subjects(got))
	if err != nil {
		return err
	}
	var want []*document
	if c.Partitions == 1 && !c.keyed() {
		want = c.pick(w.now, p, w.locked(name))
	} else if want, err = w.pickAny(c, name, p, got); err != nil {
		return err
	}
	leased := make([]queue.Leased, len(want))
	for i, d := range want {
		leased[i] = queue.Leased{Subject: d.Subject, Payload: d.Payload, Version: d.Version, Priority: d.Priority, Attempts: d.Attempts,
			Iterations: d.Iterations, CreatedAt: d.CreatedAt, LastIteration: d.LastIteration, Lease: d.Lease, ExpiresAt: d.Next}
		w.leases[name+" "+d.Subject] = append(w.leases[name+" "+d.Subject], d.Lease)
	}
	if p.IdempotencyKey != "" { // a repeated pick has no order
		for _, docs := range [][]queue.Leased{leased, got} {
			slices.SortFunc(docs, func(a, b queue.Leased) int { return strings.Compare(a.Subject, b.Subject) })
		}
	}
	if diff := cmp.Diff(leased, got, w.close(0), sameEmpty); diff != "" {
		return differ("picked (-model +engine):\n%s", diff)
	}
	return nil
}

// pickAny is the model's pick from a queue that is partitioned, or has limits by key, whose order is best effort: it follows the engine's
// choice among what is due. Which documents were marked pending beside those is seen later. In one partition, those of one key
// have their order.
func (w *world) pickAny(c *calendar, name string, p queue.PickParams, got []queue.Leased) ([]*document, error) {
	if again := c.pickAgain(w.now, p.IdempotencyKey); again != nil {
		return again, nil
	}
	if c.isPaused(w.now, p.Version) != nil {
		if len(got) > 0 {
			return nil, differ("picked %d documents while the version is paused", len(got))
		}
		return nil, nil
	}
	limit := c.allowed(w.now, p.Limit)
	due := map[string]*document{}
	for subject, d := range c.docs {
		if d.Version == p.Version && !w.locked(name)(subject) &&
			(d.Status == queue.Pending || d.Status == queue.Planned && !d.Next.After(w.now)) {
			due[subject] = d
		}
	}
	byKey := map[string][]*document{}
	for _, d := range due {
		byKey[d.key()] = append(byKey[d.key()], d)
	}
	open, want, most := map[string]int{}, 0, 0
	for key, docs := range byKey {
		least := len(docs)
		open[key] = len(docs)
		if limit > 0 && c.keyed() {
			least, open[key] = c.open(w.now, key, len(docs))
		}
		want += least
		most += open[key]
	}
	if want, most = min(limit, want), min(limit, most); len(got) < want || len(got) > most {
		return nil, differ("picked %d documents where %d are due, of each key %v; %d to %d are wanted", len(got), len(due), open, want, most)
	}
	var taken []*document
	for _, l := range got {
		d := due[l.Subject]
		if d == nil {
			return nil, differ("picked %s, which is not due or stands twice in the answer", l.Subject)
		}
		delete(due, l.Subject)
		key := d.key()
		if open[key]--; open[key] < 0 {
			return nil, differ("picked %s, the key %q has no more room", l.Subject, key)
		}
		for _, other := range due {
			pair := inOrder([]*document{d, other})
			if c.Partitions == 1 && other.key() == key && other.Status == queue.Pending && d.Status == queue.Pending && pair[0] == other {
				return nil, differ("picked %s before %s of the same key", d.Subject, other.Subject)
			}
		}
		taken = append(taken, d)
	}
	for _, d := range taken {
		c.marked(w.now, d)
		c.lease(w.now, d, p)
	}
	if limit > 0 {
		for _, d := range due {
			d.Marked = d.Status == queue.Planned
		}
	}
	c.paid(w.now, p, taken)
	return taken, nil
}
