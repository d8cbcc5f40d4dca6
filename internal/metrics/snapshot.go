package metrics

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/internal/database"
)

// Store keeps the series of all queues in the database, and reads them.
type Store struct {
	db  *pgxpool.Pool
	log *slog.Logger
}

// NewStore returns the series of a migrated database.
func NewStore(db *pgxpool.Pool, log *slog.Logger) *Store { return &Store{db: db, log: log} }

// most is how many steps a snapshot fills in at most, where none was taken for longer: an hour.
const most = 360

// Snapshot writes the steps of 10 s that have ended since the last one, by the database's clock, and returns how many these were.
// However many nodes call it, each step is written once, for one transaction takes the measures, writes the rows and notes
// how far it came; while another one is at it, it does nothing. What happened since the last snapshot is spread evenly over the
// steps; so sums over series are the differences of the totals, whenever snapshots were taken. A zero at means now.
func (s *Store) Snapshot(ctx context.Context, at time.Time) (n int, err error) {
	for try := 1; ; try++ {
		err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
			n, err = s.snapshot(ctx, tx, at)
			return err
		})
		if err == nil || try == 3 || !database.Retryable(err) {
			return n, database.Error("take a snapshot of the metrics", err)
		}
	}
}

func (s *Store) snapshot(ctx context.Context, tx pgx.Tx, at time.Time) (int, error) {
	var last *time.Time
	var now time.Time
	err := tx.QueryRow(ctx, `select last, coalesce($1, clock_timestamp()) from fetchq.series_state for update skip locked`,
		moment(at)).Scan(&last, &now)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil // another node is at it
	}
	if err != nil {
		return 0, err
	}
	end := now.Truncate(finest).Add(-finest) // the last step that has ended
	first := end
	if last != nil {
		if last.Sub(now) > time.Hour {
			return 0, s.backInTime(ctx, tx, end)
		}
		if first = last.Add(finest); end.Sub(first) >= most*finest {
			first = end.Add(-(most - 1) * finest)
		}
	}
	if first.After(end) {
		return 0, nil
	}
	b := &batch{tx: tx, first: first, end: end, whole: last == nil || first.Sub(*last) > finest}
	if err := b.read(ctx); err != nil {
		return 0, err
	}
	if err := b.count(ctx); err != nil {
		return 0, err
	}
	if err := b.writeTotals(ctx); err != nil {
		return 0, err
	}
	if err := s.rollUp(ctx, tx, last, first, end); err != nil {
		return 0, err
	}
	_, err = tx.Exec(ctx, `update fetchq.series_state set last = $1`, end)
	return b.slots(), err
}

// backInTime begins anew where the clock was far ahead: what was written for times to come would be in the way when they come.
func (s *Store) backInTime(ctx context.Context, tx pgx.Tx, end time.Time) error {
	s.log.Warn("the database's clock was more than an hour ahead; series of times to come are removed")
	for _, step := range steps {
		if _, err := tx.Exec(ctx, `delete from `+step.table+` where slot > $1`, end); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(ctx, `delete from fetchq.series_partial where slot > $1`, end); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `update fetchq.series_state set last = $1`, end)
	return err
}

// moment is null for the zero time.
func moment(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}

// batch is a snapshot under way.
type batch struct {
	tx         pgx.Tx
	first, end time.Time // the steps to write
	whole      bool      // every queue gets a row

	queues   []*queueTotals
	byName   map[string]*queueTotals
	measures []measure
	known    map[metricKey]*metric // names that measures have, and all gauges
	byNumber map[int]*metric       // those of them with a number of their own
}

// queueTotals is what one queue has counted so far.
type queueTotals struct {
	id            int
	name          string
	before, now   []int64
	changed, made bool
	gauges        map[int]float64 // of custom gauges, as they are known
}

type metricKey struct{ queue, name string }

// metric is one row of fetchq.metrics.
type metric struct {
	metricKey
	id        int
	typ       int16
	value     float64
	count     int64
	histogram *Histogram
	updated   time.Time
	touched   bool
}

// measure is one row of fetchq.measures.
type measure struct {
	metricKey
	typ                  int16
	at                   time.Time
	count                int64
	sum, low, high, last float64
	buckets              []int16
	counts               []int64
}

func (m measure) timing() *Histogram {
	h := &Histogram{}
	h.AddBuckets(m.buckets, m.counts, m.sum, m.low, m.high)
	return h
}

func (b *batch) slots() int { return int(b.end.Sub(b.first)/finest) + 1 }

// framed tells whether each queue gets a row in a step.
func (b *batch) framed(slot time.Time) bool {
	return slot.Equal(slot.Truncate(frames)) || b.whole && slot.Equal(b.first)
}

// read reads the totals of all queues, and takes the measures. A queue that is new gets a number.
func (b *batch) read(ctx context.Context) error {
	rows, err := b.tx.Query(ctx, `
		select q.name, coalesce(s.id, 0), coalesce(s.totals, '{}'), array[`+sumsOfCounters()+`]
		from fetchq.queues q left join fetchq.counters c on c.queue = q.name left join fetchq.series_queues s on s.queue = q.name
		group by q.name, s.id order by q.name`)
	if err != nil {
		return err
	}
	b.byName = map[string]*queueTotals{}
	b.queues, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (*queueTotals, error) {
		q := &queueTotals{gauges: map[int]float64{}}
		err := row.Scan(&q.name, &q.id, &q.before, &q.now)
		b.byName[q.name] = q
		return q, err
	})
	if err != nil {
		return err
	}
	var fresh []string
	for _, q := range b.queues {
		if q.id == 0 {
			fresh = append(fresh, q.name)
		}
	}
	if fresh != nil {
		if err := b.number(ctx, fresh); err != nil {
			return err
		}
	}
	// What was sent in the step that has not ended is left for the next one. Timings of leases come with the counters, which
	// are as of now; and what was sent by a clock that was far ahead does not wait for it.
	rows, err = b.tx.Query(ctx, `delete from fetchq.measures where at < $1 or name in ('wait', 'work') or at > $1 + interval '1 hour'
		returning queue, name, type, at, count, sum, low, high, last, buckets, counts`, b.end.Add(finest))
	if err != nil {
		return err
	}
	b.measures, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (m measure, err error) {
		err = row.Scan(&m.queue, &m.name, &m.typ, &m.at, &m.count, &m.sum, &m.low, &m.high, &m.last, &m.buckets, &m.counts)
		return m, err
	})
	if err != nil {
		return err
	}
	slices.SortStableFunc(b.measures, func(x, y measure) int { return x.at.Compare(y.at) })
	return b.readMetrics(ctx)
}

// number gives new queues their numbers.
func (b *batch) number(ctx context.Context, names []string) error {
	rows, err := b.tx.Query(ctx, `insert into fetchq.series_queues (queue, totals) select u, '{}' from unnest($1::text[]) u
		on conflict (queue) do update set totals = series_queues.totals returning id, queue`, names)
	if err != nil {
		return err
	}
	var id int
	var name string
	_, err = pgx.ForEachRow(rows, []any{&id, &name}, func() error {
		b.byName[name].id, b.byName[name].made = id, true
		return nil
	})
	return err
}
