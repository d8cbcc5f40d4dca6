package catalog

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/operations"
)

func TestTheNextMomentOfAScheduleIsByTheClockOnTheWall(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ cron, zone, from, want string }{
		{"30 2 * * *", "UTC", "2026-03-01T00:00:00Z", "2026-03-01T02:30:00Z"},
		{"30 2 * * *", "UTC", "2026-03-01T02:30:00Z", "2026-03-02T02:30:00Z"},
		{"@daily", "Europe/Berlin", "2026-01-01T12:00:00Z", "2026-01-01T23:00:00Z"},
		{"0 3 * * 1", "UTC", "2026-11-30T03:00:00Z", "2026-12-07T03:00:00Z"},
		// The clock goes from 2 to 3: half past two is not there, and the run is made at another hour of that night.
		{"30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:30:00Z"},
		{"30 2 * * *", "Europe/Berlin", "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"},
		// The clock goes from 3 to 2: half past two is there twice, and the run once.
		{"30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"},
		{"30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"},
		{"30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", "2026-10-26T01:30:00Z"},
	} {
		c, err := readClock(tt.cron, tt.zone)
		if err != nil {
			t.Fatal(err)
		}
		from, err := time.Parse(time.RFC3339, tt.from)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.next(from).UTC().Format(time.RFC3339); got != tt.want {
			t.Errorf("%s in %s after %s: %s; %s is wanted", tt.cron, tt.zone, tt.from, got, tt.want)
		}
	}
}

func TestWhatIsNoScheduleIsRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ cron, zone, field string }{
		{"", "UTC", "cron"}, {"* * *", "UTC", "cron"}, {"61 * * * *", "UTC", "cron"}, {"0 0 31 2 *", "UTC", "cron"}, {"@every 1s", "UTC", "cron"}, {"TZ=", "UTC", "cron"},
		{"* * * * * *", "UTC", "cron"}, {"@daily", "", "zone"}, {"@daily", "Mars/Base", "zone"}, {"@daily", "Local", "zone"}, {"@daily", "../../etc/passwd", "zone"},
	} {
		if _, err := readClock(tt.cron, tt.zone); fieldOf(err) != tt.field {
			t.Errorf("%q in %q: %v", tt.cron, tt.zone, err)
		}
	}
}

// nightly makes a schedule whose moment lies in the past.
func (w *world) nightly(ago string) {
	w.t.Helper()
	if _, err := w.s.PutSchedule(w.t.Context(), Schedule{Name: "nightly", Destination: "here", Cron: "0 * * * *", Zone: "UTC", Verify: true}, "ann"); err != nil {
		w.t.Fatal(err)
	}
	w.exec(`update fetchq.backup_schedules set next_run = clock_timestamp() - $1::interval, changed_at = clock_timestamp() - $1::interval`, ago)
}

func TestWhatIsDueIsAskedForOnceWhateverWasMissedAndHoweverManyNodesLook(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill("pages", 1)
	w.nightly("5 hours")
	var nodes sync.WaitGroup
	for _, s := range []*Service{w.s, w.node("b", nil), w.node("c", nil)} {
		nodes.Go(func() {
			if err := s.askDue(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	nodes.Wait()
	if n := w.number(`select count(*) from fetchq.operations where asked_as = 'schedule' and asked_by = 'nightly'`); n != 1 {
		t.Fatalf("%d are asked for", n)
	}
	if n := w.number(`select count(*) from fetchq.backup_schedules where next_run > clock_timestamp() and next_run <= clock_timestamp() + interval '1 hour'`); n != 1 {
		t.Error("the next run is not the next hour")
	}
	c, err := w.s.Schedule(t.Context(), "nightly")
	if err != nil || c.Operation == nil || !c.UnderWay {
		t.Fatalf("%+v: %v", c, err)
	}
	// While it is under way another moment passes.
	w.exec(`update fetchq.backup_schedules set next_run = clock_timestamp()`)
	if err := w.s.askDue(t.Context()); err != nil || w.number(`select count(*) from fetchq.operations`) != 1 {
		t.Errorf("%v; it is asked for beside the one that is under way", err)
	}
	o, err := w.jobs.Get(t.Context(), *c.Operation)
	if o = w.work(o, err); o.State != operations.Done {
		t.Fatalf("%s: %v", o.State, o.Error)
	}
	if n := w.number(`select count(*) from fetchq.backups where schedule = 'nightly' and verified_at is not null and problem is null`); n != 1 {
		t.Error("it was not read back")
	}
	if c, err = w.s.Schedule(t.Context(), "nightly"); err != nil || c.GoodAt == nil || c.UnderWay || c.Error != nil {
		t.Errorf("%+v: %v", c, err)
	}
}

func TestAScheduleThatAnotherNodeIsAtIsLeftToIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.nightly("5 hours")
	tx, err := w.db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := tx.Exec(t.Context(), `select from fetchq.backup_schedules for update`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := w.s.askDue(ctx); err != nil || w.number(`select count(*) from fetchq.operations`) != 0 {
		t.Errorf("it is asked for beside the other node: %v", err)
	}
}

func TestAScheduleThatIsPausedAsksForNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.nightly("5 hours")
	w.exec(`update fetchq.backup_schedules set paused = true`)
	if err := w.s.askDue(t.Context()); err != nil || w.number(`select count(*) from fetchq.operations`) != 0 {
		t.Errorf("%v", err)
	}
	if found, err := w.s.Troubles(t.Context()); err != nil || len(found) != 0 {
		t.Errorf("%+v: %v", found, err)
	}
}

func TestABackupThatIsMissingOrFailedIsTrouble(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill("pages", 1)
	trouble := func() string {
		t.Helper()
		found, err := w.s.Troubles(t.Context())
		if err != nil || len(found) > 1 {
			t.Fatalf("%+v: %v", found, err)
		}
		if len(found) == 0 {
			return ""
		}
		return found[0].Words
	}
	w.nightly("10 minutes")
	if words := trouble(); words != "" {
		t.Errorf("ten minutes late: %s", words)
	}
	w.nightly("3 hours")
	if words := trouble(); len(words) < 30 || words[:29] != "its backup is overdue since 2"[:29] {
		t.Errorf("three hours late: %q", words)
	}
	if err := w.s.askDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	if words := trouble(); words != "" {
		t.Errorf("under way: %s", words)
	}
	w.exec(`select fetchq.queue_drop('pages')`) // a backup of nothing fails
	c, err := w.s.Schedule(t.Context(), "nightly")
	if err != nil {
		t.Fatal(err)
	}
	o, err := w.jobs.Get(t.Context(), *c.Operation)
	if o = w.work(o, err); o.State != operations.Failed {
		t.Fatalf("%s: %v", o.State, o.Error)
	}
	w.exec(`update fetchq.backup_schedules set changed_at = clock_timestamp()`)
	if words := trouble(); words != "its last backup failed: "+*o.Error {
		t.Errorf("%q", words)
	}
	if _, err := w.s.Schedule(t.Context(), "weekly"); errs.Of(err) != errs.NotFound {
		t.Errorf("%v", err)
	}
}
