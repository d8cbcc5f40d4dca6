package auth

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/wire"
)

// Limits of views.
const (
	maxViews     = 100  // of a queue: of one person, and shared ones of all
	maxViewName  = 60   // bytes
	maxViewQuery = 8000 // bytes
)

// View is a filter of a queue's documents that somebody saved, with its columns and order, as the query of a URL.
type View struct {
	ID        uuid.UUID
	Queue     string
	Name      string
	Query     string
	Shared    bool // everybody sees it
	Owner     uuid.UUID
	OwnerName string // of the owner: his name, or his address
	CreatedAt time.Time
}

// Views returns the views of a queue that a user sees, by name: his own, and those that are shared.
func (s *Users) Views(ctx context.Context, user uuid.UUID, queue string) ([]View, error) {
	rows, err := s.db.Query(ctx, `select v.id, v.queue, v.name, v.query, v.shared, v.user_id, coalesce(nullif(u.name, ''), u.email), v.created_at
		from fetchq.views v join fetchq.users u on u.id = v.user_id
		where v.queue = $1 and (v.user_id = $2 or v.shared) order by lower(v.name), v.id limit $3`, queue, user, 2*maxViews)
	if err != nil {
		return nil, database.Error("read views", err)
	}
	views, err := pgx.CollectRows(rows, pgx.RowToStructByPos[View])
	return views, database.Error("read views", err)
}

// SaveView keeps a view under its name, in place of the one that the owner has of that name. Errors: Invalid (name, query).
func (s *Users) SaveView(ctx context.Context, v View) error {
	v.Name = strings.TrimSpace(v.Name)
	if v.Name == "" || strings.ContainsFunc(v.Name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return errs.Field("name", "a name of 1 to %d bytes on one line is wanted", maxViewName)
	}
	if err := errors.Join(wire.CheckText("name", v.Name, maxViewName), wire.CheckText("query", v.Query, maxViewQuery)); err != nil {
		return err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	tag, err := s.db.Exec(ctx, `insert into fetchq.views (id, queue, user_id, name, query, shared)
		select $1, $2, $3, $4, $5, $6
		where (select count(*) from fetchq.views where queue = $2 and (user_id = $3 or shared)) < $7
			or exists (select from fetchq.views where queue = $2 and user_id = $3 and name = $4)
		on conflict (queue, user_id, name) do update set query = excluded.query, shared = excluded.shared`,
		id, v.Queue, v.Owner, v.Name, v.Query, v.Shared, maxViews)
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &pg) && pg.Code == "23503":
		return errs.New(errs.NotFound, "there is no such user any more")
	case err == nil && tag.RowsAffected() == 0:
		return errs.Field("name", "there are %d views of this queue, which is as many as there may be; delete one first", maxViews)
	}
	return database.Error("save a view", err)
}

// DeleteView removes a view of a user, or, with anybody, one that somebody shares. One that is not there is no error.
func (s *Users) DeleteView(ctx context.Context, id, user uuid.UUID, anybody bool) error {
	_, err := s.db.Exec(ctx, `delete from fetchq.views where id = $1 and (user_id = $2 or $3 and shared)`, id, user, anybody)
	return database.Error("delete a view", err)
}
