package audit

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/wire"
)

// Line is a line of the log.
type Line struct {
	ID        int64           `json:"id"`
	At        time.Time       `json:"at"`
	ActorKind Kind            `json:"actor_kind"`
	Actor     string          `json:"actor"`
	Action    Action          `json:"action"`
	Target    string          `json:"target"`
	Outcome   string          `json:"outcome"`
	Code      string          `json:"code"`
	Times     int             `json:"times"`
	Address   string          `json:"address"`
	RequestID string          `json:"request_id"`
	Details   json.RawMessage `json:"details"`
}

// Outcomes are those of a line.
var Outcomes = []string{"done", "refused"}

// Filter chooses lines; what is empty chooses all.
type Filter struct {
	Actor, Target string // whole
	Action        Action
	Outcome       string
	From, To      time.Time // from, and before
}

// Limits of a page.
const (
	MaxList  = 1000
	mostLook = 10_000 // lines that a page looks at
)

// place is where a page begins: behind a line.
type place struct {
	at time.Time
	id int64
}

// List returns a page of lines, the newest first, and the cursor of the next; "" at the end. A page may be short, or empty, where few
// of 10,000 lines match. Errors: Invalid (limit, cursor).
func (l *Log) List(ctx context.Context, f Filter, limit int, cursor string) ([]Line, string, error) {
	if limit < 1 || limit > MaxList {
		return nil, "", errs.Field("limit", "limit is %d; 1 to %d are allowed", limit, MaxList)
	}
	before := place{at: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}
	if cursor != "" {
		var err error
		if before, err = readCursor(cursor); err != nil {
			return nil, "", err
		}
	}
	lines, next, err := l.page(ctx, f, limit, before)
	if err != nil || next == nil {
		return lines, "", err
	}
	return lines, wire.EncodeCursor(strconv.FormatInt(next.at.UnixMicro(), 10), strconv.FormatInt(next.id, 10)), nil
}

func readCursor(text string) (p place, err error) {
	parts, err := wire.DecodeCursor(text, 2)
	var micros int64
	if err == nil {
		micros, err = strconv.ParseInt(parts[0], 10, 64)
	}
	if err == nil {
		p.id, err = strconv.ParseInt(parts[1], 10, 64)
	}
	if err != nil {
		return p, errs.Field("cursor", "is not one that this list gave; ask again without it")
	}
	p.at = time.UnixMicro(micros)
	return p, nil
}

// looked is the statement of the lines that a page looks at: a range of one index.
func (f Filter) looked(before place) (sql string, args []any) {
	conditions := []string{"(at, id) < ($1, $2)"}
	args = []any{before.at, before.id}
	add := func(there bool, condition string, value any) {
		if there {
			args = append(args, value)
			conditions = append(conditions, strings.Replace(condition, "?", "$"+strconv.Itoa(len(args)), 1))
		}
	}
	switch { // the one that leaves the fewest
	case f.Target != "":
		add(true, "target = ?", f.Target)
	case f.Actor != "":
		add(true, "actor = ?", f.Actor)
	case f.Action != "":
		add(true, "action = ?", f.Action)
	}
	add(!f.From.IsZero(), "at >= ?", f.From)
	add(!f.To.IsZero(), "at < ?", f.To)
	return `select * from fetchq_audit.lines where ` + strings.Join(conditions, " and ") + ` order by at desc, id desc`, args
}

// page returns up to limit lines behind a place, and where the next page begins; nil at the end.
func (l *Log) page(ctx context.Context, f Filter, limit int, before place) ([]Line, *place, error) {
	inner, args := f.looked(before)
	inner += ` limit ` + strconv.Itoa(mostLook)
	n := len(args)
	rows, err := l.db.Query(ctx, `select id, at, actor_kind, actor, action, target, outcome, code, times, address, request_id, details from (`+inner+`) l
		where ($`+strconv.Itoa(n+1)+` = '' or actor = $`+strconv.Itoa(n+1)+`) and ($`+strconv.Itoa(n+2)+` = '' or action = $`+strconv.Itoa(n+2)+`)
			and ($`+strconv.Itoa(n+3)+` = '' or outcome = $`+strconv.Itoa(n+3)+`)
		order by at desc, id desc limit $`+strconv.Itoa(n+4), append(args, f.Actor, string(f.Action), f.Outcome, limit+1)...)
	if err != nil {
		return nil, nil, database.Error("list the audit log", err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Line])
	if err != nil {
		return nil, nil, database.Error("list the audit log", err)
	}
	if len(lines) > limit {
		last := lines[limit-1]
		return lines[:limit], &place{last.At, last.ID}, nil
	}
	// There may be more behind those that were looked at.
	rows, err = l.db.Query(ctx, `select at, id from (`+inner+`) l offset `+strconv.Itoa(mostLook-1), args...)
	if err != nil {
		return nil, nil, database.Error("list the audit log", err)
	}
	edge, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p place, err error) {
		err = row.Scan(&p.at, &p.id)
		return p, err
	})
	if err != nil || len(edge) == 0 {
		return lines, nil, database.Error("list the audit log", err)
	}
	return lines, &edge[0], nil
}

// Each calls do with every line that matches, the newest first, page by page: no snapshot is held however long the reader takes.
func (l *Log) Each(ctx context.Context, f Filter, do func(Line) error) error {
	before := place{at: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}
	for {
		lines, next, err := l.page(ctx, f, MaxList, before)
		if err != nil {
			return err
		}
		for _, line := range lines {
			if err := do(line); err != nil {
				return err
			}
		}
		if next == nil {
			return nil
		}
		before = *next
	}
}
