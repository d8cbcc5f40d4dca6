package catalog

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/audit"
	"github.com/fetchq/server/internal/backup"
	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/operations"
)

// backup writes a backup. A try that died may have come to its end without anybody having written so: then that backup is it. Else what it left
// behind is removed, and another one is made under another name, so that two that do not know of each other never write one object.
func (t *try) backup(ctx context.Context) error {
	d, err := t.s.Destination(ctx, t.Asks.Destination)
	if err != nil {
		return err
	}
	store, err := t.s.create(ctx, d)
	if err != nil {
		return err
	}
	defer store.Close()
	if t.told.Name != "" {
		m, err := store.Manifest(ctx, t.told.Name)
		if err == nil {
			return t.made(ctx, d, m)
		}
		if errs.Of(err) != errs.NotFound {
			return err
		}
		if err := store.Discard(ctx, t.told.Name); err != nil {
			return err
		}
	}
	if err := t.name(ctx); err != nil {
		return err
	}
	m, err := t.s.Backups.Run(ctx, store, backup.RunParams{
		Queues: t.Asks.Queues, Name: t.told.Name, Recipients: d.Recipients, MaxRate: t.Asks.MaxRate, Progress: t.progress,
	})
	if err != nil {
		return err
	}
	return t.made(ctx, d, m)
}

// name gives the backup a name and writes it down before anything is there that has it.
func (t *try) name(ctx context.Context) error {
	var at time.Time
	if err := t.s.DB.QueryRow(ctx, `select clock_timestamp()`).Scan(&at); err != nil {
		return database.Error("read the clock", err)
	}
	var tail [4]byte
	if _, err := rand.Read(tail[:]); err != nil {
		return err
	}
	t.mu.Lock()
	t.told.Name = "fetchq-" + at.UTC().Format("20060102T150405Z") + "-" + hex.EncodeToString(tail[:])
	t.mu.Unlock()
	ok, err := t.tell(ctx)
	if err == nil && !ok {
		err = &errs.Error{Code: errs.Stale, Message: errLost.Error()}
	}
	return err
}

// made writes down that a backup is there, and lets go what need not be kept beside it.
func (t *try) made(ctx context.Context, d Destination, m backup.Manifest) error {
	so := t.finish(m, m.Duration())
	err := pgx.BeginFunc(ctx, t.s.DB, func(tx pgx.Tx) error {
		if err := t.done(ctx, tx, so); err != nil {
			return err
		}
		if err := record(ctx, tx, d.Name, m, t); err != nil {
			return err
		}
		if t.Asks.Schedule != "" {
			_, err := tx.Exec(ctx, `update fetchq.backup_schedules set good_due = $2, good_at = clock_timestamp(), failed_at = null, error = null
				where name = $1 and (good_due <= $2) is not false`, t.Asks.Schedule, t.Asks.Due)
			if err != nil {
				return err
			}
		}
		if !t.Asks.Verify {
			return nil
		}
		_, err := tx.Exec(ctx, `select fetchq.backup_add($1, $2, $3, $4)`, operations.Verify, Asks{Destination: d.Name, Name: m.Name, Schedule: t.Asks.Schedule}, t.AskedBy, t.AskedAs)
		return err
	})
	if err != nil {
		return database.Error("write down a backup", err)
	}
	t.s.listings.forget(d.Name)
	if d.Keeps() {
		t.s.prune(ctx, d)
	}
	return nil
}

// finish is what is told at the end.
func (t *try) finish(m backup.Manifest, took time.Duration) Told {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.told.Phase, t.told.Rows, t.told.Total, t.told.Bytes, t.told.Stored = "", m.Rows(), m.Rows(), m.Bytes(), m.Stored()
	t.told.Millis, t.told.Objects = took.Milliseconds(), objectsOf(m)
	return t.told
}

// done ends the operation, if it is this node's still.
func (t *try) done(ctx context.Context, tx pgx.Tx, so Told) error {
	if _, err := tx.Exec(ctx, `select fetchq.backup_done($1, $2, $3, $4)`, t.ID, t.s.Node, so, so.Rows); err != nil {
		return database.Error("end an operation", err)
	}
	return t.ended(ctx, tx, map[string]any{"state": operations.Done, "rows": so.Rows, "name": so.Name})
}

// ended writes what came of it to the audit log, in the name of who asked.
func (t *try) ended(ctx context.Context, tx pgx.Tx, details map[string]any) error {
	details["operation"], details["action"] = t.ID, t.Action
	return audit.Write(ctx, tx, operations.Asked{By: t.AskedBy, As: t.AskedAs}.Line(audit.OperationEnd, t.Asks.Destination, details))
}

func objectsOf(m backup.Manifest) []Object {
	list := make([]Object, len(m.Volumes))
	for i, v := range m.Volumes {
		list[i] = Object{Name: v.Object, Bytes: v.Bytes, SHA256: v.SHA256}
	}
	return list
}

// prune removes what a destination need not keep. What goes wrong there is told with the destination: the backup is made.
func (s *Service) prune(ctx context.Context, d Destination) {
	var gone []string
	store, err := s.open(ctx, d)
	if err == nil {
		defer store.Close()
		var now time.Time
		if err = s.DB.QueryRow(ctx, `select clock_timestamp()`).Scan(&now); err == nil {
			gone, err = store.Prune(ctx, d.Keep, now, false)
		}
	}
	s.listings.forget(d.Name)
	if err != nil {
		s.Log.Warn("what need not be kept of a destination was not all removed", "destination", d.Name, "error", err)
	} else if len(gone) > 0 {
		s.Log.Info("backups that need not be kept are removed", "destination", d.Name, "backups", gone)
	}
	_, failed := s.DB.Exec(ctx, `with gone as (
			update fetchq.backups set gone_at = clock_timestamp() where destination = $1 and name = any ($2) and gone_at is null
		)
		update fetchq.backup_destinations set pruned_at = clock_timestamp(), prune_error = $3 where name = $1`, d.Name, gone, told(err))
	if failed != nil {
		s.Log.Error("what was removed of a destination cannot be written down", "destination", d.Name, "error", failed)
	}
}

// verify reads a backup back, and keeps what was found.
func (t *try) verify(ctx context.Context) error {
	d, store, keys, err := t.from(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	m, err := store.Manifest(ctx, t.Asks.Name)
	if err == nil {
		err = pgx.BeginFunc(ctx, t.s.DB, func(tx pgx.Tx) error { return record(ctx, tx, d.Name, m, nil) })
	}
	if err != nil {
		return database.Error("look at a backup", err)
	}
	m, err = t.s.Backups.Verify(ctx, store, t.Asks.Name, backup.VerifyParams{Keys: keys, Load: t.Asks.Load, Progress: t.progress})
	if err != nil {
		return err
	}
	so := t.finish(m, t.s.Now().Sub(t.began))
	err = pgx.BeginFunc(ctx, t.s.DB, func(tx pgx.Tx) error {
		if err := t.done(ctx, tx, so); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `update fetchq.backups set verified_at = clock_timestamp(), verified_by = $3, loaded = $4, problem = null
			where (destination, name) = ($1, $2)`, d.Name, m.Name, t.AskedBy, t.Asks.Load)
		return err
	})
	return database.Error("write down a verification", err)
}

// from opens the destination of a backup that is there.
func (t *try) from(ctx context.Context) (Destination, *backup.Store, string, error) {
	d, err := t.s.Destination(ctx, t.Asks.Destination)
	if err != nil {
		return d, nil, "", err
	}
	keys, err := t.s.keys(d)
	if err != nil {
		return d, nil, "", err
	}
	store, err := t.s.open(ctx, d)
	return d, store, keys, err
}

// restore puts queues of a backup back. That they are there, and that the operation is done, is one transaction: who takes over from a node that
// died in it finds both or neither, and one that was canceled changes nothing.
func (t *try) restore(ctx context.Context) error {
	d, store, keys, err := t.from(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	m, err := store.Manifest(ctx, t.Asks.Name)
	if err != nil {
		return err
	}
	_, err = t.s.Backups.Restore(ctx, store, t.Asks.Name, backup.RestoreParams{
		Queues: t.Asks.Queues, As: t.Asks.As, Replace: t.Asks.Replace, SettingsOnly: t.Asks.SettingsOnly, Keys: keys, By: []string{t.AskedAs + ":" + t.AskedBy},
		Progress: t.progress,
		Commit: func(ctx context.Context, tx pgx.Tx, queues []backup.Restored) error {
			so := t.so()
			so.Phase = ""
			names := make([]string, len(queues))
			for i, q := range queues {
				names[i] = q.As
				so.Restored = append(so.Restored, Restored(q))
			}
			if err := t.done(ctx, tx, so); err != nil {
				return err
			}
			if err := record(ctx, tx, d.Name, m, nil); err != nil {
				return err
			}
			slices.Sort(names)
			_, err := tx.Exec(ctx, `update fetchq.backups set restored_at = clock_timestamp(), restored_by = $3, restored_as = $4
				where (destination, name) = ($1, $2)`, d.Name, m.Name, t.AskedBy, names)
			return err
		},
	})
	return err
}

// noteFailure writes down for whom an operation failed for good. That a backup could not be read for want of a key or of its destination says
// nothing of the backup.
func (t *try) noteFailure(ctx context.Context, tx pgx.Tx, cause error) error {
	var known *errs.Error
	switch {
	case t.Action == operations.Backup && t.Asks.Schedule != "":
		_, err := tx.Exec(ctx, `update fetchq.backup_schedules set failed_at = clock_timestamp(), error = $2 where name = $1`, t.Asks.Schedule, *told(cause))
		return err
	case t.Action == operations.Verify && errors.As(cause, &known) && known.Code == errs.Invalid && known.Field != "identity" && known.Field != "secret":
		_, err := tx.Exec(ctx, `update fetchq.backups set verified_at = clock_timestamp(), verified_by = $3, loaded = $4, problem = $5
			where (destination, name) = ($1, $2)`, t.Asks.Destination, t.Asks.Name, t.AskedBy, t.Asks.Load, known.Message)
		return err
	}
	return nil
}
