package bench

import (
	"context"
	"fmt"

	"github.com/fetchq/server/internal/database"
)

// hold begins a transaction that has taken its snapshot and does nothing more, as a dump or a report does for hours: Postgres
// keeps every row version that it could see. release ends it.
func (r *run) hold(ctx context.Context) (release func(), err error) {
	conn, err := database.Connect(ctx, r.DatabaseURL, "fetchq bench snapshot")
	if err != nil {
		return nil, err
	}
	for _, sql := range []string{
		`begin read only, isolation level repeatable read`,
		`set local idle_in_transaction_session_timeout = 0`,
		`select count(*) from pg_catalog.pg_class`,
	} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			conn.Close(context.WithoutCancel(ctx))
			return nil, fmt.Errorf("hold a snapshot: %w", err)
		}
	}
	return func() { conn.Close(context.WithoutCancel(ctx)) }, nil
}
