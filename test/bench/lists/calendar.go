package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// calendars lays up planned documents alone, over the next 60 days, in plain and in partitioned queues, and measures the two calendars of a
// queue's page: 48 hours and 30 days. It prints what each took and how many blocks of the database one looked at.
func (d *desk) calendars(ctx context.Context) error {
	fmt.Println("| calendar | p50 ms | p95 | most | blocks | documents in it |")
	fmt.Println("|---|---:|---:|---:|---:|---:|")
	for _, q := range []struct {
		name       string
		documents  int
		partitions int
	}{{"small", *documents / 1000, 1}, {"planned", *documents, 1}, {"parts", *documents, 8}} {
		if err := d.plan(ctx, q.name, q.documents, q.partitions); err != nil {
			return err
		}
		for _, c := range []struct {
			step  string
			steps int
		}{{"1 hour", 48}, {"1 day", 30}} {
			if err := d.calendar(ctx, fmt.Sprintf("%d × %s, %d planned, %d partitions", c.steps, c.step, q.documents, q.partitions), q.name, c.step, c.steps); err != nil {
				return err
			}
		}
	}
	return nil
}

// plan fills a queue with planned documents of three versions.
func (d *desk) plan(ctx context.Context, queue string, n, partitions int) error {
	if _, err := d.DB.Exec(ctx, `select fetchq.queue_create($1, jsonb_build_object('partitions', $2::int))`, queue, partitions); err != nil {
		return err
	}
	for at := 0; at < n; at += batch {
		_, err := d.DB.Exec(ctx, `insert into q_`+queue+`.docs (subject, seq, lease, next_iteration, created_at, attempts, iterations, size, version, priority, status, payload)
			select 'https://bench.example/' || lpad(g::text, 9, '0'), g, 1, now() + (g::bigint * 7919 % $3) * interval '60 days' / $3, now(), 0, 0, 3, g % 3, 0, 0, '{}'
			from generate_series($1::int, $2::int) g`, at, min(at+batch, n)-1, n)
		if err != nil {
			return fmt.Errorf("plan documents of %s: %w", queue, err)
		}
	}
	if _, err := d.DB.Exec(ctx, `select fetchq.queue_recount($1)`, queue); err != nil {
		return err
	}
	return d.settle(ctx)
}

func (d *desk) calendar(ctx context.Context, title, queue, step string, steps int) error {
	var took []time.Duration
	var sum int64
	for range *times {
		began := time.Now()
		err := d.DB.QueryRow(ctx, `select sum(documents)::bigint from fetchq.queue_calendar($1, date_trunc('hour', now()), $2::text::interval, $3)`, queue, step, steps).Scan(&sum)
		if err != nil {
			return err
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	var plan []struct {
		Plan struct {
			Hit  int64 `json:"Shared Hit Blocks"`
			Read int64 `json:"Shared Read Blocks"`
		}
	}
	err := d.DB.QueryRow(ctx, `explain (analyze, buffers, format json) select * from fetchq.queue_calendar('`+queue+`', date_trunc('hour', now()), '`+step+`', `+fmt.Sprint(steps)+`)`).Scan(&plan)
	if err != nil {
		return err
	}
	at := func(share float64) float64 { return ms(took[int(share*float64(len(took)-1))]) }
	fmt.Printf("| %s | %.1f | %.1f | %.1f | %d | %d |\n", title, at(0.5), at(0.95), at(1), plan[0].Plan.Hit+plan[0].Plan.Read, sum)
	return nil
}
