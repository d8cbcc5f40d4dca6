package metrics

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// rollUp writes the coarser steps that have ended with the steps of 10 s from first to end. Where steps before first were left
// out, it also writes those coarser ones that the time before had begun.
func (s *Store) rollUp(ctx context.Context, tx pgx.Tx, last *time.Time, first, end time.Time) error {
	for i := 1; i < len(steps); i++ {
		width := steps[i].width
		start := first.Truncate(width)
		if last != nil {
			if open := last.Truncate(width); open.Before(start) && first.Sub(*last) > finest {
				if err := rollUpOne(ctx, tx, i, open); err != nil {
					return err
				}
			}
		}
		for ; !start.Add(width).After(end.Add(finest)); start = start.Add(width) {
			if err := rollUpOne(ctx, tx, i, start); err != nil {
				return err
			}
		}
	}
	return nil
}

// stored is one row of a series.
type stored struct {
	queue int
	slot  time.Time
	data  []byte
}

func scanStored(row pgx.CollectableRow) (r stored, err error) {
	err = row.Scan(&r.queue, &r.slot, &r.data)
	return r, err
}

// rollUpOne writes one step from those of the next finer kind in it.
func rollUpOne(ctx context.Context, tx pgx.Tx, i int, start time.Time) error {
	finer := steps[i-1]
	rows, err := tx.Query(ctx, `select queue, slot, data from `+finer.table+` where slot >= $1 and slot < $2 order by queue, slot`,
		start, start.Add(steps[i].width))
	if err != nil {
		return err
	}
	list, err := pgx.CollectRows(rows, scanStored)
	if err != nil || len(list) == 0 {
		return err
	}
	beats, err := beatsOf(ctx, tx, finer, start, start.Add(steps[i].width))
	if err != nil || beats == nil {
		return err
	}
	var late []int // queues whose first row is not that of the first step: their gauges stand in one before
	for k, r := range list {
		if (k == 0 || list[k-1].queue != r.queue) && !r.slot.Equal(beats[0].slot) {
			late = append(late, r.queue)
		}
	}
	earlier, err := carried(ctx, tx, finer.table, late, start)
	if err != nil {
		return err
	}
	w := writer{tx: tx, table: steps[i].table}
	for len(list) > 0 {
		n := 1
		for n < len(list) && list[n].queue == list[0].queue {
			n++
		}
		r, err := merge(list[:n], beats, earlier[list[0].queue])
		if err != nil {
			return err
		}
		if err := w.put(ctx, start, list[0].queue, r); err != nil {
			return err
		}
		list = list[n:]
	}
	if err := w.flush(ctx); err != nil {
		return err
	}
	return noteMeasured(ctx, tx, steps[i], start, beats)
}

// beat is a step of which there is a row of all queues, and so a snapshot.
type beat struct {
	slot     time.Time
	measured time.Duration // how much of it
}

// beatsOf reads the beats of one width in a time.
func beatsOf(ctx context.Context, db querier, of step, from, to time.Time) ([]beat, error) {
	rows, err := db.Query(ctx, `
		select r.slot, coalesce(p.measured, $3) from `+of.table+` r left join fetchq.series_partial p on p.step = $3 and p.slot = r.slot
		where r.queue = 0 and r.slot >= $1 and r.slot < $2 order by r.slot`, from, to, int(of.width.Seconds()))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (b beat, err error) {
		var seconds int
		err = row.Scan(&b.slot, &seconds)
		b.measured = time.Duration(seconds) * time.Second
		return b, err
	})
}

// noteMeasured notes how much of a step was measured, where that is not all of it: a rate is over what was.
func noteMeasured(ctx context.Context, tx pgx.Tx, of step, start time.Time, beats []beat) error {
	var measured time.Duration
	for _, b := range beats {
		measured += b.measured
	}
	width := int(of.width.Seconds())
	if measured >= of.width {
		_, err := tx.Exec(ctx, `delete from fetchq.series_partial where step = $1 and slot = $2`, width, start) // of a clock that was ahead
		return err
	}
	_, err := tx.Exec(ctx, `insert into fetchq.series_partial (step, slot, measured) values ($1, $2, $3)
		on conflict (step, slot) do update set measured = excluded.measured`, width, start, int(measured.Seconds()))
	return err
}

// querier is a transaction or a pool.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// carried returns the last row of each queue before a moment, in which its gauges stand. Each has one in an hour.
func carried(ctx context.Context, db querier, table string, queues []int, before time.Time) (map[int][]byte, error) {
	out := map[int][]byte{}
	if len(queues) == 0 {
		return out, nil
	}
	rows, err := db.Query(ctx, `
		select q, r.slot, r.data from unnest($1::integer[]) q cross join lateral (
			select slot, data from `+table+` where queue = q and slot < $2 and slot >= $3 order by slot desc limit 1
		) r`, queues, before, before.Add(-frames))
	if err != nil {
		return nil, err
	}
	list, err := pgx.CollectRows(rows, scanStored)
	for _, r := range list {
		out[r.queue] = r.data
	}
	return out, err
}

// merge makes one row of a queue's rows in some steps, which beats lists; earlier is the row that stands before them. Where a
// queue has no row, nothing was counted and its gauges stayed.
func merge(list []stored, beats []beat, earlier []byte) (row, error) {
	var out row
	var gauges row // as they stand, from earlier on
	if earlier != nil {
		r, err := decode(earlier, nil)
		if err != nil {
			return nil, err
		}
		gauges = flat(r)
	}
	all := map[int]*blend{}
	for _, beat := range beats {
		now := gauges
		if len(list) > 0 && list[0].slot.Equal(beat.slot) {
			r, err := decode(list[0].data, nil)
			if err != nil {
				return nil, err
			}
			list = list[1:]
			for _, v := range r {
				if v.kind == kindCounter || v.kind == kindTiming {
					out.add(v)
				}
			}
			now = slices.DeleteFunc(r, func(v value) bool { return v.kind == kindCounter || v.kind == kindTiming })
			gauges = flat(now)
		}
		for _, v := range now {
			if all[v.id] == nil {
				all[v.id] = &blend{}
			}
			all[v.id].add(v, beat.measured.Seconds())
		}
	}
	for id, b := range all {
		out.set(b.value(id))
	}
	return out, nil
}

// flat returns the gauges of a row as they stand at its end.
func flat(r row) row {
	var out row
	for _, v := range r {
		if v.kind == kindGauge || v.kind == kindMoving {
			out = append(out, gauge(v.id, v.last))
		}
	}
	return out
}

// blend is a gauge over several steps.
type blend struct {
	weight, sum, low, high, last float64
}

func (b *blend) add(v value, weight float64) {
	low, high, mean := v.bounds()
	if b.weight == 0 {
		b.low, b.high = low, high
	}
	b.low, b.high, b.last = min(b.low, low), max(b.high, high), v.last
	b.sum += mean * weight
	b.weight += weight
}

func (b *blend) mean() float64 { return b.sum / b.weight }

func (b *blend) value(id int) value {
	if b.low == b.high {
		return gauge(id, b.last)
	}
	return value{id: id, kind: kindMoving, last: b.last, low: b.low, high: b.high, mean: b.mean()}
}
