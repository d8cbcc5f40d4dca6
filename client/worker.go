package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"
)

// Causes of the end of a handler's context (context.Cause).
var (
	// ErrLeaseLost says that the document's lease is over: somebody else may have it, and what the handler returns is
	// not sent.
	ErrLeaseLost = errors.New("the lease is over")
	// ErrDrained says that the worker was stopped and its Drain is over. What the handler returns is still sent.
	ErrDrained = errors.New("the worker was stopped")
)

// Worker picks documents of a queue and hands each to a Handler. The zero value of each field but Client, Queue and
// Handler works.
//
// While a document is held its lease is extended at each third of Lock, also while it waits for a free handler. What
// became of documents travels with the next pick; where none comes soon, with a call of its own. If the server cannot
// be reached the worker goes on trying until its context ends.
//
// A worker that is asked to go quiet (on the page of the workers, or by QuietWorker) finishes what it holds, logs that it was asked, and
// asks for nothing more but, now and then, whether it may go on. Run does not return: a program that ends would be started anew, and
// would have to be told again. Who waits for it, to stop the program, sees at the server that it holds nothing any more.
type Worker struct {
	Client *Client
	Queue  string

	// Handler does the work for one document and says what comes next. A panic is a reject. Its context ends when the
	// lease is lost (ErrLeaseLost) or the worker's Drain is over (ErrDrained). Subject and Lease of what it returns
	// are filled in.
	Handler func(ctx context.Context, doc Leased) Resolution

	Version     int           // the payload version that the handler understands
	Name        string        // how the worker is called in documents and logs; default: host and process number
	Concurrency int           // handlers at work at a time; default 1
	Prefetch    int           // documents held beyond those in a handler's hands; default 0, up to 1,000
	Batch       int           // documents asked for in a pick; default and limit: what the worker may hold, 1,000
	Lock        time.Duration // of a lease; default 5m, at least 1 s, at most 24 h
	Wait        time.Duration // for the first document of a pick; default 20s, at most 60s
	Delay       time.Duration // at most for a resolution that no pick takes along; default 50ms
	Drain       time.Duration // for handlers to finish after the context's end; default 30s
	Log         *slog.Logger  // default: none
}

// Run works until ctx ends, and then drains: it picks no more, lets the handlers finish all that is held, ends their
// contexts after Drain, sends what they returned, and returns nil. It returns once every handler has returned. What a
// pick that was under way had leased, and what could not be sent, comes back when the leases run out.
//
// It ends by itself only where going on is of no use: a wrong setting, or an answer that another try would not change
// (no such queue, a token without the right). That error is returned after the same drain.
func (w Worker) Run(ctx context.Context) error {
	if err := w.fill(); err != nil {
		return err
	}
	return newRun(w).run(ctx)
}

// fill checks the fields and fills in their defaults.
func (w *Worker) fill() error {
	if w.Client == nil || w.Queue == "" || w.Handler == nil {
		return errors.New("a worker needs a Client, a Queue and a Handler")
	}
	if w.Name == "" {
		host, err := os.Hostname()
		if err != nil {
			host = "unknown"
		}
		w.Name = fmt.Sprintf("%s:%d", host, os.Getpid())
	}
	if w.Log == nil {
		w.Log = slog.New(slog.DiscardHandler)
	}
	w.Concurrency = or(w.Concurrency, 1)
	w.Batch = min(or(w.Batch, w.Concurrency+w.Prefetch), w.Concurrency+w.Prefetch, maxBatch)
	w.Lock = or(w.Lock, 5*time.Minute)
	w.Wait = or(w.Wait, 20*time.Second)
	w.Delay = or(w.Delay, 50*time.Millisecond)
	w.Drain = or(w.Drain, 30*time.Second)
	switch {
	case w.Concurrency < 0 || w.Batch < 0 || w.Prefetch < 0 || w.Prefetch > maxBatch:
		return fmt.Errorf("a worker with concurrency %d, prefetch %d and batch %d: none is negative, and prefetch at most %d",
			w.Concurrency, w.Prefetch, w.Batch, maxBatch)
	case w.Lock < time.Second || w.Lock > 24*time.Hour:
		return fmt.Errorf("a worker with a lock of %v: it is from 1 s to 24 h", w.Lock)
	case w.Wait < 0 || w.Wait > time.Minute:
		return fmt.Errorf("a worker with a wait of %v: it is at most 60 s", w.Wait)
	}
	return nil
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
