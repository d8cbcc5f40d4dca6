package queue

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/fetchq/server/internal/wire"
)

// The values of the setting journal.
const (
	JournalOff    = "off"
	JournalErrors = "errors" // what failed, and what an admin did
	JournalAll    = "all"
)

// Transition is a line of a queue's journal: what became of a document, or, without a subject, of all documents of the queue.
type Transition struct {
	Queue   string
	ID      int64 // the lines of one document stand in the order of their numbers
	At      time.Time
	Subject *string
	Action  string  // push, update, requeue, mark_due, pick, extend, orphan, expire, an action of a resolution or of an admin; truncate, attach, rename
	Admin   bool    // an admin did it, whoever held the document
	From    *Status // nil: there was no document
	To      *Status // nil: there is none any more
	Attempt *int    // that began with this pick, or that was under way or counted before the transition
	Lease   *int64  // the document's number after it
	Next    *time.Time
	Wait    *time.Duration // of a pick: since the document was due
	Work    *time.Duration // of what ended a lease: since the pick
	Worker  *string        // who holds the document, or held it until then
	By      *string        // who called: token:name, user:address, role:name of the database; nil: the engine itself
}

const transitionColumns = `queue, id, at, subject, action, admin, old_status, new_status, attempt, lease, next_iteration, took, worker, actor`

// Journal returns the last lines of a queue's journal about a document, the newest first, up to limit (1 to MaxList), and with before
// (not 0) those with lower numbers only. There may be lines of a document that is gone. It reads a small range of an index of each
// table of the journal, of which there are about 30, and 100 at most. Errors: NotFound (no such queue), Invalid (subject, limit).
func (e *Engine) Journal(ctx context.Context, queue, subject string, limit int, before int64) ([]Transition, error) {
	if err := errors.Join(find(ctx, queue), wire.CheckSubject(subject), checkLimit(limit)); err != nil {
		return nil, err
	}
	return query(ctx, e, "read the journal of "+queue, scanTransition,
		`select `+transitionColumns+` from fetchq.journal_of($1, $2, $3, nullif($4, 0::bigint))`, queue, subject, limit, before)
}

// traceJournal returns the last lines about a subject in many queues.
func (e *Engine) traceJournal(ctx context.Context, subject string, only []string) ([]Transition, error) {
	list, holds, err := queryPage(ctx, e, "trace the journals of a subject", scanTransition, math.MaxInt,
		`select `+transitionColumns+` from fetchq.trace_journal($1, $2, $3)`, subject, only, traceLogs)
	return list[:holds], err
}

func (t Transition) weight() int { return 200 }

func scanTransition(row pgx.CollectableRow) (t Transition, err error) {
	var next pgtype.Timestamptz
	var took *int64
	err = row.Scan(&t.Queue, &t.ID, &t.At, &t.Subject, &t.Action, &t.Admin, &t.From, &t.To, &t.Attempt, &t.Lease, &next, &took, &t.Worker, &t.By)
	if next.Valid {
		t.Next = &next.Time
	}
	if took != nil {
		d := time.Duration(*took) * time.Microsecond
		if t.Action == "pick" {
			t.Wait = &d
		} else {
			t.Work = &d
		}
	}
	return t, err
}
