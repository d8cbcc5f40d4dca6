package metrics

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// readMetrics reads what is known of the names that were measured, all gauges, and the names that stand for all queues.
func (b *batch) readMetrics(ctx context.Context) error {
	var queues, names []string
	for _, m := range b.measures {
		queues, names = append(queues, m.queue), append(names, m.name)
	}
	rows, err := b.tx.Query(ctx, `
		select queue, name, id, type, value, count, histogram, updated_at from fetchq.metrics
		where type = 2 and queue <> ''
		union all
		select queue, name, id, type, value, count, histogram, updated_at from fetchq.metrics where queue = ''
		union all
		select m.queue, m.name, m.id, m.type, m.value, m.count, m.histogram, m.updated_at
		from (select distinct * from unnest($1::text[], $2::text[]) u (queue, name)) u
			cross join lateral (select * from fetchq.metrics m where m.queue = u.queue and m.name = u.name and m.type <> 2) m`, queues, names)
	if err != nil {
		return err
	}
	b.known, b.byNumber = map[metricKey]*metric{}, map[int]*metric{}
	var m metric
	var packed []byte
	_, err = pgx.ForEachRow(rows, []any{&m.queue, &m.name, &m.id, &m.typ, &m.value, &m.count, &packed, &m.updated}, func() error {
		one := m
		if packed != nil {
			h, err := parseHistogram(packed)
			if err != nil {
				return err
			}
			one.histogram = h
		}
		b.known[one.metricKey] = &one
		if one.id > len(core) {
			b.byNumber[one.id] = &one
		}
		if q := b.byName[one.queue]; one.typ == typeGauge && one.count > 0 && q != nil { // of a new name the value is not folded yet
			q.gauges[one.id] = one.value
		}
		return nil
	})
	if err != nil {
		return err
	}
	return b.share(ctx)
}

// shared is how many names of custom metrics stand for all queues at most. Of others, sums over queues are made by reading each.
const shared = 1000

// share gives names that no queue had before a number for all queues.
func (b *batch) share(ctx context.Context) error {
	fresh := map[string]int16{}
	have := 0
	for key, m := range b.known {
		if key.queue == "" {
			have++
		} else if b.known[metricKey{"", key.name}] == nil && m.id > len(core) {
			fresh[key.name] = m.typ
		}
	}
	var names []string
	var types []int16
	for name, typ := range fresh {
		if have+len(names) < shared {
			names, types = append(names, name), append(types, typ)
		}
	}
	if names == nil {
		return nil
	}
	rows, err := b.tx.Query(ctx, `insert into fetchq.metrics (queue, name, type) select '', name, type from unnest($1::text[], $2::smallint[]) u (name, type)
		returning name, id, type`, names, types)
	if err != nil {
		return err
	}
	var m metric
	_, err = pgx.ForEachRow(rows, []any{&m.name, &m.id, &m.typ}, func() error {
		one := m
		b.known[one.metricKey] = &one
		return nil
	})
	return err
}

// common returns the number that a queue's custom metric has for all queues.
func (b *batch) common(id int) (int, bool) {
	own := b.byNumber[id]
	if own == nil {
		return 0, false
	}
	all := b.known[metricKey{"", own.name}]
	if all == nil || all.typ != own.typ {
		return 0, false
	}
	return all.id, true
}
