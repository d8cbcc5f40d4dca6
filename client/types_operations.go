package client

import "encoding/json"

// The states of an operation.
const (
	OperationUploading = "uploading" // an import whose lines are still coming
	OperationWaiting   = "waiting"   // another operation of its queue runs
	OperationRunning   = "running"
	OperationDone      = "done"
	OperationFailed    = "failed"   // it could not go on; Error says why
	OperationCanceled  = "canceled" // what was done stays
)

// The actions of operations, besides complete, kill, drop and reschedule, which a resolution has too.
const (
	ActionRunNow      = "run_now"      // due now
	ActionRetry       = "retry"        // killed documents, due now
	ActionSetPriority = "set_priority" // to Priority
	ActionUndo        = "undo"         // of an operation; see Client.UndoOperation
	ActionMove        = "move"         // into ToQueue, as they are
	ActionImport      = "import"       // not asked for by OperationRequest
)

// OperationFilter chooses documents of a queue by what is given; {} is all of them.
type OperationFilter struct {
	Status        string `json:"status,omitempty" enum:"planned,pending,active,completed,killed" example:"killed" doc:"Documents of this status."`
	SubjectPrefix string `json:"subject_prefix,omitempty" maxLength:"255" example:"https://a.example/" doc:"Their subjects begin so."`
	Version       *int   `json:"version,omitempty" minimum:"0" maximum:"32767" doc:"Of this version of the payload."`
	Priority      *int   `json:"priority,omitempty" minimum:"-32767" maximum:"32767" doc:"Of this priority."`
	AttemptsMin   int    `json:"attempts_min,omitempty" minimum:"0" doc:"With so many attempts or more."`
	Worker        string `json:"worker,omitempty" maxLength:"255" doc:"Which this worker holds, or held last."`
	DueAfter      string `json:"due_after,omitempty" doc:"Planned or pending ones: due then or later. An RFC 3339 date, or a span from now with a sign."`
	DueBefore     string `json:"due_before,omitempty" doc:"Planned or pending ones: due before then."`
	Fingerprint   string `json:"fingerprint,omitempty" pattern:"^[0-9a-f]{16}$" doc:"Of a group of errors: those whose last error is one of it."`

	FinishedAfter  string          `json:"finished_after,omitempty" doc:"Completed or killed ones: finished then or later."`
	FinishedBefore string          `json:"finished_before,omitempty" doc:"Completed or killed ones: finished before then."`
	CreatedAfter   string          `json:"created_after,omitempty" doc:"Created then or later."`
	CreatedBefore  string          `json:"created_before,omitempty" doc:"Created before then."`
	Payload        json.RawMessage `json:"payload,omitempty" doc:"An object of up to 4,096 bytes, which that of the document contains as jsonb understands it."`
}

// OperationRequest is the body that asks for an operation: an action, and either a filter or up to 10,000 subjects. Documents that enter
// the queue after it has begun are left alone.
type OperationRequest struct {
	Action        string           `json:"action" enum:"run_now,retry,kill,drop,complete,reschedule,set_priority,move" example:"retry" doc:"What becomes of the documents."`
	Filter        *OperationFilter `json:"filter,omitempty" doc:"Which documents; {} is all."`
	Subjects      []string         `json:"subjects,omitempty" maxItems:"10000" nullable:"false" doc:"In place of a filter: which documents, by their subjects."`
	ToQueue       string           `json:"to_queue,omitempty" pattern:"^[a-z][a-z0-9_]{0,39}$" doc:"Of move: the queue that takes them. Needs the right there too."`
	Priority      *int             `json:"priority,omitempty" minimum:"-32767" maximum:"32767" doc:"Of set_priority: the new one."`
	NextIteration string           `json:"next_iteration,omitempty" doc:"Of reschedule: when they are due, all of them. An RFC 3339 date, or a span from now with a sign."`
	Message       string           `json:"message,omitempty" maxLength:"1000" example:"the site is back" doc:"Writes a note to the log of each document."`
	DryRun        bool             `json:"dry_run,omitempty" doc:"Only tell how many documents it would be for."`
}

// OperationCount is the answer to a dry run: how many documents there are, or, where that would take long, at least how many.
type OperationCount struct {
	Documents *int64 `json:"documents"`
	AtLeast   *int64 `json:"at_least"`
}

// Operation is an operation as the API shows it.
type Operation struct {
	ID            string           `json:"id" format:"uuid"`
	Queue         string           `json:"queue" doc:"Empty: a backup, its verification, or a restore."`
	Action        string           `json:"action" enum:"run_now,retry,kill,drop,complete,reschedule,set_priority,move,import,undo,backup,verify,restore"`
	State         string           `json:"state" enum:"uploading,waiting,running,done,failed,canceled"`
	Filter        *OperationFilter `json:"filter" doc:"null: a list of subjects, or an import."`
	ToQueue       *string          `json:"to_queue,omitempty"`
	Priority      *int             `json:"priority,omitempty"`
	NextIteration *Time            `json:"next_iteration,omitempty"`
	Message       *string          `json:"message,omitempty"`
	OnConflict    *string          `json:"on_conflict,omitempty" doc:"Of an import."`
	Undoes        *string          `json:"undoes,omitempty" format:"uuid" doc:"Of an undo: the operation."`
	AskedBy       string           `json:"asked_by" doc:"The name of a token, or the address of a user."`
	AskedAs       string           `json:"asked_as" enum:"token,user,sql,schedule"`
	AskedFrom     *string          `json:"asked_from" doc:"An address."`
	RequestID     *string          `json:"request_id"`
	CanceledBy    *string          `json:"canceled_by,omitempty"`
	CreatedAt     Time             `json:"created_at"`
	StartedAt     *Time            `json:"started_at"`
	FinishedAt    *Time            `json:"finished_at"`
	Progress      *float64         `json:"progress" doc:"The share of the work that was looked at, 0 to 1; null: not known."`
	Done          int64            `json:"done" doc:"Documents that were changed; of an import, created or updated."`
	Created       *int64           `json:"created,omitempty" doc:"Of an import: those of done that are new."`
	LeftAlone     int64            `json:"left_alone" doc:"Documents that did not fit any more when their turn came; of an import, those whose subject was taken."`
	Failed        int64            `json:"failed" doc:"Documents or lines that went wrong; the first 1,000 are told by its failures."`
	Error         *string          `json:"error" doc:"Why it failed, or why a batch is tried again."`
	Backup        *BackupProgress  `json:"backup,omitempty" doc:"Of a backup, its verification, or a restore."`
}

// Over says whether nothing more will happen.
func (o Operation) Over() bool { return o.FinishedAt != nil }

// OperationsResponse is a page of operations, the newest first.
type OperationsResponse struct {
	Operations []Operation `json:"operations"`
	NextCursor *string     `json:"next_cursor"`
}

// OperationFailure is what went wrong with one document, or with one line of an import.
type OperationFailure struct {
	Line    *int64  `json:"line,omitempty"`
	Subject *string `json:"subject,omitempty"`
	Detail  string  `json:"detail"`
}

// FailuresResponse is a page of an operation's failures, in the order in which they came.
type FailuresResponse struct {
	Failures   []OperationFailure `json:"failures"`
	NextCursor *string            `json:"next_cursor"`
}
