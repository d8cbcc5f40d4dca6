package queue

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/errs"
)

// Move is how far a queue is on its way to the tablespace that its settings name.
type Move struct {
	BeganAt   time.Time `json:"began_at"`
	Relations int64     `json:"relations"` // tables and indexes that are not there yet
	Bytes     int64     `json:"bytes"`     // of those
	Halt      *string   `json:"halt"`      // what stood in its way last; nil: nothing
}

// moveColumn is the move of a row q of fetchq.queues as JSON; null: none is on.
const moveColumn = `case when q.move_began is not null then (
	select jsonb_build_object('began_at', q.move_began, 'relations', count(*), 'bytes', coalesce(sum(l.bytes), 0), 'halt', coalesce(q.move_halt,
		(select j.last_error from fetchq.jobs j where j.queue = q.name and j.kind = 'move' and j.streak < 0)))
	from fetchq.move_left(q) l) end`

// Rename gives a queue another name. Its documents, leases, logs, journal and counters go along, and so do stars and the lists of
// tokens that name it in full. Who asks for the old name is told the new one. Errors: NotFound, Invalid (to), Exists (to is taken), Overloaded
// (calls under way do not end).
func (e *Engine) Rename(ctx context.Context, name, to string) (Queue, error) {
	if err := checkTo(ctx, name, to); err != nil {
		return Queue{}, err
	}
	_, err := retry(ctx, "rename the queue "+name, func() (any, error) {
		return e.db.Exec(ctx, `select fetchq.queue_rename($1, $2, $3)`, name, to, who(ctx))
	})
	e.wakeQueue(name)
	if err != nil {
		return Queue{}, err
	}
	e.wakeQueue(to)
	return e.Get(ctx, to)
}

// Clone makes a queue with the settings of another one, and nothing else of it. Errors: NotFound, Invalid (to), Exists (to is taken).
func (e *Engine) Clone(ctx context.Context, name, to string) (Queue, error) {
	if err := checkTo(ctx, name, to); err != nil {
		return Queue{}, err
	}
	_, err := retry(ctx, "clone the queue "+name, func() (any, error) {
		return e.db.Exec(ctx, `select fetchq.queue_clone($1, $2)`, name, to)
	})
	if err != nil {
		return Queue{}, err
	}
	e.wakeQueue(to)
	return e.Get(ctx, to)
}

// checkTo refuses names that no queue can have, before they travel.
func checkTo(ctx context.Context, name, to string) error {
	if err := find(ctx, name); err != nil {
		return err
	}
	if CheckName(to) != nil {
		return errs.Field("to", "a queue's name is 1 to 40 of a-z, 0-9 and _, and begins with a letter")
	}
	return nil
}

// Relocate begins to move a paused queue to another tablespace; nil is the default of the database. MoveNext does the work. Errors:
// NotFound, Invalid (the queue is not paused; tablespace).
func (e *Engine) Relocate(ctx context.Context, name string, tablespace *string) (Queue, error) {
	return e.change(ctx, name, "move the queue ", `select fetchq.queue_move($1, $2)`, tablespace)
}

// moveTime is how long a job goes on with further tables before others get its slot; one table may take longer.
const moveTime = 10 * time.Second

// MoveOn moves tables and indexes of a queue, one a call, to the tablespace that it is on its way to. Again is soon while something is
// left. Errors: NotFound.
func (e *Engine) MoveOn(ctx context.Context, queue string) (Upkeep, error) {
	if err := find(ctx, queue); err != nil {
		return Upkeep{}, err
	}
	type step struct {
		moved *string
		left  int64
		now   time.Time
	}
	var u Upkeep
	for began := e.now(); ; {
		s, err := queryRow(ctx, e, "move the queue "+queue, func(row pgx.CollectableRow) (s step, err error) {
			err = row.Scan(&s.moved, &s.left, &s.now)
			return s, err
		}, `select moved, relations, clock_timestamp() from fetchq.mnt_move($1)`, queue)
		if err != nil || s.left == 0 && s.moved == nil {
			return u, err
		}
		if s.moved == nil { // it stands still: not paused, or in use
			u.Again = s.now.Add(time.Second)
			return u, nil
		}
		u.Items++
		if e.now().Sub(began) >= moveTime {
			u.Again = s.now
			return u, nil
		}
	}
}
