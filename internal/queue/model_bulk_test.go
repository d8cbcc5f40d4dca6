package queue_test

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fetchq/server/internal/queue"
)

// bulk is an operation: an action for documents that are named, or that fit a filter.
type bulk struct {
	Action   string
	Named    []string // nil: the filter
	Status   *queue.Status
	Version  *int
	Priority *int
	Prefix   string
	Attempts int
	Worker   string
	To       string // of a move
	Level    int    // the priority of set_priority
	Next     time.Time
	Message  string
	Size     int // of a batch
}

// bulkResult counts what became of the documents of an operation.
type bulkResult struct{ Done, LeftAlone, Failed int }

func (r bulk) fits(d *document) bool {
	return (r.Status == nil || d.Status == *r.Status) && (r.Version == nil || d.Version == *r.Version) &&
		(r.Priority == nil || d.Priority == *r.Priority) && strings.HasPrefix(d.Subject, r.Prefix) && d.Attempts >= r.Attempts &&
		(r.Worker == "" || d.Worker != nil && *d.Worker == r.Worker)
}

// bulk: each document by the row of its action, or as it is, into another queue.
func (m model) bulk(now time.Time, name string, r bulk) (out bulkResult) {
	c := m[name]
	subjects := map[string]bool{}
	for _, subject := range r.Named {
		subjects[subject] = true
	}
	if r.Named == nil {
		for subject, d := range c.docs {
			if r.fits(d) {
				subjects[subject] = true
			}
		}
	}
	for _, subject := range r.order(c, slices.Sorted(maps.Keys(subjects))) {
		d := c.docs[subject]
		switch {
		case d == nil:
			out.Failed++
		case r.Action == "retry" && d.Status != queue.Killed, r.Action == "run_now" && d.Status == queue.Active:
			if r.Named != nil {
				out.Failed++
			}
		case r.Action == "kill" && d.Status == queue.Killed, r.Action == "complete" && d.Status == queue.Completed,
			r.Action == "set_priority" && d.Priority == r.Level:
			if r.Named != nil {
				out.LeftAlone++
			}
		case r.Action == "move":
			if m.move(now, c, m[r.To], d, r.Message) {
				out.Done++
			} else {
				out.Failed++
			}
		default:
			m.settleOne(now, name, r.single(subject), false)
			out.Done++
		}
	}
	return out
}

// leaves are where the subjects of scripts stand in a queue of three partitions; madeLeaves where those stand that appends made up.
var (
	leaves     = map[string]int{"a": 2, "b": 0, "c": 2, "d": 0, "e": 0, "f": 0}
	madeLeaves sync.Map
)

func leafOf(c *calendar, subject string) int {
	if c.Partitions == 1 {
		return 0
	}
	if leaf, made := madeLeaves.Load(subject); made {
		return leaf.(int)
	}
	return leaves[subject]
}

// order is that in which a move numbers documents anew: leaf by leaf, each by subject; of finished ones batch by batch, the oldest first. Of
// documents that are named, or that wait or are held, each batch is the next by subject, and goes leaf by leaf.
func (r bulk) order(c *calendar, subjects []string) []string {
	byLeaf := func(some []string) {
		slices.SortStableFunc(some, func(a, b string) int { return cmp.Compare(leafOf(c, a), leafOf(c, b)) })
	}
	finished := r.Status != nil && (*r.Status == queue.Completed || *r.Status == queue.Killed)
	switch {
	case r.Named != nil, r.Prefix == "" && r.Status != nil && !finished:
		for batch := range slices.Chunk(subjects, r.Size) {
			byLeaf(batch)
		}
		return subjects
	case r.Prefix != "" || r.Status == nil:
		byLeaf(subjects)
		return subjects
	}
	slices.SortFunc(subjects, func(a, b string) int {
		return cmp.Or(cmp.Compare(leafOf(c, a), leafOf(c, b)), c.docs[a].LastIteration.Compare(*c.docs[b].LastIteration), cmp.Compare(c.docs[a].Seq, c.docs[b].Seq))
	})
	for begin := 0; begin < len(subjects); { // a batch is of one leaf
		end := begin + 1
		for end < len(subjects) && end-begin < r.Size && leafOf(c, subjects[end]) == leafOf(c, subjects[begin]) {
			end++
		}
		slices.Sort(subjects[begin:end])
		begin = end
	}
	return subjects
}

// single is what an admin does to one document.
func (r bulk) single(subject string) queue.Resolution {
	one := queue.Resolution{Subject: subject, Action: r.Action, Message: r.Message}
	switch r.Action {
	case "set_priority":
		one.Action, one.Priority = "edit", &r.Level
	case "reschedule":
		one.Next.At = r.Next
	}
	return one
}

// move takes a document over as it is; one that is held is released first. It says whether the subject was free there.
func (m model) move(now time.Time, from, to *calendar, d *document, message string) bool {
	if to.docs[d.Subject] != nil {
		return false
	}
	if message != "" {
		from.line(now, "note", d, nil, message)
	}
	from.count(d.Version, "forwarded")
	from.noted(now, "move", true, caller, d, nil)
	delete(from.docs, d.Subject)
	e := *d
	e.Lease, e.Ended, e.Seq = 0, "", to.next
	to.next++
	switch e.Status {
	case queue.Active:
		e.Attempts--
		e.dueAt(now, now)
		e.goOn(now)
	case queue.Planned, queue.Pending:
		e.dueAt(now, e.Next)
	case queue.Completed, queue.Killed:
	}
	to.docs[e.Subject] = &e
	to.count(e.Version, "entered")
	to.noted(now, "move", true, caller, nil, &e)
	return true
}
