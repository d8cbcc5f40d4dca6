package bench

import (
	"time"

	"github.com/fetchq/server/internal/errs"
)

// Suites are named lists of workloads.
const (
	SuiteDocs  = "docs"  // the table of docs/performance.md, in three or four minutes
	SuiteLong  = "long"  // what takes long: millions of documents, a thousand queues
	SuiteLists = "lists" // each list of ten million documents, by each filter and order
)

// Suite returns the workloads of a suite, each with its sizes times scale, in (0, 1]. Errors: Invalid.
func Suite(name string, scale float64) ([]Options, error) {
	if !(scale > 0 && scale <= 1) {
		return nil, errs.New(errs.Invalid, "--scale is %g; more than 0 and at most 1 is allowed", scale)
	}
	var all []Options
	switch name {
	case SuiteDocs:
		all = docsSuite()
	case SuiteLong:
		all = longSuite()
	case SuiteLists:
		all = []Options{{Workload: "lists", By: ByHTTP, Backlog: 10_000_000}}
	default:
		return nil, errs.New(errs.Invalid, "there is no suite %q; there are docs, long, lists", name)
	}
	for i := range all {
		o := &all[i]
		for _, n := range []*int{&o.Backlog, &o.Planned, &o.Queues} {
			if *n > 0 {
				*n = max(int(float64(*n)*scale), 1)
			}
		}
		if o.Workload == "polls" {
			o.Connections = max(int(float64(o.Connections)*scale), 1)
		}
		o.Rest = time.Duration(float64(o.Rest) * scale)
	}
	return all, nil
}

func docsSuite() []Options {
	const each = 3 * time.Second
	all := []Options{
		{Workload: "ingest", By: BySQL, Batch: 1000, Connections: 8},
		{Workload: "ingest", By: BySQL, Batch: 1000, Connections: 1},
		{Workload: "ingest", By: ByHTTP, Batch: 1000, Connections: 8},
		{Workload: "stream", By: ByHTTP, Batch: 10_000, Connections: 8},
		{Workload: "ingest", By: BySQL, Batch: 100, Connections: 8},
		{Workload: "ingest", By: ByHTTP, Batch: 100, Connections: 8},
		{Workload: "ingest", By: BySQL, Batch: 1, Connections: 8},
		{Workload: "ingest", By: ByHTTP, Batch: 1, Connections: 8},
		{Workload: "ingest", By: ByHTTP, Batch: 1, Connections: 64},
		{Workload: "rows", By: ByRaw, Batch: 100, Connections: 8},
		{Workload: "drain", By: BySQL, Batch: 100, Connections: 8},
		{Workload: "drain", By: BySQL, Batch: 100, Connections: 1},
		{Workload: "drain", By: ByHTTP, Batch: 100, Connections: 8},
		{Workload: "together", By: ByHTTP, Batch: 100, Connections: 8},
		{Workload: "drain", By: BySQL, Batch: 1000, Connections: 8, Backlog: 400_000},
		{Workload: "discard", By: BySQL, Batch: 1000, Connections: 8, Backlog: 400_000},
		{Workload: "discard", By: ByHTTP, Batch: 1000, Connections: 8, Backlog: 400_000},
		{Workload: "drain", By: BySQL, Batch: 100, Connections: 8, Hold: true},
		{Workload: "drain", By: ByHTTP, Batch: 100, Connections: 8, Hold: true},
		{Workload: "drain", By: BySQL, Batch: 1, Connections: 8},
		{Workload: "drain", By: ByHTTP, Batch: 1, Connections: 8},
		{Workload: "drain", By: ByHTTP, Batch: 1, Connections: 64},
		{Workload: "together", By: ByHTTP, Batch: 1, Connections: 64},
		{Workload: "mix", By: ByHTTP, Batch: 100, Connections: 8},
		{Workload: "pick", By: BySQL},
		{Workload: "pick", By: ByHTTP},
		{Workload: "pick", By: BySQL, Planned: 200_000},
		{Workload: "empty", By: BySQL, Planned: 200_000},
		{Workload: "empty", By: ByHTTP, Planned: 200_000},
		{Workload: "wait", By: ByHTTP},
	}
	for i := range all {
		all[i].Duration, all[i].Payload = each, 200
	}
	return all
}

// longSuite is bounded by the sizes and durations that stand here: all of it takes half an hour.
func longSuite() []Options {
	const (
		drained = 5_000_000
		million = 1_000_000
		most    = 10 * time.Minute
	)
	return []Options{
		{Workload: "drain", By: BySQL, Batch: 100, Connections: 8, Backlog: drained, Duration: most},
		{Workload: "drain", By: BySQL, Batch: 100, Connections: 8, Backlog: drained, Duration: most, Hold: true},
		{Workload: "drain", By: ByHTTP, Batch: 100, Connections: 8, Backlog: drained, Duration: most},
		{Workload: "drain", By: ByHTTP, Batch: 100, Connections: 8, Backlog: drained, Duration: most, Hold: true},
		{Workload: "calendar", By: ByHTTP, Batch: 100, Connections: 8, Backlog: 4 * million, Duration: 2 * time.Minute},
		{Workload: "calendar", By: ByHTTP, Batch: 100, Connections: 8, Backlog: 4 * million, Duration: 2 * time.Minute, Hold: true},
		{Workload: "pick", By: BySQL, Backlog: 10_000},
		{Workload: "pick", By: BySQL, Backlog: million, Planned: 10 * million, Duration: 10 * time.Second},
		{Workload: "empty", By: BySQL, Planned: million},
		{Workload: "empty", By: ByHTTP, Planned: million},
		{Workload: "emptied", By: BySQL, Backlog: million, Duration: 2 * time.Second},
		{Workload: "emptied", By: ByHTTP, Backlog: million, Duration: 2 * time.Second},
		{Workload: "elsewhere", By: BySQL, Backlog: million},
		{Workload: "due", By: BySQL, Backlog: 2 * million, Planned: million},
		{Workload: "drain", By: BySQL, Batch: 100, Connections: 8, Backlog: million / 2, Payload: 4096, Duration: time.Minute},
		{Workload: "drain", By: ByHTTP, Batch: 100, Connections: 8, Backlog: million / 2, Payload: 4096, Duration: time.Minute},
		{Workload: "idle", By: BySQL, Queues: 1000, Rest: 90 * time.Second, Duration: 60 * time.Second},
		{Workload: "polls", By: ByHTTP, Connections: 900, Duration: 30 * time.Second},
	}
}
