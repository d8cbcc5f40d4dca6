package bench

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/fetchq/server/client"
)

// subjects names the documents of one call, which no other call of the queue names.
func subjects(worker, turn, size int) []string {
	all := make([]string, size)
	for i := range all {
		all[i] = fmt.Sprintf("https://bench.example/%d/%d/%d", worker, turn, i)
	}
	return all
}

// pushSQL pushes one call of documents.
func (r *run) pushSQL(ctx context.Context, worker, turn, size int) (int, error) {
	payloads := make([]string, size)
	for i := range payloads {
		payloads[i] = r.payload
	}
	made := 0
	err := r.db.QueryRow(ctx, `select count(*) from fetchq.doc_push_many($1, $2, $3::text[]::jsonb[]) where outcome = 'created'`,
		r.queue, subjects(worker, turn, size), payloads).Scan(&made)
	if err == nil && made != size {
		err = fmt.Errorf("%d of %d documents were created", made, size)
	}
	return made, err
}

// marks say where the picks of all connections left off, as internal/queue keeps them for the server: there is one priority
// and one partition here. A pick without marks is a backstop, for at most one part in 20 of the time.
type marks struct {
	mu    sync.Mutex
	known bool
	date  time.Time
	seq   int64
	swept time.Time
	took  time.Duration
}

// held is what one pick brought.
type held struct {
	subjects []string
	leases   []int64
	actions  []string
	messages []*string
}

// from returns the marks for a pick: null ones for a full scan.
func (r *run) from(full bool) (partitions, priorities []int, dates []time.Time, seqs []int64, at time.Time) {
	at = r.Now()
	m := &r.marks
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.o.NoMarks || full || !m.known || at.Sub(m.swept) >= max(time.Second, 20*m.took) {
		m.swept = at
		return nil, nil, nil, nil, at
	}
	return []int{0}, []int{0}, []time.Time{m.date}, []int64{m.seq}, at
}

// raise moves the marks to the last document of a pick.
func (r *run) raise(full bool, began, date time.Time, seq int64) {
	m := &r.marks
	m.mu.Lock()
	defer m.mu.Unlock()
	if full {
		m.took = r.Now().Sub(began)
	}
	if !m.known || date.After(m.date) || date.Equal(m.date) && seq > m.seq {
		m.known, m.date, m.seq = true, date, seq
	}
}

// pickSQL picks documents of a payload version. One that finds nothing from the marks on looks once more without them.
func (r *run) pickSQL(ctx context.Context, version, size int) (held, error) {
	h, full, err := r.scan(ctx, version, size, false)
	if err == nil && len(h.subjects) == 0 && !full && r.o.Workload != "empty" && r.o.Workload != "emptied" {
		h, _, err = r.scan(ctx, version, size, true)
	}
	return h, err
}

func (r *run) scan(ctx context.Context, version, size int, full bool) (h held, scanned bool, err error) {
	partitions, priorities, dates, seqs, began := r.from(full)
	rows, err := r.db.Query(ctx, `select subject, lease, payload, due_at, seq from fetchq.doc_pick_many($1, $2, $3, '5 minutes', 'bench', null, $4, $5, $6, $7)`,
		r.queue, version, size, partitions, priorities, dates, seqs)
	if err != nil {
		return h, false, err
	}
	defer rows.Close()
	var date time.Time
	var seq int64
	for rows.Next() {
		var subject string
		var lease int64
		var payload []byte
		if err := rows.Scan(&subject, &lease, &payload, &date, &seq); err != nil {
			return h, false, err
		}
		action, message := r.ending()
		h.subjects, h.leases, h.actions = append(h.subjects, subject), append(h.leases, lease), append(h.actions, action)
		if r.o.Workload == "fail" {
			h.messages = append(h.messages, message)
		}
	}
	if len(h.subjects) > 0 {
		r.raise(partitions == nil, began, date, seq)
	}
	return h, partitions == nil, rows.Err()
}

// ending is the action that ends the lease of a document, and what the worker says with it. Every fifth document fails in the workload fail.
func (r *run) ending() (action string, message *string) {
	switch r.o.Workload {
	case "discard":
		return client.ActionDrop, nil
	case "fail":
		if n := r.ends.Add(1); n%5 == 0 {
			said := failure(n)
			return client.ActionReject, &said
		}
	}
	return client.ActionComplete, nil
}

// completeSQL ends the leases of what a pick brought, and wants every item to be ok.
func (r *run) completeSQL(ctx context.Context, h held) (int, error) {
	done := 0
	err := r.db.QueryRow(ctx, `select count(*) from fetchq.doc_resolve_many($1, $2, $3, $4, p_messages => $5) where outcome = 'ok'`,
		r.queue, h.subjects, h.leases, h.actions, h.messages).Scan(&done)
	if err == nil && done != len(h.subjects) {
		err = fmt.Errorf("%d of %d documents were completed", done, len(h.subjects))
	}
	return done, err
}

// drainSQL is a pick and the completion of what it brought.
func (r *run) drainSQL(ctx context.Context, size int) (step, error) {
	h, err := r.pickSQL(ctx, 0, size)
	if err != nil || len(h.subjects) == 0 {
		return step{over: true}, err
	}
	n, err := r.completeSQL(ctx, h)
	return step{documents: n}, err
}
