package metrics

import (
	"math"
	"sync"
	"testing"
	"time"
)

var gap = math.NaN()

func sec(n int) time.Time { return dawn.Add(time.Duration(n) * time.Second) }

func TestMissedStepsAreFilledEvenlyAndSumToTheUnit(t *testing.T) {
	t.Parallel()
	w := newSeriesWorld(t, "a")
	w.push("a", 10)
	if n := w.snapshot(sec(10)); n != 1 {
		t.Errorf("%d steps were written; 1 has ended", n)
	}
	w.push("a", 11)
	if n := w.snapshot(sec(45)); n != 3 {
		t.Errorf("%d steps were written; 3 have ended", n)
	}
	entered := Query{Queues: []string{"a"}, Metrics: []string{"entered"}, From: dawn, To: sec(50), Step: finest}
	w.same("entered", w.values(entered), 10, 3, 4, 4, gap)
	pending := entered
	pending.Metrics = []string{"docs_pending"}
	w.same("pending", w.values(pending), 10, 10, 10, 21, gap)
	if n := w.snapshot(sec(49)); n != 0 {
		t.Errorf("%d steps were written a second time", n)
	}
	entered.Queues = nil
	w.same("entered of all", w.values(entered), 10, 3, 4, 4, gap)
}

func TestAfterALongSilenceAnHourIsFilledAndTheRestIsAGap(t *testing.T) {
	t.Parallel()
	w := newSeriesWorld(t, "a")
	w.push("a", 5)
	w.snapshot(sec(70)) // the minute has ended, the ten minutes have not
	w.push("a", 720)
	w.upkeep(sec(3 * 3600))
	if n := w.snapshot(sec(3 * 3600)); n != most {
		t.Errorf("%d steps were filled; %d are the most", n, most)
	}
	hours := Query{Queues: []string{"a"}, Metrics: []string{"entered"}, From: dawn, To: sec(3 * 3600), Step: time.Hour}
	w.same("by hours", w.values(hours), 5, gap, 720)
	hours.Step, hours.To = time.Minute, sec(180)
	w.same("by minutes", w.values(hours), 4, 1, gap) // 5 over 7 steps
	if got := w.sum("a", "entered", finest, dawn, sec(3*3600)); got != 725 {
		t.Errorf("the fine steps sum to %v; 725 were entered", got)
	}
}

func TestAClockThatGoesBackWritesNothingTwice(t *testing.T) {
	t.Parallel()
	w := newSeriesWorld(t, "a")
	w.push("a", 3)
	w.snapshot(sec(40))
	w.push("a", 4)
	if n := w.snapshot(sec(5)); n != 0 {
		t.Errorf("%d steps were written while the clock was behind", n)
	}
	w.snapshot(sec(50))
	if got := w.sum("a", "entered", finest, dawn, sec(60)); got != 7 {
		t.Errorf("the series sum to %v; 7 is right", got)
	}
	// A clock that was two hours ahead, and is right again.
	w.upkeep(sec(7200))
	w.snapshot(sec(7200))
	w.snapshot(sec(60))
	w.push("a", 5)
	w.snapshot(sec(70))
	w.same("after it", w.values(Query{Queues: []string{"a"}, Metrics: []string{"entered"}, From: sec(60), To: sec(80), Step: finest}), 5, gap)
}

func TestNodesThatSnapshotTogetherOrDieHalfWayCountOnce(t *testing.T) {
	t.Parallel()
	w := newSeriesWorld(t, "a", "b")
	total := 0
	for i := 1; i <= 20; i++ {
		w.push("a", i)
		total += i
		w.measure(sec(10*i-5), "b", "pages", "counter", float64(i), 1)
		w.measure(sec(10*i-5), "b", "parse", "timing", 1, 2, 3)
		for _, q := range w.names {
			w.exec(`select fetchq.mnt_fold($1)`, q)
		}
		// One does everything but the end.
		conn, err := w.db.Acquire(w.ctx)
		if err != nil {
			t.Fatal(err)
		}
		tx, err := conn.Begin(w.ctx)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := w.store.snapshot(w.ctx, tx, sec(10*i)); n != 1 || err != nil {
			t.Fatalf("%d steps: %v", n, err)
		}
		if n, err := w.store.Snapshot(w.ctx, sec(10*i)); n != 0 || err != nil {
			t.Fatalf("beside another one %d steps were written: %v", n, err)
		}
		w.exec(`select pg_terminate_backend($1, 10000)`, conn.Conn().PgConn().PID()) // and waits until it has gone
		if err := tx.Commit(w.ctx); err == nil {
			t.Fatal("a connection that was killed has committed")
		}
		conn.Release()
		// Then four at once.
		var together sync.WaitGroup
		var mu sync.Mutex
		steps := 0
		for range 4 {
			together.Go(func() {
				n, err := w.store.Snapshot(w.ctx, sec(10*i))
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				steps += n
				mu.Unlock()
			})
		}
		together.Wait()
		if steps != 1 {
			t.Fatalf("the step was written %d times", steps)
		}
	}
	for _, width := range []time.Duration{finest, time.Minute} {
		if got := w.sum("a", "entered", width, dawn, sec(240)); got != float64(total) {
			t.Errorf("in steps of %v %v were entered; %d is right", width, got, total)
		}
		if got := w.sum(AllQueues, "pages", width, dawn, sec(240)); got != float64(total+20) {
			t.Errorf("in steps of %v there were %v pages; %d is right", width, got, total+20)
		}
	}
	if got := scan[float64](w, `select value from fetchq.metrics where queue = 'b' and name = 'pages'`); got != float64(total+20) {
		t.Errorf("the total is %v; %d is right", got, total+20)
	}
}

func TestGaugesStandUntilTheyChangeAndRollUpByTime(t *testing.T) {
	t.Parallel()
	w := newSeriesWorld(t, "a", "b")
	w.measure(sec(5), "a", "depth", "gauge", 100)
	w.measure(sec(5), "b", "depth", "gauge", 7)
	w.snapshot(sec(10))
	for i := 2; i <= 12; i++ {
		if i == 6 {
			w.measure(sec(55), "a", "depth", "gauge", 40, 0) // in the last step of the minute
		}
		w.snapshot(sec(10 * i))
	}
	q := Query{Queues: []string{"a"}, Metrics: []string{"depth"}, Agg: "avg", From: dawn, To: sec(120), Step: time.Minute}
	w.same("mean by time", w.values(q), (500.0+20)/6, 0)
	q.Agg = "max"
	w.same("highest", w.values(q), 100, 0)
	q.Agg = "min"
	w.same("lowest", w.values(q), 0, 0)
	q.Agg, q.Step, q.From, q.To = "avg", finest, sec(30), sec(80)
	w.same("in fine steps", w.values(q), 100, 100, 20, 0, 0)
	q.Queues = nil
	w.same("of all queues", w.values(q), 107, 107, 7, 7, 7)
	q.Queues, q.Only = []string{AllQueues}, []string{"b"}
	w.same("of those that may be seen", w.values(q), 7, 7, 7, 7, 7)
	// Nothing changes for two hours: each hour's frame carries it on.
	w.upkeep(sec(7200))
	for i := 10; i <= 120; i += 5 {
		w.snapshot(sec(60 * i))
	}
	q = Query{Queues: []string{"b"}, Metrics: []string{"depth"}, Agg: "avg", From: sec(5400), To: sec(7200), Step: 10 * time.Minute}
	w.same("two hours later", w.values(q), 7, 7, 7)
	rows := scan[int](w, `select count(*) from fetchq.series_10 s join fetchq.series_queues q on q.id = s.queue where q.queue = 'b'`)
	if rows > 6 {
		t.Errorf("a queue in which nothing happened has %d rows", rows)
	}
}

func TestPartitionsAreDroppedAndShortRetentionHidesAndRemoves(t *testing.T) {
	if testing.Short() {
		t.Skip("makes 96 snapshots")
	}
	t.Parallel()
	w := newSeriesWorld(t, "a", "b")
	w.exec(`select fetchq.queue_set('b', '{"series_retention": "1 hour"}')`)
	at := dawn
	for range 16 * 6 {
		at = at.Add(10 * time.Minute)
		w.push("a", 1)
		w.push("b", 1)
		w.upkeep(at)
		w.snapshot(at)
	}
	oldest := scan[time.Time](w, `select min(slot) from fetchq.series_10`)
	if age := at.Sub(oldest); age > 8*time.Hour || age < 6*time.Hour {
		t.Errorf("the oldest fine row is %v old; it is kept for 6 h, and dropped with its partition", age)
	}
	kept := scan[time.Time](w, `select min(slot) from fetchq.series_3600 s join fetchq.series_queues q on q.id = s.queue where q.queue = 'b'`)
	if age := at.Sub(kept); age > 2*time.Hour {
		t.Errorf("the oldest row of a queue that keeps an hour is %v old", age)
	}
	if got := w.sum("a", "entered", time.Hour, dawn, at); got != 96 {
		t.Errorf("the hours sum to %v; 96 is right", got)
	}
	// What is not removed yet is hidden.
	w.exec(`select fetchq.queue_set('a', '{"series_retention": "2 hours"}')`)
	if got := w.sum("a", "entered", time.Hour, dawn, at); got > 18 || got < 12 {
		t.Errorf("of the last two hours the steps sum to %v; 6 documents came in each", got)
	}
	// Steps that are kept no longer are answered in wider ones.
	db := w.store.db
	p := &plan{Query: Query{Metrics: []string{"entered"}, From: dawn, To: at, Step: 20 * time.Second}, db: db}
	p.last = at
	if err := p.time(); err == nil {
		t.Error("2880 points were allowed")
	}
	p.Step, p.Points = 0, 2000
	p.last = at.Add(5 * day)
	if err := p.time(); err != nil || p.step != 10*time.Minute {
		t.Errorf("step %v, %v; 10 minutes are what is kept after 5 days", p.step, err)
	}
}

func TestCountersEqualRealityWhileWorkersRun(t *testing.T) {
	t.Parallel()
	w := newSeriesWorld(t, "a", "b")
	var workers sync.WaitGroup
	stop := make(chan struct{})
	var mu sync.Mutex
	pushed := 0
	for i := range 8 {
		workers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				queue := w.names[i%2]
				if _, err := w.db.Exec(w.ctx, `select fetchq.doc_push_many($1, array[gen_random_uuid()::text, gen_random_uuid()::text, gen_random_uuid()::text])`, queue); err != nil {
					t.Error(err)
					return
				}
				if _, err := w.db.Exec(w.ctx, `select fetchq.metric_increment($1, 'bytes', 3)`, queue); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				pushed += 3
				mu.Unlock()
			}
		})
	}
	at := dawn
	for range 100 {
		at = at.Add(finest)
		w.snapshot(at)
		seen := scan[int64](w, `select sum(totals[6]) from fetchq.series_queues`)
		if got := w.sum(AllQueues, "entered", finest, dawn, at); got != float64(seen) {
			t.Fatalf("the series sum to %v, the totals of the snapshot to %d", got, seen)
		}
		var each float64
		for _, q := range w.names {
			each += w.sum(q, "entered", 30*time.Second, dawn, at)
		}
		if each != float64(seen) {
			t.Fatalf("the series of the queues sum to %v, the totals to %d", each, seen)
		}
	}
	close(stop)
	workers.Wait()
	w.snapshot(at.Add(finest))
	real := scan[float64](w, `select sum(n) from (select count(*) n from q_a.docs union all select count(*) from q_b.docs) t`)
	for _, metric := range []string{"entered", "bytes"} {
		if got := w.sum(AllQueues, metric, finest, dawn, at.Add(finest)); got != real || got != float64(pushed) {
			t.Errorf("%s: the series sum to %v; there are %v documents, and %d were pushed", metric, got, real, pushed)
		}
	}
}

func TestWaitAndWorkAreTimedForEachLease(t *testing.T) {
	t.Parallel()
	w := newSeriesWorld(t, "a")
	const pickAt, doneAt = 7, 12
	w.exec(`select count(*) from fetchq.doc_push_many('a', array['1', '2', '3', '4', '5'], p_dates => array_fill($1::timestamptz, array[5]), p_now => $1)`, sec(2))
	w.exec(`select count(*) from fetchq.doc_pick_many('a', 0, 5, '1 hour', p_now => $1)`, sec(pickAt))
	for i, action := range []string{"complete", "reschedule", "reject", "kill", "drop"} {
		var delay any
		if action == "reschedule" {
			delay = "1 day"
		}
		w.exec(`select count(*) from q_a.docs d, lateral fetchq.doc_resolve_many('a', array[d.subject]::text[], array[d.lease], array[$2], null, array[$3::interval], p_now => $4)
			where d.subject = $1::integer::text`, i+1, action, delay, sec(doneAt))
	}
	for range 2 {
		for name, want := range map[string]float64{"wait": 5 * 5000, "work": 5 * 5000} {
			totals, err := w.store.Totals(w.ctx, "a")
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range totals {
				if m.Name == name && (m.Value != want || m.Timing.Count != 5 || m.Timing.Quantile(0.99) != 5000) {
					t.Errorf("%s: %v of %d; %v of 5 is right", name, m.Value, m.Timing.Count, want)
				}
			}
		}
		w.snapshot(sec(20)) // what was not folded is in series and totals then
	}
	for _, name := range []string{"wait", "work"} {
		q := Query{Queues: []string{"a"}, Metrics: []string{name}, Agg: "p50", From: dawn, To: sec(20), Step: 20 * time.Second}
		w.same(name, w.values(q), 5000)
		q.Queues, q.Agg = nil, "sum"
		w.same(name+" of all", w.values(q), 25000)
	}
}
