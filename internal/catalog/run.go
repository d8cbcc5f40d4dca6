package catalog

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/backup"
	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/operations"
)

// claim is an operation that this node is at.
type claim struct {
	ID       uuid.UUID
	Action   string
	Asks     Asks
	Told     Told
	Failures int
	AskedBy  string
	AskedAs  string
}

const (
	tellEvery  = time.Second
	tellWithin = 8 * time.Second // a try that cannot say for so long that it goes on ends: after 15 s another node begins one
	firstRetry = 2 * time.Second
	lastRetry  = time.Minute
	mostFails  = 6 // tries in a row
)

var (
	errLost   = errors.New("the operation was canceled, or another node took it over")
	errSilent = errors.New("the database did not answer for too long")
)

// run carries out an operation until it is over, its claim is lost, it fails, or ctx ends.
func (s *Service) run(ctx context.Context, c claim) {
	log := s.Log.With("id", c.ID, "action", c.Action, "destination", c.Asks.Destination, "backup", c.Asks.Name, "by", c.AskedBy)
	log.Info("an operation on backups begins")
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	t := &try{s: s, claim: c, log: log}
	t.began, t.told = s.Now(), Told{Name: c.Told.Name}
	beats := make(chan struct{})
	go func() {
		defer close(beats)
		t.beat(inner, cancel)
	}()
	var err error
	switch c.Action {
	case operations.Backup:
		err = t.backup(inner)
	case operations.Verify:
		err = t.verify(inner)
	case operations.Restore:
		err = t.restore(inner)
	}
	cause := context.Cause(inner)
	cancel(nil)
	<-beats
	switch {
	case err == nil:
		so := t.so()
		log.Info("an operation on backups is done", "rows", so.Rows, "bytes", so.Bytes, "stored", so.Stored, "ms", so.Millis)
	case ctx.Err() != nil: // the program stops
	case errors.Is(cause, errLost) || errs.Of(err) == errs.Stale:
		log.Info("an operation on backups was canceled, or is another node's")
	default:
		if errors.Is(cause, errSilent) {
			err = &errs.Error{Code: errs.Unavailable, Message: errSilent.Error(), Err: err}
		}
		s.failed(ctx, t, err)
	}
}

// failed writes that a try failed. What may pass is tried again, by whichever node comes by then; what will not, and what fails again and again,
// ends the operation.
func (s *Service) failed(ctx context.Context, t *try, cause error) {
	var wait *time.Duration
	d := min(firstRetry<<min(t.Failures, 10), lastRetry)
	switch code := errs.Of(cause); {
	case t.Failures >= mostFails-1:
		t.log.Error("an operation on backups failed too often and ends", "error", cause)
	case code == errs.Unavailable || code == errs.Overloaded || code == errs.Internal:
		wait = &d
		t.log.Warn("an operation on backups failed; it is tried again", "retry_in", d, "error", cause)
	default:
		t.log.Error("an operation on backups failed", "error", cause)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), outcomeWait)
	defer cancel()
	err := pgx.BeginFunc(ctx, s.DB, func(tx pgx.Tx) error {
		var failures *int
		if err := tx.QueryRow(ctx, `select fetchq.operation_failed($1, $2, $3, $4)`, t.ID, s.Node, *told(cause), wait).Scan(&failures); err != nil {
			return err
		}
		if failures == nil || wait != nil {
			return nil // another node has it, or it goes on
		}
		if err := t.ended(ctx, tx, map[string]any{"state": operations.Failed, "error": *told(cause)}); err != nil {
			return err
		}
		return t.noteFailure(ctx, tx, cause)
	})
	if err != nil {
		t.log.Error("the failure of an operation on backups cannot be written; its claim runs out", "error", err)
	}
}

// try is one attempt at an operation.
type try struct {
	s *Service
	claim
	log   *slog.Logger
	began time.Time

	mu   sync.Mutex
	told Told
}

// progress takes in how far the work is.
func (t *try) progress(p backup.Progress) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.told.Phase, t.told.Rows, t.told.Total, t.told.Bytes, t.told.Stored = p.Phase, p.Rows, p.Total, p.Bytes, p.Stored
}

// so is how far it is now.
func (t *try) so() Told {
	t.mu.Lock()
	defer t.mu.Unlock()
	so := t.told
	if so.Objects == nil {
		so.Millis = t.s.Now().Sub(t.began).Milliseconds()
	}
	return so
}

// beat writes each second how far the work is, and ends it when nobody wants it any more.
func (t *try) beat(ctx context.Context, cancel context.CancelCauseFunc) {
	ticker := time.NewTicker(tellEvery)
	defer ticker.Stop()
	heard := t.s.Now()
	for {
		ok, err := t.tell(ctx)
		switch now := t.s.Now(); {
		case err == nil && !ok:
			cancel(errLost)
			return
		case err == nil:
			heard = now
		case now.Sub(heard) > tellWithin:
			cancel(errSilent)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// tell writes how far it is; false: the operation was canceled, or another node has it.
func (t *try) tell(ctx context.Context) (ok bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, tellWithin/2)
	defer cancel()
	so := t.so()
	err = t.s.DB.QueryRow(ctx, `select fetchq.backup_tell($1, $2, $3, $4, $5)`, t.ID, t.s.Node, so, so.Rows, so.Total).Scan(&ok)
	return ok, database.Error("write how far a backup is", err)
}
