package queue

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
)

// Check compares the counters of one queue and payload version with a real count.
type Check struct {
	Queue   string
	Version int
	Counted Counts // what the counters say
	Real    Counts // what stands in the queue
}

// OK says whether both agree.
func (c Check) OK() bool { return c.Counted == c.Real }

// Doctor counts all documents and compares with the counters: one snapshot a queue, so that it may run beside a busy
// engine. It reads every document; a queue of millions takes a while.
func (e *Engine) Doctor(ctx context.Context) ([]Check, error) {
	names, err := query(ctx, e, "list queues", pgx.RowTo[string], `select name from fetchq.queues order by name`)
	if err != nil {
		return nil, err
	}
	var all []Check
	for _, name := range names {
		checks, err := e.check(ctx, name)
		switch {
		case errs.Of(err) == errs.NotFound:
			continue // dropped meanwhile
		case err != nil:
			return nil, err
		}
		all = append(all, checks...)
	}
	return all, nil
}

// check reads the counters and counts the documents of one queue in one snapshot.
func (e *Engine) check(ctx context.Context, queue string) ([]Check, error) {
	var checks []Check
	err := pgx.BeginTxFunc(ctx, e.db, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			select coalesce(c.version, d.version)::integer,
				coalesce(c.planned, 0), coalesce(c.pending, 0), coalesce(c.active, 0), coalesce(c.completed, 0), coalesce(c.killed, 0),
				coalesce(d.planned, 0), coalesce(d.pending, 0), coalesce(d.active, 0), coalesce(d.completed, 0), coalesce(d.killed, 0)
			from fetchq.queue_counters($1) c full join (
				select version::integer, count(*) filter (where status = 0) as planned, count(*) filter (where status = 1) as pending,
					count(*) filter (where status = 2) as active, count(*) filter (where status = 3) as completed,
					count(*) filter (where status = -1) as killed
				from `+table(queue, "docs")+` group by version
			) d on d.version = c.version
			order by 1`, queue)
		if err != nil {
			return err
		}
		checks, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (Check, error) {
			c := Check{Queue: queue}
			err := row.Scan(&c.Version, &c.Counted.Planned, &c.Counted.Pending, &c.Counted.Active, &c.Counted.Completed, &c.Counted.Killed,
				&c.Real.Planned, &c.Real.Pending, &c.Real.Active, &c.Real.Completed, &c.Real.Killed)
			return c, err
		})
		return err
	})
	return checks, database.Error("check the queue "+queue, err)
}
