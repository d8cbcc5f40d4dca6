package auth

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/audit"
	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
)

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
	s.forgetAll()
	return nil
}

// MaxOverlap is for how long the old secret of a rotated token may stay good.
const MaxOverlap = 90 * 24 * time.Hour

// Rotate gives a token another secret and returns it; nobody can see it again. The one that it had is good for an overlap longer, so that what
// uses it can be told meanwhile; 0 ends it at once. One that was old before ends here. Name, rights, queues and expiry stay. Errors:
// NotFound, Invalid (overlap).
func (s *Tokens) Rotate(ctx context.Context, name string, overlap time.Duration) (t Token, text string, err error) {
	if overlap < 0 || overlap > MaxOverlap {
		return t, "", errs.Field("overlap", "the old secret stays good for up to 90 days")
	}
	text = mint()
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `update fetchq.tokens set hash = $2, rotated_at = clock_timestamp(), old_used_at = null,
				old_hash = case when $3 > interval '0' then hash end, old_until = case when $3 > interval '0' then clock_timestamp() + $3 end
			where name = $1 and revoked_at is null returning `+columns, name, hash(text), overlap)
		if err != nil {
			return err
		}
		tokens, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Token])
		if err != nil {
			return err
		}
		if len(tokens) == 0 {
			return errNoToken
		}
		t = tokens[0]
		return audit.Write(ctx, tx, audit.Entry{Action: audit.TokenRotate, Target: name, Details: map[string]any{"old_until": t.OldUntil}})
	})
	if err != nil {
		return Token{}, "", database.Error("rotate a token", err)
	}
	s.forgetAll()
	return t, text, nil
}
