package auth

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/errs"
)

// clock is a machine's clock that a test moves.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func TestOnlyTheHashOfATokenIsKept(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	s := NewTokens(db, time.Now)
	_, text, err := s.Create(t.Context(), "worker", []string{Work, Push}, []string{"pages", "img_*"}, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	var kept string
	if err := db.QueryRow(t.Context(), `select row_to_json(t)::text from fetchq.tokens t`).Scan(&kept); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(kept, text) || strings.Contains(kept, text[3:46]) {
		t.Errorf("the row holds the token: %s", kept)
	}
	got, err := s.Authenticate(t.Context(), text, "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{Push, Work}, got.Rights); diff != "" {
		t.Error(diff)
	}
}

func TestRightsAndQueuesOfAToken(t *testing.T) {
	t.Parallel()
	worker := Token{Rights: []string{Work}, Queues: []string{"pages", "img_*"}}
	boss := Token{Rights: []string{Admin}}
	for _, tt := range []struct {
		token Token
		right string
		queue string
		want  bool
	}{
		{worker, Work, "pages", true}, {worker, Work, "img_1", true}, {worker, Work, "img", false}, {worker, Work, "pages2", false},
		{worker, Read, "pages", false}, {worker, Admin, "pages", false}, {boss, Push, "x", true}, {boss, Read, "x", true},
		{Token{Rights: []string{Read}, Queues: []string{}}, Read, "x", false},
	} {
		if got := tt.token.Can(tt.right) && tt.token.Sees(tt.queue); got != tt.want {
			t.Errorf("%v %s %s: %v", tt.token, tt.right, tt.queue, got)
		}
	}
}

func TestARevokedTokenIsRefusedEverywhereAfterASecond(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	c := &clock{time.Now()}
	here, there := NewTokens(db, c.now), NewTokens(db, c.now)
	_, text, err := here.Create(t.Context(), "worker", []string{Work}, nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*Tokens{here, there} {
		if _, err := s.Authenticate(t.Context(), text, "192.0.2.1"); err != nil {
			t.Fatal(err)
		}
	}
	if err := here.Revoke(t.Context(), "worker"); err != nil {
		t.Fatal(err)
	}
	if _, err := here.Authenticate(t.Context(), text, "192.0.2.1"); errs.Of(err) != errs.Unauthenticated {
		t.Errorf("this node: %v", err)
	}
	c.at = c.at.Add(time.Second)
	if _, err := there.Authenticate(t.Context(), text, "192.0.2.1"); errs.Of(err) != errs.Unauthenticated {
		t.Errorf("another node after a second: %v", err)
	}
	if _, _, err := here.Create(t.Context(), "worker", []string{Work}, nil, nil, ""); err != nil {
		t.Errorf("the name is not free again: %v", err)
	}
}

func TestAnExpiredTokenIsRefused(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	s := NewTokens(db, time.Now)
	soon := time.Now().Add(time.Hour)
	_, text, err := s.Create(t.Context(), "worker", []string{Work}, nil, &soon, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(t.Context(), `update fetchq.tokens set expires_at = clock_timestamp()`); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Authenticate(t.Context(), text, "192.0.2.1"); errs.Of(err) != errs.Unauthenticated {
		t.Error(err)
	}
}

func TestATypingErrorCostsNoQuery(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	s := NewTokens(db, time.Now)
	text := mint()
	db.Close() // a query would fail with another error
	for _, wrong := range []string{"", "fq_", text[:len(text)-1], text + "A", "gq_" + text[3:], text[:10] + flip(text[10]) + text[11:]} {
		if _, err := s.Authenticate(t.Context(), wrong, "192.0.2.1"); errs.Of(err) != errs.Unauthenticated {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}

func flip(c byte) string {
	if c == 'A' {
		return "B"
	}
	return "A"
}

func TestUseIsWrittenDownOnceAMinute(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	c := &clock{time.Now()}
	s := NewTokens(db, c.now)
	made, text, err := s.Create(t.Context(), "worker", []string{Work}, nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	used := func() time.Time {
		c.at = c.at.Add(30 * time.Second)
		if _, err := s.Authenticate(t.Context(), text, "192.0.2.1"); err != nil {
			t.Fatal(err)
		}
		s.written(made)
		var at time.Time
		if err := db.QueryRow(t.Context(), `select last_used_at from fetchq.tokens`).Scan(&at); err != nil {
			t.Fatal(err)
		}
		return at
	}
	first, second, third := used(), used(), used()
	if !first.Equal(second) || !third.After(second) {
		t.Errorf("written at %s, %s, %s", first, second, third)
	}
}

// written waits until the use of a token is written down, if it is being written.
func (s *Tokens) written(t Token) {
	_, _, _ = s.calls.Do(useKey(t.ID), func() (any, error) { return nil, nil })
}

func TestACallDoesNotWaitUntilItsUseIsWrittenDown(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	s := NewTokens(db, time.Now)
	made, text, err := s.Create(t.Context(), "worker", []string{Work}, nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	tx, err := db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.written(made)
	defer tx.Rollback(context.Background()) //nolint:errcheck // it locks, and writes nothing
	if _, err := tx.Exec(t.Context(), `select from fetchq.tokens for update`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	got := make(chan error, 1)
	go func() {
		_, err := s.Authenticate(ctx, text, "192.0.2.1")
		got <- err
	}()
	select {
	case err := <-got:
		if err != nil {
			t.Error(err)
		}
	case <-ctx.Done():
		t.Error("the call waits for a row that another transaction holds")
	}
}

func TestCreateNamesWhatItRefuses(t *testing.T) {
	t.Parallel()
	s := NewTokens(dbtest.New(t), time.Now)
	past := time.Now().Add(-time.Second)
	for _, tt := range []struct {
		name           string
		rights, queues []string
		expires        *time.Time
		field          string
	}{
		{"", []string{Work}, nil, nil, "name"}, {strings.Repeat("n", 101), []string{Work}, nil, nil, "name"},
		{"n", nil, nil, nil, "rights"}, {"n", []string{"root"}, nil, nil, "rights"}, {"n", []string{Work}, []string{"A"}, nil, "queues"},
		{"n", []string{Work}, []string{"a*b"}, nil, "queues"}, {"n", []string{Work}, nil, &past, "expires_at"},
	} {
		_, _, err := s.Create(t.Context(), tt.name, tt.rights, tt.queues, tt.expires, "")
		e := &errs.Error{}
		ok := errors.As(err, &e)
		if !ok || e.Code != errs.Invalid || e.Field != tt.field {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}
