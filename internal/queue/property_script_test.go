package queue_test

import (
	"encoding/json"
	"fmt"
	"math/bits"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
)

// A script is what a property is tried with: two queues with their settings, and calls. It names documents, leases and
// moments in its own terms, so that it means the same each time it is played and can be made smaller.
type script struct {
	Rules [2]rules // of the queues at their creation
	Steps []step
}

// step is one call. Fields that the call has no use for are drawn all the same: so a step that turns out not to matter
// becomes "nothing" while the others stay as they are.
type step struct {
	Call    string
	Queue   int
	Conn    int // the connection to make it on
	Hold    int // how many further calls see it uncommitted
	Undo    bool
	Advance time.Duration // the clock moves before the call
	Items   []item
	Update  bool
	Requeue bool // with Update: what is held goes on with it
	Limit   int
	Version int
	Plain   string        // complete: a resolution completes or reschedules, and says no more; drop: it drops
	AtOnce  bool          // of a pause
	Lock    time.Duration // 0: the queue's
	Key     string
	Bulk    string // the action of an operation
	Choose  string // which documents it is for: those of the items, or a filter
}

// ofVersion is the version that a pause is for; -1 is all of the queue.
func (s step) ofVersion() int {
	if s.Key != "" {
		return s.Version
	}
	return -1
}

// item is one document of a call.
type item struct {
	Subject  string
	Aim      bool // at a document that is held, or else at any, if there is one; Subject tells which
	Lease    int  // 0: the present one; 1: one less; 2: one more; 3: the first that was ever seen
	Action   string
	Admin    string // the action, where an admin acts
	Dated    bool
	Next     time.Duration // from now
	Delay    bool          // say it as a delay
	Payload  []byte
	Version  *int
	Priority *int
	Message  string
	Retry    *bool
	Then     string
	Repeat   bool // the subject, lease and action of the last item of a resolution that was ok
	Stray    bool // leave fields in that mean nothing to the action
}

const wrongSubject = 256 // bytes; one too many

// even draws one of some values, the first ones at least as often as the last. It is without the bias for what is small
// that other generators have, so that the rare calls are made too.
func even[V any](values ...V) *rapid.Generator[V] {
	return rapid.Custom(func(t *rapid.T) V {
		i := 0
		for range max(bits.Len(uint(len(values)-1)), 1) { // a generator has to draw something
			i *= 2
			if rapid.Bool().Draw(t, "bit") {
				i++
			}
		}
		return values[i%len(values)]
	})
}

// number draws no number or one of two, as often as which says, or rarely one that is wrong.
func number(which []int, one, two, wrong int) *rapid.Generator[*int] {
	return rapid.Custom(func(t *rapid.T) *int {
		n := []*int{nil, &one, &two}[even(which...).Draw(t, "number")]
		if rare.Draw(t, "wrong") {
			n = &wrong
		}
		return n
	})
}

// json returns the settings in the API's words.
func (r rules) json() json.RawMessage {
	settings := map[string]any{
		"max_attempts": r.MaxAttempts, "lock": r.Lock.String(), "partitions": r.Partitions,
		"backoff":    map[string]any{"kind": r.Backoff, "base": r.Base.String(), "cap": r.Cap.String(), "jitter": r.Jitter},
		"max_active": nil, "rate": nil, "key": nil, "key_limits": nil,
		"completed_retention": nil, "killed_retention": nil, "logs_retention": nil, "journal_retention": nil, "journal": r.Journal,
	}
	if r.MaxActive > 0 {
		settings["max_active"] = r.MaxActive
	}
	if r.RatePicks > 0 {
		settings["rate"] = map[string]any{"picks": r.RatePicks, "per": r.RatePer.String(), "burst": r.RateBurst}
	}
	if r.keyed() {
		limits := map[string]any{}
		if r.KeyMaxActive > 0 {
			limits["max_active"] = r.KeyMaxActive
		}
		if r.KeyRatePicks > 0 {
			limits["rate"] = map[string]any{"picks": r.KeyRatePicks, "per": r.RatePer.String(), "burst": r.KeyRateBurst}
		}
		settings["key"], settings["key_limits"] = map[string]any{"payload": "/n"}, limits
	}
	for name, keep := range map[string]time.Duration{"completed_retention": r.CompletedRetention, "killed_retention": r.KilledRetention,
		"logs_retention": r.LogsRetention, "journal_retention": r.JournalRetention} {
		if keep > 0 {
			settings[name] = keep.String()
		}
	}
	text, _ := json.Marshal(settings)
	return text
}

// date is the item's date, if it has one.
func (it item) date(now time.Time) (date wire.Date) {
	switch {
	case it.Dated && it.Delay:
		date.Delay = &wire.Interval{Micros: it.Next.Microseconds()}
	case it.Dated:
		date.At = now.Add(it.Next)
	}
	return date
}

// plain is the item where it does what action says, complete standing for reschedule too, and says no more.
func (it item) plain(action string) item {
	if it.Action != "reschedule" || action == "drop" {
		it.Action = action
	}
	it.Message, it.Version, it.Stray = "", nil, false
	return it
}

// asPush and asResolution are the item as calls want it.
func (it item) asPush(now time.Time) queue.Push {
	p := queue.Push{Subject: it.Subject, Payload: it.Payload, Version: it.Version, Priority: it.Priority, Next: it.date(now)}
	if it.Stray {
		p.Subject = strings.Repeat("x", wrongSubject)
	}
	return p
}

func (it item) asResolution(now time.Time, subject string, lease int64, toQueue string) queue.Resolution {
	it.Dated = it.Dated || it.Action == "reschedule"
	r := queue.Resolution{Subject: subject, Lease: lease, Action: it.Action, Next: it.date(now), Payload: it.Payload, Version: it.Version,
		Priority: it.Priority, Message: it.Message, Retry: it.Retry, ToQueue: toQueue, Then: it.Then}
	if it.Stray {
		r.ToQueue = "nowhere"
		return r
	}
	if it.Action != "reject" {
		r.Retry = nil
	}
	if it.Action != "forward" {
		r.ToQueue, r.Then = "", ""
	}
	switch it.Action {
	case "reschedule", "reject", "forward", "edit":
	default:
		r.Next = wire.Date{}
	}
	return r
}

// GoString keeps the failure of a property short: what the script did is told by the world's diary.
func (s script) GoString() string { return fmt.Sprintf("a script of %d steps", len(s.Steps)) }
