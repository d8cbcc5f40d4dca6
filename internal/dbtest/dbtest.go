package dbtest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/internal/database"
)

var (
	number  atomic.Int64
	cloning sync.Mutex // a template may have one reader at a time
)

// New returns a pool on a migrated database that only this test uses; both end with the test.
func New(t testing.TB) *pgxpool.Pool {
	t.Helper()
	return Open(t, URL(t))
}

// Open returns a pool on a database of URL, for tests that want several.
func Open(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := database.Open(context.Background(), url, database.Options{MaxConns: 64, Name: "dbtest"})
	if err != nil {
		t.Fatalf("open the test database: %v", err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// URL returns the address of a migrated database that only this test uses.
func URL(t testing.TB) string {
	t.Helper()
	return create(t, "template_fetchq")
}

// Empty returns the address of a database that nothing has migrated yet.
func Empty(t testing.TB) string {
	t.Helper()
	return create(t, "template0")
}

func create(t testing.TB, template string) string {
	t.Helper()
	s := start()
	if s.err != nil {
		t.Fatalf("start the test server: %v", s.err)
	}
	name := fmt.Sprintf("t%d", number.Add(1))
	cloning.Lock()
	err := s.exec(fmt.Sprintf(`create database %s template %s`, name, template))
	cloning.Unlock()
	if err != nil {
		t.Fatalf("create the test database: %v", err)
	}
	t.Cleanup(func() {
		if err := s.exec(`drop database ` + name + ` with (force)`); err != nil {
			t.Errorf("drop the test database: %v", err)
		}
	})
	return s.database(name)
}

// exec runs one statement on the database postgres of the server.
func (s server) exec(sql string) error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, s.address)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}

// Replace plants a bug: it re-creates the function fetchq.name in this test's database with fragments of its text replaced,
// given in pairs of old and new. It fails the test when an old one does not stand there exactly once.
func Replace(t testing.TB, pool *pgxpool.Pool, name string, pairs ...string) {
	t.Helper()
	ctx := context.Background()
	var text string
	err := pool.QueryRow(ctx, `select pg_get_functiondef(p.oid) from pg_proc p
		where pronamespace = 'fetchq'::regnamespace and proname = $1`, name).Scan(&text)
	if err != nil {
		t.Fatalf("read the function %s: %v", name, err)
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if n := strings.Count(text, pairs[i]); n != 1 {
			t.Fatalf("the fragment %q stands %d times in %s; once is wanted", pairs[i], n, name)
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	if _, err := pool.Exec(ctx, text); err != nil {
		t.Fatalf("replace the function %s: %v", name, err)
	}
}
