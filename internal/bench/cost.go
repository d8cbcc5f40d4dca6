package bench

import (
	"context"
	"fmt"
	"time"
)

// loadName is how Postgres names the connections that are measured.
const loadName = "fetchq bench load"

// reading is what Postgres has counted at one moment. A connection tells what it did at most once a second, and all of it
// when it ends.
type reading struct {
	at                   time.Time
	wal                  float64 // bytes, of the whole server
	commits              float64 // of this database
	deadDocs, deadDeltas int64
}

// quiet is what a server does by itself, a second.
type quiet struct{ wal, commits float64 }

// cost is what a workload cost beyond that.
type cost struct {
	known                bool
	wal, commits         float64
	deadDocs, deadDeltas int64
}

// quietTime is how long a server is watched that does nothing, so that what it does anyway is not charged to a workload.
const quietTime = 2 * time.Second

// read ends the connections that were measured, and reads the counters. Before the first workload it watches the server for a while.
func (r *run) read(ctx context.Context) (reading, error) {
	if r.quiet == nil {
		one, err := r.counters(ctx)
		if err != nil {
			return one, err
		}
		if err := r.sleep(ctx, min(quietTime, r.o.Duration)); err != nil {
			return one, err
		}
		two, err := r.counters(ctx)
		if err != nil {
			return two, err
		}
		took := two.at.Sub(one.at).Seconds()
		r.quiet = &quiet{wal: (two.wal - one.wal) / took, commits: (two.commits - one.commits) / took}
	}
	return r.counters(ctx)
}

func (r *run) counters(ctx context.Context) (reading, error) {
	r.db.Reset()
	if r.Settle != nil {
		r.Settle()
	}
	for range 100 { // a process of Postgres writes what it counted as it ends
		var open int
		err := r.Bench.db.QueryRow(ctx, `select count(*) from pg_stat_activity where application_name = $1 and pid <> pg_backend_pid()`, loadName).Scan(&open)
		if err != nil {
			return reading{}, fmt.Errorf("look for open connections: %w", err)
		}
		if err := r.sleep(ctx, 20*time.Millisecond); err != nil {
			return reading{}, err
		}
		if open == 0 {
			break
		}
	}
	var read reading
	err := r.Bench.db.QueryRow(ctx, `
		select pg_current_wal_insert_lsn() - '0/0'::pg_lsn,
			(select xact_commit from pg_stat_database where datname = current_database()),
			coalesce((select sum(n_dead_tup) from pg_stat_all_tables where relid = to_regclass($1)), 0)::bigint,
			coalesce((select sum(n_dead_tup) from pg_stat_all_tables where relid = to_regclass($2)), 0)::bigint`,
		r.table("docs"), r.table("deltas")).Scan(&read.wal, &read.commits, &read.deadDocs, &read.deadDeltas)
	if err != nil {
		return read, fmt.Errorf("read what Postgres has counted: %w", err)
	}
	read.at = r.Now()
	return read, nil
}

// cost is the difference of two readings, without what the server does by itself. It is never below zero.
func (r *run) cost(before, after reading, _ time.Duration) cost {
	took := after.at.Sub(before.at).Seconds()
	return cost{
		known:    true,
		wal:      max(after.wal-before.wal-took*r.quiet.wal, 0),
		commits:  max(after.commits-before.commits-took*r.quiet.commits, 0),
		deadDocs: after.deadDocs, deadDeltas: after.deadDeltas,
	}
}
