package charts

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/fetchq/server/internal/errs"
)

// Span is the time that charts show, from its beginning to before its end, in whole steps.
type Span struct {
	From, To time.Time
	Step     time.Duration
	Range    string // a word of Ranges; "": from and to were given
	Chosen   string // the step as a word of Steps; "": the automatic one
}

// Range is a time up to now that a page offers.
type Range struct {
	Word string // as it stands in an address
	Text string // for people
	Over time.Duration
}

const day = 24 * time.Hour

// Ranges are offered, the shortest first.
var Ranges = []Range{
	{"15m", "15 minutes", 15 * time.Minute}, {"1h", "1 hour", time.Hour}, {"6h", "6 hours", 6 * time.Hour}, {"24h", "24 hours", day},
	{"7d", "7 days", 7 * day}, {"30d", "30 days", 30 * day}, {"1y", "1 year", 365 * day},
}

const (
	defaultRange = "1h"
	// MaxPoints is how many values a line has at most.
	MaxPoints = 400
	longest   = 2 * 365 * day
)

// steps are whole seconds, minutes, hours or days, so that a point means something to people. Each is a multiple of one that is kept.
var steps = []time.Duration{
	10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 4 * time.Hour, 6 * time.Hour, 12 * time.Hour, day, 2 * day, 7 * day,
}

// Step is a step that can be chosen in the place of the automatic one.
type Step struct {
	Word  string // as it stands in an address
	Width time.Duration
}

// Steps are those that are kept, the shortest first.
var Steps = []Step{{"10s", 10 * time.Second}, {"1m", time.Minute}, {"10m", 10 * time.Minute}, {"1h", time.Hour}}

// StepsOf are the steps that can be chosen for a time: a line has two values at least and MaxPoints at most.
func StepsOf(from, to time.Time) (list []Step) {
	for _, s := range Steps {
		if to.Sub(from) >= 2*s.Width && span(from, to, s.Width, "").Points() <= MaxPoints {
			list = append(list, s)
		}
	}
	return list
}

// ParseSpan reads range, or from and to (RFC 3339 or Minutes), and step out of an address. Errors: Invalid, with the field; of a wrong
// step, the span has the automatic one.
func ParseSpan(q url.Values, now time.Time) (Span, error) {
	from, to, word, err := ends(q, now)
	if err != nil {
		return Span{}, err
	}
	chosen := strings.TrimSpace(q.Get("step"))
	if chosen == "" {
		return span(from, to, automatic(to.Sub(from)), word), nil
	}
	list := StepsOf(from, to)
	for _, s := range list {
		if s.Word == chosen {
			at := span(from, to, s.Width, word)
			at.Chosen = chosen
			return at, nil
		}
	}
	return span(from, to, automatic(to.Sub(from)), word), wrongStep(chosen, to.Sub(from), list)
}

// wrongStep says why a step cannot be chosen for a time of some length, and which can.
func wrongStep(chosen string, over time.Duration, list []Step) error {
	n := slices.IndexFunc(Steps, func(s Step) bool { return s.Word == chosen })
	if n < 0 {
		return errs.Field("step", "one of 10s, 1m, 10m and 1h is wanted, or none for the automatic one")
	}
	width, could := Steps[n].Width, "there is only the automatic one for this time"
	switch {
	case len(list) > 0 && over < 2*width:
		could = list[len(list)-1].Word + " is the longest for this time"
	case len(list) > 0:
		could = list[0].Word + " is the shortest for this time"
	}
	if over < 2*width {
		return errs.Field("step", "a line has two values at least, and there would be less in steps of %s; %s", chosen, could)
	}
	return errs.Field("step", "a line has %d values at most, and there would be %d in steps of %s; %s", MaxPoints, over/width, chosen, could)
}

// ends reads from when to when an address asks for, and the word of Ranges by which it does.
func ends(q url.Values, now time.Time) (from, to time.Time, word string, err error) {
	said, until := strings.TrimSpace(q.Get("from")), strings.TrimSpace(q.Get("to"))
	if said == "" && until == "" {
		if word = q.Get("range"); word == "" {
			word = defaultRange
		}
		for _, r := range Ranges {
			if r.Word == word {
				return now.Add(-r.Over), now, word, nil
			}
		}
		return from, to, "", errs.Field("range", "one of 15m, 1h, 6h, 24h, 7d, 30d and 1y is wanted")
	}
	to = now
	if until != "" {
		if to, err = moment(until); err != nil {
			return from, to, "", errs.Field("to", "a time like 2026-11-25T09:00:00Z is wanted")
		}
	}
	if from, err = moment(said); err != nil {
		return from, to, "", errs.Field("from", "a time like 2026-11-25T08:00:00Z is wanted")
	}
	switch over := to.Sub(from); {
	case over < time.Minute:
		err = errs.Field("to", "it has to be a minute after from at least")
	case over > longest:
		err = errs.Field("from", "it may be two years before to at most")
	}
	return from, to, "", err
}

// Minutes is how a field of a form writes a time, which is UTC then.
const Minutes = "2006-01-02T15:04"

func moment(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t, err = time.Parse(Minutes, text)
	}
	return t, err
}

// automatic is the shortest step with which a line has MaxPoints values at most.
func automatic(over time.Duration) time.Duration {
	for _, step := range steps {
		if over <= step*(MaxPoints-1) {
			return step
		}
	}
	return steps[len(steps)-1]
}

// span takes whole steps.
func span(from, to time.Time, step time.Duration, word string) Span {
	s := Span{Range: word, Step: step}
	s.From = from.Truncate(s.Step).UTC()
	s.To = to.Truncate(s.Step).UTC()
	if s.To.Before(to) && word == "" {
		s.To = s.To.Add(s.Step)
	}
	return s
}

// after returns the rest of a span of which somebody knows all before a moment, and how many steps he knows. The last two of them are in the
// rest again: they may have been read before they were whole.
func (s Span) after(known time.Time) (rest Span, first int) {
	first = min(max(int(known.Sub(s.From)/s.Step)-1, 0), max(s.Points()-1, 0))
	rest = s
	rest.From = s.From.Add(time.Duration(first) * s.Step)
	return rest, first
}

// Points is how many values a line has.
func (s Span) Points() int { return int(s.To.Sub(s.From) / s.Step) }

// Before is the period of the same length that ends where this one begins.
func (s Span) Before() Span {
	over := s.To.Sub(s.From)
	return Span{From: s.From.Add(-over), To: s.From, Step: s.Step}
}

// Query is how an address says the span.
func (s Span) Query() url.Values {
	q := url.Values{"range": {s.Range}}
	if s.Range == "" {
		q = url.Values{"from": {s.From.Format(time.RFC3339)}, "to": {s.To.Format(time.RFC3339)}}
	}
	if s.Chosen != "" {
		q.Set("step", s.Chosen)
	}
	return q
}
