package web

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/web/templates"
)

// calendars keeps what becomes due when, of each queue that somebody looks at and of all together. It is counted behind the pages: they
// show what was counted last.
type calendars struct {
	mu    sync.Mutex
	kept  map[string]*calendar
	count func(ctx context.Context, name string) ([]queue.Due, []queue.Due, error) // hours and days
	now   func() time.Time
	one   chan struct{} // holds one while something is counted: however many ask, the database is asked once at a time
}

type calendar struct {
	hours, days []queue.Due
	at          time.Time // zero: not counted yet
	lasts       time.Duration
	asked       bool          // it is being counted
	first       chan struct{} // closed when it was counted for the first time
}

const (
	calendarLasts  = time.Minute           // at least
	calendarLong   = 15 * time.Minute      // at most
	calendarRests  = 1_000                 // times as long as it was counted, so that no more than a thousandth of a core goes there
	calendarWait   = time.Minute           // for one count
	calendarSpends = 10 * time.Second      // on all queues together
	calendarFirst  = 40 * time.Millisecond // that a page waits where nothing was counted yet: most are by then
	calendarsKept  = 500
	calendarMost   = 200 // queues that are counted for all together, those with the most planned documents
	hoursAhead     = 48
	daysAhead      = 30
)

func newCalendars(now func() time.Time, count func(context.Context, string) ([]queue.Due, []queue.Due, error)) *calendars {
	return &calendars{kept: map[string]*calendar{}, count: count, now: now, one: make(chan struct{}, 1)}
}

// get returns the calendar of a queue, or, "", of all, as it was counted last, and has it counted where that is long ago.
func (c *calendars) get(name string) calendar {
	k := c.look(name)
	if k.at.IsZero() {
		select {
		case <-k.first:
			k = c.look(name)
		case <-time.After(calendarFirst):
		}
	}
	return k
}

func (c *calendars) look(name string) calendar {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept[name] == nil {
		if len(c.kept) >= calendarsKept {
			clear(c.kept)
		}
		c.kept[name] = &calendar{first: make(chan struct{})}
	}
	k := c.kept[name]
	if !k.asked && c.now().Sub(k.at) >= k.lasts {
		k.asked = true
		go c.renew(name, k)
	}
	return *k
}

func (c *calendars) renew(name string, k *calendar) {
	c.one <- struct{}{}
	defer func() { <-c.one }()
	ctx, cancel := context.WithTimeout(context.Background(), calendarWait)
	defer cancel()
	began := c.now()
	hours, days, err := c.count(ctx, name)
	c.mu.Lock()
	defer c.mu.Unlock()
	k.asked = false
	if err == nil {
		if k.at.IsZero() {
			close(k.first)
		}
		k.hours, k.days, k.at = hours, days, c.now()
		k.lasts = min(max(calendarLasts, calendarRests*k.at.Sub(began)), calendarLong)
	}
}

// calendarKey names the calendar of all queues that a context sees among the others. No name of a queue begins with a space.
func calendarKey(ctx context.Context) string {
	if !queue.Limited(ctx) {
		return ""
	}
	return " " + queue.ScopeKey(ctx)
}

// countDue counts for a queue, or, "" or a calendarKey, for those with the most planned documents.
func (s *Server) countDue(ctx context.Context, name string) (hours, days []queue.Due, err error) {
	if patterns, of := strings.CutPrefix(name, " "); of {
		ctx, name = within(ctx, auth.User{Role: auth.RoleViewer, Queues: strings.Split(patterns, ",")}), ""
	}
	names, known := []string{name}, "exact"
	if name == "" {
		if names, known, err = s.planning(ctx); err != nil {
			return nil, nil, err
		}
	}
	return sumDue(ctx, names, known, s.Now, s.Engine.Calendar)
}

// sumDue adds up what becomes due in some queues. After calendarSpends it begins with no other one, and says that there are more.
func sumDue(ctx context.Context, names []string, known string, now func() time.Time,
	count func(ctx context.Context, name string, from time.Time, step time.Duration, steps int) ([]queue.Due, error),
) (hours, days []queue.Due, err error) {
	begun := now()
	hour, day := begun.Truncate(time.Hour), begun.Truncate(24*time.Hour)
	hours, days = steps(hour, time.Hour, hoursAhead, known), steps(day, 24*time.Hour, daysAhead, known)
	for _, name := range names {
		if now().Sub(begun) >= calendarSpends {
			for _, sum := range [][]queue.Due{hours, days} {
				for i := range sum {
					sum[i].Known = "least"
				}
			}
			break
		}
		for _, part := range []struct {
			sum  []queue.Due
			from time.Time
			step time.Duration
		}{{hours, hour, time.Hour}, {days, day, 24 * time.Hour}} {
			list, err := count(ctx, name, part.from, part.step, len(part.sum))
			if errs.Of(err) == errs.NotFound {
				continue // it was dropped in this moment
			}
			if err != nil {
				return nil, nil, err
			}
			for i, d := range list {
				part.sum[i].Documents += d.Documents
				if worse[d.Known] > worse[part.sum[i].Known] {
					part.sum[i].Known = d.Known
				}
			}
		}
	}
	return hours, days, nil
}

// worse orders how well a number is known.
var worse = map[string]int{"exact": 0, "about": 1, "least": 2}

// steps are none due yet in each of some steps; known says how well that of all of them will be known at best.
func steps(from time.Time, step time.Duration, n int, known string) []queue.Due {
	list := make([]queue.Due, n)
	for i := range list {
		list[i] = queue.Due{At: from.Add(time.Duration(i) * step), Known: known}
	}
	return list
}

// planning returns the queues with the most planned documents, and how well these tell of all: least where there are more.
func (s *Server) planning(ctx context.Context) (names []string, known string, err error) {
	list, err := s.board.summaries(ctx)
	if err != nil {
		return nil, "", err
	}
	names, known = mostPlanned(list)
	return names, known, nil
}

// calendarView is the calendar of a queue, or that of a calendarKey.
func (s *Server) calendarView(name string) templates.CalendarView {
	c := s.calendars.get(name)
	if c.at.IsZero() {
		return templates.CalendarView{}
	}
	return templates.CalendarView{
		Counted: &templates.Place{Word: "planned documents, counted at " + c.at.UTC().Format("15:04 UTC")},
		Strips: []templates.Strip{
			strip("Per hour, the next 48 hours", "hour", c.hours, "Mon 2 Jan 15:04"), strip("Per day, the next 30 days", "day", c.days, "Mon 2 Jan"),
		},
	}
}

func strip(title, step string, list []queue.Due, layout string) templates.Strip {
	s := templates.Strip{Title: title}
	var most, all int64
	sure := "exact"
	for _, d := range list {
		most, all = max(most, d.Documents), all+d.Documents
		if worse[d.Known] > worse[sure] {
			sure = d.Known
		}
	}
	for _, d := range list {
		b := templates.StripBar{When: d.At.UTC().Format(layout), Count: signs[d.Known] + templates.Exact(d.Documents), About: d.Known != "exact"}
		if most > 0 {
			b.Part = float64(d.Documents) / float64(most)
		}
		s.Bars = append(s.Bars, b)
	}
	s.Note = signs[sure] + templates.Number(all) + " in all, at most " + templates.Number(most) + " in one " + step
	return s
}

// signs stand before a number that is not exact.
var signs = map[string]string{"exact": "", "about": "≈ ", "least": "≥ "}

// mostPlanned are the queues that have planned documents, those with the most first, calendarMost of them; known is least where there
// are more.
func mostPlanned(list []queue.Summary) (names []string, known string) {
	planned := slices.DeleteFunc(slices.Clone(list), func(q queue.Summary) bool { return q.Counts.Planned == 0 })
	slices.SortFunc(planned, func(a, b queue.Summary) int { return cmp.Compare(b.Counts.Planned, a.Counts.Planned) })
	known = "exact"
	if len(planned) > calendarMost {
		planned, known = planned[:calendarMost], "least"
	}
	for _, q := range planned {
		names = append(names, q.Name)
	}
	return names, known
}
