package metrics

import (
	"flag"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

var (
	sizeQueues = flag.Int("series.queues", 20, "queues of the month that is generated")
	sizeOwn    = flag.Int("series.own", 2, "custom metrics of a queue: half of them counters and gauges, half timings")
	sizeHours  = flag.Int("series.hours", 48, "hours of it; 720 are a month")
)

// drawn are timings by their number.
type drawn map[int][]*Histogram

// busyRow is a queue's row of 10 s: core metrics with wait and work, and some of its own. Events
// come as often as perSlot says.
func (d drawn) busyRow(r *rand.Rand, queue, perSlot int) row {
	var out row
	for i, m := range core {
		switch m.typ {
		case typeGauge:
			out = append(out, gauge(i+1, float64(r.IntN(100_000))))
		case typeCounter:
			if m.name != "killed" && m.name != "orphaned" && m.name != "forwarded" {
				out = append(out, counter(i+1, float64(r.IntN(2*perSlot+1))))
			}
		default:
			out = append(out, value{id: i + 1, kind: kindTiming, timing: d.logNormal(r, perSlot)})
		}
	}
	first := 64 + *sizeOwn*queue
	for i := range *sizeOwn {
		switch i % 4 {
		case 0:
			out = append(out, counter(first+i, float64(r.IntN(1000*perSlot+1))))
		case 2:
			out = append(out, gauge(first+i, math.Round(r.Float64()*1e6)/1e3))
		default:
			out = append(out, value{id: first + i, kind: kindTiming, timing: d.logNormal(r, perSlot)})
		}
	}
	return out
}

// logNormal are so many timings around 100 ms, of which one in twenty takes thirty times as long. They have microseconds.
// There are eight of each number, to choose from.
func (d drawn) logNormal(r *rand.Rand, n int) *Histogram {
	if len(d[n]) == 8 {
		return d[n][r.IntN(8)]
	}
	h := &Histogram{}
	d[n] = append(d[n], h)
	for range n {
		v := math.Exp(4.6 + 0.5*r.NormFloat64())
		if r.IntN(20) == 0 {
			v *= 30
		}
		h.Add(math.Round(v*1000)/1000, 1)
	}
	return h
}

// TestAYearOfTwoHundredQueuesStaysBelowTwoGigabytes writes rows of every step as roll-ups make them, looks how much room they take in
// the tables, indexes included, and reckons what is kept by default.
func TestAYearOfTwoHundredQueuesStaysBelowTwoGigabytes(t *testing.T) {
	if testing.Short() {
		t.Skip("writes some 10 MB")
	}
	t.Parallel()
	w := newSeriesWorld(t)
	r, d := random(), drawn{}
	hours := *sizeHours
	// A tenth of the queues is busy: 100 events in 10 s; the others have one or two.
	var year float64
	for i, s := range steps {
		per := int(s.width / finest)
		until := dawn.Add(time.Duration(hours) * time.Hour)
		slots := int(until.Sub(dawn) / s.width)
		limit := []int{144, 120, 100, 48}[i] * hours / 48 // enough to know the size of a row
		tx, err := w.db.Begin(w.ctx)
		if err != nil {
			t.Fatal(err)
		}
		out := writer{tx: tx, table: s.table}
		for slot := range min(slots, limit) {
			at := dawn.Add(time.Duration(slot) * s.width)
			for q := range *sizeQueues {
				n := 1 + r.IntN(2)
				if q%10 == 0 {
					n = 100
				}
				if err := out.put(w.ctx, at, q+1, d.busyRow(r, q, n*per)); err != nil {
					t.Fatal(err)
				}
			}
			if slot == 0 || at.Truncate(time.Hour).Equal(at) {
				if _, err := tx.Exec(w.ctx, `select fetchq.series_partitions($1)`, at.Add(time.Hour)); err != nil {
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
		rows := scan[int](w, `select count(*) from `+s.table)
		bytes := scan[int](w, `select sum(pg_total_relation_size(inhrelid) - 3 * 8192) from pg_inherits where inhparent = $1::regclass
			and pg_relation_size(inhrelid) > 0`, s.table) // without the pages that the partition of a few rows begins with
		each := float64(bytes) / float64(rows)
		kept := 200 * float64(min(s.kept, 365*day)/s.width) * each
		year += kept
		t.Logf("%v: %d rows of %.0f bytes; 200 queues keep %.0f MB", s.width, rows, each, kept/1e6)
	}
	t.Logf("200 queues of %d metrics keep %.0f MB in a year", len(core)+*sizeOwn, year/1e6)
	if year > 2e9 {
		t.Errorf("%.2f GB; 2 are allowed", year/1e9)
	}
}
