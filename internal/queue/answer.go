package queue

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// weighed is what a list holds. Its weight is in bytes, but for what every row has.
type weighed interface{ weight() int }

func (d Document) weight() int { return len(d.Payload) }

func (l Log) weight() int { return len(l.Message) + len(l.Details) }

// take reads the rows of a page: up to limit of them, or fewer where they reach maxAnswer, and the one behind them if there is
// one. holds is how many the page holds. What comes further back is not kept, and the first row always fits.
func take[T weighed](rows pgx.Rows, row pgx.RowToFunc[T], limit int) (list []T, holds int, err error) {
	defer rows.Close()
	for bytes := 0; rows.Next(); {
		v, err := row(rows)
		if err != nil {
			return nil, 0, err
		}
		list = append(list, v)
		if len(list) > limit || bytes >= maxAnswer {
			return list, len(list) - 1, nil
		}
		bytes += v.weight()
	}
	return list, len(list), rows.Err()
}

// queryPage is query for the rows of a page; see take.
func queryPage[T weighed](ctx context.Context, e *Engine, op string, row pgx.RowToFunc[T], limit int, sql string, args ...any) ([]T, int, error) {
	type answer struct {
		list  []T
		holds int
	}
	a, err := retry(ctx, op, func() (a answer, err error) {
		rows, err := e.db.Query(ctx, sql, args...)
		if err != nil {
			return a, err
		}
		a.list, a.holds, err = take(rows, row, limit)
		return a, err
	})
	return a.list, a.holds, err
}
