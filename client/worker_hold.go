package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// Limits of one call of the API.
const (
	maxBatch   = 1_000   // items
	maxBytes   = 8 << 20 // of resolutions: half of the API's limit, for their escapes
	maxPayload = 1 << 20 // of one document, and of the details of a line

	maxMetrics  = 1_000 // of one resolution
	metricBytes = 128   // of one metric, at most
)

// hold is one leased document from the pick to the answer about its resolution.
type hold struct {
	doc     Leased
	metrics *recorder
	ctx     context.Context // the handler's
	cancel  context.CancelCauseFunc
	expiry  *time.Timer // cancels at the lease's end, if no extension moves it
	sending bool        // its resolution is under way, so its lease needs no extension
}

// holds are what a worker holds: documents in handlers, before them, and resolutions behind them that are not sent yet.
type holds struct {
	mu      sync.Mutex
	all     map[LeaseRef]*hold
	working int          // those whose handler has not returned
	outbox  []Resolution // what handlers returned
	freed   chan struct{}
	filled  chan struct{}
}

func newHolds() *holds {
	return &holds{all: map[LeaseRef]*hold{}, freed: make(chan struct{}, 1), filled: make(chan struct{}, 1)}
}

func (d Leased) ref() LeaseRef     { return LeaseRef{Subject: d.Subject, Lease: d.Lease} }
func (r Resolution) ref() LeaseRef { return LeaseRef{Subject: r.Subject, Lease: r.Lease} }

// add takes in a picked document; nil where it is held already, which a repeated pick can bring.
func (s *holds) add(parent context.Context, doc Leased, lock time.Duration) *hold {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all[doc.ref()] != nil {
		return nil
	}
	h := &hold{doc: doc, metrics: &recorder{}}
	h.ctx, h.cancel = context.WithCancelCause(context.WithValue(parent, recorderKey{}, h.metrics))
	h.expiry = time.AfterFunc(lock, func() { h.cancel(ErrLeaseLost) })
	s.all[doc.ref()] = h
	s.working++
	return h
}

// returned puts what a handler returned into the outbox, or forgets the document where its lease is lost.
func (s *holds) returned(h *hold, r Resolution) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.working--
	signal(s.freed)
	if errors.Is(context.Cause(h.ctx), ErrLeaseLost) {
		s.forget(h)
		return
	}
	s.outbox = append(s.outbox, r)
	signal(s.filled)
}

// take takes resolutions out of the outbox, as many as fit into one call.
func (s *holds) take() []Resolution {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, size := 0, 0
	for n < len(s.outbox) && n < maxBatch {
		r := &s.outbox[n]
		if size += len(r.Payload) + len(r.Details) + len(r.Message) + len(r.Subject) + metricBytes*len(r.Metrics); n > 0 && size > maxBytes {
			break
		}
		if h := s.all[r.ref()]; h != nil {
			h.sending = true
		}
		n++
	}
	taken := append([]Resolution(nil), s.outbox[:n]...)
	s.outbox = append(s.outbox[:0], s.outbox[n:]...)
	if len(s.outbox) > 0 {
		signal(s.filled)
	}
	return taken
}

// put puts resolutions that were not sent back in front.
func (s *holds) put(rs []Resolution) {
	if len(rs) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range rs {
		if h := s.all[r.ref()]; h != nil {
			h.sending = false
		}
	}
	s.outbox = append(rs, s.outbox...)
	signal(s.filled)
}

// done forgets a document whose resolution was answered.
func (s *holds) done(ref LeaseRef) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.all[ref]; h != nil {
		s.forget(h)
	}
}

// forget wants s.mu.
func (s *holds) forget(h *hold) {
	h.expiry.Stop()
	h.cancel(nil)
	delete(s.all, h.doc.ref())
}

// inHand returns how many documents are in handlers or before them.
func (s *holds) inHand() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.working
}

// leases returns those that want an extension.
func (s *holds) leases() []LeaseRef {
	s.mu.Lock()
	defer s.mu.Unlock()
	refs := make([]LeaseRef, 0, len(s.all))
	for ref, h := range s.all {
		if !h.sending && h.ctx.Err() == nil {
			refs = append(refs, ref)
		}
	}
	return refs
}

// extended moves the end of a lease, or ends the handler's context where the lease is over.
func (s *holds) extended(ref LeaseRef, ok bool, lock time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch h := s.all[ref]; {
	case h == nil:
	case ok:
		h.expiry.Reset(lock)
	default:
		h.cancel(ErrLeaseLost)
	}
}

// unsent returns how many resolutions wait in the outbox.
func (s *holds) unsent() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.outbox)
}

// forgetAll gives up what is left.
func (s *holds) forgetAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.all {
		s.forget(h)
	}
}

// cancelAll ends the contexts of all handlers.
func (s *holds) cancelAll(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.all {
		h.cancel(cause)
	}
}

// handle calls the handler for one document and makes a resolution of what comes of it that a call can carry.
func (w *Worker) handle(h *hold) (r Resolution) {
	defer func() {
		if p := recover(); p != nil {
			r = Reject(fmt.Errorf("the handler panicked: %v", p))
			r.Details, _ = json.Marshal(map[string]string{"stack": string(debug.Stack())})
		}
		r.Subject, r.Lease = h.doc.Subject, h.doc.Lease
		var lost int
		if r.Metrics, lost = h.metrics.with(r.Metrics); lost > 0 {
			w.Log.Warn("metrics of a document are left out: a resolution takes 1,000", "queue", w.Queue, "subject", r.Subject, "metrics", lost)
		}
	}()
	if h.ctx.Err() != nil {
		return Reject(context.Cause(h.ctx))
	}
	r = w.Handler(h.ctx, h.doc)
	switch {
	case r.Action == "":
		return Reject(fmt.Errorf("the handler returned no action"))
	case !sendable(r.Payload):
		return Reject(fmt.Errorf("the handler returned a payload that is not JSON, or over %d bytes", maxPayload))
	case !sendable(r.Details):
		return Reject(fmt.Errorf("the handler returned details that are not JSON, or over %d bytes", maxPayload))
	}
	return r
}

// sendable tells whether a call can carry b, so that it does not fail for the others in it.
func sendable(b json.RawMessage) bool {
	return len(b) == 0 || len(b) <= maxPayload && json.Valid(b)
}

// signal wakes whoever waits on ch, now or at its next look.
func signal(ch chan<- struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
