package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/singleflight"

	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
)

const (
	cacheLasts = time.Second // so that a revocation takes effect everywhere within it
	lookEvery  = time.Minute // how often a token that nothing changed is looked at, and its use written down
	cacheMost  = 20_000      // tokens
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

	mu      sync.Mutex
	known   map[[sha256.Size]byte]cached // by the hash
	version int64                        // of all tokens, as of
	asked   time.Time
}

type cached struct {
	token   Token
	version int64     // that was read before it
	until   time.Time // when it ends, or is looked at again
}

// NewTokens returns the store in a migrated database. now is this machine's clock, for the cache only.
func NewTokens(db *pgxpool.Pool, now func() time.Time) *Tokens {
	return &Tokens{db: db, now: now, looks: make(chan struct{}, looksMost), known: map[[sha256.Size]byte]cached{}}
}

var errUnknown = errs.New(errs.Unauthenticated, "the token is unknown, has expired or was revoked; make one with fetchq token create")

// Authenticate returns the token behind a text. address is where it comes from. Errors: Unauthenticated, Unavailable, Overloaded.
//
// All tokens together cost one query a second, which asks whether any has changed, and each one that is used a query and a write a minute; a text that
// cannot be a token costs none. Those who guess share a few connections with each other and with new tokens, and not with those who were let in before.
func (s *Tokens) Authenticate(ctx context.Context, text, address string) (Token, error) {
	if !wellFormed(text) {
		return Token{}, errUnknown
	}
	sum := sha256.Sum256([]byte(text))
	version, err := s.current(ctx)
	if err != nil {
		return Token{}, err
	}
	s.mu.Lock()
	c, ok := s.known[sum]
	s.mu.Unlock()
	if ok && c.version == version && s.now().Before(c.until) {
		return c.token, nil
	}
	found, err, _ := s.calls.Do(string(sum[:]), func() (any, error) {
		// The first of several callers may go away; what it asked serves the others.
		ctx := context.WithoutCancel(ctx)
		if !ok {
			if err := s.queueUp(ctx); err != nil {
				return Token{}, err
			}
			defer func() { <-s.looks }()
		}
		return s.find(ctx, sum, version, address)
	})
	if err != nil {
		return Token{}, err
	}
	return found.(Token), nil
}

// current returns the version of all tokens as it was a second ago at most. A change that is committed has another one.
func (s *Tokens) current(ctx context.Context) (int64, error) {
	s.mu.Lock()
	version, good := s.version, s.now().Sub(s.asked) < cacheLasts
	s.mu.Unlock()
	if good {
		return version, nil
	}
	found, err, _ := s.calls.Do("version", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		now := s.now() // before the database looks: a revocation behind its look is seen within cacheLasts of it
		var version int64
		if err := s.db.QueryRow(ctx, `select coalesce((select value::bigint from fetchq.meta where key = 'tokens'), 0)`).Scan(&version); err != nil {
			return int64(0), database.Error("ask whether tokens have changed", err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.version, s.asked = version, now
		return version, nil
	})
	if err != nil {
		return 0, err
	}
	return found.(int64), nil
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

const columns = `id, name, rights, queues, created_at, created_by, expires_at, revoked_at, last_used_at, last_used_from, rotated_at, old_until, old_used_at`

// find asks the database, and has it written down that the token was used. How long it is good is told by the database's clock.
func (s *Tokens) find(ctx context.Context, sum [sha256.Size]byte, version int64, address string) (Token, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	now := s.now()
	var t Token
	var old bool
	var left *time.Duration
	err := s.db.QueryRow(ctx, `select `+columns+`, hash <> $1, least(expires_at, case when hash <> $1 then old_until end) - clock_timestamp()
		from fetchq.tokens where (hash = $1 or old_hash = $1 and old_until > clock_timestamp())
			and revoked_at is null and (expires_at is null or expires_at > clock_timestamp())`, sum[:]).
		Scan(&t.ID, &t.Name, &t.Rights, &t.Queues, &t.CreatedAt, &t.CreatedBy, &t.ExpiresAt, &t.RevokedAt, &t.LastUsedAt, &t.LastUsedFrom,
			&t.RotatedAt, &t.OldUntil, &t.OldUsedAt, &old, &left)
	if errors.Is(err, pgx.ErrNoRows) {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.known, sum)
		return Token{}, errUnknown
	}
	if err != nil {
		return Token{}, database.Error("find a token", err)
	}
	until := now.Add(lookEvery)
	if left != nil && *left < lookEvery {
		until = now.Add(*left)
	}
	s.remember(sum, cached{t, version, until})
	last := t.LastUsedAt
	if old {
		last = t.OldUsedAt
	}
	if last == nil || now.Sub(*last) >= lookEvery {
		s.noteUse(t, address, old)
	}
	return t, nil
}

// noteUse writes down that a token was used, beside the call that used it: a call does not wait for a write, and does
// not fail with it. One that fails is made up for by the next look at the token. Of several nodes that read the same
// last use, one writes.
func (s *Tokens) noteUse(t Token, address string, old bool) {
	s.calls.DoChan(useKey(t.ID), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.Background(), usedWait)
		defer cancel()
		return s.db.Exec(ctx, `update fetchq.tokens set last_used_at = clock_timestamp(), last_used_from = nullif($3, ''),
				old_used_at = case when $4 then clock_timestamp() else old_used_at end
			where id = $1 and (last_used_at is not distinct from $2 or $4 and old_used_at is not distinct from $5)`, t.ID, t.LastUsedAt, address, old, t.OldUsedAt)
	})
}

// useKey names the write of one token's use among the calls that run; no hash looks like it.
func useKey(id uuid.UUID) string { return "use of " + id.String() }

// remember keeps a token. Where there are too many, any eighth of them is forgotten: each of those costs a query when it comes again.
func (s *Tokens) remember(sum [sha256.Size]byte, c cached) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) >= cacheMost {
		for other := range s.known {
			delete(s.known, other)
			if len(s.known) < cacheMost-cacheMost/8 {
				break
			}
		}
	}
	s.known[sum] = c
}

// forgetAll makes a change take effect at once on this node.
func (s *Tokens) forgetAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.known)
}
