package client

import (
	"encoding/json"
	"time"
)

// The words for the states of a document.
const (
	StatusPlanned   = "planned"   // waits for its date
	StatusPending   = "pending"   // due
	StatusActive    = "active"    // leased to a worker
	StatusCompleted = "completed" // finished
	StatusKilled    = "killed"    // set aside
)

// The actions of a resolution.
const (
	ActionComplete   = "complete"
	ActionReschedule = "reschedule"
	ActionReject     = "reject"
	ActionKill       = "kill"
	ActionDrop       = "drop"
	ActionForward    = "forward"
)

// The outcomes of a push, a resolution or an extension.
const (
	OutcomeCreated   = "created"   // push: a new document
	OutcomeUpdated   = "updated"   // push: an existing one took the new values
	OutcomeIgnored   = "ignored"   // push: the subject was taken
	OutcomeActive    = "active"    // push: the document is held by a worker and was left alone
	OutcomeDuplicate = "duplicate" // push: the subject stood earlier in the same call
	OutcomeOK        = "ok"        // resolve, extend: done
	OutcomeAlready   = "already"   // resolve: this lease ended before with the same action
	OutcomeStale     = "stale"     // resolve, extend: the lease is over
	OutcomeNotFound  = "not_found" // resolve, extend: no such document
	OutcomeExists    = "exists"    // forward: the subject stands in to_queue; the source ended anyway
	OutcomeInvalid   = "invalid"   // the item was refused; Detail says why
)

// Document is one document as the API shows it.
type Document struct {
	Subject        string          `json:"subject"`
	Queue          string          `json:"queue"`
	Status         string          `json:"status" enum:"planned,pending,active,completed,killed"`
	Payload        json.RawMessage `json:"payload"`
	Version        int             `json:"version"`
	Priority       int             `json:"priority"`
	Attempts       int             `json:"attempts" doc:"Picks since the last success."`
	Iterations     int             `json:"iterations" doc:"Times resolved."`
	NextIteration  Time            `json:"next_iteration"`
	CreatedAt      Time            `json:"created_at"`
	LastIteration  *Time           `json:"last_iteration"`
	PickedAt       *Time           `json:"picked_at" doc:"When the present or last lease began."`
	Worker         *string         `json:"worker" doc:"Who holds the document, or held it last."`
	LeaseExpiresAt *Time           `json:"lease_expires_at" doc:"Set while the document is active."`
	Logs           []Log           `json:"logs,omitempty" doc:"Newest first; only where logs were asked for."`
}

// Leased is a picked document with the lease that fences it.
type Leased struct {
	Subject        string          `json:"subject"`
	Payload        json.RawMessage `json:"payload"`
	Version        int             `json:"version"`
	Priority       int             `json:"priority"`
	Attempts       int             `json:"attempts"`
	Iterations     int             `json:"iterations"`
	CreatedAt      Time            `json:"created_at"`
	LastIteration  *Time           `json:"last_iteration"`
	Lease          int64           `json:"lease" doc:"The fencing token; below 2^53."`
	LeaseExpiresAt Time            `json:"lease_expires_at"`
}

// Log is a line about a document: an error or a worker's note.
type Log struct {
	ID        int64           `json:"id"`
	CreatedAt Time            `json:"created_at"`
	Kind      string          `json:"kind" enum:"error,note"`
	Queue     string          `json:"queue,omitempty" doc:"Set in a trace."`
	Subject   *string         `json:"subject"`
	Message   string          `json:"message"`
	Details   json.RawMessage `json:"details"`
	RefID     *string         `json:"ref_id"`
	Worker    *string         `json:"worker"`
	Attempt   *int            `json:"attempt"`
}

// Counts are the documents of a queue by status.
type Counts struct {
	Planned   int64 `json:"planned"`
	Pending   int64 `json:"pending"`
	Active    int64 `json:"active"`
	Completed int64 `json:"completed"`
	Killed    int64 `json:"killed"`
}

// Queue is one queue as the API shows it.
type Queue struct {
	Name        string   `json:"name"`
	CreatedAt   Time     `json:"created_at"`
	Paused      bool     `json:"paused"`
	PauseReason *string  `json:"pause_reason"`
	PausedUntil *Time    `json:"paused_until"`
	Settings    Settings `json:"settings"`
	Counts      Counts   `json:"counts"`
	OldestDueAt *Time    `json:"oldest_due_at"`
	AsOf        Time     `json:"as_of"`
}

// Settings are the settings of a queue in an answer. Durations are in the API's words ("5m", "30 days").
type Settings struct {
	MaxAttempts        int     `json:"max_attempts"`
	Lock               string  `json:"lock"`
	Backoff            Backoff `json:"backoff"`
	MaxActive          *int    `json:"max_active"`
	Rate               *Rate   `json:"rate"`
	LogsRetention      *string `json:"logs_retention"`
	CompletedRetention *string `json:"completed_retention"`
	KilledRetention    *string `json:"killed_retention"`
	Partitions         int     `json:"partitions"`
	Tablespace         *string `json:"tablespace"`
}

// Backoff says how long a rejected document waits. The wait of attempt n is base (fixed) or base × 2^(n-1), at most
// cap (exponential), times a random factor between 1 - jitter and 1 + jitter.
type Backoff struct {
	Kind   string  `json:"kind" enum:"none,fixed,exponential"`
	Base   string  `json:"base,omitempty"`
	Cap    string  `json:"cap,omitempty"`
	Jitter float64 `json:"jitter,omitempty"`
}

// Rate limits the picks of a queue over all nodes: a token bucket of Burst tokens, filled with Picks each Per.
type Rate struct {
	Picks int    `json:"picks"`
	Per   string `json:"per"`
	Burst int    `json:"burst,omitempty" doc:"Default: picks."`
}

// Push is one document to push. Fields left out are: subject, a new UUIDv7; payload, {}; version and priority, 0;
// next_iteration, now. NextIteration is an RFC 3339 date or a relative one ("+2 days").
type Push struct {
	Subject       string          `json:"subject,omitempty"`
	Payload       json.RawMessage `json:"payload,omitempty"`
	Version       *int            `json:"version,omitempty"`
	Priority      *int            `json:"priority,omitempty"`
	NextIteration string          `json:"next_iteration,omitempty"`
}

// PushRequest is the body of a push.
type PushRequest struct {
	Documents  []Push `json:"documents"`
	OnConflict string `json:"on_conflict,omitempty" enum:"ignore,update"`
}

// Result is what became of one item of a call.
type Result struct {
	Subject string `json:"subject"`
	Outcome string `json:"outcome"`
	Detail  string `json:"detail,omitempty"`
}

// PushResponse is the answer to a push.
type PushResponse struct {
	Created int      `json:"created"`
	Updated int      `json:"updated"`
	Ignored int      `json:"ignored"`
	Results []Result `json:"results"`
}

// StreamResponse is the answer to a push as NDJSON.
type StreamResponse struct {
	Created int         `json:"created"`
	Updated int         `json:"updated"`
	Ignored int         `json:"ignored"`
	Invalid int         `json:"invalid"`
	Errors  []LineError `json:"errors"`
}

// LineError is a refused line of an NDJSON push; the first 100 are told.
type LineError struct {
	Line   int64  `json:"line"`
	Detail string `json:"detail"`
}

// PickRequest is the body of a pick.
type PickRequest struct {
	Limit          int          `json:"limit,omitempty" doc:"1 to 1,000; default 1."`
	Version        int          `json:"version,omitempty"`
	Lock           string       `json:"lock,omitempty" doc:"1 s to 24 h; default: the queue's."`
	Wait           string       `json:"wait,omitempty" doc:"Up to 60 s; default: no wait."`
	Worker         string       `json:"worker,omitempty"`
	Resolutions    []Resolution `json:"resolutions,omitempty" doc:"Carried out before the pick."`
	IdempotencyKey string       `json:"idempotency_key,omitempty" doc:"The same key again while its leases live gives the same documents."`
}

// Control is what the engine tells a worker along with an answer.
type Control struct {
	Paused bool `json:"paused"`
	Quiet  bool `json:"quiet"`
}

// PickResponse is the answer to a pick.
type PickResponse struct {
	Documents []Leased `json:"documents"`
	Results   []Result `json:"results,omitempty"`
	Control   Control  `json:"control"`
}

// Resolution ends one lease.
type Resolution struct {
	Subject       string          `json:"subject,omitempty"`
	Lease         int64           `json:"lease,omitempty"`
	Action        string          `json:"action,omitempty" enum:"complete,reschedule,reject,kill,drop,forward"`
	NextIteration string          `json:"next_iteration,omitempty"`
	Payload       json.RawMessage `json:"payload,omitempty"`
	Priority      *int            `json:"priority,omitempty"`
	Version       *int            `json:"version,omitempty"`
	Message       string          `json:"message,omitempty"`
	Details       json.RawMessage `json:"details,omitempty"`
	RefID         string          `json:"ref_id,omitempty"`
	Retry         *bool           `json:"retry,omitempty"`
	ToQueue       string          `json:"to_queue,omitempty"`
	Then          string          `json:"then,omitempty" enum:"complete,drop"`
}

// ResolveRequest is the body of a resolve.
type ResolveRequest struct {
	Resolutions []Resolution `json:"resolutions"`
}

// ResolveResponse is the answer to a resolve.
type ResolveResponse struct {
	Results []Result `json:"results"`
}

// LeaseRef names a lease.
type LeaseRef struct {
	Subject string `json:"subject"`
	Lease   int64  `json:"lease"`
}

// ExtendRequest is the body of an extension. Progress, if given, is written to each document's log as a note.
type ExtendRequest struct {
	Leases   []LeaseRef `json:"leases"`
	Lock     string     `json:"lock,omitempty"`
	Progress string     `json:"progress,omitempty"`
}

// ExtendResult is what became of one extension.
type ExtendResult struct {
	Subject        string `json:"subject"`
	Outcome        string `json:"outcome"`
	Detail         string `json:"detail,omitempty"`
	LeaseExpiresAt *Time  `json:"lease_expires_at,omitempty"`
}

// ExtendResponse is the answer to an extension.
type ExtendResponse struct {
	Results []ExtendResult `json:"results"`
	Control Control        `json:"control"`
}

// LogEntry is one line to write.
type LogEntry struct {
	Subject string          `json:"subject,omitempty"`
	Message string          `json:"message"`
	Details json.RawMessage `json:"details,omitempty"`
	RefID   string          `json:"ref_id,omitempty"`
}

// LogsRequest is the body of a call that writes log lines.
type LogsRequest struct {
	Logs []LogEntry `json:"logs"`
}

// Problem is an error of the API (RFC 9457).
type Problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Code      string `json:"code"`
	Field     string `json:"field,omitempty"`
	RequestID string `json:"request_id"`
}

// Time is a moment, on the wire RFC 3339 in UTC with six digits of a second ("2026-11-24T09:00:00.000000Z").
type Time struct{ time.Time }

const timeLayout = "2006-01-02T15:04:05.000000Z"

// MarshalJSON writes the moment in UTC with microseconds.
func (t Time) MarshalJSON() ([]byte, error) {
	return []byte(t.UTC().Format(`"` + timeLayout + `"`)), nil
}

// UnmarshalJSON reads any RFC 3339 date.
func (t *Time) UnmarshalJSON(b []byte) error { return t.Time.UnmarshalJSON(b) }
