package backup

import (
	"bytes"
	"context"
	"errors"

	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
)

// VerifyParams say how a backup is looked at.
type VerifyParams struct {
	Keys     string // age's private keys, one a line, where the backup is encrypted
	Load     bool   // load all queues into a scratch schema too, and count them
	Workers  int    // connections for that; 0: 2
	Progress func(Progress)
}

// Verify reads a backup to its end and holds it against its manifest; and loads it, if asked. It changes nothing. Errors: as Restore.
func (b *Backups) Verify(ctx context.Context, from *Store, name string, p VerifyParams) (Manifest, error) {
	m, err := from.Manifest(ctx, name)
	if err != nil {
		return m, err
	}
	if !p.Load {
		return m, b.read(ctx, from, m, p)
	}
	targets, err := choose(m, RestoreParams{Installation: m.Installation != nil})
	if err != nil {
		return m, err
	}
	conn, err := b.connect(ctx)
	if err != nil {
		return m, err
	}
	defer release(ctx, conn)
	err = b.stage(ctx, conn, from, m, targets, loadParams{p.Keys, p.Workers, p.Progress}, func() error { return errScratch })
	if !errors.Is(err, errScratch) {
		return m, database.Error("verify a backup", err)
	}
	for _, t := range targets {
		loaded := Queue{Counters: t.counters}
		if loaded.Documents() != t.Documents() {
			return m, &errs.Error{Code: errs.Invalid, Err: errCounts, Message: "the backup of " + t.Name + " is whole, but its counters do not agree with its documents; fetchq doctor looks at those of the queue"}
		}
	}
	return m, nil
}

// errScratch ends the loading of a backup that only was to be tried.
var errScratch = errors.New("it was loaded")

// read holds the members against their digests, and their rows against their numbers.
func (b *Backups) read(ctx context.Context, from *Store, m Manifest, p VerifyParams) error {
	identities, err := identitiesOf(p.Keys)
	if err != nil {
		return err
	}
	w := &walker{store: from, m: m, identities: identities}
	so := Progress{Phase: "read", Total: m.Rows()}
	return w.walk(ctx, func(f Member, text []byte) error {
		if _, table := memberTable(f.Name); table != "" && int64(bytes.Count(text, []byte{'\n'})) != f.Rows {
			return damaged("%s has another number of rows than it should", f.Name)
		}
		so.Rows, so.Bytes, so.Stored = so.Rows+f.Rows, so.Bytes+f.Bytes, w.stored
		if p.Progress != nil {
			p.Progress(so)
		}
		return nil
	})
}
