package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/fetchq/server/client"
	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
)

type inDocument struct {
	InQueue
	Subject string `path:"subject" doc:"The subject, escaped."`
	Logs    int    `query:"logs" default:"0" minimum:"0" maximum:"200" doc:"How many of the last log lines to show."`
	Journal int    `query:"journal" default:"0" minimum:"0" maximum:"200" doc:"How many of the last transitions to show."`
}

type inDocuments struct {
	InQueue
	Status        string `query:"status" enum:"planned,pending,active,completed,killed"`
	SubjectPrefix string `query:"subject_prefix" maxLength:"255"`
	Version       number `query:"version" minimum:"0" maximum:"32767"`
	Priority      number `query:"priority" minimum:"-32767" maximum:"32767"`
	AttemptsMin   int    `query:"attempts_min" minimum:"0"`
	Worker        string `query:"worker" maxLength:"255" doc:"Who holds the document, or held it last."`
	DueAfter      string `query:"due_after" doc:"Planned or pending ones: due then or later. An RFC 3339 date, or a span from now with a sign."`
	DueBefore     string `query:"due_before" doc:"Planned or pending ones: due before then."`
	FinishedAfter string `query:"finished_after" doc:"Completed or killed ones: finished then or later."`
	FinishedEnd   string `query:"finished_before" doc:"Completed or killed ones: finished before then."`
	CreatedAfter  string `query:"created_after" doc:"Created then or later."`
	CreatedBefore string `query:"created_before" doc:"Created before then."`
	Payload       string `query:"payload" maxLength:"4096" doc:"A JSON object that the payload contains, as jsonb understands it."`
	Order         string `query:"order" enum:"subject,next_iteration,last_iteration"`
	Limit         int    `query:"limit" default:"50" minimum:"1" maximum:"200"`
	Cursor        string `query:"cursor"`
	Subject       string `query:"subject" doc:"Show this one document, in place of a list."`
	Logs          int    `query:"logs" default:"0" minimum:"0" maximum:"200" doc:"With subject: how many of the last log lines to show."`
	Journal       int    `query:"journal" default:"0" minimum:"0" maximum:"200" doc:"With subject: how many of the last transitions to show."`
}

func (s *Server) documentRoutes() {
	register(s, route{
		method: http.MethodPost, path: "/queues/{queue}/documents", needs: auth.Add, summary: "Push documents", body: client.PushRequest{}, large: true,
	}, s.pushDocuments)
	register(s, route{method: http.MethodGet, path: "/queues/{queue}/documents", needs: auth.See, summary: "List documents"}, s.listDocuments)
	register(s, route{method: http.MethodGet, path: "/queues/{queue}/documents/{subject}", needs: auth.See, summary: "Show a document"}, s.getDocument)
	register(s, route{method: http.MethodGet, path: "/trace/{subject}", needs: auth.See, summary: "Show where a subject stands in all queues"}, s.trace)
	register(s, route{method: http.MethodGet, path: "/trace", needs: auth.See, summary: "Show where a subject stands in all queues, with the subject in the query"}, s.traceQuery)
}

func (s *Server) pushDocuments(ctx context.Context, in *struct {
	InQueue
	WithBody
	Key string `header:"Idempotency-Key" maxLength:"255" doc:"Makes the call repeatable for 24 hours."`
}) (*out[client.PushResponse], error) {
	var body client.PushRequest
	err := wire.Decode(in.sent.bytes, &body)
	if errors.Is(err, wire.ErrTooMany) {
		return nil, errs.Field("documents", "there are more than %d documents, which is too many for one call; any number may come as application/x-ndjson", queue.MaxBatch)
	}
	if err != nil {
		return nil, err
	}
	if len(body.Documents) == 0 {
		return nil, errs.Field("documents", "1 to %d documents are wanted", queue.MaxBatch)
	}
	if err := wire.CheckText("Idempotency-Key", in.Key, 255); err != nil {
		return nil, err
	}
	policy, err := policyOf(body.OnConflict, body.Then)
	if err != nil {
		return nil, err
	}
	results, err := sift(body.Documents, document, func(d client.Push) string { return d.Subject }, func(good []queue.Push) ([]queue.Result, error) {
		return s.Engine.Append(ctx, in.Queue, ownKey(ctx, in.Key), good, policy)
	})
	if err != nil {
		return nil, err
	}
	if len(results) == 1 && len(body.Documents[0].Payload) > maxPayload {
		return nil, &errs.Error{Code: errs.TooLarge, Field: "payload", Message: results[0].Detail}
	}
	answer := client.PushResponse{Results: clientResults(results)}
	for _, r := range results {
		switch r.Outcome {
		case client.OutcomeCreated:
			answer.Created++
		case client.OutcomeUpdated:
			answer.Updated++
		case client.OutcomeRequeued:
			answer.Requeued++
		case client.OutcomeIgnored:
			answer.Ignored++
		}
	}
	return &out[client.PushResponse]{answer}, nil
}

// policyOf reads what becomes of a document whose subject is taken.
func policyOf(onConflict, then string) (queue.OnConflict, error) {
	policy := queue.OnConflict(onConflict)
	switch {
	case policy == "" && then == "":
		return queue.Ignore, nil
	case policy != "" && policy != queue.Ignore && policy != queue.Update:
		return "", errs.Field("on_conflict", "%.40q is no policy; ignore or update is wanted", onConflict)
	case then == "":
		return policy, nil
	case then != string(queue.Requeue):
		return "", errs.Field("then", "%.40q is no wish; requeue is wanted", then)
	case policy != queue.Update:
		return "", errs.Field("then", `then belongs to "on_conflict": "update"`)
	}
	return queue.Requeue, nil
}

// documentOrList answers both forms of the same path: one document by its subject, or a list.
type documentOrList struct {
	Body any
}

func (s *Server) listDocuments(ctx context.Context, in *inDocuments) (*documentOrList, error) {
	if in.Subject != "" {
		d, err := s.document(ctx, in.Queue, in.Subject, in.Logs, in.Journal)
		return &documentOrList{d}, err
	}
	f, err := s.documentFilter(in)
	if err != nil {
		return nil, err
	}
	page, err := s.Engine.Docs(ctx, in.Queue, f)
	if err != nil {
		return nil, err
	}
	return &documentOrList{client.DocumentsResponse{Documents: each(page.Documents, clientDocument), NextCursor: cursor(page.Next)}}, nil
}

// documentFilter reads the filter of a list.
func (s *Server) documentFilter(in *inDocuments) (f queue.DocFilter, err error) {
	f = queue.DocFilter{
		SubjectPrefix: in.SubjectPrefix, Version: in.Version.given, Priority: in.Priority.given, AttemptsMin: in.AttemptsMin, Worker: in.Worker,
		Order: in.Order, Limit: in.Limit, Cursor: in.Cursor,
	}
	for _, text := range []struct{ field, value string }{{"subject_prefix", in.SubjectPrefix}, {"worker", in.Worker}} {
		if err := wire.CheckText(text.field, text.value, 255); err != nil {
			return f, err
		}
	}
	if in.Status != "" {
		status, _ := queue.ParseStatus(in.Status) // huma has checked the word
		f.Status = &status
	}
	if in.Payload != "" {
		f.Payload = []byte(in.Payload)
	}
	for _, m := range []struct {
		field, text string
		to          **time.Time
	}{
		{"due_after", in.DueAfter, &f.Due.From}, {"due_before", in.DueBefore, &f.Due.To}, {"finished_after", in.FinishedAfter, &f.Finished.From},
		{"finished_before", in.FinishedEnd, &f.Finished.To}, {"created_after", in.CreatedAfter, &f.Created.From}, {"created_before", in.CreatedBefore, &f.Created.To},
	} {
		at, wrong := s.moment(m.field, m.text)
		if !at.IsZero() {
			*m.to = &at
		}
		err = errors.Join(err, wrong)
	}
	return f, err
}

func (s *Server) getDocument(ctx context.Context, in *inDocument) (*out[client.Document], error) {
	name, err := subject(in.Subject)
	if err != nil {
		return nil, err
	}
	d, err := s.document(ctx, in.Queue, name, in.Logs, in.Journal)
	return &out[client.Document]{d}, err
}

// document returns one document, with the last lines of the log and of the journal about it if asked.
func (s *Server) document(ctx context.Context, queueName, name string, logs, journal int) (client.Document, error) {
	if err := wire.CheckSubject(name); err != nil {
		return client.Document{}, err
	}
	d, err := s.Engine.Doc(ctx, queueName, name)
	if err != nil {
		return client.Document{}, err
	}
	answer := clientDocument(d)
	if logs > 0 {
		page, err := s.Engine.Logs(ctx, queueName, queue.LogFilter{Subject: name, Limit: logs})
		if err != nil {
			return client.Document{}, err
		}
		answer.Logs = each(page.Logs, clientLog)
	}
	if journal > 0 {
		list, err := s.Engine.Journal(ctx, queueName, name, journal, 0)
		if err != nil {
			return client.Document{}, err
		}
		answer.Journal = each(list, clientTransition)
		for i := range answer.Journal {
			answer.Journal[i].Queue = ""
		}
	}
	return answer, nil
}

func (s *Server) trace(ctx context.Context, in *struct {
	Subject string `path:"subject"`
}) (*out[client.TraceResponse], error) {
	name, err := subject(in.Subject)
	if err != nil {
		return nil, err
	}
	return s.traceSubject(ctx, name)
}

func (s *Server) traceQuery(ctx context.Context, in *struct {
	Subject string `query:"subject" required:"true"`
}) (*out[client.TraceResponse], error) {
	return s.traceSubject(ctx, in.Subject)
}

func (s *Server) traceSubject(ctx context.Context, name string) (*out[client.TraceResponse], error) {
	only, err := s.allowed(ctx)
	if err != nil {
		return nil, err
	}
	t, err := s.Engine.Trace(ctx, name, only)
	if err != nil {
		return nil, err
	}
	return &out[client.TraceResponse]{client.TraceResponse{
		Documents: each(t.Documents, clientDocument), Logs: each(t.Logs, clientLog), Journal: each(t.Journal, clientTransition),
	}}, nil
}
