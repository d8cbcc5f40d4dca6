package browser_test

import (
	"log/slog"
	"math"
	"math/rand/v2"
	"time"

	"github.com/fetchq/server/internal/metrics"
)

const beat = 10 * time.Second // between two snapshots

// past gives queues a history up to now, as if a program had run here all the time: work that comes and goes, some errors, and
// metrics of their own. Nothing of it is in the documents. The program is started anew, for it must not count meanwhile.
func (s *site) past(over time.Duration, queues ...string) {
	s.t.Helper()
	s.kill()
	now := time.Now().Truncate(beat)
	from := now.Add(-over)
	store := metrics.NewStore(s.db, slog.New(slog.DiscardHandler))
	for at := from; at.Before(now.Add(time.Hour)); at = at.Add(time.Hour) {
		s.exec(`select fetchq.series_partitions($1::timestamptz)`, at)
	}
	s.exec(`truncate fetchq.series_10, fetchq.series_60, fetchq.series_600, fetchq.series_3600, fetchq.series_partial`)
	s.exec(`update fetchq.series_state set last = null`)
	random := rand.New(rand.NewPCG(7, 7)) //nolint:gosec // the same each time
	waiting := map[string]int{}
	for at := from; at.Before(now); at = at.Add(beat) {
		for i, name := range queues {
			wave := math.Sin(float64(at.Unix())/600 + float64(i)*2)
			came := int(60+40*wave) / (i + 1)
			done := min(came+waiting[name]/8, 75/(i+1)) + random.IntN(4)
			failed := max(random.IntN(14)-11, 0)
			left := came - done
			if waiting[name]+left < 0 || !at.Add(beat).Before(now) {
				left = -waiting[name] // at the end the gauges are those of the documents again
			}
			waiting[name] += left
			s.exec(`insert into q_`+name+`.deltas (version, pending, ev_entered, ev_picked, ev_completed, ev_rejected, ev_errors, ev_logs, waits, works)
				values (0, $1, $2, $3, $4, $5, $5, $5, $6, $7)`, left, came, done+failed, done, failed, spans(random, done, 200+40*float64(waiting[name])), spans(random, done, 80))
			s.exec(`select fetchq.metric_push_many($1::text, array['bytes', 'parse', 'open_hosts'], array['counter', 'timing', 'gauge'], array[$2, $3, $4]::float8[], $5::timestamptz)`,
				name, float64(done)*48_000, 4+random.ExpFloat64()*3, 12+math.Round(6*wave), at.Add(time.Second))
			s.exec(`select fetchq.mnt_fold($1::text, $2::timestamptz)`, name, at.Add(2*time.Second))
		}
		if _, err := store.Snapshot(s.t.Context(), at.Add(beat)); err != nil {
			s.t.Fatal(err)
		}
	}
	s.start()
}

// spans draws durations in milliseconds around a middle: log-normal, as those of most work.
func spans(random *rand.Rand, n int, middle float64) []float32 {
	list := make([]float32, n)
	for i := range list {
		list[i] = float32(middle * math.Exp(random.NormFloat64()*0.6))
	}
	return list
}

func (s *site) exec(sql string, args ...any) {
	s.t.Helper()
	if _, err := s.db.Exec(s.t.Context(), sql, args...); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
}
