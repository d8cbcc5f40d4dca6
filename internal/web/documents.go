package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/web/templates"
)

func (s *Server) documentsRoutes() {
	s.guard(http.MethodGet, "/queues/:queue/documents", auth.See, s.documentsPage)
	s.guard(http.MethodGet, "/queues/:queue/documents/new", auth.Add, s.newDocumentPage)
	s.guard(http.MethodPost, "/queues/:queue/documents/new", auth.Add, s.addDocument)
	s.guard(http.MethodPost, "/queues/:queue/documents/ask", auth.Act, s.askDocuments)
	s.guard(http.MethodGet, "/queues/:queue/export", auth.See, s.exportDocuments)
	s.guard(http.MethodGet, "/queues/:queue/views/new", auth.See, s.newViewPage)
	s.guard(http.MethodPost, "/queues/:queue/views/new", auth.See, s.saveView)
	s.guard(http.MethodPost, "/queues/:queue/views/delete", auth.See, s.deleteView)
}

// statuses are the states of a document in the order of its life.
var statuses = []queue.Status{queue.Planned, queue.Pending, queue.Active, queue.Completed, queue.Killed}

// documentsPage lists the documents of a queue, page by page.
func (s *Server) documentsPage(c echo.Context) error {
	ctx := c.Request().Context()
	q, err := s.Engine.Get(ctx, c.Param("queue"))
	if err != nil {
		return err
	}
	at := parseDocumentsQuery(q.Name, c.QueryParams())
	v := s.documentsView(c, q, at)
	if v.Views, err = s.viewLinks(c, at); err != nil {
		return err
	}
	status := http.StatusOK
	var page queue.DocPage
	f, err := at.filter(s.Now())
	if err == nil {
		page, err = s.Engine.Docs(ctx, q.Name, f)
	}
	if field, said, ok := wrong(err); ok {
		status, v.WrongField, v.Wrong, v.Mend = http.StatusUnprocessableEntity, field, said, at.without(field).url("", "")
	} else if err != nil {
		return err
	}
	list := at.query().Encode()
	for i, d := range page.Documents {
		row := documentRow(d, q.AsOf, v.Paths)
		row.Href = inList(d.Queue, d.Subject, list, page.Places[i])
		v.Rows = append(v.Rows, row)
	}
	v.Pager.Note, v.Short = pageNote(len(v.Rows), at, page, knownCount(v))
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
		v.Tabs = append(v.Tabs, templates.Tab{Word: word, Href: at.of(status).url("", ""), Here: at.filters["status"] == status, Count: &n, Status: status})
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
	v.Chips, v.Orders, v.Order, v.Columns, v.Paths = chips(at), orders(at), at.order, at.columns, pathsOf(at.columns)
	if v.Columns == nil {
		v.Columns = templates.UsualColumns
	}
	for name, list := range at.query() {
		for _, value := range list {
			v.Chosen = append(v.Chosen, templates.Field{Name: name, Value: value})
		}
	}
	list := at.query().Encode()
	v.SaveView, v.Export = viewsURL(q.Name, "new")+"?list="+url.QueryEscape(list), queueURL(q.Name, "export")
	if list != "" {
		v.Export += "?" + list
	}
	slices.SortStableFunc(v.Chosen, func(a, b templates.Field) int { return strings.Compare(a.Name, b.Name) })
	if may(c, auth.Act) {
		v.Bulk = bulkMenu(at)
		if n := knownCount(v); n >= 0 {
			v.Matching = templates.Exact(n)
		}
	}
	return v
}

// apiURL is where programs reach a queue.
func (s *Server) apiURL(name string, below ...string) string {
	return s.URL + "/api/v1" + queueURL(name, below...)
}

// pageNote says what stands on a page; short where it has fewer rows than it could have and is not the end.
// all is how many the list has in all; below 0, nobody knows.
func pageNote(rows int, at documentsQuery, page queue.DocPage, all int64) (note string, short bool) {
	ahead := page.Next
	if at.before != "" {
		ahead = page.Previous
	}
	switch {
	case rows < at.size && ahead != "":
		return fmt.Sprintf("%d found; 10,000 rows looked at; go on", rows), true
	case int64(rows) < all:
		return fmt.Sprintf("%d of %s documents", rows, templates.Exact(all)), false
	case rows == 1:
		return "1 document", false
	}
	return fmt.Sprintf("%d documents", rows), false
}

// knownCount is how many documents the list has that a page shows, as the counters say; -1 where more than the status chooses them.
func knownCount(v templates.DocumentsView) int64 {
	for _, tab := range v.Tabs {
		if tab.Here && !v.Filtered {
			return *tab.Count
		}
	}
	return -1
}

// documentRow is a document in the list.
func documentRow(d queue.Document, now time.Time, paths []string) templates.DocumentRow {
	word, at := nextOf(d, now)
	row := templates.DocumentRow{
		Subject: d.Subject, Status: d.Status.String(), Version: d.Version, Priority: d.Priority,
		Attempts: d.Attempts, Iterations: d.Iterations, Created: d.CreatedAt, Picked: d.PickedAt, Last: d.LastIteration, NextWord: word, Next: at, Worker: text(d.Worker), Payload: preview(d.Payload), Large: d.Payload == nil,
	}
	for _, path := range paths {
		steps, _ := readPath(path)
		row.Values = append(row.Values, valueAt(d.Payload, steps))
	}
	return row
}

// pathsOf are those of columns that are paths into the payload.
func pathsOf(columns []string) []string {
	return slices.DeleteFunc(slices.Clone(columns), func(name string) bool { return !isPath(name) })
}

// chips are the filters that are chosen, each with the URL of the list without it.
func chips(at documentsQuery) (list []templates.Chip) {
	for _, name := range filterNames {
		if value := at.filters[name]; value != "" {
			list = append(list, templates.Chip{Name: name, Value: value, Without: at.with(values{name: ""}).url("", "")})
		}
	}
	return list
}

// orderWords are the orders of the list in words.
var orderWords = map[string]string{queue.BySubject: "subject", queue.ByNext: "date, oldest first", queue.ByLast: "end, newest first"}

// orders are those that the list may have, the first by itself.
func orders(at documentsQuery) (list []templates.Option) {
	f, err := at.filter(time.Time{})
	if err != nil {
		return nil
	}
	for _, name := range f.Orders() {
		list = append(list, templates.Option{Value: name, Word: orderWords[name]})
	}
	return list
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
