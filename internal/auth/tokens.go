package auth

import (
	"context"
	"encoding/hex"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/singleflight"

	"github.com/fetchq/server/internal/audit"
	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
)

const (
	cacheLasts = time.Second // so that a revocation takes effect everywhere within it
	cacheMost  = 10_000      // tokens; then the cache begins anew
	usedEvery  = time.Minute // how often the use of one token is written down
	usedWait   = 2 * time.Second
	looksMost  = 4 // look-ups of unknown tokens at once
	lookWait   = 2 * time.Second
)

// Tokens is the store of tokens. Its methods are safe for concurrent use.
type Tokens struct {
	db    *pgxpool.Pool
	now   func() time.Time
	calls singleflight.Group
	looks chan struct{} // holds one for each look-up of a token that was not known

	mu    sync.Mutex
	known map[string]cached // by the hash
}

type cached struct {
	token Token
	until time.Time
}

// NewTokens returns the store in a migrated database. now is this machine's clock, for the cache only.
func NewTokens(db *pgxpool.Pool, now func() time.Time) *Tokens {
	return &Tokens{db: db, now: now, looks: make(chan struct{}, looksMost), known: map[string]cached{}}
}

var errUnknown = errs.New(errs.Unauthenticated, "the token is unknown, has expired or was revoked; make one with fetchq token create")

// Authenticate returns the token behind a text. Errors: Unauthenticated, Unavailable, Overloaded.
//
// A token costs one query a second, however many calls use it; a text that cannot be a token costs none. Those who guess share
// a few connections with each other and with new tokens, and not with those who were let in before.
func (s *Tokens) Authenticate(ctx context.Context, text string) (Token, error) {
	if !wellFormed(text) {
		return Token{}, errUnknown
	}
	sum := hash(text)
	key := hex.EncodeToString(sum)
	s.mu.Lock()
	c, ok := s.known[key]
	s.mu.Unlock()
	if ok && s.now().Before(c.until) {
		return c.token, nil
	}
	found, err, _ := s.calls.Do(key, func() (any, error) {
		// The first of several callers may go away; what it asked serves the others.
		ctx := context.WithoutCancel(ctx)
		if !ok {
			if err := s.queueUp(ctx); err != nil {
				return Token{}, err
			}
			defer func() { <-s.looks }()
		}
		return s.find(ctx, sum, key)
	})
	if err != nil {
		return Token{}, err
	}
	return found.(Token), nil
}

// queueUp waits for a place among the look-ups of unknown tokens.
func (s *Tokens) queueUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookWait)
	defer cancel()
	select {
	case s.looks <- struct{}{}:
		return nil
	case <-ctx.Done():
		return errs.New(errs.Overloaded, "too many unknown tokens are being looked up; try again")
	}
}

const columns = `id, name, rights, queues, created_at, created_by, expires_at, revoked_at, last_used_at`

// find asks the database, and has it written down at most once a minute that the token was used.
func (s *Tokens) find(ctx context.Context, sum []byte, key string) (Token, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	now := s.now() // before the database looks: a revocation behind its look is seen within cacheLasts of it
	rows, err := s.db.Query(ctx, `select `+columns+` from fetchq.tokens
		where hash = $1 and revoked_at is null and (expires_at is null or expires_at > clock_timestamp())`, sum)
	if err != nil {
		return Token{}, database.Error("find a token", err)
	}
	tokens, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Token])
	if err != nil {
		return Token{}, database.Error("find a token", err)
	}
	if len(tokens) == 0 {
		s.forget(key)
		return Token{}, errUnknown
	}
	t := tokens[0]
	s.remember(key, cached{t, now.Add(cacheLasts)})
	if t.LastUsedAt == nil || now.Sub(*t.LastUsedAt) >= usedEvery {
		s.noteUse(t)
	}
	return t, nil
}

// noteUse writes down that a token was used, beside the call that used it: a call does not wait for a write, and does
// not fail with it. One that fails is made up for by the next look at the token. Of several nodes that read the same
// last use, one writes.
func (s *Tokens) noteUse(t Token) {
	s.calls.DoChan(useKey(t.ID), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.Background(), usedWait)
		defer cancel()
		return s.db.Exec(ctx, `update fetchq.tokens set last_used_at = clock_timestamp() where id = $1 and last_used_at is not distinct from $2`,
			t.ID, t.LastUsedAt)
	})
}

// useKey names the write of one token's use among the calls that run; no hash looks like it.
func useKey(id uuid.UUID) string { return "use of " + id.String() }

func (s *Tokens) remember(key string, c cached) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) >= cacheMost {
		clear(s.known)
	}
	s.known[key] = c
}

func (s *Tokens) forget(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, key)
}

// Create makes a token and returns its text, which nobody can see again. queues nil means all; expires nil means never; by is
// the e-mail address of who makes it, "" for the command line. Errors: Invalid (name, rights, queues, expires_at), Exists (the
// name is taken).
func (s *Tokens) Create(ctx context.Context, name string, rights, queues []string, expires *time.Time, by string) (Token, string, error) {
	if err := check(name, rights, queues); err != nil {
		return Token{}, "", err
	}
	if expires != nil && !expires.After(s.now()) {
		return Token{}, "", errs.Field("expires_at", "the end of a token lies ahead")
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Token{}, "", err
	}
	text := mint()
	rights = slices.Compact(slices.Sorted(slices.Values(rights)))
	var made Token
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `insert into fetchq.tokens (id, name, hash, rights, queues, expires_at, created_by)
		values ($1, $2, $3, $4, $5, $6, nullif($7, '')) on conflict (name) do nothing returning `+columns,
			id, name, hash(text), rights, queues, expires, by)
		if err != nil {
			return err
		}
		tokens, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Token])
		if err != nil {
			return err
		}
		if len(tokens) == 0 {
			return &errs.Error{Code: errs.Exists, Field: "name", Message: "a token of this name exists; revoke it or choose another name"}
		}
		made = tokens[0]
		return audit.Write(ctx, tx, audit.Entry{Action: audit.TokenCreate, Target: name, Details: map[string]any{"rights": rights, "queues": queues, "expires_at": expires}})
	})
	if err != nil {
		return Token{}, "", database.Error("create a token", err)
	}
	return made, text, nil
}

// List returns all tokens that were not revoked, by name.
func (s *Tokens) List(ctx context.Context) ([]Token, error) {
	rows, err := s.db.Query(ctx, `select `+columns+` from fetchq.tokens where revoked_at is null order by name`)
	if err != nil {
		return nil, database.Error("list tokens", err)
	}
	tokens, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Token])
	return tokens, database.Error("list tokens", err)
}

var errNoToken = &errs.Error{Code: errs.NotFound, Field: "name", Message: "there is no token of this name"}

// Revoke ends a token; every node refuses it within a second. Its name is free again. Errors: NotFound.
func (s *Tokens) Revoke(ctx context.Context, name string) error {
	err := pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		done, err := tx.Exec(ctx, `update fetchq.tokens set revoked_at = clock_timestamp(), name = name || ' (revoked ' || id || ')'
			where name = $1 and revoked_at is null`, name)
		if err != nil {
			return err
		}
		if done.RowsAffected() == 0 {
			return errNoToken
		}
		return audit.Write(ctx, tx, audit.Entry{Action: audit.TokenRevoke, Target: name})
	})
	if err != nil {
		return database.Error("revoke a token", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.known) // at once on this node
	return nil
}
