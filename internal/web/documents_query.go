package web

import (
	"net/url"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
)

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
	f = queue.DocFilter{SubjectPrefix: q.filters["subject_prefix"], Worker: q.filters["worker"], Limit: q.size, Cursor: q.cursor, Before: q.before, Brief: true}
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
