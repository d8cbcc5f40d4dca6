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

// TestADocumentLeadsToThoseBesideItInItsList goes through a list from document to document, forth and back, while what is looked at is changed.
func TestADocumentLeadsToThoseBesideItInItsList(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleOperator)
	var docs []queue.Push
	for i := range 7 {
		p := queue.Push{Subject: fmt.Sprintf("d%d?&", i)}
		p.Next.At = time.Now().Add(time.Duration(10-i) * time.Hour)
		docs = append(docs, p)
	}
	d.push(docs...)
	d.put("killed", queue.Killed)
	for query, want := range map[string][]string{
		"?status=planned":               {"d6?&", "d5?&", "d4?&", "d3?&", "d2?&", "d1?&", "d0?&"},
		"?order=subject&status=planned": {"d0?&", "d1?&", "d2?&", "d3?&", "d4?&", "d5?&", "d6?&"},
		"":                              {"d0?&", "d1?&", "d2?&", "d3?&", "d4?&", "d5?&", "d6?&", "killed"},
		"?status=killed":                {"killed"},
	} {
		first, _ := d.get(docsURL+query, http.StatusOK).Find("td.subject a").First().Attr("href")
		walk := func(at, rel string) (seen []string, last string) {
			for {
				page := d.get(at, http.StatusOK)
				seen, last = append(seen, page.text("#subject")), at
				if list, _ := page.Find(`nav[aria-label="Beside it in the list"] a`).First().Attr("href"); list != docsURL+query {
					t.Fatalf("%s: the list is %q", query, list)
				}
				next, there := page.Find(fmt.Sprintf("a[rel=%s]", rel)).Attr("href")
				if !there {
					return seen, last
				}
				at = next
			}
		}
		forth, last := walk(first, "next")
		back, _ := walk(last, "prev")
		slices.Reverse(back)
		if !slices.Equal(forth, want) || !slices.Equal(back, want) {
			t.Errorf("%q leads forth through %q and back through %q, want %q", query, forth, back, want)
		}
	}
	d.get(docAt("killed"), http.StatusOK).count(t, `nav[aria-label="Beside it in the list"]`, 0)
	d.get(docAt("killed")+"&at=nonsense&list=%zz", http.StatusOK).count(t, `nav[aria-label="Beside it in the list"]`, 0)

	// What is done keeps the place in the list, and the list.
	at, _ := d.get(docsURL+"?status=planned", http.StatusOK).Find("td.subject a").Eq(2).Attr("href")
	page := d.get(at, http.StatusOK)
	act, _ := page.Find(`[data-action="run_now"]`).Closest("form").Attr("action")
	after := d.leads(d.post(act, nil, http.StatusSeeOther), at)
	next, _ := after.Find("a[rel=next]").Attr("href")
	d.get(next, http.StatusOK).says(t, "#subject", "d3?&")
	drop, _ := after.Find(`[data-action="drop"]`).Attr("href")
	form := d.get(drop, http.StatusOK)
	to, _ := form.Find("form.form").Attr("action")
	d.leads(d.post(to, nil, http.StatusSeeOther), docsURL+"?status=planned")
}

func TestADocumentTellsItsPlaceInLine(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleViewer)
	high := 5
	d.push(queue.Push{Subject: "first"}, queue.Push{Subject: "second"}, queue.Push{Subject: "urgent", Priority: &high})
	for subject, want := range map[string]string{"urgent": "None of version 0 stands before it.", "first": "1 document of version 0 stands before it.", "second": "2 documents of version 0 stand before it."} {
		d.get(docAt(subject), http.StatusOK).says(t, "[data-outlook]", want)
	}
}

func TestAnEditOverAnotherShowsTheDifference(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleOperator)
	d.push(queue.Push{Subject: "a", Payload: []byte(`{"one":1,"two":2,"three":3}`)})
	form := d.get(docAt("a", "edit"), http.StatusOK).form("form.form")
	if _, err := d.engine.Act(t.Context(), "pages", []queue.Resolution{{Subject: "a", Action: "edit", Payload: []byte(`{"one":1,"two":"theirs","three":3}`)}}); err != nil {
		t.Fatal(err)
	}
	form.Set("payload", `{"one":1,"two":"mine","three":3}`)
	refused := d.postParts(docAt("a", "edit"), form, http.StatusConflict)
	refused.says(t, `[data-diff="-"]`, `- "two": "theirs"`)
	refused.says(t, `[data-diff="+"]`, `+ "two": "mine"`)
	refused.count(t, `[data-diff="-"], [data-diff="+"]`, 2)
	if got := string(d.doc("a").Payload); !strings.Contains(got, "theirs") {
		t.Errorf("the refused edit wrote %s", got)
	}
	again := refused.form("form.form")
	d.postParts(docAt("a", "edit"), again, http.StatusSeeOther)
	if got := string(d.doc("a").Payload); !strings.Contains(got, "mine") {
		t.Errorf("the second try wrote %s", got)
	}
}

func TestAnOperationIsUndone(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleOperator)
	d.put("a", queue.Pending)
	d.put("b", queue.Planned)
	d.work()
	form := d.get("/queues/pages/operations/new?action=kill", http.StatusOK).form("form.form")
	done := d.over(d.post("/queues/pages/operations/new", form, http.StatusSeeOther))
	if d.doc("a").Status != queue.Killed {
		t.Fatal("nothing was killed")
	}
	open, _ := done.Find(`a:contains("Undo…")`).Attr("href")
	d.get(open, http.StatusOK).says(t, "form.form", "2 documents get back what they had")
	undo := d.over(d.post(open, url.Values{}, http.StatusSeeOther))
	undo.says(t, ".head h1", "Undo")
	undo.says(t, `[data-tile="Done"] dd`, "2")
	if d.doc("a").Status != queue.Pending || d.doc("b").Status != queue.Planned {
		t.Errorf("a is %s, b is %s", d.doc("a").Status, d.doc("b").Status)
	}
	d.post(open, url.Values{}, http.StatusUnprocessableEntity).says(t, "form.form", "It cannot be undone: it is undone already.")
}

func TestASearchFindsErrorsAndPages(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleViewer)
	for _, name := range []string{"a", "b"} {
		d.push(queue.Push{Subject: name})
	}
	picked, err := d.engine.Pick(t.Context(), "pages", queue.PickParams{Limit: 2})
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range picked.Documents {
		message := fmt.Sprintf("Timeout of the <b>host</b> in job %d", 4711+i)
		if _, err := d.engine.Resolve(t.Context(), "pages", []queue.Resolution{{Subject: l.Subject, Lease: l.Lease, Action: "reject", Message: message}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.db.Exec(t.Context(), `select fetchq.mnt_fold('pages')`); err != nil {
		t.Fatal(err)
	}
	page := d.get("/search?q=timeout+of", http.StatusOK)
	sample, other := page.text(`[aria-labelledby="found-groups"] li a`), "4711"
	if strings.Contains(sample, other) {
		other = "4712"
	}
	page.says(t, `[aria-labelledby="found-groups"] li a`, "Timeout of the <b>host</b> in job ")
	page.says(t, `[aria-labelledby="found-groups"] li span`, "2 in pages")
	page.count(t, `[aria-labelledby="found-groups"] li`, 1)
	page.count(t, `[aria-labelledby="found-groups"] footer a[href="/errors?q=timeout+of&within=all"]`, 1)
	href, _ := page.Find(`[aria-labelledby="found-groups"] li a`).Attr("href")
	d.get(href, http.StatusOK).says(t, "main", "Timeout of the <b>host</b>")
	// The number stands in no pattern, and not in the sample.
	page = d.get("/search?q=job+"+other, http.StatusOK)
	page.says(t, `[aria-labelledby="found-errors"] li`, "Timeout of the <b>host</b> in job "+other)
	page.count(t, `[aria-labelledby="found-errors"] li`, 1)
	page.count(t, `[aria-labelledby="found-errors"] footer a[href="/errors?q=job+`+other+`&within=all&show=lines"]`, 1)
	d.get("/search?q=account", http.StatusOK).count(t, `a.font-medium[href="/account"]`, 1)
	d.get("/search?q=tokens", http.StatusOK).count(t, `a.font-medium[href="/team?tab=tokens"]`, 0) // not for a viewer
	d.as("bob@example.org", auth.RoleAdmin).get("/search?q=tokens", http.StatusOK).count(t, `a.font-medium[href="/team?tab=tokens"]`, 1)
}
