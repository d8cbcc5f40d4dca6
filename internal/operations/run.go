package operations

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/audit"
	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
)

// claim is an operation that this node is at.
type claim struct {
	id       uuid.UUID
	queue    string
	action   string
	toQueue  string
	failures int
	file     *file     // of an import
	behind   time.Time // until then what was put off is left alone
}

const claimColumns = `o.id, o.queue, o.action, coalesce(o.to_queue, ''), o.failures, o.format, o.columns, o.part, o.place, o.line`

func scanClaim(row pgx.CollectableRow) (claim, error) {
	var c claim
	var f file
	var format *string
	err := row.Scan(&c.id, &c.queue, &c.action, &c.toQueue, &c.failures, &format, &f.columns, &f.part, &f.place, &f.line)
	if format != nil {
		f.format = *format
		c.file = &f
	}
	return c, err
}

// batch is what one batch did.
type batch struct {
	state string // of the operation behind it; lost: the claim is over
	items int    // what it did: looks, changes, failures; 0: all that is left is locked
	did   int    // documents that it changed
	made  []queue.Made
}

const lost = "lost"

func scanBatch(row pgx.CollectableRow) (b batch, err error) {
	var versions, priorities, counts []int
	var dates []time.Time
	err = row.Scan(&b.state, &b.items, &b.did, &versions, &priorities, &dates, &counts)
	for i := range versions {
		b.made = append(b.made, queue.Made{Version: versions[i], Priority: priorities[i], Date: dates[i], Count: counts[i]})
	}
	return b, err
}

// run makes batches of an operation until it is over, its claim is lost, one of them fails, or ctx ends.
func (s *Service) run(ctx context.Context, c claim) {
	s.Log.Info("an operation goes on", "id", c.id, "queue", c.queue, "action", c.action)
	p := newPace()
	for {
		began := s.Now()
		b, err := s.batch(ctx, &c, p.size)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.failed(ctx, c, err)
			return
		}
		to := c.queue
		if c.toQueue != "" {
			to = c.toQueue
		}
		s.engine.Note(to, b.made)
		if b.state != Running {
			s.Log.Info("an operation is left", "id", c.id, "queue", c.queue, "action", c.action, "state", b.state)
			s.ended(ctx, c.id, b.state)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(p.next(s.Now().Sub(began), b, s.busy(ctx))):
		}
	}
}

const (
	tryPause   = 50 * time.Millisecond // before a smaller batch is tried
	behindWait = 5 * time.Second       // until what was put off is tried again
)

// batch makes one batch. Where that ends in a deadlock or in a lock that it does not get, smaller ones are tried, so that others may go on
// meanwhile; what does not come even alone is put off.
func (s *Service) batch(ctx context.Context, c *claim, size int) (b batch, err error) {
	for later := false; ; {
		if c.file != nil {
			b, err = s.importBatch(ctx, *c, size, later)
		} else {
			b, err = s.call(ctx, `select * from fetchq.operation_step($1, $2, $3, p_behind => $4, p_later => $5)`,
				c.id, s.Node, size, !s.Now().Before(c.behind), later)
		}
		if err == nil || !passes(err) || later {
			return b, err
		}
		later = size == 1
		if later {
			c.behind = s.Now().Add(behindWait)
		}
		size = max(size/4, 1)
		select {
		case <-ctx.Done():
			return b, ctx.Err()
		case <-time.After(tryPause):
		}
	}
}

// ended writes down what came of an operation, in the name of who asked for it.
func (s *Service) ended(ctx context.Context, id uuid.UUID, state string) {
	if state == lost {
		return
	}
	o, err := s.Get(ctx, id)
	if err == nil && o.Over() {
		d := o.details()
		d["state"], d["done"], d["failed"], d["left_alone"] = o.State, o.Done, o.Failed, o.LeftAlone
		err = audit.Write(ctx, s.db, Asked{By: o.AskedBy, As: o.AskedAs}.Line(audit.OperationEnd, o.Queue, d))
	}
	if err != nil && ctx.Err() == nil {
		s.Log.Error("the end of an operation is missing in the audit log", "id", id, "error", err)
	}
}

// passes says whether a batch failed on what others do at the same moment.
func passes(err error) bool { return database.Retryable(err) || errs.Of(err) == errs.Overloaded }

func (s *Service) call(ctx context.Context, sql string, args ...any) (batch, error) {
	rows, err := s.db.Query(ctx, sql, args...)
	if err != nil {
		return batch{}, database.Error("make a batch of an operation", err)
	}
	b, err := pgx.CollectExactlyOneRow(rows, scanBatch)
	return b, database.Error("make a batch of an operation", err)
}

const (
	firstRetry = time.Second
	lastRetry  = time.Minute
	mostFails  = 10 // tries in a row that fail on something that does not pass by itself
)

// failed writes that a batch failed. What may pass is tried again by whichever node comes by then; a queue that is gone, and what fails again and
// again, end the operation.
func (s *Service) failed(ctx context.Context, c claim, cause error) {
	var wait *time.Duration
	d := min(firstRetry<<min(c.failures, 10), lastRetry)
	said := cause.Error()
	var known *errs.Error
	if errors.As(cause, &known) {
		said = known.Message
	}
	switch code := errs.Of(cause); {
	case code == errs.NotFound || code == errs.Invalid:
	case code == errs.Internal && c.failures >= mostFails-1:
		s.Log.Error("an operation failed too often and ends", "id", c.id, "queue", c.queue, "action", c.action, "error", cause)
	default:
		wait = &d
		s.Log.Warn("a batch of an operation failed; it is tried again", "id", c.id, "queue", c.queue, "action", c.action, "retry_in", d, "error", cause)
	}
	if _, err := s.db.Exec(ctx, `select fetchq.operation_failed($1, $2, $3, $4)`, c.id, s.Node, said, wait); err != nil && ctx.Err() == nil {
		s.Log.Error("the failure of an operation cannot be written; its claim runs out", "id", c.id, "error", err)
	}
}
