package api_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fetchq/server/internal/api"
	"github.com/fetchq/server/internal/auth"
)

// names returns the subjects of an answer's list.
func (a answer) names(list string) string {
	var names []string
	for _, d := range a.field(list).([]any) {
		names = append(names, d.(map[string]any)["subject"].(string))
	}
	return strings.Join(names, " ")
}

func TestAnIdempotencyKeyBelongsToItsToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(201, "PUT", "/api/v1/queues/a", `{}`)
	one := "Bearer " + w.token("one", []string{auth.Push, auth.Work}, nil)
	two := "Bearer " + w.token("two", []string{auth.Push, auth.Work}, nil)
	key := strings.Repeat("k", 255)
	push := func(token string) string {
		return w.call("POST", documents, `{"documents":[{}]}`, "Authorization", token, "Idempotency-Key", key).names("results")
	}
	first := push(one)
	if again := push(one); again != first {
		t.Errorf("the same key of the same token made %s and %s", first, again)
	}
	if other := push(two); other == first {
		t.Error("the key of one token gave the document of another")
	}
	pick := func(token string) string {
		return w.call("POST", "/api/v1/queues/a/pick", `{"idempotency_key":"1"}`, "Authorization", token).names("documents")
	}
	first = pick(one)
	if again := pick(one); again != first || first == "" {
		t.Errorf("the same key of the same token picked %q and %q", first, again)
	}
	if other := pick(two); other == first || other == "" {
		t.Errorf("the key of one token picked %q, that of another %q", first, other)
	}
}

func TestAPayloadComesBackNotMuchLongerThanItWasSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(201, "PUT", "/api/v1/queues/a", `{}`)
	push := func(number string, n int) answer {
		return w.must(200, "POST", documents, `{"documents":[{"subject":"x"},{"subject":"x`+number+`","payload":[`+strings.Repeat(number+",", n)+`0]}]}`)
	}
	for _, tt := range []struct {
		number string
		n      int
	}{{"1e1000", 149_000}, {"1e-1000", 66}, {"1e32", 30_000}} {
		if a := push(tt.number, tt.n); !strings.Contains(string(a.body), "exponents written out") || a.field("created") == 2.0 {
			t.Errorf("%d times %s: %.300s", tt.n, tt.number, a.body)
		}
	}
	push("1e-999", 65)
	push("1e31", 20_000)
	for _, subject := range []string{"x1e-999", "x1e31"} {
		if a := w.must(200, "GET", documents+"/"+subject, ""); len(a.body) > 3<<19 {
			t.Errorf("%s comes back with %d bytes", subject, len(a.body))
		}
	}
	a := w.call("POST", documents+"/x/edit", `{"payload":[`+strings.Repeat("1e1000,", 100)+`0]}`)
	w.refuses(a, 422, "invalid", "payload")
	a = w.call("POST", "/api/v1/queues/a/logs", `{"logs":[{"message":"m","details":[`+strings.Repeat("1e1000,", 100)+`0]}]}`)
	w.refuses(a, 422, "invalid", "logs[0].details")
}

func TestTheSmallestJitterIsNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.must(201, "PUT", "/api/v1/queues/a", `{"backoff":{"jitter":1e-1000}}`)
	if !strings.Contains(string(a.body), `"backoff":{"kind":"exponential","base":"10s","cap":"1h"}`) {
		t.Errorf("%s", a.body)
	}
}

func TestReadinessIsAskedOnceASecondAndLoggedWhenItChanges(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	var mu sync.Mutex
	var asked atomic.Int64
	var away atomic.Bool
	away.Store(true)
	var at atomic.Int64
	server := httptest.NewServer(api.New(api.Options{
		Log: slog.New(slog.NewTextHandler(locked{&mu, &log}, nil)), Now: func() time.Time { return time.Unix(at.Load(), 0) },
		Ready: func(context.Context) error {
			asked.Add(1)
			if away.Load() {
				return errors.New("gone")
			}
			return nil
		},
	}))
	defer server.Close()
	w := &world{t: t, url: server.URL}
	many := func(status int, asks int64) {
		t.Helper()
		var calls sync.WaitGroup
		for range 20 {
			calls.Go(func() {
				if a := w.call("GET", "/readyz", ""); a.status != status {
					t.Errorf("%d %s; %d is wanted", a.status, a.body, status)
				}
			})
		}
		calls.Wait()
		if n := asked.Swap(0); n != asks {
			t.Errorf("the database was asked %d times; %d are wanted", n, asks)
		}
	}
	many(http.StatusServiceUnavailable, 1)
	w.refuses(w.call("GET", "/readyz", ""), 503, "unavailable", "")
	at.Add(1)
	many(http.StatusServiceUnavailable, 1)
	away.Store(false)
	at.Add(1)
	many(http.StatusOK, 1)
	mu.Lock()
	defer mu.Unlock()
	if strings.Count(log.String(), "level=ERROR") != 1 || strings.Count(log.String(), "the database is back") != 1 {
		t.Errorf("the log: %s", log.String())
	}
}
