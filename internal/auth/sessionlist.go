package auth

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/audit"
	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
)

// Session is what a list tells of one.
type Session struct {
	ID        uuid.UUID
	UserID    uuid.UUID
	CreatedAt time.Time
	SeenAt    time.Time // to the minute
	ExpiresAt time.Time
	Address   string
	Agent     string
}

// List returns the sessions of one user, or of all (nil), the latest used first, 500 at most.
func (s *Sessions) List(ctx context.Context, user *uuid.UUID) ([]Session, error) {
	rows, err := s.db.Query(ctx, `select id, user_id, created_at, seen_at, expires_at, address, agent from fetchq.sessions
		where ($1::uuid is null or user_id = $1) and expires_at > clock_timestamp() and seen_at > clock_timestamp() - $2::interval
		order by seen_at desc, id limit 500`, user, sessionIdle)
	if err != nil {
		return nil, database.Error("list sessions", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Session])
	return list, database.Error("list sessions", err)
}

// Revoke ends a session, of that user if one is named. Errors: NotFound.
func (s *Sessions) Revoke(ctx context.Context, id uuid.UUID, user *uuid.UUID) error {
	err := pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		var whose string
		err := tx.QueryRow(ctx, `with ended as (delete from fetchq.sessions where id = $1 and ($2::uuid is null or user_id = $2) returning user_id)
			select email from fetchq.users where id = (select user_id from ended)`, id, user).Scan(&whose)
		if errors.Is(err, pgx.ErrNoRows) {
			return &errs.Error{Code: errs.NotFound, Field: "session", Message: "there is no such session; it may have ended"}
		}
		if err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{Action: audit.SessionRevoke, Target: whose, Details: map[string]any{"session": id}})
	})
	return database.Error("revoke a session", err)
}

// RevokeOthers ends all sessions of a user but one, and says how many those were.
func (s *Sessions) RevokeOthers(ctx context.Context, user, but uuid.UUID) (int, error) {
	done, err := s.db.Exec(ctx, `delete from fetchq.sessions where user_id = $1 and id <> $2`, user, but)
	return int(done.RowsAffected()), database.Error("revoke sessions", err)
}

// Alive returns the user of a session as of now, and whether it is still good, for what goes on longer than a request.
func (s *Sessions) Alive(ctx context.Context, id string) (User, bool, error) {
	users, err := collect(ctx, s.db, "look for a session", `select `+userColumns+` from fetchq.users where disabled_at is null and id = (
		select user_id from fetchq.sessions
		where id = $1 and expires_at > clock_timestamp() and seen_at > clock_timestamp() - $2::interval)`, id, sessionIdle)
	if err != nil || len(users) == 0 {
		return User{}, false, err
	}
	return users[0], true, nil
}
