package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	batch      = 50_000
	errorsEach = 2_000 // in each of many queues
)

// layUp fills a queue with documents in all states: of ten six are completed, two planned, one pending, and of the last ten of a hundred nine killed and one
// active; created, due and finished in the last hundred days, of 3 versions, 5 priorities, up to 6 attempts, 50 workers and 1,000 hosts.
func (d *desk) layUp(ctx context.Context, queue string, n int) error {
	if _, err := d.DB.Exec(ctx, `select fetchq.queue_create($1)`, queue); err != nil {
		return err
	}
	sql := `insert into q_` + queue + `.docs (subject, seq, lease, next_iteration, created_at, last_iteration, picked_at, attempts, iterations, size, version, priority,
			status, payload, worker)
		select 'https://bench.example/' || lpad(g::text, 9, '0'), g, 1,
			case when status = 0 then now() + age when status = 2 then now() + interval '1 day' else now() - age end,
			now() - interval '100 days' + age, case when status in (3, -1) then now() - age end, case when status <> 0 then now() - age end, g / 10 % 7, 1,
			pg_column_size(payload), g / 10 % 3, g / 10 % 5, status, payload, case when status <> 0 then 'worker-' || g / 10 % 50 end
		from generate_series($1::int, $2::int) g
			cross join lateral (select case when g % 10 < 6 then 3 when g % 10 < 8 then 0 when g % 10 = 8 then 1 when g % 100 = 99 then 2 else -1 end as status,
				(g::bigint * 7919 % $3) * interval '100 days' / $3 as age,
				jsonb_build_object('n', g, 'host', 'h' || g % 1000 || '.example', 'kind', 'page', 'title', repeat('title ', 20)) as payload) s`
	for at := 0; at < n; at += batch {
		if _, err := d.DB.Exec(ctx, sql, at, min(at+batch, n)-1, n); err != nil {
			return fmt.Errorf("lay up documents of %s: %w", queue, err)
		}
	}
	_, err := d.DB.Exec(ctx, `select fetchq.queue_recount($1)`, queue)
	return err
}

func (d *desk) layUpLarge(ctx context.Context) error {
	if err := d.layUp(ctx, large, *documents); err != nil {
		return err
	}
	return d.settle(ctx)
}

// layUpMany fills many queues, and writes errors of 20 kinds about documents of each.
func (d *desk) layUpMany(ctx context.Context) error {
	var group errgroup.Group
	group.SetLimit(2)
	for i := range *queues {
		group.Go(func() error {
			if err := d.layUp(ctx, name(i), *each); err != nil {
				return err
			}
			_, err := d.DB.Exec(ctx, `
				select fetchq.log_add_many($1, 1, array(select 'https://bench.example/' || lpad(n::text, 9, '0') from generate_series(1, $2::int) n),
					array(select (array['timeout', 'refused', 'gone', 'late', 'malformed'])[n % 5 + 1] || ' in part ' || n || ' of ' ||
						(array['the page', 'its header', 'an image', 'the index'])[n % 4 + 1] from generate_series(1, $2::int) n), p_worker => 'bench')`, name(i), errorsEach)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return d.settle(ctx)
}

// settle waits until the folds have put together what was written, and vacuums, which autovacuum would else do while something is measured.
func (d *desk) settle(ctx context.Context) error {
	deadline := time.Now().Add(2 * time.Minute)
	for {
		var behind bool
		if err := d.DB.QueryRow(ctx, `select exists (select from fetchq.jobs where kind = 'fold' and next_run < now())`).Scan(&behind); err != nil {
			return err
		}
		if !behind {
			break
		}
		if time.Now().After(deadline) {
			return errors.New("folds are two minutes behind")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
	_, err := d.DB.Exec(ctx, `vacuum (analyze)`)
	return err
}
