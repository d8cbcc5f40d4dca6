package metrics

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPointsAreNeverMoreThanAsked(t *testing.T) {
	t.Parallel()
	for _, points := range []int{1, 2, 7, 100, 2000} {
		for _, span := range []time.Duration{time.Second, 10 * time.Second, time.Hour, day + time.Second, 40 * day, 3000 * day} {
			p := &plan{Query: Query{From: dawn.Add(3 * time.Second), To: dawn.Add(3*time.Second + span), Points: points}, last: dawn.Add(span)}
			if err := p.time(); err != nil {
				t.Fatal(err)
			}
			if n := p.count(); n > points && points > 1 || n < 1 {
				t.Errorf("%d points of %d in steps of %v over %v", n, points, p.step, span)
			}
		}
	}
}

func TestWhatCannotBeAnsweredIsRefusedInASentence(t *testing.T) {
	t.Parallel()
	w := newSeriesWorld(t, "a")
	for part, q := range map[string]Query{
		"there is no such queue":       {Queues: []string{"b"}, Metrics: []string{"entered"}},
		"has such a metric":            {Metrics: []string{"nothing"}},
		"entered is a counter, of":     {Metrics: []string{"entered"}, Agg: "p95"},
		"docs_active is a gauge, of":   {Metrics: []string{"docs_active"}, Agg: "rate"},
		"metric is missing":            {},
		"a whole number of times 10s":  {Metrics: []string{"entered"}, Step: 15 * time.Second},
		"from lies before to":          {Metrics: []string{"entered"}, From: sec(10), To: sec(10)},
		"points is 2001":               {Metrics: []string{"entered"}, Points: 2001},
		"which makes 8640 points":      {Metrics: []string{"entered"}, From: dawn, To: dawn.Add(day), Step: finest},
		"more than 100 years before":   {Metrics: []string{"entered"}, From: time.Unix(0, 0), To: dawn.AddDate(300, 0, 0)},
		"100 years are the most":       {Metrics: []string{"entered"}, From: dawn.AddDate(-50, 0, 0), To: dawn, Step: 2_500_000 * time.Hour},
		"their product is 200 at most": {Metrics: slices.Repeat([]string{"entered"}, 201)},
	} {
		_, err := w.store.Series(w.ctx, q)
		w.refused(err, part)
	}
}

func TestPercentilesAreWithinOnePercentInEveryStepAndOverQueues(t *testing.T) {
	t.Parallel()
	queues := []string{"a", "b", "c"}
	w := newSeriesWorld(t, queues...)
	r := random()
	sent := map[string]map[string]map[int][]float64{} // by name, queue ("*": all) and step of 10 s
	const count = 2*360 + 5
	for name, draw := range draws(r) {
		name = regularName(name)
		sent[name] = map[string]map[int][]float64{}
		for _, q := range append(queues, AllQueues) {
			sent[name][q] = map[int][]float64{}
		}
		for range 40 {
			slot, queue := r.IntN(count), queues[r.IntN(3)]
			for range 1 + r.IntN(40) {
				v := draw()
				sent[name][queue][slot] = append(sent[name][queue][slot], v)
				sent[name][AllQueues][slot] = append(sent[name][AllQueues][slot], v)
			}
		}
	}
	for slot := range count {
		for name := range sent {
			for _, q := range queues {
				if v := sent[name][q][slot]; v != nil {
					w.measure(sec(10*slot+r.IntN(10)), q, name, "timing", v...)
				}
			}
		}
		if slot%300 == 0 {
			w.upkeep(sec(10 * slot))
		}
		if slot%7 == 0 || slot == count-1 { // late ones as well: the moments of measures count
			w.snapshot(sec(10*slot + 12))
		}
	}
	checked := 0
	for name, by := range sent {
		for q, slots := range by {
			for _, width := range []int{1, 6, 180, 360} {
				for agg, share := range quantiles {
					for i, p := range w.series(Query{Queues: []string{q}, Metrics: []string{name}, Agg: agg, From: dawn, To: sec(10 * count), Step: time.Duration(width) * finest}).Points {
						var all []float64
						for k := i * width; k < (i+1)*width; k++ {
							all = append(all, slots[k]...)
						}
						if all == nil {
							if !math.IsNaN(p.Value) {
								t.Fatalf("%s of %s has %v where nothing was timed", name, q, p.Value)
							}
							continue
						}
						slices.Sort(all)
						if want := nearest(all, share); math.Abs(p.Value-want) > 0.01*want {
							t.Fatalf("%s of %s, %s, step %d of %d0 s: %v; %v is right", agg, name, q, i, width, p.Value, want)
						}
						checked++
					}
				}
			}
		}
	}
	if checked < 3000 {
		t.Errorf("only %d values were looked at", checked)
	}
}

// regularName makes a metric's name of the name of a distribution.
func regularName(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c == ' ' || c == '-' {
			b[i] = '_'
		}
	}
	return string(b)
}

func TestProcessedIsTheSumOfWhatEndsLeases(t *testing.T) {
	t.Parallel()
	w := newSeriesWorld(t, "a", "b")
	w.exec(`insert into q_a.deltas (version, ev_completed, ev_rescheduled, ev_rejected, ev_dropped, ev_forwarded, ev_picked, ev_killed) values (0, 1, 2, 4, 8, 16, 99, 99)`)
	w.exec(`insert into q_b.deltas (version, ev_completed) values (0, 32)`)
	w.snapshot(sec(12))
	for queue, want := range map[string]float64{"a": 31, "b": 32, AllQueues: 63} {
		w.same(queue, w.values(Query{Queues: []string{queue}, Metrics: []string{"processed"}, From: dawn, To: sec(10), Step: finest}), want)
	}
	totals, err := w.store.Totals(w.ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(totals, func(m Total) bool { return m.Name == "processed" })
	if at < 0 || totals[at].Value != 31 || totals[at].Type != "counter" {
		t.Errorf("the totals are %+v", totals)
	}
	if _, err := w.db.Exec(w.ctx, `select fetchq.metric_increment('a', 'processed')`); err == nil || !strings.Contains(err.Error(), "kept already") {
		t.Errorf("a metric of that name: %v", err)
	}
}

// TestALongTimeIsAnsweredInFewPoints takes what a duration can still hold: 292 years are where it ends.
func TestALongTimeIsAnsweredInFewPoints(t *testing.T) {
	t.Parallel()
	for _, points := range []int{1, 2, 2000} {
		for _, step := range []time.Duration{0, maxYears * 365 * day} {
			p := &plan{Query: Query{From: dawn.AddDate(-50, 0, 0), To: dawn.AddDate(50, 0, 0), Points: points, Step: step}, last: dawn}
			if err := p.check(); err != nil {
				t.Fatal(err)
			}
			if err := p.time(); err != nil {
				t.Fatal(err)
			}
			if n := p.count(); n < 1 || n > max(points, 3) {
				t.Errorf("%d points of %d in steps of %v", n, points, p.step)
			}
		}
	}
}

// TestOfManyQueuesWiderStepsAreReadUntilTheRowsAreTooMany sees that the rows of all queues together have a bound.
func TestOfManyQueuesWiderStepsAreReadUntilTheRowsAreTooMany(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		queues int
		span   time.Duration
		step   time.Duration
		want   time.Duration // 0: it is refused
	}{
		{10, 7 * day, 10 * time.Minute, 10 * time.Minute},
		{10, 3*day - 3*time.Minute, 3 * time.Minute, 3 * time.Minute},
		{200, 3*day - 3*time.Minute, 3 * time.Minute, 10 * time.Minute},
		{200, 5 * time.Hour, 10 * time.Second, 10 * time.Second},
		{40, 400*day - time.Hour, 5 * time.Hour, 5 * time.Hour},
		{200, 400*day - time.Hour, 5 * time.Hour, 0},
		{200, 90 * 365 * day, 400 * day, 0},
		{1, 90 * 365 * day, 400 * day, 400 * day},
	} {
		p := &plan{Query: Query{From: dawn.Add(-c.span), To: dawn, Step: c.step}, last: dawn, ids: make([]int, c.queues)}
		switch err := p.time(); {
		case c.want == 0 && (err == nil || !strings.Contains(err.Error(), "a shorter time or fewer queues are wanted")):
			t.Errorf("%d queues over %v in steps of %v: %v", c.queues, c.span, c.step, err)
		case c.want != 0 && (err != nil || p.step != c.want):
			t.Errorf("%d queues over %v in steps of %v: steps of %v, %v; %v are right", c.queues, c.span, c.step, p.step, err, c.want)
		}
	}
	p := &plan{Query: Query{From: dawn.Add(-5 * time.Hour), To: dawn, Step: 10 * time.Second}, last: dawn, timings: 40}
	if err := p.time(); err == nil || !strings.Contains(err.Error(), "40 timings in 1800 points") {
		t.Errorf("72,000 histograms: %v", err)
	}
}

// TestQueuesReadOneByOneAreThoseReadTogether reads each queue by itself and all at once, with every kind of metric.
func TestQueuesReadOneByOneAreThoseReadTogether(t *testing.T) {
	t.Parallel()
	w := newSeriesWorld(t, "a", "b", "c", "quiet")
	r := random()
	for i := 1; i <= 40; i++ {
		for _, q := range w.names[:3] {
			w.push(q, r.IntN(3))
			if r.IntN(3) == 0 {
				w.measure(sec(10*i-5), q, "depth", "gauge", float64(r.IntN(9)), float64(r.IntN(9)))
			}
			w.measure(sec(10*i-5), q, "parse", "timing", float64(1+r.IntN(900)))
		}
		w.snapshot(sec(10 * i))
	}
	for _, only := range [][]string{nil, {"a", "b", "c"}} {
		for agg, metrics := range map[string][]string{"": {"entered", "docs_pending", "depth", "parse", "processed"}, "p95": {"parse"}, "max": {"depth"}} {
			for _, step := range []time.Duration{finest, time.Minute, 3 * time.Minute} {
				var answers [][]Series
				for _, chunk := range []int{1, 0} {
					p := &plan{Query: Query{Queues: []string{"a", AllQueues, "b", "c"}, Only: only, Metrics: metrics, Agg: agg, From: sec(60), To: sec(390), Step: step}, db: w.db, chunk: chunk}
					if err := p.prepare(w.ctx); err != nil {
						t.Fatal(err)
					}
					if err := p.read(w.ctx); err != nil {
						t.Fatal(err)
					}
					for _, l := range p.series {
						if l.bins != nil || l.values == nil {
							t.Fatalf("%s of %s is not done", l.metric, l.queue)
						}
					}
					answers = append(answers, p.answer())
				}
				known := 0
				for i, one := range answers[0] {
					for k, point := range one.Points {
						other := answers[1][i].Points[k]
						if point != other && !(math.IsNaN(point.Value) && math.IsNaN(other.Value)) {
							t.Fatalf("%s of %s at %v: %v by itself, %v with the others", one.Metric, one.Queue, point.At, point.Value, other.Value)
						}
						if point.Value > 0 {
							known++
						}
					}
				}
				if known == 0 {
					t.Fatal("nothing was read")
				}
			}
		}
	}
}
