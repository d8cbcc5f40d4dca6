package web

import (
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

// errorsPerPage is how many lines a page shows.
const errorsPerPage = 50

// errorsQuery is what the URL of a page of log lines says.
type errorsQuery struct {
	path                               string
	kind, queue, subject, text, within string
	cursor, before                     string
}

func readErrorsQuery(c echo.Context) errorsQuery {
	q := errorsQuery{
		path: c.Request().URL.Path, kind: c.QueryParam("kind"), queue: c.QueryParam("queue"), subject: strings.TrimSpace(c.QueryParam("subject")),
		text: strings.TrimSpace(c.QueryParam("q")), within: c.QueryParam("within"), cursor: c.QueryParam("cursor"), before: c.QueryParam("before"),
	}
	if q.kind != "note" && q.kind != "all" {
		q.kind = "error"
	}
	return q
}

func (q errorsQuery) url(cursor, before string) string {
	v := url.Values{}
	for _, f := range []struct{ name, value, none string }{
		{"kind", q.kind, "error"}, {"queue", q.queue, ""}, {"subject", q.subject, ""}, {"q", q.text, ""}, {"within", q.within, ""},
		{"cursor", cursor, ""}, {"before", before, ""},
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

// from is the begin of the range: so long before now; the zero time where there is none.
func (q errorsQuery) from(now time.Time) (time.Time, error) {
	if q.within == "" {
		return time.Time{}, nil
	}
	span, err := wire.ParseInterval(q.within)
	if err != nil {
		return time.Time{}, named("within", err)
	}
	return now.Add(-span.Approx()), nil
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
		Path: q.path, Kind: q.kind, Queue: q.queue, Subject: q.subject, Text: q.text, Within: q.within,
		Filtered: q.subject+q.text+q.within+q.queue != "" || q.kind != "error", Paged: q.cursor+q.before != "",
	}
	for _, l := range lines {
		v.Lines = append(v.Lines, lineView(l))
	}
	return v
}

func lineView(l queue.Log) templates.LineView {
	v := templates.LineView{
		ID: l.ID, At: l.CreatedAt, Kind: l.Kind, Queue: l.Queue, Message: l.Message, RefID: text(l.RefID), Worker: text(l.Worker),
		Details: string(l.Details), Attempt: l.Attempt,
	}
	if l.Subject != nil {
		v.Subject = *l.Subject
		v.Href = queueURL(l.Queue, "document") + "?subject=" + url.QueryEscape(*l.Subject)
	}
	return v
}

// errorsPage lists the log lines of one queue, newest first.
func (s *Server) errorsPage(c echo.Context) error {
	ctx := c.Request().Context()
	q, err := s.Engine.Get(ctx, c.Param("queue"))
	if err != nil {
		return err
	}
	ask := readErrorsQuery(c)
	from, err := ask.from(s.Now())
	if err == nil {
		err = ask.check()
	}
	var page queue.LogPage
	if err == nil {
		page, err = s.Engine.Logs(ctx, q.Name, queue.LogFilter{
			Kind: ask.logKind(), Subject: ask.subject, Text: ask.text, From: from, Limit: errorsPerPage, Cursor: ask.cursor, Before: ask.before,
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
	head := s.queueHead(c, q, "Errors")
	v.Head = &head
	if page.Next != "" {
		v.Pager.Next = ask.url(page.Next, "")
	}
	if page.Previous != "" {
		v.Pager.Previous = ask.url("", page.Previous)
	}
	v.Pager.Note = shortNote(len(page.Logs), errorsPerPage, page.Next != "")
	return s.page(c, queueFrame(q.Name, "Errors"), templates.Errors(v))
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

// allErrorsPage lists the log lines of all queues, newest first.
func (s *Server) allErrorsPage(c echo.Context) error {
	ctx := c.Request().Context()
	ask := readErrorsQuery(c)
	from, err := ask.from(s.Now())
	if err == nil {
		err = ask.check()
	}
	filter := queue.ErrorFilter{Kind: ask.logKind(), Subject: ask.subject, Text: ask.text, From: from, Limit: errorsPerPage, Cursor: ask.cursor}
	if ask.kind == "all" {
		ask.kind, filter.Kind = "error", "error" // notes of all queues are not looked for: each queue would be asked
	}
	if ask.queue != "" {
		filter.Queues = []string{ask.queue}
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
	v.Wrong = said
	if v.Queues, err = s.Engine.Names(ctx); err != nil {
		return err
	}
	if next != "" {
		v.Pager.Next = ask.url(next, "")
	}
	if ask.cursor != "" {
		v.Pager.Previous = ask.url("", "") // to the newest: the merge of many queues goes one way
		v.Pager.PreviousWord = "Newest"
	}
	v.Pager.Note = shortNote(len(lines), errorsPerPage, next != "")
	f := frame{title: "Errors", section: "Errors", crumbs: []templates.Crumb{{Word: "Errors"}}, live: true}
	return s.page(c, f, templates.Errors(v))
}
