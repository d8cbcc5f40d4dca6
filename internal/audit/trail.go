package audit

import (
	"context"
	"maps"
	"sync"
)

// Kind says what sort of somebody acts.
type Kind string

// The kinds.
const (
	User    Kind = "user"    // by address
	Token   Kind = "token"   // by name
	Shell   Kind = "shell"   // a command, by who is logged in on the machine
	Program Kind = "program" // the program by itself, as by a schedule
	Nobody  Kind = "nobody"  // who has not shown who he is
)

// Kinds are all kinds.
var Kinds = []Kind{User, Token, Shell, Program, Nobody}

// Actor is who acts.
type Actor struct {
	Kind Kind
	Name string
}

// Trail is what is known of a request while it goes on. Its methods are safe for concurrent use, and do nothing on nil.
type Trail struct {
	Address   string
	RequestID string

	mu      sync.Mutex
	actor   Actor
	target  string
	details map[string]any
	written bool
}

// NewTrail returns the trail of a request.
func NewTrail(actor Actor, address, requestID string) *Trail {
	return &Trail{Address: address, RequestID: requestID, actor: actor}
}

type trailKey struct{}

// With returns a context whose request has a trail.
func With(ctx context.Context, t *Trail) context.Context {
	return context.WithValue(ctx, trailKey{}, t)
}

// From returns the trail of a context's request; nil where it has none.
func From(ctx context.Context) *Trail {
	t, _ := ctx.Value(trailKey{}).(*Trail)
	return t
}

// By says who it is, once that is known.
func (t *Trail) By(a Actor) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.actor = a
}

// Actor returns who it is; without a trail, the program by itself.
func (t *Trail) Actor() Actor {
	if t == nil {
		return Actor{Kind: Program}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.actor
}

// To names what is acted on, where the address of the request does not.
func (t *Trail) To(target string) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.target = target
}

// Note adds a detail to the line of this request. It is no place for secrets and payloads.
func (t *Trail) Note(name string, value any) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.details == nil {
		t.details = map[string]any{}
	}
	t.details[name] = value
}

// Written says whether the request has its line already.
func (t *Trail) Written() bool {
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.written
}

func (t *Trail) setWritten() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.written = true
}

// fill adds to an entry what the trail knows and it does not.
func (t *Trail) fill(e Entry) Entry {
	if t == nil {
		if e.Actor.Kind == "" {
			e.Actor = Actor{Kind: Program}
		}
		return e
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if e.Actor.Kind == "" {
		e.Actor = t.actor
	}
	if t.target != "" {
		e.Target = t.target
	}
	if e.Address == "" {
		e.Address = t.Address
	}
	if e.RequestID == "" {
		e.RequestID = t.RequestID
	}
	if len(t.details) > 0 {
		both := maps.Clone(t.details)
		maps.Copy(both, e.Details)
		e.Details = both
	}
	return e
}
