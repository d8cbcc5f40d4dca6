package catalog

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/database"
)

// Standing is how it stands with the backups of schedules and of queues.
type Standing struct {
	Schedules []ScheduleStanding   // by name
	Queues    map[string]time.Time // when there was a good backup last that is not known to be gone; queues without one are missing
}

// ScheduleStanding is how it stands with the backups of a schedule.
type ScheduleStanding struct {
	Schedule
	Overdue bool
	Last    *LastBackup // nil: none is known
}

// LastBackup is the last one that a schedule has made.
type LastBackup struct {
	Bytes, Stored int64 // of text, and of what came of it
	Took          time.Duration
}

// Standing tells how it stands with backups, as Prometheus wants to know it.
func (s *Service) Standing(ctx context.Context) (Standing, error) {
	var found Standing
	list, err := s.Schedules(ctx)
	if err != nil {
		return found, err
	}
	now, err := s.clock(ctx)
	if err != nil {
		return found, err
	}
	last, err := s.last(ctx)
	if err != nil {
		return found, err
	}
	for _, c := range list {
		of := ScheduleStanding{Schedule: c}
		_, of.Overdue = c.Overdue(now)
		if b, there := last[c.Name]; there {
			of.Last = &b
		}
		found.Schedules = append(found.Schedules, of)
	}
	found.Queues, err = s.good(ctx)
	return found, err
}

func (s *Service) last(ctx context.Context) (map[string]LastBackup, error) {
	rows, err := s.DB.Query(ctx, `
		select s.name, b.bytes, b.stored, extract(epoch from b.finished_at - b.snapshot_at)::float8
		from fetchq.backup_schedules s cross join lateral (
			select bytes, stored, finished_at, snapshot_at from fetchq.backups where schedule = s.name order by snapshot_at desc limit 1) b`)
	if err != nil {
		return nil, database.Error("look for the last backups", err)
	}
	found := map[string]LastBackup{}
	var name string
	var b LastBackup
	var seconds float64
	_, err = pgx.ForEachRow(rows, []any{&name, &b.Bytes, &b.Stored, &seconds}, func() error {
		b.Took = time.Duration(seconds * float64(time.Second))
		found[name] = b
		return nil
	})
	return found, database.Error("look for the last backups", err)
}

func (s *Service) good(ctx context.Context) (map[string]time.Time, error) {
	rows, err := s.DB.Query(ctx, `
		select q.name, max(b.snapshot_at) from fetchq.backups b cross join unnest(b.queues) had join fetchq.queues q on q.name = had
		where b.gone_at is null and b.problem is null group by q.name`)
	if err != nil {
		return nil, database.Error("look for backups of queues", err)
	}
	found := map[string]time.Time{}
	var name string
	var at time.Time
	_, err = pgx.ForEachRow(rows, []any{&name, &at}, func() error {
		found[name] = at
		return nil
	})
	return found, database.Error("look for backups of queues", err)
}
