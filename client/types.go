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
	OutcomeRequeued  = "requeued"  // push: the document is held; it goes on with the new values when its lease ends
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
	Requeue        *Requeue        `json:"requeue,omitempty" doc:"What an active document goes on with when its lease ends; only where one document is shown."`
	Logs           []Log           `json:"logs,omitempty" doc:"Newest first; only where logs were asked for."`
	Journal        []Transition    `json:"journal,omitempty" doc:"Newest first; only where the journal was asked for."`
}

// Requeue is what a document that is held goes on with when its lease ends. What is left out stays as it is then.
type Requeue struct {
	NextIteration Time            `json:"next_iteration"`
	Payload       json.RawMessage `json:"payload,omitempty"`
	Version       *int            `json:"version,omitempty"`
	Priority      *int            `json:"priority,omitempty"`
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

	Fingerprint string `json:"fingerprint,omitempty" doc:"Of an error: errors that say the same have the same."`
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
	PauseKind   *string  `json:"pause_kind" enum:"drain,at_once"`
	Pauses      []Pause  `json:"version_pauses" doc:"Payload versions that are paused one by one."`
	KeyIndex    *string  `json:"key_index" enum:"building,ready" doc:"Of a queue with key_limits: while the index is built, picks keep the limits and are slower."`
	Settings    Settings `json:"settings"`
	Move        *Move    `json:"move" doc:"To another tablespace; null: none is on."`
	Counts      Counts   `json:"counts"`
	OldestDueAt *Time    `json:"oldest_due_at"`
	AsOf        Time     `json:"as_of"`
}

// The kinds of a pause.
const (
	PauseDrain  = "drain"   // nothing more is handed out; what is held is worked on to its end
	PauseAtOnce = "at_once" // and live leases end: their documents are pending again, without an attempt
)

// Pause is why one payload version of a queue hands out nothing.
type Pause struct {
	Version int     `json:"version"`
	Kind    string  `json:"kind" enum:"drain,at_once"`
	Reason  *string `json:"reason"`
	Until   *Time   `json:"until"`
}

// Version is how one payload version of a queue stands.
type Version struct {
	Version int     `json:"version"`
	Counts  Counts  `json:"counts"`
	AskedAt *Time   `json:"asked_at" doc:"When a worker asked for this version last, to half a minute."`
	AskedBy *string `json:"asked_by" doc:"That worker."`
	Unasked bool    `json:"unasked" doc:"Documents are pending, and for 10 minutes no worker asked for them."`
	Pause   *Pause  `json:"pause" doc:"Of this version alone."`
}

// Settings are the settings of a queue in an answer. Durations are in the API's words ("5m", "30 days").
type Settings struct {
	MaxAttempts        int        `json:"max_attempts"`
	Lock               string     `json:"lock"`
	Backoff            Backoff    `json:"backoff"`
	MaxActive          *int       `json:"max_active"`
	Rate               *Rate      `json:"rate"`
	Key                *Key       `json:"key"`
	KeyLimits          *KeyLimits `json:"key_limits"`
	PayloadIndex       bool       `json:"payload_index"`
	Redact             []string   `json:"redact"` // paths that pages hide from viewers and operators
	ViewerPayloads     string     `json:"viewer_payloads" enum:"shown,hidden"`
	Journal            string     `json:"journal" enum:"off,errors,all"`
	JournalRetention   *string    `json:"journal_retention"`
	LogsRetention      *string    `json:"logs_retention"`
	LogsRows           *int       `json:"logs_rows"`
	CompletedRetention *string    `json:"completed_retention"`
	KilledRetention    *string    `json:"killed_retention"`
	SeriesRetention    *string    `json:"series_retention"`
	Partitions         int        `json:"partitions"`
	Tablespace         *string    `json:"tablespace"`
}

// Backoff says how long a rejected document waits. The wait of attempt n is base (fixed) or base × 2^(n-1), at most
// cap (exponential), times a random factor between 1 - jitter and 1 + jitter.
type Backoff struct {
	Kind   string  `json:"kind" enum:"none,fixed,exponential" default:"exponential" doc:"How the wait grows from one attempt to the next."`
	Base   string  `json:"base,omitempty" example:"10s" doc:"The wait after the first attempt; a duration up to 30 days, 10s by default."`
	Cap    string  `json:"cap,omitempty" example:"1h" doc:"The longest wait; a duration up to 30 days, 1h by default."`
	Jitter float64 `json:"jitter,omitempty" minimum:"0" maximum:"1" example:"0.2" doc:"The share by which a wait is made shorter or longer at random; 0.2 by default."`
}

// Rate limits the picks of a queue over all nodes: a token bucket of Burst tokens, filled with Picks each Per.
type Rate struct {
	Picks int    `json:"picks" minimum:"1" example:"100" doc:"Documents that may be picked in each period, over all nodes."`
	Per   string `json:"per" example:"1s" doc:"The period: a duration of 1 s to 24 h."`
	Burst int    `json:"burst,omitempty" minimum:"1" doc:"Picks that may be saved up; default: picks."`
}

// Key says what the key of a document is, by which KeyLimits count: a value in its payload, or the host of its subject, or the
// beginning of its subject. A document whose key is missing or empty is not limited by it; of longer ones 255 characters count.
type Key struct {
	Payload string `json:"payload,omitempty" maxLength:"255" example:"/host" doc:"A JSON pointer to a value in the payload."`
	Subject string `json:"subject,omitempty" enum:"host,prefix" doc:"host: of the URL that the subject is, without user and port. prefix: the subject up to the nth until."`
	Until   string `json:"until,omitempty" doc:"Of a prefix: one character, as /."`
	Nth     int    `json:"nth,omitempty" minimum:"1" maximum:"32" doc:"Of a prefix: which until ends it; default: the first."`
}

// KeyLimits are limits for each key of a queue, over all nodes.
type KeyLimits struct {
	MaxActive *int  `json:"max_active,omitempty" nullable:"true" minimum:"1" maximum:"1000000" example:"2" doc:"Documents of one key that may be active at once."`
	Rate      *Rate `json:"rate,omitempty" doc:"How many of one key may be picked in a period."`
}

// Push is one document to push. Fields left out are: subject, a new UUIDv7; payload, {}; version and priority, 0;
// next_iteration, now. NextIteration is an RFC 3339 date or a relative one ("+2 days").
type Push struct {
	Subject       string          `json:"subject,omitempty" minLength:"1" maxLength:"255" example:"https://a.example/b?c" doc:"Unique in its queue, 1 to 255 bytes; default: a new UUID of version 7."`
	Payload       json.RawMessage `json:"payload,omitempty" example:"{\"depth\":1}" doc:"Any JSON, up to 1 MiB; default: {}."`
	Version       *int            `json:"version,omitempty" minimum:"0" maximum:"32767" doc:"Of the payload; workers pick one version. Default: 0."`
	Priority      *int            `json:"priority,omitempty" minimum:"-32767" maximum:"32767" doc:"Higher ones are picked first. Default: 0."`
	NextIteration string          `json:"next_iteration,omitempty" example:"+2 days" doc:"Not before this: an RFC 3339 date, or a span from now with a sign. Default: now."`
}

// PushRequest is the body of a push.
type PushRequest struct {
	Documents  []Push `json:"documents" minItems:"1" maxItems:"1000" nullable:"false" doc:"What to push, at most 1,000."`
	OnConflict string `json:"on_conflict,omitempty" enum:"ignore,update" default:"ignore" doc:"What becomes of a document whose subject is taken."`
	Then       string `json:"then,omitempty" enum:"requeue" doc:"With update: a document that a worker holds goes on with the new values when its lease ends."`
}

// Result is what became of one item of a call.
type Result struct {
	Subject string `json:"subject"`
	Outcome string `json:"outcome"`
	Detail  string `json:"detail,omitempty"`
}

// PushResponse is the answer to a push.
type PushResponse struct {
	Created  int      `json:"created"`
	Updated  int      `json:"updated"`
	Ignored  int      `json:"ignored"`
	Requeued int      `json:"requeued,omitempty"`
	Results  []Result `json:"results"`
}

// StreamResponse is the answer to a push as NDJSON.
type StreamResponse struct {
	Created  int         `json:"created"`
	Updated  int         `json:"updated"`
	Ignored  int         `json:"ignored"`
	Requeued int         `json:"requeued,omitempty"`
	Invalid  int         `json:"invalid"`
	Errors   []LineError `json:"errors"`
}

// LineError is a refused line of an NDJSON push; the first 100 are told.
type LineError struct {
	Line   int64  `json:"line"`
	Detail string `json:"detail"`
}

// PickRequest is the body of a pick.
type PickRequest struct {
	Limit          int          `json:"limit,omitempty" minimum:"1" maximum:"1000" default:"1" doc:"How many at most."`
	Version        int          `json:"version,omitempty" minimum:"0" maximum:"32767" doc:"Documents of this payload version only. Default: 0."`
	Lock           string       `json:"lock,omitempty" example:"5m" doc:"How long the lease lasts: 1 s to 24 h; default: as the queue says."`
	Wait           string       `json:"wait,omitempty" example:"30s" doc:"How long to wait until something is due: up to 60 s; default: not at all."`
	Worker         string       `json:"worker,omitempty" maxLength:"255" example:"host-7" doc:"Who picks."`
	Resolutions    []Resolution `json:"resolutions,omitempty" maxItems:"1000" nullable:"false" doc:"Carried out before the pick."`
	IdempotencyKey string       `json:"idempotency_key,omitempty" maxLength:"255" doc:"The same key again while its leases live gives the same documents."`
}

// Control is what the engine tells a worker along with an answer. Kind, Reason and Until are those of the pause, of the queue or of the
// worker's payload version.
type Control struct {
	Paused bool    `json:"paused"`
	Kind   string  `json:"kind,omitempty" enum:"drain,at_once" doc:"at_once: leases that lived are over."`
	Reason *string `json:"reason,omitempty"`
	Until  *Time   `json:"until,omitempty"`
	Quiet  bool    `json:"quiet" doc:"The worker is to finish what it holds, and to ask for nothing more; it is handed nothing."`
}

// PickResponse is the answer to a pick.
type PickResponse struct {
	Documents []Leased `json:"documents"`
	Results   []Result `json:"results,omitempty"`
	Control   Control  `json:"control"`
}

// Resolution ends one lease.
type Resolution struct {
	Subject       string          `json:"subject,omitempty" minLength:"1" maxLength:"255" example:"https://a.example/b?c" doc:"Which document; where the path names it, it may be left out."`
	Lease         int64           `json:"lease,omitempty" example:"1763974800000001" doc:"The number that came with the picked document. Without it the call is an admin's."`
	Action        string          `json:"action,omitempty" enum:"complete,reschedule,reject,kill,drop,forward" example:"reschedule" doc:"What becomes of the document; where the path names it, it may be left out."`
	NextIteration string          `json:"next_iteration,omitempty" example:"+2 days" doc:"When it is due again: an RFC 3339 date, or a span from now with a sign. A reschedule needs it; of a reject it stands in place of the backoff."`
	Payload       json.RawMessage `json:"payload,omitempty" example:"{\"depth\":2}" doc:"Takes the place of the payload: any JSON, up to 1 MiB. Of a forward: that of the document in to_queue."`
	Priority      *int            `json:"priority,omitempty" minimum:"-32767" maximum:"32767" doc:"The new priority."`
	Version       *int            `json:"version,omitempty" minimum:"0" maximum:"32767" doc:"The new version of the payload."`
	Message       string          `json:"message,omitempty" example:"timeout after 3000 ms" doc:"Writes a line to the log: an error for a reject, else a note."`
	Details       json.RawMessage `json:"details,omitempty" example:"{\"status\":503}" doc:"Beside the message: any JSON, up to 1 MiB."`
	RefID         string          `json:"ref_id,omitempty" maxLength:"255" doc:"Beside the message: leads to a log or trace elsewhere."`
	Retry         *bool           `json:"retry,omitempty" doc:"Of a reject: false kills the document, however few its attempts."`
	ToQueue       string          `json:"to_queue,omitempty" pattern:"^[a-z][a-z0-9_]{0,39}$" doc:"Of a forward: the queue to push to."`
	Then          string          `json:"then,omitempty" enum:"complete,drop" default:"complete" doc:"Of a forward: what becomes of the document here."`
	Metrics       []Metric        `json:"metrics,omitempty" maxItems:"1000" nullable:"false" doc:"What the work has measured; it counts where the outcome is ok, once."`
}

// ResolveRequest is the body of a resolve.
type ResolveRequest struct {
	Worker      string       `json:"worker,omitempty" maxLength:"255" example:"host-7" doc:"Who resolves. Where several nodes serve, the list of workers counts by it what another node handed out."`
	Resolutions []Resolution `json:"resolutions" minItems:"1" maxItems:"1000" nullable:"false" doc:"One for each lease, at most 1,000."`
}

// ResolveResponse is the answer to a resolve.
type ResolveResponse struct {
	Results []Result `json:"results"`
}

// LeaseRef names a lease.
type LeaseRef struct {
	Subject string `json:"subject" minLength:"1" maxLength:"255" example:"https://a.example/b?c" doc:"Which document."`
	Lease   int64  `json:"lease" example:"1763974800000001" doc:"The number that came with it."`
}

// ExtendRequest is the body of an extension. Progress, if given, is written to each document's log as a note.
type ExtendRequest struct {
	Leases   []LeaseRef `json:"leases" minItems:"1" maxItems:"1000" nullable:"false" doc:"Which leases, at most 1,000."`
	Lock     string     `json:"lock,omitempty" example:"5m" doc:"How long they last from now: 1 s to 24 h; default: as the queue says."`
	Progress string     `json:"progress,omitempty" example:"page 12 of 40" doc:"Written to the log of each document as a note."`
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
	Subject string          `json:"subject,omitempty" minLength:"1" maxLength:"255" doc:"The document that the line is about; default: none."`
	Message string          `json:"message" example:"robots.txt has changed" doc:"What the line says, up to 1 MiB."`
	Details json.RawMessage `json:"details,omitempty" example:"{\"rules\":12}" doc:"Any JSON, up to 1 MiB."`
	RefID   string          `json:"ref_id,omitempty" maxLength:"255" doc:"Leads to a log or trace elsewhere."`
}

// LogsRequest is the body of a call that writes log lines.
type LogsRequest struct {
	Logs []LogEntry `json:"logs" minItems:"1" maxItems:"1000" nullable:"false" doc:"The lines, at most 1,000."`
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
