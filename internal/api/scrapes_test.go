package api_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fetchq/server/internal/api"
	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/metrics"
	"github.com/fetchq/server/internal/scrape"
)

// scraped turns a world into one that serves /metrics.
func scraped(w *world, open bool) {
	w.t.Helper()
	log := slog.New(slog.DiscardHandler)
	calls := api.New(api.Options{
		Engine: w.engine, Series: metrics.NewStore(w.db, log), Tokens: w.tokens, Log: log, Now: time.Now,
		Ready: func(context.Context) error { return nil },
	})
	calls.ServeScrapes(scrape.New(scrape.Options{Backups: noBackups, Pool: w.db, Engine: w.engine, Series: metrics.NewStore(w.db, log), Version: "test", Log: log, Now: time.Now}), open)
	server := httptest.NewServer(calls)
	w.t.Cleanup(server.Close)
	w.url = server.URL
}

const ofPages = `fetchq_documents{queue="pages",status="pending"} 0`

func TestMetricsWantATokenThatReads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(201, "PUT", "/api/v1/queues/pages", `{}`)
	w.must(201, "PUT", "/api/v1/queues/theirs", `{}`)
	scraped(w, false)
	get := func(token string) answer { return w.call("GET", "/metrics", "", "Authorization", token) }
	if a := get("Bearer " + w.token("reader", []string{auth.Read}, nil)); a.status != 200 || !strings.Contains(string(a.body), ofPages) ||
		!strings.Contains(string(a.body), "go_goroutines ") || !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain; version=0.0.4") {
		t.Errorf("a token that reads gets %d %s, %.500s", a.status, a.header.Get("Content-Type"), a.body)
	}
	if a := get("bearer " + w.token("limited", []string{auth.Read}, []string{"pag*"})); a.status != 200 || !strings.Contains(string(a.body), ofPages) ||
		strings.Contains(string(a.body), "theirs") || strings.Contains(string(a.body), "go_goroutines") {
		t.Errorf("a token that is limited to queues gets %d %.500s", a.status, a.body)
	}
	w.refuses(get(""), 401, "unauthenticated", "")
	w.refuses(get("Basic eDp5"), 401, "unauthenticated", "")
	w.refuses(get("Bearer fq_none"), 401, "unauthenticated", "")
	for _, right := range []string{auth.Push, auth.Work, auth.Metrics} {
		w.refuses(get("Bearer "+w.token(right, []string{right}, nil)), 403, "forbidden", "")
	}
	if a := w.call("POST", "/metrics", `{}`); a.status != 405 {
		t.Errorf("POST is answered %d", a.status)
	}
	if a := w.call("HEAD", "/metrics", ""); a.status != 200 || len(a.body) != 0 {
		t.Errorf("HEAD is answered %d with %d bytes", a.status, len(a.body))
	}
}

func TestMetricsAreOpenWhereTheSettingSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(201, "PUT", "/api/v1/queues/pages", `{}`)
	scraped(w, true)
	for _, token := range []string{"", "Bearer fq_none"} {
		if a := w.call("GET", "/metrics", "", "Authorization", token); a.status != 200 || !strings.Contains(string(a.body), ofPages) {
			t.Errorf("with the token %q: %d %.300s", token, a.status, a.body)
		}
	}
}

// TestWhoScrapedBeforeTheDatabaseWentAwayIsToldSo closes the pool: tokens cannot be looked up any more.
func TestWhoScrapedBeforeTheDatabaseWentAwayIsToldSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	known, late, revoked := w.token("known", []string{auth.Read}, nil), w.token("late", []string{auth.Read}, nil), w.token("revoked", []string{auth.Read}, nil)
	scraped(w, false)
	get := func(token string) answer { return w.call("GET", "/metrics", "", "Authorization", "Bearer "+token) }
	for _, token := range []string{known, revoked} {
		if a := get(token); a.status != 200 {
			t.Fatal(a.status, string(a.body))
		}
	}
	if err := w.tokens.Revoke(t.Context(), "revoked"); err != nil {
		t.Fatal(err)
	}
	w.refuses(get(revoked), 401, "unauthenticated", "")
	w.db.Close()                                                                       // its connections fail, as those to a server that is gone do
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) { // the last look and tokens last a second
		a := get(known)
		if a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if strings.Contains(string(a.body), "fetchq_database_up 0\n") && strings.Contains(string(a.body), "go_goroutines ") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("after 20 s it is %.500s", a.body)
		}
	}
	for _, token := range []string{late, revoked} {
		if a := get(token); a.status < 500 {
			t.Errorf("a token that nobody can look up is answered %d", a.status)
		}
	}
}

// noBackups is how it stands with backups where nobody makes any.
func noBackups(context.Context) (scrape.Backups, error) { return scrape.Backups{}, nil }
