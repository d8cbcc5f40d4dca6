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
)

// scanMost is how many rows one page of a list may look at. A filter that no index serves may find few among them: the
// page is short then, and its cursor goes on from the last row that was looked at.
const scanMost = 10_000

// page is one page of a list in the order of a key of one or two columns, which an index serves in both directions.
type page struct {
	table   string   // quoted
	columns string   // what rows are made of
	key     []string // columns of the order, unique together
	desc    bool
	within  []string // conditions that the index serves; $n are places in args
	filter  []string // conditions that it does not

	contained string // the place of a JSON object that payloads contain; "": none is looked for

	args  []any
	from  place
	after []any // its key, as values of the columns
	limit int
}

// add appends an argument and returns its place.
func (p *page) add(v any) string {
	p.args = append(p.args, v)
	return "$" + strconv.Itoa(len(p.args))
}

// begin puts the page at the place that a cursor names. A key of two columns is one of a list by date.
func (p *page) begin(cursor, before string) (err error) {
	if p.from, err = placeOf(cursor, before, len(p.key)); err != nil || p.from.key == nil {
		return err
	}
	if len(p.key) == 1 {
		p.after = []any{p.from.key[0]}
		return nil
	}
	at, n, err := p.from.moment()
	p.after = []any{at, n}
	return err
}

// order is that in which the page looks at rows: on the way back from its end.
func (p *page) order() string {
	direction := ""
	if p.desc != p.from.back {
		direction = " desc"
	}
	return strings.Join(p.key, direction+", ") + direction
}

// inner is the scan: the rows behind the place in that order, as many as one page may look at.
func (p *page) inner() string {
	conditions := append([]string{"true"}, p.within...)
	if p.after != nil {
		compare := ">"
		if p.desc != p.from.back {
			compare = "<"
		}
		if p.from.included {
			compare += "="
		}
		places := make([]string, len(p.after))
		for i, v := range p.after {
			places[i] = p.add(v)
		}
		conditions = append(conditions, fmt.Sprintf("(%s) %s (%s)", strings.Join(p.key, ", "), compare, strings.Join(places, ", ")))
	}
	return fmt.Sprintf("select * from %s where %s order by %s limit %d", p.table, strings.Join(conditions, " and "), p.order(), scanMost)
}

// look is the statement that finds the rows of the page in a scan.
func (p *page) look(scan string) string {
	return fmt.Sprintf("select %s from (%s) scanned where %s order by %s limit %d", p.columns, scan, p.condition(), p.order(), p.limit+1)
}

// condition is what no index serves.
func (p *page) condition() string {
	all := append([]string{"true"}, p.filter...)
	if p.contained != "" {
		all = append(all, "payload @> "+p.contained+"::jsonb")
	}
	return strings.Join(all, " and ")
}

// bounded is the scan as far as a page looks at it, with upto, the bytes of payloads up to each row and with it, and nth, its number.
func (p *page) bounded(scan string) string {
	return fmt.Sprintf(`select * from (select *, sum(size) over (order by %[1]s rows unbounded preceding) as upto, row_number() over (order by %[1]s) as nth
		from (%[2]s) t) t where upto - size < %[3]d`, p.order(), scan, containedBytes)
}

// snapshot lets several looks see the same rows.
var snapshot = pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}

const byOrder = `select set_config(name, 'off', true) from unnest(array['enable_seqscan', 'enable_bitmapscan', 'jit']) name`

// fetch returns rows from the place on, one more than the page's limit if there are so many (it lowers the limit where the
// rows are large), and, when a filter left the page short of a scan that did not reach the end, the key of the last row that was looked at.
func fetch[T weighed](ctx context.Context, e *Engine, op string, p *page, row pgx.RowToFunc[T], key pgx.RowToFunc[[]string]) (rows []T, edge []string, err error) {
	scan := p.inner()
	// The condition is named without effect: each argument must have a type.
	end := fmt.Sprintf("select %s from (%s) scanned where true or %s offset %d", strings.Join(p.key, ", "), scan, p.condition(), scanMost-1)
	if p.contained != "" {
		scan = p.bounded(scan)
		end = fmt.Sprintf("select %s from (%s) scanned where nth = %d or upto >= %d or upto < 0 and %s order by nth limit 1",
			strings.Join(p.key, ", "), scan, scanMost, containedBytes, p.condition())
	}
	// Both looks see the same rows: with one that goes in between, the page would end behind rows that it did not look at.
	err = pgx.BeginTxFunc(ctx, e.db, snapshot, func(tx pgx.Tx) error {
		// By the index that has the order: of a smaller table the planner would read and sort all of it. To compile a plan takes longer than it.
		if _, err := tx.Exec(ctx, byOrder); err != nil {
			return err
		}
		found, err := tx.Query(ctx, p.look(scan), p.args...)
		if err != nil {
			return err
		}
		if rows, p.limit, err = take(found, row, p.limit); err != nil || len(rows) > p.limit || len(p.filter) == 0 && p.contained == "" {
			return err
		}
		found, err = tx.Query(ctx, end, p.args...)
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

func scanMomentKey(row pgx.CollectableRow) ([]string, error) {
	var at time.Time
	var n int64
	err := row.Scan(&at, &n)
	return momentKey(at, n), err
}

func checkLimit(limit int) error {
	if limit < 1 || limit > MaxList {
		return errs.Field("limit", "limit is %d; 1 to %d are allowed", limit, MaxList)
	}
	return nil
}
