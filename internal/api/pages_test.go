package api_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/fetchq/server/internal/dbtest"
)

// pages walks a list and returns how many items each page has. No page is larger than what a pick may answer, and one item.
func (w *world) pages(path, list string) (items []int) {
	w.t.Helper()
	for cursor := ""; ; {
		a := w.must(200, "GET", path+"&cursor="+url.QueryEscape(cursor), "")
		if len(a.body) > 17<<20+100_000 {
			w.t.Errorf("%s: a page has %d bytes", path, len(a.body))
		}
		items = append(items, len(a.field(list).([]any)))
		next, more := a.field("next_cursor").(string)
		if !more {
			return items
		}
		cursor = next
	}
}

func TestPagesStopGrowingAt16MiB(t *testing.T) {
	if testing.Short() {
		t.Skip("many megabytes")
	}
	if dbtest.Raced {
		t.Skip("megabytes that nobody shares")
	}
	t.Parallel()
	w := newWorld(t)
	w.must(201, "PUT", "/api/v1/queues/a", `{}`)
	payload := `"` + strings.Repeat("x", 1<<20-2) + `"`
	for from := 0; from < 36; from += 12 {
		var docs []string
		for i := range 12 {
			docs = append(docs, fmt.Sprintf(`{"subject":"s%02d","payload":%s}`, from+i, payload))
		}
		w.must(200, "POST", documents, `{"documents":[`+strings.Join(docs, ",")+`]}`)
	}
	for range 4 {
		line := `{"subject":"s00","message":"m","details":"` + strings.Repeat("x", 250_000) + `"}`
		w.must(202, "POST", "/api/v1/queues/a/logs", `{"logs":[`+strings.Repeat(line+",", 24)+line+`]}`)
	}
	for path, list := range map[string]string{
		documents + "?limit=200": "documents", documents + "?limit=200&version=0": "documents", documents + "?limit=200&status=pending": "documents",
		"/api/v1/queues/a/logs?limit=200": "logs", "/api/v1/queues/a/logs?limit=200&kind=note": "logs",
	} {
		items := w.pages(path, list)
		all, want := 0, map[string]int{"documents": 36, "logs": 100}[list]
		for _, n := range items {
			all += n
		}
		if all != want || len(items) > 3 {
			t.Errorf("%s: pages of %v items; %d together are wanted", path, items, want)
		}
	}
	if items := w.pages(documents+"?limit=7", "documents"); fmt.Sprint(items) != "[7 7 7 7 7 1]" {
		t.Errorf("by 7: %v", items)
	}
	if a := w.must(200, "GET", documents+"/s00?logs=200", ""); len(a.body) > 19<<20 || len(a.field("logs").([]any)) < 60 {
		t.Errorf("a document with its lines has %d bytes", len(a.body))
	}
}

func TestATraceStopsGrowingAt16MiB(t *testing.T) {
	if dbtest.Raced {
		t.Skip("megabytes that nobody shares")
	}
	t.Parallel()
	w := newWorld(t)
	for i := range 20 {
		path := fmt.Sprintf("/api/v1/queues/q%d", i)
		w.must(201, "PUT", path, `{}`)
		w.must(200, "POST", path+"/documents", `{"documents":[{"subject":"s","payload":"`+strings.Repeat("x", 1<<20-2)+`"}]}`)
		line := `{"subject":"s","message":"m","details":"` + strings.Repeat("x", 250_000) + `"}`
		w.must(202, "POST", path+"/logs", `{"logs":[`+strings.Repeat(line+",", 4)+line+`]}`)
	}
	a := w.must(200, "GET", "/api/v1/trace/s", "")
	docs, logs := len(a.field("documents").([]any)), len(a.field("logs").([]any))
	if len(a.body) > 34<<20 || docs < 15 || docs > 17 || logs < 60 || logs > 70 {
		t.Errorf("%d documents and %d lines in %d bytes", docs, logs, len(a.body))
	}
}
