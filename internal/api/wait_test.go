package api_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/internal/api"
	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/queue"
)

// counted is the API with a count of the requests inside it.
type counted struct {
	http.Handler
	inside atomic.Int64
}

func (c *counted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.inside.Add(1)
	defer c.inside.Add(-1)
	c.Handler.ServeHTTP(w, r)
}

// until waits for a number of requests inside.
func (c *counted) until(t *testing.T, n int64) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); c.inside.Load() != n; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d requests are inside; %d are wanted", c.inside.Load(), n)
		}
	}
}

func newCountedWorld(t *testing.T) (*world, *counted) {
	t.Helper()
	db := dbtest.New(t)
	log := slog.New(slog.DiscardHandler)
	w := &world{t: t, db: db, tokens: auth.NewTokens(db, time.Now)}
	w.engine = queue.New(db, queue.Options{Log: log, Node: "test", Now: time.Now})
	t.Cleanup(w.engine.Stop)
	h := &counted{Handler: api.New(api.Options{Engine: w.engine, Tokens: w.tokens, Log: log, Now: time.Now, Ready: func(context.Context) error { return nil }})}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	w.url, w.admin = server.URL, w.token("admin", []string{auth.Admin}, nil)
	w.must(201, "PUT", "/api/v1/queues/a", `{}`)
	h.until(t, 0)
	return w, h
}

// looked waits until a pick has looked and waits: one that is given up while it looks gives back what it leased, a moment later.
// conn is no connection that the pick can have.
func (w *world) looked(conn *pgxpool.Conn) {
	w.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		var done bool
		err := conn.QueryRow(context.Background(), `select exists (select from pg_stat_activity
			where datname = current_database() and state = 'idle' and query like '%from fetchq.doc_pick_for%')`).Scan(&done)
		if err != nil || time.Now().After(deadline) {
			w.t.Fatalf("no pick has looked, error %v", err)
		}
		if done {
			return
		}
	}
}

const longPick = `{"wait":"60s"}`

func TestAWaitEndsWhenItsCallerHangsUp(t *testing.T) {
	t.Parallel()
	w, h := newCountedWorld(t)
	conn, err := w.db.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	ctx, hangUp := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = w.send(ctx, "/api/v1/queues/a/pick", "application/json", strings.NewReader(longPick))
	}()
	h.until(t, 1)
	w.looked(conn)
	hangUp()
	<-ended
	h.until(t, 0)
	w.must(200, "POST", documents, `{"documents":[{"subject":"x"}]}`)
	if a := w.must(200, "GET", documents+"/x", ""); a.field("status") != "pending" {
		t.Errorf("somebody who hung up holds the document: %s", a.body)
	}
}

func TestAWaitEndsWhenTheEngineStops(t *testing.T) {
	t.Parallel()
	w, h := newCountedWorld(t)
	got := make(chan answer, 1)
	go func() { got <- w.call("POST", "/api/v1/queues/a/pick", longPick) }()
	h.until(t, 1)
	w.engine.Stop()
	select {
	case a := <-got:
		if a.status != http.StatusOK || !strings.Contains(string(a.body), `"documents":[]`) {
			t.Errorf("%d %s", a.status, a.body)
		}
	case <-time.After(20 * time.Second):
		t.Error("the pick waits on")
	}
}
