package client_test

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fetchq/server/client"
)

// The ways a try can fail, each with what may be repeated after it.
var failures = []struct {
	name     string
	fail     http.HandlerFunc
	safe     bool // a safe call comes again
	uncaring bool // any call comes again
}{
	{"broken connection", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, true, false},
	{"throttled", problemOf(http.StatusTooManyRequests, "throttled"), true, true},
	{"overloaded", problemOf(http.StatusServiceUnavailable, "overloaded"), true, true},
	{"unavailable", problemOf(http.StatusServiceUnavailable, "unavailable"), true, false},
	{"a proxy's bad gateway", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, true, false},
	{"internal", problemOf(http.StatusInternalServerError, "internal"), false, false},
	{"invalid", problemOf(http.StatusUnprocessableEntity, "invalid"), false, false},
	{"stale", problemOf(http.StatusConflict, "stale"), false, false},
}

func problemOf(status int, code string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { refuse(w, client.Problem{Status: status, Code: code}) }
}

func TestOnlyWhatIsSafeIsRepeated(t *testing.T) {
	calls := []struct {
		name string
		safe bool
		do   func(context.Context, *client.Client) error
	}{
		{"read", true, func(ctx context.Context, c *client.Client) error { _, err := c.Queue(ctx, "q"); return err }},
		{"put queue", true, func(ctx context.Context, c *client.Client) error { _, _, err := c.PutQueue(ctx, "q", nil); return err }},
		{"push, ignore", true, func(ctx context.Context, c *client.Client) error {
			_, err := c.Push(ctx, "q", client.PushRequest{})
			return err
		}},
		{"push, update", false, func(ctx context.Context, c *client.Client) error {
			_, err := c.Push(ctx, "q", client.PushRequest{OnConflict: "update"})
			return err
		}},
		{"pick", false, func(ctx context.Context, c *client.Client) error {
			_, err := c.Pick(ctx, "q", client.PickRequest{})
			return err
		}},
		{"pick with a key", true, func(ctx context.Context, c *client.Client) error {
			_, err := c.Pick(ctx, "q", client.PickRequest{IdempotencyKey: "k"})
			return err
		}},
		{"resolve", true, func(ctx context.Context, c *client.Client) error { _, err := c.Resolve(ctx, "q"); return err }},
		{"extend", true, func(ctx context.Context, c *client.Client) error {
			_, err := c.Extend(ctx, "q", client.ExtendRequest{})
			return err
		}},
		{"act with a lease", true, func(ctx context.Context, c *client.Client) error {
			_, err := c.Act(ctx, "q", client.Resolution{Subject: "a", Lease: 1, Action: "complete"})
			return err
		}},
		{"act without one", false, func(ctx context.Context, c *client.Client) error {
			_, err := c.Act(ctx, "q", client.Resolution{Subject: "a", Action: "run_now"})
			return err
		}},
		{"truncate", false, func(ctx context.Context, c *client.Client) error {
			_, err := c.TruncateQueue(ctx, "q", false)
			return err
		}},
		{"rename", false, func(ctx context.Context, c *client.Client) error { _, err := c.RenameQueue(ctx, "q", "r"); return err }},
		{"clone", false, func(ctx context.Context, c *client.Client) error { _, err := c.CloneQueue(ctx, "q", "r"); return err }},
		{"move", true, func(ctx context.Context, c *client.Client) error { _, err := c.MoveQueue(ctx, "q", nil); return err }},
		{"drop", false, func(ctx context.Context, c *client.Client) error { return c.DropQueue(ctx, "q") }},
		{"logs", false, func(ctx context.Context, c *client.Client) error { return c.AddLogs(ctx, "q") }},
	}
	for _, f := range failures {
		for _, call := range calls {
			t.Run(f.name+"/"+call.name, func(t *testing.T) {
				t.Parallel()
				var tries atomic.Int64
				c := serve(t, func(w http.ResponseWriter, r *http.Request) {
					if tries.Add(1) == 1 {
						f.fail(w, r)
						return
					}
					answer(w, http.StatusOK, struct{}{})
				})
				err := call.do(t.Context(), c)
				again := f.uncaring || f.safe && call.safe
				if again && (err != nil || tries.Load() != 2) || !again && (err == nil || tries.Load() != 1) {
					t.Errorf("%d tries, error %v; another try is right: %v", tries.Load(), err, again)
				}
			})
		}
	}
}

func TestRetryAfterIsKept(t *testing.T) {
	var first, second time.Time
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if first.IsZero() {
			first = time.Now()
			w.Header().Set("Retry-After", "1")
			refuse(w, client.Problem{Status: http.StatusTooManyRequests, Code: "throttled"})
			return
		}
		second = time.Now()
		answer(w, http.StatusOK, struct{}{})
	})
	if _, err := c.Queue(t.Context(), "q"); err != nil {
		t.Fatal(err)
	}
	if waited := second.Sub(first); waited < time.Second {
		t.Errorf("came back after %v", waited)
	}
}

func TestPatienceEndsWithTheLastError(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "60")
		refuse(w, client.Problem{Status: http.StatusServiceUnavailable, Code: "overloaded"})
	})
	_, err := c.Queue(t.Context(), "q") // 30 s of patience cannot wait for 60 s
	var e *client.Error
	if !errors.As(err, &e) || e.RetryAfter != time.Minute {
		t.Errorf("error %v", err)
	}
}

func TestAContextEndsTheTries(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	var tries atomic.Int64
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if tries.Add(1) == 3 {
			cancel(enough)
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	if _, err := c.Queue(ctx, "q"); !errors.Is(err, enough) || tries.Load() != 3 {
		t.Errorf("%d tries, error %v", tries.Load(), err)
	}
}

func TestWithoutPatienceACallIsTriedOnce(t *testing.T) {
	var tries atomic.Int64
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		tries.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
	}, client.WithPatience(0))
	if _, err := c.Queue(t.Context(), "q"); err == nil || tries.Load() != 1 {
		t.Errorf("%d tries, error %v", tries.Load(), err)
	}
}
