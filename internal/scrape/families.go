package scrape

import (
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/proto"

	"github.com/fetchq/server/internal/metrics"
	"github.com/fetchq/server/internal/queue"
)

// Family is a family of metrics as /metrics offers it.
type Family struct {
	Name   string
	Type   string   // counter, gauge or histogram
	Labels []string // in the order of their names
	Help   string
}

// family is a Family with what makes its samples.
type family struct {
	Family
	each func(q queue.Summary) float64                   // a sample for each queue
	all  func(s *standing, add func(float64, ...string)) // or any samples, with the values of the labels
}

const (
	counter   = "counter"
	gauge     = "gauge"
	timings   = "histogram"
	queueWord = "queue"
)

var types = map[string]dto.MetricType{counter: dto.MetricType_COUNTER, gauge: dto.MetricType_GAUGE, timings: dto.MetricType_HISTOGRAM}

// event is the family of a counter of the engine.
func event(name, help string, of func(v queue.Events) int64) family {
	return family{Family: Family{name, counter, []string{queueWord}, help}, each: func(q queue.Summary) float64 { return float64(of(q.Events)) }}
}

// ofQueues are the families that have samples by queue, but for timings and custom metrics.
var ofQueues = []family{
	{Family: Family{"fetchq_documents", gauge, []string{queueWord, "status"}, "Documents by status."}, all: func(s *standing, add func(float64, ...string)) {
		for _, q := range s.queues {
			c := q.Counts
			add(float64(c.Planned), q.Name, "planned")
			add(float64(c.Pending), q.Name, "pending")
			add(float64(c.Active), q.Name, "active")
			add(float64(c.Completed), q.Name, "completed")
			add(float64(c.Killed), q.Name, "killed")
		}
	}},
	event("fetchq_documents_entered_total", "Documents that were pushed and new.", func(v queue.Events) int64 { return v.Entered }),
	event("fetchq_documents_picked_total", "Documents that workers took.", func(v queue.Events) int64 { return v.Picked }),
	event("fetchq_documents_completed_total", "Documents that were completed.", func(v queue.Events) int64 { return v.Completed }),
	event("fetchq_documents_rescheduled_total", "Documents that were done for now and got another date.", func(v queue.Events) int64 { return v.Rescheduled }),
	event("fetchq_documents_rejected_total", "Documents that workers rejected.", func(v queue.Events) int64 { return v.Rejected }),
	event("fetchq_documents_orphaned_total", "Documents whose lease ran out.", func(v queue.Events) int64 { return v.Orphaned }),
	event("fetchq_documents_killed_total", "Documents that were set aside, by a worker, an admin, or for want of attempts.", func(v queue.Events) int64 { return v.Killed }),
	event("fetchq_documents_dropped_total", "Documents that were removed by a call.", func(v queue.Events) int64 { return v.Dropped }),
	event("fetchq_documents_forwarded_total", "Documents that went on to another queue.", func(v queue.Events) int64 { return v.Forwarded }),
	event("fetchq_errors_total", "Errors: rejections and leases that ran out.", func(v queue.Events) int64 { return v.Errors }),
	event("fetchq_log_lines_total", "Lines of the queue's log, errors and notes.", func(v queue.Events) int64 { return v.Logs }),
	{Family: Family{"fetchq_queue_oldest_due_age_seconds", gauge, []string{queueWord}, "Since when the document waits that has been due for longest; 0 where none is due."},
		all: func(s *standing, add func(float64, ...string)) {
			for _, q := range s.queues {
				age := 0.0
				if q.OldestDueAt != nil {
					age = max(s.now.Sub(*q.OldestDueAt).Seconds(), 0)
				}
				add(age, q.Name)
			}
		}},
	{Family: Family{"fetchq_queue_paused", gauge, []string{queueWord}, "1: the queue hands out nothing; 0: it does."}, each: func(q queue.Summary) float64 { return one(q.Paused) }},
	{Family: Family{"fetchq_queue_fold_lag_seconds", gauge, []string{queueWord}, "How long the fold of the queue is overdue: counts may be so much older than 2 s."},
		all: func(s *standing, add func(float64, ...string)) {
			for _, j := range s.jobs {
				if j.Kind == "fold" {
					add(j.Late.Seconds(), j.Queue)
				}
			}
		}},
}

// ofTimings are the families of the timings that every queue has, with the names of these.
var ofTimings = []struct {
	Family
	metric string
}{
	{Family{"fetchq_wait_seconds", timings, []string{queueWord}, "From when a document is due until it is picked."}, "wait"},
	{Family{"fetchq_work_seconds", timings, []string{queueWord}, "From when a document is picked until its holder resolves it, whatever the action."}, "work"},
}

// ofOwn are the families of custom metrics, by type.
var ofOwn = []struct {
	Family
	typ string
}{
	{Family{"fetchq_custom_events_total", counter, []string{"metric", queueWord}, "Custom counters: what was added."}, "counter"},
	{Family{"fetchq_custom_value", gauge, []string{"metric", queueWord}, "Custom gauges: the last value that was sent."}, "gauge"},
	{Family{"fetchq_custom_seconds", timings, []string{"metric", queueWord}, "Custom timings."}, "timing"},
}

// one is 1 for true.
func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// gather makes the families of a look that a view sees.
func gather(s *standing, view View, native bool) []*dto.MetricFamily {
	var out []*dto.MetricFamily
	b := &builder{labels: map[string]*dto.LabelPair{}, sees: view.Sees}
	for _, f := range ofProgram {
		if view.Sees == nil || f.Name == upName {
			out = b.add(out, f, s)
		}
	}
	if view.Sees == nil {
		for _, f := range ofBackups {
			out = b.add(out, f, s)
		}
	}
	if s.up {
		out = b.add(out, queueBackups, s)
		for _, f := range ofQueues {
			out = b.add(out, f, s)
		}
		out = b.addKept(out, s, native)
	}
	slices.SortFunc(out, func(x, y *dto.MetricFamily) int { return strings.Compare(x.GetName(), y.GetName()) })
	return out
}

// builder makes families; pairs of labels are shared between their samples.
type builder struct {
	labels map[string]*dto.LabelPair
	sees   func(string) bool
}

func (b *builder) label(name, value string) *dto.LabelPair {
	key := name + "\x00" + value
	pair := b.labels[key]
	if pair == nil {
		pair = &dto.LabelPair{Name: proto.String(name), Value: proto.String(value)}
		b.labels[key] = pair
	}
	return pair
}

func (b *builder) hides(queue string) bool { return b.sees != nil && !b.sees(queue) }

// pairs are the labels of a sample; hidden says that it is of a queue that the view does not see.
func (b *builder) pairs(f Family, values []string) (out []*dto.LabelPair, hidden bool) {
	out = make([]*dto.LabelPair, len(values))
	for i, v := range values {
		if f.Labels[i] == queueWord && b.hides(v) {
			return nil, true
		}
		out[i] = b.label(f.Labels[i], v)
	}
	return out, false
}

func head(f Family, n int) *dto.MetricFamily {
	typ := types[f.Type]
	return &dto.MetricFamily{Name: proto.String(f.Name), Help: proto.String(f.Help), Type: &typ, Metric: make([]*dto.Metric, 0, n)}
}

// add makes a family, if it has samples.
func (b *builder) add(out []*dto.MetricFamily, f family, s *standing) []*dto.MetricFamily {
	family := head(f.Family, len(s.queues))
	put := func(v float64, values ...string) {
		if pairs, hidden := b.pairs(f.Family, values); !hidden {
			family.Metric = append(family.Metric, sample(f.Type, pairs, v))
		}
	}
	if f.each != nil {
		for _, q := range s.queues {
			put(f.each(q), q.Name)
		}
	} else {
		f.all(s, put)
	}
	return withSamples(out, family)
}

func withSamples(out []*dto.MetricFamily, f *dto.MetricFamily) []*dto.MetricFamily {
	if len(f.Metric) == 0 {
		return out
	}
	return append(out, f)
}

func sample(typ string, pairs []*dto.LabelPair, v float64) *dto.Metric {
	if typ == counter {
		return &dto.Metric{Label: pairs, Counter: &dto.Counter{Value: &v}}
	}
	return &dto.Metric{Label: pairs, Gauge: &dto.Gauge{Value: &v}}
}

// addKept makes the families of timings and custom metrics. A queue in which nothing was timed yet has timings of 0 values; a gauge whose
// first value no snapshot has taken is not told.
func (b *builder) addKept(out []*dto.MetricFamily, s *standing, native bool) []*dto.MetricFamily {
	type key struct{ queue, metric string }
	timed := map[key]*metrics.Histogram{}
	for _, m := range s.kept.List {
		if !m.Own {
			timed[key{m.Queue, m.Name}] = m.Timing
		}
	}
	empty := &metrics.Histogram{}
	for _, f := range ofTimings {
		family := head(f.Family, len(s.queues))
		for _, q := range s.queues {
			h := timed[key{q.Name, f.metric}]
			if h == nil {
				h = empty
			}
			if pairs, hidden := b.pairs(f.Family, []string{q.Name}); !hidden {
				family.Metric = append(family.Metric, &dto.Metric{Label: pairs, Histogram: histogram(h, native)})
			}
		}
		out = withSamples(out, family)
	}
	for _, f := range ofOwn {
		family := head(f.Family, 0)
		for _, m := range s.kept.List {
			if !m.Own || m.Type != f.typ || f.Type == gauge && !m.Known {
				continue
			}
			pairs, hidden := b.pairs(f.Family, []string{m.Name, m.Queue})
			switch {
			case hidden:
			case m.Timing != nil:
				family.Metric = append(family.Metric, &dto.Metric{Label: pairs, Histogram: histogram(m.Timing, native)})
			default:
				family.Metric = append(family.Metric, sample(f.Type, pairs, m.Value))
			}
		}
		out = withSamples(out, family)
	}
	return out
}

// Families returns all families of queues and of the program, by name; those that Go and the process have are named in
// docs/prometheus.md by their beginnings.
func Families() []Family {
	var out []Family
	for _, list := range [][]family{ofQueues, ofProgram, ofBackups, {queueBackups}} {
		for _, f := range list {
			out = append(out, f.Family)
		}
	}
	for _, f := range ofTimings {
		out = append(out, f.Family)
	}
	for _, f := range ofOwn {
		out = append(out, f.Family)
	}
	out = append(out, poolFamilies...)
	slices.SortFunc(out, func(x, y Family) int { return strings.Compare(x.Name, y.Name) })
	return out
}
