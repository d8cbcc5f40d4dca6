package metrics

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/database"
)

// Limits of Kept: of one queue's custom metrics, and of those of all queues.
const (
	KeptOfQueue = 100
	KeptOfAll   = 5000
)

// Kept is a metric of a queue as the last snapshot left it: wait, work, or one of the queue's own.
type Kept struct {
	Queue, Name, Type string
	Own               bool       // it is custom
	Known             bool       // something of it was counted: a gauge has no value before
	Value             float64    // of a counter all that was added, of a gauge the last value
	Timing            *Histogram // of a timing, all of it since the queue was made

	id int
}

// KeptMetrics are those of all queues.
type KeptMetrics struct {
	List    []Kept        // by queue, and in it by age of the name
	LeftOut int64         // how many custom metrics are beyond the limits
	Late    time.Duration // since the next snapshot should have been there; 0: it is not late
}

// snapshotPause is how far behind the end of a step its snapshot may be: what is not older is not late.
const snapshotPause = finest + time.Second

// Kept returns wait, work and the custom metrics of all queues from one statement over what the last snapshot wrote: it reads no table of a
// queue, and 1,002 rows a queue at most. Names beyond the limits are left out, the youngest first, so that a metric that is there
// stays as long as its queue does.
func (s *Store) Kept(ctx context.Context) (KeptMetrics, error) {
	const op = "read the metrics of all queues"
	var k KeptMetrics
	rows, err := s.db.Query(ctx, `
		select m.queue, m.name, m.id, m.type, m.value, m.count, m.histogram, m.own
		from fetchq.queues q cross join lateral (
			select queue, name, id, type, value, count, histogram, count(*) filter (where id >= 64) over () as own
			from fetchq.metrics where queue = q.name order by id limit $1
		) m
		order by m.queue, m.id`, KeptOfQueue+2) // with wait and work
	if err != nil {
		return k, database.Error(op, err)
	}
	var (
		m      metric
		packed []byte
		own    int64 // of this queue
		of     string
		seen   int64 // own metrics of all queues
	)
	_, err = pgx.ForEachRow(rows, []any{&m.queue, &m.name, &m.id, &m.typ, &m.value, &m.count, &packed, &own}, func() error {
		if m.queue != of {
			of, seen = m.queue, seen+own
		}
		one := Kept{Queue: m.queue, Name: m.name, Type: typeNames[m.typ], Own: m.id > len(core), Known: m.count > 0, Value: m.value, id: m.id}
		if m.typ == typeTiming {
			one.Timing = &Histogram{}
			if packed != nil {
				if one.Timing, err = parseHistogram(packed); err != nil {
					return err
				}
			}
		}
		packed = nil
		k.List = append(k.List, one)
		return nil
	})
	if err != nil {
		return k, database.Error(op, err)
	}
	k.cut(seen)
	var late *float64
	err = s.db.QueryRow(ctx, `select date_part('epoch', clock_timestamp() - last) from fetchq.series_state`).Scan(&late)
	if err == nil && late != nil {
		// A step is done with the snapshot that comes behind its end.
		k.Late = max(time.Duration(*late*float64(time.Second))-finest-snapshotPause, 0)
	}
	return k, database.Error(op, err)
}

// cut keeps custom metrics within the limits, of which there are so many.
func (k *KeptMetrics) cut(all int64) {
	var ids []int
	n := map[string]int{}
	k.List = slices.DeleteFunc(k.List, func(m Kept) bool {
		if !m.Own {
			return false
		}
		if n[m.Queue]++; n[m.Queue] > KeptOfQueue {
			return true
		}
		ids = append(ids, m.id)
		return false
	})
	if len(ids) > KeptOfAll {
		slices.Sort(ids)
		ids = ids[:KeptOfAll]
		youngest := ids[KeptOfAll-1]
		k.List = slices.DeleteFunc(k.List, func(m Kept) bool { return m.Own && m.id > youngest })
	}
	k.LeftOut = all - int64(len(ids))
}

// Buckets returns how many values count as 0, and the counts of the buckets from first on; they are not to be changed.
func (h *Histogram) Buckets() (zero int64, first int, counts []int64) {
	return h.zero, h.first, h.counts
}

// Bounds of the buckets' numbers, and the largest value in milliseconds that counts as 0.
const (
	LowBucket  = lowBucket
	HighBucket = highBucket
	Tiniest    = tiniest
)

// BucketValue returns the value in milliseconds by which a bucket is read back.
func BucketValue(bucket int) float64 { return valueOf(bucket) }
