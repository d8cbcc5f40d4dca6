package queue

import (
	"cmp"
	"context"
	"time"

	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/wire"
)

// ErrorFilter chooses log lines of many queues. Zero values mean any.
type ErrorFilter struct {
	Queues  []string  // nil: all
	Kind    string    // error or note; "": error
	Subject string    // the whole of it
	Text    string    // stands in the message, in any case of its letters
	From    time.Time // included
	To      time.Time // not included
	Limit   int       // 1 to MaxList
	Cursor  string    // from the page before
	Looks   int       // lines of each queue that a page looks at; 0: 10,000

	Fingerprint string // of a group of errors
}

// AllLogs returns one page of the errors, or of the notes, of many queues, and the cursor of the next; "" at the end. The order
// is the newest first, of one moment by queue and id, from the highest. No line is skipped or shown twice that stands still.
//
// Of each queue a page looks at 10,000 lines at most, or at as many as Looks says. Where one has more and few that are looked for among them, the page ends
// there: it may be short, or empty, and still have a next. It stops growing at 16 MiB as well. An error counts for its queue when the fold has seen it: one that is
// younger than 2 s may be missing, and show when the list is asked for anew. Notes are looked for in every queue, errors only
// in those that can have one on the page: with many queues, and a cursor or a bound far back, that is more of them.
//
// Errors: Invalid (limit, cursor, kind, fingerprint).
func (e *Engine) AllLogs(ctx context.Context, f ErrorFilter) (logs []Log, next string, err error) {
	if err := checkLimit(f.Limit); err != nil {
		return nil, "", err
	}
	if f.Kind == "" {
		f.Kind = KindError
	}
	code, known := kindCodes[f.Kind]
	if !known {
		return nil, "", errs.Field("kind", "%.40q is no kind of line; there are error and note", f.Kind)
	}
	at, in, id, err := lineOf(f.Cursor)
	if err != nil {
		return nil, "", err
	}
	group, err := fingerprint(f.Fingerprint)
	if err != nil {
		return nil, "", err
	}
	if f.Queues, err = e.Only(ctx, f.Queues); err != nil {
		return nil, "", err
	}
	logs, holds, err := queryPage(ctx, e, "list logs of all queues", scanLogOf, f.Limit, `select queue, `+logColumns+`
		from fetchq.log_search($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		code, f.Queues, optional(f.Subject), optional(f.Text), given(f.From), given(f.To), at, in, id, f.Limit+1, cmp.Or(f.Looks, scanMost), group)
	if err != nil {
		return nil, "", err
	}
	key := func(l Log) []string { return append(momentKey(l.CreatedAt, l.ID), l.Queue) }
	var edge []string
	if n := len(logs); n > 0 && logs[n-1].Kind == "" { // no line, but the place where a short page ends
		edge, logs = key(logs[n-1]), logs[:n-1]
	}
	logs, next, _ = cut(place{}, logs, holds, edge, key)
	if err := e.redactLogs(ctx, "", logs); err != nil {
		return nil, "", err
	}
	return logs, next, nil
}

// lineOf reads a cursor of AllLogs; at is nil where the list begins.
func lineOf(cursor string) (at *time.Time, queue string, id int64, err error) {
	if cursor == "" {
		return nil, "", 0, nil
	}
	parts, err := wire.DecodeCursor(cursor, 3)
	if err != nil {
		return nil, "", 0, err
	}
	t, id, err := place{key: parts}.moment()
	return &t, parts[2], id, err
}

// given is null for a moment that nobody named.
func given(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
