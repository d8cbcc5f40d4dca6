package queue

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// upkeepBatch is how many documents of each version and partition one call marks, or takes back from lost leases.
const upkeepBatch = 1000

// upkeepTime is how long a job goes on with further batches before others get its slot.
const upkeepTime = 500 * time.Millisecond

// Upkeep is the outcome of one maintenance call.
type Upkeep struct {
	Items int64
	Again time.Time // when there is something to do next, by the database's clock; zero: not known
}

// MarkDue marks due documents of a queue pending. Errors: NotFound.
func (e *Engine) MarkDue(ctx context.Context, queue string) (Upkeep, error) {
	return e.upkeep(ctx, "mark due documents of "+queue, queue, "due", `select version, priority, date, items from fetchq.mnt_mark_due($1, $2, p_since => $3)`,
		`select fetchq.mnt_next_due($1, $2)`)
}

// Orphans ends the leases of a queue that ran out. Errors: NotFound.
func (e *Engine) Orphans(ctx context.Context, queue string) (Upkeep, error) {
	return e.upkeep(ctx, "end lost leases of "+queue, queue, "orphans", `select version, priority, date, items from fetchq.mnt_orphans($1, $2, p_since => $3)`,
		`select fetchq.mnt_next_orphan($1, $2)`)
}

func (e *Engine) upkeep(ctx context.Context, op, queue, what, sql, nextSQL string) (Upkeep, error) {
	if err := find(ctx, queue); err != nil {
		return Upkeep{}, err
	}
	type row struct {
		pending
		dated bool
	}
	var u Upkeep
	w := e.sweeps.begin(sweepKey{queue, what, -1})
	for began := e.now(); ; {
		rows, err := query(ctx, e, op, func(r pgx.CollectableRow) (row, error) {
			var out row
			var date pgtype.Timestamptz
			err := r.Scan(&out.version, &out.priority, &date, &out.count)
			out.date, out.dated = date.Time, date.Valid
			return out, err
		}, sql, queue, upkeepBatch, w.interval())
		if err != nil {
			return Upkeep{}, err
		}
		var made []pending
		items := int64(0)
		for _, r := range rows {
			items += int64(r.count)
			if r.dated {
				made = append(made, r.pending)
			}
		}
		e.note(queue, made)
		if what == "orphans" {
			e.freed(ctx, queue, int(items))
		}
		u.Items += items
		if items < upkeepBatch || e.now().Sub(began) >= upkeepTime {
			e.sweeps.end(w, items < upkeepBatch, 0)
			break
		}
	}
	var err error
	u.Again, err = e.next(ctx, op, queue, what, nextSQL, w)
	return u, err
}

// next returns when there is something to do next. Behind what a held snapshot keeps in the way this is slow; then it is looked for
// seldom, and meanwhile it is in a second.
func (e *Engine) next(ctx context.Context, op, queue, what, sql string, before sweep) (time.Time, error) {
	w := e.sweeps.begin(sweepKey{queue, "next " + what, -1})
	if !w.full {
		return queryRow(ctx, e, op, pgx.RowTo[time.Time], `select clock_timestamp() + interval '1 second'`)
	}
	next, err := queryRow(ctx, e, op, pgx.RowTo[pgtype.Timestamptz], sql, queue, before.interval())
	if err == nil {
		e.sweeps.end(w, true, 0)
	}
	return next.Time, err
}

// Fold moves the deltas of a queue's counters into its totals and returns how many rows it moved. Errors: NotFound.
func (e *Engine) Fold(ctx context.Context, queue string) (Upkeep, error) {
	type folded struct{ block, rows int64 }
	w, oldest := e.sweeps.begin(sweepKey{queue, "deltas", -1}), e.sweeps.begin(sweepKey{queue, "oldest", -1})
	f, err := queryRow(ctx, e, "fold the counters of "+queue, func(row pgx.CollectableRow) (f folded, err error) {
		err = row.Scan(&f.block, &f.rows)
		return f, err
	}, `with t as materialized (
			select pg_relation_size(format('%I.deltas', 'q_' || $1::text)::regclass) / current_setting('block_size')::bigint as blocks
		)
		select greatest(blocks - 1, 0), fetchq.mnt_fold($1, p_block => $2, p_oldest => $3) from t`, queue, w.block, oldest.full)
	if err != nil {
		return Upkeep{}, err
	}
	e.sweeps.end(w, true, f.block)
	e.sweeps.end(oldest, true, 0)
	return Upkeep{Items: f.rows}, nil
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
	if err := find(ctx, queue); err != nil {
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
