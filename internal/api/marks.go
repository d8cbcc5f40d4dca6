package api

import (
	"context"
	"net/http"

	"github.com/fetchq/server/client"
	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/wire"
)

func (s *Server) markRoutes() {
	register(s, route{
		method: http.MethodPost, path: "/marks", needs: auth.Note, summary: "Note an event that charts show, such as a deploy", body: client.MarkRequest{},
		status: http.StatusCreated,
	}, s.addMark)
}

func (s *Server) addMark(ctx context.Context, in *WithBody) (*out[client.Mark], error) {
	var body client.MarkRequest
	if err := wire.Decode(in.sent.bytes, &body); err != nil {
		return nil, err
	}
	if err := wire.CheckText("text", body.Text, 200); err != nil {
		return nil, err
	}
	at, err := s.moment("at", body.At)
	if err != nil {
		return nil, err
	}
	token := tokenOf(ctx)
	switch {
	case body.Queue != "":
		if err := seeQueue(ctx, body.Queue); err != nil {
			return nil, err
		}
		if _, err := s.Engine.Get(ctx, body.Queue); err != nil {
			return nil, err
		}
	case token.Queues != nil:
		return nil, &errs.Error{Code: errs.Forbidden, Field: "queue", Message: "the token is limited to some queues; name one of them"}
	}
	m, err := s.Charts.AddMark(ctx, body.Queue, body.Text, token.Name, at)
	if err != nil {
		return nil, err
	}
	return &out[client.Mark]{client.Mark{At: m.At, Text: m.Text, Queue: body.Queue}}, nil
}
