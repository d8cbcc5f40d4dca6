package queue

import (
	"context"
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/wire"
)

// The kinds of log lines.
const (
	KindError = "error"
	KindNote  = "note"
)

var kindCodes = map[string]int{KindNote: 0, KindError: 1}

// LogFilter chooses log lines of a queue. Zero values mean any.
type LogFilter struct {
	Kind    string // error or note
	Subject string
	From    time.Time // included
	To      time.Time // not included
	Text    string    // stands in the message, in any case of its letters

	Fingerprint string // of a group of errors; not with Before

	Limit  int // 1 to MaxList
	Cursor string
	Before string // not with Cursor; both as in DocFilter
}

// LogPage is one page of log lines. Next leads to older ones, Previous to newer ones; see DocPage.
type LogPage struct {
	Logs           []Log
	Next, Previous string
}

const logColumns = `id, created_at, kind, subject, message, details, ref_id, worker, attempt, fingerprint`

// Logs returns one page of a queue's log lines, newest first. A page looks at 10,000 rows at most, and nothing is skipped or
// shown twice, as with Docs. Errors: NotFound, Invalid (limit, cursor, before, kind, fingerprint).
func (e *Engine) Logs(ctx context.Context, queue string, f LogFilter) (out LogPage, err error) {
	if err := errors.Join(find(ctx, queue), checkLimit(f.Limit)); err != nil {
		return out, err
	}
	if f.Fingerprint != "" {
		return e.logsOfGroup(ctx, queue, f)
	}
	p := page{table: table(queue, "logs"), columns: logColumns, key: []string{"created_at", "id"}, desc: true, limit: f.Limit}
	if err := p.begin(f.Cursor, f.Before); err != nil {
		return out, err
	}
	if f.Subject != "" {
		p.within = append(p.within, "subject = "+p.add(f.Subject))
	}
	if !f.From.IsZero() {
		p.within = append(p.within, "created_at >= "+p.add(f.From))
	}
	if !f.To.IsZero() {
		p.within = append(p.within, "created_at < "+p.add(f.To))
	}
	if f.Kind != "" {
		code, known := kindCodes[f.Kind]
		if !known {
			return out, errs.Field("kind", "%.40q is no kind of line; there are error and note", f.Kind)
		}
		p.filter = append(p.filter, "kind = "+p.add(code))
	}
	if f.Text != "" {
		p.filter = append(p.filter, "position(lower("+p.add(f.Text)+") in lower(message)) > 0")
	}
	logs, edge, err := fetch(ctx, e, "list logs of "+queue, &p, scanLog, scanMomentKey)
	if err != nil {
		return out, err
	}
	out.Logs, out.Next, out.Previous = cut(p.from, logs, p.limit, edge, func(l Log) []string { return momentKey(l.CreatedAt, l.ID) })
	return out, e.redactLogs(ctx, queue, out.Logs)
}

// logsOfGroup is Logs for the lines of a group of errors, which turns forward only.
func (e *Engine) logsOfGroup(ctx context.Context, queue string, f LogFilter) (out LogPage, err error) {
	if f.Before != "" {
		return out, errs.Field("before", "a list of the lines of a group goes forward only")
	}
	if f.Kind == KindNote {
		return out, errs.Field("kind", "a note has no fingerprint; error is wanted")
	}
	if err := e.exists(ctx, queue); err != nil {
		return out, err
	}
	out.Logs, out.Next, err = e.AllLogs(ctx, ErrorFilter{
		Queues: []string{queue}, Kind: f.Kind, Subject: f.Subject, Text: f.Text, From: f.From, To: f.To, Limit: f.Limit, Cursor: f.Cursor, Fingerprint: f.Fingerprint,
	})
	for i := range out.Logs {
		out.Logs[i].Queue = ""
	}
	return out, err
}

func scanLog(row pgx.CollectableRow) (l Log, err error) {
	var kind int
	var code *int64
	err = row.Scan(&l.ID, &l.CreatedAt, &kind, &l.Subject, &l.Message, &l.Details, &l.RefID, &l.Worker, &l.Attempt, &code)
	l.Kind, l.Fingerprint = kindName(kind), fingerprintText(code)
	return l, err
}

// scanLogOf is scanLog with the queue before it. A row without a kind is no line.
func scanLogOf(row pgx.CollectableRow) (l Log, err error) {
	var kind *int
	var code *int64
	err = row.Scan(&l.Queue, &l.ID, &l.CreatedAt, &kind, &l.Subject, &l.Message, &l.Details, &l.RefID, &l.Worker, &l.Attempt, &code)
	l.Fingerprint = fingerprintText(code)
	if kind != nil {
		l.Kind = kindName(*kind)
	}
	return l, err
}

func kindName(code int) string {
	if code == kindCodes[KindError] {
		return KindError
	}
	return KindNote
}

// AddLogs writes notes about documents, or, without a subject, about the queue. Errors: NotFound, Invalid (too many, a field
// outside its limits).
func (e *Engine) AddLogs(ctx context.Context, queue, worker string, logs []NewLog) error {
	if err := errors.Join(find(ctx, queue), batch("logs", len(logs))); err != nil {
		return err
	}
	n := len(logs)
	messages := make([]string, n)
	var subjects, refs []*string
	var details [][]byte
	for i, l := range logs {
		if l.Message == "" {
			return errs.Field("logs["+strconv.Itoa(i)+"].message", "a line has a message")
		}
		messages[i] = l.Message
		put(&subjects, i, n, &l.Subject, l.Subject != "")
		put(&refs, i, n, &l.RefID, l.RefID != "")
		put(&details, i, n, l.Details, l.Details != nil)
	}
	_, err := retry(ctx, "write logs of "+queue, func() (any, error) {
		return e.db.Exec(ctx, `select fetchq.log_add_many($1, 0, $2, $3, $4, $5, $6)`, queue, subjects, messages, details, refs, optional(worker))
	})
	if spoiled(err) {
		return errs.Field("details", "cannot be stored as jsonb")
	}
	return err
}

// traceLogs is how many lines of each queue a trace shows.
const traceLogs = 200

// Traced is what is known of a subject in many queues.
type Traced struct {
	Documents []Document
	Logs      []Log
	Journal   []Transition
}

// Trace returns where a subject stands in all queues, or in those of only (nil: all), and the last lines about it in the log and
// in the journal of each. All stop growing at 16 MiB, and are empty where nothing is known of it. Errors: Invalid (subject).
func (e *Engine) Trace(ctx context.Context, subject string, only []string) (t Traced, err error) {
	if only, err = e.Only(ctx, only); err != nil {
		return t, err
	}
	if t.Documents, err = e.where(ctx, subject, only, documentColumns); err != nil {
		return t, err
	}
	logs, holds, err := queryPage(ctx, e, "trace the logs of a subject", scanLogOf, math.MaxInt,
		`select queue, `+logColumns+` from fetchq.trace_logs($1, $2, $3)`, subject, only, traceLogs)
	if err != nil {
		return t, err
	}
	t.Logs = logs[:holds]
	if err := errors.Join(e.redactDocs(ctx, nil, t.Documents), e.redactLogs(ctx, "", t.Logs)); err != nil {
		return Traced{}, err
	}
	t.Journal, err = e.traceJournal(ctx, subject, only)
	return t, err
}

// Everywhere is Trace without the lines, and without payloads over BriefPayload.
func (e *Engine) Everywhere(ctx context.Context, subject string, only []string) ([]Document, error) {
	only, err := e.Only(ctx, only)
	if err != nil {
		return nil, err
	}
	docs, err := e.where(ctx, subject, only, briefColumns)
	if err == nil {
		err = e.redactDocs(ctx, nil, docs)
	}
	if err != nil {
		return nil, err
	}
	return docs, nil
}

func (e *Engine) where(ctx context.Context, subject string, only []string, columns string) ([]Document, error) {
	if err := wire.CheckSubject(subject); err != nil {
		return nil, err
	}
	docs, holds, err := queryPage(ctx, e, "trace a subject", func(row pgx.CollectableRow) (Document, error) {
		var d Document
		err := row.Scan(&d.Queue, &d.Subject, &d.Seq, &d.Status, &d.Payload, &d.Version, &d.Priority, &d.Attempts, &d.Iterations, &d.Next,
			&d.CreatedAt, &d.LastIteration, &d.PickedAt, &d.Worker)
		return d, err
	}, math.MaxInt, `select queue, `+columns+` from fetchq.trace($1, $2)`, subject, only)
	return docs[:holds], err
}
