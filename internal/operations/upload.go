package operations

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
)

// Formats of an import.
const (
	NDJSON = "ndjson"
	CSV    = "csv"
)

// Limits of an upload.
const (
	partSize  = 1 << 20                    // bytes of a part, unless one record is longer
	maxNDJSON = wire.MaxPayload + 4096     // bytes of a line: a payload and the fields beside it
	maxCSV    = 2*wire.MaxPayload + 2*4096 // of a record, with its quotes written twice
	badLines  = 1000                       // refused lines that are kept before they are written
	renew     = time.Minute                // an upload that comes slowly says so often that it goes on; after five it has broken off
	tooLong   = "the line is longer than a payload of 1 MiB allows"
	notClosed = "a quote is not closed, or the record is longer than a payload of 1 MiB allows"
)

// ImportRequest says what is to be imported.
type ImportRequest struct {
	Queue      string
	Format     string // NDJSON or CSV
	OnConflict queue.OnConflict
	Key        string // the same key again is the same import, if the text is the same; "": none
	Asked      Asked
	Patience   func() // called whenever something came; may be nil
}

// Import stores documents that come one a line, and asks for their being pushed. It returns when all are stored: from then on any node
// pushes them. What is wrong with a line is a failure of the operation, with the line's number, and does not concern the others.
//
// Errors: NotFound (no such queue), Invalid (format, on_conflict, columns, idempotency_key), TooLarge and Overloaded (imports that are not done would store
// more than the limit), Malformed (the text broke off: nothing is imported).
func (s *Service) Import(ctx context.Context, r ImportRequest, text io.Reader) (Operation, error) {
	u := upload{s: s, csv: r.Format == CSV, patience: r.Patience, hash: sha256.New(), stored: s.Now()}
	switch {
	case queue.CheckName(r.Queue) != nil:
		return Operation{}, &errs.Error{Code: errs.NotFound, Field: "queue", Message: "there is no such queue; a name is 1 to 40 of a-z, 0-9 and _"}
	case !queue.Sees(ctx, r.Queue):
		return Operation{}, queue.See(ctx, r.Queue)
	case r.Format != NDJSON && r.Format != CSV:
		return Operation{}, errs.Field("format", "%.40q is no format; ndjson and csv are", r.Format)
	}
	if err := errors.Join(wire.CheckText("on_conflict", string(r.OnConflict), 40), wire.CheckText("idempotency_key", r.Key, 255)); err != nil {
		return Operation{}, err
	}
	text = io.TeeReader(text, u.hash)
	u.lines = newLineReader(text, maxNDJSON)
	var columns []string
	if u.csv {
		u.lines.most = maxCSV
		header, err := u.record()
		if err == nil {
			columns, err = readHeader(header)
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, errLong), errors.Is(err, errOpen):
			return Operation{}, errs.Field("columns", "the first line names the columns: subject, payload, version, priority or next_iteration")
		case err != nil:
			return Operation{}, brokenOff(err, 1)
		}
	}
	a := r.Asked
	o, body, made, err := s.beginImport(ctx, r.Queue, r.Format, columns, string(r.OnConflict), a.By, a.As, optional(a.From), optional(a.RequestID), optional(r.Key))
	if err != nil {
		return o, err
	}
	if !made {
		return o, u.same(text, body)
	}
	u.id = o.ID
	o, err = u.run(ctx)
	s.wake()
	return o, err
}

// beginImport returns the import, and, where one was made under the same key before, the hash of its text when that has come.
func (s *Service) beginImport(ctx context.Context, args ...any) (o Operation, body []byte, made bool, err error) {
	rows, err := s.db.Query(ctx, `select i.made, o.body, `+columns+` from fetchq.import_begin($1, $2, $3, $4, $5, $6, $7, $8, $9) i, lateral (select (i.op).*) o`, args...)
	if err != nil {
		return o, nil, false, database.Error("begin an import", err)
	}
	o, err = pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (Operation, error) {
		return scan(behind{row, []any{&made, &body}})
	})
	return o, body, made, database.Error("begin an import", err)
}

// same reads a text that comes again under its key, and refuses another one. While the first still comes nothing is known of it.
func (u *upload) same(text io.Reader, body []byte) error {
	if body == nil {
		return nil
	}
	for left := u.s.ImportLimit + 1; left > 0; {
		n, err := io.CopyN(io.Discard, text, min(left, partSize))
		left -= n
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return brokenOff(err, u.lines.line)
		}
		if u.patience != nil {
			u.patience()
		}
	}
	if !bytes.Equal(u.hash.Sum(nil), body) {
		return errs.Field("idempotency_key", "this key stands for another text; take a new one")
	}
	return nil
}

// behind is a row with more columns at its beginning.
type behind struct {
	pgx.CollectableRow
	first []any
}

// Scan implements pgx.CollectableRow.
func (b behind) Scan(to ...any) error { return b.CollectableRow.Scan(append(b.first, to...)...) }

// upload stores records as they come, in parts.
type upload struct {
	s        *Service
	id       uuid.UUID
	csv      bool
	lines    *lineReader
	patience func()
	hash     hash.Hash // of what was read
	stored   time.Time // when the server was told last that something comes

	part    []byte // that is being filled
	first   int64  // the number of its first line
	number  int    // of the part
	bad     []int64
	details []string
}

// run stores all records and puts the import in line. Where that fails the import ends.
func (u *upload) run(ctx context.Context) (Operation, error) {
	err := u.all(ctx)
	// The end of the upload is written also where its caller has gone.
	over, cancel := context.WithTimeout(context.WithoutCancel(ctx), outcomeWait)
	defer cancel()
	var said *string
	if err != nil {
		text := "the upload broke off"
		var known *errs.Error
		if errors.As(err, &known) {
			text = known.Message
		}
		said = &text
	}
	o, failed := u.s.one(over, "end an upload", `select `+columns+` from fetchq.import_end($1, $2, $3) o`, u.id, said, u.hash.Sum(nil))
	if err != nil {
		return Operation{}, err
	}
	return o, failed
}

func (u *upload) all(ctx context.Context) error {
	for {
		from := u.lines.line
		record, err := u.record()
		switch {
		case errors.Is(err, io.EOF):
			return u.store(ctx)
		case errors.Is(err, errLong):
			if err := u.refuse(ctx, from+1, tooLong); err != nil {
				return err
			}
			continue
		case errors.Is(err, errOpen):
			if err := u.refuse(ctx, from+1, notClosed); err != nil {
				return err
			}
			continue
		case err != nil:
			return brokenOff(err, u.lines.line)
		}
		if len(bytes.TrimSpace(record)) > 0 && u.patience != nil {
			u.patience() // blank lines would keep a place for ever
		}
		if len(u.part) > 0 && (len(u.part)+len(record) > partSize || u.s.Now().Sub(u.stored) >= renew) {
			if err := u.store(ctx); err != nil {
				return err
			}
		}
		if len(u.part) == 0 {
			u.first = from + 1
		}
		u.part = append(u.part, record...)
	}
}

// brokenOff is the error of text that ended in its middle.
func brokenOff(err error, line int64) error {
	var known *errs.Error
	if errors.As(err, &known) {
		return err
	}
	return errs.New(errs.Malformed, "the body ended in the middle, or came too slowly, in line %d; nothing is imported", line)
}

var errOpen = errors.New("a quote is not closed")

// record reads the next record. Of one whose quotes are not closed the first line is refused, errOpen, and the others are read anew: a quote that
// is missing spoils one line and not all behind it.
func (u *upload) record() ([]byte, error) {
	record, err := u.lines.next()
	if err != nil || !u.csv {
		return record, err
	}
	odd := bytes.Count(record, []byte{'"'})%2 == 1
	for odd {
		more, err := u.lines.next()
		end := errors.Is(err, io.EOF) || errors.Is(err, errLong)
		if err != nil && !end {
			return nil, err
		}
		if end || len(record)+len(more) > maxCSV {
			first := bytes.IndexByte(record, '\n') + 1
			if first == 0 {
				first = len(record)
			}
			if errors.Is(err, errLong) {
				u.note(u.lines.line, tooLong)
				more = []byte{'\n'} // in its place
			}
			u.lines.putBack(append(record[first:], more...))
			return nil, errOpen
		}
		record = append(record, more...)
		odd = odd != (bytes.Count(more, []byte{'"'})%2 == 1)
	}
	return record, nil
}

// note keeps a line that is refused as it comes.
func (u *upload) note(line int64, detail string) {
	u.bad, u.details = append(u.bad, line), append(u.details, detail)
}

// refuse is note for the line behind the part that is being filled, which ends there: the lines of a part follow each other.
func (u *upload) refuse(ctx context.Context, line int64, detail string) error {
	u.note(line, detail)
	if len(u.part) == 0 && len(u.bad) < badLines && u.s.Now().Sub(u.stored) < renew {
		return nil
	}
	return u.store(ctx)
}

// store writes the part that was filled, and refused lines.
func (u *upload) store(ctx context.Context) error {
	if len(u.part) == 0 && len(u.bad) == 0 {
		return nil
	}
	var own, all int64
	err := u.s.db.QueryRow(ctx, `select own, stored from fetchq.import_store($1, $2, $3, $4, $5, $6)`,
		u.id, u.number, u.first, u.part, u.bad, u.details).Scan(&own, &all)
	if err != nil {
		return database.Error("store a part of an import", err)
	}
	if len(u.part) > 0 {
		u.number++
	}
	u.part, u.bad, u.details, u.stored = u.part[:0], nil, nil, u.s.Now()
	switch most := u.s.ImportLimit; {
	case own > most:
		return errs.New(errs.TooLarge, "the import is larger than %d bytes, which FETCHQ_IMPORT_LIMIT allows; send it in pieces", most)
	case all > most:
		return errs.New(errs.Overloaded, "imports that are not done yet store %d bytes, and FETCHQ_IMPORT_LIMIT allows %d; try again when some are done", all, most)
	}
	return nil
}
