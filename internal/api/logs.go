package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/fetchq/server/client"
	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
)

func (s *Server) logRoutes() {
	register(s, route{method: http.MethodGet, path: "/errors", needs: auth.See, summary: "List groups of errors that say the same"}, s.listErrors)
	register(s, route{method: http.MethodGet, path: "/queues/{queue}/logs", needs: auth.See, summary: "List log lines, newest first"}, s.listLogs)
	register(s, route{
		method: http.MethodPost, path: "/queues/{queue}/logs", needs: auth.Hold, summary: "Write notes", body: client.LogsRequest{}, large: true,
		status: http.StatusAccepted,
	}, s.addLogs)
}

func (s *Server) listLogs(ctx context.Context, in *struct {
	InQueue
	Kind    string `query:"kind" enum:"error,note"`
	Subject string `query:"subject" maxLength:"255"`
	From    string `query:"from" doc:"A date, or a span from now with a sign; included."`
	To      string `query:"to" doc:"A date, or a span from now with a sign; not included."`
	Q       string `query:"q" maxLength:"255" doc:"Stands in the message, in any case of its letters."`
	Group   string `query:"fingerprint" maxLength:"16" doc:"Of a group of errors."`
	Limit   int    `query:"limit" default:"50" minimum:"1" maximum:"200"`
	Cursor  string `query:"cursor"`
}) (*out[client.LogsResponse], error) {
	f := queue.LogFilter{Kind: in.Kind, Subject: in.Subject, Text: in.Q, Fingerprint: in.Group, Limit: in.Limit, Cursor: in.Cursor}
	for _, text := range []struct{ field, value string }{{"subject", in.Subject}, {"q", in.Q}} {
		if err := wire.CheckText(text.field, text.value, 255); err != nil {
			return nil, err
		}
	}
	var err error
	if f.From, err = s.moment("from", in.From); err != nil {
		return nil, err
	}
	if f.To, err = s.moment("to", in.To); err != nil {
		return nil, err
	}
	page, err := s.Engine.Logs(ctx, in.Queue, f)
	if err != nil {
		return nil, err
	}
	return &out[client.LogsResponse]{client.LogsResponse{Logs: each(page.Logs, clientLog), NextCursor: cursor(page.Next)}}, nil
}

func (s *Server) listErrors(ctx context.Context, in *struct {
	Queue   string `query:"queue" maxLength:"40" doc:"Those of this queue; by default of all that the token may see."`
	From    string `query:"from" doc:"Seen since: a date, or a span from now with a sign. Counted from the beginning of the step that it stands in."`
	To      string `query:"to" doc:"Seen before."`
	Q       string `query:"q" maxLength:"255" doc:"Stands in the pattern or the sample, in any case of its letters."`
	Version number `query:"version" minimum:"0" maximum:"32767" doc:"Of documents of this version of the payload."`
	Group   string `query:"fingerprint" maxLength:"16" doc:"This group only."`
	Order   string `query:"order" enum:"errors,last_seen,first_seen" default:"errors"`
	Limit   int    `query:"limit" default:"50" minimum:"1" maximum:"200"`
}) (*out[client.ErrorsResponse], error) {
	f := queue.GroupFilter{Text: in.Q, Version: in.Version.given, Fingerprint: in.Group, Order: in.Order, Limit: in.Limit}
	if err := errors.Join(wire.CheckText("q", in.Q, 255), wire.CheckText("queue", in.Queue, 40)); err != nil {
		return nil, err
	}
	var err error
	if f.From, err = s.moment("from", in.From); err != nil {
		return nil, err
	}
	if f.To, err = s.moment("to", in.To); err != nil {
		return nil, err
	}
	if in.Queue == "" {
		f.Queues, err = s.allowed(ctx)
	} else if err = seeQueue(ctx, in.Queue); err == nil {
		f.Queues = []string{in.Queue}
		_, err = s.Engine.Get(ctx, in.Queue)
	}
	if err != nil {
		return nil, err
	}
	found, err := s.Engine.ErrorGroups(ctx, f)
	if err != nil {
		return nil, err
	}
	answer := client.ErrorsResponse{Errors: each(found.Groups, clientGroup), All: found.All, Capped: found.Capped, StepS: int(found.Step.Seconds())}
	if len(found.Groups) > 0 {
		begins := clientTime(found.Begins)
		answer.Begins = &begins
	}
	return &out[client.ErrorsResponse]{answer}, nil
}

func clientGroup(g queue.ErrorGroup) client.ErrorGroup {
	return client.ErrorGroup{
		Fingerprint: g.Fingerprint, Pattern: g.Pattern, Sample: g.Sample, Queues: g.Queues, FirstSeen: clientTime(g.FirstSeen), LastSeen: clientTime(g.LastSeen),
		Errors: g.Errors, Documents: g.Documents, Exact: g.Exact, Versions: g.Versions, Counts: g.Counts,
	}
}

// moment reads a bound of a list in time. A span counts from this machine's clock: a list's bound need not be exact.
func (s *Server) moment(field, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	d, err := wire.ParseDate(text)
	if err != nil {
		return time.Time{}, within(field, err)
	}
	if d.Delay != nil {
		return s.Now().Add(d.Delay.Approx()), nil
	}
	return d.At, nil
}

func (s *Server) addLogs(ctx context.Context, in *InQueueBody) (*empty, error) {
	var body client.LogsRequest
	if err := wire.Decode(in.sent.bytes, &body); err != nil {
		return nil, err
	}
	if len(body.Logs) == 0 {
		return nil, errs.Field("logs", "1 to %d lines are wanted", queue.MaxBatch)
	}
	lines := make([]queue.NewLog, len(body.Logs))
	for i, l := range body.Logs {
		lines[i] = queue.NewLog{Subject: l.Subject, Message: l.Message, Details: l.Details, RefID: l.RefID}
		for _, text := range []struct {
			field, value string
			most         int
		}{{"subject", l.Subject, queue.MaxSubject}, {"message", l.Message, maxPayload}, {"ref_id", l.RefID, queue.MaxRefID}} {
			if err := wire.CheckText(text.field, text.value, text.most); err != nil {
				return nil, within(fmt.Sprintf("logs[%d].%s", i, text.field), err)
			}
		}
		if detail := queue.BadJSON("details", l.Details); detail != "" {
			return nil, errs.Field(fmt.Sprintf("logs[%d].details", i), "%s", detail)
		}
	}
	return nil, s.Engine.AddLogs(ctx, in.Queue, "", lines)
}
