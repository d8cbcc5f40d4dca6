package client

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// DocumentFilter says which documents of a queue to list; zero fields do not filter.
type DocumentFilter struct {
	Status        string
	SubjectPrefix string
	Version       *int
	Priority      *int
	AttemptsMin   int
	Worker        string // who holds the document, or held it last
	Order         string // subject (default), next_iteration or last_iteration

	// Spans of time, each from a moment on to before another. Due goes with the status planned or pending, Finished with completed or killed.
	DueAfter, DueBefore           time.Time
	FinishedAfter, FinishedBefore time.Time
	CreatedAfter, CreatedBefore   time.Time
	Payload                       json.RawMessage // an object that the payload contains, as jsonb understands it
}

// LogFilter says which lines of a queue's log to list; zero fields do not filter.
type LogFilter struct {
	Kind     string // error or note
	Subject  string
	From, To time.Time
	Text     string // part of the message, in small letters or capitals

	Fingerprint string // of a group of errors
}

// pageSize is the rows asked for in one call of a list, the most that the API gives.
const pageSize = "200"

// Queues lists the queues that the token may see. Its counts may be 2 s old. Right: read.
func (c *Client) Queues(ctx context.Context) iter.Seq2[Queue, error] {
	return list(ctx, c, "/queues", nil, func(p QueuesResponse) ([]Queue, *string) { return p.Queues, p.NextCursor })
}

// Documents lists documents of a queue, page by page as the loop goes on. An error ends the loop. Right: read.
func (c *Client) Documents(ctx context.Context, queue string, f DocumentFilter) iter.Seq2[Document, error] {
	return list(ctx, c, queuePath(queue, "documents"), f.query(),
		func(p DocumentsResponse) ([]Document, *string) { return p.Documents, p.NextCursor })
}

// query is the filter as the API takes it.
func (f DocumentFilter) query() url.Values {
	q := values("status", f.Status, "subject_prefix", f.SubjectPrefix, "worker", f.Worker, "order", f.Order)
	if f.Version != nil {
		q.Set("version", strconv.Itoa(*f.Version))
	}
	if f.Priority != nil {
		q.Set("priority", strconv.Itoa(*f.Priority))
	}
	if f.AttemptsMin > 0 {
		q.Set("attempts_min", strconv.Itoa(f.AttemptsMin))
	}
	for name, at := range map[string]time.Time{
		"due_after": f.DueAfter, "due_before": f.DueBefore, "finished_after": f.FinishedAfter, "finished_before": f.FinishedBefore,
		"created_after": f.CreatedAfter, "created_before": f.CreatedBefore,
	} {
		if !at.IsZero() {
			q.Set(name, at.UTC().Format(timeLayout))
		}
	}
	if f.Payload != nil {
		q.Set("payload", string(f.Payload))
	}
	return q
}

// DocumentsPage returns one page of the list, of up to 200 documents, and where the next one begins; cursor is "" for the first. A page may be short, and still have
// a next: see docs/api.md. Right: read.
func (c *Client) DocumentsPage(ctx context.Context, queue string, f DocumentFilter, cursor string) (page DocumentsResponse, err error) {
	q := f.query()
	q.Set("limit", pageSize)
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	_, err = c.do(ctx, call{method: http.MethodGet, path: queuePath(queue, "documents"), query: q, safe: true}, &page)
	return page, err
}

// Logs lists lines of a queue's log, newest first, page by page as the loop goes on. An error ends the loop. Right: read.
func (c *Client) Logs(ctx context.Context, queue string, f LogFilter) iter.Seq2[Log, error] {
	q := values("kind", f.Kind, "subject", f.Subject, "q", f.Text, "fingerprint", f.Fingerprint)
	if !f.From.IsZero() {
		q.Set("from", f.From.UTC().Format(timeLayout))
	}
	if !f.To.IsZero() {
		q.Set("to", f.To.UTC().Format(timeLayout))
	}
	return list(ctx, c, queuePath(queue, "logs"), q, func(p LogsResponse) ([]Log, *string) { return p.Logs, p.NextCursor })
}

// Errors returns the groups of errors of a queue, or with "" of all that the token may see, that were seen since a moment (zero: ever), those with the
// most errors first, at most 200. Right: read.
func (c *Client) Errors(ctx context.Context, queue string, since time.Time) (out ErrorsResponse, err error) {
	q := values("queue", queue, "limit", pageSize)
	if !since.IsZero() {
		q.Set("from", since.UTC().Format(timeLayout))
	}
	_, err = c.do(ctx, call{method: http.MethodGet, path: "/errors", query: q, safe: true}, &out)
	return out, err
}

// Document returns one document with its newest log lines, at most logs of them. Right: read.
func (c *Client) Document(ctx context.Context, queue, subject string, logs int) (doc Document, err error) {
	q := url.Values{}
	if logs > 0 {
		q.Set("logs", strconv.Itoa(logs))
	}
	_, err = c.do(ctx, call{method: http.MethodGet, path: queuePath(queue, "documents", subject), query: q, safe: true}, &doc)
	return doc, err
}

// Trace returns the documents of a subject in all queues that the token may see, and their logs. Right: read.
func (c *Client) Trace(ctx context.Context, subject string) (out TraceResponse, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: "/trace/" + segment(subject), safe: true}, &out)
	return out, err
}

// list goes over all pages of a list of T, whose page is a P.
func list[P, T any](ctx context.Context, c *Client, path string, query url.Values, split func(P) ([]T, *string)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		q := url.Values{"limit": {pageSize}}
		for name, v := range query {
			q[name] = v
		}
		for {
			var page P
			if _, err := c.do(ctx, call{method: http.MethodGet, path: path, query: q, safe: true}, &page); err != nil {
				var none T
				yield(none, err)
				return
			}
			rows, next := split(page)
			for _, row := range rows {
				if !yield(row, nil) {
					return
				}
			}
			if next == nil {
				return
			}
			q.Set("cursor", *next)
		}
	}
}

// values makes a query of names and values, without the empty ones.
func values(pairs ...string) url.Values {
	q := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return q
}
