package queue_test

// themes are all; everything is a quarter of what the property tests play.
var themes = []theme{everything, everything, everything, everything, limiting, unindexed, requeueing, forwarding, pausing, interrupting,
	noting, repeating, keeping, dropping, terse, operating, moving, folding, parted}

var everything = theme{
	calls: times("nothing", 1, "push", 16, "pick", 24, "resolve", 32, "act", 7, "extend", 6, "orphans", 6, "fold", 8, "bulk", 4, "mark_due", 3, "append", 5,
		"resume", 5, "expire", 2, "note", 2, "pause", 1, "recount", 1, "attach", 1, "put", 1, "index", 1, "drop", 1, "truncate", 1),
	limits:   []int{0, 0, 0, 0, 0, 0, 0, 1},
	attempts: []int{2, 1, 4, 4},
	advances: []int{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 5, 5, 10, 10, 40, 4000},
	actions:  []string{"complete", "reschedule", "reject", "reject", "kill", "drop", "forward", "forward"},
	requeues: []bool{false, false, false, true},
	versions: []int{0, 0, 0, 1},
	keyed:    []bool{false, false, false, true},
	plain:    []string{"", "", "", "complete", "drop"},
	holds:    []int{0, 0, 0, 0, 1, 3, 6, 6},
	atOnce:   []bool{false, true},
	numbers:  []int{0, 0, 0, 1, 0, 2},
	payloads: [][]byte{nil, nil, n1, n2},
	journals: []string{"all", "errors", "all", "off"},
	updates:  []bool{false, true},
	repeats:  []bool{false, false, false, false, false, false, false, true},
	bulks:    []string{"retry", "run_now", "kill", "drop", "complete", "reschedule", "set_priority", "move"},
	parts:    []int{1, 1, 1, 3},
}

var n1, n2 = []byte(`{"n": 1}`), []byte(`{"n": 2}`)

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
	numbers:  []int{0, 1, 2, 0},
	updates:  []bool{true},
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
	keyed:    []bool{false, true},
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
	journals: []string{"all", "all", "all", "errors"},
}

// unindexed queues get limits by key when they have documents already, and never the indexes.
var unindexed = theme{
	calls:    times("nothing", 1, "push", 20, "pick", 22, "put", 7, "resolve", 6, "orphans", 2),
	limits:   []int{0},
	attempts: []int{4},
	advances: []int{0, 0, 5, 20},
	actions:  []string{"complete", "reschedule", "drop", "complete"},
	requeues: []bool{false},
	versions: []int{0},
	payloads: [][]byte{n1, n1, n2, nil},
}

// interrupting pauses queues at once while calls are open that hold leases.
var interrupting = theme{
	calls:    times("nothing", 1, "push", 10, "pick", 16, "extend", 22, "pause", 10, "resume", 5),
	limits:   []int{0},
	attempts: []int{4},
	advances: []int{0, 0, 0, 2},
	actions:  []string{"complete"},
	requeues: []bool{false},
	versions: []int{0},
	holds:    []int{0, 1, 3, 1},
	atOnce:   []bool{true, true, true, false},
}

var operating = theme{
	calls:    times("nothing", 1, "push", 14, "pick", 16, "bulk", 20, "resolve", 6, "act", 3, "orphans", 2, "fold", 2),
	limits:   []int{0},
	attempts: []int{4},
	advances: []int{0, 0, 0, 2},
	actions:  []string{"complete", "reschedule", "reject", "kill"},
	requeues: []bool{false, true},
	versions: []int{0},
	numbers:  []int{0, 1, 2, 0},
}

// moving takes over what goes on with something else.
var moving = theme{
	calls:    times("nothing", 1, "push", 20, "pick", 18, "bulk", 12, "resolve", 3, "truncate", 2),
	limits:   []int{0},
	attempts: []int{4},
	advances: []int{0, 0, 0, 2},
	actions:  []string{"complete", "reschedule"},
	requeues: []bool{true, true, true, false},
	versions: []int{0},
	numbers:  []int{0, 1, 2, 1},
	updates:  []bool{true},
	bulks:    []string{"move", "move", "move", "set_priority"},
}

// forwarding hands on, under a push that wants the document to go on.
var forwarding = theme{
	calls:    times("nothing", 1, "push", 20, "pick", 14, "resolve", 14, "act", 3, "truncate", 3),
	limits:   []int{0},
	attempts: []int{4},
	advances: []int{0, 0, 0, 2},
	actions:  []string{"forward", "forward", "forward", "drop"},
	requeues: []bool{true, true, true, false},
	versions: []int{0},
	plain:    []string{""},
	updates:  []bool{true},
}

// parted queues have partitions.
var parted = theme{
	calls:    times("nothing", 1, "push", 18, "pick", 18, "resolve", 20, "act", 6, "orphans", 2, "fold", 2, "mark_due", 2),
	limits:   []int{0},
	attempts: []int{4},
	advances: []int{0, 0, 0, 5},
	actions:  []string{"complete", "reschedule", "reject", "kill"},
	requeues: []bool{false, true},
	versions: []int{0},
	plain:    []string{""},
	parts:    []int{3},
}

// repeating asks again under the same keys.
var repeating = theme{
	calls:    times("nothing", 1, "push", 10, "append", 14, "pick", 12, "resolve", 12, "act", 18, "expire", 3),
	limits:   []int{0},
	attempts: []int{4},
	advances: []int{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 40, 90_000},
	actions:  []string{"complete", "reschedule", "drop", "kill"},
	requeues: []bool{false},
	versions: []int{0},
	keyed:    []bool{true},
	journals: []string{"all"},
	repeats:  []bool{false, true},
}

// folding counters meets calls that are not committed.
var folding = theme{
	calls:    times("nothing", 1, "push", 16, "pick", 14, "resolve", 12, "fold", 16, "recount", 1),
	limits:   []int{0},
	attempts: []int{4},
	advances: []int{0, 0, 0, 2},
	actions:  []string{"complete", "reschedule", "reject", "drop"},
	requeues: []bool{false},
	versions: []int{0},
	holds:    []int{0, 1, 3, 2},
}

// terse journals have what went wrong, or nothing.
var terse = theme{
	calls:    times("nothing", 1, "push", 14, "pick", 16, "resolve", 18, "act", 6, "orphans", 6, "extend", 2),
	limits:   []int{0},
	attempts: []int{2, 4},
	advances: []int{0, 0, 0, 40},
	actions:  []string{"complete", "reschedule", "reject", "kill"},
	requeues: []bool{false},
	versions: []int{0},
	plain:    []string{"", "", "complete", "drop"},
	journals: []string{"errors", "errors", "errors", "off"},
}

// keeping is about what goes when it is old, or at once.
var keeping = theme{
	calls:    times("nothing", 1, "push", 14, "pick", 8, "resolve", 8, "act", 12, "note", 4, "expire", 12, "truncate", 3),
	limits:   []int{0},
	attempts: []int{2},
	advances: []int{0, 0, 0, 0, 0, 40, 2000, 3000},
	actions:  []string{"complete", "kill", "reject", "complete"},
	requeues: []bool{false},
	versions: []int{0},
	journals: []string{"all", "all", "all", "errors"},
}
