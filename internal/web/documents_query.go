package web

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/operations"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
)

// pageSizes are how many rows a page of documents may have; the first is what it has where nobody says.
var pageSizes = []int{50, 100, 200}

// documentsQuery is what the URL of the list says: its filter by the names of the API, what it shows, and where the page stands.
type documentsQuery struct {
	queue          string
	filters        values
	order          string
	columns        []string // nil: the usual ones
	size           int
	cursor, before string
}

// filterNames are the filters of the list in the order of the form; status is chosen by a tab.
var filterNames = []string{
	"subject_prefix", "payload", "version", "priority", "attempts_min", "worker",
	"due_after", "due_before", "finished_after", "finished_before", "created_after", "created_before",
}

func parseDocumentsQuery(queueName string, v url.Values) documentsQuery {
	q := documentsQuery{queue: queueName, filters: values{}, size: pageSizes[0], order: v.Get("order"), cursor: v.Get("cursor"), before: v.Get("before"), columns: readColumns(v)}
	for _, name := range append([]string{"status"}, filterNames...) {
		q.filters[name] = v.Get(name)
	}
	for _, size := range pageSizes {
		if v.Get("size") == strconv.Itoa(size) {
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

// with is the same list with other filters; "" takes one away.
func (q documentsQuery) with(filters values) documentsQuery {
	all := values{}
	for name, value := range q.filters {
		all[name] = value
	}
	q.filters = filters.over(all)
	return q
}

// without is the same list without one filter, or in the order that it has by itself.
func (q documentsQuery) without(field string) documentsQuery {
	q = q.with(values{field: ""})
	if field == "order" {
		q.order = ""
	}
	return q
}

// of is the same list of another status: without the dates that documents of that status do not have, and in its own order.
func (q documentsQuery) of(status string) documentsQuery {
	q = q.with(values{"status": status})
	if status != "planned" && status != "pending" {
		q = q.with(values{"due_after": "", "due_before": ""})
	}
	if status != "completed" && status != "killed" {
		q = q.with(values{"finished_after": "", "finished_before": ""})
	}
	if q.order != queue.BySubject {
		q.order = ""
	}
	return q
}

// query is what stands behind the path of the list, without the place of the page.
func (q documentsQuery) query() url.Values {
	v := url.Values{}
	for name, value := range q.filters {
		if value != "" {
			v.Set(name, value)
		}
	}
	if q.order != "" {
		v.Set("order", q.order)
	}
	if q.columns != nil {
		v["column"] = append([]string{}, q.columns...)
		if len(q.columns) == 0 {
			v.Set("column", "")
		}
	}
	if q.size != pageSizes[0] {
		v.Set("size", strconv.Itoa(q.size))
	}
	return v
}

// url leads to the list with what is chosen, at its beginning, or at the place that a cursor or before names.
func (q documentsQuery) url(cursor, before string) string {
	v := q.query()
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

// filter reads what the engine is asked; spans count from now. Errors: Invalid, with the field.
func (q documentsQuery) filter(now time.Time) (f queue.DocFilter, err error) {
	f = queue.DocFilter{
		SubjectPrefix: q.filters["subject_prefix"], Worker: q.filters["worker"], Order: q.order, Limit: q.size, Cursor: q.cursor, Before: q.before, Brief: true,
	}
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
	if err != nil {
		return f, err
	}
	if least != nil {
		f.AttemptsMin = *least
	}
	if f.Payload, err = parseContained("payload", q.filters["payload"]); err != nil {
		return f, err
	}
	for _, m := range []struct {
		name string
		to   **time.Time
	}{
		{"due_after", &f.Due.From}, {"due_before", &f.Due.To}, {"finished_after", &f.Finished.From}, {"finished_before", &f.Finished.To},
		{"created_after", &f.Created.From}, {"created_before", &f.Created.To},
	} {
		if *m.to, err = parseMoment(m.name, q.filters[m.name], now); err != nil {
			return f, err
		}
	}
	return f, nil
}

// operationFilter is the same choice for an operation.
func operationFilter(f queue.DocFilter) operations.Filter {
	of := operations.Filter{
		SubjectPrefix: f.SubjectPrefix, Version: f.Version, Priority: f.Priority, AttemptsMin: f.AttemptsMin, Worker: f.Worker,
		DueAfter: f.Due.From, DueBefore: f.Due.To, FinishedAfter: f.Finished.From, FinishedBefore: f.Finished.To,
		CreatedAfter: f.Created.From, CreatedBefore: f.Created.To, Payload: f.Payload,
	}
	if f.Status != nil {
		of.Status = f.Status.String()
	}
	return of
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

// parseMoment is parseDate with spans counted from now; nil: none.
func parseMoment(field, text string, now time.Time) (*time.Time, error) {
	d, err := parseDate(field, strings.TrimSpace(text))
	switch {
	case err != nil:
		return nil, err
	case d.Delay != nil:
		return new(now.Add(d.Delay.Approx())), nil
	case d.IsZero():
		return nil, nil //nolint:nilnil // none is a value here
	}
	return &d.At, nil
}
