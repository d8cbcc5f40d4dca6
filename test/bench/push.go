package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/fetchq/server/client"
)

// body is the payload of every document.
func body() string { return `"` + strings.Repeat("x", *payload-2) + `"` }

// subject names a document that no other call names.
func subject(workload string, worker, turn, n int) string {
	return fmt.Sprintf("https://%s.example/%d/%d/%d", workload, worker, turn, n)
}

// queue makes an empty queue and a table like its own for the raw limit.
func (b *bench) queue(ctx context.Context, name string) error {
	for _, sql := range []string{
		`select fetchq.queue_drop(name) from fetchq.queues where name = '` + name + `'`,
		`select fetchq.queue_create('` + name + `')`,
		`drop schema if exists bench_raw cascade`,
		`create schema bench_raw`,
		`create table bench_raw.docs (like q_` + name + `.docs including all)`,
	} {
		if _, err := b.db.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

// pushes measures how documents enter a queue.
func (b *bench) pushes(ctx context.Context) error {
	for _, w := range []struct {
		name, limit   string
		workers, size int
		call          func(ctx context.Context, workload string, worker, turn, size int) (int, error)
	}{
		{"raw: insert 1,000 rows, 8 connections", "", 8, 1000, b.rawInsert},
		{"push 1,000 by SQL, 8 connections", "raw: insert 1,000 rows, 8 connections", 8, 1000, b.sqlPush},
		{"push 1,000 by SQL, 1 connection", "raw: insert 1,000 rows, 8 connections", 1, 1000, b.sqlPush},
		{"push 1,000 by HTTP, 8 connections", "raw: insert 1,000 rows, 8 connections", 8, 1000, b.httpPush},
		{"push by HTTP as NDJSON, 8 streams of 10,000", "raw: insert 1,000 rows, 8 connections", 8, 10_000, b.stream},
		{"raw: insert 100 rows, 8 connections", "", 8, 100, b.rawInsert},
		{"push 100 by SQL, 8 connections", "raw: insert 100 rows, 8 connections", 8, 100, b.sqlPush},
		{"push 100 by HTTP, 8 connections", "raw: insert 100 rows, 8 connections", 8, 100, b.httpPush},
		{"raw: insert one row, 8 connections", "", 8, 1, b.rawInsert},
		{"push one by SQL, 8 connections", "raw: insert one row, 8 connections", 8, 1, b.sqlPush},
		{"push one by HTTP, 8 connections", "raw: insert one row, 8 connections", 8, 1, b.httpPush},
	} {
		if err := b.queue(ctx, "bench"); err != nil {
			return err
		}
		m, err := repeat(ctx, w.workers, func(ctx context.Context, worker, turn int) (int, error) {
			return w.call(ctx, "push", worker, turn, w.size)
		})
		if err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		b.row(w.name, w.limit, m)
	}
	return nil
}

func (b *bench) rawInsert(ctx context.Context, workload string, worker, turn, size int) (int, error) {
	_, err := b.db.Exec(ctx, `
		insert into bench_raw.docs (subject, seq, lease, next_iteration, size, created_at, version, priority, status, payload)
		select s, 0, 0, now(), 0, now(), 0, 0, 1, $2::jsonb from unnest($1::text[]) s`, subjects(workload, worker, turn, size), body())
	return size, err
}

func subjects(workload string, worker, turn, size int) []string {
	all := make([]string, size)
	for i := range all {
		all[i] = subject(workload, worker, turn, i)
	}
	return all
}

func (b *bench) sqlPush(ctx context.Context, workload string, worker, turn, size int) (int, error) {
	payloads := make([]string, size)
	for i := range payloads {
		payloads[i] = body()
	}
	_, err := b.db.Exec(ctx, `select from fetchq.doc_push_many('bench', $1, $2::text[]::jsonb[])`, subjects(workload, worker, turn, size), payloads)
	return size, err
}

func (b *bench) httpPush(ctx context.Context, workload string, worker, turn, size int) (int, error) {
	docs := make([]client.Push, size)
	for i := range docs {
		docs[i] = client.Push{Subject: subject(workload, worker, turn, i), Payload: json.RawMessage(body())}
	}
	answer, err := b.http.Push(ctx, "bench", client.PushRequest{Documents: docs})
	if err == nil && answer.Created != size {
		err = fmt.Errorf("%d of %d documents were created", answer.Created, size)
	}
	return size, err
}

// stream pushes one body of many lines.
func (b *bench) stream(ctx context.Context, workload string, worker, turn, size int) (int, error) {
	payload := json.RawMessage(body())
	answer, err := b.http.PushStream(ctx, "bench", func(yield func(client.Push, error) bool) {
		for i := range size {
			if !yield(client.Push{Subject: subject(workload, worker, turn, i), Payload: payload}, nil) {
				return
			}
		}
	})
	if err != nil {
		return 0, err
	}
	if answer.Created != size {
		return 0, fmt.Errorf("%d of %d lines were created", answer.Created, size)
	}
	return size, nil
}

// fill pushes the backlog of a drain.
func (b *bench) fill(ctx context.Context) error {
	if err := b.queue(ctx, "bench"); err != nil {
		return err
	}
	for turn := range (*backlog + 999) / 1000 {
		if _, err := b.sqlPush(ctx, "drain", 0, turn, 1000); err != nil {
			return err
		}
	}
	_, err := b.db.Exec(ctx, `vacuum (analyze) q_bench.docs`)
	time.Sleep(100 * time.Millisecond) // the fold of so many deltas is not part of the drain
	return err
}
