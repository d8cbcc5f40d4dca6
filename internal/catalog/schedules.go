package catalog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/audit"
	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/operations"
)

const scheduleColumns = `s.name, s.destination, s.queues, s.cron, s.zone, s.verify, s.max_rate, s.paused, s.created_by, s.changed_at, s.next_run, s.last_due,
	s.operation, s.good_due, s.good_at, s.failed_at, s.error,
	coalesce((select o.finished_at is null from fetchq.operations o where o.id = s.operation), false)`

// Schedules returns all, by name.
func (s *Service) Schedules(ctx context.Context) ([]Schedule, error) {
	rows, err := s.DB.Query(ctx, `select `+scheduleColumns+` from fetchq.backup_schedules s order by s.name`)
	if err != nil {
		return nil, database.Error("list schedules", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Schedule])
	return list, database.Error("list schedules", err)
}

// Schedule returns one. Errors: NotFound.
func (s *Service) Schedule(ctx context.Context, name string) (Schedule, error) {
	rows, err := s.DB.Query(ctx, `select `+scheduleColumns+` from fetchq.backup_schedules s where s.name = $1`, name)
	if err != nil {
		return Schedule{}, database.Error("read a schedule", err)
	}
	found, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Schedule])
	if errors.Is(err, pgx.ErrNoRows) {
		return found, &errs.Error{Code: errs.NotFound, Field: "schedule", Message: "there is no such schedule"}
	}
	return found, database.Error("read a schedule", err)
}

// PutSchedule makes a schedule or changes it. Its next run is the first moment from now on. Errors: Invalid, NotFound (the destination, or a queue).
func (s *Service) PutSchedule(ctx context.Context, c Schedule, by string) (Schedule, error) {
	if err := checkName(c.Name); err != nil {
		return c, err
	}
	k, err := readClock(c.Cron, c.Zone)
	if err != nil {
		return c, err
	}
	if c.MaxRate < 0 {
		return c, errs.Field("max_rate", "max_rate is a number of bytes a second; 0 is as fast as it goes")
	}
	if _, err := s.Destination(ctx, c.Destination); err != nil {
		return c, err
	}
	queues, err := s.queues(ctx, c.Queues)
	if err != nil {
		return c, err
	}
	now, err := s.clock(ctx)
	if err != nil {
		return c, err
	}
	_, err = s.DB.Exec(ctx, `
		insert into fetchq.backup_schedules as s (name, destination, queues, cron, zone, verify, max_rate, paused, created_by, changed_at, next_run)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		on conflict (name) do update set destination = excluded.destination, queues = excluded.queues, cron = excluded.cron, zone = excluded.zone,
			verify = excluded.verify, max_rate = excluded.max_rate, paused = excluded.paused, changed_at = excluded.changed_at, next_run = excluded.next_run`,
		c.Name, c.Destination, queues, c.Cron, c.Zone, c.Verify, c.MaxRate, c.Paused, by, now, k.next(now))
	if err != nil {
		return c, database.Error("keep a schedule", err)
	}
	return s.Schedule(ctx, c.Name)
}

func (s *Service) clock(ctx context.Context) (now time.Time, err error) {
	err = s.DB.QueryRow(ctx, `select clock_timestamp()`).Scan(&now)
	return now, database.Error("read the clock", err)
}

// DeleteSchedule removes a schedule; its backups stay. Errors: NotFound.
func (s *Service) DeleteSchedule(ctx context.Context, name string) error {
	done, err := s.DB.Exec(ctx, `delete from fetchq.backup_schedules where name = $1`, name)
	if err == nil && done.RowsAffected() == 0 {
		return &errs.Error{Code: errs.NotFound, Field: "schedule", Message: "there is no such schedule"}
	}
	return database.Error("delete a schedule", err)
}

// askDue asks for the runs whose moment has come. What came while no node was there is asked for once, and what comes while the run before is
// under way is left out: both would make the same backup twice. A row is locked for as long as that takes, so that one node does it.
func (s *Service) askDue(ctx context.Context) error {
	asked := 0
	err := pgx.BeginFunc(ctx, s.DB, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `select `+scheduleColumns+` from fetchq.backup_schedules s
			where not s.paused and s.next_run <= clock_timestamp() order by s.next_run limit 20 for update of s skip locked`)
		if err != nil {
			return err
		}
		due, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Schedule])
		if err != nil || len(due) == 0 {
			return err
		}
		var now time.Time
		if err := tx.QueryRow(ctx, `select clock_timestamp()`).Scan(&now); err != nil {
			return err
		}
		for _, c := range due {
			if err := s.askOne(ctx, tx, c, now); err != nil {
				return fmt.Errorf("ask for a backup by the schedule %s: %w", c.Name, err)
			}
			asked++
		}
		return nil
	})
	if asked > 0 && err == nil {
		s.Log.Info("backups are due by their schedules", "schedules", asked)
	}
	return database.Error("look after schedules", err)
}

// askOne asks for the run of a schedule, and says when the next one is.
func (s *Service) askOne(ctx context.Context, tx pgx.Tx, c Schedule, now time.Time) error {
	k, err := readClock(c.Cron, c.Zone)
	if err != nil {
		return err
	}
	next := k.next(now)
	if c.UnderWay {
		s.Log.Warn("a backup is left out: the run before is under way", "schedule", c.Name)
		_, err := tx.Exec(ctx, `update fetchq.backup_schedules set next_run = $2 where name = $1`, c.Name, next)
		return err
	}
	var id uuid.UUID
	a := Asks{Destination: c.Destination, Queues: c.Queues, MaxRate: c.MaxRate, Verify: c.Verify, Schedule: c.Name, Due: &c.NextRun}
	if err := tx.QueryRow(ctx, `select id from fetchq.backup_add($1, $2, $3, 'schedule')`, operations.Backup, a, c.Name).Scan(&id); err != nil {
		return err
	}
	line := operations.Asked{By: c.Name, As: "schedule"}.Line(audit.BackupRun, c.Destination, map[string]any{"operation": id, "asks": a})
	if err := audit.Write(ctx, tx, line); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `update fetchq.backup_schedules set next_run = $2, last_due = $3, operation = $4 where name = $1`, c.Name, next, c.NextRun, id)
	return err
}

// Trouble is why somebody should look at the backups of queues.
type Trouble struct {
	Schedule Schedule
	Words    string // for a person
}

// Troubles returns the schedules whose backups are missing or failed.
func (s *Service) Troubles(ctx context.Context) ([]Trouble, error) {
	list, err := s.Schedules(ctx)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	now, err := s.clock(ctx)
	if err != nil {
		return nil, err
	}
	var found []Trouble
	for _, c := range list {
		due, overdue := c.Overdue(now)
		switch {
		case overdue && c.Error != nil:
			found = append(found, Trouble{c, "its backup is overdue since " + due.UTC().Format("2006-01-02 15:04 UTC") + ": " + *c.Error})
		case overdue:
			found = append(found, Trouble{c, "its backup is overdue since " + due.UTC().Format("2006-01-02 15:04 UTC")})
		case c.FailedAt != nil && c.Error != nil && !c.Paused:
			found = append(found, Trouble{c, "its last backup failed: " + *c.Error})
		}
	}
	return found, nil
}
