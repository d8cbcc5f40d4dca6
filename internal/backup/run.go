package backup

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"filippo.io/age"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
)

// Options of backups.
type Options struct {
	// Connect opens a connection outside any pool, and past a transaction pooler.
	Connect func(context.Context) (*pgx.Conn, error)
	Program string // version of Fetchq, for the manifest
	Log     *slog.Logger
}

// Backups writes and restores queues of one database.
type Backups struct{ opt Options }

// New returns the backups of a migrated database.
func New(opt Options) *Backups { return &Backups{opt: opt} }

// Progress is how far a run, a verification or a restore has come.
type Progress struct {
	Phase  string // "read", "write", "index", "swap"
	Rows   int64  // of Total, which is what the counters say where it is not known yet
	Total  int64
	Bytes  int64 // of text, before it is packed
	Stored int64 // bytes that came to the destination, or from it
}

// RunParams say what is written where.
type RunParams struct {
	Queues []string // none: all
	// Installation: users, tokens and what else is of the whole installation too, as parts says. There are hashes of secrets in it, so it is for
	// who has the database anyway.
	Installation bool
	Name         string   // "": one that begins with the time of the snapshot
	Recipients   []string // age's public keys; none: not encrypted
	MaxRate      int64    // bytes of text a second; 0: as fast as it goes
	Readers      int      // connections that read side by side; 0: 2
	Volume       int64    // bytes of an object; 0: 40 GB
	Progress     func(Progress)
}

// Run writes a backup, and returns its manifest. When it returns an error, nothing is left of it at the destination, unless that is away too.
// Errors: NotFound (a queue), Invalid (a name or a key), Exists (the name), Overloaded (somebody holds a queue), Unavailable.
func (b *Backups) Run(ctx context.Context, to *Store, p RunParams) (Manifest, error) {
	recipients, err := recipientsOf(p.Recipients)
	if err != nil {
		return Manifest{}, err
	}
	s, err := b.takeSnapshot(ctx, p.Queues, p.Installation)
	if err != nil {
		return Manifest{}, err
	}
	defer closeConn(ctx, s.conn)
	m := Manifest{Format: Format, Name: p.Name, Program: b.opt.Program, Postgres: s.postgres, SnapshotAt: s.at, Queues: s.queues, Installation: s.installation}
	if m.Name == "" {
		var tail [4]byte
		if _, err := rand.Read(tail[:]); err != nil {
			return m, err
		}
		m.Name = "fetchq-" + s.at.UTC().Format("20060102T150405Z") + "-" + hex.EncodeToString(tail[:])
	}
	if !goodName.MatchString(m.Name) {
		return m, errs.New(errs.Invalid, "the name of a backup is 1 to 100 letters, digits, - and _")
	}
	if len(recipients) > 0 {
		m.Encryption = "age"
	}
	// Two runs under one name would write over each other.
	for _, object := range []string{m.Name + manifestEnd, objectName(m.Name, 1, len(recipients) > 0)} {
		if there, err := to.exists(ctx, object); err != nil {
			return m, err
		} else if there {
			return m, errs.New(errs.Exists, "%s has a backup named %s", to, m.Name)
		}
	}
	w := &run{b: b, s: s, p: p, m: &m}
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	w.archive = &archive{ctx: inner, store: to, name: m.Name, limit: p.Volume, readers: recipients, time: s.at}
	if w.archive.limit <= 0 {
		w.archive.limit = volumeBytes - 4*chunkBytes
	}
	done, err := w.write(inner)
	if err != nil {
		cancel()
		if failed := w.archive.remove(); failed != nil {
			b.opt.Log.Warn("what was written of a backup that failed could not be removed", "backup", m.Name, "destination", to.String(), "error", failed)
		}
		return m, database.Error("write a backup", err)
	}
	return done, nil
}

func recipientsOf(keys []string) (list []age.Recipient, err error) {
	for _, key := range keys {
		r, err := age.ParseX25519Recipient(key)
		if err != nil {
			return nil, errs.New(errs.Invalid, "%.70q is no public key of age; one looks like age1… and is printed by age-keygen", key)
		}
		list = append(list, r)
	}
	return list, nil
}

// run is one that is under way.
type run struct {
	b       *Backups
	s       *snapshot
	p       RunParams
	m       *Manifest
	archive *archive
	lease   []atomic.Int64 // by queue
	so      Progress
}

// write reads with several connections and writes with one hand: what the destination does not take up is not read either.
func (w *run) write(ctx context.Context) (Manifest, error) {
	readers := w.p.Readers
	if readers <= 0 {
		readers = 2
	}
	w.lease = make([]atomic.Int64, len(w.m.Queues))
	w.so = Progress{Phase: "write"}
	for _, q := range w.m.Queues {
		w.so.Total += q.Documents()
	}
	w.tell()
	free, full := make(chan []byte, readers+2), make(chan *chunk)
	for range cap(free) {
		free <- make([]byte, 0, chunkBytes)
	}
	work := make(chan reading, len(w.s.sources))
	for _, r := range w.s.sources {
		work <- r
	}
	close(work)
	group, inner := errgroup.WithContext(ctx)
	var reading errgroup.Group
	for range min(readers, len(w.s.sources)) {
		reading.Go(func() error { return w.read(inner, work, free, full) })
	}
	group.Go(func() error {
		err := reading.Wait()
		close(full)
		return err
	})
	group.Go(func() error {
		have := map[string]bool{}
		err := w.collect(inner, free, full, have)
		if err != nil {
			for c := range full { // the readers end with the context
				free <- c.text
			}
		}
		return err
	})
	if err := group.Wait(); err != nil {
		return *w.m, err
	}
	for i := range w.m.Queues {
		w.m.Queues[i].Lease = w.lease[i].Load()
	}
	if err := w.s.conn.QueryRow(ctx, `select clock_timestamp()`).Scan(&w.m.FinishedAt); err != nil {
		return *w.m, err
	}
	return w.archive.close(*w.m)
}

// read copies texts out of the snapshot until there are no more.
func (w *run) read(ctx context.Context, work <-chan reading, free <-chan []byte, full chan<- *chunk) error {
	conn, err := w.b.connect(ctx)
	if err != nil {
		return err
	}
	defer closeConn(ctx, conn)
	if _, err := conn.Exec(ctx, begin+`; set transaction snapshot '`+w.s.id+`'`); err != nil {
		return err
	}
	for r := range work {
		c := &cutter{ctx: ctx, queue: r.queue, table: r.table, free: free, full: full}
		if stored(r.table) == "docs" {
			highest := &w.lease[r.queue]
			c.seen = func(row []byte) {
				n := number(row)
				for old := highest.Load(); old < n && !highest.CompareAndSwap(old, n); old = highest.Load() {
					continue // another connection has raised it
				}
			}
		}
		if _, err := conn.PgConn().CopyTo(ctx, c, `copy (`+r.query+`) to stdout`); err != nil {
			return fmt.Errorf("read %s/%s: %w", w.m.folder(r.queue), r.table, err)
		}
		if err := c.flush(); err != nil {
			return err
		}
	}
	return nil
}

// collect writes chunks as they come, at the rate that is allowed, and the scripts behind them.
func (w *run) collect(ctx context.Context, free chan<- []byte, full <-chan *chunk, have map[string]bool) error {
	var limit *rate.Limiter
	if w.p.MaxRate > 0 {
		limit = rate.NewLimiter(rate.Limit(w.p.MaxRate), chunkBytes)
	}
	for c := range full {
		if limit != nil {
			if err := limit.WaitN(ctx, len(c.text)); err != nil {
				return err
			}
		}
		folder, tables := w.m.folder(c.queue), w.m.tables(c.queue)
		if err := w.archive.add(c.name(folder), c.text, c.rows); err != nil {
			return err
		}
		have[folder+"/"+c.table] = true
		for i := range tables {
			if t := &tables[i]; t.Name == stored(c.table) {
				t.Rows += c.rows
				t.Bytes += int64(len(c.text))
			}
		}
		w.so.Rows += c.rows
		w.so.Bytes += int64(len(c.text))
		w.so.Total = max(w.so.Total, w.so.Rows)
		w.tell()
		free <- c.text
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, q := range w.m.Queues {
		text, err := w.s.script(ctx, q, have["q_"+q.Name+"/docs"])
		if err != nil {
			return err
		}
		if err := w.archive.add("q_"+q.Name+"/load.sql", []byte(text), 0); err != nil {
			return err
		}
	}
	return nil
}

func (w *run) tell() {
	if w.p.Progress == nil {
		return
	}
	w.so.Stored = w.archive.stored
	if w.archive.current != nil {
		w.so.Stored += w.archive.current.bytes.Load()
	}
	w.p.Progress(w.so)
}

// Duration is how long a run took.
func (m Manifest) Duration() time.Duration { return m.FinishedAt.Sub(m.SnapshotAt) }
