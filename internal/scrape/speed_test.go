package scrape

import "testing"

// BenchmarkScrapeOfAThousandQueues scrapes 1,000 queues with 3,000 custom metrics, once by a look at the database and once from the
// look before.
func BenchmarkScrapeOfAThousandQueues(b *testing.B) {
	w := newWorld(b)
	w.exec(`insert into fetchq.queues (name) select 'q' || n from generate_series(0, 999) n`)
	w.exec(`insert into fetchq.counters (queue, version, pending, ev_entered) select 'q' || n, v, n, 12345 from generate_series(0, 999) n, generate_series(0, 1) v`)
	w.exec(`insert into fetchq.queue_states (queue, as_of, oldest_due_at) select 'q' || n, now(), now() from generate_series(0, 999) n`)
	w.exec(`insert into fetchq.jobs (queue, kind) select 'q' || n, k from generate_series(0, 999) n, unnest(fetchq.job_kinds()) k on conflict do nothing`)
	w.exec(`insert into fetchq.metrics (queue, name, type, count) select 'q' || n, concat('own', kind), kind, 1 from generate_series(0, 999) n, generate_series(1, 3) kind`)
	w.exec(`insert into fetchq.measures
		select 'q' || n, t, 3, clock_timestamp(), 600, 100000, 1, 10000, 0, array(select b::smallint from generate_series(0, 465) b), array(select (1 + b % 3)::bigint from generate_series(0, 465) b)
		from generate_series(0, 999) n, unnest(array['wait', 'work', 'own3']) t`)
	w.counted()
	if n := len(w.families(View{})["fetchq_custom_seconds"].Metric); n != 1000 {
		b.Fatalf("%d timings", n)
	}
	for _, asked := range []struct {
		name    string
		headers []string
	}{{"text", nil}, {"gzip", []string{"Accept-Encoding", "gzip"}}, {"protobuf", []string{"Accept", protobuf}}} {
		for _, looks := range []bool{true, false} {
			name := asked.name
			if !looks {
				name += " from the look before"
			}
			b.Run(name, func(b *testing.B) {
				size := 0
				for b.Loop() {
					if looks {
						w.clock = w.clock.Add(lookLasts)
					}
					size = w.get(View{}, asked.headers...).Body.Len()
				}
				b.ReportMetric(float64(size), "bytes")
			})
		}
	}
}
