package api_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fetchq/server/internal/api"
	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/queue"
)

// readTimeout is the limit of the server in these tests; what may take longer does.
const readTimeout = 300 * time.Millisecond

// newHastyWorld is the API behind a server with a limit for reading. ahead moves the clock of the limits that calls set.
func newHastyWorld(t *testing.T, ahead time.Duration) *world {
	t.Helper()
	db := dbtest.New(t)
	log := slog.New(slog.DiscardHandler)
	w := &world{t: t, db: db, tokens: auth.NewTokens(db, time.Now)}
	w.engine = queue.New(db, queue.Options{Log: log, Node: "test", Now: time.Now})
	t.Cleanup(w.engine.Stop)
	server := httptest.NewUnstartedServer(api.New(api.Options{
		Engine: w.engine, Tokens: w.tokens, Log: log, Ready: func(context.Context) error { return nil },
		Now: func() time.Time { return time.Now().Add(-ahead) },
	}))
	server.Config.ReadTimeout = readTimeout
	server.Start()
	t.Cleanup(server.Close)
	w.url, w.admin = server.URL, w.token("admin", []string{auth.Admin}, nil)
	w.must(201, "PUT", "/api/v1/queues/a", `{}`)
	return w
}

// slowly gives pieces of a body with a pause before each.
func slowly(pause time.Duration, pieces ...string) io.Reader {
	r, feed := io.Pipe()
	pieces = slices.Clone(pieces) // the caller may write others into its own when the body is given up
	go func() {
		for _, p := range pieces {
			time.Sleep(pause)
			if _, err := io.WriteString(feed, p); err != nil {
				return
			}
		}
		feed.Close()
	}()
	return r
}

func TestCallsMayTakeLongerThanTheServerWaitsForARequest(t *testing.T) {
	t.Parallel()
	w := newHastyWorld(t, 0)
	w.must(200, "POST", documents, `{"documents":[{"subject":"x","version":9}]}`)
	send := func(path, media string, body io.Reader) func() answer {
		return func() answer {
			a, err := w.send(t.Context(), path, media, body)
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
	}
	for name, tt := range map[string]struct {
		call func() answer
		says string
	}{
		"a stream":         {send(documents, "application/x-ndjson", slowly(2*readTimeout, "{}\n", "{}\n", "{}")), `"created":3`},
		"a body":           {send(documents, "application/json", slowly(2*readTimeout, `{"documents":`, `[{}]}`)), `"created":1`},
		"a wait":           {func() answer { return w.call("POST", "/api/v1/queues/a/pick", `{"version":7,"wait":"1s"}`) }, `"documents":[]`},
		"a slow body wait": {send("/api/v1/queues/a/pick", "application/json", slowly(readTimeout, `{"version":7,`, `"wait":"1s"}`)), `"documents":[]`},
		"a long look": {func() answer {
			tx, err := w.db.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.Exec(t.Context(), `lock table q_a.docs in access exclusive mode`); err != nil {
				t.Fatal(err)
			}
			time.AfterFunc(3*readTimeout, func() { _ = tx.Rollback(context.Background()) })
			return w.call("GET", documents+"/x", "")
		}, `"subject":"x"`},
	} {
		if a := tt.call(); a.status != http.StatusOK || !strings.Contains(string(a.body), tt.says) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

// ends wants the server to close a connection.
func ends(t *testing.T, conn net.Conn) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	if text, err := io.ReadAll(conn); err != nil {
		t.Errorf("the connection stays open after %.100q: %v", text, err)
	}
}

func TestAConnectionWhoseBodyDoesNotComeEnds(t *testing.T) {
	t.Parallel()
	w := newHastyWorld(t, 0)
	reader := w.token("reader", []string{auth.Read}, nil)
	for _, token := range []string{"none", reader} {
		ends(t, w.begin("POST", documents, token, 1000))
	}
}

// TestABodyHasTwoMinutes moves the clock by which limits are set, so that one second is left of them.
func TestABodyHasTwoMinutes(t *testing.T) {
	t.Parallel()
	w := newHastyWorld(t, 119*time.Second)
	conn := w.begin("POST", documents, w.admin, 1000)
	text, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.HasPrefix(text, "HTTP/1.1 400") {
		t.Errorf("%q %v", text, err)
	}
}

func TestBlankLinesDoNotKeepAStreamOpen(t *testing.T) {
	t.Parallel()
	w := newHastyWorld(t, 119*time.Second)
	pieces := make([]string, 100) // of 20 seconds together
	for i := range pieces {
		pieces[i] = "\n"
	}
	pieces[0] = "{}\n"
	began := time.Now()
	_, _ = w.send(t.Context(), documents, "application/x-ndjson", slowly(200*time.Millisecond, pieces...))
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the stream went on for %s", took)
	}
	if a := w.must(200, "GET", documents, ""); len(a.field("documents").([]any)) != 1 {
		t.Errorf("the line before them was not taken: %s", a.body)
	}
	for i := range pieces[:20] {
		pieces[i] = fmt.Sprintf("{\"subject\":\"%d\"}\n", i)
	}
	a, err := w.send(t.Context(), documents, "application/x-ndjson", slowly(200*time.Millisecond, pieces[:20]...))
	if err != nil || a.status != http.StatusOK {
		t.Errorf("lines every 200 ms: %d %s %v", a.status, a.body, err)
	}
}
