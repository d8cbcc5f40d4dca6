package queue

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/wire"
)

// What a page may cost that looks into payloads.
const (
	containedBytes = 8 << 20               // of payloads, as they are stored, that a page without an index looks into
	containedWait  = 60 * time.Millisecond // for each of two statements, for the index
)

// CheckContained refuses what cannot be looked for in payloads; nil can, for nothing is. The error does not have it. Errors: Invalid.
func CheckContained(field string, object []byte) error {
	switch {
	case object == nil:
		return nil
	case len(object) > MaxContained:
		return errs.Field(field, "has %d bytes; the limit is %d", len(object), MaxContained)
	case wire.CheckJSON(object) != nil || bytes.TrimSpace(object)[0] != '{':
		return errs.Field(field, "a JSON object is wanted, which the payloads contain")
	}
	return nil
}

// fetch is the fetch of a page of documents. Where a payload is looked for it goes by the index of payloads, if the queue has one and it
// has few documents of this kind; else through the rows of the list, as any other filter that no index serves.
func (f *DocFilter) fetch(ctx context.Context, e *Engine, queue string, p *page, key pgx.RowToFunc[[]string]) (docs []Document, edge []string, err error) {
	op := "list documents of " + queue
	if p.contained != "" {
		indexed, err := queryRow(ctx, e, op, pgx.RowTo[bool], `select fetchq.payload_indexed($1) is true`, queue)
		if err != nil {
			return nil, nil, err
		}
		if indexed {
			docs, ok, err := e.fetchContained(ctx, op, queue, p, f.Payload)
			if ok || err != nil {
				return docs, nil, err
			}
		}
	}
	return fetch(ctx, e, op, p, scanDocument(queue), key)
}

// fetchContained is fetch by the index of payloads. Its entries have no order, so all documents are found first that contain the payload;
// false where these are more than a page may look at, or more than it finds in its time.
func (e *Engine) fetchContained(ctx context.Context, op, queue string, p *page, payload []byte) (docs []Document, ok bool, err error) {
	by := *p
	by.args = slices.Clone(p.args)
	by.table = fmt.Sprintf("(select * from %s where payload @> %s::jsonb limit %d) contained", p.table, p.contained, scanMost)
	look := by.look(by.inner())
	err = pgx.BeginTxFunc(ctx, e.db, snapshot, func(tx pgx.Tx) error {
		// What is left is the index of payloads alone.
		if _, err := tx.Exec(ctx, `select set_config('statement_timeout', $1, true), set_config('enable_seqscan', 'off', true),
			set_config('enable_indexscan', 'off', true), set_config('jit', 'off', true)`, fmt.Sprint(max(e.containedWait.Milliseconds(), 1))); err != nil {
			return err
		}
		var n int
		if err := tx.QueryRow(ctx, fmt.Sprintf("select count(*) from (select from %s where payload @> $1::jsonb limit %d) contained",
			p.table, scanMost+1), string(payload)).Scan(&n); err != nil || n > scanMost {
			return err
		}
		found, err := tx.Query(ctx, look, by.args...)
		if err != nil {
			return err
		}
		docs, by.limit, err = take(found, scanDocument(queue), p.limit)
		ok = err == nil
		return err
	})
	if tooLong(ctx, err) {
		return nil, false, nil
	}
	p.limit = by.limit
	return docs, ok, database.Error(op, err)
}

// tooLong says whether a statement was ended by its statement_timeout.
func tooLong(ctx context.Context, err error) bool {
	const canceled = "57014"
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == canceled && ctx.Err() == nil
}
