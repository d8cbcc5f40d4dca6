package api

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/wire"
)

// route is one call of the API as it is described and guarded.
type route struct {
	method, path string          // below base
	needs        auth.Permission // "": the handler asks for it
	least        auth.Permission // where the handler asks: what any form of the call needs
	summary      string
	status       int // of the answer; 0: 200
	body         any // the type of the body; nil: none
	large        bool
	line         *room // nil: the calls
}

// InQueue is the input of a call about one queue. (huma reads only exported parts of an input.)
type InQueue struct {
	Queue string `path:"queue" doc:"1 to 40 of a-z, 0-9 and _; begins with a letter."`
}

// WithBody is the input of a call with a body. The bytes are good until they are released, at the latest when the handler
// returns. (huma sees no body here: it would read it before the right is known, and keep it as long as the call takes.)
type WithBody struct {
	sent *body
}

func (w *WithBody) put(b *body) { w.sent = b }

// out is an answer with a body of type T.
type out[T any] struct {
	Body T
}

// empty is an answer without a body.
type empty struct{}

// register adds a call to the API: guarded by the right and the queue of its token, then by the room for bodies, then by
// the line of calls that run.
func register[I, O any](s *Server, r route, handle func(ctx context.Context, in *I) (*O, error)) {
	op := huma.Operation{
		Method: r.method, Path: base + r.path, Summary: r.summary, DefaultStatus: r.status,
		OperationID: operationID(r.method, r.path),
		Errors:      []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound},
	}
	if r.needs != "" {
		op.Summary += " [" + auth.RightFor(r.needs) + "]"
	}
	most := int64(maxSmallBody)
	if r.large {
		most = maxBody
	}
	line := r.line
	if line == nil {
		line = s.calls
	}
	// The right comes before the rest of a request is looked at: who has none is told nothing of it.
	op.Middlewares = huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) {
		if err := permit(ctx.Context(), cmp.Or(r.needs, r.least), ctx.Param("queue")); err != nil {
			s.fail(err, humaecho.Unwrap(ctx))
			return
		}
		next(ctx)
	}}
	huma.Register(s.huma, op, func(ctx context.Context, in *I) (*O, error) {
		if with, ok := any(in).(interface{ put(b *body) }); ok {
			sent, err := s.read(ctx, most)
			if err != nil {
				return nil, toProblem(err)
			}
			defer sent.release()
			with.put(sent)
		}
		leave, err := line.enter(ctx, tokenOf(ctx).ID)
		if err != nil {
			return nil, toProblem(err)
		}
		defer leave()
		answer, err := handle(ctx, in)
		if err != nil {
			return nil, toProblem(err)
		}
		return answer, nil
	})
	s.describeBody(r)
}

// describeBody puts the type of a body in the place of the bytes that huma hands on.
func (s *Server) describeBody(r route) {
	if r.body == nil {
		return
	}
	item := s.huma.OpenAPI().Paths[base+r.path]
	op := map[string]*huma.Operation{http.MethodPut: item.Put, http.MethodPatch: item.Patch, http.MethodPost: item.Post}[r.method]
	types := s.huma.OpenAPI().Components.Schemas
	schema := types.Schema(reflect.TypeOf(r.body), true, "")
	op.RequestBody = &huma.RequestBody{Content: map[string]*huma.MediaType{"application/json": {Schema: schema, Example: sample(types, schema)}}}
}

// permit refuses a call whose token lacks the right or the queue, where the call is about one.
func permit(ctx context.Context, needs auth.Permission, queue string) error {
	if needs != "" {
		if err := need(ctx, needs); err != nil {
			return err
		}
	}
	if queue != "" {
		return seeQueue(ctx, queue)
	}
	return nil
}

func need(ctx context.Context, p auth.Permission) error {
	if !tokenOf(ctx).May(p) {
		return errs.New(errs.Forbidden, "the token lacks the right %s", auth.RightFor(p))
	}
	return nil
}

func seeQueue(ctx context.Context, queue string) error {
	if !tokenOf(ctx).Sees(queue) {
		return &errs.Error{Code: errs.Forbidden, Field: "queue", Message: "the token is limited to other queues"}
	}
	return nil
}

// allowed returns the names of those queues that the token sees; nil means all.
func (s *Server) allowed(ctx context.Context) ([]string, error) {
	token := tokenOf(ctx)
	if token.Queues == nil {
		return nil, nil
	}
	names, err := s.Engine.Names(ctx)
	if err != nil {
		return nil, err
	}
	seen := []string{}
	for _, name := range names {
		if token.Sees(name) {
			seen = append(seen, name)
		}
	}
	return seen, nil
}

// subject decodes a subject from the path, once, and checks it.
func subject(escaped string) (string, error) {
	text, err := url.PathUnescape(escaped)
	if err != nil {
		return "", errs.Field("subject", "the path is not escaped rightly; %% stands before two hexadecimal digits")
	}
	return text, wire.CheckSubject(text)
}

// decode reads a body that may be left out.
func decode(body []byte, v any) error {
	if len(body) == 0 {
		return nil
	}
	return wire.Decode(body, v)
}

// operationID names a call in the OpenAPI document.
func operationID(method, path string) string {
	words := strings.FieldsFunc(path, func(r rune) bool { return r == '/' || r == '{' || r == '}' })
	return strings.ToLower(method) + "-" + strings.Join(words, "-")
}
