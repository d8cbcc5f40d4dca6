package operations

import (
	"encoding/json"
	"reflect"
	"time"

	"github.com/google/uuid"

	"github.com/fetchq/server/internal/wire"
)

// The states of an operation. Uploading is that of an import whose lines are still coming.
const (
	Uploading = "uploading"
	Waiting   = "waiting"
	Running   = "running"
	Done      = "done"
	Failed    = "failed"
	Canceled  = "canceled"
)

// States are all states.
var States = []string{Uploading, Waiting, Running, Done, Failed, Canceled}

// The actions of operations. The first ones do what an admin's action of the same name does to one document, set_priority what an
// edit does; move takes documents over into another queue as they are. Import is what Service.Import asks for, Undo what Service.Undo does.
const (
	RunNow      = "run_now"
	Retry       = "retry"
	Kill        = "kill"
	Drop        = "drop"
	Complete    = "complete"
	Reschedule  = "reschedule"
	SetPriority = "set_priority"
	Move        = "move"
	Import      = "import"
	Undo        = "undo"

	// What internal/catalog asks for and carries out: an operation of no queue.
	Backup  = "backup"
	Verify  = "verify"
	Restore = "restore"
)

// Actions are those that Create takes.
var Actions = []string{RunNow, Retry, Kill, Drop, Complete, Reschedule, SetPriority, Move}

// Limits.
const (
	MaxSubjects = 10_000 // of a list
	MaxMessage  = 1_000  // bytes
	MaxFailures = 1_000  // that are kept of one operation; all are counted
)

// Filter chooses documents; the zero Filter means all. Of each span the first moment is included and the last is not. Due goes with the status
// planned or pending, Finished with completed or killed.
type Filter struct {
	Status        string     `json:"status,omitempty"`
	SubjectPrefix string     `json:"subject_prefix,omitempty"`
	Version       *int       `json:"version,omitempty"`
	Priority      *int       `json:"priority,omitempty"`
	AttemptsMin   int        `json:"attempts_min,omitempty"`
	Worker        string     `json:"worker,omitempty"` // who holds the document, or held it last
	DueAfter      *time.Time `json:"due_after,omitempty"`
	DueBefore     *time.Time `json:"due_before,omitempty"`
	Fingerprint   string     `json:"fingerprint,omitempty"` // of a group of errors: documents whose last error is one of it

	FinishedAfter  *time.Time      `json:"finished_after,omitempty"`
	FinishedBefore *time.Time      `json:"finished_before,omitempty"`
	CreatedAfter   *time.Time      `json:"created_after,omitempty"`
	CreatedBefore  *time.Time      `json:"created_before,omitempty"`
	Payload        json.RawMessage `json:"payload,omitempty"` // an object that the payload contains
}

// All says whether all documents are meant.
func (f Filter) All() bool { return reflect.ValueOf(f).IsZero() }

// Asked says who asks for an operation.
type Asked struct {
	By        string // the name of a token, the address of a user
	As        string // token or user
	From      string // an address
	RequestID string
}

// Request is what is asked: an action for the documents of a queue that fit a filter, or that are named. Documents that enter the
// queue after it has begun are left alone.
type Request struct {
	Queue    string
	Action   string
	Filter   *Filter // or
	Subjects []string
	ToQueue  string    // of a move
	Priority *int      // of set_priority
	Next     wire.Date // of reschedule
	Message  string    // is written to the log of each document
	Key      string    // the same key again is the same operation; "": none
	Print    []byte    // of a request under a key: a hash of it; nil: of these fields
	Asked    Asked
}

// Operation is an operation as it stands.
type Operation struct {
	ID            uuid.UUID
	Queue         string
	Action        string
	State         string
	CreatedAt     time.Time
	StartedAt     *time.Time
	FinishedAt    *time.Time
	Filter        *Filter // nil: a list of subjects, or an import
	ToQueue       *string
	Priority      *int
	NextIteration *time.Time
	Message       *string
	OnConflict    *string    // of an import
	Format        *string    // of an import: ndjson or csv
	Undoes        *uuid.UUID // of an undo: the operation
	AskedBy       string
	AskedAs       string // token, user, sql or schedule
	AskedFrom     *string
	RequestID     *string
	CanceledBy    *string
	Total         *int64 // documents to look at, or bytes of an import; nil: not known
	Looked        int64  // of the total
	Done          int64  // documents that were changed; of an import, created or updated
	Created       int64  // of an import: of these
	LeftAlone     int64  // documents that did not fit any more when it came to them; of an import, whose subject was taken
	Failed        int64
	Failures      int             // tries of a batch in a row that failed; it goes on
	Error         *string         // of the last of these, or why the operation failed
	Asks, Told    json.RawMessage // of a backup, its verification or a restore: what internal/catalog keeps there

	number int64 // its place in lists
}

// Over says whether nothing more will happen.
func (o Operation) Over() bool { return o.FinishedAt != nil }

// Progress is the share of the work that was looked at, from 0 to 1; false where it is not known.
func (o Operation) Progress() (float64, bool) {
	switch {
	case o.State == Done:
		return 1, true
	case o.Total == nil:
		return 0, false
	case *o.Total == 0:
		return 0, true
	}
	return min(float64(o.Looked)/float64(*o.Total), 1), true
}

// Failure is what went wrong with one document, or with one line of an import.
type Failure struct {
	Number  int
	Line    *int64
	Subject *string
	Detail  string
}

// Count says how many documents a request is for: exactly, or at least so many.
type Count struct {
	Documents int64
	Exact     bool
}
