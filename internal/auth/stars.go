package auth

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/database"
)

// starsMost is how many queues a user may mark.
const starsMost = 200

// Stars returns the queues that a user has marked to stand first.
func (s *Users) Stars(ctx context.Context, user uuid.UUID) (map[string]bool, error) {
	rows, err := s.db.Query(ctx, `select queue from fetchq.stars where user_id = $1`, user)
	if err != nil {
		return nil, database.Error("read stars", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	stars := make(map[string]bool, len(names))
	for _, name := range names {
		stars[name] = true
	}
	return stars, database.Error("read stars", err)
}

// Star marks a queue for a user, or takes the mark away. More than 200 are not kept.
func (s *Users) Star(ctx context.Context, user uuid.UUID, queue string, on bool) error {
	sql := `delete from fetchq.stars where user_id = $1 and queue = $2`
	if on {
		sql = `insert into fetchq.stars (user_id, queue) select $1, $2
			where (select count(*) from fetchq.stars where user_id = $1) < $3 on conflict do nothing`
		_, err := s.db.Exec(ctx, sql, user, queue, starsMost)
		return database.Error("mark a queue", err)
	}
	_, err := s.db.Exec(ctx, sql, user, queue)
	return database.Error("unmark a queue", err)
}
