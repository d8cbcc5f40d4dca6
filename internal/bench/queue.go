package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

// prefix begins the names of all queues that a benchmark makes.
const prefix = "bench_"

// owned is what such a name looks like. No other is dropped.
var owned = regexp.MustCompile(`^` + prefix + `[a-z2-7]{20}$`)

// newName returns a name that no other run has.
func newName() string { return prefix + strings.ToLower(rand.Text()[:20]) }

// table returns the quoted name of a table of the run's queue, or of its copy for the raw limit.
func (r *run) table(name string) string {
	schema := "q_" + r.queue
	if r.o.By == ByRaw {
		schema = "raw_" + r.queue
	}
	return pgx.Identifier{schema, name}.Sanitize()
}

// make makes the queue, and for the raw limit a schema beside it with a table like its own.
func (b *Bench) make(ctx context.Context, name string, o Options) error {
	if _, err := b.db.Exec(ctx, `select fetchq.queue_create($1, jsonb_build_object('journal', $2::text, 'max_active', nullif($3, 0)))`,
		name, o.Journal, o.MaxActive); err != nil {
		return fmt.Errorf("make the queue %s: %w", name, err)
	}
	if o.By != ByRaw {
		return nil
	}
	schema := pgx.Identifier{"raw_" + name}.Sanitize()
	for _, sql := range []string{
		`create schema ` + schema,
		`create table ` + schema + `.docs (like ` + pgx.Identifier{"q_" + name}.Sanitize() + `.docs including all)`,
	} {
		if _, err := b.db.Exec(ctx, sql); err != nil {
			return fmt.Errorf("make a table for the raw limit: %w", err)
		}
	}
	return nil
}

// dropWait is how long removing a queue may take: what was interrupted on it may still be ending.
const dropWait = time.Minute

// drop removes a queue that make made, or half of it. It goes on when ctx is over.
func (b *Bench) drop(ctx context.Context, name string) error {
	if !owned.MatchString(name) {
		return fmt.Errorf("the queue %s was not made by this benchmark and is not dropped", name)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropWait)
	defer cancel()
	var err error
	for range 5 { // a maintenance job may be working on it: one of both ends in a deadlock
		_, err = b.db.Exec(ctx, `drop schema if exists `+pgx.Identifier{"raw_" + name}.Sanitize()+` cascade`)
		if err == nil {
			_, err = b.db.Exec(ctx, `select fetchq.queue_drop(name) from fetchq.queues where name = $1`, name)
		}
		if err == nil {
			return nil
		}
	}
	return fmt.Errorf("the queue %[1]s could not be removed; do it with: select fetchq.queue_drop('%[1]s'): %[2]w", name, err)
}

// dropAll removes all queues that the run made.
func (b *Bench) dropAll(ctx context.Context, names []string) error {
	var failed []error
	for _, name := range names {
		if err := b.drop(ctx, name); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// subject names document n of what was laid up before the workload.
func subject(n int) string { return fmt.Sprintf("https://bench.example/%09d", n) }

// fillBatch is how many documents one call lays up.
const fillBatch = 10_000

// fill lays up documents from number from to number to, all with the date that the SQL expression gives for document g.
func (r *run) fill(ctx context.Context, from, to int, date string) error {
	sql := `select count(*) from fetchq.doc_push_many($1, array(select 'https://bench.example/' || lpad(g::text, 9, '0') from generate_series($2::int, $3::int) g),
		array_fill($4::jsonb, array[$3 - $2 + 1]), p_dates => array(select ` + date + ` from generate_series($2::int, $3::int) g)) where outcome = 'created'`
	if r.o.By == ByRaw {
		sql = `with made as (
				insert into ` + r.table("docs") + ` (subject, seq, lease, next_iteration, size, created_at, version, priority, status, payload)
				select 'https://bench.example/' || lpad(g::text, 9, '0'), g, 0, date, pg_column_size($4::jsonb), now(), 0, 0, (date <= now())::integer, $4::jsonb
				from generate_series($2::int, $3::int) g cross join lateral (select ` + date + ` as date) d where $1::text is not null
				returning 1
			) select count(*) from made`
	}
	var group errgroup.Group
	group.SetLimit(2)
	for at := from; at < to && ctx.Err() == nil; at += fillBatch {
		group.Go(func() error {
			last, made := min(at+fillBatch, to)-1, 0
			if err := r.Bench.db.QueryRow(ctx, sql, r.queue, at, last, r.payload).Scan(&made); err != nil {
				return fmt.Errorf("lay up documents: %w", err)
			}
			if made != last-at+1 {
				return fmt.Errorf("%d of %d documents were laid up", made, last-at+1)
			}
			return nil
		})
	}
	return errors.Join(group.Wait(), ctx.Err())
}

// Dates of what is laid up: due for an hour and a little less, so that they have an order; and days ahead.
const (
	dueDates     = `now() - interval '1 hour' + g * interval '1 microsecond'`
	plannedDates = `now() + interval '1 day' + g * interval '1 second'`
)

// prepare lays up the backlog and the planned documents, and leaves the tables as a quiet minute would.
func (r *run) prepare(ctx context.Context) error {
	if n := r.o.Backlog + r.o.Planned; n >= 1_000_000 {
		r.Say(fmt.Sprintf("laying up %d documents", n))
	}
	if err := r.fill(ctx, 0, r.o.Backlog, dueDates); err != nil {
		return err
	}
	if err := r.fill(ctx, r.o.Backlog, r.o.Backlog+r.o.Planned, plannedDates); err != nil {
		return err
	}
	return r.tidy(ctx)
}

// tidy folds the deltas and vacuums, so that what a preparation left is not paid by the workload.
func (r *run) tidy(ctx context.Context) error {
	if r.o.By != ByRaw {
		if _, err := r.Bench.db.Exec(ctx, `select fetchq.mnt_fold($1)`, r.queue); err != nil {
			return fmt.Errorf("fold the counters: %w", err)
		}
		if _, err := r.Bench.db.Exec(ctx, `vacuum `+r.table("deltas")); err != nil {
			return fmt.Errorf("vacuum the deltas: %w", err)
		}
	}
	if _, err := r.Bench.db.Exec(ctx, `vacuum (analyze) `+r.table("docs")); err != nil {
		return fmt.Errorf("vacuum the documents: %w", err)
	}
	return nil
}
