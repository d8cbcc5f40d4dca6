package queue_test

import (
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
	versions []int    // of what is picked and paused
	keyed    []bool   // whether a call has a key; none: a quarter has
	plain    []string // what all resolutions of a call do and say no more; none: mostly nothing
}

var everything = theme{
	calls: times("nothing", 1, "push", 16, "pick", 24, "resolve", 32, "act", 7, "extend", 6, "orphans", 6, "fold", 8, "bulk", 4, "mark_due", 3, "append", 5,
		"resume", 5, "expire", 2, "note", 2, "pause", 1, "recount", 1, "attach", 1, "put", 1, "index", 1, "drop", 1, "truncate", 1),
	limits:   []int{0, 0, 0, 0, 0, 0, 0, 1},
	attempts: []int{2, 1, 4, 4},
	advances: []int{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 5, 5, 10, 10, 40, 4000},
	actions:  []string{"complete", "reschedule", "reject", "reject", "kill", "drop", "forward", "forward"},
	requeues: []bool{false, false, false, true},
	versions: []int{0, 0, 0, 1},
}

var limiting = theme{
	calls: times("nothing", 1, "push", 14, "pick", 24, "resolve", 5, "extend", 2, "orphans", 2, "put", 6, "pause", 3, "resume", 4,
		"index", 1, "fold", 2),
	limits:   []int{0, 1, 0, 2},
	attempts: []int{4},
	advances: []int{0, 0, 0, 0, 1, 2, 5, 8},
	actions:  []string{"complete", "reschedule", "reject", "drop"},
	requeues: []bool{false},
	versions: []int{0, 0, 0, 1},
}

var requeueing = theme{
	calls:    times("nothing", 1, "push", 20, "pick", 14, "resolve", 16, "act", 6, "orphans", 5, "fold", 1, "pause", 1),
	limits:   []int{0},
	attempts: []int{1, 2, 2, 4},
	advances: []int{0, 0, 0, 0, 0, 0, 2, 70},
	actions:  []string{"complete", "forward", "reject", "reschedule", "kill", "drop", "forward", "forward"},
	requeues: []bool{true, true, true, false},
	versions: []int{0},
	plain:    []string{"", "complete", "", "drop"},
}

var dropping = theme{
	calls:    times("nothing", 1, "push", 16, "pick", 18, "resolve", 20, "orphans", 4, "extend", 2, "fold", 2, "pause", 1),
	limits:   []int{0},
	attempts: []int{4},
	advances: []int{0, 0, 0, 0, 1, 5, 2, 40},
	actions:  []string{"drop", "complete"},
	requeues: []bool{false, true},
	versions: []int{0},
	plain:    []string{"drop", "drop", "", "complete"},
}

var pausing = theme{
	calls:    times("nothing", 1, "push", 10, "pick", 18, "extend", 16, "resolve", 2, "pause", 10, "resume", 7),
	limits:   []int{0},
	attempts: []int{4},
	advances: []int{0, 0, 0, 2},
	actions:  []string{"complete", "reschedule"},
	requeues: []bool{false},
	versions: []int{0, 1},
}

var noting = theme{
	calls: times("nothing", 1, "push", 12, "append", 8, "pick", 14, "resolve", 14, "act", 12, "extend", 4, "orphans", 6, "mark_due", 3,
		"bulk", 8, "expire", 5, "put", 2, "truncate", 1),
	limits:   []int{0},
	attempts: []int{4, 2},
	advances: []int{0, 0, 0, 0, 0, 40, 2000, 90_000},
	actions:  []string{"complete", "reschedule", "reject", "kill", "drop", "forward", "complete", "kill"},
	requeues: []bool{false, true},
	versions: []int{0},
	keyed:    []bool{false, true},
	plain:    []string{"", "complete", "", "drop"},
}

// aScript is about everything, or about one of the others.
var aScript = rapid.Custom(func(t *rapid.T) script {
	i := even(0, 0, 0, 4, 1, 5, 2, 3).Draw(t, "theme")
	return []theme{everything, limiting, requeueing, pausing, noting, dropping}[i].script().Draw(t, "script")
})

// script returns a generator of scripts of the theme.
func (th theme) script() *rapid.Generator[script] {
	items, keyed, plain := th.item(), th.keyed, th.plain
	if keyed == nil {
		keyed = []bool{false, false, false, true}
	}
	if plain == nil {
		plain = []string{"", "", "", "complete", "drop"}
	}
	steps := rapid.Custom(func(t *rapid.T) step {
		return step{
			Call:    even(th.calls...).Draw(t, "call"),
			Queue:   even(0, 0, 0, 1).Draw(t, "queue"),
			Conn:    even(0, 1, 2).Draw(t, "conn"),
			Hold:    even(0, 0, 0, 0, 1, 3, 6, 6).Draw(t, "hold"),
			Undo:    even(false, false, false, true).Draw(t, "undo"),
			Advance: time.Second * time.Duration(even(th.advances...).Draw(t, "advance")),
			Items:   rapid.SliceOfN(items, 4, 4).Draw(t, "items")[:even(1, 2, 3, 4).Draw(t, "number of items")],
			Update:  rapid.Bool().Draw(t, "update"),
			Requeue: even(th.requeues...).Draw(t, "requeue"),
			Limit:   even(1, 2, 10).Draw(t, "limit"),
			Version: even(th.versions...).Draw(t, "picked version"),
			Plain:   even(plain...).Draw(t, "plain"),
			AtOnce:  even(false, true).Draw(t, "at once"),
			Lock:    time.Second * time.Duration(even(0, 3600, 3, 3600).Draw(t, "lock")),
			Bulk:    even("retry", "run_now", "kill", "drop", "complete", "reschedule", "set_priority", "move").Draw(t, "action of an operation"),
			Choose:  even("list", "status", "version", "priority", "prefix", "attempts", "worker", "all").Draw(t, "documents of an operation"),
			Key:     map[bool]string{true: "k"}[even(keyed...).Draw(t, "key")],
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
			Payload:  even(nil, nil, []byte(`{"n": 1}`), []byte(`{"n": 2}`)).Draw(t, "payload"),
			Version:  number(0, 1, -1).Draw(t, "version"),
			Priority: number(5, -5, 40_000).Draw(t, "priority"),
			Message:  even("", "", "", "why").Draw(t, "message"),
			Retry:    even(nil, nil, nil, new(bool)).Draw(t, "retry"),
			Then:     even("", "drop", "complete").Draw(t, "then"),
			Repeat:   even(false, false, false, false, false, false, false, true).Draw(t, "repeat"),
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
			Partitions:         even(1, 1, 1, 3).Draw(t, "partitions"),
			KeyMaxActive:       even(th.limits...).Draw(t, "max_active of a key"),
			KeyRatePicks:       even(th.limits...).Draw(t, "rate of a key"),
			CompletedRetention: keep.Draw(t, "completed_retention"),
			KilledRetention:    keep.Draw(t, "killed_retention"),
			LogsRetention:      keep.Draw(t, "logs_retention"),
			JournalRetention:   keep.Draw(t, "journal_retention"),
			Journal:            even("all", "errors", "all", "off").Draw(t, "journal"),
		}
	})
}

var rare = even(append(make([]bool, 31), true)...)

// times lists words as often as the number behind each says.
func times(pairs ...any) (list []string) {
	for i := 0; i+1 < len(pairs); i += 2 {
		word, n := pairs[i].(string), pairs[i+1].(int)
		list = append(list, strings.Fields(strings.Repeat(word+" ", n))...)
	}
	return list
}
