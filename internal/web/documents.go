package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
	"github.com/fetchq/server/web/templates"
)

func (s *Server) documentsRoutes() {
	s.guard(http.MethodGet, "/queues/:queue/documents", auth.See, s.documentsPage)
	s.guard(http.MethodGet, "/queues/:queue/documents/new", auth.Add, s.newDocumentPage)
	s.guard(http.MethodPost, "/queues/:queue/documents/new", auth.Add, s.addDocument)
	s.guard(http.MethodPost, "/queues/:queue/documents/ask", auth.Act, s.askDocuments)
	s.guard(http.MethodPost, "/queues/:queue/documents/act", auth.Act, s.actOnDocuments)
}

// statuses are the states of a document in the order of its life.
var statuses = []queue.Status{queue.Planned, queue.Pending, queue.Active, queue.Completed, queue.Killed}

// pageSizes are how many rows a page of documents may have; the first is what it has where nobody says.
var pageSizes = []int{50, 100, 200}

// documentsQuery is what the URL of the list says: its filter by the names of the API, and where the page stands.
type documentsQuery struct {
	queue          string
	filters        values
	size           int
	cursor, before string
}

// filterNames are the filters of the list in the order of the form; status is chosen by a tab.
var filterNames = []string{"subject_prefix", "version", "priority", "attempts_min", "worker"}

func readDocumentsQuery(c echo.Context) documentsQuery {
	q := documentsQuery{queue: c.Param("queue"), filters: values{}, size: pageSizes[0], cursor: c.QueryParam("cursor"), before: c.QueryParam("before")}
	for _, name := range append([]string{"status"}, filterNames...) {
		q.filters[name] = c.QueryParam(name)
	}
	for _, size := range pageSizes {
		if c.QueryParam("size") == strconv.Itoa(size) {
			q.size = size
		}
	}
	return q
}

// filtered says whether anything but a tab was chosen.
func (q documentsQuery) filtered() bool {
	for _, name := range filterNames {
		if q.filters[name] != "" {
			return true
		}
	}
	return false
}

// url leads to the list with what is chosen, at its beginning, or at the place that a cursor or before names.
func (q documentsQuery) url(cursor, before string) string {
	v := url.Values{}
	for name, value := range q.filters {
		if value != "" {
			v.Set(name, value)
		}
	}
	if q.size != pageSizes[0] {
		v.Set("size", strconv.Itoa(q.size))
	}
	if cursor != "" {
		v.Set("cursor", cursor)
	}
	if before != "" {
		v.Set("before", before)
	}
	if len(v) == 0 {
		return queueURL(q.queue, "documents")
	}
	return queueURL(q.queue, "documents") + "?" + v.Encode()
}

// filter reads what the engine is asked. Errors: Invalid, with the field.
func (q documentsQuery) filter() (f queue.DocFilter, err error) {
	f = queue.DocFilter{SubjectPrefix: q.filters["subject_prefix"], Worker: q.filters["worker"], Limit: q.size, Cursor: q.cursor, Before: q.before}
	if word := q.filters["status"]; word != "" {
		status, known := queue.ParseStatus(word)
		if !known {
			return f, errs.Field("status", "%.40q is no status", word)
		}
		f.Status = &status
	}
	if err := wire.CheckText("subject_prefix", f.SubjectPrefix, queue.MaxSubject); err != nil {
		return f, err
	}
	if err := wire.CheckText("worker", f.Worker, queue.MaxWorker); err != nil {
		return f, err
	}
	if f.Version, err = parseWithin("version", q.filters["version"], 0, queue.MaxVersion); err != nil {
		return f, err
	}
	if f.Priority, err = parseWithin("priority", q.filters["priority"], -queue.MaxPriority, queue.MaxPriority); err != nil {
		return f, err
	}
	least, err := parseWithin("attempts_min", q.filters["attempts_min"], 0, mostAttempts)
	if least != nil {
		f.AttemptsMin = *least
	}
	return f, err
}

// mostAttempts is above what any document can have.
const mostAttempts = 1_000_000_000

// parseWithin is parseWhole within limits.
func parseWithin(field, text string, low, high int) (*int, error) {
	n, err := parseWhole(field, text)
	if err == nil && n != nil && (*n < low || *n > high) {
		return nil, errs.Field(field, "is %d; %d to %d are allowed", *n, low, high)
	}
	return n, err
}

// documentsPage lists the documents of a queue, page by page.
func (s *Server) documentsPage(c echo.Context) error {
	ctx := c.Request().Context()
	q, err := s.Engine.Get(ctx, c.Param("queue"))
	if err != nil {
		return err
	}
	at := readDocumentsQuery(c)
	v := s.documentsView(c, q, at)
	status := http.StatusOK
	var page queue.DocPage
	f, err := at.filter()
	if err == nil {
		page, err = s.Engine.Docs(ctx, q.Name, f)
	}
	if field, said, ok := wrong(err); ok {
		status, v.WrongField, v.Wrong = http.StatusUnprocessableEntity, field, said
	} else if err != nil {
		return err
	}
	for _, d := range page.Documents {
		v.Rows = append(v.Rows, documentRow(d, q.AsOf))
	}
	v.Pager.Note, v.Short = pageNote(len(v.Rows), at, page)
	if page.Next != "" {
		v.Pager.Next = at.url(page.Next, "")
	}
	if page.Previous != "" {
		v.Pager.Previous = at.url("", page.Previous)
	}
	return s.pageAt(c, status, queueFrame(q.Name, "Documents"), templates.Documents(v))
}

// documentsView is the list without its rows.
func (s *Server) documentsView(c echo.Context, q queue.Queue, at documentsQuery) templates.DocumentsView {
	v := templates.DocumentsView{
		Head: s.queueHead(c, q, "Documents"), Queue: q.Name, Filters: at.filters, Size: at.size, Filtered: at.filtered(), All: total(q.Counts),
		First: at.url("", ""), Here: at.url(at.cursor, at.before), API: s.apiURL(q.Name, "documents"),
	}
	counts := map[queue.Status]int64{
		queue.Planned: q.Counts.Planned, queue.Pending: q.Counts.Pending, queue.Active: q.Counts.Active,
		queue.Completed: q.Counts.Completed, queue.Killed: q.Counts.Killed,
	}
	tab := func(word, status string, n int64) {
		to := at
		to.filters = values{}
		for name, value := range at.filters {
			to.filters[name] = value
		}
		to.filters["status"] = status
		v.Tabs = append(v.Tabs, templates.Tab{Word: word, Href: to.url("", ""), Here: at.filters["status"] == status, Count: &n, Status: status})
	}
	tab("all", "", v.All)
	for _, status := range statuses {
		tab(status.String(), status.String(), counts[status])
	}
	unfiltered := at
	unfiltered.filters = values{"status": at.filters["status"]}
	v.Clear = unfiltered.url("", "")
	for _, size := range pageSizes {
		to := at
		to.size = size
		v.Pager.Sizes = append(v.Pager.Sizes, templates.Place{Word: strconv.Itoa(size), Href: to.url("", ""), Here: size == at.size})
	}
	if may(c, auth.Act) {
		for _, a := range actions {
			if a.batch {
				v.Actions = append(v.Actions, templates.BatchAction{Name: a.name, Word: a.word, Icon: a.Icon})
			}
		}
	}
	return v
}

// apiURL is where programs reach a queue.
func (s *Server) apiURL(name, below string) string {
	return firstOf(strings.TrimRight(s.BaseURL, "/"), "http://127.0.0.1:8080") + "/api/v1" + queueURL(name, below)
}

// pageNote says what stands on a page; short where it has fewer rows than it could have and is not the end.
func pageNote(rows int, at documentsQuery, page queue.DocPage) (note string, short bool) {
	ahead := page.Next
	if at.before != "" {
		ahead = page.Previous
	}
	switch {
	case rows < at.size && ahead != "":
		return fmt.Sprintf("%d found; 10,000 rows looked at; go on", rows), true
	case rows == 1:
		return "1 document", false
	}
	return fmt.Sprintf("%d documents", rows), false
}

// documentRow is a document in the list.
func documentRow(d queue.Document, now time.Time) templates.DocumentRow {
	word, at := nextOf(d, now)
	return templates.DocumentRow{
		Subject: d.Subject, Href: documentURL(d.Queue, d.Subject), Status: d.Status.String(), Version: d.Version, Priority: d.Priority,
		Attempts: d.Attempts, NextWord: word, Next: at, Worker: text(d.Worker), Payload: preview(d.Payload),
	}
}

// nextOf is the moment that matters next for a document, or mattered last, and the word before it.
func nextOf(d queue.Document, now time.Time) (word string, at time.Time) {
	switch d.Status {
	case queue.Active:
		if d.Next.After(now) {
			return "lease ends", d.Next
		}
		return "lease ended", d.Next
	case queue.Completed, queue.Killed:
		if d.LastIteration != nil {
			return "finished", *d.LastIteration
		}
		return "finished", d.Next
	case queue.Planned, queue.Pending:
	}
	return "due", d.Next
}

// previewed is how many letters of a payload a row shows.
const previewed = 80

// preview is the beginning of a payload. It reads no further than what it shows, and does not end within an escape, which
// counts as one letter.
func preview(payload []byte) string {
	end := 0
	for n := 0; n < previewed && end < len(payload); n++ {
		_, size := utf8.DecodeRune(payload[end:])
		if payload[end] == '\\' {
			size = 2
			if end+1 < len(payload) && payload[end+1] == 'u' {
				size = 6
			}
		}
		end += size
	}
	if end >= len(payload) {
		return string(payload)
	}
	return string(payload[:end]) + "…"
}
