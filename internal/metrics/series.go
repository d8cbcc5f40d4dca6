package metrics

import (
	"math"
	"time"
)

const (
	// Points is how many values a line of a Trend has.
	Points = 30
	// Step is the time that each of them stands for.
	Step = 30 * time.Second
	// Span is the time of a whole line.
	Span = Points * Step

	minute = time.Minute
	marks  = int(minute/every) + 1 // as many samples as a minute has, with those at both its ends
)

// Trend is how a queue, or all of them, went lately.
type Trend struct {
	Known bool          // there are two samples at least, and the newest is not older than a minute
	Over  time.Duration // what the rates are taken over; 0 unless Known

	// Rates over the last minute, or since the first sample where that is younger; 0 unless Known.
	// RejectedPerMin are of the processed: what workers gave back as failed.
	EnteredPerMin, ProcessedPerMin, RejectedPerMin, ErrorsPerMin float64

	// Points values each, the oldest first; NaN where nothing is known. Pending, Active and Killed are how many documents stood there at
	// the end of a step, the others are rates per minute. The last step is the present one, as far as it has come.
	Pending, Active, Killed, Processed, Errors []float64
}

// unknownTrend has lines of which nothing is known.
func unknownTrend() Trend {
	const lines = 5
	all := make([]float64, lines*Points)
	for i := range all {
		all[i] = math.NaN()
	}
	line := func(n int) []float64 { return all[n*Points : (n+1)*Points : (n+1)*Points] }
	return Trend{Pending: line(0), Active: line(1), Killed: line(2), Processed: line(3), Errors: line(4)}
}

// counts are events, by what is shown of them. A step has parts of an event: it shares samples with its neighbours.
type counts struct{ entered, processed, rejected, errors float64 }

func (c *counts) add(d counts, part float64) {
	c.entered += d.entered * part
	c.processed += d.processed * part
	c.rejected += d.rejected * part
	c.errors += d.errors * part
}

// levels are how many documents stand somewhere; NaN: it is not known.
type levels struct{ pending, active, killed float64 }

var unknownLevels = levels{math.NaN(), math.NaN(), math.NaN()}

func (l levels) known() bool {
	return !math.IsNaN(l.pending) || !math.IsNaN(l.active) || !math.IsNaN(l.killed)
}

// series is the last 15 minutes of one queue in steps, and its last samples.
type series struct {
	seen    Sample        // the newest
	last    time.Duration // when that was; moments are counted from the start of the process
	samples int64
	total   counts // since the first sample

	marks [marks]mark   // a ring of the last samples
	steps [Points]point // a ring: step n stands at n modulo Points
}

type mark struct {
	at    time.Duration
	total counts
}

type point struct {
	step  int64         // its number, less than 0 before the process began; noStep: none
	known time.Duration // how much of it lies between two samples
	moved counts        // in that time
	stood levels        // at its end
}

const noStep = math.MinInt64

func newSeries() *series {
	s := &series{}
	for i := range s.steps {
		s.steps[i].step = noStep
	}
	return s
}

// at is where a step stands in the ring.
func (s *series) at(n int64) *point { return &s.steps[(n%Points+Points)%Points] }

// remember puts in what was kept of the 15 minutes before the process began, where nothing stands by now.
func (s *series) remember(past Trend) {
	for i := range Points {
		n := int64(i - Points)
		p := s.at(n)
		stood := levels{past.Pending[i], past.Active[i], past.Killed[i]}
		if p.step != noStep || !stood.known() && math.IsNaN(past.Processed[i]) {
			continue
		}
		*p = point{step: n, stood: stood}
		if !math.IsNaN(past.Processed[i]) && !math.IsNaN(past.Errors[i]) {
			p.known = Step
			p.moved = counts{processed: past.Processed[i] * Step.Minutes(), errors: past.Errors[i] * Step.Minutes()}
		}
	}
}

// stepOf returns the step that ends at a moment or has it inside.
func stepOf(at time.Duration) int64 { return int64(max(at-1, 0) / Step) }

// step returns a step to write into, which may take the place of one that is too old.
func (s *series) step(n int64) *point {
	p := s.at(n)
	if p.step != n {
		*p = point{step: n, stood: unknownLevels}
	}
	return p
}

// take adds a sample and returns what has happened since the one before.
func (s *series) take(at time.Duration, v Sample) (moved counts) {
	if s.samples > 0 {
		moved = counts{
			float64(v.Entered - s.seen.Entered), float64(v.Processed - s.seen.Processed), float64(v.Rejected - s.seen.Rejected), float64(v.Errors - s.seen.Errors),
		}
	}
	s.seen = v
	s.put(at, v.levels(), moved)
	return moved
}

// put adds a sample by what has happened since the one before, which it spreads evenly over the steps between them.
func (s *series) put(at time.Duration, stood levels, moved counts) {
	if s.samples > 0 {
		for from := max(s.last, at-Span); from < at; {
			n := int64(from / Step)
			end := min(time.Duration(n+1)*Step, at)
			p := s.step(n)
			p.known += end - from
			p.moved.add(moved, float64(end-from)/float64(at-s.last))
			from = end
		}
	}
	s.step(stepOf(at)).stood = stood
	s.total.add(moved, 1)
	s.marks[s.samples%int64(marks)] = mark{at, s.total}
	s.samples++
	s.last = at
}

// over returns the time that the rates are taken over: a minute, or less where there are no samples of one.
func (s *series) over() time.Duration {
	if s.samples < 2 {
		return 0
	}
	return s.last - s.minuteAgo().at
}

// trend returns what is known at a moment. The rates are taken over least at least: a queue that was made in the last minute had
// no events before, and its rates must not be higher than those of all queues together.
func (s *series) trend(now, least time.Duration) Trend {
	t := unknownTrend()
	end := stepOf(now)
	if s.samples > 0 && end == stepOf(s.last)+1 {
		end-- // a step that has just begun has no sample yet
	}
	for i := range Points {
		n := end - Points + 1 + int64(i)
		p := s.at(n)
		if p.step != n {
			continue
		}
		t.Pending[i], t.Active[i], t.Killed[i] = p.stood.pending, p.stood.active, p.stood.killed
		if p.known > 0 {
			t.Processed[i], t.Errors[i] = p.moved.processed/p.known.Minutes(), p.moved.errors/p.known.Minutes()
		}
	}
	if t.Known = s.samples > 1 && now-s.last <= minute; t.Known {
		since := s.minuteAgo()
		t.Over = max(s.over(), least)
		took := t.Over.Minutes()
		t.EnteredPerMin = (s.total.entered - since.total.entered) / took
		t.ProcessedPerMin = (s.total.processed - since.total.processed) / took
		t.RejectedPerMin = (s.total.rejected - since.total.rejected) / took
		t.ErrorsPerMin = (s.total.errors - since.total.errors) / took
	}
	return t
}

// minuteAgo returns the oldest of the samples that are not older than a minute before the newest; the one before that where
// there is no other.
func (s *series) minuteAgo() mark {
	kept := min(s.samples, int64(marks))
	for n := s.samples - kept; n < s.samples-2; n++ {
		if m := s.marks[n%int64(marks)]; s.last-m.at <= minute {
			return m
		}
	}
	return s.marks[(s.samples-2)%int64(marks)]
}
