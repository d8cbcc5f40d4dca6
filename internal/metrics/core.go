package metrics

import (
	"strings"
	"time"
)

// The types of metrics, as the database has them.
const (
	typeCounter = 1
	typeGauge   = 2
	typeTiming  = 3
)

// typeNames are the words of the types.
var typeNames = map[int16]string{typeCounter: "counter", typeGauge: "gauge", typeTiming: "timing"}

// coreMetric is a metric that every queue has. Its number is its place in core, from 1 on, and stays for ever: it stands in rows.
type coreMetric struct {
	name   string
	typ    int16
	column string // of fetchq.counters; "": a timing
}

var core = []coreMetric{
	{"docs_planned", typeGauge, "planned"},
	{"docs_pending", typeGauge, "pending"},
	{"docs_active", typeGauge, "active"},
	{"docs_completed", typeGauge, "completed"},
	{"docs_killed", typeGauge, "killed"},
	{"entered", typeCounter, "ev_entered"},
	{"picked", typeCounter, "ev_picked"},
	{"completed", typeCounter, "ev_completed"},
	{"rescheduled", typeCounter, "ev_rescheduled"},
	{"rejected", typeCounter, "ev_rejected"},
	{"orphaned", typeCounter, "ev_orphaned"},
	{"killed", typeCounter, "ev_killed"},
	{"dropped", typeCounter, "ev_dropped"},
	{"forwarded", typeCounter, "ev_forwarded"},
	{"errors", typeCounter, "ev_errors"},
	{"logs", typeCounter, "ev_logs"},
	{"wait", typeTiming, ""},
	{"work", typeTiming, ""},
}

// processed is what workers and operations ended, as the pages count it: a counter that is the sum of others, and stands in no row.
var processed = []string{"completed", "rescheduled", "rejected", "dropped", "forwarded"}

// coreNumber returns the number of a core metric, by its name.
func coreNumber(name string) (int, bool) {
	for i, m := range core {
		if m.name == name {
			return i + 1, true
		}
	}
	return 0, false
}

// coreNumbers returns the numbers of the core metrics that one is made of.
func coreNumbers(name string) []int {
	names := []string{name}
	if name == "processed" {
		names = processed
	}
	var list []int
	for _, name := range names {
		if n, isCore := coreNumber(name); isCore {
			list = append(list, n)
		}
	}
	return list
}

// counted are the core metrics that fetchq.counters has, in the order of their numbers.
func counted() []coreMetric {
	for i, m := range core {
		if m.column == "" {
			return core[:i]
		}
	}
	return core
}

// sumsOfCounters are the columns of counted, summed over rows c.
func sumsOfCounters() string {
	var b strings.Builder
	for i, m := range counted() {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("coalesce(sum(c." + m.column + "), 0)::bigint")
	}
	return b.String()
}

// step is one of the steps in which series are kept.
type step struct {
	width time.Duration
	kept  time.Duration // as fetchq.series_steps says
	table string
}

// steps are all of them, the finest first. Each is a whole number of the one before.
var steps = []step{
	{10 * time.Second, 6 * time.Hour, "fetchq.series_10"},
	{time.Minute, 3 * 24 * time.Hour, "fetchq.series_60"},
	{10 * time.Minute, 30 * 24 * time.Hour, "fetchq.series_600"},
	{time.Hour, 400 * 24 * time.Hour, "fetchq.series_3600"},
}

// finest is the step of snapshots, and frames are the moments at which each queue gets a row, changed or not: who looks for the
// last value of a gauge need not look further back.
const (
	finest = 10 * time.Second
	frames = time.Hour
)
