package charts

import (
	"net/url"
	"strings"
	"time"

	"github.com/fetchq/server/internal/errs"
)

// Span is the time that charts show, from its beginning to before its end, in whole steps.
type Span struct {
	From, To time.Time
	Step     time.Duration
	Range    string // a word of Ranges; "": from and to were given
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

// ParseSpan reads range, or from and to (RFC 3339 or Minutes), out of an address. Errors: Invalid, with the field.
func ParseSpan(q url.Values, now time.Time) (Span, error) {
	from, to := strings.TrimSpace(q.Get("from")), strings.TrimSpace(q.Get("to"))
	if from == "" && to == "" {
		word := q.Get("range")
		if word == "" {
			word = defaultRange
		}
		for _, r := range Ranges {
			if r.Word == word {
				return span(now.Add(-r.Over), now, word), nil
			}
		}
		return Span{}, errs.Field("range", "one of 15m, 1h, 6h, 24h, 7d, 30d and 1y is wanted")
	}
	s := Span{To: now}
	var err error
	if to != "" {
		if s.To, err = moment(to); err != nil {
			return Span{}, errs.Field("to", "a time like 2026-11-25T09:00:00Z is wanted")
		}
	}
	if s.From, err = moment(from); err != nil {
		return Span{}, errs.Field("from", "a time like 2026-11-25T08:00:00Z is wanted")
	}
	switch over := s.To.Sub(s.From); {
	case over < time.Minute:
		return Span{}, errs.Field("to", "it has to be a minute after from at least")
	case over > longest:
		return Span{}, errs.Field("from", "it may be two years before to at most")
	}
	return span(s.From, s.To, ""), nil
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

// span takes the shortest step with which a line has MaxPoints values at most, and whole steps.
func span(from, to time.Time, word string) Span {
	s := Span{Range: word, Step: steps[len(steps)-1]}
	for _, step := range steps {
		if to.Sub(from) <= step*(MaxPoints-1) {
			s.Step = step
			break
		}
	}
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
	if s.Range != "" {
		return url.Values{"range": {s.Range}}
	}
	return url.Values{"from": {s.From.Format(time.RFC3339)}, "to": {s.To.Format(time.RFC3339)}}
}
