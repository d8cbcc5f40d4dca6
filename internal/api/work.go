package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/fetchq/server/client"
	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
)

func (s *Server) workRoutes() {
	register(s, route{
		method: http.MethodPost, path: "/queues/{queue}/pick", needs: auth.Hold, summary: "Pick documents under a lease", body: client.PickRequest{},
		large: true, line: s.picks,
	}, s.pick)
	register(s, route{
		method: http.MethodPost, path: "/queues/{queue}/resolve", needs: auth.Hold, summary: "End leases", body: client.ResolveRequest{}, large: true,
	}, s.resolve)
	register(s, route{
		method: http.MethodPost, path: "/queues/{queue}/extend", needs: auth.Hold, summary: "Extend leases", body: client.ExtendRequest{}, large: true,
	}, s.extend)
}

// pick carries out the resolutions that come along, then picks. They stand also when the pick fails: a caller that repeats
// the call is told already.
func (s *Server) pick(ctx context.Context, in *InQueueBody) (*out[client.PickResponse], error) {
	var answer client.PickResponse
	p, err := s.resolveFirst(ctx, in, &answer)
	if err != nil {
		return nil, err
	}
	in.sent.release() // the pick may wait for a minute, and there may be thousands of them
	picked, err := s.Engine.Pick(ctx, in.Queue, p)
	if err != nil {
		return nil, err
	}
	answer.Documents = each(picked.Documents, clientLeased)
	answer.Control = clientControl(picked.Told)
	return &out[client.PickResponse]{answer}, nil
}

// resolveFirst reads a pick, and carries out its resolutions. Nothing that it returns points into the body.
func (s *Server) resolveFirst(ctx context.Context, in *InQueueBody, answer *client.PickResponse) (queue.PickParams, error) {
	var body client.PickRequest
	if err := decode(in.sent.bytes, &body); err != nil {
		return queue.PickParams{}, err
	}
	p, err := pickParams(ctx, body)
	if err != nil || len(body.Resolutions) == 0 {
		return p, err
	}
	answer.Results, err = s.resolveAll(ctx, in.Queue, body.Worker, body.Resolutions)
	return p, err
}

func pickParams(ctx context.Context, body client.PickRequest) (queue.PickParams, error) {
	p := queue.PickParams{Limit: body.Limit, Version: body.Version, Worker: body.Worker, IdempotencyKey: ownKey(ctx, body.IdempotencyKey)}
	var err error
	if p.Lock, err = lockOf(body.Lock); err != nil {
		return p, err
	}
	if p.Wait, err = durationOf("wait", body.Wait); err != nil {
		return p, err
	}
	if err := wire.CheckText("worker", body.Worker, queue.MaxWorker); err != nil {
		return p, err
	}
	return p, wire.CheckText("idempotency_key", body.IdempotencyKey, 255)
}

func (s *Server) resolve(ctx context.Context, in *InQueueBody) (*out[client.ResolveResponse], error) {
	var body client.ResolveRequest
	if err := wire.Decode(in.sent.bytes, &body); err != nil {
		return nil, err
	}
	if len(body.Resolutions) == 0 {
		return nil, errs.Field("resolutions", "1 to %d resolutions are wanted", queue.MaxBatch)
	}
	if err := wire.CheckText("worker", body.Worker, queue.MaxWorker); err != nil {
		return nil, err
	}
	results, err := s.resolveAll(ctx, in.Queue, body.Worker, body.Resolutions)
	return &out[client.ResolveResponse]{client.ResolveResponse{Results: results}}, err
}

// resolveAll resolves the good items of a batch; worker is who says they are his. What a token may not forward to is refused before anything is done.
func (s *Server) resolveAll(ctx context.Context, queueName, worker string, items []client.Resolution) ([]client.Result, error) {
	for _, r := range items {
		if r.Action == client.ActionForward {
			if err := mayForward(ctx, r.ToQueue); err != nil {
				return nil, err
			}
		}
	}
	results, err := sift(items, resolution, func(r client.Resolution) string { return r.Subject }, func(good []queue.Resolution) ([]queue.Result, error) {
		return s.Engine.ResolveOf(ctx, queueName, worker, good)
	})
	if err != nil {
		return nil, err
	}
	return clientResults(results), nil
}

func (s *Server) extend(ctx context.Context, in *InQueueBody) (*out[client.ExtendResponse], error) {
	var body client.ExtendRequest
	if err := wire.Decode(in.sent.bytes, &body); err != nil {
		return nil, err
	}
	lock, err := lockOf(body.Lock)
	if err != nil {
		return nil, err
	}
	if err := wire.CheckText("progress", body.Progress, maxPayload); err != nil {
		return nil, err
	}
	if len(body.Leases) == 0 {
		return nil, errs.Field("leases", "1 to %d leases are wanted", queue.MaxBatch)
	}
	leases := make([]queue.Lease, len(body.Leases))
	for i, l := range body.Leases {
		if err := wire.CheckSubject(l.Subject); err != nil {
			return nil, within(fmt.Sprintf("leases[%d].subject", i), err)
		}
		leases[i] = queue.Lease{Subject: l.Subject, Lease: l.Lease}
	}
	results, told, err := s.Engine.Extend(ctx, in.Queue, leases, lock, body.Progress)
	if err != nil {
		return nil, err
	}
	answer := client.ExtendResponse{Control: clientControl(told)}
	answer.Results = each(results, func(r queue.ExtendResult) client.ExtendResult {
		return client.ExtendResult{Subject: r.Subject, Outcome: r.Outcome, Detail: r.Detail, LeaseExpiresAt: optionalTime(r.ExpiresAt)}
	})
	return &out[client.ExtendResponse]{answer}, nil
}
