package api

import (
	"context"
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
	Limit   int    `query:"limit" default:"50" minimum:"1" maximum:"200"`
	Cursor  string `query:"cursor"`
}) (*out[client.LogsResponse], error) {
	f := queue.LogFilter{Kind: in.Kind, Subject: in.Subject, Text: in.Q, Limit: in.Limit, Cursor: in.Cursor}
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
