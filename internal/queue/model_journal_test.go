package queue_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/fetchq/server/internal/queue"
)

// caller is in whose name the scripts make their calls.
const caller = "token:script"

// callerOf is in whose name it is made for one document, where there are several in a call: each has a caller of its own.
func callerOf(subject string) string { return "token:" + subject }

// noted writes a line of the journal about a document as it was before and is after: nil where there is none. by is who called; "" is the
// engine itself. What failed, and what an admin did, is written with errors too.
func (c *calendar) noted(now time.Time, action string, admin bool, by string, before, after *document) {
	failed := action == "reject" || action == "kill" || action == "orphan"
	if c.Journal == "off" || c.Journal == "errors" && !failed && !admin {
		return
	}
	t := queue.Transition{At: now, Action: action, Admin: admin, By: text(by)}
	if before != nil {
		t.Subject, t.From, t.Lease, t.Attempt = &before.Subject, status(before), &before.Lease, &before.Attempts
	}
	if after != nil {
		lease, attempts, next := after.Lease, after.Attempts, after.Next
		t.Subject, t.To, t.Lease, t.Next = &after.Subject, status(after), &lease, &next
		if before == nil || action == "pick" {
			t.Attempt = &attempts
		}
	}
	switch {
	case action == "pick":
		wait := now.Sub(before.Next)
		t.Wait, t.Worker = &wait, after.Worker
	case before != nil && before.Status == queue.Active:
		t.Worker = before.Worker
		if action != "extend" && action != "requeue" && action != "edit" {
			work := now.Sub(*before.PickedAt)
			t.Work = &work
		}
	}
	fuzz := time.Duration(0)
	if after != nil {
		fuzz = after.Fuzz
	}
	c.journal = append(c.journal, line{t, fuzz})
}

// notedAll writes a line about all documents.
func (c *calendar) notedAll(now time.Time, action, by string) {
	if c.Journal != "off" {
		c.journal = append(c.journal, line{queue.Transition{At: now, Action: action, Admin: true, By: &by}, 0})
	}
}

func status(d *document) *queue.Status {
	s := d.Status
	return &s
}

// line is a line of the journal, whose date may be later by the jitter of a backoff.
type line struct {
	queue.Transition
	Fuzz time.Duration
}

// tell writes a line without what the model cannot know: where the clock is real, all moments and durations.
func (l line) tell(real bool) string {
	t := l.Transition
	s := fmt.Sprint(t.Action, " ", t.Admin)
	for _, v := range []any{t.From, t.To, t.Attempt, t.Lease, t.Worker, t.By} {
		s += " " + pointed(v)
	}
	if real {
		return s + fmt.Sprint(" ", t.Next != nil, t.Wait != nil, t.Work != nil)
	}
	return s + fmt.Sprint(" at ", t.At.UnixMicro(), " next ", pointed(t.Next), " took ", pointed(t.Wait), pointed(t.Work))
}

func pointed(v any) string {
	switch v := v.(type) {
	case *queue.Status:
		return deref(v)
	case *int:
		return deref(v)
	case *int64:
		return deref(v)
	case *string:
		return deref(v)
	case *time.Time:
		if v == nil {
			return "-"
		}
		return fmt.Sprint(v.UnixMicro())
	case *time.Duration:
		return deref(v)
	}
	return "?"
}

func deref[T any](v *T) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprint(*v)
}

// bySubject are the lines of a journal about each document, in their order; those about all documents stand under "".
func bySubject(lines []line) map[string][]line {
	all := map[string][]line{}
	for _, l := range lines {
		subject := ""
		if l.Subject != nil {
			subject = *l.Subject
		}
		all[subject] = append(all[subject], l)
	}
	return all
}

// adoptLines takes from the journal that was found what the model cannot know of its own lines: the lease number of a document that
// is new, the date within the jitter of a backoff, and that a document was marked by a pick from a partitioned queue.
func adoptLines(lines, found []line) {
	theirs := bySubject(found)
	at := map[string]int{}
	for i := range lines {
		l := &lines[i]
		if l.Subject == nil {
			continue
		}
		n := at[*l.Subject]
		at[*l.Subject]++
		if n >= len(theirs[*l.Subject]) {
			continue
		}
		f := theirs[*l.Subject][n]
		if (l.Action == "push" || l.Action == "move" && l.From == nil) && *l.Lease == 0 && f.Lease != nil {
			l.Lease = f.Lease
		}
		if l.Next != nil && f.Next != nil && l.Fuzz > 0 {
			if late := f.Next.Sub(*l.Next); late >= 0 && late <= l.Fuzz {
				l.Next = f.Next
			}
		}
		l.Fuzz = 0
	}
}

// tellAll are lines for a comparison.
func tellAll(lines []line, real bool) map[string][]string {
	all := map[string][]string{}
	for subject, list := range bySubject(lines) {
		for _, l := range list {
			all[subject] = append(all[subject], l.tell(real))
		}
	}
	return all
}

// chained tells where the lines of one document do not lead from one to the next: each begins with the status that the one before it
// ended with, and no lease number comes again for another lease. Only a journal of everything is a chain.
func chained(lines []line) error {
	for subject, list := range bySubject(lines) {
		for i := 1; i < len(list) && subject != ""; i++ {
			a, b := list[i-1], list[i]
			// The first number of a document is the moment of its call, which may have waited for the one before to be dropped.
			waited := (b.Action == "push" || b.Action == "move") && *b.Lease >= b.At.UnixMicro()
			if pointed(a.To) != pointed(b.From) || *b.Lease < *a.Lease && !waited {
				return differ("the journal of %s breaks between %s and %s", subject, a.tell(false), b.tell(false))
			}
		}
	}
	return nil
}

// forget removes lines that the journal keeps no longer.
func (c *calendar) forget(now time.Time) {
	if c.JournalRetention > 0 {
		c.journal = slices.DeleteFunc(c.journal, func(l line) bool { return l.At.Before(now.Add(-c.JournalRetention)) })
	}
}
