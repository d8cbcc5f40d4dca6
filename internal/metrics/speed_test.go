package metrics

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkSnapshotOfAThousandQueues is of 1,000 queues in all of which everything moved, with 22 measures each. Every sixth ends a
// minute.
func BenchmarkSnapshotOfAThousandQueues(b *testing.B) {
	w := newSeriesWorld(b)
	w.exec(`insert into fetchq.queues (name) select 'q' || n from generate_series(0, 999) n`)
	w.exec(`insert into fetchq.counters (queue, version) select 'q' || n, 0 from generate_series(0, 999) n`)
	w.exec(`insert into fetchq.metrics (queue, name, type) select 'q' || n, 'own' || m, case when m < 12 then 1 when m < 16 then 2 else 3 end
		from generate_series(0, 999) n, generate_series(0, 19) m`)
	for i := 1; b.Loop(); i++ {
		b.StopTimer()
		w.exec(`update fetchq.counters set pending = pending + 3, ev_entered = ev_entered + 7, ev_picked = ev_picked + 4, ev_completed = ev_completed + 4`)
		w.exec(`insert into fetchq.measures select queue, name, type, $1::timestamptz, 4, 1000, 10, 900, 3, case when type = 3 then array[100, 101, 250, 344]::smallint[] end,
			case when type = 3 then array[1, 1, 1, 1]::bigint[] end from fetchq.metrics where queue <> ''
			union all select 'q' || n, t, 3, $1::timestamptz, 4, 1000, 10, 900, 3, array[100, 101, 250, 344]::smallint[], array[1, 1, 1, 1]::bigint[]
			from generate_series(0, 999) n, unnest(array['wait', 'work']) t`, sec(10*i-5))
		b.StartTimer()
		w.snapshot(sec(10 * i))
	}
}

// BenchmarkAWeekOfTenQueues reads 7 days of ten busy queues in steps of ten minutes: 1,008 points of each.
func BenchmarkAWeekOfTenQueues(b *testing.B) {
	const week = 7 * day
	w := newSeriesWorld(b)
	w.exec(`insert into fetchq.queues (name) select 'q' || n from generate_series(0, 9) n`)
	w.exec(`insert into fetchq.counters (queue, version) select 'q' || n, 0 from generate_series(0, 9) n`)
	w.exec(`insert into fetchq.metrics (queue, name, type) select 'q' || n, 'own' || m, case when m < 12 then 1 when m < 16 then 2 else 3 end
		from generate_series(0, 9) n, generate_series(0, 19) m`)
	w.exec(`update fetchq.counters set ev_entered = ev_entered + 7`)
	w.snapshot(sec(10)) // names the queues
	var queues []string
	ids := []int{0}
	for i := range 10 {
		queues = append(queues, fmt.Sprint("q", i))
		ids = append(ids, scan[int](w, `select id from fetchq.series_queues where queue = $1`, queues[i]))
	}
	tx, err := w.db.Begin(w.ctx)
	if err != nil {
		b.Fatal(err)
	}
	r, d, out := random(), drawn{}, writer{tx: tx, table: steps[2].table}
	w.upkeep(dawn.Add(-week))
	for n := range int(week / steps[2].width) {
		at := dawn.Add(-week).Add(time.Duration(n) * steps[2].width)
		if at.Equal(at.Truncate(day)) {
			w.upkeep(at)
		}
		for i, id := range ids {
			if err := out.put(w.ctx, at, id, d.busyRow(r, i, 60)); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := out.flush(w.ctx); err != nil {
		b.Fatal(err)
	}
	if err := tx.Commit(w.ctx); err != nil {
		b.Fatal(err)
	}
	for _, agg := range [][2]string{{"entered", "rate"}, {"docs_pending", "avg"}, {"wait", "p95"}} {
		b.Run(agg[1]+" of "+agg[0], func(b *testing.B) {
			q := Query{Queues: queues, Metrics: []string{agg[0]}, Agg: agg[1], From: dawn.Add(-week), To: dawn, Points: 1008}
			for b.Loop() {
				list, err := w.store.Series(w.ctx, q)
				if err != nil || len(list) != 10 || list[0].Step != 10*time.Minute || len(list[0].Points) != 1008 {
					b.Fatalf("%v, %d series", err, len(list))
				}
			}
		})
	}
}
