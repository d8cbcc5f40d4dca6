package database

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Stat is what Postgres counts of a database. The counts begin anew when its statistics are reset.
type Stat struct {
	Now                   time.Time // by its clock
	Commits, Rollbacks    int64
	BlocksHit, BlocksRead int64
	Deadlocks             int64
	TemporaryBytes        int64
	Connections           int64         // to this database, also of other programs
	OldestTransaction     time.Duration // how long the transaction has been open that is open for longest, as far as the role may see
	TransactionAge        int64         // transactions since the oldest one that is not frozen; Postgres stops at 2 billion
}

// ReadStat reads what Postgres counts of the pool's database; it touches no table of Fetchq.
func ReadStat(ctx context.Context, db *pgxpool.Pool) (s Stat, err error) {
	var oldest float64
	err = db.QueryRow(ctx, `
		select clock_timestamp(), xact_commit, xact_rollback, blks_hit, blks_read, deadlocks, temp_bytes, numbackends,
			coalesce((select greatest(max(date_part('epoch', clock_timestamp() - xact_start)), 0) from pg_stat_activity
				where datname = current_database() and pid <> pg_backend_pid()), 0),
			(select age(datfrozenxid) from pg_database where datname = current_database())
		from pg_stat_database where datname = current_database()`).Scan(&s.Now, &s.Commits, &s.Rollbacks, &s.BlocksHit, &s.BlocksRead, &s.Deadlocks,
		&s.TemporaryBytes, &s.Connections, &oldest, &s.TransactionAge)
	s.OldestTransaction = time.Duration(oldest * float64(time.Second))
	return s, Error("read the database's statistics", err)
}
