package bench

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/fetchq/server/internal/errs"
)

// workload is one kind of work that can be measured.
type workload struct {
	name, what  string
	doors       []string // by which it runs; the first is the default
	raw         string   // the workload whose raw limit it is held against; "": there is none
	batch       int      // defaults
	connections int
	backlog     int
	planned     int
	queues      int
	duration    time.Duration
	lays        bool // documents are laid up before it begins
	latency     bool // the time of a call counts, not how many there are: it is held against the limit by its median
	begin       func(context.Context, *run) (load, error)
}

var both = []string{BySQL, ByHTTP}

// workloads are what fetchq bench can do, in the order of its help.
func workloads() []workload {
	return []workload{
		{name: "ingest", what: "push documents", doors: both, raw: "ingest", batch: 100, connections: 8, begin: ingest},
		{name: "stream", what: "push documents as NDJSON, --batch lines a stream", doors: []string{ByHTTP}, raw: "ingest", batch: 10_000, connections: 8, begin: stream},
		{name: "drain", what: "pick documents, then complete them", doors: both, raw: "drain", batch: 100, connections: 8, backlog: 200_000, lays: true, begin: drain},
		{name: "discard", what: "pick documents, then drop them", doors: both, raw: "discard", batch: 100, connections: 8, backlog: 200_000, lays: true, begin: drain},
		{name: "fail", what: "pick documents, then complete four of five and reject the fifth with a message", doors: both, batch: 100, connections: 8, backlog: 200_000, lays: true, begin: drain},
		{name: "together", what: "complete documents in the call that picks the next ones", doors: []string{ByHTTP}, raw: "drain", batch: 100, connections: 8, backlog: 200_000, lays: true, begin: together},
		{name: "rows", what: "the floor beneath a drain: rows that are known are updated twice by the barest SQL", doors: []string{ByRaw}, raw: "rows", batch: 100, connections: 8, backlog: 200_000, lays: true},
		{name: "mix", what: "half of the connections push, the others pick and complete", doors: both, batch: 100, connections: 8, backlog: 10_000, lays: true, begin: mix},
		{name: "calendar", what: "pick, complete half and reschedule half, leave some to their leases, while urgent documents come: their times", doors: []string{ByHTTP}, batch: 100, connections: 8, backlog: 200_000, lays: true, begin: calendar},
		{name: "pick", what: "the time of a pick that finds something", doors: both, raw: "pick", batch: 1, connections: 1, backlog: 100_000, latency: true, lays: true, begin: pick},
		{name: "empty", what: "the time of a pick where nothing is due", doors: both, raw: "empty", batch: 1, connections: 1, planned: 100_000, latency: true, lays: true, begin: empty},
		{name: "emptied", what: "the same right after --backlog documents were drained", doors: both, raw: "emptied", batch: 1, connections: 1, backlog: 100_000, latency: true, lays: true, begin: emptied},
		{name: "elsewhere", what: "the same for a payload version that has no documents, beside --backlog of another", doors: both, raw: "elsewhere", batch: 1, connections: 1, backlog: 100_000, latency: true, lays: true, begin: elsewhere},
		{name: "wait", what: "from a push (by SQL or HTTP) until a worker that waited has the document", doors: []string{ByHTTP, BySQL}, raw: "wait", batch: 1, connections: 1, latency: true, begin: wait},
		{name: "due", what: "--planned documents become due at one moment while picks go on: how many are marked a second", doors: []string{BySQL}, batch: 100, connections: 4, backlog: 200_000, planned: 100_000, duration: time.Minute, lays: true, begin: due},
		{name: "bulk", what: "--planned documents that were killed are retried by an operation while workers drain the backlog, which they did alone for --duration before", doors: both, batch: 100, connections: 8, backlog: 1_500_000, planned: 500_000, lays: true, begin: bulk},
		{name: "lists", what: "the first page of each list of --backlog documents in all states, by each filter and order, 50 times", doors: []string{ByHTTP}, batch: 1, connections: 1, backlog: 100_000, lays: true, begin: lists},
		{name: "idle", what: "what --queues queues cost in which nothing happens", doors: []string{BySQL}, batch: 1, connections: 1, queues: 100, duration: 30 * time.Second, begin: idle},
		{name: "polls", what: "what --connections workers cost that wait and ask again every 5 s", doors: []string{ByHTTP}, batch: 1, connections: 100, duration: 15 * time.Second, begin: polls},
	}
}

// find returns the workload of a name. Errors: Invalid.
func find(name string) (workload, error) {
	all := workloads()
	for _, w := range all {
		if w.name == name {
			return w, nil
		}
	}
	names := make([]string, len(all))
	for i, w := range all {
		names[i] = w.name
	}
	return workload{}, errs.New(errs.Invalid, "there is no workload %q; there are %s", name, strings.Join(names, ", "))
}

// Doors returns by which of the wanted doors a workload runs; all that it has where none of them fits. Errors: Invalid.
func Doors(name string, wanted []string) ([]string, error) {
	w, err := find(name)
	if err != nil {
		return nil, err
	}
	fit := slices.DeleteFunc(slices.Clone(wanted), func(door string) bool { return !slices.Contains(w.doors, door) })
	if len(fit) == 0 {
		return w.doors, nil
	}
	return fit, nil
}

// Help lists the workloads, a line each.
func Help() string {
	var b strings.Builder
	for _, w := range workloads() {
		b.WriteString("  " + w.name + strings.Repeat(" ", 10-len(w.name)) + w.what + "\n")
	}
	return b.String()
}
