package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/queue"
)

func TestDocumentsAreFilteredByDatesAndPayloads(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleOperator)
	soon, late := queue.Push{Subject: "soon", Payload: []byte(`{"meta":{"host":"a.example","n":1},"s":"1"}`)}, queue.Push{Subject: "late", Payload: []byte(`{"meta":{"host":"b.example","n":2}}`)}
	soon.Next.At, late.Next.At = time.Now().Add(time.Hour), time.Now().Add(48*time.Hour)
	d.push(soon, late)
	d.put("done", queue.Completed)
	for query, want := range map[string][]string{
		"status=planned&due_before=%2B1+day":                 {"soon"},
		"status=planned&due_after=%2B1+day":                  {"late"},
		"status=completed&finished_after=-1h":                {"done"},
		"status=completed&finished_before=-1h":               nil,
		"created_after=-1h":                                  {"done", "late", "soon"},
		"created_before=2020-01-01T00:00:00Z":                nil,
		"payload=meta.host+%3D+a.example":                    {"soon"},
		"payload=%2Fmeta%2Fn%3D2":                            {"late"},
		"payload=s%3D1":                                      nil,
		"payload=s%3D%221%22":                                {"soon"},
		"payload=" + url.QueryEscape(`{"meta":{"n":1}}`):     {"soon"},
		"status=planned&order=subject":                       {"late", "soon"},
		"status=planned":                                     {"soon", "late"},
		"status=completed&payload=n%3D1&finished_after=-10m": {"done"},
	} {
		if got := subjects(d.get(docsURL+"?"+query, http.StatusOK)); !slices.Equal(got, want) {
			t.Errorf("%s shows %q, want %q", query, got, want)
		}
	}
	for _, test := range []struct{ query, field string }{
		{"payload=secret", "payload"}, {"payload=%5B%22secret%22%5D", "payload"}, {"payload=%7B%22secret%22", "payload"}, {"due_after=soon&status=planned", "due_after"},
		{"due_before=-1h", "due_before"}, {"finished_after=-1h&status=active", "finished_after"}, {"order=size", "order"}, {"order=last_iteration&status=planned", "order"},
	} {
		page := d.get(docsURL+"?"+test.query, http.StatusUnprocessableEntity)
		page.count(t, "#wrong-"+test.field, 1)
		page.count(t, ".filters .wrong", 1)
		if strings.Contains(page.text("#wrong-"+test.field), "secret") {
			t.Errorf("%s: the error repeats what was looked for", test.query)
		}
	}
}

func TestDocumentsShowTheirFiltersAsChips(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleViewer)
	d.push(queue.Push{Subject: "a/1"})
	page := d.get(docsURL+"?subject_prefix=a%2F&version=0&status=planned&due_after=-1h&size=100&column=version&column=%2Fx", http.StatusOK)
	page.count(t, ".chips a[data-chip]", 3)
	page.says(t, `[data-chip="due_after"]`, "Due from -1h")
	if without, _ := page.Find(`[data-chip="version"]`).Attr("href"); without != "/queues/pages/documents?column=version&column=%2Fx&due_after=-1h&size=100&status=planned&subject_prefix=a%2F" {
		t.Errorf("without the version the list is %q", without)
	}
	// Another state has no such date.
	page.count(t, `nav a[href="/queues/pages/documents?column=version&column=%2Fx&size=100&status=killed&subject_prefix=a%2F&version=0"]`, 1)
	page.count(t, `.filters input[type=hidden][name=column]`, 2)
	page.count(t, `.filters input[type=hidden][name=size]`, 1)
	d.get(docsURL, http.StatusOK).count(t, ".chips", 0)
}

func TestDocumentsHaveTheColumnsOfTheirAddress(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleViewer)
	d.push(queue.Push{Subject: "a", Payload: []byte(`{"meta":{"host":"a.example","list":[10,{"deep/er":"x"}]},"big":123456789012345678901234567890,"none":null}`)})
	head := func(query string) string {
		return d.get(docsURL+"?"+query, http.StatusOK).text("table.documents thead")
	}
	for query, want := range map[string]string{
		"":                                      "StatusSubjectVersionPriorityAttemptsWhenWorkerPayload",
		"column=":                               "StatusSubject",
		"column=worker&column=version":          "StatusSubjectVersionWorker",
		"column=nonsense&column=created":        "StatusSubjectCreated",
		"column=&paths=meta.host%2C+big":        "StatusSubject/meta/host/big",
		"column=%2Fmeta%2Fhost&paths=meta.host": "StatusSubject/meta/host",
	} {
		if got := head(query); got != want {
			t.Errorf("%q has the columns %s, want %s", query, got, want)
		}
	}
	page := d.get(docsURL+"?column=&paths="+url.QueryEscape("meta.host /meta/list/0 /meta/list/1/deep~1er big none meta.list.9 meta.host.more meta"), http.StatusOK)
	for path, want := range map[string]string{
		"/meta/host": "a.example", "/meta/list/0": "10", "/meta/list/1/deep~1er": "x", "/big": "123456789012345678901234567890", "/none": "null",
	} {
		page.says(t, fmt.Sprintf(`td[data-label=%q]`, path), want)
	}
	page.count(t, "table.documents tbody td.value", 6)
	page.count(t, `table.documents tbody td:contains("–")`, 2) // where nothing stands
	next, _ := d.get(docsURL+"?column=version&paths=meta.host", http.StatusOK).Find(`nav a:contains("100")`).Attr("href")
	if next != "/queues/pages/documents?column=version&column=%2Fmeta%2Fhost&size=100" {
		t.Errorf("the columns are lost in %q", next)
	}
}

func TestDocumentsAreExported(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleViewer)
	d.put("killed", queue.Killed)
	d.put("=planned", queue.Planned)
	page := d.get(docsURL+"?status=planned", http.StatusOK)
	href, _ := page.Find(`#export-menu a:contains("CSV")`).First().Attr("href")
	file := d.get(href, http.StatusOK)
	if file.header.Get("Content-Disposition") != `attachment; filename="pages.csv"` || file.header.Get("Content-Type") != "text/csv; charset=utf-8" ||
		strings.Count(file.body, "\n") != 2 || !strings.Contains(file.body, "\n'=planned,planned,") {
		t.Errorf("%s gives %v\n%s", href, file.header, file.body)
	}
	lines := d.get("/queues/pages/export?format=ndjson&for=import", http.StatusOK).body
	if strings.Count(lines, "\n") != 2 || !strings.HasPrefix(lines, `{"subject":"=planned","payload":{"n": 1},`) && !strings.HasPrefix(lines, `{"subject":"=planned","payload":{"n":1},`) || strings.Contains(lines, "status") {
		t.Errorf("for an import it is\n%s", lines)
	}
	for query, code := range map[string]int{"format=xml": 422, "": 422, "format=csv&version=x": 422, "format=csv&due_after=-1h": 422} {
		if a := d.get("/queues/pages/export?"+query, code); a.header.Get("Content-Disposition") != "" {
			t.Errorf("%q is answered as a file", query)
		}
	}
	d.get("/queues/missing/export?format=csv", http.StatusNotFound)
}

func TestViewsAreSavedSharedAndDeleted(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleOperator)
	d.put("a", queue.Killed)
	query := "?column=version&order=subject&status=killed&worker=w"
	open, _ := d.get(docsURL+query, http.StatusOK).Find(`#views-menu a[href*="/views/new"]`).Attr("href")
	dialog := d.get(open, http.StatusOK)
	dialog.says(t, "form.form", "Filters: status killed; worker w.")
	dialog.says(t, "form.form", "Columns: Status, Subject, Version.")
	dialog.says(t, "form.form", "Order: subject, 50 rows a page.")
	dialog.says(t, "form.form", "Who sees it")
	d.get("/queues/pages/views/new?list=", http.StatusOK).says(t, "form.form", "Filters: none, it is all documents.")
	form := dialog.form("form.form")
	d.post("/queues/pages/views/new", form, http.StatusUnprocessableEntity).count(t, "#f-name-wrong", 1)
	form.Set("name", "Dead ones")
	d.leads(d.post("/queues/pages/views/new", form, http.StatusSeeOther), docsURL+query).says(t, ".toast p", "Saved the view Dead ones.")
	page := d.get(docsURL+query, http.StatusOK)
	page.count(t, `#views-menu [data-view="Dead ones"] a[aria-current]`, 1)
	if href, _ := d.get(docsURL, http.StatusOK).Find(`#views-menu [data-view="Dead ones"] a`).Attr("href"); href != docsURL+query {
		t.Errorf("the view leads to %q", href)
	}
	d.get("/queues/other/documents", http.StatusOK).count(t, "[data-view]", 0)

	other := d.as("bob@example.org", auth.RoleViewer)
	other.get(docsURL, http.StatusOK).count(t, "[data-view]", 0)
	form.Set("shared", "yes")
	form.Set("list", "status=killed&evil=1&cursor=x")
	d.post("/queues/pages/views/new", form, http.StatusSeeOther)
	seen := other.get(docsURL, http.StatusOK)
	seen.says(t, `[data-view="Dead ones"]`, "shared by Ann")
	if href, _ := seen.Find(`[data-view] a`).Attr("href"); href != docsURL+"?status=killed" {
		t.Errorf("the view leads to %q", href)
	}
	seen.count(t, "[data-view] form", 0)
	remove, _ := d.get(docsURL, http.StatusOK).Find(`[data-view] form`).Attr("action")
	other.post(remove, nil, http.StatusSeeOther) // it is not his
	other.get(docsURL, http.StatusOK).count(t, "[data-view]", 1)
	other.post("/queues/pages/views/new", url.Values{"name": {"Mine"}, "shared": {"yes"}}, http.StatusForbidden)
	other.post("/queues/pages/views/new", url.Values{"name": {"Mine"}}, http.StatusSeeOther)
	d.get(docsURL, http.StatusOK).count(t, "[data-view]", 1)
	d.post(remove, url.Values{"back": {docsURL}}, http.StatusSeeOther)
	other.get(docsURL, http.StatusOK).says(t, "[data-view]", "Mine")
	d.post("/queues/pages/views/delete?id=x", nil, http.StatusNotFound)
}
