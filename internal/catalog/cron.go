package catalog

import (
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // zones, where the machine has none

	"github.com/robfig/cron/v3"

	"github.com/fetchq/server/internal/errs"
)

// clock is a cron expression in a zone.
type clock struct {
	spec *cron.SpecSchedule
	zone *time.Location
}

var (
	parser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)
	words  = []string{"@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"}
)

// readClock reads a cron expression: minute, hour, day of the month, month and day of the week, or one of words. Errors: Invalid (cron, zone).
func readClock(text, zone string) (clock, error) {
	loc, err := time.LoadLocation(zone)
	if err != nil || zone == "" || zone == "Local" || len(zone) > 64 {
		return clock{}, errs.Field("zone", "%.64q is no time zone; one looks like Europe/Berlin, or UTC", zone)
	}
	text = strings.TrimSpace(text)
	if len(text) > 100 || strings.Contains(text, "=") || strings.HasPrefix(text, "@") && !slices.Contains(words, text) {
		return clock{}, errs.Field("cron", "five fields are wanted: minute, hour, day of the month, month and weekday, as in 30 2 * * *; or @hourly, @daily, @weekly or @monthly")
	}
	parsed, err := parser.Parse(text)
	if err != nil {
		return clock{}, errs.Field("cron", "%.60q is no time: %s; five fields are wanted: minute, hour, day of the month, month and weekday, as in 30 2 * * *", text, err)
	}
	c := clock{spec: parsed.(*cron.SpecSchedule), zone: loc} //nolint:forcetypeassert // the parser makes another kind of @every only
	c.spec.Location = time.UTC
	if c.spec.Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return clock{}, errs.Field("cron", "%.60q never comes", text)
	}
	return c, nil
}

// next returns the first moment after t. What the clock on the wall shows is what counts: a day on which it is put forward or back has each of its
// runs once. (The parser's own zones leave out what falls into an hour that is not there.)
func (c clock) next(t time.Time) time.Time {
	l := t.In(c.zone)
	wall := time.Date(l.Year(), l.Month(), l.Day(), l.Hour(), l.Minute(), l.Second(), l.Nanosecond(), time.UTC)
	for {
		wall = c.spec.Next(wall)
		at := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, c.zone)
		if early := at.Add(-time.Hour); early.Hour() == at.Hour() {
			at = early // the hour is there twice
		}
		if at.After(t) || wall.IsZero() {
			return at
		}
	}
}

// grace is how late a run may be until its schedule counts as overdue.
const grace = time.Hour

// Overdue says since when a backup is missing that the schedule should have made; false: none is. A run that is under way is none that is missing.
func (s Schedule) Overdue(now time.Time) (due time.Time, overdue bool) {
	c, err := readClock(s.Cron, s.Zone)
	if s.Paused || s.UnderWay || err != nil {
		return due, false
	}
	from := s.ChangedAt
	if s.GoodDue != nil && s.GoodDue.After(from) {
		from = *s.GoodDue
	}
	due = c.next(from)
	return due, now.Sub(due) > grace
}

// Next returns the moments of the next n runs.
func (s Schedule) Next(n int) (list []time.Time) {
	c, err := readClock(s.Cron, s.Zone)
	for at := s.NextRun; err == nil && len(list) < n; at = c.next(at) {
		list = append(list, at)
	}
	return list
}
