package web

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
	"github.com/fetchq/server/web/templates"
)

func (s *Server) errorsRoutes() {
	s.guard(http.MethodGet, "/errors", auth.See, s.allErrorsPage)
	s.guard(http.MethodGet, "/queues/:queue/errors", auth.See, s.errorsPage)
}

const (
	errorsPerPage = 50     // lines that a page shows
	linesLooked   = 50_000 // that a page of all queues looks at in them together, though 200 in each
	usualTime     = "24h"  // what a page of errors shows where its address says no time
	anyTime       = "all"  // the word of an address for no bounds
)

// errorsQuery is what the URL of a page of log lines says.
type errorsQuery struct {
	path                               string
	kind, queue, subject, text, within string
	from, to                           string // in place of within
	cursor, before                     string

	fingerprint string // of a group, whose page it is then
	lines       bool   // one by one, and not by group
	order       string // of groups
	version     string // of groups: of the documents
}

func readErrorsQuery(c echo.Context) errorsQuery {
	q := errorsQuery{
		path: c.Request().URL.Path, kind: c.QueryParam("kind"), queue: c.QueryParam("queue"), subject: strings.TrimSpace(c.QueryParam("subject")),
		text: strings.TrimSpace(c.QueryParam("q")), within: c.QueryParam("within"), cursor: c.QueryParam("cursor"), before: c.QueryParam("before"),
	}
	if q.kind != "note" && q.kind != "all" {
		q.kind = "error"
	}
	q.from, q.to, q.fingerprint, q.order, q.version = c.QueryParam("from"), c.QueryParam("to"), c.QueryParam("fingerprint"), c.QueryParam("order"), c.QueryParam("version")
	// Notes have no groups, and a group knows of no single document.
	q.lines = c.QueryParam("show") == "lines" || q.kind != "error" || q.subject+q.cursor+q.before != ""
	if q.within != "" {
		q.from, q.to = "", ""
	} else if q.from+q.to == "" {
		q.within = q.usual()
	}
	return q
}

// usual is the time of a page whose address says none: what is looked at is what is new, but of a group or of a document it is all.
func (q errorsQuery) usual() string {
	if q.fingerprint+q.subject != "" {
		return anyTime
	}
	return usualTime
}

// bounded says whether not all times are shown.
func (q errorsQuery) bounded() bool { return q.within != anyTime }

// at is the same page of another time: the last so long, or, where within is "", from a moment up to another.
func (q errorsQuery) at(within, from, to string) errorsQuery {
	q.within, q.from, q.to, q.cursor, q.before = within, from, to, "", ""
	return q
}

func (q errorsQuery) url(cursor, before string) string {
	v := url.Values{}
	show := ""
	if q.lines && q.fingerprint == "" {
		show = "lines"
	}
	within := q.within
	if within == q.usual() {
		within = ""
	}
	for _, f := range []struct{ name, value, none string }{
		{"kind", q.kind, "error"}, {"queue", q.queue, ""}, {"subject", q.subject, ""}, {"q", q.text, ""}, {"within", within, ""},
		{"from", q.from, ""}, {"to", q.to, ""}, {"cursor", cursor, ""}, {"before", before, ""}, {"fingerprint", q.fingerprint, ""}, {"show", show, ""},
		{"order", q.order, ""}, {"version", q.version, ""},
	} {
		if f.value != f.none {
			v.Set(f.name, f.value)
		}
	}
	if len(v) == 0 {
		return q.path
	}
	return q.path + "?" + v.Encode()
}

// check refuses what no list takes.
func (q errorsQuery) check() error {
	for _, f := range []struct{ field, value string }{{"subject", q.subject}, {"q", q.text}} {
		if err := wire.CheckText(f.field, f.value, queue.MaxSubject); err != nil {
			return err
		}
	}
	return nil
}

// span is the range: the last so long before now, or from a moment up to another; the zero time where there is no bound.
func (q errorsQuery) span(now time.Time) (from, to time.Time, err error) {
	if q.within == anyTime {
		return from, to, nil
	}
	if q.within != "" {
		span, err := wire.ParseInterval(q.within)
		if err != nil {
			return from, to, named("within", err)
		}
		return now.Add(-span.Approx()), to, nil
	}
	read := func(field, text string) (at time.Time, err error) {
		if text == "" {
			return at, nil
		}
		d, err := wire.ParseDate(text)
		switch {
		case err != nil:
			return at, named(field, err)
		case d.Delay != nil:
			return now.Add(d.Delay.Approx()), nil
		}
		return d.At, nil
	}
	from, err1 := read("from", q.from)
	to, err2 := read("to", q.to)
	return from, to, errors.Join(err1, err2)
}

// logKind is the engine's word; "" is all.
func (q errorsQuery) logKind() string {
	if q.kind == "all" {
		return ""
	}
	return q.kind
}

func (q errorsQuery) view(lines []queue.Log) templates.ErrorsView {
	v := templates.ErrorsView{
		Path: q.path, Kind: q.kind, Queue: q.queue, Subject: q.subject, Text: q.text, Within: q.within, From: q.from, To: q.to, Version: q.version,
		Filtered: q.subject+q.text+q.queue+q.version != "" || q.kind != "error", Paged: q.cursor+q.before != "", Bounded: q.bounded(), Time: timeWord(q),
		Fingerprint: q.fingerprint, ByLine: q.lines, Order: firstOf(q.order, queue.GroupOrders[0]),
	}
	v.Between, v.AnyTime, v.Clear = q.at("", "-1 day", "").url("", ""), q.at(anyTime, "", "").url("", ""), q.cleared().url("", "")
	for _, is := range []bool{q.kind != "error", q.queue != "", q.subject != "", q.text != "", q.version != "", q.within != q.usual()} {
		if is {
			v.Chosen++
		}
	}
	byGroup, byLine := q, q
	byGroup.lines, byGroup.kind, byGroup.subject, byGroup.fingerprint = false, "error", "", ""
	byLine.lines, byLine.fingerprint, byLine.order, byLine.version = true, "", "", ""
	v.Views = []templates.Tab{{Word: "Groups", Href: byGroup.url("", ""), Here: !q.lines}, {Word: "Lines", Href: byLine.url("", ""), Here: q.lines}}
	for _, l := range lines {
		v.Lines = append(v.Lines, lineView(l))
	}
	return v
}

// cleared is the same page without a filter.
func (q errorsQuery) cleared() errorsQuery {
	return errorsQuery{path: q.path, kind: "error", within: usualTime, lines: q.lines, order: q.order}
}

// timeWord says in words which time a page is of.
func timeWord(q errorsQuery) string {
	switch q.within {
	case anyTime:
		return ""
	case "":
		return "in that time"
	}
	return "in " + templates.TimeWord(q.within)
}

func lineView(l queue.Log) templates.LineView {
	v := templates.LineView{
		Group: groupURL(l), ID: l.ID, At: l.CreatedAt, Kind: l.Kind, Queue: l.Queue, Message: l.Message, RefID: text(l.RefID), Worker: text(l.Worker),
		Details: string(l.Details), Attempt: l.Attempt,
	}
	if l.Subject != nil {
		v.Subject = *l.Subject
		v.Href = queueURL(l.Queue, "document") + "?subject=" + url.QueryEscape(*l.Subject)
	}
	return v
}

// groupURL leads to the group of an error in its queue; "": it has none.
func groupURL(l queue.Log) string {
	if l.Fingerprint == "" {
		return ""
	}
	return queueURL(l.Queue, "errors") + "?fingerprint=" + l.Fingerprint
}

// errorsPage shows the errors of one queue: by group, one group, or the log lines, newest first.
func (s *Server) errorsPage(c echo.Context) error {
	ctx := c.Request().Context()
	q, err := s.Engine.Get(ctx, c.Param("queue"))
	if err != nil {
		return err
	}
	ask := readErrorsQuery(c)
	head := s.queueHead(c, q, "Errors")
	f := queueFrame(q.Name, "Errors")
	if ask.fingerprint != "" {
		return s.errorGroupPage(c, f, ask, &head, []string{q.Name})
	} else if !ask.lines {
		return s.errorGroupsPage(c, f, ask, &head, []string{q.Name})
	}
	from, to, err := ask.span(s.Now())
	if err == nil {
		err = ask.check()
	}
	var page queue.LogPage
	if err == nil {
		page, err = s.Engine.Logs(ctx, q.Name, queue.LogFilter{
			Kind: ask.logKind(), Subject: ask.subject, Text: ask.text, From: from, To: to, Limit: errorsPerPage, Cursor: ask.cursor, Before: ask.before,
		})
	}
	said, err := s.filterProblem(err)
	if err != nil {
		return err
	}
	for i := range page.Logs {
		page.Logs[i].Queue = q.Name
	}
	v := ask.view(page.Logs)
	v.Wrong = said
	v.Head = &head
	if page.Next != "" {
		v.Pager.Next = ask.url(page.Next, "")
	}
	if page.Previous != "" {
		v.Pager.Previous = ask.url("", page.Previous)
	}
	v.Pager.Note = shortNote(len(page.Logs), errorsPerPage, page.Next != "")
	return s.page(c, f, templates.Errors(v))
}

// filterProblem tells what is wrong with a filter from what is wrong with the server.
func (s *Server) filterProblem(err error) (said string, failed error) {
	if errs.Of(err) == errs.Invalid {
		return message(err), nil
	}
	return "", err
}

// shortNote says why a page has fewer rows than it could.
func shortNote(n, most int, more bool) string {
	if more && n < most {
		return "10,000 rows were looked at; go on to look at more"
	}
	return ""
}

// allErrorsPage shows the errors of all queues: by group, one group, or the log lines, newest first.
func (s *Server) allErrorsPage(c echo.Context) error {
	ctx := c.Request().Context()
	ask := readErrorsQuery(c)
	f := frame{title: "Errors", section: "Errors", crumbs: []templates.Crumb{{Word: "Errors"}}, live: true}
	var queues []string
	if ask.queue != "" {
		queues = []string{ask.queue}
	}
	if ask.fingerprint != "" {
		f.crumbs = []templates.Crumb{{Word: "Errors", Href: "/errors"}, {Word: "Group"}}
		return s.errorGroupPage(c, f, ask, nil, queues)
	} else if !ask.lines {
		return s.errorGroupsPage(c, f, ask, nil, queues)
	}
	from, to, err := ask.span(s.Now())
	if err == nil {
		err = ask.check()
	}
	filter := queue.ErrorFilter{Kind: ask.logKind(), Subject: ask.subject, Text: ask.text, From: from, To: to, Limit: errorsPerPage, Cursor: ask.cursor, Queues: queues}
	if ask.kind == "all" {
		ask.kind, filter.Kind = "error", "error" // notes of all queues are not looked for: each queue would be asked
	}
	names, failed := s.Engine.Names(ctx)
	if failed != nil {
		return failed
	}
	if queues == nil {
		filter.Looks = min(max(linesLooked/max(len(names), 1), searchLooks), 10_000)
	}
	var lines []queue.Log
	var next string
	if err == nil {
		lines, next, err = s.Engine.AllLogs(ctx, filter)
	}
	said, err := s.filterProblem(err)
	if err != nil {
		return err
	}
	v := ask.view(lines)
	v.Wrong, v.Queues = said, names
	if next != "" {
		v.Pager.Next = ask.url(next, "")
	}
	if ask.cursor != "" {
		v.Pager.Previous = ask.url("", "") // to the newest: the merge of many queues goes one way
		v.Pager.PreviousWord = "Newest"
	}
	v.Pager.Note = shortNote(len(lines), errorsPerPage, next != "")
	if v.Pager.Note != "" && filter.Looks != 0 {
		v.Pager.Note = templates.Exact(int64(filter.Looks)) + " lines of each queue were looked at; go on to look at more"
	}
	return s.page(c, f, templates.Errors(v))
}
