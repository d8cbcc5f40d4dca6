package bench

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/fetchq/server/client"
)

// pushHTTP pushes one call of documents.
func (r *run) pushHTTP(ctx context.Context, worker, turn, size int) (int, error) {
	docs := make([]client.Push, size)
	for i, subject := range subjects(worker, turn, size) {
		docs[i] = client.Push{Subject: subject, Payload: json.RawMessage(r.payload)}
	}
	answer, err := r.http.Push(ctx, r.queue, client.PushRequest{Documents: docs})
	if err == nil && answer.Created != size {
		err = fmt.Errorf("%d of %d documents were created", answer.Created, size)
	}
	return answer.Created, err
}

// streamHTTP pushes one body of lines.
func (r *run) streamHTTP(ctx context.Context, worker, turn, size int) (int, error) {
	payload := json.RawMessage(r.payload)
	answer, err := r.http.PushStream(ctx, r.queue, func(yield func(client.Push, error) bool) {
		for i := range size {
			if !yield(client.Push{Subject: fmt.Sprintf("https://bench.example/%d/%d/%d", worker, turn, i), Payload: payload}, nil) {
				return
			}
		}
	})
	if err == nil && answer.Created != size {
		err = fmt.Errorf("%d of %d lines were created", answer.Created, size)
	}
	return answer.Created, err
}

// drainHTTP is a pick and the completion of what it brought.
func (r *run) drainHTTP(ctx context.Context, size int) (step, error) {
	picked, err := r.http.Pick(ctx, r.queue, client.PickRequest{Limit: size, Worker: "bench"})
	if err != nil || len(picked.Documents) == 0 {
		return step{over: true}, err
	}
	n, err := r.completeHTTP(ctx, picked.Documents)
	return step{documents: n}, err
}

func (r *run) completeHTTP(ctx context.Context, docs []client.Leased) (int, error) {
	return okay(r.http.Resolve(ctx, r.queue, r.ended(docs)...))
}

func (r *run) ended(docs []client.Leased) []client.Resolution {
	all := make([]client.Resolution, len(docs))
	for i, d := range docs {
		action, message := r.ending()
		all[i] = client.Resolution{Subject: d.Subject, Lease: d.Lease, Action: action}
		if message != nil {
			all[i].Message = *message
		}
	}
	return all
}

// okay wants every resolution to be ok.
func okay(results []client.Result, err error) (int, error) {
	for _, res := range results {
		if res.Outcome != client.OutcomeOK {
			return 0, fmt.Errorf("a document was not completed, but is %s", res.Outcome)
		}
	}
	return len(results), err
}

// together completes what the pick before brought in the call that picks anew.
func together(ctx context.Context, r *run) (load, error) {
	held := make([][]client.Leased, r.o.Connections)
	return load{
		workers: r.o.Connections,
		turn: func(ctx context.Context, worker, _ int) (step, error) {
			picked, err := r.http.Pick(ctx, r.queue, client.PickRequest{Limit: r.o.Batch, Worker: "bench", Resolutions: r.ended(held[worker])})
			if err != nil {
				return step{}, err
			}
			held[worker] = picked.Documents
			n, err := okay(picked.Results, nil)
			return step{documents: n, over: n == 0 && len(picked.Documents) == 0}, err
		},
		finish: func(ctx context.Context, worker int) (int, error) {
			if len(held[worker]) == 0 {
				return 0, nil
			}
			return r.completeHTTP(ctx, held[worker])
		},
	}, r.prepare(ctx)
}
