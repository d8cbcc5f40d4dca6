package queue_test

import (
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"
)

// A theme is what scripts are about: the calls that they make, the first of which is "nothing", and the rules of their queues. Rare
// ways of going wrong are found by scripts that are about little else.
type theme struct {
	calls    []string
	limits   []int // as often as a limit is to be none, or to be so high
	attempts []int
	advances []int // seconds
	actions  []string
	requeues []bool
	versions []int // of what is picked and paused
	// What a theme leaves out is drawn as in everything.
	keyed    []bool   // whether a call has a key
	plain    []string // what all resolutions of a call do and say no more
	holds    []int    // how many further calls see one uncommitted
	atOnce   []bool   // of pauses
	numbers  []int    // of priorities: none, the first or the second
	payloads [][]byte
	journals []string // of queues
	updates  []bool   // of pushes and more
	repeats  []bool   // of resolutions
	bulks    []string // the actions of operations
	parts    []int    // of queues
}

// aScript is about everything, or about one of the others.
var aScript = rapid.Custom(func(t *rapid.T) script {
	return even(themes...).Draw(t, "theme").script().Draw(t, "script")
})

// GoString keeps the failure of a property short.
func (th theme) GoString() string {
	return "a theme of " + strings.Join(slices.Compact(slices.Clone(th.calls)), ", ")
}

// script returns a generator of scripts of the theme.
func (th theme) script() *rapid.Generator[script] {
	items := th.item()
	steps := rapid.Custom(func(t *rapid.T) step {
		return step{
			Call:    even(th.calls...).Draw(t, "call"),
			Queue:   even(0, 0, 0, 1).Draw(t, "queue"),
			Conn:    even(0, 1, 2).Draw(t, "conn"),
			Hold:    even(or(th.holds, everything.holds)...).Draw(t, "hold"),
			Undo:    even(false, false, false, true).Draw(t, "undo"),
			Advance: time.Second * time.Duration(even(th.advances...).Draw(t, "advance")),
			Items:   rapid.SliceOfN(items, 4, 4).Draw(t, "items")[:even(1, 2, 3, 4).Draw(t, "number of items")],
			Update:  even(or(th.updates, everything.updates)...).Draw(t, "update"),
			Requeue: even(th.requeues...).Draw(t, "requeue"),
			Limit:   even(1, 2, 10).Draw(t, "limit"),
			Version: even(th.versions...).Draw(t, "picked version"),
			Plain:   even(or(th.plain, everything.plain)...).Draw(t, "plain"),
			AtOnce:  even(or(th.atOnce, everything.atOnce)...).Draw(t, "at once"),
			Lock:    time.Second * time.Duration(even(0, 3600, 3, 3600).Draw(t, "lock")),
			Bulk:    even(or(th.bulks, everything.bulks)...).Draw(t, "action of an operation"),
			Choose:  even("list", "status", "version", "priority", "prefix", "attempts", "worker", "all").Draw(t, "documents of an operation"),
			Key:     map[bool]string{true: "k"}[even(or(th.keyed, everything.keyed)...).Draw(t, "key")],
		}
	})
	some := th.rules()
	return rapid.Custom(func(t *rapid.T) script {
		return script{
			Rules: [2]rules{some.Draw(t, "rules of a"), some.Draw(t, "rules of b")},
			Steps: rapid.SliceOfN(steps, 60, 60).Draw(t, "steps"),
		}
	})
}

// item returns a generator of what calls of the theme are about.
func (th theme) item() *rapid.Generator[item] {
	return rapid.Custom(func(t *rapid.T) item {
		return item{
			Subject:  even("a", "b", "c", "d", "e", "f").Draw(t, "subject"),
			Aim:      even(true, true, true, false).Draw(t, "aim"),
			Lease:    even(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3).Draw(t, "lease"),
			Action:   even(th.actions...).Draw(t, "action"),
			Admin:    even("complete", "reschedule", "run_now", "retry", "release", "edit", "forward", "drop", "kill").Draw(t, "action of an admin"),
			Dated:    rapid.Bool().Draw(t, "dated"),
			Next:     time.Second * time.Duration(even(0, -60, 2, 5, 30, 600).Draw(t, "next")),
			Delay:    rapid.Bool().Draw(t, "delay"),
			Payload:  even(or(th.payloads, everything.payloads)...).Draw(t, "payload"),
			Version:  number(everything.numbers, 0, 1, -1).Draw(t, "version"),
			Priority: number(or(th.numbers, everything.numbers), 5, -5, 40_000).Draw(t, "priority"),
			Message:  even("", "", "", "why").Draw(t, "message"),
			Retry:    even(nil, nil, nil, new(bool)).Draw(t, "retry"),
			Then:     even("", "drop", "complete").Draw(t, "then"),
			Repeat:   even(or(th.repeats, everything.repeats)...).Draw(t, "repeat"),
			Stray:    rare.Draw(t, "stray"),
		}
	})
}

// rules returns a generator of the rules of queues of the theme.
func (th theme) rules() *rapid.Generator[rules] {
	return rapid.Custom(func(t *rapid.T) rules {
		// Never a whole second: nothing is exactly as old as that.
		keep := even(0, 3700500*time.Millisecond)
		return rules{
			MaxAttempts:        even(th.attempts...).Draw(t, "max_attempts"),
			Lock:               time.Second * time.Duration(even(60, 5).Draw(t, "lock")),
			Backoff:            even("none", "fixed", "exponential").Draw(t, "backoff"),
			Base:               3 * time.Second,
			Cap:                10 * time.Second,
			Jitter:             even(0, 0, 0, 0.5).Draw(t, "jitter"),
			MaxActive:          2 * even(th.limits...).Draw(t, "max_active"),
			RatePicks:          even(th.limits...).Draw(t, "rate"),
			RatePer:            8 * time.Second, // a power of two: the model's fractions of a pick are exact
			RateBurst:          even(1, 3).Draw(t, "burst"),
			KeyRateBurst:       1,
			Partitions:         even(or(th.parts, everything.parts)...).Draw(t, "partitions"),
			KeyMaxActive:       even(th.limits...).Draw(t, "max_active of a key"),
			KeyRatePicks:       even(th.limits...).Draw(t, "rate of a key"),
			CompletedRetention: keep.Draw(t, "completed_retention"),
			KilledRetention:    keep.Draw(t, "killed_retention"),
			LogsRetention:      keep.Draw(t, "logs_retention"),
			JournalRetention:   keep.Draw(t, "journal_retention"),
			Journal:            even(or(th.journals, everything.journals)...).Draw(t, "journal"),
		}
	})
}

var rare = even(append(make([]bool, 31), true)...)

// or is what a theme says, or else what another does.
func or[V any](said, other []V) []V {
	if said == nil {
		return other
	}
	return said
}

// times lists words as often as the number behind each says.
func times(pairs ...any) (list []string) {
	for i := 0; i+1 < len(pairs); i += 2 {
		word, n := pairs[i].(string), pairs[i+1].(int)
		list = append(list, strings.Fields(strings.Repeat(word+" ", n))...)
	}
	return list
}
