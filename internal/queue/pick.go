package queue

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
)

// Picked is the answer to a pick.
type Picked struct {
	Documents []Leased
	Paused    bool // the queue hands out nothing at present
}

// Pick leases up to p.Limit due documents of one payload version to a worker, and waits up to p.Wait for the first.
//
// Order: priority (high first), next_iteration (old first), seq; best effort across partitions and nodes. It returns no
// documents when nothing is due, when the queue is paused or at its limits, and at once when the engine stops.
// Errors: NotFound (no such queue), Invalid (limit, version, lock, wait, worker, idempotency_key).
func (e *Engine) Pick(ctx context.Context, queue string, p PickParams) (Picked, error) {
	if p.Limit == 0 {
		p.Limit = 1
	}
	if err := errors.Join(find(queue), p.check()); err != nil {
		return Picked{}, err
	}
	s := spot{queue, p.Version}
	if p.Wait <= 0 {
		return e.pickNow(ctx, s, p)
	}
	// In line before the first look: what is pushed after it wakes us.
	w := e.hub.join(s)
	defer e.hub.leave(w)
	deadline := time.NewTimer(p.Wait)
	defer deadline.Stop()
	for {
		picked, err := e.pickNow(ctx, s, p)
		if err != nil || len(picked.Documents) > 0 {
			if len(picked.Documents) == p.Limit {
				e.hub.wake(s, 1) // there may be more for the next in line
			}
			return picked, err
		}
		e.peers.wait(queue)
		select {
		case <-w.woken:
		case <-deadline.C:
			return picked, nil
		case <-e.stopped:
			return picked, nil
		case <-ctx.Done():
			return Picked{}, database.Error("wait for documents of "+queue, ctx.Err())
		}
	}
}

func (p PickParams) check() error {
	switch {
	case p.Limit < 1 || p.Limit > MaxBatch:
		return errs.Field("limit", "limit is %d; 1 to %d are allowed", p.Limit, MaxBatch)
	case p.Version < 0 || p.Version > MaxVersion:
		return errs.Field("version", "version is %d; 0 to %d are allowed", p.Version, MaxVersion)
	case p.Wait < 0 || p.Wait > MaxWait:
		return errs.Field("wait", "wait is %s; 0s to 60s is allowed", p.Wait)
	}
	return checkLock(p.Lock)
}

// pickNow looks once from the marks on, and once more in full when that came back short and the marks are not known to
// tell of everything. There are no marks under a key, for what is picked again says nothing about what is pending, and in a
// limited queue, for a pick that its limits cut short does not either.
func (e *Engine) pickNow(ctx context.Context, s spot, p PickParams) (Picked, error) {
	var docs []Leased
	state, err := e.state(ctx, s.queue)
	if err != nil {
		return Picked{}, err
	}
	if p.IdempotencyKey != "" || state.limited || state.paused {
		docs, err = e.pickScan(ctx, s, nil, p)
	} else {
		sc := e.marks.begin(s, false)
		docs, err = e.pickScan(ctx, s, sc, p)
		if err == nil && len(docs) < p.Limit && e.marks.incomplete(sc) {
			rest := p
			rest.Limit -= len(docs)
			more, failed := e.pickScan(ctx, s, e.marks.begin(s, true), rest)
			docs = append(docs, more...)
			if len(docs) == 0 {
				err = failed
			}
		}
	}
	if err != nil || len(docs) > 0 {
		return Picked{Documents: docs}, err
	}
	return Picked{Paused: state.paused}, nil
}

// pickScan is one call of the SQL function, with the marks of a scan if there is one.
func (e *Engine) pickScan(ctx context.Context, s spot, sc *scan, p PickParams) ([]Leased, error) {
	partitions, priorities, dates, seqs := e.marks.columns(sc)
	rows, err := query(ctx, e, "pick from "+s.queue, scanPicked, `
		select subject, payload, version, priority, attempts, iterations, created_at, last_iteration, lease, lease_expires_at,
			due_at, seq, size, partition, partitions, marked_priorities, marked_dates
		from fetchq.doc_pick_many($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		s.queue, p.Version, p.Limit, lockInterval(p.Lock), optional(p.Worker), optional(p.IdempotencyKey),
		partitions, priorities, dates, seqs)
	if err != nil {
		// What this call took may be pending again, below marks that other picks have raised since.
		e.marks.forget(s.queue)
		return nil, err
	}
	docs := make([]Leased, len(rows))
	last := make(map[leg]mark)
	parts, bytes := 0, 0
	for i, r := range rows {
		docs[i] = r.Leased
		parts = r.partitions
		bytes += r.size
		last[leg{r.partition, r.Priority}] = mark{r.due, r.seq}
		for j, priority := range r.markedPriorities {
			e.marks.lower(s, priority, r.markedDates[j])
		}
	}
	if sc != nil {
		e.marks.end(sc, last, parts, len(rows) < p.Limit && bytes < maxAnswer)
	}
	return docs, nil
}

// maxAnswer is where the SQL function stops: bytes of payloads in one answer.
const maxAnswer = 16 << 20

type pickedRow struct {
	Leased
	due              time.Time
	seq              int64
	size             int
	partition        int
	partitions       int
	markedPriorities []int
	markedDates      []time.Time
}

func scanPicked(row pgx.CollectableRow) (r pickedRow, err error) {
	var due pgtype.Timestamptz
	var partition, partitions *int
	err = row.Scan(&r.Subject, &r.Payload, &r.Version, &r.Priority, &r.Attempts, &r.Iterations, &r.CreatedAt, &r.LastIteration,
		&r.Lease, &r.ExpiresAt, &due, &r.seq, &r.size, &partition, &partitions, &r.markedPriorities, &r.markedDates)
	r.due, r.partition, r.partitions = due.Time, value(partition), value(partitions)
	return r, err
}
