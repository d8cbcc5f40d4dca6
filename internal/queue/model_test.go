package queue_test

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
)

// The model is the table of states (docs/api.md, "States of a document") as Go code, one function a row, for documents
// in memory and one call at a time. The property tests ask it what each call of the engine must answer and leave behind.
//
// It knows what is decided where the table is silent: a lease is live until its end and stale from then on; a date that
// equals now is due; completed, killed and released documents have now as their date; an orphan that is killed has now as
// its last iteration; events count for the version that the document had before the call.

// document is one document: what a reader sees of it, and its lease number.
type document struct {
	queue.Document // Seq is the order in which documents entered
	Lease          int64
	Ended          string        // the action with which its holder ended the lease Lease; "" if nobody did
	Fuzz           time.Duration // Next may be this much later: the jitter of a backoff
	Marked         bool          // planned or pending: a pick from a partitioned queue may have marked it
}

// rules are those settings of a queue that the model follows.
type rules struct {
	MaxAttempts        int
	Lock               time.Duration
	Backoff            string // none, fixed, exponential
	Base, Cap          time.Duration
	Jitter             float64
	MaxActive          int           // 0: none
	RatePicks          int           // 0: none
	RatePer            time.Duration // with RatePicks
	RateBurst          int           // with RatePicks
	CompletedRetention time.Duration // 0: for ever
	KilledRetention    time.Duration // 0: for ever
	LogsRetention      time.Duration // 0: for ever
	JournalRetention   time.Duration // 0: for ever
	Journal            string        // off, errors, all
	Partitions         int
	KeyMaxActive       int // 0: none; the key is the member n of the payload
	KeyRatePicks       int // 0: none; with RatePer
	KeyRateBurst       int // with KeyRatePicks
}

// limited tells whether picks from the queue take turns.
func (r rules) limited() bool { return r.MaxActive > 0 || r.RatePicks > 0 || r.keyed() }

func (r rules) keyed() bool { return r.KeyMaxActive > 0 || r.KeyRatePicks > 0 }

// event names a counter of events.
type event struct {
	Version int
	Name    string
}

// calendar is one queue.
type calendar struct {
	rules
	pauses  map[int]pause // by version; -1 is all of the queue
	since   time.Time     // when limits changed last
	docs    map[string]*document
	events  map[event]int64
	logs    []queue.Log
	journal []line
	keys    map[string][]queue.Lease // picks under an idempotency key
	made    map[string]made          // appends, and what admins did, under an idempotency key
	next    int64                    // Seq of the next document
	bucket  bucket                   // of the rate
	byKey   map[string]*keyBucket    // of the rate of each key
}

// pause is one that may be over.
type pause struct {
	until  time.Time // zero: until resumed
	atOnce bool
}

// bucket has some tokens at some time: that of the last pick. It begins full.
type bucket struct {
	tokens float64
	filled time.Time
}

// keyBucket is that of a key, between two bounds. At a change of limits what came in since the engine wrote it is lost, and it
// writes that of a key whenever the key comes into the line of those that wait, or leaves it.
type keyBucket struct{ least, most bucket }

// made is what an append answered.
type made struct {
	results []queue.Result // without the state of the documents
	at      time.Time
}

// model is a set of queues.
type model map[string]*calendar

func newCalendar(r rules) *calendar {
	return &calendar{rules: r, docs: map[string]*document{}, events: map[event]int64{}, keys: map[string][]queue.Lease{},
		made: map[string]made{}, pauses: map[int]pause{}, byKey: map[string]*keyBucket{}}
}

func (c *calendar) count(version int, name string) { c.events[event{version, name}]++ }

// line writes a line about a document to the log.
func (c *calendar) line(now time.Time, kind string, d *document, worker *string, message string) {
	attempt := d.Attempts
	c.logs = append(c.logs, queue.Log{CreatedAt: now, Kind: kind, Subject: &d.Subject, Message: message, Worker: worker, Attempt: &attempt})
	c.count(d.Version, "logs")
	if kind == "error" {
		c.count(d.Version, "errors")
	}
}

// gauges count the documents by version and status.
func (c *calendar) gauges() map[event]int64 {
	counts := map[event]int64{}
	for _, d := range c.docs {
		counts[event{d.Version, "docs_" + d.Status.String()}]++
	}
	return counts
}

// dueAt sets the date of a document that no worker holds: due dates are pending, those ahead are planned.
func (d *document) dueAt(now, date time.Time) {
	d.Next, d.Status = date, queue.Pending
	if date.After(now) {
		d.Status = queue.Planned
	}
}

// key is what limits by key count by; "" is none.
func (d *document) key() string {
	var payload struct{ N *int }
	if json.Unmarshal(d.Payload, &payload) != nil || payload.N == nil {
		return ""
	}
	return strconv.Itoa(*payload.N)
}

// goOn lets a document go on with what was asked for while it was held, as an update does. Its lease number stays.
func (d *document) goOn(now time.Time) {
	r := d.Requeue
	if r == nil {
		return
	}
	d.Requeue = nil
	if d.Status == queue.Completed || d.Status == queue.Killed {
		d.Attempts = 0
	}
	d.set(r.Payload, r.Version, r.Priority)
	d.dueAt(now, r.Next)
	d.Fuzz = 0
}

// fence gives a document the next lease number, so that a lease from before is stale.
func (d *document) fence() {
	d.Lease++
	d.Ended = ""
}

// set gives a document what a call names.
func (d *document) set(payload []byte, version, priority *int) {
	if payload != nil {
		d.Payload = payload
	}
	if version != nil {
		d.Version = *version
	}
	if priority != nil {
		d.Priority = *priority
	}
}

// result is the answer of a call about a document, which is nil where there is none.
func result(subject, outcome string, d *document) queue.Result {
	r := queue.Result{Subject: subject, Outcome: outcome}
	if d != nil {
		status := d.Status
		r.Status, r.Version, r.Priority, r.Next = &status, d.Version, d.Priority, d.Next
	}
	return r
}

// dateOf returns the date that a caller means.
func dateOf(date wire.Date, now, otherwise time.Time) time.Time {
	switch {
	case date.Delay != nil:
		return now.Add(time.Duration(date.Delay.Micros) * time.Microsecond)
	case !date.At.IsZero():
		return date.At
	}
	return otherwise
}

// valid tells whether a document may have these values.
func valid(subject string, version, priority *int) bool {
	return len(subject) >= 1 && len(subject) <= queue.MaxSubject &&
		(version == nil || *version >= 0 && *version <= queue.MaxVersion) &&
		(priority == nil || *priority >= -queue.MaxPriority && *priority <= queue.MaxPriority)
}

// inOrder sorts documents as a pick hands them out.
func inOrder(docs []*document) []*document {
	slices.SortFunc(docs, func(a, b *document) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), a.Next.Compare(b.Next), cmp.Compare(a.Seq, b.Seq))
	})
	return docs
}

// clone returns a deep copy.
func (m model) clone() model {
	out := model{}
	for name, c := range m {
		k := *c
		k.docs, k.events, k.keys = map[string]*document{}, map[event]int64{}, map[string][]queue.Lease{}
		for subject, d := range c.docs {
			e := *d
			k.docs[subject] = &e
		}
		for e, n := range c.events {
			k.events[e] = n
		}
		for key, leases := range c.keys {
			k.keys[key] = leases
		}
		k.logs = slices.Clone(c.logs)
		k.journal = slices.Clone(c.journal)
		out[name] = &k
	}
	return out
}
