package queue_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/internal/queue"
)

var (
	sameEmpty = cmpopts.EquateEmpty()
	// What the model knows beside what is stored.
	stored = cmpopts.IgnoreFields(document{}, "Document.Queue", "Document.Seq", "Ended", "Fuzz", "Marked")
)

// difference is what the engine did otherwise than the model, as opposed to a call that failed.
type difference string

func (d difference) Error() string { return string(d) }

func differ(format string, args ...any) error { return difference(fmt.Sprintf(format, args...)) }

// same tells whether a document is as it was.
func same(a, b *document) bool { return cmp.Equal(a, b) }

// found is what stands in a queue.
type found struct {
	docs    map[string]*document
	counts  map[event]int64
	logs    []queue.Log
	journal []line
}

// compare reads both queues and returns what differs from the model. Where the model cannot know a value, as a new lease
// number, it takes the one that it finds, if it may be right.
func (w *world) compare() error {
	all, err := read(w.ctx, w.db, w.names[:]...)
	if err != nil {
		return err
	}
	for i, name := range w.names {
		f, c := all[i], w.model[name]
		for subject, d := range c.docs {
			if e := f.docs[subject]; e != nil {
				if d.Marked && e.Status == queue.Pending {
					c.marked(w.now, d)
				}
				if err := w.adopt(name, d, e); err != nil {
					return err
				}
			}
		}
		if diff := cmp.Diff(c.docs, f.docs, stored); diff != "" {
			return differ("documents of %s (-model +database):\n%s", name, diff)
		}
		counts := c.gauges()
		for e, n := range c.events {
			counts[e] = n
		}
		none := cmpopts.IgnoreMapEntries(func(_ event, n int64) bool { return n == 0 })
		if diff := cmp.Diff(counts, f.counts, none); diff != "" {
			return differ("counters of %s (-model +database):\n%s", name, diff)
		}
		if diff := cmp.Diff(tally(c.logs), tally(f.logs)); diff != "" && !w.real {
			return differ("log of %s (-model +database):\n%s", name, diff)
		}
		adoptLines(c.journal, f.journal)
		if diff := cmp.Diff(tellAll(c.journal, w.real), tellAll(f.journal, w.real)); diff != "" {
			return differ("journal of %s (-model +database):\n%s", name, diff)
		}
	}
	return nil
}

// adopt takes from the database what the model cannot know of a document: the lease number of one that is new or
// restored, a date within the jitter of a backoff, whether a pick from a partitioned queue came by, and in real time the
// moment of the call.
func (w *world) adopt(name string, d, e *document) error {
	key := name + " " + d.Subject
	seen := w.leases[key]
	if d.Lease == 0 {
		if now := time.Now().UnixMicro(); e.Lease < w.start.UnixMicro() || e.Lease > now || len(seen) > 0 && e.Lease <= slices.Max(seen) {
			return differ("the new lease number of %s is %d; the clock is at %d and %v were seen before", key, e.Lease, now, seen)
		}
		d.Lease = e.Lease
	}
	w.leases[key] = append(seen, d.Lease)
	if late := e.Next.Sub(d.Next); late >= 0 && late <= d.Fuzz {
		d.Next = e.Next
	}
	d.Fuzz = 0
	d.Marked = false
	if w.real {
		same := w.close(0)
		if d.Requeue != nil && e.Requeue != nil && cmp.Equal(d.Requeue.Next, e.Requeue.Next, same) {
			r := *d.Requeue
			r.Next = e.Requeue.Next
			d.Requeue = &r
		}
		for _, t := range [][2]*time.Time{{&d.Next, &e.Next}, {&d.CreatedAt, &e.CreatedAt}, {d.LastIteration, e.LastIteration}, {d.PickedAt, e.PickedAt}} {
			if t[0] != nil && t[1] != nil && cmp.Equal(*t[0], *t[1], same) {
				*t[0] = *t[1]
			}
		}
	}
	return nil
}

// tally counts the lines of a log that are the same to a reader. The engine words those that the model leaves empty.
func tally(logs []queue.Log) map[string]int {
	lines := map[string]int{}
	for _, l := range logs {
		if l.Kind == "error" && l.Message != "why" {
			l.Message = ""
		}
		line := fmt.Sprint(l.CreatedAt.UnixMicro(), " ", l.Kind, " ", *l.Subject, " ", l.Message)
		if l.Attempt != nil {
			line += fmt.Sprint(" attempt ", *l.Attempt)
		}
		if l.Worker != nil {
			line += " by " + *l.Worker
		}
		lines[line]++
	}
	return lines
}

// read returns what is committed in queues, in one round trip.
func read(ctx context.Context, db *pgxpool.Pool, names ...string) ([]found, error) {
	all, batch := make([]found, len(names)), &pgx.Batch{}
	for i, name := range names {
		all[i] = found{docs: map[string]*document{}, counts: map[event]int64{}}
		all[i].ask(batch, name)
	}
	if err := db.SendBatch(ctx, batch).Close(); err != nil {
		return nil, err
	}
	return all, nil
}

// ask fills f, when the batch is sent, with what is committed in a queue.
func (f *found) ask(batch *pgx.Batch, name string) {
	schema := pgx.Identifier{"q_" + name}.Sanitize()
	batch.Queue(`select subject, status, payload, version, priority, attempts, iterations, next_iteration, created_at, last_iteration,
			picked_at, worker, requeue, lease from ` + schema + `.docs`).Query(func(rows pgx.Rows) error {
		var d document
		_, err := pgx.ForEachRow(rows, []any{&d.Subject, &d.Status, &d.Payload, &d.Version, &d.Priority, &d.Attempts, &d.Iterations, &d.Next,
			&d.CreatedAt, &d.LastIteration, &d.PickedAt, &d.Worker, &d.Requeue, &d.Lease}, func() error {
			e := d
			e.Payload = slices.Clone(d.Payload)
			f.docs[d.Subject] = &e
			d = document{}
			return nil
		})
		return err
	})
	batch.Queue(`select version, key, value::bigint from fetchq.queue_counters($1) c, jsonb_each_text(to_jsonb(c) - 'version') as j (key, value)`, name).
		Query(func(rows pgx.Rows) error {
			var version int
			var key string
			var n int64
			_, err := pgx.ForEachRow(rows, []any{&version, &key, &n}, func() error {
				if len(key) > 3 && key[:3] == "ev_" {
					key = key[3:]
				} else {
					key = "docs_" + key
				}
				f.counts[event{version, key}] = n
				return nil
			})
			return err
		})
	batch.Queue(`select created_at, kind, subject, message, worker, attempt from ` + schema + `.logs`).Query(func(rows pgx.Rows) error {
		var l queue.Log
		var kind int
		_, err := pgx.ForEachRow(rows, []any{&l.CreatedAt, &kind, &l.Subject, &l.Message, &l.Worker, &l.Attempt}, func() error {
			line := l
			line.Kind = [...]string{"note", "error"}[kind]
			f.logs = append(f.logs, line)
			l = queue.Log{}
			return nil
		})
		return err
	})
	batch.Queue(`select id, at, subject, action, admin, old_status, new_status, attempt, lease, next_iteration, took, worker, actor
			from ` + schema + `.journal order by id`).Query(func(rows pgx.Rows) error {
		var t queue.Transition
		var took *time.Duration
		var micros *int64
		_, err := pgx.ForEachRow(rows, []any{&t.ID, &t.At, &t.Subject, &t.Action, &t.Admin, &t.From, &t.To, &t.Attempt, &t.Lease, &t.Next,
			&micros, &t.Worker, &t.By}, func() error {
			if took = nil; micros != nil {
				took = new(time.Duration(*micros) * time.Microsecond)
			}
			if t.Wait = took; t.Action != "pick" {
				t.Wait, t.Work = nil, took
			}
			if t.By != nil && t.Subject != nil && *t.By == callerOf(*t.Subject) {
				t.By = text(caller)
			}
			f.journal = append(f.journal, line{Transition: t})
			t = queue.Transition{}
			return nil
		})
		return err
	})
}
