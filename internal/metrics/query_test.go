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
