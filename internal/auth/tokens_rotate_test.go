package auth

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/errs"
)

// good says whether a node takes a token.
func good(t *testing.T, s *Tokens, text string) bool {
	t.Helper()
	_, err := s.Authenticate(t.Context(), text, "192.0.2.1")
	if err != nil && errs.Of(err) != errs.Unauthenticated {
		t.Fatal(err)
	}
	return err == nil
}

func TestBothSecretsOfARotatedTokenAreGoodUntilTheOverlapIsOver(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	c := &clock{time.Now()}
	here, there := NewTokens(db, c.now), NewTokens(db, c.now)
	made, first, err := here.Create(t.Context(), "worker", []string{Work}, []string{"pages"}, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	if !good(t, there, first) {
		t.Fatal("the token is refused")
	}
	rotated, second, err := here.Rotate(t.Context(), "worker", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if rotated.ID != made.ID || rotated.OldUntil == nil || len(rotated.Queues) != 1 {
		t.Errorf("%+v", rotated)
	}
	c.at = c.at.Add(cacheLasts)
	for _, s := range []*Tokens{here, there} {
		if !good(t, s, first) || !good(t, s, second) {
			t.Error("one of both secrets is refused")
		}
	}
	c.at = c.at.Add(lookEvery)
	good(t, here, first)
	here.written(made)
	if list, err := here.List(t.Context()); err != nil || list[0].OldUsedAt == nil || *list[0].LastUsedFrom != "192.0.2.1" {
		t.Errorf("nobody knows that the old secret is used: %+v %v", list, err)
	}
	_, third, err := here.Rotate(t.Context(), "worker", 0)
	if err != nil {
		t.Fatal(err)
	}
	c.at = c.at.Add(cacheLasts)
	for _, s := range []*Tokens{here, there} {
		if good(t, s, first) || good(t, s, second) || !good(t, s, third) {
			t.Error("an old secret lives on, or the new one is refused")
		}
	}
	if _, _, err := here.Rotate(t.Context(), "worker", MaxOverlap+1); errs.Of(err) != errs.Invalid {
		t.Error(err)
	}
	if _, _, err := here.Rotate(t.Context(), "nobody", 0); errs.Of(err) != errs.NotFound {
		t.Error(err)
	}
}

func TestAnOldSecretEndsByItself(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	c := &clock{time.Now()}
	s := NewTokens(db, c.now)
	_, first, err := s.Create(t.Context(), "worker", []string{Work}, nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Rotate(t.Context(), "worker", 10*time.Second); err != nil {
		t.Fatal(err)
	}
	if !good(t, s, first) {
		t.Fatal("the old secret is refused before its time")
	}
	s.mu.Lock()
	for _, kept := range s.known {
		if left := kept.until.Sub(c.at); left > 10*time.Second {
			t.Errorf("it is kept for %s", left)
		}
	}
	s.mu.Unlock()
	// As if it were over: the trigger tells that it was changed.
	if _, err := db.Exec(t.Context(), `update fetchq.tokens set old_until = clock_timestamp()`); err != nil {
		t.Fatal(err)
	}
	c.at = c.at.Add(cacheLasts)
	if good(t, s, first) {
		t.Error("the old secret lives on")
	}
}

func TestATokenThatSQLRevokedIsRefusedAfterASecond(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	c := &clock{time.Now()}
	s := NewTokens(db, c.now)
	_, text, err := s.Create(t.Context(), "worker", []string{Work}, nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{`update fetchq.tokens set revoked_at = clock_timestamp()`, `update fetchq.tokens set expires_at = '2001-01-01'`, `delete from fetchq.tokens`} {
		tx, err := db.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(t.Context(), `update fetchq.tokens set revoked_at = null`); err != nil {
			t.Fatal(err)
		}
		c.at = c.at.Add(cacheLasts)
		if !good(t, s, text) {
			t.Fatal("it is refused before")
		}
		if _, err := tx.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
		c.at = c.at.Add(cacheLasts)
		if !good(t, s, text) { // what is not committed is not so, and nobody may remember that it was looked at
			t.Errorf("%s: refused before it is committed", sql)
		}
		if err := tx.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.at = c.at.Add(cacheLasts)
		if good(t, s, text) {
			t.Errorf("%s: a second later it is good", sql)
		}
		if sql[:6] == "update" {
			if _, err := db.Exec(t.Context(), `update fetchq.tokens set revoked_at = null, expires_at = null`); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// asked counts the statements of a pool.
type asked struct{ n atomic.Int64 }

func (a *asked) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	a.n.Add(1)
	return ctx
}

func (a *asked) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// manyTokens makes tokens, and a store whose statements are counted.
func manyTokens(t testing.TB, n int, now func() time.Time) (*Tokens, []string, *asked) {
	t.Helper()
	cfg := dbtest.New(t).Config().Copy()
	count := &asked{}
	cfg.ConnConfig.Tracer = count
	db, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	texts, rows := make([]string, n), make([][]any, n)
	for i := range texts {
		texts[i] = mint()
		// Used a moment ago, so that no use is written meanwhile.
		rows[i] = []any{uuid.New(), "t" + strconv.Itoa(i), hash(texts[i]), []string{Work}, time.Now().Add(time.Hour)}
	}
	if _, err := db.CopyFrom(context.Background(), pgx.Identifier{"fetchq", "tokens"}, []string{"id", "name", "hash", "rights", "last_used_at"},
		pgx.CopyFromRows(rows)); err != nil {
		t.Fatal(err)
	}
	return NewTokens(db, now), texts, count
}

func TestManyTokensCostOneQueryASecond(t *testing.T) {
	t.Parallel()
	c := &clock{time.Now()}
	s, texts, count := manyTokens(t, 100, c.now)
	for _, text := range texts {
		if _, err := s.Authenticate(t.Context(), text, ""); err != nil {
			t.Fatal(err)
		}
	}
	before := count.n.Load()
	for range 20 {
		c.at = c.at.Add(cacheLasts)
		for _, text := range texts {
			if _, err := s.Authenticate(t.Context(), text, ""); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := count.n.Load() - before; n != 20 {
		t.Errorf("100 tokens in use cost %d statements in 20 s; 20 are wanted", n)
	}
}

// BenchmarkTenThousandTokens is what a call spends on its token where so many are in use.
func BenchmarkTenThousandTokens(b *testing.B) {
	s, texts, count := manyTokens(b, 10_000, time.Now)
	for _, text := range texts {
		if _, err := s.Authenticate(b.Context(), text, ""); err != nil {
			b.Fatal(err)
		}
	}
	before, i := count.n.Load(), 0
	for b.Loop() {
		if _, err := s.Authenticate(b.Context(), texts[i%len(texts)], ""); err != nil {
			b.Fatal(err)
		}
		i++
	}
	b.ReportMetric(float64(count.n.Load()-before)/b.Elapsed().Seconds(), "statements/s")
}
