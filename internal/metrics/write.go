package metrics

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// perInsert is how many rows of series go in one statement.
const perInsert = 10_000

// writeTotals writes what the totals are by now.
func (b *batch) writeTotals(ctx context.Context) error {
	var ids []int
	var flat []int64
	for _, q := range b.queues {
		if q.changed {
			ids, flat = append(ids, q.id), append(flat, q.now...)
		}
	}
	if ids != nil {
		_, err := b.tx.Exec(ctx, `
			update fetchq.series_queues s set totals = ($2::bigint[])[(u.i - 1) * $3 + 1 : u.i * $3]
			from unnest($1::integer[]) with ordinality u (id, i) where s.id = u.id`, ids, flat, len(counted()))
		if err != nil {
			return err
		}
	}
	return b.writeMetrics(ctx)
}

// writeMetrics writes the totals of what was measured. Those of a queue that was dropped meanwhile do not come back.
func (b *batch) writeMetrics(ctx context.Context) error {
	var (
		queues, names []string
		ids, types    []int
		values        []float64
		counts        []int64
		histograms    [][]byte
		updated       []time.Time
	)
	var list []*metric
	for _, m := range b.known {
		if m.touched {
			list = append(list, m)
		}
	}
	if list == nil {
		return nil
	}
	slices.SortFunc(list, func(x, y *metric) int { return x.id - y.id })
	for _, m := range list {
		queues, names, ids, types = append(queues, m.queue), append(names, m.name), append(ids, m.id), append(types, int(m.typ))
		values, counts, updated = append(values, m.value), append(counts, m.count), append(updated, m.updated)
		var packed []byte
		if m.histogram != nil {
			packed = m.histogram.appendTo(nil)
		}
		histograms = append(histograms, packed)
	}
	_, err := b.tx.Exec(ctx, `
		insert into fetchq.metrics as m (queue, name, id, type, value, count, histogram, updated_at)
		select u.* from unnest($1::text[], $2::text[], $3::integer[], $4::smallint[], $5::float8[], $6::bigint[], $7::bytea[], $8::timestamptz[])
			u (queue, name, id, type, value, count, histogram, updated_at)
		where exists (select from fetchq.queues q where q.name = u.queue)
		order by u.queue, u.name
		on conflict (queue, name) do update set value = excluded.value, count = excluded.count, histogram = excluded.histogram,
			updated_at = excluded.updated_at
		where m.id = excluded.id`, queues, names, ids, types, values, counts, histograms, updated)
	return err
}

// writer writes rows of one step.
type writer struct {
	tx     pgx.Tx
	table  string
	slots  []time.Time
	queues []int
	data   [][]byte
}

func (w *writer) put(ctx context.Context, slot time.Time, queue int, r row) error {
	w.slots, w.queues, w.data = append(w.slots, slot), append(w.queues, queue), append(w.data, r.encode())
	if len(w.slots) >= perInsert {
		return w.flush(ctx)
	}
	return nil
}

func (w *writer) flush(ctx context.Context) error {
	if len(w.slots) == 0 {
		return nil
	}
	_, err := w.tx.Exec(ctx, `
		insert into `+w.table+` (slot, queue, data)
		select * from unnest($1::timestamptz[], $2::integer[], $3::bytea[]) u (slot, queue, data) order by queue, slot
		on conflict (queue, slot) do update set data = excluded.data`, w.slots, w.queues, w.data)
	w.slots, w.queues, w.data = w.slots[:0], w.queues[:0], w.data[:0]
	return err
}
