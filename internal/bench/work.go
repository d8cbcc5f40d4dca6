package bench

import (
	"context"
	"time"

	"github.com/fetchq/server/client"
)

// pushBy returns how a document is pushed by the door of the options.
func (r *run) pushBy() func(ctx context.Context, worker, turn, size int) (int, error) {
	if r.o.By == ByHTTP {
		return r.pushHTTP
	}
	return r.pushSQL
}

func ingest(_ context.Context, r *run) (load, error) {
	return r.pushing(r.pushBy()), nil
}

func stream(_ context.Context, r *run) (load, error) {
	return r.pushing(r.streamHTTP), nil
}

func (r *run) pushing(call func(ctx context.Context, worker, turn, size int) (int, error)) load {
	return load{workers: r.o.Connections, turn: func(ctx context.Context, worker, turn int) (step, error) {
		n, err := call(ctx, worker, turn, r.o.Batch)
		return step{documents: n}, err
	}}
}

// drainBy returns a pick with the completion of what it brought.
func (r *run) drainBy() func(ctx context.Context, size int) (step, error) {
	if r.o.By == ByHTTP {
		return r.drainHTTP
	}
	return r.drainSQL
}

func drain(ctx context.Context, r *run) (load, error) {
	call := r.drainBy()
	return load{workers: r.o.Connections, turn: func(ctx context.Context, _, _ int) (step, error) {
		return call(ctx, r.o.Batch)
	}}, r.prepare(ctx)
}

// mix lets every second worker push and the others drain. The documents are those that were completed.
func mix(ctx context.Context, r *run) (load, error) {
	push, drain := r.pushBy(), r.drainBy()
	return load{workers: max(r.o.Connections, 2), turn: func(ctx context.Context, worker, turn int) (step, error) {
		if worker%2 == 1 {
			n, err := push(ctx, worker, turn, r.o.Batch)
			return step{pushed: n}, err
		}
		did, err := drain(ctx, r.o.Batch)
		did.over = false // more is on its way
		return did, err
	}}, r.prepare(ctx)
}

// pick measures picks alone: what they bring is completed beside the clock.
func pick(ctx context.Context, r *run) (load, error) {
	return load{workers: r.o.Connections, turn: func(ctx context.Context, _, _ int) (step, error) {
		at := r.Now()
		if r.o.By == ByHTTP {
			picked, err := r.http.Pick(ctx, r.queue, client.PickRequest{Limit: r.o.Batch, Worker: "bench"})
			took := r.Now().Sub(at)
			if err != nil || len(picked.Documents) == 0 {
				return step{over: true}, err
			}
			n, err := r.completeHTTP(ctx, picked.Documents)
			return step{documents: n, took: took}, err
		}
		h, err := r.pickSQL(ctx, 0, r.o.Batch)
		took := r.Now().Sub(at)
		if err != nil || len(h.subjects) == 0 {
			return step{over: true}, err
		}
		n, err := r.completeSQL(ctx, h)
		return step{documents: n, took: took}, err
	}}, r.prepare(ctx)
}

// picksNothing measures picks of a payload version that find nothing.
func (r *run) picksNothing(version int) load {
	return load{workers: r.o.Connections, turn: func(ctx context.Context, _, _ int) (step, error) {
		if r.o.By == ByHTTP {
			picked, err := r.http.Pick(ctx, r.queue, client.PickRequest{Limit: r.o.Batch, Version: version, Worker: "bench"})
			return step{documents: len(picked.Documents)}, err
		}
		h, err := r.pickSQL(ctx, version, r.o.Batch)
		return step{documents: len(h.subjects)}, err
	}}
}

func empty(ctx context.Context, r *run) (load, error) {
	return r.picksNothing(0), r.prepare(ctx)
}

// elsewhere picks from a version that nobody has pushed.
func elsewhere(ctx context.Context, r *run) (load, error) {
	r.o.NoMarks = true // they are those of another version
	return r.picksNothing(1), r.prepare(ctx)
}

// emptied drains a queue and picks at once from what is left: dead index entries.
func emptied(ctx context.Context, r *run) (load, error) {
	if err := r.prepare(ctx); err != nil {
		return load{}, err
	}
	began := r.Now()
	o := r.o
	r.o.Workload, r.o.Duration = "drain", maxDuration
	call := r.drainBy()
	_, err := r.repeat(ctx, load{workers: 4, turn: func(ctx context.Context, _, _ int) (step, error) { return call(ctx, maxDrain(o.Payload)) }})
	r.o = o
	if took := r.Now().Sub(began); took > 10*time.Second {
		r.Say("drained in " + took.Round(time.Second).String())
	}
	return r.picksNothing(0), err
}

// maxDrain is how many documents a call takes that only has to be done with.
func maxDrain(payload int) int { return max(min(maxBatch, maxCall/payload/2), 1) }
