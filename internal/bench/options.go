package bench

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/fetchq/server/internal/errs"
)

// The doors by which a workload reaches the database.
const (
	BySQL  = "sql"  // calls of the functions in schema fetchq
	ByHTTP = "http" // calls of the API
	ByRaw  = "raw"  // the barest SQL of the same work, on a table with the same indexes
)

// Options of one workload. Fields that are 0 get the workload's own default; see Fill.
type Options struct {
	Workload    string
	By          string
	Batch       int           // documents of a call, 1 to 1,000; of a stream, 1 to 100,000
	Connections int           // connections by SQL, workers over HTTP; 1 to 1,000, 8 for streams
	Payload     int           // bytes of a payload, 16 to 1,000,000
	Backlog     int           // documents that are due when the workload begins, at most 20 million
	Planned     int           // documents with dates ahead beside them, at most 20 million
	Queues      int           // that are idle, 1 to 2,000; for the workload idle
	Hold        bool          // a transaction holds a snapshot meanwhile
	NoMarks     bool          // picks by SQL pass no marks; those of the server always do
	Journal     string        // the setting of the queues; "": errors
	MaxActive   int           // the setting of the queues, so that picks take turns; 0: none
	Duration    time.Duration // 100 ms to 1 h; what empties its queue ends earlier
	Rest        time.Duration // between the preparation and the workload, at most 10 min
}

// Limits of a run.
const (
	maxBatch       = 1000
	maxStream      = 100_000
	maxConnections = 1000
	maxStreams     = 8 // of one token; see internal/api
	minPayload     = 16
	maxPayload     = 1_000_000
	maxDocuments   = 20_000_000
	maxQueues      = 2000
	maxBytes       = 100e9    // of all payloads that a workload lays up
	maxCall        = 16 << 20 // bytes of the payloads of one call, as the API has it
	minDuration    = 100 * time.Millisecond
	maxDuration    = time.Hour
	maxRest        = 10 * time.Minute
)

// Fill returns the options with the workload's defaults in place of zeros. Errors: Invalid (an unknown workload or door, or one
// that the workload does not have).
func (o Options) Fill() (Options, error) {
	w, err := find(o.Workload)
	if err != nil {
		return o, err
	}
	if o.By == "" {
		o.By = w.doors[0]
	}
	doors := w.doors
	if w.raw == w.name {
		doors = append(slices.Clip(doors), ByRaw)
	}
	if !slices.Contains(doors, o.By) {
		return o, errs.New(errs.Invalid, "--by is %q; the workload %s runs by %s", o.By, w.name, strings.Join(w.doors, ", "))
	}
	for _, d := range []struct{ field, own *int }{{&o.Batch, &w.batch}, {&o.Connections, &w.connections}, {&o.Backlog, &w.backlog}, {&o.Planned, &w.planned}, {&o.Queues, &w.queues}} {
		if *d.field == 0 {
			*d.field = *d.own
		}
	}
	if !w.lays {
		o.Backlog, o.Planned = 0, 0
	} else if w.name == "empty" {
		o.Backlog = 0
	}
	if o.Journal == "" {
		o.Journal = "errors"
	}
	if o.Payload == 0 {
		o.Payload = 100
	}
	if o.Duration == 0 {
		o.Duration = cmp.Or(w.duration, 5*time.Second)
	}
	return o, nil
}

// Check refuses options outside their limits, after Fill. Its errors are Invalid and name the flag of fetchq bench.
func (o Options) Check() error {
	batch, connections := maxBatch, maxConnections
	if o.Workload == "stream" {
		batch, connections = maxStream, maxStreams
	}
	for _, l := range []struct {
		flag               string
		value, least, most int
	}{
		{"batch", o.Batch, 1, batch},
		{"connections", o.Connections, 1, connections},
		{"payload", o.Payload, minPayload, maxPayload},
		{"backlog", o.Backlog, 0, maxDocuments},
		{"planned", o.Planned, 0, maxDocuments},
		{"queues", o.Queues, 0, maxQueues},
		{"max-active", o.MaxActive, 0, maxDocuments},
	} {
		if l.value < l.least || l.value > l.most {
			return errs.New(errs.Invalid, "--%s is %d; %d to %d are allowed for %s", l.flag, l.value, l.least, l.most, o.Workload)
		}
	}
	switch size := float64(o.Backlog+o.Planned) * float64(o.Payload); {
	case o.Journal != "off" && o.Journal != "errors" && o.Journal != "all":
		return errs.New(errs.Invalid, "--journal is %q; off, errors or all is wanted", o.Journal)
	case o.Duration < minDuration || o.Duration > maxDuration:
		return errs.New(errs.Invalid, "--duration is %s; %s to %s is allowed", o.Duration, minDuration, maxDuration)
	case o.Rest < 0 || o.Rest > maxRest:
		return errs.New(errs.Invalid, "--rest is %s; 0s to %s is allowed", o.Rest, maxRest)
	case size > maxBytes:
		return errs.New(errs.Invalid, "--backlog and --planned with payloads of %d bytes are %.0f GB; %.0f are allowed", o.Payload, size/1e9, maxBytes/1e9)
	case o.Workload != "stream" && o.Batch*o.Payload > maxCall:
		return errs.New(errs.Invalid, "a call of %d documents with payloads of %d bytes is larger than 16 MiB; take a smaller --batch or --payload", o.Batch, o.Payload)
	}
	return nil
}
