package metrics

import (
	"fmt"
	"testing"
	"time"
)

// TestASnapshotOfAThousandQueuesAndAWeekOfTenAreQuick prints what they take. Its bounds are wide, for it runs beside others; what is
// measured by itself stands in docs/metrics.md.
func TestASnapshotOfAThousandQueuesAndAWeekOfTenAreQuick(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a thousand queues")
	}
	t.Parallel()
	w := newSeriesWorld(t)
	w.exec(`insert into fetchq.queues (name) select 'q' || n from generate_series(0, 999) n`)
	w.exec(`insert into fetchq.counters (queue, version) select 'q' || n, 0 from generate_series(0, 999) n`)
	w.exec(`insert into fetchq.metrics (queue, name, type) select 'q' || n, 'own' || m, case when m < 12 then 1 when m < 16 then 2 else 3 end
		from generate_series(0, 999) n, generate_series(0, 19) m`)
	var took []time.Duration
	for i := 1; i <= 7; i++ {
		w.exec(`update fetchq.counters set pending = pending + 3, ev_entered = ev_entered + 7, ev_picked = ev_picked + 4, ev_completed = ev_completed + 4`)
		w.exec(`insert into fetchq.measures select queue, name, type, $1::timestamptz, 4, 1000, 10, 900, 3, case when type = 3 then array[100, 101, 250, 344]::smallint[] end,
			case when type = 3 then array[1, 1, 1, 1]::bigint[] end from fetchq.metrics where queue <> ''
			union all select 'q' || n, t, 3, $1::timestamptz, 4, 1000, 10, 900, 3, array[100, 101, 250, 344]::smallint[], array[1, 1, 1, 1]::bigint[]
			from generate_series(0, 999) n, unnest(array['wait', 'work']) t`, sec(10*i-5))
		began := time.Now()
		w.snapshot(sec(10 * i))
		took = append(took, time.Since(began))
	}
	t.Logf("snapshots of 1,000 queues in which everything moved, 22,000 measures each; the sixth ends a minute: %v", took)
	for _, d := range took {
		if d > 10*time.Second {
			t.Errorf("a snapshot took %v", d)
		}
	}
	var queues []string
	ids := []int{0}
	for i := range 10 {
		queues = append(queues, fmt.Sprint("q", i))
		ids = append(ids, scan[int](w, `select id from fetchq.series_queues where queue = $1`, queues[i]))
	}
	r, d := random(), drawn{}
	tx, err := w.db.Begin(w.ctx)
	if err != nil {
		t.Fatal(err)
	}
	out := writer{tx: tx, table: steps[2].table}
	week := 7 * day
	w.upkeep(dawn.Add(-week))
	for n := range int(week / steps[2].width) {
		at := dawn.Add(-week).Add(time.Duration(n) * steps[2].width)
		if at.Equal(at.Truncate(day)) {
			w.upkeep(at)
		}
		for i, id := range ids {
			if err := out.put(w.ctx, at, id, d.busyRow(r, i, 60)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := out.flush(w.ctx); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(w.ctx); err != nil {
		t.Fatal(err)
	}
	for _, agg := range [][2]string{{"entered", "rate"}, {"docs_pending", "avg"}, {"wait", "p95"}} {
		q := Query{Queues: queues, Metrics: []string{agg[0]}, Agg: agg[1], From: dawn.Add(-week), To: dawn, Points: 1008}
		var best time.Duration
		for range 5 {
			began := time.Now()
			list, err := w.store.Series(w.ctx, q)
			if err != nil || len(list) != 10 || list[0].Step != 10*time.Minute || len(list[0].Points) != 1008 {
				t.Fatalf("%v, %d series", err, len(list))
			}
			if d := time.Since(began); best == 0 || d < best {
				best = d
			}
		}
		t.Logf("7 days of 10 queues, %s of %s in 1,008 points: %v", agg[1], agg[0], best)
		if best > time.Second {
			t.Errorf("that took %v", best)
		}
	}
}
