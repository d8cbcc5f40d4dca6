package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/fetchq/server/client"
	"github.com/fetchq/server/internal/audit"
	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
)

type inAction struct {
	InQueue
	WithBody
	Key     string `header:"Idempotency-Key" maxLength:"255" doc:"Makes the call repeatable for 24 hours. With a lease it is so without."`
	Subject string `path:"subject" doc:"The subject, escaped."`
	Action  string `path:"action" enum:"complete,reschedule,reject,kill,drop,forward,run_now,retry,release,edit"`
}

type inActionQuery struct {
	InQueue
	WithBody
	Key     string `header:"Idempotency-Key" maxLength:"255" doc:"Makes the call repeatable for 24 hours. With a lease it is so without."`
	Subject string `query:"subject" required:"true"`
	Action  string `path:"action" enum:"complete,reschedule,reject,kill,drop,forward,run_now,retry,release,edit"`
}

func (s *Server) actionRoutes() {
	register(s, route{
		method: http.MethodPost, path: "/queues/{queue}/documents/{subject}/{action}", least: auth.Hold, body: client.Resolution{}, large: true,
		summary: "Act on one document [work with a lease, admin without]",
	}, func(ctx context.Context, in *inAction) (*actedOut, error) {
		name, err := subject(in.Subject)
		if err != nil {
			return nil, err
		}
		return s.act(ctx, in.Queue, name, in.Action, in.Key, in.sent.bytes)
	})
	register(s, route{
		method: http.MethodPost, path: "/queues/{queue}/documents/{action}", least: auth.Hold, body: client.Resolution{}, large: true,
		summary: "Act on a document, with its subject in the query [work with a lease, admin without]",
	}, func(ctx context.Context, in *inActionQuery) (*actedOut, error) {
		return s.act(ctx, in.Queue, in.Subject, in.Action, in.Key, in.sent.bytes)
	})
}

// actedOut is the answer to an action.
type actedOut struct {
	Status int // 204 where a repeated call finds the document gone
	Body   client.Document
}

// act carries out one action on one document: with a lease as a worker resolves it, without one as an admin, then once under a
// key. The answer is the document after it, or, where it is gone, as it stood last.
func (s *Server) act(ctx context.Context, queueName, name, action, key string, raw []byte) (*actedOut, error) {
	var body client.Resolution
	if err := decode(raw, &body); err != nil {
		return nil, err
	}
	if body.Subject != "" && body.Subject != name || body.Action != "" && body.Action != action {
		return nil, errs.Field("subject", "the subject and action of the body are not those of the path; leave them out")
	}
	body.Subject, body.Action = name, action
	if err := mayAct(ctx, body); err != nil {
		return nil, err
	}
	item, detail := resolution(body)
	if detail != "" {
		if len(body.Payload) > maxPayload || len(body.Details) > maxPayload {
			return nil, &errs.Error{Code: errs.TooLarge, Field: firstWord(detail), Message: detail}
		}
		return nil, errs.Field(firstWord(detail), "%s", detail)
	}
	if err := wire.CheckText("Idempotency-Key", key, 255); err != nil {
		return nil, err
	}
	once := key != "" && body.Lease == 0
	before, err := s.document(ctx, queueName, name, 0, 0)
	if err != nil && (!once || errs.Of(err) != errs.NotFound) {
		return nil, err
	}
	known := err == nil // else the call may be a repeated one, which has dropped it
	var results []queue.Result
	switch {
	case once:
		results, err = s.Engine.ActOnce(ctx, queueName, ownKey(ctx, action+" "+key), item)
	case body.Lease != 0:
		results, err = s.Engine.Resolve(ctx, queueName, []queue.Resolution{item})
	default:
		results, err = s.Engine.Act(ctx, queueName, []queue.Resolution{item})
	}
	if err != nil {
		return nil, err
	}
	if err := refusal(results[0]); err != nil {
		return nil, err
	}
	if body.Lease == 0 {
		s.Audit.Count(ctx, audit.Entry{Action: audit.DocumentsAct, Target: queueName, Details: map[string]any{"action": action, "subject": name}})
	}
	after, err := s.document(ctx, queueName, name, 0, 0)
	switch {
	case errs.Of(err) == errs.NotFound && !known:
		return &actedOut{Status: http.StatusNoContent}, nil
	case errs.Of(err) == errs.NotFound:
		return &actedOut{http.StatusOK, before}, nil
	}
	return &actedOut{http.StatusOK, after}, err
}

// mayAct refuses what the token may not do: work needs a lease, all else is for admins; a forward pushes elsewhere.
func mayAct(ctx context.Context, r client.Resolution) error {
	needed := auth.Act
	if r.Lease != 0 {
		needed = auth.Hold
	}
	if err := need(ctx, needed); err != nil {
		return err
	}
	if r.Action == client.ActionForward {
		return mayForward(ctx, r.ToQueue)
	}
	return nil
}

func mayForward(ctx context.Context, toQueue string) error {
	if err := need(ctx, auth.Add); err != nil {
		return err
	}
	if !tokenOf(ctx).Sees(toQueue) {
		return &errs.Error{Code: errs.Forbidden, Field: "to_queue", Message: "the token is limited to other queues"}
	}
	return nil
}

// refusal is the error of a call about one document whose outcome is none of success.
func refusal(r queue.Result) error {
	switch r.Outcome {
	case client.OutcomeInvalid:
		return errs.Field(firstWord(r.Detail), "%s", r.Detail)
	case client.OutcomeNotFound:
		return &errs.Error{Code: errs.NotFound, Field: "subject", Message: "there is no such document in this queue"}
	case client.OutcomeStale:
		return &errs.Error{Code: errs.Stale, Field: "lease", Message: "the lease is over: it ran out, or somebody else ended it"}
	case client.OutcomeExists:
		return &errs.Error{Code: errs.Exists, Field: "subject", Message: "the subject stands in to_queue; this document ended all the same"}
	case client.OutcomeActive:
		return errs.New(errs.Active, "the document is held by a worker; release it first")
	}
	return nil
}

// firstWord is the field that a detail begins with; of several fields, the first.
func firstWord(detail string) string {
	word, _, _ := strings.Cut(detail, " ")
	return strings.TrimRight(word, ":,")
}
