package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/fetchq/server/client"
	"github.com/fetchq/server/internal/audit"
	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
)

// settingsBody describes the settings of a queue in a request. Any may be left out; null takes a limit or retention away.
type settingsBody struct {
	MaxAttempts        *int              `json:"max_attempts,omitempty" minimum:"1" maximum:"1000000" example:"5" doc:"A document that fails at so many picks since its last success is killed. At first: 5."`
	Lock               *string           `json:"lock,omitempty" example:"5m" doc:"How long a lease lasts when the pick does not say: 1 s to 24 h. At first: 5m."`
	Backoff            *client.Backoff   `json:"backoff,omitempty" doc:"How long a rejected document waits. At first: exponential."`
	MaxActive          *int              `json:"max_active,omitempty" nullable:"true" minimum:"1" maximum:"1000000000" doc:"Documents that may be active at once, over all nodes; null: no limit, as at first."`
	Rate               *client.Rate      `json:"rate,omitempty" doc:"How many may be picked in a period, over all nodes; null: no limit, as at first."`
	Key                *client.Key       `json:"key,omitempty" doc:"By which key_limits count; null: by none, as at first."`
	KeyLimits          *client.KeyLimits `json:"key_limits,omitempty" doc:"Limits for each key, over all nodes; null: none, as at first."`
	PayloadIndex       *bool             `json:"payload_index,omitempty" doc:"Keep an index of payloads, so that what they contain is found at once. It costs every write. At first: false."`
	Redact             *[]string         `json:"redact,omitempty" nullable:"true" maxItems:"32" doc:"What pages hide of payloads, and of the details of log lines, from viewers and operators: paths such as $.user.email, $.items[*].card, $[\"a name\"]; null, as at first: nothing. Tokens are shown all."`
	ViewerPayloads     *string           `json:"viewer_payloads,omitempty" enum:"shown,hidden" doc:"Whether viewers see payloads and details at all. At first: shown."`
	Journal            *string           `json:"journal,omitempty" enum:"off,errors,all" example:"errors" doc:"Which transitions of documents are written down: none, those that failed and what an admin did (as at first), or every one."`
	JournalRetention   *string           `json:"journal_retention,omitempty" nullable:"true" example:"30 days" doc:"How long they are kept: 1 h or more; null: for ever. At first: 30 days."`
	LogsRetention      *string           `json:"logs_retention,omitempty" nullable:"true" example:"30 days" doc:"How long log lines are kept: 1 h or more; null: for ever. At first: 30 days."`
	LogsRows           *int              `json:"logs_rows,omitempty" nullable:"true" minimum:"1000" maximum:"2147483647" example:"1000000" doc:"How many log lines are kept, about, the newest: 1,000 or more; null, as at first: as many as logs_retention keeps."`
	CompletedRetention *string           `json:"completed_retention,omitempty" nullable:"true" example:"90 days" doc:"How long completed documents are kept: 1 h or more; null: for ever, as at first."`
	KilledRetention    *string           `json:"killed_retention,omitempty" nullable:"true" example:"1 year" doc:"How long killed documents are kept: 1 h or more; null: for ever, as at first."`
	SeriesRetention    *string           `json:"series_retention,omitempty" nullable:"true" example:"7 days" doc:"How long series of metrics are kept: 1 h or more; null, as at first: each step as long as the server keeps it, which is the most."`
	Partitions         *int              `json:"partitions,omitempty" minimum:"1" maximum:"256" example:"1" doc:"At creation only: tables that a very large queue is spread over. At first: 1."`
	Tablespace         *string           `json:"tablespace,omitempty" nullable:"true" doc:"At creation only, for there is a call to move a queue: where its tables stand; one of the server's. null: the default."`
}

// InQueueBody is the input of a call about one queue with a body.
type InQueueBody struct {
	InQueue
	WithBody
}

// createdOut is an answer whose status says whether something was made.
type createdOut struct {
	Status int
	Body   client.Queue
}

func (s *Server) queueRoutes() {
	register(s, route{method: http.MethodGet, path: "/queues", needs: auth.See, summary: "List queues"}, s.listQueues)
	register(s, route{method: http.MethodPut, path: "/queues/{queue}", needs: auth.Manage, summary: "Create or change a queue", body: settingsBody{}}, s.putQueue)
	register(s, route{method: http.MethodPatch, path: "/queues/{queue}", needs: auth.Manage, summary: "Change a queue", body: settingsBody{}}, s.patchQueue)
	register(s, route{method: http.MethodGet, path: "/queues/{queue}", needs: auth.See, summary: "Show a queue with exact counts"}, s.getQueue)
	register(s, route{method: http.MethodDelete, path: "/queues/{queue}", needs: auth.Manage, summary: "Drop a queue", status: http.StatusNoContent}, s.dropQueue)
	register(s, route{method: http.MethodPost, path: "/queues/{queue}/truncate", needs: auth.Manage, summary: "Remove all documents of a queue", body: client.TruncateRequest{}}, s.truncateQueue)
	s.relocateRoutes()
	register(s, route{method: http.MethodPost, path: "/queues/{queue}/pause", needs: auth.Halt, summary: "Pause a queue", body: client.PauseRequest{}}, s.pauseQueue)
	register(s, route{method: http.MethodPost, path: "/queues/{queue}/resume", needs: auth.Halt, summary: "Resume a queue", body: client.ResumeRequest{}}, s.resumeQueue)
	register(s, route{method: http.MethodGet, path: "/queues/{queue}/versions", needs: auth.See, summary: "List the payload versions of a queue"}, s.listVersions)
}

func (s *Server) listQueues(ctx context.Context, in *struct {
	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"200"`
	Cursor string `query:"cursor"`
}) (*out[client.QueuesResponse], error) {
	p := queue.ListParams{Limit: in.Limit}
	if in.Cursor != "" {
		parts, err := wire.DecodeCursor(in.Cursor, 1)
		if err != nil {
			return nil, err
		}
		p.After = parts[0]
	}
	var err error
	if p.Only, err = s.allowed(ctx); err != nil {
		return nil, err
	}
	queues, next, err := s.Engine.List(ctx, p)
	if err != nil {
		return nil, err
	}
	if next != "" {
		next = wire.EncodeCursor(next)
	}
	return &out[client.QueuesResponse]{client.QueuesResponse{Queues: each(queues, clientQueue), NextCursor: cursor(next)}}, nil
}

// cursor is null at the end of a list.
func cursor(next string) *string {
	if next == "" {
		return nil
	}
	return &next
}

func (s *Server) putQueue(ctx context.Context, in *InQueueBody) (*createdOut, error) {
	patch, err := settings(in.sent.bytes)
	if err != nil {
		return nil, err
	}
	was, _ := s.Engine.Get(ctx, in.Queue) // one that is missing has no settings
	q, created, err := s.Engine.Put(ctx, in.Queue, patch)
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	audit.From(ctx).Note("created", created)
	if err == nil && !created {
		audit.From(ctx).Note("settings", audit.Changes(clientQueue(was).Settings, clientQueue(q).Settings))
	}
	return &createdOut{status, clientQueue(q)}, err
}

func (s *Server) patchQueue(ctx context.Context, in *InQueueBody) (*out[client.Queue], error) {
	patch, err := settings(in.sent.bytes)
	if err != nil {
		return nil, err
	}
	was, err := s.Engine.Get(ctx, in.Queue)
	if err != nil {
		return nil, err
	}
	q, err := s.Engine.Patch(ctx, in.Queue, patch)
	if err == nil {
		audit.From(ctx).Note("settings", audit.Changes(clientQueue(was).Settings, clientQueue(q).Settings))
	}
	return queueOut(q, err)
}

// settings checks the text of a patch; the engine checks what it says.
func settings(body []byte) (json.RawMessage, error) {
	if len(body) == 0 {
		return json.RawMessage(`{}`), nil
	}
	var members map[string]json.RawMessage
	if err := wire.Decode(body, &members); err != nil {
		return nil, err
	}
	if members == nil {
		return nil, errs.New(errs.Malformed, "an object of settings is wanted")
	}
	for name, v := range members {
		if err := wire.CheckText("settings", name, 100); err != nil {
			return nil, err
		}
		if err := wire.CheckJSON(v); err != nil {
			return nil, within(name, err)
		}
	}
	var inner map[string]json.RawMessage
	if json.Unmarshal(members["key_limits"], &inner) == nil && inner["rate"] != nil {
		members["key_limits.rate"] = inner["rate"]
	}
	return body, errors.Join(strict[backoffMembers]("backoff", members), strict[rateMembers]("rate", members), strict[keyMembers]("key", members),
		strict[limitMembers]("key_limits", members), strict[rateMembers]("key_limits.rate", members))
}

// The members of the settings that have some. What each says is for the engine to check.
type (
	backoffMembers struct {
		Kind   json.RawMessage `json:"kind"`
		Base   json.RawMessage `json:"base"`
		Cap    json.RawMessage `json:"cap"`
		Jitter json.RawMessage `json:"jitter"`
	}
	rateMembers struct {
		Picks json.RawMessage `json:"picks"`
		Per   json.RawMessage `json:"per"`
		Burst json.RawMessage `json:"burst"`
	}
	keyMembers struct {
		Payload json.RawMessage `json:"payload"`
		Subject json.RawMessage `json:"subject"`
		Until   json.RawMessage `json:"until"`
		Nth     json.RawMessage `json:"nth"`
	}
	limitMembers struct {
		MaxActive json.RawMessage `json:"max_active"`
		Rate      json.RawMessage `json:"rate"`
	}
)

// strict refuses a setting whose members stand twice, or are none of T: of two, one would win without a word.
func strict[T any](name string, settings map[string]json.RawMessage) error {
	text := settings[name]
	if len(text) == 0 || text[0] != '{' {
		return nil // not given, null, or refused by the engine
	}
	var members T
	err := wire.Decode(text, &members)
	var e *errs.Error
	if errors.As(err, &e) {
		e.Field = name + "." + e.Field
	}
	return err
}

func queueOut(q queue.Queue, err error) (*out[client.Queue], error) {
	if err != nil {
		return nil, err
	}
	return &out[client.Queue]{clientQueue(q)}, nil
}

func (s *Server) getQueue(ctx context.Context, in *InQueue) (*out[client.Queue], error) {
	return queueOut(s.Engine.Get(ctx, in.Queue))
}

func (s *Server) dropQueue(ctx context.Context, in *struct {
	InQueue
	Confirm string `query:"confirm" doc:"The queue's name."`
}) (*empty, error) {
	if err := confirm(in.Queue, in.Confirm); err != nil {
		return nil, err
	}
	return nil, s.Engine.Drop(ctx, in.Queue)
}

// confirm refuses what cannot be undone unless the queue is named twice.
func confirm(name, again string) error {
	if name != again {
		return errs.Field("confirm", "this cannot be undone: confirm is to be the queue's name")
	}
	return nil
}

func (s *Server) truncateQueue(ctx context.Context, in *InQueueBody) (*out[client.Queue], error) {
	var body client.TruncateRequest
	if err := decode(in.sent.bytes, &body); err != nil {
		return nil, err
	}
	if err := confirm(in.Queue, body.Confirm); err != nil {
		return nil, err
	}
	return queueOut(s.Engine.Truncate(ctx, in.Queue, body.Logs))
}

func (s *Server) pauseQueue(ctx context.Context, in *InQueueBody) (*out[client.Queue], error) {
	var body client.PauseRequest
	if err := decode(in.sent.bytes, &body); err != nil {
		return nil, err
	}
	if err := wire.CheckText("reason", body.Reason, 1000); err != nil {
		return nil, err
	}
	var until wire.Date
	if body.Until != "" {
		var err error
		if until, err = wire.ParseDate(body.Until); err != nil {
			return nil, within("until", err)
		}
	}
	return queueOut(s.Engine.Pause(ctx, in.Queue, queue.PauseParams{Reason: body.Reason, Until: until, Kind: queue.PauseKind(body.Kind), Version: body.Version}))
}

func (s *Server) resumeQueue(ctx context.Context, in *InQueueBody) (*out[client.Queue], error) {
	var body client.ResumeRequest
	if err := decode(in.sent.bytes, &body); err != nil {
		return nil, err
	}
	return queueOut(s.Engine.Resume(ctx, in.Queue, body.Version))
}

func (s *Server) listVersions(ctx context.Context, in *InQueue) (*out[client.VersionsResponse], error) {
	standing, err := s.Engine.Standing(ctx, in.Queue)
	if err != nil {
		return nil, err
	}
	return &out[client.VersionsResponse]{client.VersionsResponse{Versions: each(standing.Versions, clientVersion)}}, nil
}

func clientVersion(v queue.VersionStanding) client.Version {
	return client.Version{
		Version: v.Version, Counts: client.Counts(v.Counts), AskedAt: optionalTime(v.AskedAt), AskedBy: v.AskedBy, Unasked: v.Unasked,
		Pause: clientPause(v.Pause),
	}
}
