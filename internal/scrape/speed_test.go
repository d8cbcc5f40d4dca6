package scrape

import (
	"slices"
	"testing"
	"time"
)

// TestAThousandQueuesAreToldQuickly prints what a scrape takes. Its bound is wide, for it runs beside others; what is measured by
// itself stands in docs/prometheus.md.
func TestAThousandQueuesAreToldQuickly(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a thousand queues")
	}
	t.Parallel()
	w := newWorld(t)
	w.exec(`insert into fetchq.queues (name) select 'q' || n from generate_series(0, 999) n`)
	w.exec(`insert into fetchq.counters (queue, version, pending, ev_entered) select 'q' || n, v, n, 12345 from generate_series(0, 999) n, generate_series(0, 1) v`)
	w.exec(`insert into fetchq.queue_states (queue, as_of, oldest_due_at) select 'q' || n, now(), now() from generate_series(0, 999) n`)
	w.exec(`insert into fetchq.jobs (queue, kind) select 'q' || n, k from generate_series(0, 999) n, unnest(fetchq.job_kinds()) k on conflict do nothing`)
	w.exec(`insert into fetchq.metrics (queue, name, type, count) select 'q' || n, 'own' || m, m, 1 from generate_series(0, 999) n, generate_series(1, 3) m`)
	w.exec(`insert into fetchq.measures
		select 'q' || n, t, 3, clock_timestamp(), 600, 100000, 1, 10000, 0, array(select b::smallint from generate_series(0, 465) b), array(select (1 + b % 3)::bigint from generate_series(0, 465) b)
		from generate_series(0, 999) n, unnest(array['wait', 'work', 'own3']) t`)
	w.counted()
	measure := func(what string, headers ...string) {
		var all, made []time.Duration
		var bytes int
		for range 7 {
			w.clock = w.clock.Add(lookLasts)
			began := time.Now()
			rec := w.get(View{}, headers...)
			all = append(all, time.Since(began))
			bytes = rec.Body.Len()
			began = time.Now()
			w.get(View{}, headers...) // from the same look
			made = append(made, time.Since(began))
		}
		slices.Sort(all)
		slices.Sort(made)
		t.Logf("1,000 queues with 3,000 custom metrics, %s: %v (%v to %v), of these %v for the answer, %.1f MB", what, all[3], all[0], all[6], made[3], float64(bytes)/1e6)
		if all[0] > 3*time.Second {
			t.Errorf("a scrape took %v", all[0])
		}
	}
	measure("as text")
	measure("as text, gzip", "Accept-Encoding", "gzip")
	measure("as protobuf", "Accept", protobuf)
	if n := len(w.families(View{})["fetchq_custom_seconds"].Metric); n != 1000 {
		t.Errorf("%d timings", n)
	}
	if k, err := w.series.Kept(t.Context()); err != nil || len(k.List) != 5000 || k.List[0].Timing == nil && k.List[0].Type == "timing" {
		t.Errorf("%d metrics, %v", len(k.List), err)
	}
}
