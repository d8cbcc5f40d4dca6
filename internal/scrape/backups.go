package scrape

import (
	"context"
	"maps"
	"slices"
	"time"
)

const (
	backupsLast   = time.Minute // what was told of backups
	mostSchedules = 200         // of which samples are told
)

// Backups is how it stands with backups.
type Backups struct {
	Schedules []ScheduleBackups
	Queues    map[string]time.Time // the last good backup of a queue
}

// ScheduleBackups is how it stands with the backups of a schedule.
type ScheduleBackups struct {
	Name                    string
	Good                    *time.Time // nil: there was none
	Failed, Overdue, Paused bool
	Last                    *LastBackup // nil: none is known
}

// LastBackup is the last one that a schedule has made.
type LastBackup struct {
	Bytes, Stored int64 // of text, and of what came of it
	Took          time.Duration
}

// readBackups asks how it stands with backups, once in backupsLast: their register may be long.
func (s *standing) readBackups(ctx context.Context, from Options, before *standing) (err error) {
	if before != nil && before.up && s.at.Sub(before.backupsAt) < backupsLast {
		s.backups, s.backupsAt = before.backups, before.backupsAt
		return nil
	}
	s.backups, err = from.Backups(ctx)
	s.backupsAt = s.at
	return err
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// bySchedule is a family of schedules; of returns false for one that has no sample.
func bySchedule(name, help string, of func(c ScheduleBackups) (float64, bool)) family {
	return family{Family: Family{name, gauge, []string{"schedule"}, help}, all: func(s *standing, add func(float64, ...string)) {
		for _, c := range s.backups.Schedules[:min(len(s.backups.Schedules), mostSchedules)] {
			if v, there := of(c); there {
				add(v, c.Name)
			}
		}
	}}
}

// ofLast is a family of the last backups of schedules.
func ofLast(name, help string, of func(b LastBackup) float64) family {
	return bySchedule(name, help, func(c ScheduleBackups) (float64, bool) {
		if c.Last == nil {
			return 0, false
		}
		return of(*c.Last), true
	})
}

// ofBackups are the families of backups. Those of schedules are of the program: a schedule may be of queues that a view does not see.
var ofBackups = []family{
	value("fetchq_backup_schedules", gauge, "Schedules of backups; samples are told of the first 200 by name.", func(s *standing) float64 { return float64(len(s.backups.Schedules)) }),
	bySchedule("fetchq_backup_last_good_timestamp_seconds", "When the schedule made a backup last.", func(c ScheduleBackups) (float64, bool) {
		if c.Good == nil {
			return 0, false
		}
		return seconds(*c.Good), true
	}),
	bySchedule("fetchq_backup_failed", "1: the last run of the schedule that ended has failed; 0: it was good, or there was none.",
		func(c ScheduleBackups) (float64, bool) { return one(c.Failed), true }),
	bySchedule("fetchq_backup_overdue", "1: a backup that the schedule should have made is missing for more than an hour; 0: none is.",
		func(c ScheduleBackups) (float64, bool) { return one(c.Overdue), true }),
	bySchedule("fetchq_backup_paused", "1: the schedule begins no run; 0: it does.", func(c ScheduleBackups) (float64, bool) { return one(c.Paused), true }),
	ofLast("fetchq_backup_last_bytes", "Text of the last backup of the schedule, before it was packed.", func(b LastBackup) float64 { return float64(b.Bytes) }),
	ofLast("fetchq_backup_last_stored_bytes", "What the last backup of the schedule takes at its destination.", func(b LastBackup) float64 { return float64(b.Stored) }),
	ofLast("fetchq_backup_last_duration_seconds", "How long the last backup of the schedule took, from its snapshot on.", func(b LastBackup) float64 { return b.Took.Seconds() }),
}

// queueBackups is the family of backups that every view sees, of its queues.
var queueBackups = family{
	Family: Family{"fetchq_queue_backup_timestamp_seconds", gauge, []string{queueWord}, "Of when the last good backup of the queue is; no sample where none is known here."},
	all: func(s *standing, add func(float64, ...string)) {
		for _, name := range slices.Sorted(maps.Keys(s.backups.Queues)) {
			add(seconds(s.backups.Queues[name]), name)
		}
	},
}
