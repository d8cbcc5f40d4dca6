package metrics

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/internal/database"
)

const (
	snapshotTime = time.Minute            // for one snapshot
	snapshotLate = 300 * time.Millisecond // behind the end of a step at least: folds of it are on their way
	upkeepEvery  = 10 * time.Minute
)

// Snapshots is the service that takes the snapshots. Each node has one, and whichever comes first does the work of a step.
type Snapshots struct {
	store *Store
	now   func() time.Time
	log   *slog.Logger

	kept   time.Time // when the partitions were looked after last
	behind bool      // that could not be done as a whole

	life    sync.Mutex
	stopped bool
	stop    context.CancelFunc
	running sync.WaitGroup
}

// NewSnapshots returns the service. now is this machine's clock, for the pauses only.
func NewSnapshots(db *pgxpool.Pool, now func() time.Time, log *slog.Logger) *Snapshots {
	return &Snapshots{store: NewStore(db, log), now: now, log: log}
}

// Start takes snapshots until Stop; a start after it does nothing.
func (s *Snapshots) Start(ctx context.Context) error {
	s.life.Lock()
	defer s.life.Unlock()
	if s.stopped || s.stop != nil {
		return nil
	}
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	s.running.Go(func() { s.loop(ctx) })
	return nil
}

// Stop ends what Start began. It may be called more than once, and without Start.
func (s *Snapshots) Stop() {
	s.life.Lock()
	s.stopped = true
	if s.stop != nil {
		s.stop()
	}
	s.life.Unlock()
	s.running.Wait()
}

// loop takes a snapshot behind each step. A row of failures is logged when it begins and when it ends.
func (s *Snapshots) loop(ctx context.Context) {
	failures := 0
	for {
		pause, err := s.runOnce(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if failures == 0 {
				s.log.Error("no snapshot of the metrics can be taken; what is counted meanwhile comes with the next one", "error", err)
			}
			failures++
			pause = min(time.Second<<min(failures, 10), longest)
		case failures > 0:
			s.log.Info("snapshots of the metrics are taken again", "failures", failures)
			failures = 0
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause + rand.N(snapshotLate)): //nolint:gosec // jitter
		}
	}
}

// runOnce looks after the partitions where it is time, takes a snapshot, and returns how long it is until there is another one.
func (s *Snapshots) runOnce(ctx context.Context) (time.Duration, error) {
	if s.kept.IsZero() || s.now().Sub(s.kept) >= upkeepEvery {
		s.upkeep(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, snapshotTime)
	defer cancel()
	if _, err := s.store.Snapshot(ctx, time.Time{}); err != nil {
		s.kept = time.Time{} // what failed may be that a partition is missing
		return 0, err
	}
	var now time.Time
	if err := s.store.db.QueryRow(ctx, `select clock_timestamp()`).Scan(&now); err != nil {
		return 0, database.Error("read the database's clock", err)
	}
	return now.Truncate(finest).Add(finest).Sub(now) + snapshotLate, nil
}

// upkeep looks after the partitions. What fails is logged, once in a row of failures, and tried again with the next one: snapshots need none
// of it for as long as there are partitions, which are made ahead.
func (s *Snapshots) upkeep(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, snapshotTime)
	defer cancel()
	err := s.store.upkeep(ctx, time.Time{})
	if err != nil && !s.behind && !errors.Is(ctx.Err(), context.Canceled) {
		s.log.Warn("series cannot all be looked after; it is tried again", "error", err)
	}
	s.behind = err != nil
	s.kept = s.now()
}

// upkeep makes the partitions that are to come and drops those that are kept no longer, and removes what queues keep for a shorter
// time. Each of these is done whether or not another one fails. A zero at means now.
func (s *Store) upkeep(ctx context.Context, at time.Time) error {
	_, err := s.db.Exec(ctx, `select fetchq.series_partitions(coalesce($1, clock_timestamp()))`, moment(at))
	return errors.Join(
		database.Error("make the partitions of series", err),
		database.Error("drop the old partitions of series", s.dropOld(ctx, at)),
		database.Error("remove old series", s.expire(ctx, at)))
}

// dropOld drops each old partition by itself: who reads one keeps neither the others nor the snapshots.
func (s *Store) dropOld(ctx context.Context, at time.Time) error {
	rows, err := s.db.Query(ctx, `select fetchq.series_old(coalesce($1, clock_timestamp()))`, moment(at))
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for _, name := range names {
		if _, failed := s.db.Exec(ctx, `select fetchq.series_drop($1)`, name); failed != nil {
			err = failed // the others are tried, and this one again later
		}
	}
	return err
}

// expire removes the rows that queues keep for a shorter time than others.
func (s *Store) expire(ctx context.Context, at time.Time) error {
	for range 20 {
		var n int64
		if err := s.db.QueryRow(ctx, `select fetchq.series_expire(p_now => coalesce($1, clock_timestamp()))`, moment(at)).Scan(&n); err != nil || n == 0 {
			return err
		}
	}
	return nil
}
