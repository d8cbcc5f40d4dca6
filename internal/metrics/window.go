package metrics

import (
	"time"

	"github.com/fetchq/server/internal/errs"
)

// Limits of what a query makes the server do.
const (
	maxYears = 100     // from From to To; and a step is not longer
	maxRows  = 500_000 // of all queues together
	maxTimed = 60_000  // timings times points: each point of one is a histogram while it is read
)

// widths are the steps that the server chooses from; longer ones are whole days.
var widths = []time.Duration{
	10 * time.Second, 20 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 20 * time.Minute,
	30 * time.Minute, time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
}

const day = 24 * time.Hour

// check refuses what no series have, before anything is reckoned with it: a time.Duration ends at 292 years.
func (p *plan) check() error {
	if p.To.IsZero() {
		p.To = p.last
	}
	if p.From.IsZero() {
		p.From = p.To.Add(-lookBack)
	}
	if p.Points == 0 {
		p.Points = DefaultPoints
	}
	switch {
	case !p.From.Before(p.To):
		return errs.Field("from", "from lies before to")
	case p.From.Year() < 1970 || p.To.Year() > 9999:
		return errs.Field("from", "from and to lie in the years 1970 to 9999")
	case p.From.AddDate(maxYears, 0, 0).Before(p.To):
		return errs.Field("from", "from lies more than %d years before to; a shorter time is wanted", maxYears)
	case p.Points < 1 || p.Points > MaxPoints:
		return errs.Field("points", "points is %d; 1 to %d are allowed", p.Points, MaxPoints)
	case p.Step != 0 && (p.Step < finest || p.Step%finest != 0):
		return errs.Field("step", "step is %s; a whole number of times 10s is wanted", p.Step)
	case p.Step > maxYears*365*day:
		return errs.Field("step", "step is %s; %d years are the most", p.Step, maxYears)
	}
	return nil
}

// time chooses the step and the rows to read.
func (p *plan) time() error {
	if p.step = p.Step; p.step == 0 {
		p.choose()
	} else if p.count() > MaxPoints {
		return errs.Field("step", "step is %s, which makes %d points; %d are allowed", p.Step, p.count(), MaxPoints)
	}
	for {
		p.base = 0
		for i := range steps {
			if p.step%steps[i].width == 0 {
				p.base = i
			}
		}
		tooOld := p.From.Truncate(p.step).Before(p.last.Add(-steps[p.base].kept))
		rows := p.rows() * (len(p.ids) + 1) // with those of all queues, which say when there were snapshots
		if (tooOld || rows > maxRows) && p.base < len(steps)-1 {
			wider := steps[p.base+1].width
			p.step += (wider - p.step%wider) % wider
			continue
		}
		if rows > maxRows {
			return errs.Field("from", "%d queues have %d rows in this time, and %d are read at most; a shorter time or fewer queues are wanted",
				len(p.ids), rows, maxRows)
		}
		if n := p.timings * p.count(); n > maxTimed {
			return errs.Field("points", "%d timings in %d points are asked for; their product is %d at most", p.timings, p.count(), maxTimed)
		}
		p.from = p.From.Truncate(p.step)
		return nil
	}
}

// rows is how many rows a queue has at most in what is read. Partitions keep some longer than they should, by a sixth.
func (p *plan) rows() int {
	s := steps[p.base]
	from, to := p.From.Truncate(p.step), p.To
	if oldest := p.last.Add(-s.kept - s.kept/6); from.Before(oldest) {
		from = oldest
	}
	if to.After(p.last) {
		to = p.last
	}
	return int(max(to.Sub(from), 0)/s.width) + 1
}

// choose takes the narrowest step with no more points than asked for.
func (p *plan) choose() {
	for _, p.step = range widths {
		if p.count() <= p.Points {
			return
		}
	}
	for p.step = day; p.count() > p.Points; p.step += day {
		if span := p.To.Sub(p.From) / time.Duration(p.Points+1); p.step < span-2*day {
			p.step = span.Truncate(day)
		}
	}
}

func (p *plan) count() int {
	span := p.To.Sub(p.From.Truncate(p.step))
	n := span / p.step
	if span%p.step > 0 {
		n++
	}
	return int(n)
}
