package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	mu       sync.Mutex
	due      []string
	leases   map[string]int64 // who is active
	ended    []client.Resolution
	pick     client.PickRequest // the last one
	given    []client.Leased    // its documents
	picks    int
	inPicks  int // resolutions that came with picks
	extended map[string]int
	most     int // documents active at a time
	control  client.Control
	stale    bool // no lease is good any more
	refuse   func(client.Resolution) string
	broken   int // answer so many picks with 503 after carrying them out
	refused  int // so many picks with resolutions are refused
	problem  *client.Problem
	changed  chan struct{}
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
		for before != e.pick.IdempotencyKey && len(e.due) > 0 && len(e.given) < e.pick.Limit {
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
		answer(w, http.StatusOK, client.ResolveResponse{Results: e.resolve(in.Resolutions)})
	case "/api/v1/queues/q/extend":
		var in client.ExtendRequest
		_ = json.NewDecoder(r.Body).Decode(&in)
		out := client.ExtendResponse{}
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
func start(t *testing.T, e *engine, w client.Worker) (stop func() error) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	ctx, cancel := context.WithCancel(t.Context())
	w.Client, w.Queue = serve(t, e.ServeHTTP), "q"
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

func subjects(n int) []string {
	var s []string
	for i := range n {
		s = append(s, fmt.Sprint("s", i))
	}
	return s
}

func complete(context.Context, client.Leased) client.Resolution { return client.Complete() }

func TestWorkerResolvesEachDocumentOnceInItsBounds(t *testing.T) {
	e := newEngine(subjects(500)...)
	stop := start(t, e, client.Worker{Concurrency: 4, Prefetch: 6, Handler: complete, Name: "me", Version: 2, Lock: time.Minute})
	e.until(t, "500 ends", func() bool { return len(e.ended) == 500 })
	if err := stop(); err != nil {
		t.Error(err)
	}
	if e.most > 30 { // 10 in hand, and those whose ends travel
		t.Errorf("%d documents were held at a time", e.most)
	}
	if e.inPicks < 250 {
		t.Errorf("only %d of 500 resolutions came with picks", e.inPicks)
	}
	if e.pick.Worker != "me" || e.pick.Version != 2 || e.pick.Lock != "1m0s" || e.pick.IdempotencyKey == "" || e.pick.Limit > 10 {
		t.Errorf("asked %+v", e.pick)
	}
}

func TestWorkerRepeatsAPickWhoseAnswerWasLost(t *testing.T) {
	e := newEngine(subjects(20)...)
	e.broken = 3
	start(t, e, client.Worker{Concurrency: 4, Handler: complete})
	e.until(t, "20 ends", func() bool { return len(e.ended) == 20 && len(e.leases) == 0 })
}

func TestWorkerSendsAResolutionWithoutWaitingForAPick(t *testing.T) {
	e := newEngine("a")
	stuck := &blockedPicks{engine: e, release: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	c := serve(t, stuck.ServeHTTP)
	done := make(chan error, 1)
	go func() { done <- client.Worker{Client: c, Queue: "q", Concurrency: 2, Handler: complete}.Run(ctx) }()
	e.until(t, "the end of a", func() bool { return len(e.ended) == 1 })
	cancel()
	close(stuck.release)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// blockedPicks holds each pick but the first, as a long poll does.
type blockedPicks struct {
	*engine
	release chan struct{}
}

func (b *blockedPicks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	wait := strings.HasSuffix(r.URL.Path, "/pick") && b.picks > 0
	b.mu.Unlock()
	if wait {
		select {
		case <-b.release:
		case <-r.Context().Done():
		}
		return
	}
	b.engine.ServeHTTP(w, r)
}

func TestWorkerExtendsWhatItHoldsAndEndsHandlersOfLostLeases(t *testing.T) {
	e := newEngine("a", "b")
	lost := make(chan error, 2)
	start(t, e, client.Worker{Concurrency: 1, Prefetch: 1, Lock: time.Second, Handler: func(ctx context.Context, _ client.Leased) client.Resolution {
		<-ctx.Done()
		lost <- context.Cause(ctx)
		return client.Complete()
	}})
	// Both are extended, also the one that waits for the handler, and beyond the lock that they were picked with.
	e.until(t, "four extensions of both", func() bool { return e.extended["a"] > 4 && e.extended["b"] > 4 })
	e.mu.Lock()
	e.stale = true
	e.mu.Unlock()
	if cause := <-lost; !errors.Is(cause, client.ErrLeaseLost) {
		t.Errorf("the handler's context ended with %v", cause)
	}
	e.until(t, "another pick", func() bool { return e.picks > 1 })
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.ended) > 0 {
		t.Errorf("a resolution of a lost lease was sent: %+v", e.ended)
	}
	select {
	case <-lost:
		t.Error("the handler was called for a document whose lease was lost before")
	default:
	}
}

func TestWorkerEndsAHandlerWhoseLeaseCannotBeExtended(t *testing.T) {
	e := newEngine("a")
	lost := make(chan error, 1)
	start(t, e, client.Worker{Lock: time.Second, Handler: func(ctx context.Context, _ client.Leased) client.Resolution {
		e.mu.Lock()
		e.problem = &client.Problem{Status: http.StatusServiceUnavailable, Code: "unavailable"}
		e.mu.Unlock()
		<-ctx.Done()
		lost <- context.Cause(ctx)
		e.mu.Lock()
		e.problem = nil
		e.mu.Unlock()
		return client.Complete()
	}})
	select {
	case cause := <-lost:
		if !errors.Is(cause, client.ErrLeaseLost) {
			t.Errorf("the handler's context ended with %v", cause)
		}
	case <-time.After(10 * time.Second):
		t.Error("the handler outlived its lease")
	}
}

func TestWhatAHandlerCannotMeanIsAReject(t *testing.T) {
	for message, handler := range map[string]func(context.Context, client.Leased) client.Resolution{
		"the handler panicked: boom":     func(context.Context, client.Leased) client.Resolution { panic("boom") },
		"the handler returned no action": func(context.Context, client.Leased) client.Resolution { return client.Resolution{} },
		"payload that is not JSON": func(context.Context, client.Leased) client.Resolution {
			return client.Complete().WithPayload([]byte("{"))
		},
		"the resolution was refused: no": func(context.Context, client.Leased) client.Resolution { return client.Reschedule("no") },
		"a\ufffdb":                       func(context.Context, client.Leased) client.Resolution { return client.Reject(errors.New("a\x00b")) },
		"failed without a message":       func(context.Context, client.Leased) client.Resolution { return client.Reject(nil) },
		"…": func(context.Context, client.Leased) client.Resolution {
			return client.Reject(errors.New(strings.Repeat("x", 1<<20)))
		},
	} {
		t.Run(message, func(t *testing.T) {
			t.Parallel()
			e := newEngine("a")
			e.refuse = func(r client.Resolution) string {
				if r.NextIteration == "no" {
					return "no"
				}
				return ""
			}
			ctx, cancel := context.WithCancel(t.Context())
			c := serve(t, e.ServeHTTP)
			done := make(chan error, 1)
			go func() {
				done <- client.Worker{Client: c, Queue: "q", Wait: time.Millisecond, Handler: handler}.Run(ctx)
			}()
			e.until(t, "an end", func() bool { return len(e.ended) == 1 })
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			if r := e.ended[0]; r.Action != client.ActionReject || !strings.Contains(r.Message, message) || len(r.Message) > 10_000 {
				t.Errorf("ended with %s %.200q", r.Action, r.Message)
			}
		})
	}
}

func TestWorkerDrainsWhatItHolds(t *testing.T) {
	e := newEngine(subjects(10)...)
	began, proceed := make(chan struct{}, 10), make(chan struct{})
	stop := start(t, e, client.Worker{Concurrency: 2, Prefetch: 1, Handler: func(context.Context, client.Leased) client.Resolution {
		began <- struct{}{}
		<-proceed
		return client.Complete()
	}})
	<-began
	<-began
	e.until(t, "three leases", func() bool { return len(e.leases) == 3 })
	go func() { close(proceed) }()
	if err := stop(); err != nil {
		t.Error(err)
	}
	if len(e.leases) > 0 {
		t.Errorf("left behind: %v", e.leases)
	}
}

func TestWorkerEndsHandlersAfterItsDrain(t *testing.T) {
	e := newEngine("a")
	began := make(chan struct{})
	stop := start(t, e, client.Worker{Drain: time.Millisecond, Handler: func(ctx context.Context, _ client.Leased) client.Resolution {
		close(began)
		<-ctx.Done()
		return client.Reject(context.Cause(ctx))
	}})
	<-began
	if err := stop(); err != nil {
		t.Error(err)
	}
	if len(e.ended) != 1 || e.ended[0].Message != client.ErrDrained.Error() {
		t.Errorf("ended with %+v", e.ended)
	}
}

func TestWorkerGoesOnWhereAnotherTryMayHelp(t *testing.T) {
	e := newEngine("a")
	e.problem = &client.Problem{Status: http.StatusInternalServerError, Code: "internal"}
	start(t, e, client.Worker{Handler: complete})
	<-e.changed // a call was refused
	e.mu.Lock()
	e.problem = nil
	e.mu.Unlock()
	e.until(t, "an end", func() bool { return len(e.ended) == 1 })
}

func TestWorkerSendsResolutionsOfARefusedPickAgain(t *testing.T) {
	e := newEngine("a")
	e.refused = 2
	start(t, e, client.Worker{Handler: complete, Delay: time.Minute}) // only picks take resolutions along
	e.until(t, "an end", func() bool { return len(e.ended) == 1 && e.refused == 0 })
}

func TestWorkerEndsTheHandlerOfAStaleLeaseBeforeItsTime(t *testing.T) {
	e := newEngine("a")
	lost := make(chan error, 1)
	start(t, e, client.Worker{Lock: 3 * time.Second, Handler: func(ctx context.Context, _ client.Leased) client.Resolution {
		<-ctx.Done()
		lost <- context.Cause(ctx)
		return client.Complete()
	}})
	e.until(t, "an extension", func() bool { return e.extended["a"] == 1 })
	e.mu.Lock()
	e.stale = true
	e.mu.Unlock()
	select {
	case <-lost: // at the next extension, in a second
	case <-time.After(2 * time.Second):
		t.Error("the handler goes on until the lease's own end")
	}
}

func TestWorkerReturnsTheErrorThatEndedIt(t *testing.T) {
	e := newEngine()
	e.problem = &client.Problem{Status: http.StatusForbidden, Code: "forbidden"}
	err := client.Worker{Client: serve(t, e.ServeHTTP), Queue: "q", Handler: complete}.Run(t.Context())
	if client.CodeOf(err) != "forbidden" {
		t.Errorf("returned %v", err)
	}
}

func TestWorkerAsksSeldomWhileThereIsNothingToPick(t *testing.T) {
	e := newEngine()
	e.control.Paused = true
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	w := client.Worker{Client: serve(t, e.ServeHTTP), Queue: "q", Handler: complete, Wait: 20 * time.Second}
	if err := w.Run(ctx); err != nil {
		t.Error(err)
	}
	if e.picks > 8 {
		t.Errorf("%d picks of a paused queue in a second", e.picks)
	}
}

func TestWorkerRefusesWrongSettings(t *testing.T) {
	c := client.New("http://127.0.0.1:1", "")
	for name, w := range map[string]client.Worker{
		"no client":   {Queue: "q", Handler: complete},
		"no queue":    {Client: c, Handler: complete},
		"no handler":  {Client: c, Queue: "q"},
		"concurrency": {Client: c, Queue: "q", Handler: complete, Concurrency: -1},
		"prefetch":    {Client: c, Queue: "q", Handler: complete, Prefetch: 1001},
		"short lock":  {Client: c, Queue: "q", Handler: complete, Lock: time.Millisecond},
		"long lock":   {Client: c, Queue: "q", Handler: complete, Lock: 25 * time.Hour},
		"long wait":   {Client: c, Queue: "q", Handler: complete, Wait: 61 * time.Second},
	} {
		if err := w.Run(t.Context()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
