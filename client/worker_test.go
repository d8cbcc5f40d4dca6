package client_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fetchq/server/client"
)

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
	stuck := &blockedPicks{engine: e, waiting: make(chan struct{})}
	// The document ends while the next pick waits already: that one can't have taken its resolution along.
	start(t, stuck, client.Worker{Concurrency: 2, Handler: func(context.Context, client.Leased) client.Resolution {
		<-stuck.waiting
		return client.Complete()
	}})
	e.until(t, "the end of a", func() bool { return len(e.ended) == 1 })
	if e.picks != 1 {
		t.Errorf("%d picks were answered", e.picks)
	}
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
	for name, control := range map[string]client.Control{"a queue that is paused": {Paused: true}, "a worker that is quiet": {Quiet: true}} {
		e := newEngine()
		e.control = control
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		w := client.Worker{Client: serve(t, e.ServeHTTP), Queue: "q", Handler: complete, Wait: 20 * time.Second}
		if err := w.Run(ctx); err != nil {
			t.Error(err)
		}
		cancel()
		if e.picks == 0 || e.picks > 8 {
			t.Errorf("%s: %d picks in a second", name, e.picks)
		}
	}
}

func TestWorkerThatIsAskedToGoQuietFinishesAndGoesOnWhenItIsWoken(t *testing.T) {
	for name, tell := range map[string]func(e *engine, quiet bool){
		"by a pick":       func(e *engine, quiet bool) { e.control.Quiet = quiet },
		"by an extension": func(e *engine, quiet bool) { e.control.Quiet, e.extendControl.Quiet = quiet, quiet },
	} {
		t.Run(name, func(t *testing.T) {
			e := newEngine("a", "b")
			log := &lines{}
			begun, finish := make(chan string, 3), make(chan struct{})
			start(t, e, client.Worker{Name: "me", Lock: time.Second, Log: slog.New(slog.NewTextHandler(log, nil)), Handler: func(_ context.Context, doc client.Leased) client.Resolution {
				begun <- doc.Subject
				<-finish
				return client.Complete()
			}})
			if first := <-begun; first != "a" {
				t.Fatalf("it began with %s", first)
			}
			e.mu.Lock()
			tell(e, true)
			e.mu.Unlock()
			if name == "by an extension" { // its hands are full: no pick tells it
				e.until(t, "the log says it", func() bool { return strings.Contains(log.String(), "asked to go quiet") })
			}
			close(finish)
			e.until(t, "the end of a", func() bool { return len(e.ended) == 1 })
			e.until(t, "it asks whether it may go on", func() bool { return e.picks > 4 })
			e.mu.Lock()
			if len(e.due) != 1 || len(e.leases) != 0 {
				t.Errorf("quiet, it holds %v, and %v is due", e.leases, e.due)
			}
			tell(e, false)
			e.mu.Unlock()
			if next := <-begun; next != "b" {
				t.Errorf("woken, it works on %s", next)
			}
			e.until(t, "the end of b", func() bool { return len(e.ended) == 2 })
			for _, said := range []string{"asked to go quiet", "woken", "worker=me"} {
				if n := strings.Count(log.String(), said); n == 0 || n > 2 {
					t.Errorf("the log says %q %d times: %s", said, n, log)
				}
			}
		})
	}
}

func TestWorkerSaysWhoItIsWhereItResolves(t *testing.T) {
	e := newEngine("a")
	stuck := &blockedPicks{engine: e, waiting: make(chan struct{})}
	start(t, stuck, client.Worker{Name: "me", Concurrency: 2, Handler: func(context.Context, client.Leased) client.Resolution {
		<-stuck.waiting
		return client.Complete()
	}})
	e.until(t, "the end of a", func() bool { return len(e.ended) == 1 })
	if e.resolver != "me" {
		t.Errorf("%q resolved", e.resolver)
	}
}

// lines is a log that may be read while it is written.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
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
