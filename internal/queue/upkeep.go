package queue

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// upkeepBatch is how many documents of each version and partition one call marks, or takes back from lost leases.
const upkeepBatch = 1000

// Upkeep is the outcome of one maintenance call.
type Upkeep struct {
	Items int64
	Again time.Time // when there is something to do next, by the database's clock; zero: not known
}

// MarkDue marks due documents of a queue pending. Errors: NotFound.
func (e *Engine) MarkDue(ctx context.Context, queue string) (Upkeep, error) {
	return e.upkeep(ctx, "mark due documents of "+queue, queue, `select version, priority, date, items from fetchq.mnt_mark_due($1, $2)`,
		`select fetchq.mnt_next_due($1)`)
}

// Orphans ends the leases of a queue that ran out. Errors: NotFound.
func (e *Engine) Orphans(ctx context.Context, queue string) (Upkeep, error) {
	return e.upkeep(ctx, "end lost leases of "+queue, queue, `select version, priority, date, items from fetchq.mnt_orphans($1, $2)`,
		`select fetchq.mnt_next_orphan($1)`)
}

func (e *Engine) upkeep(ctx context.Context, op, queue, sql, nextSQL string) (Upkeep, error) {
	if err := find(queue); err != nil {
		return Upkeep{}, err
	}
	type row struct {
		pending
		dated bool
	}
	rows, err := query(ctx, e, op, func(r pgx.CollectableRow) (row, error) {
		var out row
		var date pgtype.Timestamptz
		err := r.Scan(&out.version, &out.priority, &date, &out.count)
		out.date, out.dated = date.Time, date.Valid
		return out, err
	}, sql, queue, upkeepBatch)
	if err != nil {
		return Upkeep{}, err
	}
	var u Upkeep
	var made []pending
	for _, r := range rows {
		u.Items += int64(r.count)
		if r.dated {
			made = append(made, r.pending)
		}
	}
	e.note(queue, made)
	next, err := queryRow(ctx, e, op, pgx.RowTo[pgtype.Timestamptz], nextSQL, queue)
	u.Again = next.Time
	return u, err
}

// Fold moves the deltas of a queue's counters into its totals and returns how many rows it moved. Errors: NotFound.
func (e *Engine) Fold(ctx context.Context, queue string) (Upkeep, error) {
	n, err := queryRow(ctx, e, "fold the counters of "+queue, pgx.RowTo[int64], `select fetchq.mnt_fold($1)`, queue)
	return Upkeep{Items: n}, err
}

// Expire removes what the settings of a queue keep no longer, a batch at a time: Again is now where there may be more.
// Errors: NotFound.
func (e *Engine) Expire(ctx context.Context, queue string) (Upkeep, error) {
	return queryRow(ctx, e, "remove old rows of "+queue, func(row pgx.CollectableRow) (u Upkeep, err error) {
		var again pgtype.Timestamptz
		err = row.Scan(&u.Items, &again)
		u.Again = again.Time
		return u, err
	}, `select items, case when more then clock_timestamp() end from fetchq.mnt_expire($1)`, queue)
}

// Vacuum vacuums those tables of a queue of which a twentieth is dead rows, and returns how many it did. What autovacuum
// did meanwhile is not done twice.
func (e *Engine) Vacuum(ctx context.Context, queue string) (Upkeep, error) {
	if err := find(queue); err != nil {
		return Upkeep{}, err
	}
	tables, err := query(ctx, e, "find tables to vacuum of "+queue, pgx.RowTo[string], `
		select relname::text from pg_stat_user_tables
		where schemaname = $1 and n_dead_tup > greatest(1000, 0.05 * n_live_tup)
		order by relname`, "q_"+queue)
	if err != nil {
		return Upkeep{}, err
	}
	for _, t := range tables {
		// An index of a queue is full of dead entries at its head: cleaning it is what vacuum is for here.
		_, err := retry(ctx, "vacuum "+queue, func() (any, error) {
			return e.db.Exec(ctx, `vacuum (index_cleanup on, truncate off, analyze, skip_locked) `+table(queue, t))
		})
		if err != nil {
			return Upkeep{}, err
		}
	}
	return Upkeep{Items: int64(len(tables))}, nil
}
