package queue

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/database"
)

// MostAhead is up to how many documents Ahead counts.
const MostAhead = 10_000

// Ahead counts the pending documents that a pick of the same version takes before a pending one: those of a higher priority, or of the same and an older
// date; MostAhead stands for so many or more. With partitions, and with limits by key, the order of picks is not exactly this one. false: it would take too
// long to say. Errors: NotFound.
func (e *Engine) Ahead(ctx context.Context, d Document) (n int, known bool, err error) {
	if err := find(ctx, d.Queue); err != nil {
		return 0, false, err
	}
	from := "select from " + table(d.Queue, "docs") + " where status = 1 and version = $1 and "
	sql := fmt.Sprintf(`select count(*) from ((%[1]spriority > $2 limit %[2]d) union all (%[1]spriority = $2 and (next_iteration, seq) < ($3, $4) limit %[2]d) limit %[2]d) t`,
		from, MostAhead)
	err = pgx.BeginTxFunc(ctx, e.db, snapshot, func(tx pgx.Tx) error {
		// Dead entries, which a held snapshot keeps, stand at the head of this index: who counts gives up, and nobody waits.
		wait := strconv.FormatInt(max(e.containedWait.Milliseconds(), 1), 10)
		if _, err := tx.Exec(ctx, byOrder+` union all select set_config('statement_timeout', $1, true)`, wait); err != nil {
			return err
		}
		return tx.QueryRow(ctx, sql, d.Version, d.Priority, d.Next, d.Seq).Scan(&n)
	})
	if tooLong(ctx, err) {
		return 0, false, nil
	}
	return n, err == nil, database.Error("count what stands before a document of "+d.Queue, err)
}
