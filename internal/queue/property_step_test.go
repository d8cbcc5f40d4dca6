package queue_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
)

const worker = "host-7"

// call makes one call of the engine and of the model, and compares the answers.
func (w *world) call(to calls, m model, st step) error {
	name := w.names[st.Queue]
	c, locked := m[name], w.locked(name)
	switch st.Call {
	case "push", "append", "pick", "resolve", "act", "extend", "bulk": // with their answers
	default:
		w.wrote(name, st.Call, st.Update, st.Limit)
	}
	switch st.Call {
	case "push":
		return w.push(to, c, name, st)
	case "append":
		return w.append(to, c, name, st)
	case "pick":
		return w.pick(to, c, name, st)
	case "resolve", "act":
		return w.settle(to, m, name, st)
	case "extend":
		return w.extend(to, c, name, st)
	case "bulk":
		return w.bulk(to, m, name, st)
	case "note":
		var lines []queue.NewLog
		for _, it := range st.Items {
			lines = append(lines, queue.NewLog{Subject: it.Subject, Message: "noted"})
		}
		c.note(w.now, lines, worker)
		return to.note(w.ctx, name, lines, worker)
	case "mark_due":
		c.markDue(w.now, locked)
	case "orphans":
		c.orphans(w.now, locked)
	case "expire":
		c.expire(w.now, locked)
	case "fold", "recount", "index":
	case "attach":
		journal := c.Journal
		c.changeLimits(w.now, func() { c.attach(w.now) })
		c.Journal = journal
		if err := to.upkeep(w.ctx, name, st.Call); err != nil {
			return err
		}
		return to.put(w.ctx, name, c.json())
	case "truncate":
		c.truncate(w.now, st.Update)
		return to.truncate(w.ctx, name, st.Update)
	case "drop":
		return w.drop(to, m, name)
	case "pause":
		p := pause{atOnce: st.AtOnce}
		if st.Update {
			p.until = w.now.Add(20 * time.Second)
			if w.real {
				p.until = w.now.Add(time.Hour)
			}
		}
		c.pauses[st.ofVersion()] = p
		if p.atOnce {
			c.takeBack(w.now, locked)
		}
		return to.pause(w.ctx, name, p, st.ofVersion())
	case "resume":
		delete(c.pauses, st.ofVersion())
		return to.resume(w.ctx, name, st.ofVersion())
	case "put":
		c.MaxAttempts = st.Limit
		if st.Update {
			after := c.rules
			after.MaxActive, after.RatePicks = map[string]int{"complete": 2}[st.Plain], map[int]int{1: 1, 2: 4}[st.Limit]
			after.KeyMaxActive, after.KeyRatePicks = len(st.Items)%3, map[bool]int{true: 1}[st.AtOnce]
			if after != c.rules {
				c.changeLimits(w.now, func() { c.rules = after })
			}
		}
		c.Journal = []string{"off", "errors", "all", "all", "all"}[len(st.Items)]
		return to.put(w.ctx, name, c.json())
	default:
		return errors.New("there is no such call")
	}
	return to.upkeep(w.ctx, name, st.Call)
}

// free aims items, and leaves those out for which the call would wait for an open transaction.
func (w *world) free(st step, name string) []item {
	var held []string
	all := slices.Sorted(maps.Keys(w.model[name].docs))
	for _, subject := range all {
		if w.model[name].docs[subject].Status == queue.Active {
			held = append(held, subject)
		}
	}
	if held == nil {
		held = all
	}
	items := make([]item, 0, len(st.Items))
	for _, it := range st.Items {
		if it.Aim && len(held) > 0 && (st.Call != "push" || st.Requeue) {
			it.Subject = held[int(it.Subject[0]-'a')%len(held)]
		}
		if last := w.last[name]; it.Repeat && st.Call == "resolve" && last.Subject != "" {
			it.Subject = last.Subject
		}
		if !w.locked(w.names[0])(it.Subject) && !w.locked(w.names[1])(it.Subject) {
			items = append(items, it)
		}
	}
	return items
}

func (w *world) push(to calls, c *calendar, name string, st step) error {
	policy := queue.Ignore
	if st.Update {
		policy = queue.Update
	}
	if st.Update && st.Requeue {
		policy = queue.Requeue
	}
	docs := make([]queue.Push, len(st.Items))
	for i, it := range st.Items {
		docs[i] = it.asPush(w.now)
	}
	got, err := to.push(w.ctx, name, docs, policy)
	w.wrote(name, "push", policy, docs, outcomes(got))
	if err != nil {
		return err
	}
	return w.results(c, c.push(w.now, docs, policy), got)
}

// append pushes documents of which some have no subject. Under a key it does so once in 24 hours, and answers a call that is
// repeated as the first one, whatever has become of the documents.
func (w *world) append(to calls, c *calendar, name string, st step) error {
	key, policy := st.Key, queue.Ignore
	if st.Update {
		policy = queue.Update
	}
	docs := make([]queue.Push, len(st.Items))
	for i, it := range st.Items {
		if docs[i] = it.asPush(w.now); it.Aim {
			docs[i].Subject = ""
		}
		if key != "" {
			key += fmt.Sprintf(" %.9s", docs[i].Subject)
		}
	}
	got, err := to.add(w.ctx, name, key, docs, policy)
	w.wrote(name, "append", key, policy, docs, got)
	if err != nil {
		return err
	}
	if len(got) != len(docs) {
		return differ("append of %d documents answers %v", len(docs), got)
	}
	was, again := c.made[key]
	if again && w.now.Before(was.at.Add(24*time.Hour)) {
		return w.results(c, slices.Clone(was.results), got)
	}
	for i, r := range got {
		if _, taken := c.docs[r.Subject]; docs[i].Subject == "" {
			if docs[i].Subject = r.Subject; taken {
				return differ("append made the subject %s, which is taken", r.Subject)
			}
			var leaf int
			if err := w.db.QueryRow(w.ctx, `select fetchq.partition_of($1, 3)`, r.Subject).Scan(&leaf); err != nil {
				return err
			}
			madeLeaves.Store(r.Subject, leaf)
		}
	}
	want := c.push(w.now, docs, policy)
	if key != "" {
		first := made{at: w.now}
		for _, r := range want {
			first.results = append(first.results, result(r.Subject, r.Outcome, nil))
		}
		c.made[key] = first
	}
	return w.results(c, want, got)
}

func (w *world) settle(to calls, m model, name string, st step) error {
	other := w.names[1-st.Queue]
	items := make([]queue.Resolution, len(st.Items))
	for i, it := range st.Items {
		lease := w.lease(m[name], name, it)
		if last := w.last[name]; it.Repeat && last.Subject == it.Subject {
			it.Action, lease = last.Action, last.Lease
		}
		if st.Call == "act" {
			lease = 0
		}
		if st.Call == "act" != it.Stray {
			it.Action = it.Admin
		}
		if st.Plain != "" && st.Call == "resolve" {
			it = it.plain(st.Plain)
		}
		items[i] = it.asResolution(w.now, it.Subject, lease, other)
	}
	if st.Key != "" && st.Call == "act" && len(items) > 0 {
		return w.once(to, m, name, fmt.Sprint(st.Key, items[0].Subject), items[0])
	}
	got, err := to.settle(w.ctx, name, items, st.Call == "resolve")
	w.wrote(name, st.Call, items, outcomes(got))
	if err != nil {
		return err
	}
	want := m.settle(w.now, name, items, st.Call == "resolve")
	for i, r := range want {
		if r.Outcome == "ok" && st.Call == "resolve" {
			w.last[name] = items[i]
		}
	}
	return w.results(m[name], want, got)
}

// once is what an admin does under a key: once in 24 hours, whatever it is and whatever has become of the document.
func (w *world) once(to calls, m model, name, key string, item queue.Resolution) error {
	got, err := to.once(w.ctx, name, key, item)
	w.wrote(name, "act", key, item, outcomes(got))
	if err != nil {
		return err
	}
	c := m[name]
	if was, again := c.made["act "+key]; again && w.now.Before(was.at.Add(24*time.Hour)) {
		return w.results(c, slices.Clone(was.results), got)
	}
	want := m.settle(w.now, name, []queue.Resolution{item}, false)
	c.made["act "+key] = made{results: []queue.Result{result(item.Subject, want[0].Outcome, nil)}, at: w.now}
	return w.results(c, want, got)
}

// lease is the number that an item means.
func (w *world) lease(c *calendar, name string, it item) int64 {
	seen := w.leases[name+" "+it.Subject]
	lease := int64(2) // 0 would be none
	if len(seen) > 0 {
		lease = seen[len(seen)-1]
	}
	if d := c.docs[it.Subject]; d != nil {
		lease = d.Lease
	}
	switch it.Lease {
	case 1:
		return lease - 1
	case 2:
		return lease + 1
	case 3:
		if len(seen) > 0 {
			return seen[0]
		}
	}
	return lease
}

func (w *world) extend(to calls, c *calendar, name string, st step) error {
	progress := ""
	if st.Update {
		progress = "half"
	}
	leases := make([]queue.Lease, len(st.Items))
	for i, it := range st.Items {
		leases[i] = queue.Lease{Subject: it.Subject, Lease: w.lease(c, name, it)}
	}
	got, err := to.extend(w.ctx, name, leases, st.Lock, progress)
	w.wrote(name, "extend", leases, st.Lock, progress, got)
	if err != nil {
		return err
	}
	want := c.extend(w.now, leases, st.Lock, progress)
	if diff := cmp.Diff(want, got, w.close(0), sameEmpty); diff != "" {
		return differ("answers (-model +engine):\n%s", diff)
	}
	return nil
}

// drop removes a queue, sees that it is gone, and makes it anew with the same rules.
func (w *world) drop(to calls, m model, name string) error {
	if err := to.drop(w.ctx, name); err != nil {
		return err
	}
	_, err := to.push(w.ctx, name, []queue.Push{{Subject: "a"}}, queue.Ignore)
	if errs.Of(database.Error("push", err)) != errs.NotFound {
		return differ("push into a queue that was dropped: %v", err)
	}
	m[name] = newCalendar(m[name].rules)
	return to.put(w.ctx, name, m[name].json())
}

// results compares the results of a push or of resolutions. Where nothing changed the state that they tell is not looked at.
func (w *world) results(c *calendar, want, got []queue.Result) error {
	for _, results := range [][]queue.Result{want, got} {
		for i, r := range results {
			if !slices.Contains([]string{"created", "updated", "ok", "exists"}, r.Outcome) {
				results[i] = result(r.Subject, r.Outcome, nil)
			}
		}
	}
	fuzz := time.Duration(2 * c.Jitter * float64(c.Cap))
	if diff := cmp.Diff(want, got, w.close(fuzz), sameEmpty); diff != "" {
		return differ("answers (-model +engine):\n%s", diff)
	}
	return nil
}

// close compares moments: the engine's may be later than the model's by fuzz, and by as much as the call took where the
// clock is real.
func (w *world) close(fuzz time.Duration) cmp.Option {
	if w.real {
		fuzz += time.Since(w.began)
	}
	return cmp.Comparer(func(a, b time.Time) bool { return b.Sub(a).Abs() <= fuzz })
}
