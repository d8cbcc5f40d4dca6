package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/fetchq/server/client"
	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/catalog"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/operations"
	"github.com/fetchq/server/internal/wire"
)

func (s *Server) operationRoutes() {
	register(s, route{
		method: http.MethodPost, path: "/queues/{queue}/operations", needs: auth.Act, large: true, status: http.StatusAccepted,
		summary: "Change many documents in the background", body: client.OperationRequest{},
	}, s.createOperation)
	register(s, route{method: http.MethodGet, path: "/operations", needs: auth.See, summary: "List operations, newest first"}, s.listOperations)
	register(s, route{method: http.MethodGet, path: "/operations/{id}", needs: auth.See, summary: "Show an operation"}, s.getOperation)
	register(s, route{method: http.MethodGet, path: "/operations/{id}/failures", needs: auth.See, summary: "List what went wrong in an operation"}, s.listFailures)
	register(s, route{
		method: http.MethodPost, path: "/operations/{id}/cancel", least: auth.Add, summary: "End an operation; what was done stays [admin, of an import push]",
	}, s.cancelOperation)
	register(s, route{
		method: http.MethodPost, path: "/operations/{id}/undo", needs: auth.Act, status: http.StatusAccepted, summary: "Put back what an operation did within the last ten minutes",
	}, s.undoOperation)
	s.importRoute()
}

// InKey is the input of a call that is safe to repeat under a key.
type InKey struct {
	Key string `header:"Idempotency-Key" maxLength:"255" doc:"The same key again is the same operation."`
}

// asked is who makes a call, as an operation keeps it.
func (s *Server) asked(ctx context.Context) operations.Asked {
	c := callOf(ctx)
	return operations.Asked{By: c.token.Name, As: "token", From: s.Proxies.Address(c.echo.Request()), RequestID: idOf(c.echo)}
}

// requestPrint is a hash of a request: of the queue in its path, and of its body.
func requestPrint(queue string, body []byte) []byte {
	sum := sha256.Sum256(append([]byte(queue+"\n"), body...))
	return sum[:]
}

// operationOut is an operation that was asked for, or, of a dry run, a count.
type operationOut struct {
	Status int
	Body   any
}

func (s *Server) createOperation(ctx context.Context, in *struct {
	InQueue
	WithBody
	InKey
}) (*operationOut, error) {
	var body client.OperationRequest
	if err := wire.DecodeUpTo(in.sent.bytes, &body, operations.MaxSubjects); err != nil {
		return nil, err
	}
	r := operations.Request{
		Queue: in.Queue, Action: body.Action, Subjects: body.Subjects, ToQueue: body.ToQueue, Priority: body.Priority, Message: body.Message,
		Key: ownKey(ctx, in.Key), Print: requestPrint(in.Queue, in.sent.bytes), Asked: s.asked(ctx),
	}
	var err error
	if r.Next, err = dateOf(body.NextIteration); err != nil {
		return nil, err
	}
	if r.Filter, err = s.filter(body.Filter); err != nil {
		return nil, err
	}
	if body.ToQueue != "" {
		if !tokenOf(ctx).Sees(body.ToQueue) {
			return nil, &errs.Error{Code: errs.Forbidden, Field: "to_queue", Message: "the token is limited to other queues"}
		}
	}
	if body.DryRun {
		n, err := s.Operations.Count(ctx, r)
		answer := client.OperationCount{Documents: &n.Documents}
		if !n.Exact {
			answer = client.OperationCount{AtLeast: &n.Documents}
		}
		return &operationOut{http.StatusOK, answer}, err
	}
	o, err := s.Operations.Create(ctx, r)
	return &operationOut{http.StatusAccepted, clientOperation(o)}, err
}

// filter reads a filter. Spans count from this machine's clock, as those of lists do.
func (s *Server) filter(in *client.OperationFilter) (*operations.Filter, error) {
	if in == nil {
		return nil, nil //nolint:nilnil // none was given
	}
	f := &operations.Filter{
		Status: in.Status, SubjectPrefix: in.SubjectPrefix, Version: in.Version, Priority: in.Priority, AttemptsMin: in.AttemptsMin, Worker: in.Worker,
		Fingerprint: in.Fingerprint,
	}
	f.Payload = in.Payload
	var err error
	for _, m := range []struct {
		field, text string
		to          **time.Time
	}{
		{"due_after", in.DueAfter, &f.DueAfter}, {"due_before", in.DueBefore, &f.DueBefore}, {"finished_after", in.FinishedAfter, &f.FinishedAfter},
		{"finished_before", in.FinishedBefore, &f.FinishedBefore}, {"created_after", in.CreatedAfter, &f.CreatedAfter}, {"created_before", in.CreatedBefore, &f.CreatedBefore},
	} {
		at, wrong := s.moment("filter."+m.field, m.text)
		if !at.IsZero() {
			*m.to = &at
		}
		err = errors.Join(err, wrong)
	}
	return f, err
}

func (s *Server) listOperations(ctx context.Context, in *struct {
	Queue  string `query:"queue" maxLength:"40" doc:"Those of this queue."`
	State  string `query:"state" enum:"uploading,waiting,running,done,failed,canceled"`
	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"200"`
	Cursor string `query:"cursor"`
}) (*out[client.OperationsResponse], error) {
	p := operations.ListParams{State: in.State, Limit: in.Limit, Cursor: in.Cursor}
	if in.Queue != "" {
		if err := errors.Join(wire.CheckText("queue", in.Queue, 40), seeQueue(ctx, in.Queue)); err != nil {
			return nil, err
		}
		p.Queues = []string{in.Queue}
	} else {
		var err error
		if p.Queues, err = s.allowed(ctx); err != nil {
			return nil, err
		}
	}
	list, next, err := s.Operations.List(ctx, p)
	if err != nil {
		return nil, err
	}
	return &out[client.OperationsResponse]{client.OperationsResponse{Operations: each(list, clientOperation), NextCursor: cursor(next)}}, nil
}

// InOperation is the input of a call about one operation.
type InOperation struct {
	ID string `path:"id" maxLength:"100"`
}

// operation returns an operation that the token sees: to others it is as if it were not there.
func (s *Server) operation(ctx context.Context, id string) (operations.Operation, error) {
	none := &errs.Error{Code: errs.NotFound, Field: "id", Message: "there is no such operation"}
	parsed, err := uuid.Parse(id)
	if err != nil {
		return operations.Operation{}, none
	}
	o, err := s.Operations.Get(ctx, parsed)
	if err == nil && (!tokenOf(ctx).Sees(o.Queue) || catalog.Is(o) && tokenOf(ctx).Queues != nil) {
		return operations.Operation{}, none
	}
	return o, err
}

func (s *Server) getOperation(ctx context.Context, in *InOperation) (*out[client.Operation], error) {
	o, err := s.operation(ctx, in.ID)
	return &out[client.Operation]{clientOperation(o)}, err
}

func (s *Server) listFailures(ctx context.Context, in *struct {
	InOperation
	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"200"`
	Cursor string `query:"cursor"`
}) (*out[client.FailuresResponse], error) {
	o, err := s.operation(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	after := 0
	if in.Cursor != "" {
		parts, err := wire.DecodeCursor(in.Cursor, 1)
		if err == nil {
			after, err = strconv.Atoi(parts[0])
		}
		if err != nil || after < 0 || after > operations.MaxFailures {
			return nil, errs.Field("cursor", "is not one that this list gave; ask again without it")
		}
	}
	list, err := s.Operations.Failures(ctx, o.ID, in.Limit, after)
	if err != nil {
		return nil, err
	}
	next := ""
	if last := len(list) - 1; len(list) == in.Limit && list[last].Number < int(min(o.Failed, operations.MaxFailures)) {
		next = wire.EncodeCursor(strconv.Itoa(list[last].Number))
	}
	failures := each(list, func(f operations.Failure) client.OperationFailure {
		return client.OperationFailure{Line: f.Line, Subject: f.Subject, Detail: f.Detail}
	})
	return &out[client.FailuresResponse]{client.FailuresResponse{Failures: failures, NextCursor: cursor(next)}}, nil
}

// cancelOperation ends an operation. Who may push may end an import.
func (s *Server) cancelOperation(ctx context.Context, in *InOperation) (*out[client.Operation], error) {
	o, err := s.operation(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	needed := auth.Act
	switch {
	case o.Action == operations.Import:
		needed = auth.Add
	case catalog.Is(o):
		needed = auth.Backup
	}
	if err := need(ctx, needed); err != nil {
		return nil, err
	}
	o, err = s.Operations.Cancel(ctx, o.ID, tokenOf(ctx).Name)
	return &out[client.Operation]{clientOperation(o)}, err
}

// undoOperation asks for an operation that puts back what another one did.
func (s *Server) undoOperation(ctx context.Context, in *InOperation) (*out[client.Operation], error) {
	o, err := s.operation(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if o.ToQueue != nil && !tokenOf(ctx).Sees(*o.ToQueue) {
		return nil, &errs.Error{Code: errs.Forbidden, Field: "to_queue", Message: "the token is limited to other queues"}
	}
	o, err = s.Operations.Undo(ctx, o.ID, s.asked(ctx))
	return &out[client.Operation]{clientOperation(o)}, err
}

func clientOperation(o operations.Operation) client.Operation {
	out := client.Operation{
		ID: o.ID.String(), Queue: o.Queue, Action: o.Action, State: o.State, ToQueue: o.ToQueue, Priority: o.Priority,
		NextIteration: optionalTime(o.NextIteration), Message: o.Message, OnConflict: o.OnConflict,
		AskedBy: o.AskedBy, AskedAs: o.AskedAs, AskedFrom: o.AskedFrom, RequestID: o.RequestID, CanceledBy: o.CanceledBy,
		CreatedAt: clientTime(o.CreatedAt), StartedAt: optionalTime(o.StartedAt), FinishedAt: optionalTime(o.FinishedAt),
		Done: o.Done, LeftAlone: o.LeftAlone, Failed: o.Failed, Error: o.Error,
	}
	if f := o.Filter; f != nil {
		out.Filter = &client.OperationFilter{
			Status: f.Status, SubjectPrefix: f.SubjectPrefix, Version: f.Version, Priority: f.Priority, AttemptsMin: f.AttemptsMin, Worker: f.Worker,
			DueAfter: dateText(f.DueAfter), DueBefore: dateText(f.DueBefore), FinishedAfter: dateText(f.FinishedAfter), FinishedBefore: dateText(f.FinishedBefore),
			CreatedAfter: dateText(f.CreatedAfter), CreatedBefore: dateText(f.CreatedBefore), Payload: f.Payload,
		}
	}
	if o.Undoes != nil {
		id := o.Undoes.String()
		out.Undoes = &id
	}
	if p, known := o.Progress(); known {
		out.Progress = &p
	}
	if o.Action == operations.Import {
		out.Created = &o.Created
	}
	if catalog.Is(o) {
		out.Backup = backupProgress(o)
	}
	return out
}
