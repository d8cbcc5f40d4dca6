package queue

import (
	"context"
	"errors"
	"slices"
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
	Due           Span   // of planned or pending ones: their dates
	Finished      Span   // of completed or killed ones: when
	Created       Span
	Payload       []byte // a JSON object that their payloads contain, as jsonb understands it; up to MaxContained bytes
	Order         string // "": by date, where one status is chosen and an index leads to it; else by subject
	Limit         int    // 1 to MaxList
	Cursor        string // from a page beside this one: its Next, for what follows on it
	Before        string // its Previous, for the page that ends just before it; not with Cursor
	Brief         bool   // a payload that takes more than BriefPayload is not read: it is nil
}

// MaxContained is how long an object may be that is looked for in payloads, in bytes.
const MaxContained = 4096

// Span is from one moment on to before another; nil is open.
type Span struct{ From, To *time.Time }

func (s Span) open() bool { return s == Span{} }

// in adds the conditions that a column lies in the span.
func (s Span) in(column string, add func(any) string) (conditions []string) {
	if s.From != nil {
		conditions = append(conditions, column+" >= "+add(*s.From))
	}
	if s.To != nil {
		conditions = append(conditions, column+" < "+add(*s.To))
	}
	return conditions
}

// BriefPayload is how many bytes a payload may take, as it is stored, to be shown in a brief list.
const BriefPayload = 8 << 10

func (f *DocFilter) columns() string {
	if f.Brief {
		return briefColumns
	}
	return documentColumns
}

// DocPage is one page of documents. Next and Previous lead to the pages beside it, as Cursor and as Before; each is "" where
// there is none. A page that was asked for without a cursor is the first one.
type DocPage struct {
	Documents      []Document
	Places         []string // of each, as a cursor: what follows behind it, or, as Before, what stands before it
	Next, Previous string
}

// Docs returns one page of a queue's documents. No row is skipped or shown twice, on the way forward or back, that keeps its
// key meanwhile. A page looks at 10,000 rows at most, and stops growing at 16 MiB of payloads: it may be short, or empty, and
// still have one beside it. On the way back the page at the beginning may be short too. Errors: NotFound, Invalid (limit, cursor, before, order).
func (e *Engine) Docs(ctx context.Context, queue string, f DocFilter) (DocPage, error) {
	if err := errors.Join(find(ctx, queue), checkLimit(f.Limit), f.choose()); err != nil {
		return DocPage{}, err
	}
	if err := e.MayFilter(ctx, queue, "payload", f.Payload); err != nil {
		return DocPage{}, err
	}
	page, err := e.docs(ctx, queue, f)
	if err == nil {
		err = e.redactDocs(ctx, []string{queue}, page.Documents)
	}
	if err != nil {
		return DocPage{}, err
	}
	return page, nil
}

func (e *Engine) docs(ctx context.Context, queue string, f DocFilter) (DocPage, error) {
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

// cut makes the page of what was fetched for a place; see cut.
func (p *DocPage) cut(from place, docs []Document, limit int, edge []string, key func(Document) []string) {
	p.Documents, p.Next, p.Previous = cut(from, docs, limit, edge, key)
	for _, d := range p.Documents {
		p.Places = append(p.Places, place{key: key(d)}.cursor())
	}
}

// choose fills in the order, and refuses one that no index serves.
func (f *DocFilter) choose() error {
	finished := f.Status != nil && (*f.Status == Completed || *f.Status == Killed)
	waits := f.Status != nil && (*f.Status == Planned || *f.Status == Pending)
	switch {
	case !f.Due.open() && !waits:
		return errs.Field(f.Due.name("due"), "due_after and due_before go with the status planned or pending")
	case !f.Finished.open() && !finished:
		return errs.Field(f.Finished.name("finished"), "finished_after and finished_before go with the status completed or killed")
	}
	if err := CheckContained("payload", f.Payload); err != nil {
		return err
	}
	orders := f.Orders()
	switch {
	case f.Order == "":
		f.Order = orders[0]
	case slices.Contains(orders, f.Order):
	case f.Order == ByNext:
		return errs.Field("order", "next_iteration goes with the status planned, pending or active, and without subject_prefix; "+
			"of planned and pending ones also without attempts_min, worker, created_after, created_before and payload, of planned ones without priority")
	case f.Order == ByLast:
		return errs.Field("order", "last_iteration goes with the status completed or killed, and without subject_prefix")
	default:
		return errs.Field("order", "%.40q is no order; there are subject, next_iteration and last_iteration", f.Order)
	}
	return nil
}

// Orders are those that the list may have, for there is an index; the first is that which it has by itself.
func (f *DocFilter) Orders() []string {
	if f.Status == nil || f.SubjectPrefix != "" {
		return []string{BySubject}
	}
	switch *f.Status {
	case Completed, Killed:
		return []string{ByLast, BySubject}
	case Planned, Pending:
		// They are many ranges of an index, which are merged: what no index serves would be looked for in each.
		if f.AttemptsMin > 0 || f.Worker != "" || !f.Created.open() || f.Payload != nil || f.Priority != nil && *f.Status == Planned {
			return []string{BySubject}
		}
	case Active:
	}
	return []string{ByNext, BySubject}
}

// name is the field of a request that gave the span.
func (s Span) name(what string) string {
	if s.From != nil {
		return what + "_after"
	}
	return what + "_before"
}

func (e *Engine) docsBySubject(ctx context.Context, queue string, f DocFilter) (out DocPage, err error) {
	p := page{table: table(queue, "docs"), columns: f.columns(), key: []string{"subject"}, limit: f.Limit}
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
	docs, edge, err := f.fetch(ctx, e, queue, &p, func(row pgx.CollectableRow) ([]string, error) {
		var subject string
		err := row.Scan(&subject)
		return []string{subject}, err
	})
	if err != nil {
		return out, err
	}
	out.cut(p.from, docs, p.limit, edge, func(d Document) []string { return []string{d.Subject} })
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
	p.filter = append(p.filter, f.Created.in("created_at", p.add)...)
	if f.Order == BySubject {
		p.filter = append(p.filter, f.Due.in("next_iteration", p.add)...)
		p.filter = append(p.filter, f.Finished.in("last_iteration", p.add)...)
	}
	if f.Payload != nil {
		p.contained = p.add(string(f.Payload))
	}
}

// docsByDate lists documents of one status by a date that its partial index leads with.
func (e *Engine) docsByDate(ctx context.Context, queue string, f DocFilter, date string, desc bool) (out DocPage, err error) {
	p := page{table: table(queue, "docs"), columns: f.columns(), key: []string{date, "seq"}, desc: desc, limit: f.Limit}
	// The status is no parameter: the planner must see that the partial index serves.
	p.within = []string{"status = " + strconv.Itoa(int(*f.Status))}
	if *f.Status != Active {
		p.within = append(p.within, "status in (3, -1)")
		p.within = append(p.within, f.Finished.in("last_iteration", p.add)...)
	}
	if err := p.begin(f.Cursor, f.Before); err != nil {
		return out, err
	}
	f.restrict(&p)
	docs, edge, err := f.fetch(ctx, e, queue, &p, scanMomentKey)
	if err != nil {
		return out, err
	}
	out.cut(p.from, docs, p.limit, edge, func(d Document) []string {
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
	case from.key == nil && f.Due.From != nil:
		at, seq = *f.Due.From, -1
	case from.key == nil:
		at = time.UnixMicro(0).AddDate(-1, 0, 0)
	case from.included && from.back:
		seq++
	case from.included:
		seq--
	}
	docs, holds, err := queryPage(ctx, e, "list documents of "+queue, scanDocument(queue), f.Limit,
		`select `+f.columns()+` from fetchq.docs_by_next($1, $2, $3, $4, $5, $6, $7, $8)`,
		queue, *f.Status, f.Version, f.Priority, at, seq, f.Limit+1, from.back)
	if err != nil {
		return out, err
	}
	docs = f.Due.cut(docs, from.back)
	out.cut(from, docs, min(holds, len(docs)), nil, func(d Document) []string { return momentKey(d.Next, d.Seq) })
	return out, nil
}

// cut takes off the documents that lie behind the span, of a page in the order in which it was looked at.
func (s Span) cut(docs []Document, back bool) []Document {
	for i, d := range docs {
		if back && s.From != nil && d.Next.Before(*s.From) || !back && s.To != nil && !d.Next.Before(*s.To) {
			return docs[:i]
		}
	}
	return docs
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

// Names returns the names of all queues that the context sees, in their order.
func (e *Engine) Names(ctx context.Context) ([]string, error) {
	names, err := query(ctx, e, "list queues", pgx.RowTo[string], `select name from fetchq.queues order by name`)
	return seenOf(ctx, names, func(name string) string { return name }), err
}
