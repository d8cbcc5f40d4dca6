package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/queue"
)

const docsURL = "/queues/pages/documents"

func TestDocumentsOfAnEmptyQueueTeach(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleAdmin)
	page := d.get(docsURL, http.StatusOK)
	page.count(t, `[data-empty="queue"] a[href="/queues/pages/documents/new"]`, 1)
	page.says(t, `[data-empty="queue"] pre`, "https://queue.example.org/api/v1/queues/pages/documents")
	page.count(t, "form.filters", 0)
	d.get("/queues/missing/documents", http.StatusNotFound)
}

func TestDocumentsHaveExactCountsAndRows(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleOperator)
	for _, s := range []queue.Status{queue.Active, queue.Planned, queue.Pending, queue.Completed, queue.Killed} {
		d.put("doc "+s.String(), s)
	}
	page := d.get(docsURL, http.StatusOK)
	if got := page.text(`nav[aria-label="Documents by status"]`); got != "all 5 planned 1 pending 1 active 1 completed 1 killed 1" {
		t.Errorf("the tabs say %q", got)
	}
	for status, word := range map[string]string{"planned": "due", "pending": "due", "active": "lease ends", "completed": "finished", "killed": "finished"} {
		page.says(t, fmt.Sprintf("tr[id=%q]", "d-doc+"+status), word)
		one := d.get(docsURL+"?status="+status, http.StatusOK)
		one.count(t, "table.documents tbody tr", 1)
		one.says(t, "td.subject", "doc "+status)
		one.says(t, `nav[aria-label="Documents by status"] [aria-current]`, status)
	}
	page.says(t, `tr[id="d-doc+active"] td.worker`, "worker-1")
	page.says(t, "td.preview", `{"n": 1}`)
	page.count(t, "[data-selection] button[name=action]", 8)
}

func TestDocumentsAreFiltered(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleViewer)
	seven, three := 7, 3
	d.push(queue.Push{Subject: "https://a/1"}, queue.Push{Subject: "https://a/2", Version: &seven}, queue.Push{Subject: "https://b/1", Priority: &three})
	for query, want := range map[string][]string{
		"subject_prefix=https://a/":           {"https://a/1", "https://a/2"},
		"version=7":                           {"https://a/2"},
		"priority=3&status=pending":           {"https://b/1"},
		"attempts_min=1":                      nil,
		"worker=nobody":                       nil,
		"subject_prefix=https://a/&version=0": {"https://a/1"},
	} {
		page := d.get(docsURL+"?"+query, http.StatusOK)
		if got := subjects(page); !slices.Equal(got, want) {
			t.Errorf("%s shows %q, want %q", query, got, want)
		}
		if want == nil {
			page.count(t, `[data-empty="filter"] a[href="/queues/pages/documents"]`, 1)
		}
		page.count(t, "input[data-row], [data-selection]", 0) // a viewer selects nothing
	}
	page := d.get(docsURL+"?subject_prefix=https://a/&version=7&size=100", http.StatusOK)
	if v, _ := page.Find(`.filters input[name=subject_prefix]`).Attr("value"); v != "https://a/" {
		t.Errorf("the form does not keep the prefix: %q", v)
	}
	page.count(t, `nav a[href="/queues/pages/documents?size=100&status=killed&subject_prefix=https%3A%2F%2Fa%2F&version=7"]`, 1)
}

func TestDocumentsSayWhatIsWrongWithAFilter(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleViewer)
	d.push(queue.Push{Subject: "a"})
	for _, test := range []struct{ query, field string }{
		{"version=x", "version"}, {"version=40000", "version"}, {"priority=99999999999999999999", "priority"}, {"attempts_min=-1", "attempts_min"},
		{"subject_prefix=%ff", "subject_prefix"}, {"worker=%00", "worker"},
	} {
		page := d.get(docsURL+"?"+test.query, http.StatusUnprocessableEntity)
		page.count(t, fmt.Sprintf(`.filters input[name=%s][aria-invalid="true"]`, test.field), 1)
		page.count(t, "#wrong-"+test.field, 1)
		// Below it stands what is wrong, also where the fields are folded away, and the way out.
		page.says(t, `[data-empty="wrong"] h2`, "This filter cannot be read")
		page.count(t, `[data-empty="wrong"] a[href="`+docsURL+`"]`, 1)
	}
	page := d.get(docsURL+"?version=x&priority=1", http.StatusUnprocessableEntity)
	page.says(t, `[data-empty="wrong"] p`, `Version "x" is no whole number`)
	page.count(t, `[data-empty="wrong"] a[href="`+docsURL+`?priority=1"]`, 1)
	page.count(t, `[data-empty="wrong"] a[href="`+docsURL+`"]`, 1)
	for _, query := range []string{"cursor=zzz", "before=zzz", "status=gone", "order=gone"} {
		page := d.get(docsURL+"?"+query, http.StatusUnprocessableEntity)
		page.count(t, `[data-empty="wrong"] h2`, 1)
		way, _ := page.Find(`[data-empty="wrong"] a`).Attr("href")
		d.get(way, http.StatusOK)
	}
}

// TestDocumentsTurnPagesBothWays goes through a list to its end and back, and sees each document once each way.
func TestDocumentsTurnPagesBothWays(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleViewer)
	var docs []queue.Push
	for i := range 230 {
		docs = append(docs, queue.Push{Subject: fmt.Sprintf("doc/%03d?x=%%&y", i)})
	}
	d.push(docs...)
	for query, want := range map[string]string{"": "50 of 230 documents", "?status=pending&size=200": "200 of 230 documents", "?version=0": "50 documents"} {
		d.get(docsURL+query, http.StatusOK).says(t, `nav[aria-label="Pages of the list"]`, want)
	}
	for _, query := range []string{"", "?subject_prefix=doc%2F", "?status=pending", "?size=100"} {
		var forth, back [][]string
		page := d.get(docsURL+query, http.StatusOK)
		page.count(t, `a[data-page="prev"]`, 0)
		for {
			forth = append(forth, subjects(page))
			next, ok := page.Find(`a[data-page="next"]`).Attr("href")
			if !ok {
				break
			}
			page = d.get(next, http.StatusOK)
		}
		for {
			back = append(back, subjects(page))
			before, ok := page.Find(`a[data-page="prev"]`).Attr("href")
			if !ok {
				break
			}
			page = d.get(before, http.StatusOK)
		}
		slices.Reverse(back)
		if all := slices.Concat(forth...); len(all) != 230 || !slices.Equal(slices.Compact(slices.Sorted(slices.Values(all))), slices.Sorted(slices.Values(all))) {
			t.Errorf("%q: %d documents on the way forth, want 230 different ones", query, len(all))
		}
		if !slices.Equal(slices.Concat(forth...), slices.Concat(back...)) {
			t.Errorf("%q: the way back is another one", query)
		}
	}
}

func TestDocumentsBatchAsksAndTells(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleOperator)
	hostile := "a\nb <i>&\"%"
	d.put("held", queue.Active)
	d.put("dead", queue.Killed)
	d.put("wait", queue.Planned)
	d.put(hostile, queue.Planned)
	page := d.get(docsURL+"?size=100", http.StatusOK)
	form := page.form("form.panel")
	form.Set("action", "run_now")
	page.Find("input[data-row]").Each(func(_ int, s *goquery.Selection) {
		value, _ := s.Attr("value")
		form.Add("subject", value)
	})
	form.Add("subject", url.QueryEscape("gone meanwhile"))
	d.work()
	ask := d.post(docsURL+"/ask", form, http.StatusOK)
	ask.says(t, "form h1", "Run 5 documents of pages")
	ask.says(t, "form.form", "2 of them would be left alone: gone, or in another state.")
	confirm := ask.form("form.form")
	done := d.over(d.post(newOperationURL, confirm, http.StatusSeeOther))
	done.says(t, ".toast p", "Made due now: 3 documents. 2 refused, for the reasons below.")
	done.says(t, "main", "the document is held by a worker; release it first")
	done.says(t, "main", "there is no such document")
	if got := d.doc(hostile).Status; got != queue.Pending {
		t.Errorf("the document with a subject of two lines is %s", got)
	}

	form.Set("action", "retry")
	none := d.post(docsURL+"/ask", form, http.StatusOK)
	none.says(t, `.notice[data-kind="error"]`, "None of them would change")
	none.count(t, "form.form footer button", 0)
	for _, action := range []string{"complete", "kill", "drop"} {
		form.Set("action", action)
		ask := d.post(docsURL+"/ask", form, http.StatusOK)
		ask.says(t, "form.form", "A worker that holds one of them loses it.")
		d.post(newOperationURL, ask.form("form.form"), http.StatusSeeOther)
	}
	d.get(docsURL, http.StatusOK).count(t, `[data-empty="queue"]`, 1)
}

func TestDocumentsBatchRefuses(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleOperator)
	d.put("a", queue.Pending)
	none := d.post(docsURL+"/ask", url.Values{"action": {"kill"}}, http.StatusOK)
	none.says(t, `.notice[data-kind="error"]`, "Select documents")
	none.count(t, "form.form button", 0)
	named := func(action string, subjects ...string) url.Values {
		return url.Values{"which": {"selected"}, "action": {action}, "subject": subjects, "back": {"https://evil.example/"}}
	}
	d.post(newOperationURL, named("kill"), http.StatusUnprocessableEntity) // and not all
	for _, action := range []string{"", "edit", "release", "forward"} {
		d.post(newOperationURL, named(action, "a"), http.StatusNotFound)
	}
	many := named("kill")
	for i := range queue.MaxList + 1 {
		many.Add("subject", fmt.Sprint(i))
	}
	d.post(newOperationURL, many, http.StatusUnprocessableEntity)
	d.post(newOperationURL, named("kill", "%zz"), http.StatusUnprocessableEntity)
	d.post("/queues/missing/documents/ask", url.Values{"action": {"kill"}, "subject": {"a"}}, http.StatusNotFound)
	d.doc("a") // nothing was done to it
	d.work()
	away := d.post(newOperationURL, named("kill", "a"), http.StatusSeeOther)
	if to := away.header.Get("Location"); to != docsURL {
		t.Errorf("a form leads away to %q", to)
	}
}

func TestDocumentsAreForRoles(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleViewer)
	d.put("a", queue.Pending)
	d.get(docsURL, http.StatusOK)
	d.get(docsURL+"/new", http.StatusForbidden)
	d.post(docsURL+"/new", url.Values{"subject": {"b"}}, http.StatusForbidden)
	d.post(docsURL+"/ask", url.Values{"action": {"kill"}, "subject": {"a"}}, http.StatusForbidden)
	d.post(newOperationURL, url.Values{"which": {"selected"}, "action": {"kill"}, "subject": {"a"}}, http.StatusForbidden)
	if got := d.doc("a").Status; got != queue.Pending {
		t.Errorf("a viewer made it %s", got)
	}
}

func TestNewDocument(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleOperator)
	to := docsURL + "/new"
	form := d.get(to, http.StatusOK).form("form.form")
	form.Set("subject", `https://a.example/?q="x"&y=<1>`)
	form.Set("payload", "{\r\n  \"big\": 123456789012345678901234567890\r\n}")
	form.Set("version", "3")
	form.Set("priority", "-5")
	form.Set("next_iteration", "+2h")
	d.leads(d.postParts(to, form, http.StatusSeeOther), docAt(form.Get("subject"))).says(t, ".toast p", "Added https://a.example/")
	made := d.doc(form.Get("subject"))
	if made.Version != 3 || made.Priority != -5 || made.Status != queue.Planned || string(made.Payload) != `{"big": 123456789012345678901234567890}` ||
		time.Until(made.Next) < time.Hour {
		t.Errorf("made %+v", made)
	}

	again := d.postParts(to, form, http.StatusUnprocessableEntity)
	again.says(t, "#f-subject-wrong", "stands in this queue already")
	if got := again.form("form.form"); got.Get("payload") != strings.ReplaceAll(form.Get("payload"), "\r", "") || got.Get("subject") != form.Get("subject") {
		t.Errorf("what was typed is lost: %v", got)
	}
	form.Set("on_conflict", "update")
	form.Set("priority", "9")
	d.leads(d.postParts(to, form, http.StatusSeeOther), docAt(form.Get("subject"))).says(t, ".toast p", "Updated")
	if got := d.doc(form.Get("subject")).Priority; got != 9 {
		t.Errorf("priority %d, want 9", got)
	}

	d.put("held", queue.Active)
	d.post(to, url.Values{"subject": {"held"}, "on_conflict": {"update"}}, http.StatusUnprocessableEntity).says(t, "#f-subject-wrong", "a worker holds it")
	empty := d.post(to, url.Values{}, http.StatusSeeOther)
	if loc := empty.header.Get("Location"); !strings.HasPrefix(loc, "/queues/pages/document?subject=0") {
		t.Errorf("a document without subject leads to %q", loc)
	}
	d.post("/queues/missing/documents/new", url.Values{"subject": {"x"}}, http.StatusNotFound)
}

func TestNewDocumentSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleOperator)
	for _, test := range []struct{ field, value, says string }{
		{"subject", strings.Repeat("ü", 128), "255"}, {"payload", "{", "not JSON"}, {"payload", strings.Repeat("[", 65) + strings.Repeat("]", 65), "64 levels"},
		{"payload", `{"a":"\u0000"}`, "NUL"}, {"payload", `"` + strings.Repeat("x", 1<<20) + `"`, "too large"},
		{"version", "1.5", "no whole number"}, {"version", "-1", "0 to 32767"}, {"priority", "32768", "32767"}, {"next_iteration", "tomorrow", "no date"},
	} {
		page := d.postParts(docsURL+"/new", url.Values{test.field: {test.value}}, http.StatusUnprocessableEntity)
		page.says(t, "#f-"+test.field+"-wrong", test.says)
		page.count(t, `form.form > .notice`, 0)
	}
	d.postParts(docsURL+"/new", url.Values{"payload": {strings.Repeat("x", 3<<20)}}, http.StatusRequestEntityTooLarge)
	d.postParts(docsURL+"/new", url.Values{"payload": {`["` + strings.Repeat("é", 1<<19-2) + `"]`}}, http.StatusSeeOther)
}

func subjects(a reply) (list []string) {
	a.Find("table.documents td.subject a").Each(func(_ int, s *goquery.Selection) { list = append(list, s.Text()) })
	return list
}
