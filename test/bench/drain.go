package main

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/fetchq/server/client"
)

// drains measures how documents are picked and completed.
func (b *bench) drains(ctx context.Context) error {
	for _, w := range []struct {
		name, limit   string
		workers, size int
		call          func(ctx context.Context, size int) (int, error)
	}{
		{"raw: update 100 rows twice, 8 connections", "", 8, 100, nil},
		{"pick 100 + complete 100 by SQL, 8 connections", "raw: update 100 rows twice, 8 connections", 8, 100, b.sqlDrain},
		{"pick 100 + complete 100 by SQL, 1 connection", "raw: update 100 rows twice, 8 connections", 1, 100, b.sqlDrain},
		{"pick 100 + complete 100 by HTTP, 8 workers", "raw: update 100 rows twice, 8 connections", 8, 100, b.httpDrain},
		{"pick 100 with the last 100 completed in the same call by HTTP, 8 workers", "raw: update 100 rows twice, 8 connections", 8, 100, nil},
		{"raw: update one row twice, 8 connections", "", 8, 1, nil},
		{"pick one + complete one by SQL, 8 connections", "raw: update one row twice, 8 connections", 8, 1, b.sqlDrain},
		{"pick one + complete one by HTTP, 8 workers", "raw: update one row twice, 8 connections", 8, 1, b.httpDrain},
		{"pick one + complete one by HTTP, 64 workers", "raw: update one row twice, 8 connections", 64, 1, b.httpDrain},
	} {
		if err := b.fill(ctx); err != nil {
			return err
		}
		call := func(ctx context.Context, _, _ int) (int, error) { return w.call(ctx, w.size) }
		switch {
		case w.limit == "":
			if _, err := b.db.Exec(ctx, `insert into bench_raw.docs select * from q_bench.docs`); err != nil {
				return err
			}
			call = b.rawUpdate(w.size)
		case w.call == nil:
			call = b.together(w.workers, w.size)
		}
		m, err := repeat(ctx, w.workers, call)
		if err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		b.row(w.name, w.limit, m)
	}
	return nil
}

// rawUpdate is the least that a lease and its end cost: two updates of known rows, in transactions of their own.
func (b *bench) rawUpdate(size int) func(context.Context, int, int) (int, error) {
	var next atomic.Int64
	return func(ctx context.Context, _, _ int) (int, error) {
		from := int(next.Add(int64(size))) - size
		if from+size > *backlog {
			return 0, nil
		}
		names := make([]string, size)
		for i := range names {
			names[i] = subject("drain", 0, (from+i)/1000, (from+i)%1000)
		}
		for _, sql := range []string{
			`update bench_raw.docs set status = 2, lease = lease + 1, attempts = 1, next_iteration = now() where subject = any ($1)`,
			`update bench_raw.docs set status = 3, iterations = 1, attempts = 0, last_iteration = now() where subject = any ($1)`,
		} {
			if _, err := b.db.Exec(ctx, sql, names); err != nil {
				return 0, err
			}
		}
		return size, nil
	}
}

func (b *bench) sqlDrain(ctx context.Context, size int) (int, error) {
	rows, err := b.db.Query(ctx, `select subject, lease, payload from fetchq.doc_pick_many('bench', 0, $1, '5 minutes', 'bench')`, size)
	if err != nil {
		return 0, err
	}
	var names, actions []string
	var leases []int64
	for rows.Next() {
		var name string
		var lease int64
		var payload []byte
		if err := rows.Scan(&name, &lease, &payload); err != nil {
			return 0, err
		}
		names, leases, actions = append(names, name), append(leases, lease), append(actions, "complete")
	}
	if rows.Err() != nil || len(names) == 0 {
		return 0, rows.Err()
	}
	_, err = b.db.Exec(ctx, `select from fetchq.doc_resolve_many('bench', $1, $2, $3)`, names, leases, actions)
	return len(names), err
}

func (b *bench) httpDrain(ctx context.Context, size int) (int, error) {
	picked, err := b.http.Pick(ctx, "bench", client.PickRequest{Limit: size, Worker: "bench"})
	if err != nil || len(picked.Documents) == 0 {
		return 0, err
	}
	return count(b.http.Resolve(ctx, "bench", completed(picked.Documents)...))
}

func completed(docs []client.Leased) []client.Resolution {
	all := make([]client.Resolution, len(docs))
	for i, d := range docs {
		all[i] = client.Resolution{Subject: d.Subject, Lease: d.Lease, Action: client.ActionComplete}
	}
	return all
}

// count wants every resolution to be ok.
func count(results []client.Result, err error) (int, error) {
	for _, r := range results {
		if r.Outcome != client.OutcomeOK {
			return 0, fmt.Errorf("a resolution is %s", r.Outcome)
		}
	}
	return len(results), err
}

// together completes what the pick before brought in the call that picks anew.
func (b *bench) together(workers, size int) func(context.Context, int, int) (int, error) {
	held := make([][]client.Leased, workers)
	return func(ctx context.Context, worker, _ int) (int, error) {
		picked, err := b.http.Pick(ctx, "bench", client.PickRequest{Limit: size, Worker: "bench", Resolutions: completed(held[worker])})
		if err != nil {
			return 0, err
		}
		held[worker] = picked.Documents
		if _, err := count(picked.Results, nil); err != nil {
			return 0, err
		}
		return len(picked.Documents), nil
	}
}
