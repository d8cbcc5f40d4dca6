package charts

import (
	"context"
	"math"
	"strings"
	"time"
)

// Ask is one line's values: those of a metric of a queue, or, "", of all of them.
type Ask struct {
	Queue, Metric, Agg string
}

// Source reads values: for each Ask as many as the span has steps, NaN where nothing is known.
type Source interface {
	Values(ctx context.Context, asks []Ask, span Span) ([][]float64, error)
	Marks(ctx context.Context, queues []string, from, to time.Time) ([]Mark, error)
	// Names returns the metrics that some queues have beside those of every queue, by name; no queue: of all of them, a thousand at most.
	Names(ctx context.Context, queues []string) ([]Metric, error)
}

// Mark is an event that somebody noted, such as a deploy.
type Mark struct {
	At   int64  `json:"at"` // seconds since 1970
	Text string `json:"text"`
}

// Spec is what a browser draws. Times are seconds since 1970; value n of a line stands for the step that begins at From + (First + n) × Step.
type Spec struct {
	First int    `json:"first,omitempty"` // steps that are left out, for they are known
	Title string `json:"title"`
	Stack bool   `json:"stack"`
	From  int64  `json:"from"`
	To    int64  `json:"to"`
	Step  int64  `json:"step"`
	Lines []Line `json:"lines"`
	Marks []Mark `json:"marks,omitempty"`
}

// Line is one line of a chart.
type Line struct {
	Label  string     `json:"label"`
	Unit   string     `json:"unit"`  // count, rate (a second), ms, bytes or bytes_rate (a second)
	Color  string     `json:"color"` // a colour of the style sheet
	Dashed bool       `json:"dashed,omitempty"`
	Values []*float64 `json:"values"` // null where nothing is known
}

// Spec reads the values of a chart over a span.
func (c Chart) Spec(ctx context.Context, from Source, at Span) (Spec, error) {
	return c.spec(ctx, from, at, at, 0)
}

// News is Spec for somebody who has seen the values up to the step that begins at a moment: without those. A comparison is read
// anew, for what it compares with moves on.
func (c Chart) News(ctx context.Context, from Source, at Span, seen time.Time) (Spec, error) {
	if c.Compare {
		return c.Spec(ctx, from, at)
	}
	rest, first := at.after(seen)
	return c.spec(ctx, from, at, rest, first)
}

func (c Chart) spec(ctx context.Context, from Source, at, rest Span, first int) (Spec, error) {
	spec := Spec{Title: c.Title, First: first, From: at.From.Unix(), To: at.To.Unix(), Step: int64(at.Step / time.Second)}
	kinds, units, err := c.units(ctx, from)
	if err != nil {
		return spec, err
	}
	spec.Stack = c.Stack && !c.Compare && units == 1
	if spec.Lines, err = c.read(ctx, from, rest, kinds); err != nil {
		return spec, err
	}
	if c.Compare {
		before, err := c.read(ctx, from, at.Before(), kinds)
		if err != nil {
			return spec, err
		}
		for _, l := range before {
			l.Label, l.Dashed = l.Label+", before", true
			spec.Lines = append(spec.Lines, l)
		}
	}
	spec.Marks, err = from.Marks(ctx, c.Queues, at.From, at.To)
	return spec, err
}

// read reads the lines of one period. What is left of all queues is the difference, for which all of them are read as well.
func (c Chart) read(ctx context.Context, from Source, at Span, kinds map[string]string) ([]Line, error) {
	queues := c.Queues
	if len(queues) == 0 {
		queues = []string{""}
	}
	rest := c.Rest && len(c.Queues) > 0
	var asks []Ask
	for _, m := range c.Measures {
		for _, name := range queues {
			asks = append(asks, Ask{name, m.Metric, m.Agg})
		}
		if rest {
			asks = append(asks, Ask{"", m.Metric, m.Agg})
		}
	}
	values, err := from.Values(ctx, asks, at)
	if err != nil {
		return nil, err
	}
	var lines []Line
	n := 0
	for _, m := range c.Measures {
		first, unit := n, unit(m, kinds[m.Metric])
		for range queues {
			lines = append(lines, Line{Label: c.label(asks[n]), Unit: unit, Color: c.color(asks[n], len(lines)), Values: points(values[n])})
			n++
		}
		if rest {
			left := subtract(values[n], values[first:n])
			lines = append(lines, Line{Label: c.label(Ask{"other queues", asks[n].Metric, asks[n].Agg}), Unit: unit, Color: "line-8", Values: points(left)})
			n++
		}
	}
	return lines, nil
}

// subtract takes parts from a whole. It ends at 0: the parts may have been read a moment later, and a difference of rates may be
// off in their last digits.
func subtract(whole []float64, parts [][]float64) []float64 {
	left := make([]float64, len(whole))
	for i, v := range whole {
		for _, p := range parts {
			if !math.IsNaN(p[i]) {
				v -= p[i]
			}
		}
		left[i] = v
		if v < whole[i]*1e-9 {
			left[i] = 0
		}
	}
	return left
}

// points are the values as JSON has them.
func points(values []float64) []*float64 {
	list := make([]*float64, len(values))
	for i, v := range values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			list[i] = &values[i]
		}
	}
	return list
}

// label names a line by what differs among those of its chart.
func (c Chart) label(a Ask) string {
	metric := strings.TrimPrefix(a.Metric, "docs_")
	if a.Agg[0] == 'p' || a.Agg == "min" || a.Agg == "max" {
		metric += " " + a.Agg
	}
	one := !strings.ContainsFunc(a.Queue, func(rune) bool { return true }) || len(c.Queues) == 1 && !c.Rest
	same := true // all measures are of one metric
	for _, m := range c.Measures {
		same = same && m.Metric == c.Measures[0].Metric
	}
	switch {
	case len(c.Measures) == 1 && one:
		return metric
	case len(c.Measures) == 1:
		return a.Queue
	case same:
		metric = a.Agg
	}
	if one {
		return metric
	}
	return a.Queue + " " + metric
}

// colors are those of what has one everywhere.
var colors = map[string]string{
	"docs_planned": "planned", "docs_pending": "pending", "docs_active": "active", "docs_completed": "completed", "docs_killed": "killed",
	"completed": "completed", "processed": "completed", "picked": "active", "entered": "line-1", "rescheduled": "planned", "rejected": "errors",
	"errors": "errors", "orphaned": "pending", "killed": "killed",
}

func (c Chart) color(a Ask, n int) string {
	if known := colors[a.Metric]; known != "" && len(c.Queues) <= 1 {
		return known
	}
	return "line-" + string(rune('1'+n%7))
}
