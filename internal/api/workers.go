package api

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/fetchq/server/client"
	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/metrics"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
)

func (s *Server) workerRoutes() {
	register(s, route{method: http.MethodGet, path: "/workers", needs: auth.See, summary: "List workers"}, s.listWorkers)
	register(s, route{
		method: http.MethodPost, path: "/workers/{worker}/quiet", needs: auth.Halt, summary: "Ask a worker to finish what it holds, and hand it nothing more",
	}, s.quietWorker)
	register(s, route{method: http.MethodPost, path: "/workers/{worker}/wake", needs: auth.Halt, summary: "Let a quiet worker go on"}, s.wakeWorker)
}

// InWorker is the input of a call about one worker.
type InWorker struct {
	Worker string `path:"worker" doc:"The name, escaped."`
}

// name decodes the name of a worker from the path, once, and checks it. A token that is limited to some queues may not ask: the worker
// may work in others.
func (in *InWorker) name(ctx context.Context) (string, error) {
	if tokenOf(ctx).Queues != nil {
		return "", &errs.Error{Code: errs.Forbidden, Message: "the token is limited to some queues, and workers are not"}
	}
	name, err := url.PathUnescape(in.Worker)
	if err != nil {
		return "", errs.Field("worker", "the path is not escaped rightly; %% stands before two hexadecimal digits")
	}
	return name, wire.CheckText("worker", name, queue.MaxWorker)
}

func (s *Server) quietWorker(ctx context.Context, in *InWorker) (*out[client.WorkerQuiet], error) {
	name, err := in.name(ctx)
	if err != nil {
		return nil, err
	}
	q, err := s.Engine.Quiet(ctx, name)
	if err != nil {
		return nil, err
	}
	return &out[client.WorkerQuiet]{client.WorkerQuiet{Name: name, Quiet: clientQuiet(&q)}}, nil
}

func (s *Server) wakeWorker(ctx context.Context, in *InWorker) (*out[client.WorkerQuiet], error) {
	name, err := in.name(ctx)
	if err == nil {
		_, err = s.Engine.Wake(ctx, name)
	}
	return &out[client.WorkerQuiet]{client.WorkerQuiet{Name: name}}, err
}

func (s *Server) listWorkers(ctx context.Context, in *struct {
	Queue  string `query:"queue" maxLength:"40" doc:"Those that work in this queue."`
	State  string `query:"state" enum:"silent,quiet,working,waiting,gone"`
	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"200"`
	Cursor string `query:"cursor"`
}) (*out[client.WorkersResponse], error) {
	if in.Queue != "" {
		if err := seeQueue(ctx, in.Queue); err != nil {
			return nil, err
		}
		if _, err := s.Engine.Get(ctx, in.Queue); err != nil {
			return nil, err
		}
	}
	after := ""
	if in.Cursor != "" {
		parts, err := wire.DecodeCursor(in.Cursor, 1)
		if err != nil {
			return nil, errs.Field("cursor", "is not one that this list gave; ask again without it")
		}
		after = parts[0]
	}
	token := tokenOf(ctx)
	all, err := s.Engine.Workers(ctx)
	if err != nil {
		return nil, err
	}
	answer := client.WorkersResponse{Workers: []client.WorkerInfo{}, Partial: []string{}, Whole: all.Whole}
	if token.Queues == nil {
		answer.Unnamed = &all.Unnamed
	}
	for _, name := range all.Partial {
		if token.Sees(name) {
			answer.Partial = append(answer.Partial, name)
		}
	}
	for _, w := range all.List {
		if token.Queues != nil || in.Queue != "" {
			w = w.In(func(q string) bool { return token.Sees(q) && (in.Queue == "" || q == in.Queue) }, all.AsOf)
			if len(w.Posts) == 0 {
				continue
			}
		}
		if in.State != "" && string(w.State) != in.State || after != "" && w.Name <= after {
			continue
		}
		if n := len(answer.Workers); n == in.Limit {
			answer.NextCursor = cursor(wire.EncodeCursor(answer.Workers[n-1].Name))
			break
		}
		answer.Workers = append(answer.Workers, clientWorker(w))
	}
	return &out[client.WorkersResponse]{answer}, nil
}

func clientWorker(w queue.Worker) client.WorkerInfo {
	info := client.WorkerInfo{Name: w.Name, State: string(w.State), Queues: []client.WorkerQueue{}, Quiet: clientQuiet(w.Quiet)}
	if !w.Seen.IsZero() {
		info.SeenAt = optionalTime(&w.Seen)
	}
	info.WorkerDoes = clientDoes(w.Did, w.PicksPerMin, w.Holds)
	for _, p := range w.Posts {
		info.Queues = append(info.Queues, client.WorkerQueue{Queue: p.Queue, SeenAt: optionalTime(p.SeenAt), WorkerDoes: clientDoes(p.Did, p.Did.PerMin(), p.Holds)})
	}
	return info
}

func clientDoes(d queue.Did, picks float64, h queue.Holds) client.WorkerDoes {
	does := client.WorkerDoes{Active: h.Documents, PicksPerMin: picks}
	if share, known := d.ErrorShare(); known {
		does.ErrorRate = &share
	}
	var works metrics.Histogram
	works.AddBuckets(d.Buckets, d.Counts, d.Sum, d.Low, d.High)
	if works.Count > 0 {
		p95 := works.Quantile(0.95)
		does.WorkP95 = &p95
	}
	if h.Documents > 0 {
		does.HeldSince, does.LeaseExpiresAt = heldTime(h.FirstPick), heldTime(h.FirstEnd)
	}
	return does
}

func heldTime(t time.Time) *client.Time {
	if t.IsZero() {
		return nil
	}
	return &client.Time{Time: t}
}

func clientQuiet(q *queue.Quiet) *client.Quiet {
	if q == nil {
		return nil
	}
	return &client.Quiet{Since: clientTime(q.Since), By: q.By}
}
