package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/internal/api"
	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/backup"
	"github.com/fetchq/server/internal/catalog"
	"github.com/fetchq/server/internal/charts"
	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/metrics"
	"github.com/fetchq/server/internal/operations"
	"github.com/fetchq/server/internal/queue"
)

// world is the API on a database of its own.
type world struct {
	t       testing.TB
	db      *pgxpool.Pool
	engine  *queue.Engine
	jobs    *operations.Service // not started
	backups *catalog.Service    // not started
	tokens  *auth.Tokens
	url     string
	admin   string // a token that can do everything
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldFor(t)
}

// newWorldFor is newWorld for fuzz targets too.
func newWorldFor(t testing.TB) *world {
	t.Helper()
	db := dbtest.New(t)
	log := slog.New(slog.DiscardHandler)
	w := &world{t: t, db: db, tokens: auth.NewTokens(db, time.Now)}
	w.engine = queue.New(db, queue.Options{Log: log, Node: "test", Now: time.Now})
	if err := w.engine.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	w.jobs = operations.New(db, w.engine, operations.Options{Log: log, Node: "test", Now: time.Now, ImportLimit: 16 << 20})
	w.backups = catalog.New(catalog.Options{
		DB: db, Backups: backup.New(backup.Options{Program: "test", Log: log, Connect: func(ctx context.Context) (*pgx.Conn, error) {
			return pgx.ConnectConfig(ctx, db.Config().ConnConfig)
		}}),
		Operations: w.jobs, Engine: w.engine, Log: log, Node: "test", Now: time.Now, Secret: func(string) (string, bool) { return "", false },
	})
	server := httptest.NewServer(api.New(api.Options{
		Engine: w.engine, Operations: w.jobs, Catalog: w.backups, Series: metrics.NewStore(db, log), Charts: charts.NewStore(db), Tokens: w.tokens, Log: log, Now: time.Now, Version: "test",
		Ready: func(ctx context.Context) error { return database.Error("ping", db.Ping(ctx)) },
	}))
	t.Cleanup(func() {
		w.engine.Stop()
		server.Close()
		w.backups.Stop()
		w.jobs.Stop()
	})
	w.url = server.URL
	w.admin = w.token(t.Name(), []string{auth.Admin}, nil)
	return w
}

func (w *world) token(name string, rights, queues []string) string {
	w.t.Helper()
	_, text, err := w.tokens.Create(context.Background(), name, rights, queues, nil, "")
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// field returns one member of a JSON answer.
func (a answer) field(name string) any {
	var members map[string]any
	_ = json.Unmarshal(a.body, &members)
	return members[name]
}

// call makes a request with the admin's token, or with the headers given in pairs.
func (w *world) call(method, path string, body string, headers ...string) answer {
	w.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = bytes.NewReader([]byte(body))
	}
	req, err := http.NewRequestWithContext(context.Background(), method, w.url+path, reader)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.admin)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer{resp.StatusCode, resp.Header, text}
}

// must is call that wants a status.
func (w *world) must(status int, method, path, body string) answer {
	w.t.Helper()
	a := w.call(method, path, body)
	if a.status != status {
		w.t.Fatalf("%s %s: %d %s; %d is wanted", method, path, a.status, a.body, status)
	}
	return a
}
