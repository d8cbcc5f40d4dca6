package client

// QueuesResponse is a page of the queues. NextCursor is null at the end, here and below.
type QueuesResponse struct {
	Queues     []Queue `json:"queues"`
	NextCursor *string `json:"next_cursor"`
}

// DocumentsResponse is a page of a queue's documents.
type DocumentsResponse struct {
	Documents  []Document `json:"documents"`
	NextCursor *string    `json:"next_cursor"`
}

// LogsResponse is a page of a queue's log.
type LogsResponse struct {
	Logs       []Log   `json:"logs"`
	NextCursor *string `json:"next_cursor"`
}

// ErrorsResponse is groups of errors in an order.
type ErrorsResponse struct {
	Errors []ErrorGroup `json:"errors"`
	All    int          `json:"all" doc:"How many fit, also where limit cut the list."`
	Capped bool         `json:"capped" doc:"Not all groups were looked at: 5,000 are, of the queues that failed last."`
	StepS  int          `json:"step_s" doc:"How long a step of counts is, in seconds."`
	Begins *Time        `json:"begins" doc:"When the first step begins; null: there are no errors."`
}

// ErrorGroup is errors that say the same.
type ErrorGroup struct {
	Fingerprint string   `json:"fingerprint"`
	Pattern     string   `json:"pattern" doc:"What they say, with … for what differs. Empty for the group 0000000000000000: what came when a queue had 1,000 groups."`
	Sample      string   `json:"sample" doc:"The beginning of one of the last messages."`
	Queues      []string `json:"queues" doc:"The one with the most errors first."`
	FirstSeen   Time     `json:"first_seen"`
	LastSeen    Time     `json:"last_seen"`
	Errors      int64    `json:"errors" doc:"In the time that was asked for."`
	Documents   int64    `json:"documents" doc:"That had one since first_seen."`
	Exact       bool     `json:"exact" doc:"Whether documents is; from 128 on it is within a tenth, mostly."`
	Versions    []int    `json:"versions" doc:"Of the payloads of these documents, the highest 20."`
	Counts      []int64  `json:"counts" doc:"Errors of each step, the oldest first."`
}

// TraceResponse is what is known of a subject in all queues.
type TraceResponse struct {
	Documents []Document   `json:"documents"`
	Logs      []Log        `json:"logs"`
	Journal   []Transition `json:"journal" doc:"The newest first in each queue."`
}

// PauseRequest is the body of a pause.
type PauseRequest struct {
	Reason  string `json:"reason,omitempty" maxLength:"1000" example:"the site is down" doc:"Why; shown to everybody who looks at the queue."`
	Until   string `json:"until,omitempty" example:"+1h" doc:"An RFC 3339 date, or a span from now with a sign; default: until resumed."`
	Kind    string `json:"kind,omitempty" enum:"drain,at_once" default:"drain" doc:"drain: what workers hold is worked on to its end. at_once: their leases end, and the documents are pending again without an attempt."`
	Version *int   `json:"version,omitempty" minimum:"0" maximum:"32767" doc:"Pause this payload version only; default: all of the queue."`
}

// ResumeRequest is the body of a resume.
type ResumeRequest struct {
	Version *int `json:"version,omitempty" minimum:"0" maximum:"32767" example:"3" doc:"End the pause of this payload version; default: that of the queue."`
}

// VersionsResponse is the payload versions of a queue.
type VersionsResponse struct {
	Versions []Version `json:"versions"`
}

// TruncateRequest is the body of a truncation.
type TruncateRequest struct {
	Confirm string `json:"confirm" example:"pages" doc:"The queue's name."`
	Logs    bool   `json:"logs,omitempty" default:"false" doc:"Remove the log and the journal too."`
}

// ToRequest is the body of a rename or a clone.
type ToRequest struct {
	To string `json:"to" pattern:"^[a-z][a-z0-9_]{0,39}$" example:"pages_2" doc:"The new name: 1 to 40 of a-z, 0-9 and _; begins with a letter."`
}

// MoveRequest is the body of a move.
type MoveRequest struct {
	Tablespace *string `json:"tablespace" nullable:"true" example:"pg_default" doc:"Where the queue's tables are to stand; one of the server's. null: the default."`
}
