package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"

	"github.com/fetchq/server/internal/errs"
)

// loadParams are those of a restore that its loading wants.
type loadParams struct {
	keys     string
	parallel int
	progress func(Progress)
}

func (p loadParams) workers() int {
	if p.parallel <= 0 {
		return 2
	}
	return p.parallel
}

func (p loadParams) tell(so Progress) {
	if p.progress != nil {
		p.progress(so)
	}
}

// into is where in a stage the text of a table goes.
var into = map[string]string{
	"docs": "docs", "logs": "logs", "journal": "journal_0", "measures": "measures", "metrics": "_metrics", "folded": "_folded", "marks": "_marks",
	"error_deltas": "error_deltas", "error_groups": "_error_groups", "error_counts": "_error_counts",
	"series_10": "_series_10", "series_60": "_series_60", "series_600": "_series_600", "series_3600": "_series_3600",
}

// load reads a backup to its end, and writes what belongs to the targets into their stages: each member is held against its digest before a
// byte of it goes to Postgres.
func (b *Backups) load(ctx context.Context, from *Store, m Manifest, targets []*target, p loadParams) error {
	identities, err := identitiesOf(p.keys)
	if err != nil {
		return err
	}
	l := &loader{b: b, targets: map[string]*target{}, copies: map[string]string{}, work: make(chan piece)}
	for _, t := range targets {
		l.targets[t.Name] = t
		if err := l.prepare(ctx, t); err != nil {
			return err
		}
	}
	group, inner := errgroup.WithContext(ctx)
	for range p.workers() {
		group.Go(func() error { return l.write(inner) })
	}
	group.Go(func() error {
		defer close(l.work)
		w := &walker{store: from, m: m, identities: identities}
		so := Progress{Phase: "read", Total: m.Rows()}
		return w.walk(inner, func(f Member, text []byte) error {
			so.Rows += f.Rows
			so.Bytes += f.Bytes
			so.Stored = w.stored
			p.tell(so)
			return l.take(inner, f, text)
		})
	})
	return group.Wait()
}

// loader brings members to connections, which write them side by side.
type loader struct {
	b       *Backups
	targets map[string]*target
	copies  map[string]string // by stage and table: the statement
	work    chan piece
	open    int // bytes of rows, of all tables, that are not complete
	buffers sync.Pool
}

// piece is whole rows of one table.
type piece struct {
	copy string
	text []byte
	rows int64
}

// prepare makes the statements of a target's tables, and refuses columns that they do not have here.
func (l *loader) prepare(ctx context.Context, t *target) error {
	conn, err := l.b.connect(ctx)
	if err != nil {
		return err
	}
	defer closeConn(ctx, conn)
	for _, table := range t.Tables {
		name, known := into[table.Name]
		if t.installation {
			name, known = table.Name, true // makeInstallationStage knows
		}
		if !known {
			return errs.New(errs.Unsupported, "the backup has a table %s of the queue %s, which this Fetchq does not know; restore it with the one that wrote it", table.Name, t.Name)
		}
		columns := table.Columns
		if table.Name == "docs" {
			if len(columns) < len(first) || !slices.Equal(columns[:len(first)], first) {
				return damaged("the documents of %s do not begin with their lease", t.Name)
			}
			columns = columns[len(first):]
		}
		have, err := columnsOf(ctx, conn, t.stage, name)
		if err != nil {
			return err
		}
		if left := without(columns, have); left != nil {
			return errs.New(errs.Unsupported, "the backup has a column %s of %s, which this Fetchq does not know; restore it with the one that wrote it", left[0], table.Name)
		}
		l.copies[t.Name+"/"+table.Name] = fmt.Sprintf("copy %s (%s) from stdin", quoted(t.stage, name), list(columns))
	}
	return nil
}

// take hands on the rows that a member completes. The beginning of one that goes on in the next member waits for it.
func (l *loader) take(ctx context.Context, f Member, text []byte) error {
	queue, table := memberTable(f.Name)
	t := l.targets[queue]
	if t == nil || table == "" || len(text) == 0 {
		return nil
	}
	p := piece{copy: l.copies[queue+"/"+stored(table)], rows: int64(bytes.Count(text, []byte{'\n'}))}
	if p.copy == "" {
		return damaged("the manifest knows no table of %s", f.Name)
	}
	if p.rows != f.Rows {
		return damaged("%s has another number of rows than it should", f.Name)
	}
	open := t.open[table]
	delete(t.open, table)
	l.open -= len(open)
	if len(open) > 0 {
		open = append(open, text...)
		p.text = open
	} else {
		buffer, _ := l.buffers.Get().([]byte)
		buffer = append(buffer[:0], text...)
		p.text = buffer
	}
	end := bytes.LastIndexByte(p.text, '\n') + 1
	if end < len(p.text) {
		if l.open+len(p.text)-end > mostRowBytes {
			return damaged("a row of %s is larger than any can be", f.Name)
		}
		t.open[table] = append([]byte(nil), p.text[end:]...)
		l.open += len(p.text) - end
		p.text = p.text[:end]
	}
	if end == 0 {
		return nil
	}
	if stored(table) == "docs" {
		var highest int64
		p.text, highest = withoutColumns(p.text, len(first))
		t.Lease = max(t.Lease, highest)
	}
	select {
	case l.work <- p:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// write writes pieces with one connection until there are no more.
func (l *loader) write(ctx context.Context) error {
	conn, err := l.b.connect(ctx)
	if err != nil {
		return err
	}
	defer closeConn(ctx, conn)
	// What is lost when Postgres crashes here was not a queue yet.
	if _, err := conn.Exec(ctx, `set synchronous_commit = off`); err != nil {
		return err
	}
	for {
		select {
		case p, more := <-l.work:
			if !more {
				return nil
			}
			if err := put(ctx, conn, p); err != nil {
				return err
			}
			l.buffers.Put(p.text) //nolint:staticcheck // a slice of megabytes; its header is no matter
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func put(ctx context.Context, conn *pgx.Conn, p piece) error {
	tag, err := conn.PgConn().CopyFrom(ctx, bytes.NewReader(p.text), p.copy)
	var pg *pgconn.PgError
	if errors.As(err, &pg) && (strings.HasPrefix(pg.Code, "22") || strings.HasPrefix(pg.Code, "23")) {
		return damaged("Postgres does not take its rows: SQLSTATE %s", pg.Code)
	}
	if err == nil && tag.RowsAffected() != p.rows {
		return damaged("of %d rows Postgres took %d", p.rows, tag.RowsAffected())
	}
	return err
}
