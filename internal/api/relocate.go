package api

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/fetchq/server/client"
	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
)

func (s *Server) relocateRoutes() {
	register(s, route{
		method: http.MethodPost, path: "/queues/{queue}/rename", needs: auth.Manage, summary: "Give a queue another name", body: client.ToRequest{},
	}, s.renameQueue)
	register(s, route{
		method: http.MethodPost, path: "/queues/{queue}/clone", needs: auth.Manage, summary: "Make a queue with the settings of another",
		body: client.ToRequest{}, status: http.StatusCreated,
	}, s.cloneQueue)
	register(s, route{
		method: http.MethodPost, path: "/queues/{queue}/move", needs: auth.Manage, summary: "Move a paused queue to another tablespace",
		body: client.MoveRequest{}, status: http.StatusAccepted,
	}, s.moveQueue)
}

func (s *Server) renameQueue(ctx context.Context, in *InQueueBody) (*out[client.Queue], error) {
	to, err := toQueue(ctx, in.sent.bytes)
	if err != nil {
		return nil, err
	}
	return queueOut(s.Engine.Rename(ctx, in.Queue, to))
}

func (s *Server) cloneQueue(ctx context.Context, in *InQueueBody) (*out[client.Queue], error) {
	to, err := toQueue(ctx, in.sent.bytes)
	if err != nil {
		return nil, err
	}
	return queueOut(s.Engine.Clone(ctx, in.Queue, to))
}

// toQueue reads the name that a queue is to have; one that the token does not see is refused.
func toQueue(ctx context.Context, raw []byte) (string, error) {
	var body client.ToRequest
	if err := decode(raw, &body); err != nil {
		return "", err
	}
	if queue.CheckName(body.To) != nil {
		return "", errs.Field("to", "a queue's name is 1 to 40 of a-z, 0-9 and _, and begins with a letter")
	}
	if !tokenOf(ctx).Sees(body.To) {
		return "", &errs.Error{Code: errs.Forbidden, Field: "to", Message: "the token is limited to other queues"}
	}
	return body.To, nil
}

func (s *Server) moveQueue(ctx context.Context, in *InQueueBody) (*out[client.Queue], error) {
	var body struct {
		Tablespace json.RawMessage `json:"tablespace"`
	}
	if err := decode(in.sent.bytes, &body); err != nil {
		return nil, err
	}
	var name *string
	if json.Unmarshal(body.Tablespace, &name) != nil { // left out is no null
		return nil, errs.Field("tablespace", "the name of a tablespace is wanted, or null for the default")
	}
	if name != nil {
		if err := wire.CheckText("tablespace", *name, 63); err != nil {
			return nil, err
		}
	}
	return queueOut(s.Engine.Relocate(ctx, in.Queue, name))
}
