package queue

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/wire"
)

// scanMost is how many rows one page of a list may look at. A filter that no index serves may find few among them: the
// page is short then, and its cursor goes on from the last row that was looked at.
const scanMost = 10_000

// page is one page of a list in the order of a key of one or two columns, which an index serves.
type page struct {
	table   string   // quoted
	columns string   // what rows are made of
	key     []string // columns of the order, unique together
	desc    bool
	within  []string // conditions that the index serves; $n are places in args
	filter  []string // conditions that it does not
	args    []any
	after   []any // the key of the row before; nil: from the beginning
	limit   int
}

// add appends an argument and returns its place.
func (p *page) add(v any) string {
	p.args = append(p.args, v)
	return "$" + strconv.Itoa(len(p.args))
}

// inner is the scan: the rows behind the cursor, in order, as many as one page may look at.
func (p *page) inner() string {
	conditions := append([]string{"true"}, p.within...)
	compare, direction := ">", ""
	if p.desc {
		compare, direction = "<", " desc"
	}
	if p.after != nil {
		places := make([]string, len(p.after))
		for i, v := range p.after {
			places[i] = p.add(v)
		}
		conditions = append(conditions, fmt.Sprintf("(%s) %s (%s)", strings.Join(p.key, ", "), compare, strings.Join(places, ", ")))
	}
	return fmt.Sprintf("select * from %s where %s order by %s%s limit %d", p.table, strings.Join(conditions, " and "),
		strings.Join(p.key, direction+", "), direction, scanMost)
}

// fetch returns one row more than the page's limit if there are so many (which it lowers where the rows are large), and, when a filter left the page short of a scan
// that did not reach the end, the key of the last row that was looked at.
func fetch[T weighed](ctx context.Context, e *Engine, op string, p *page, row pgx.RowToFunc[T], key pgx.RowToFunc[[]string]) (rows []T, edge []string, err error) {
	inner := p.inner()
	direction := ""
	if p.desc {
		direction = " desc"
	}
	order := strings.Join(p.key, direction+", ") + direction
	filter := strings.Join(append([]string{"true"}, p.filter...), " and ")
	look := fmt.Sprintf("select %s from (%s) scanned where %s order by %s limit %d", p.columns, inner, filter, order, p.limit+1)
	if len(p.filter) == 0 {
		rows, p.limit, err = queryPage(ctx, e, op, row, p.limit, look, p.args...)
		return rows, nil, err
	}
	// Both looks see the same rows: with one that goes in between, the page would end behind rows that it did not look at.
	snapshot := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err = pgx.BeginTxFunc(ctx, e.db, snapshot, func(tx pgx.Tx) error {
		found, err := tx.Query(ctx, look, p.args...)
		if err != nil {
			return err
		}
		if rows, p.limit, err = take(found, row, p.limit); err != nil || len(rows) > p.limit {
			return err
		}
		// The filter is named without effect: each argument must have a type.
		found, err = tx.Query(ctx, fmt.Sprintf("select %s from (%s) scanned where true or %s offset %d",
			strings.Join(p.key, ", "), inner, filter, scanMost-1), p.args...)
		if err != nil {
			return err
		}
		edges, err := pgx.CollectRows(found, key)
		if len(edges) > 0 {
			edge = edges[0]
		}
		return err
	})
	return rows, edge, database.Error(op, err)
}

// cursorTime writes a moment into a cursor.
func cursorTime(t time.Time) string { return strconv.FormatInt(t.UnixMicro(), 10) }

// timeCursor reads a cursor of a moment and a number, the key of a list by date.
func timeCursor(cursor string) ([]any, error) {
	parts, err := wire.DecodeCursor(cursor, 2)
	if err != nil {
		return nil, err
	}
	micros, err1 := strconv.ParseInt(parts[0], 10, 64)
	n, err2 := strconv.ParseInt(parts[1], 10, 64)
	if err1 != nil || err2 != nil {
		return nil, errs.Field("cursor", "is not one that this list gave; ask again without it")
	}
	return []any{time.UnixMicro(micros), n}, nil
}

func checkLimit(limit int) error {
	if limit < 1 || limit > MaxList {
		return errs.Field("limit", "limit is %d; 1 to %d are allowed", limit, MaxList)
	}
	return nil
}
