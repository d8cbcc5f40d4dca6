package queue

import (
	"encoding/json"
	"time"

	"github.com/fetchq/server/internal/wire"
)

// Status of a document, as stored.
type Status int16

// The states of a document; DESIGN of the state machine in doc.go.
const (
	Killed    Status = -1
	Planned   Status = 0
	Pending   Status = 1
	Active    Status = 2
	Completed Status = 3
)

var statusNames = map[Status]string{
	Killed: "killed", Planned: "planned", Pending: "pending", Active: "active", Completed: "completed",
}

// String returns the word for the status.
func (s Status) String() string { return statusNames[s] }

// ParseStatus reads the word for a status.
func ParseStatus(word string) (Status, bool) {
	for s, w := range statusNames {
		if w == word {
			return s, true
		}
	}
	return 0, false
}

// Limits of the engine. The SQL functions enforce the same ones.
const (
	MaxBatch    = wire.MaxItems // in one call
	MaxPriority = 32_767
	MaxVersion  = 32_767
	MaxSubject  = 255 // bytes
	MaxWorker   = 255 // bytes
	MaxRefID    = 255 // bytes
	MinLock     = time.Second
	MaxLock     = 24 * time.Hour
	MaxWait     = time.Minute
)

// Push is one document to push. Payload is JSON text that wire.CheckJSON has passed; nil means {} for a new document
// and "keep" for an update. A nil Version or Priority means 0, or "keep". A zero Next means now.
type Push struct {
	Subject  string
	Payload  []byte
	Version  *int
	Priority *int
	Next     wire.Date
}

// OnConflict says what a push does with a subject that is taken.
type OnConflict string

// The policies.
const (
	Ignore OnConflict = "ignore"
	Update OnConflict = "update"
	// Requeue is Update, and a document that a worker holds goes on with the new values when its lease ends.
	Requeue OnConflict = "requeue"
)

// Result is what became of one item of a batch, in the order of the batch. Status, Version, Priority and Next are
// those of the document after the call; they are zero where there is no document.
type Result struct {
	Subject  string
	Outcome  string // one of the client's Outcome constants
	Detail   string // why the outcome is "invalid"
	Status   *Status
	Version  int
	Priority int
	Next     time.Time
}

// PickParams say what a worker asks for.
type PickParams struct {
	Limit          int           // 1 to MaxBatch; 0 means 1
	Version        int           // the payload version the worker understands
	Lock           time.Duration // MinLock to MaxLock; 0 means the queue's setting
	Wait           time.Duration // how long to wait for the first document; 0 to MaxWait
	Worker         string        // who picks; may be empty
	IdempotencyKey string        // the same key again while its leases live gives the same documents; may be empty
}

// Leased is a picked document with its lease.
type Leased struct {
	Subject       string
	Payload       []byte
	Version       int
	Priority      int
	Attempts      int
	Iterations    int
	CreatedAt     time.Time
	LastIteration *time.Time
	Lease         int64
	ExpiresAt     time.Time
}

// Resolution ends one lease, or, with Lease 0 in an admin's call, acts on a document whoever holds it.
type Resolution struct {
	Subject  string
	Lease    int64
	Action   string // one of the client's Action constants; an admin's call also knows run_now, retry, release, edit
	Next     wire.Date
	Payload  []byte // nil: unchanged
	Priority *int
	Version  *int
	Message  string
	Details  []byte // JSON; nil: none
	RefID    string
	Retry    *bool // reject: false kills at once
	ToQueue  string
	Then     string // forward: "complete" (default) or "drop"
	Metrics  []Measure
}

// Lease names a worker's hold on a document.
type Lease struct {
	Subject string
	Lease   int64
}

// ExtendResult is what became of one extension.
type ExtendResult struct {
	Subject   string
	Outcome   string
	Detail    string
	ExpiresAt *time.Time
	Version   int    // of the document
	Worker    string // who holds it, where the outcome is ok; "": it gave no name
}

// Document is one document as stored. Worker and PickedAt are those of the present or last lease.
type Document struct {
	Queue         string
	Subject       string
	Status        Status
	Payload       []byte
	Version       int
	Priority      int
	Attempts      int
	Iterations    int
	Next          time.Time // for an active document the end of its lease
	CreatedAt     time.Time
	LastIteration *time.Time
	PickedAt      *time.Time
	Worker        *string
	Seq           int64
	Requeue       *Requeued // with what it goes on when its lease ends; nil: nothing was asked. Doc alone reads it

	Veiled bool // parts of Payload are not shown to the context, or may not be
}

// Requeued is what a document that is held goes on with when its lease ends. What is nil stays as it is then.
type Requeued struct {
	Next     time.Time       `json:"date"`
	Payload  json.RawMessage `json:"payload"`
	Version  *int            `json:"version"`
	Priority *int            `json:"priority"`
}

// Counts are the documents of a queue by status.
type Counts struct {
	Planned, Pending, Active, Completed, Killed int64
}

// Backoff is how long a rejected document waits; see Settings.
type Backoff struct {
	Kind   string // none, fixed, exponential
	Base   wire.Interval
	Cap    wire.Interval
	Jitter float64 // 0 to 1
}

// Rate is a token bucket over all nodes.
type Rate struct {
	Picks int
	Per   wire.Interval
	Burst int
}

// Key says what the key of a document is: the value at the JSON pointer Payload, or where Subject is "host" that of its subject, or
// where it is "prefix" its subject up to the Nth Until.
type Key struct {
	Payload string `json:"payload"`
	Subject string `json:"subject"`
	Until   string `json:"until"`
	Nth     int    `json:"nth"`
}

// KeyLimits are limits for each key of a queue.
type KeyLimits struct {
	MaxActive *int
	Rate      *Rate
}

// Settings of a queue. A nil retention keeps for ever, a nil limit is none.
type Settings struct {
	MaxAttempts        int
	Lock               wire.Interval
	Backoff            Backoff
	MaxActive          *int
	Rate               *Rate
	Key                *Key       // nil: documents have none
	KeyLimits          *KeyLimits // nil: none
	PayloadIndex       bool       // payloads have an index, or get one
	Redact             []string   // paths that are hidden from those without the right; see Redaction
	ViewerPayloads     string     // shown or hidden
	Journal            string     // off, errors or all: which transitions are written down
	JournalRetention   *wire.Interval
	LogsRetention      *wire.Interval
	LogsRows           *int // lines that are kept, about; nil: as many as LogsRetention keeps
	CompletedRetention *wire.Interval
	KilledRetention    *wire.Interval
	SeriesRetention    *wire.Interval // nil: as each step is kept
	Partitions         int
	Tablespace         *string
}

// Queue is one queue with its counts at AsOf.
type Queue struct {
	Name        string
	CreatedAt   time.Time
	Paused      bool
	PauseReason *string
	PausedUntil *time.Time
	Pauses      []Pause // those that last, that of the whole queue first
	KeysReady   bool    // limits by key have their indexes, or there are no such limits
	Settings    Settings
	Move        *Move // to another tablespace; nil: none is on
	Counts      Counts
	OldestDueAt *time.Time
	AsOf        time.Time
}

// Log is a line about a document.
type Log struct {
	ID        int64
	CreatedAt time.Time
	Kind      string // error or note
	Queue     string
	Subject   *string
	Message   string
	Details   []byte
	RefID     *string
	Worker    *string
	Attempt   *int

	Fingerprint string // of an error: what it shares with others that say the same; "": none
}

// NewLog is a line to write as a note.
type NewLog struct {
	Subject string
	Message string
	Details []byte
	RefID   string
}
