package operations

import (
	"bytes"
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/queue"
)

// file is the text of an import and the place in it to go on from.
type file struct {
	format  string
	columns []string
	part    int
	place   int    // bytes of the part that are done
	line    int64  // the number of the line there
	text    []byte // of the part from its beginning; nil: not read yet
}

// read reads the part, unless it is there already. Behind the last part there is none: its text is empty.
func (f *file) read(ctx context.Context, s *Service, c claim) error {
	if f.text != nil {
		return nil
	}
	var first int64
	err := s.db.QueryRow(ctx, `select line, data from fetchq.operation_parts where operation = $1 and part = $2`, c.id, f.part).Scan(&first, &f.text)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		f.text = []byte{}
	case err != nil:
		return database.Error("read a part of an import", err)
	case f.place == 0:
		f.line = first
	}
	return nil
}

// piece is what some lines say: documents, with the numbers of their lines, and what is wrong with other lines.
type piece struct {
	docs    []queue.Push
	lines   []int64
	starts  []int // where they stand in the part
	ends    []int
	bad     []int64
	details []string
	from    int   // the place of the first
	end     int   // the place behind them
	next    int64 // the number of the line there
}

// parse reads up to size records from the place on.
func (f *file) parse(size int) piece {
	p := piece{from: f.place, end: f.place, next: f.line}
	for p.end < len(f.text) && len(p.docs)+len(p.bad) < size {
		n, _ := endOfRecord(f.text[p.end:], f.format == CSV)
		record, line := f.text[p.end:p.end+n], p.next
		p.end += n
		p.next += int64(countLines(record))
		if len(bytes.TrimSpace(record)) == 0 {
			continue
		}
		var doc queue.Push
		var detail string
		if f.format == CSV {
			doc, detail = readCSV(f.columns, record)
		} else {
			doc, detail = queue.ReadPush(record)
		}
		if detail != "" {
			p.bad, p.details = append(p.bad, line), append(p.details, detail)
			continue
		}
		p.docs, p.lines = append(p.docs, doc), append(p.lines, line)
		p.starts, p.ends = append(p.starts, p.end-n), append(p.ends, p.end)
	}
	return p
}

// importBatch pushes the documents of the next lines, up to size of them, or puts them off. Where Postgres cannot read one of them, fewer lines
// are tried, and of that line alone it is told.
func (s *Service) importBatch(ctx context.Context, c claim, size int, later bool) (batch, error) {
	f := c.file
	if err := f.read(ctx, s, c); err != nil {
		return batch{}, err
	}
	for {
		p := f.parse(size)
		b, err := s.importPiece(ctx, c, p, later)
		if queue.Spoiled(err) && len(p.docs)+len(p.bad) > 1 {
			size = (len(p.docs) + len(p.bad)) / 2
			continue
		}
		if queue.Spoiled(err) && len(p.docs) == 1 {
			p.bad, p.details = p.lines, []string{"the document cannot be stored by Postgres"}
			p.docs, p.lines, p.starts, p.ends = nil, nil, nil, nil
			b, err = s.importPiece(ctx, c, p, later)
		}
		if err != nil {
			return b, err
		}
		if b.items == 0 && len(p.docs) > 0 {
			return b, nil // the line goes on waiting
		}
		f.place, f.line = p.end, p.next
		if p.end >= len(f.text) {
			f.part, f.place, f.text = f.part+1, 0, nil
		}
		return b, nil
	}
}

func (s *Service) importPiece(ctx context.Context, c claim, p piece, later bool) (batch, error) {
	args := append([]any{c.id, s.Node, c.file.part, p.from, p.end, p.next, p.lines, p.starts, p.ends}, queue.Arrays(p.docs)...)
	return s.call(ctx, `select * from fetchq.import_step($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`,
		append(args, p.bad, p.details, later)...)
}
