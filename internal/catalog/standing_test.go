package catalog

import (
	"testing"
	"time"

	"github.com/fetchq/server/internal/operations"
)

func TestHowItStandsWithBackupsIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill("pages", 10)
	w.fill("other", 1)
	for name, c := range map[string]Schedule{
		"nightly": {Queues: []string{"pages"}, Cron: "@hourly"}, "broken": {Queues: []string{"other"}, Cron: "@hourly"}, "idle": {Cron: "@hourly", Paused: true},
	} {
		c.Name, c.Destination, c.Zone = name, "here", "UTC"
		if _, err := w.s.PutSchedule(t.Context(), c, "ann"); err != nil {
			t.Fatal(err)
		}
	}
	w.exec(`update fetchq.backup_schedules set changed_at = clock_timestamp() - interval '3 hours', failed_at = clock_timestamp(), error = 'no' where name = 'broken'`)
	w.exec(`update fetchq.backup_schedules set next_run = clock_timestamp() where name = 'nightly'`)
	for {
		n, err := w.s.runOnce(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		w.s.work.Wait()
		if n == 0 && w.number(`select count(*) from fetchq.operations where state <> $1`, operations.Done) == 0 {
			break
		}
	}
	found, err := w.s.Standing(t.Context())
	if err != nil || len(found.Schedules) != 3 {
		t.Fatalf("%+v, %v", found, err)
	}
	broken, idle, nightly := found.Schedules[0], found.Schedules[1], found.Schedules[2]
	if !broken.Overdue || broken.FailedAt == nil || broken.GoodAt != nil || broken.Last != nil {
		t.Errorf("%+v", broken)
	}
	if idle.Overdue || !idle.Paused || idle.Last != nil {
		t.Errorf("%+v", idle)
	}
	if nightly.Overdue || nightly.FailedAt != nil || nightly.GoodAt == nil || nightly.Last == nil || nightly.Last.Bytes <= 0 || nightly.Last.Stored <= 0 ||
		nightly.Last.Took <= 0 || nightly.Last.Took > time.Hour {
		t.Errorf("%+v", nightly)
	}
	if at, there := found.Queues["pages"]; !there || time.Since(at) > time.Hour || len(found.Queues) != 1 {
		t.Errorf("%v", found.Queues)
	}
	w.exec(`update fetchq.backups set gone_at = clock_timestamp()`)
	if found, err := w.s.Standing(t.Context()); err != nil || len(found.Queues) != 0 {
		t.Errorf("%v, %v", found.Queues, err)
	}
}
