package client_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fetchq/server/client"
)

// engine is a queue in memory behind the three calls of a worker.
type engine struct {
	mu            sync.Mutex
	due           []string
	leases        map[string]int64 // who is active
	ended         []client.Resolution
	pick          client.PickRequest // the last one
	given         []client.Leased    // its documents
	picks         int
	inPicks       int // resolutions that came with picks
	extended      map[string]int
	most          int // documents active at a time
	control       client.Control
	extendControl client.Control
	resolver      string // who resolved last
	stale         bool   // no lease is good any more
	refuse        func(client.Resolution) string
	broken        int // answer so many picks with 503 after carrying them out
	refused       int // so many picks with resolutions are refused
	problem       *client.Problem
	changed       chan struct{}
}

func newEngine(due ...string) *engine {
	return &engine{due: due, leases: map[string]int64{}, extended: map[string]int{}, changed: make(chan struct{}, 1)}
}

func (e *engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer func() {
		select {
		case e.changed <- struct{}{}:
		default:
		}
	}()
	if e.problem != nil {
		refuse(w, *e.problem)
		return
	}
	switch r.URL.Path {
	case "/api/v1/queues/q/pick":
		e.picks++
		before := e.pick.IdempotencyKey
		e.pick = client.PickRequest{}
		_ = json.NewDecoder(r.Body).Decode(&e.pick)
		if len(e.pick.Resolutions) > 0 && e.refused > 0 {
			e.refused--
			refuse(w, client.Problem{Status: http.StatusInternalServerError, Code: "internal"})
			return
		}
		e.inPicks += len(e.pick.Resolutions)
		out := client.PickResponse{Results: e.resolve(e.pick.Resolutions), Control: e.control}
		if e.pick.IdempotencyKey != before {
			e.given = nil
		}
		for before != e.pick.IdempotencyKey && !e.control.Quiet && len(e.due) > 0 && len(e.given) < e.pick.Limit {
			e.leases[e.due[0]] = 7
			e.given = append(e.given, client.Leased{Subject: e.due[0], Lease: 7})
			e.due = e.due[1:]
		}
		out.Documents = e.given
		e.most = max(e.most, len(e.leases))
		if e.broken > 0 {
			e.broken--
			panic(http.ErrAbortHandler)
		}
		answer(w, http.StatusOK, out)
	case "/api/v1/queues/q/resolve":
		var in client.ResolveRequest
		_ = json.NewDecoder(r.Body).Decode(&in)
		e.resolver = in.Worker
		answer(w, http.StatusOK, client.ResolveResponse{Results: e.resolve(in.Resolutions)})
	case "/api/v1/queues/q/extend":
		var in client.ExtendRequest
		_ = json.NewDecoder(r.Body).Decode(&in)
		out := client.ExtendResponse{Control: e.extendControl}
		for _, l := range in.Leases {
			outcome := client.OutcomeOK
			if e.stale || e.leases[l.Subject] != l.Lease {
				outcome = client.OutcomeStale
			} else {
				e.extended[l.Subject]++
			}
			out.Results = append(out.Results, client.ExtendResult{Subject: l.Subject, Outcome: outcome})
		}
		answer(w, http.StatusOK, out)
	default:
		http.NotFound(w, r)
	}
}

func (e *engine) resolve(in []client.Resolution) []client.Result {
	var out []client.Result
	for _, r := range in {
		result := client.Result{Subject: r.Subject, Outcome: client.OutcomeStale}
		switch {
		case e.refuse != nil && e.refuse(r) != "":
			result.Outcome, result.Detail = client.OutcomeInvalid, e.refuse(r)
		case e.leases[r.Subject] == r.Lease && r.Lease > 0:
			delete(e.leases, r.Subject)
			e.ended = append(e.ended, r)
			result.Outcome = client.OutcomeOK
		case e.leases[r.Subject] == 0:
			result.Outcome = client.OutcomeAlready
		}
		out = append(out, result)
	}
	return out
}

// until waits for the engine to come into a state.
func (e *engine) until(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		e.mu.Lock()
		ok := is()
		e.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-e.changed:
		case <-deadline:
			t.Fatalf("waited in vain for: %s", what)
		}
	}
}

// start runs a worker; stop ends it and returns what Run returned.
func start(t *testing.T, server http.Handler, w client.Worker) (stop func() error) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	ctx, cancel := context.WithCancel(t.Context())
	w.Client, w.Queue = serve(t, server.ServeHTTP), "q"
	w.Wait = time.Millisecond
	returned := make(chan error, 1)
	go func() { returned <- w.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-returned:
			return err
		case <-time.After(20 * time.Second):
			t.Error("the worker did not end")
			return nil
		}
	})
	t.Cleanup(func() { // runs before the server is closed, so its goroutines are not the worker's
		_ = stop()
		ignore := []goleak.Option{before, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
			goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"), goleak.IgnoreAnyFunction("net/http.(*conn).serve"),
			goleak.IgnoreAnyFunction("net/http.(*Server).Serve")}
		goleak.VerifyNone(t, ignore...)
	})
	return stop
}

// blockedPicks holds each pick but the first for as long as its client waits, as a long poll does.
type blockedPicks struct {
	*engine
	once    sync.Once
	waiting chan struct{} // closed once a pick is held
}

func (b *blockedPicks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	wait := strings.HasSuffix(r.URL.Path, "/pick") && b.picks > 0
	b.mu.Unlock()
	if !wait {
		b.engine.ServeHTTP(w, r)
		return
	}
	_, _ = io.Copy(io.Discard, r.Body) // the server sees that a client is gone only once it has read all
	b.once.Do(func() { close(b.waiting) })
	<-r.Context().Done()
}
