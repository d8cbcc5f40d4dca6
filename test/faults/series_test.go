package faults_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/fetchq/server/client"
)

// seriesAgree wants the series of each queue, summed up from before the first document on, to be its totals to the unit,
// whatever was killed in between.
func seriesAgree(t *testing.T, p *program) {
	t.Helper()
	c := client.New(p.url, p.command("token", "create", "--name", "series", "--rights", "read"))
	metrics := []string{"entered", "picked", "completed", "rescheduled", "rejected", "dropped", "processed", "errors", "logs"}
	sums := func(queue string) map[string]float64 {
		out := map[string]float64{}
		list, err := c.Series(t.Context(), client.SeriesQuery{
			Queues: []string{queue}, Metrics: metrics, Agg: "sum", From: time.Now().Add(-2 * time.Hour), Step: 10 * time.Second,
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range list {
			for _, p := range s.Points {
				v, _ := p.Value()
				out[s.Metric] += v
			}
		}
		return out
	}
	until := time.Now().Add(40 * time.Second) // the last snapshot is taken up to 10 s behind the last event
	for {
		wrong, events := "", 0.0
		all := map[string]float64{}
		for q, err := range c.Queues(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			totals, err := c.Metrics(t.Context(), q.Name)
			if err != nil {
				t.Fatal(err)
			}
			got := sums(q.Name)
			for _, m := range totals {
				if v, asked := got[m.Name]; asked {
					all[m.Name] += m.Value
					events += m.Value
					if v != m.Value {
						wrong = fmt.Sprintf("%s, %s, which sum to %v and not to %v,", q.Name, m.Name, v, m.Value)
					}
				}
			}
		}
		for name, v := range sums("*") {
			if wrong == "" && v != all[name] {
				wrong = fmt.Sprintf("all queues, %s, which sum to %v and not to %v,", name, v, all[name])
			}
		}
		switch {
		case wrong == "" && events > 0:
			t.Logf("series: %.0f events are in them, each once", events)
			return
		case time.Now().After(until):
			t.Errorf("the series of %s are not what was counted", wrong)
			return
		}
		time.Sleep(time.Second)
	}
}
