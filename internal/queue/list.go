package queue

import (
	"context"
	"errors"
	"strconv"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/errs"
)

// The orders of a list of documents.
const (
	BySubject = "subject"
	ByNext    = "next_iteration" // planned, pending or active ones, the oldest date first
	ByLast    = "last_iteration" // completed or killed ones, the newest first
)

// DocFilter chooses documents of a queue. Nil and zero mean any.
type DocFilter struct {
	Status        *Status
	SubjectPrefix string
	Version       *int
	Priority      *int
	AttemptsMin   int
	Worker        string // who holds the document, or held it last
	Order         string // "": by subject, or, for one status without prefix, attempts and worker, by date
	Limit         int    // 1 to MaxList
	Cursor        string // from a page beside this one: its Next, for what follows on it
	Before        string // its Previous, for the page that ends just before it; not with Cursor
}

// DocPage is one page of documents. Next and Previous lead to the pages beside it, as Cursor and as Before; each is "" where
// there is none. A page that was asked for without a cursor is the first one.
type DocPage struct {
	Documents      []Document
	Next, Previous string
}

// Docs returns one page of a queue's documents. No row is skipped or shown twice, on the way forward or back, that keeps its
// key meanwhile. A page looks at 10,000 rows at most, and stops growing at 16 MiB of payloads: it may be short, or empty, and
// still have one beside it. On the way back the page at the beginning may be short too. Errors: NotFound, Invalid (limit, cursor, before, order).
func (e *Engine) Docs(ctx context.Context, queue string, f DocFilter) (DocPage, error) {
	if err := errors.Join(find(queue), checkLimit(f.Limit), f.choose()); err != nil {
		return DocPage{}, err
	}
	switch {
	case f.Order == BySubject:
		return e.docsBySubject(ctx, queue, f)
	case f.Order == ByLast:
		return e.docsByDate(ctx, queue, f, "last_iteration", true)
	case *f.Status == Active:
		return e.docsByDate(ctx, queue, f, "next_iteration", false)
	}
	return e.docsByNext(ctx, queue, f)
}

// choose fills in the order, and refuses one that no index serves.
func (f *DocFilter) choose() error {
	rest := f.SubjectPrefix != "" || f.AttemptsMin > 0 || f.Worker != "" ||
		f.Priority != nil && f.Status != nil && *f.Status == Planned
	finished := f.Status != nil && (*f.Status == Completed || *f.Status == Killed)
	switch f.Order {
	case "":
		switch {
		case rest || f.Status == nil:
			f.Order = BySubject
		case finished:
			f.Order = ByLast
		default:
			f.Order = ByNext
		}
	case BySubject:
	case ByNext:
		if f.Status == nil || finished || rest {
			return errs.Field("order", "next_iteration goes with the status planned, pending or active, and without subject_prefix, attempts_min, worker and, for planned ones, priority")
		}
	case ByLast:
		if !finished || rest {
			return errs.Field("order", "last_iteration goes with the status completed or killed, and without subject_prefix, attempts_min and worker")
		}
	default:
		return errs.Field("order", "%.40q is no order; there are subject, next_iteration and last_iteration", f.Order)
	}
	return nil
}

func (e *Engine) docsBySubject(ctx context.Context, queue string, f DocFilter) (out DocPage, err error) {
	p := page{table: table(queue, "docs"), columns: documentColumns, key: []string{"subject"}, limit: f.Limit}
	if f.SubjectPrefix != "" {
		p.within = append(p.within, "subject >= "+p.add(f.SubjectPrefix))
		if end, open := prefixEnd(f.SubjectPrefix); !open {
			p.within = append(p.within, "subject < "+p.add(end))
		}
	}
	if err := p.begin(f.Cursor, f.Before); err != nil {
		return out, err
	}
	if f.Status != nil {
		p.filter = append(p.filter, "status = "+p.add(*f.Status))
	}
	f.restrict(&p)
	docs, edge, err := fetch(ctx, e, "list documents of "+queue, &p, scanDocument(queue), func(row pgx.CollectableRow) ([]string, error) {
		var subject string
		err := row.Scan(&subject)
		return []string{subject}, err
	})
	if err != nil {
		return out, err
	}
	out.Documents, out.Next, out.Previous = cut(p.from, docs, p.limit, edge, func(d Document) []string { return []string{d.Subject} })
	return out, nil
}

// restrict adds the conditions that no index serves.
func (f DocFilter) restrict(p *page) {
	if f.Version != nil {
		p.filter = append(p.filter, "version = "+p.add(*f.Version))
	}
	if f.Priority != nil {
		p.filter = append(p.filter, "priority = "+p.add(*f.Priority))
	}
	if f.AttemptsMin > 0 {
		p.filter = append(p.filter, "attempts >= "+p.add(f.AttemptsMin))
	}
	if f.Worker != "" {
		p.filter = append(p.filter, "worker = "+p.add(f.Worker))
	}
}

// docsByDate lists documents of one status by a date that its partial index leads with.
func (e *Engine) docsByDate(ctx context.Context, queue string, f DocFilter, date string, desc bool) (out DocPage, err error) {
	p := page{table: table(queue, "docs"), columns: documentColumns, key: []string{date, "seq"}, desc: desc, limit: f.Limit}
	// The status is no parameter: the planner must see that the partial index serves.
	p.within = []string{"status = " + strconv.Itoa(int(*f.Status))}
	if *f.Status != Active {
		p.within = append(p.within, "status in (3, -1)")
	}
	if err := p.begin(f.Cursor, f.Before); err != nil {
		return out, err
	}
	f.restrict(&p)
	docs, edge, err := fetch(ctx, e, "list documents of "+queue, &p, scanDocument(queue), scanMomentKey)
	if err != nil {
		return out, err
	}
	out.Documents, out.Next, out.Previous = cut(p.from, docs, p.limit, edge, func(d Document) []string {
		if desc {
			return momentKey(value(d.LastIteration), d.Seq)
		}
		return momentKey(d.Next, d.Seq)
	})
	return out, nil
}

// docsByNext lists planned or pending documents by date. Their indexes lead with the version (and the priority), so each of
// these is a scan of its own, and the scans are merged.
func (e *Engine) docsByNext(ctx context.Context, queue string, f DocFilter) (out DocPage, err error) {
	from, err := placeOf(f.Cursor, f.Before, 2)
	if err != nil {
		return out, err
	}
	at, seq, err := from.moment()
	switch {
	case err != nil:
		return out, err
	case from.key == nil:
		at = time.UnixMicro(0).AddDate(-1, 0, 0)
	case from.included && from.back:
		seq++
	case from.included:
		seq--
	}
	docs, holds, err := queryPage(ctx, e, "list documents of "+queue, scanDocument(queue), f.Limit,
		`select `+documentColumns+` from fetchq.docs_by_next($1, $2, $3, $4, $5, $6, $7, $8)`,
		queue, *f.Status, f.Version, f.Priority, at, seq, f.Limit+1, from.back)
	if err != nil {
		return out, err
	}
	out.Documents, out.Next, out.Previous = cut(from, docs, holds, nil, func(d Document) []string { return momentKey(d.Next, d.Seq) })
	return out, nil
}

// prefixEnd returns the first text behind all that begin with p, which letter by letter is byte by byte in UTF-8; open where
// there is none.
func prefixEnd(p string) (end string, open bool) {
	for r := []rune(p); len(r) > 0; r = r[:len(r)-1] {
		next := r[len(r)-1] + 1
		if next > utf8.MaxRune {
			continue
		}
		if utf16.IsSurrogate(next) {
			next = 0xE000 // the first letter behind those that are none
		}
		return string(r[:len(r)-1]) + string(next), false
	}
	return "", true
}

// Names returns the names of all queues, in their order.
func (e *Engine) Names(ctx context.Context) ([]string, error) {
	return query(ctx, e, "list queues", pgx.RowTo[string], `select name from fetchq.queues order by name`)
}
