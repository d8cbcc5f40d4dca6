package scrape

import (
	"fmt"
	"testing"
	"time"
)

func TestBackupsAreToldOfSchedulesAndOfQueues(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("pages")
	w.put("other")
	w.counted("pages", "other")
	at := time.UnixMilli(1_700_000_000_500)
	w.backups = Backups{
		Schedules: []ScheduleBackups{
			{Name: "hourly", Failed: true, Overdue: true},
			{Name: "nightly", Good: &at, Paused: true, Last: &LastBackup{Bytes: 1000, Stored: 100, Took: 1500 * time.Millisecond}},
		},
		Queues: map[string]time.Time{"pages": at, "other": at.Add(time.Second)},
	}
	all := w.families(View{})
	for _, tt := range []struct {
		name, label string
		want        float64
	}{
		{"fetchq_backup_failed", "hourly", 1}, {"fetchq_backup_failed", "nightly", 0}, {"fetchq_backup_overdue", "hourly", 1}, {"fetchq_backup_overdue", "nightly", 0},
		{"fetchq_backup_paused", "hourly", 0}, {"fetchq_backup_paused", "nightly", 1}, {"fetchq_backup_last_good_timestamp_seconds", "nightly", 1_700_000_000.5},
		{"fetchq_backup_last_bytes", "nightly", 1000}, {"fetchq_backup_last_stored_bytes", "nightly", 100}, {"fetchq_backup_last_duration_seconds", "nightly", 1.5},
		{"fetchq_queue_backup_timestamp_seconds", "pages", 1_700_000_000.5}, {"fetchq_queue_backup_timestamp_seconds", "other", 1_700_000_001.5},
	} {
		if got := w.number(all, tt.name, tt.label); got != tt.want {
			t.Errorf("%s of %s is %v; %v is wanted", tt.name, tt.label, got, tt.want)
		}
	}
	for _, name := range []string{"fetchq_backup_last_good_timestamp_seconds", "fetchq_backup_last_bytes"} {
		if find(all[name], []string{"hourly"}) != nil {
			t.Errorf("%s is told of a schedule that has made nothing", name)
		}
	}
	// A token for a queue sees that, and no schedule.
	mine := w.families(View{Key: "pages", Sees: func(q string) bool { return q == "pages" }})
	if n := len(mine["fetchq_queue_backup_timestamp_seconds"].GetMetric()); n != 1 || mine["fetchq_backup_overdue"] != nil || mine["fetchq_backup_schedules"] != nil {
		t.Errorf("it sees %d queues, and %v", n, mine["fetchq_backup_overdue"])
	}
}

func TestBackupsAreAskedForOnceAMinuteAndOfSchedulesSomeAreTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range mostSchedules + 5 {
		w.backups.Schedules = append(w.backups.Schedules, ScheduleBackups{Name: fmt.Sprintf("s%03d", i)})
	}
	all := w.families(View{})
	if told, n := len(all["fetchq_backup_overdue"].GetMetric()), w.number(all, "fetchq_backup_schedules"); told != mostSchedules || n != mostSchedules+5 {
		t.Errorf("%d are told, of %v", told, n)
	}
	w.backups = Backups{}
	for _, step := range []struct {
		later time.Duration
		want  int
	}{{backupsLast - time.Second, mostSchedules}, {time.Second, 0}} {
		w.clock = w.clock.Add(step.later)
		if n := len(w.families(View{})["fetchq_backup_overdue"].GetMetric()); n != step.want {
			t.Errorf("%v later %d are told; %d are wanted", step.later, n, step.want)
		}
	}
	if w.asked != 2 {
		t.Errorf("it was asked %d times", w.asked)
	}
}
