package client

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// run is one call of Worker.Run: a feeder that picks, handlers, and beside them a sender and an extender.
type run struct {
	Worker
	holds *holds
	work  chan *hold
	fail  context.CancelCauseFunc // ends the feeder where going on is of no use
	quiet atomic.Bool             // the worker is asked to go quiet
}

func newRun(w Worker) *run {
	return &run{Worker: w, holds: newHolds(), work: make(chan *hold, w.Concurrency+w.Prefetch)}
}

func (r *run) run(ctx context.Context) error {
	beside := context.WithoutCancel(ctx) // what goes on through the drain
	feeding, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	r.fail = fail

	var handlers, services sync.WaitGroup
	for range r.Concurrency {
		handlers.Go(func() {
			for h := range r.work {
				r.holds.returned(h, r.handle(h))
			}
		})
	}
	serving, stop := context.WithCancel(beside)
	services.Go(func() { r.send(serving) })
	services.Go(func() { r.extend(serving) })

	r.feed(feeding, beside)
	cause := context.Cause(feeding)
	close(r.work)
	patience := time.AfterFunc(r.Drain, func() { r.holds.cancelAll(ErrDrained) })
	handlers.Wait()
	patience.Stop()
	stop()
	services.Wait()
	r.flush(beside)

	if ctx.Err() != nil {
		return nil
	}
	return cause
}

// feed picks while there is room and ctx lasts.
func (r *run) feed(ctx, handling context.Context) {
	idle := 0 // empty answers in a row that did not wait
	for ctx.Err() == nil {
		room := r.Concurrency + r.Prefetch - r.holds.inHand()
		if room == 0 {
			select {
			case <-r.holds.freed:
			case <-ctx.Done():
			}
			continue
		}
		if r.quiet.Load() {
			sleep(ctx, r.Wait) // then one pick, which is handed nothing, tells whether that is still so
			if ctx.Err() != nil {
				return
			}
		}
		began := time.Now()
		answer, err := r.pick(ctx, handling, min(room, r.Batch))
		switch {
		case ctx.Err() != nil:
			return
		case hopeless(err):
			r.fail(err)
			return
		case err != nil:
			r.Log.Warn("pick failed; trying again", "queue", r.Queue, "error", err)
			idle++
		case len(answer.Documents) > 0 || time.Since(began) >= r.Wait/2 || answer.Control.Quiet:
			idle = 0
			continue
		default: // paused, or a server that is about to stop
			idle++
		}
		sleep(ctx, min(firstWait<<min(idle, 10), longestWait))
	}
}

// pick takes what is in the outbox along, and starts the work on what comes.
func (r *run) pick(ctx, handling context.Context, limit int) (PickResponse, error) {
	sent := r.holds.take()
	answer, err := r.Client.Pick(ctx, r.Queue, PickRequest{
		Limit: limit, Version: r.Version, Lock: r.Lock.String(), Wait: r.Wait.String(), Worker: r.Name,
		Resolutions: sent, IdempotencyKey: rand.Text(),
	})
	if err != nil {
		r.holds.put(sent)
		return answer, err
	}
	r.told(answer.Control)
	r.answered(sent, answer.Results)
	for _, doc := range answer.Documents {
		if h := r.holds.add(handling, doc, r.Lock); h != nil {
			r.work <- h // has room for all that may be held
		}
	}
	return answer, nil
}

// told takes in what came with an answer, and says so where it is new.
func (r *run) told(c Control) {
	if r.quiet.Swap(c.Quiet) == c.Quiet {
		return
	}
	if c.Quiet {
		r.Log.Info("asked to go quiet: finishing what is held, and asking for nothing more", "queue", r.Queue, "worker", r.Name, "documents", r.holds.inHand())
	} else {
		r.Log.Info("woken: asking for documents again", "queue", r.Queue, "worker", r.Name)
	}
}

// send sends resolutions that no pick takes along in time.
func (r *run) send(ctx context.Context) {
	for {
		select {
		case <-r.holds.filled:
		case <-ctx.Done():
			return
		}
		if !sleep(ctx, r.Delay) {
			return
		}
		if err := r.resolve(ctx); err != nil {
			sleep(ctx, longestWait)
		}
	}
}

// resolve sends one call's worth of the outbox.
func (r *run) resolve(ctx context.Context) error {
	sent := r.holds.take()
	if len(sent) == 0 {
		return nil
	}
	results, err := r.Client.resolve(ctx, r.Queue, r.Name, sent)
	if err != nil {
		r.holds.put(sent)
		if ctx.Err() == nil {
			r.Log.Warn("resolve failed; trying again", "queue", r.Queue, "documents", len(sent), "error", err)
		}
		if hopeless(err) {
			r.fail(err)
		}
		return err
	}
	r.answered(sent, results)
	return nil
}

// flush sends what is left at the end. Its patience is that of the client.
func (r *run) flush(ctx context.Context) {
	var err error
	for err == nil && r.holds.unsent() > 0 {
		err = r.resolve(ctx)
	}
	if n := r.holds.unsent(); n > 0 {
		r.Log.Error("documents come back when their leases run out", "queue", r.Queue, "documents", n, "error", err)
	}
	r.holds.forgetAll()
}

// answered acts on what became of resolutions. One that was refused is sent again as a reject that says why: else the
// document would be held until its lease ends, and nobody would know.
func (r *run) answered(sent []Resolution, results []Result) {
	for i, s := range sent {
		outcome, detail := OutcomeInvalid, "the server gave no result"
		if i < len(results) {
			outcome, detail = results[i].Outcome, results[i].Detail
		}
		if outcome == OutcomeInvalid && s.Action != ActionReject {
			r.Log.Warn("a resolution was refused", "queue", r.Queue, "subject", s.Subject, "action", s.Action, "detail", detail)
			again := Reject(errors.New("the resolution was refused: " + detail))
			again.Subject, again.Lease = s.Subject, s.Lease
			r.holds.put([]Resolution{again})
			continue
		}
		if outcome != OutcomeOK && outcome != OutcomeAlready {
			r.Log.Warn("a resolution was not carried out as meant", "queue", r.Queue, "subject", s.Subject, "action", s.Action,
				"outcome", outcome, "detail", detail)
		}
		r.holds.done(s.ref())
	}
}

// extend keeps leases alive: at each third of the lock, so that one failed call costs none.
func (r *run) extend(ctx context.Context) {
	tick := time.NewTicker(r.Lock / 3)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			r.extendAll(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// extendAll extends what is held now. Leases that cannot be extended end by their own timers.
func (r *run) extendAll(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, r.Lock/3)
	defer cancel()
	for refs := range slices.Chunk(r.holds.leases(), maxBatch) {
		answer, err := r.Client.Extend(ctx, r.Queue, ExtendRequest{Leases: refs, Lock: r.Lock.String()})
		if err != nil {
			r.Log.Warn("extend failed", "queue", r.Queue, "documents", len(refs), "error", err)
			continue
		}
		if answer.Control.Quiet { // that it is not, a pick says: no lease may be left to tell whose they are
			r.told(answer.Control)
		}
		for i, ref := range refs[:min(len(refs), len(answer.Results))] {
			r.holds.extended(ref, answer.Results[i].Outcome == OutcomeOK, r.Lock)
		}
	}
}

// hopeless tells whether another try of a worker's call would fail as well.
func hopeless(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	return e.Status >= 400 && e.Status < 500 && judge(err) == final
}
