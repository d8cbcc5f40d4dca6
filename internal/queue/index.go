package queue

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/database"
)

// Index brings the indexes of a queue in line with its limits by key, without holding anybody up, and returns how many it made or
// removed. When all are there, picks use them. In a queue from before errors had groups it makes their index as well, and gives the newest
// errors their groups. Errors: NotFound.
func (e *Engine) Index(ctx context.Context, queue string) (Upkeep, error) {
	if err := find(ctx, queue); err != nil {
		return Upkeep{}, err
	}
	if err := e.exists(ctx, queue); err != nil {
		return Upkeep{}, err
	}
	plan, err := query(ctx, e, "plan the indexes of "+queue, pgx.RowTo[string], `select * from fetchq.key_plan($1) union all select * from fetchq.errors_plan($1)`, queue)
	if err != nil {
		return Upkeep{}, err
	}
	for _, statement := range plan {
		// A deadlock with a call under way ends the build; what it leaves behind is not valid, and removed by the next plan.
		if _, err := e.db.Exec(ctx, statement); err != nil {
			return Upkeep{}, database.Error("index "+queue, err)
		}
	}
	if _, err := queryRow(ctx, e, "group the errors of "+queue, pgx.RowTo[int64], `select fetchq.errors_fill($1)`, queue); err != nil {
		return Upkeep{}, err
	}
	done, err := queryRow(ctx, e, "use the indexes of "+queue, pgx.RowTo[bool], `select fetchq.key_done($1)`, queue)
	if err == nil && done {
		e.wakeQueue(queue)
	}
	return Upkeep{Items: int64(len(plan))}, err
}

// Indexing returns how far the indexes by key of a queue are, from 0 to 1: by what the build that runs says. false: none runs.
func (e *Engine) Indexing(ctx context.Context, queue string) (float64, bool, error) {
	shares, err := query(ctx, e, "see how far the indexes of "+queue+" are", pgx.RowTo[float64], `
		select case when blocks_total > 0 then least(blocks_done::float8 / blocks_total, 1) else 0 end
		from pg_stat_progress_create_index p join pg_class c on c.oid = p.relid join pg_namespace n on n.oid = c.relnamespace
		where p.datname = current_database() and n.nspname = $1`, "q_"+queue)
	if err != nil || len(shares) == 0 {
		return 0, false, err
	}
	return shares[0], true, nil
}
