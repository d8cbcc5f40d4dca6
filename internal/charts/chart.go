package charts

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fetchq/server/internal/errs"
)

// Bounds of a chart.
const (
	MaxQueues  = 50
	MaxMetrics = 20
	MaxLines   = 60
	maxTitle   = 100 // bytes
)

// The names that queues and metrics may have.
var (
	queueName  = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)
	metricName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)
)

// Aggs are the ways in which the values of a step become one, as the API names them.
var Aggs = []string{"sum", "rate", "avg", "min", "max", "p50", "p95", "p99"}

// Measure is a metric and how it is aggregated.
type Measure struct {
	Metric, Agg string
}

// Chart is what a figure shows, beside the time.
type Chart struct {
	Title    string
	Queues   []string // none: all of them together
	Measures []Measure
	Stack    bool
	Rest     bool // one more line: all queues without those that are named
	Compare  bool // the period before, dashed

	Kept, Wrong string // of one that is kept and cannot be read: its address, and why. It is shown by its title only.
}

// Parse reads a chart out of an address: title, queue and m (metric:agg) as often as needed, and the switches stack, rest and
// compare. Errors: Invalid, with the field and the value; the chart has what was read before it.
func Parse(q url.Values) (Chart, error) {
	c := Chart{Title: q.Get("title"), Stack: q.Get("stack") == "1", Rest: q.Get("rest") == "1", Compare: q.Get("compare") == "1"}
	if len(c.Title) > maxTitle || !plain(c.Title) {
		return c, errs.Field("title", "%s is no title, which has up to 100 bytes of UTF-8 without control characters", quoted(c.Title))
	}
	for _, name := range q["queue"] {
		if name == "" || slices.Contains(c.Queues, name) {
			continue
		}
		if !queueName.MatchString(name) {
			return c, errs.Field("queue", "%s is no name of a queue, which has 1 to 40 of a-z, 0-9 and _ and begins with a letter", quoted(name))
		}
		c.Queues = append(c.Queues, name)
	}
	for _, text := range q["m"] {
		metric, agg, found := strings.Cut(text, ":")
		if !found || !slices.Contains(Aggs, agg) {
			return c, errs.Field("m", "%s is no metric with one of sum, rate, avg, min, max, p50, p95 and p99, as in picked:rate", quoted(text))
		}
		if !metricName.MatchString(metric) {
			return c, errs.Field("m", "%s is no name of a metric, which has 1 to 63 of a-z, 0-9 and _ and begins with a letter", quoted(metric))
		}
		if m := (Measure{metric, agg}); !slices.Contains(c.Measures, m) {
			c.Measures = append(c.Measures, m)
		}
	}
	switch {
	case len(c.Measures) == 0:
		return c, errs.Field("m", "at least one is wanted, as in picked:rate")
	case len(c.Measures) > MaxMetrics:
		return c, errs.Field("m", "20 are allowed")
	case len(c.Queues) > MaxQueues:
		return c, errs.Field("queue", "50 are allowed")
	case c.lines() > MaxLines:
		return c, errs.Field("queue", "queues and metrics may make 60 lines")
	}
	return c, nil
}

// plain says whether a text can be kept and shown in one line.
func plain(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

// quoted is a value as an error names it: what cannot be shown is escaped, and what is long is cut.
func quoted(text string) string {
	if len(text) > maxTitle {
		text = strings.ToValidUTF8(text[:maxTitle], "") + "…"
	}
	return strconv.Quote(text)
}

func (c Chart) lines() int {
	n := max(len(c.Queues), 1) * len(c.Measures)
	if c.Rest && len(c.Queues) > 0 {
		n += len(c.Measures)
	}
	if c.Compare {
		n *= 2
	}
	return n
}

// Query is the chart as it stands in an address.
func (c Chart) Query() url.Values {
	q := url.Values{}
	if c.Title != "" {
		q.Set("title", c.Title)
	}
	for _, name := range c.Queues {
		q.Add("queue", name)
	}
	for _, m := range c.Measures {
		q.Add("m", m.Metric+":"+m.Agg)
	}
	for name, on := range map[string]bool{"stack": c.Stack, "rest": c.Rest, "compare": c.Compare} {
		if on {
			q.Set(name, "1")
		}
	}
	return q
}

// Of makes a chart of some measures, written as in an address.
func Of(title string, queues []string, measures ...string) Chart {
	c := Chart{Title: title, Queues: queues}
	for _, text := range measures {
		metric, agg, _ := strings.Cut(text, ":")
		c.Measures = append(c.Measures, Measure{metric, agg})
	}
	return c
}

// Stacked returns the chart with its lines on top of each other.
func (c Chart) Stacked() Chart {
	c.Stack = true
	return c
}
