package charts

import "strings"

// Metric is a name with its kind: counter, gauge or timing.
type Metric struct {
	Name, Kind string
}

// Core are the metrics that every queue has.
var Core = []Metric{
	{"docs_planned", "gauge"}, {"docs_pending", "gauge"}, {"docs_active", "gauge"}, {"docs_completed", "gauge"}, {"docs_killed", "gauge"},
	{"entered", "counter"}, {"picked", "counter"}, {"processed", "counter"}, {"completed", "counter"}, {"rescheduled", "counter"}, {"rejected", "counter"},
	{"orphaned", "counter"}, {"killed", "counter"}, {"dropped", "counter"}, {"forwarded", "counter"}, {"errors", "counter"}, {"logs", "counter"},
	{"wait", "timing"}, {"work", "timing"},
}

// Aggs are the ways that say something about a metric of its kind, the most usual first.
func (m Metric) Aggs() []string {
	switch m.Kind {
	case "counter":
		return []string{"rate", "sum"}
	case "gauge":
		return []string{"avg", "min", "max"}
	}
	return []string{"p50", "p95", "p99", "avg", "min", "max", "rate"}
}

// Usual is how a metric is drawn where nobody says how.
func (m Metric) Usual() []string {
	aggs := m.Aggs()
	if m.Kind == "timing" {
		aggs = aggs[:3]
	} else {
		aggs = aggs[:1]
	}
	list := make([]string, len(aggs))
	for i, agg := range aggs {
		list[i] = m.Name + ":" + agg
	}
	return list
}

// Words says in a few words what a chart shows, for one without a title.
func (c Chart) Words() string {
	list := make([]string, len(c.Measures))
	for i, m := range c.Measures {
		list[i] = strings.TrimPrefix(m.Metric, "docs_") + " " + m.Agg
	}
	words := strings.Join(list, ", ")
	if len(c.Queues) > 0 {
		words += " of " + strings.Join(c.Queues, ", ")
	}
	if len(words) > maxTitle {
		return strings.ToValidUTF8(words[:maxTitle-3], "") + "…"
	}
	return words
}
