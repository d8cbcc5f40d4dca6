package bench

import (
	"context"
	"fmt"
	"sync/atomic"
)

// raws are the raw limits: the barest SQL of a workload's work, prepared, in transactions of their own, on a table with the
// columns and indexes of a queue's documents and nothing else: no lease is checked, nothing is counted, nobody is woken.
var raws = map[string]func(context.Context, *run) (load, error){
	"ingest": rawIngest, "drain": rawDrain, "discard": rawDrain, "rows": rawRows, "pick": rawPick, "empty": rawEmpty, "emptied": rawEmptied, "elsewhere": rawElsewhere, "wait": rawWait,
}

// rawIngest inserts rows.
func rawIngest(_ context.Context, r *run) (load, error) {
	sql := `insert into ` + r.table("docs") + ` (subject, seq, lease, next_iteration, size, created_at, version, priority, status, payload)
		select s, 0, 0, now(), 0, now(), 0, 0, 1, $2::jsonb from unnest($1::text[]) s`
	return r.pushing(func(ctx context.Context, worker, turn, size int) (int, error) {
		tag, err := r.db.Exec(ctx, sql, subjects(worker, turn, size), r.payload)
		return int(tag.RowsAffected()), err
	}), nil
}

// rawDrain takes the first rows that are due and nobody holds, and then ends or deletes them by their keys.
func rawDrain(ctx context.Context, r *run) (load, error) {
	take, end := r.rawTake("0"), r.rawEnd()
	return load{workers: r.o.Connections, turn: func(ctx context.Context, _, _ int) (step, error) {
		names, err := r.take(ctx, take, r.o.Batch)
		if err != nil || len(names) == 0 {
			return step{over: true}, err
		}
		tag, err := r.db.Exec(ctx, end, names)
		return step{documents: len(names)}, wrong(int(tag.RowsAffected()), len(names), err)
	}}, r.prepare(ctx)
}

// rawRows is the least that a lease and its end cost, without finding anything: two updates of rows that are known, and one reading of
// their payloads.
func rawRows(ctx context.Context, r *run) (load, error) {
	var next atomic.Int64
	lease := `update ` + r.table("docs") + ` set status = 2, lease = lease + 1, attempts = 1, next_iteration = now() where subject = any ($1) returning subject, lease, payload`
	end := r.rawEnd()
	return load{workers: r.o.Connections, turn: func(ctx context.Context, _, _ int) (step, error) {
		from := int(next.Add(int64(r.o.Batch))) - r.o.Batch
		size := min(r.o.Batch, r.o.Backlog-from)
		if size <= 0 {
			return step{over: true}, nil
		}
		names := make([]string, size)
		for i := range names {
			names[i] = subject(from + i)
		}
		if taken, err := r.take(ctx, lease, names); err != nil || len(taken) != size {
			return step{}, wrong(len(taken), size, err)
		}
		tag, err := r.db.Exec(ctx, end, names)
		return step{documents: size}, wrong(int(tag.RowsAffected()), size, err)
	}}, r.prepare(ctx)
}

func (r *run) rawEnd() string {
	if r.o.Workload == "discard" {
		return `delete from ` + r.table("docs") + ` where subject = any ($1)`
	}
	return `update ` + r.table("docs") + ` set status = 3, iterations = 1, attempts = 0, last_iteration = now() where subject = any ($1)`
}

// take runs a statement that returns subject, lease and payload of rows, reads them, and returns the subjects.
func (r *run) take(ctx context.Context, sql string, args ...any) (subjects []string, err error) {
	rows, err := r.db.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var subject string
		var lease int64
		var payload []byte
		if err := rows.Scan(&subject, &lease, &payload); err != nil {
			return nil, err
		}
		subjects = append(subjects, subject)
	}
	return subjects, rows.Err()
}

func wrong(n, want int, err error) error {
	if err == nil && n != want {
		err = fmt.Errorf("%d of %d rows were changed", n, want)
	}
	return err
}

// rawTake is the barest pick: the first rows that are due and nobody holds.
func (r *run) rawTake(version string) string {
	return `update ` + r.table("docs") + ` set status = 2, lease = lease + 1, next_iteration = now() where subject = any (array(
		select subject from ` + r.table("docs") + ` where status = 1 and version = ` + version + ` and next_iteration <= now()
		order by priority desc, next_iteration, seq limit $1 for update skip locked)) returning subject, lease, payload`
}

func rawPick(ctx context.Context, r *run) (load, error) {
	sql := r.rawTake("0")
	return load{workers: r.o.Connections, turn: func(ctx context.Context, _, _ int) (step, error) {
		taken, err := r.take(ctx, sql, r.o.Batch)
		return step{documents: len(taken), over: len(taken) == 0}, err
	}}, r.prepare(ctx)
}

func (r *run) rawNothing(version string) load {
	sql := r.rawTake(version)
	return load{workers: r.o.Connections, turn: func(ctx context.Context, _, _ int) (step, error) {
		taken, err := r.take(ctx, sql, r.o.Batch)
		return step{documents: len(taken)}, err
	}}
}

func rawEmpty(ctx context.Context, r *run) (load, error) {
	return r.rawNothing("0"), r.prepare(ctx)
}

func rawElsewhere(ctx context.Context, r *run) (load, error) {
	return r.rawNothing("1"), r.prepare(ctx)
}

// rawEmptied leaves the dead entries that a drain leaves.
func rawEmptied(ctx context.Context, r *run) (load, error) {
	o := r.o
	r.o.Batch, r.o.Duration, r.o.Connections = maxDrain(r.o.Payload), maxDuration, min(r.o.Connections, 4)
	l, err := rawDrain(ctx, r)
	if err == nil {
		_, err = r.repeat(ctx, l)
	}
	r.o = o
	return r.rawNothing("0"), err
}
