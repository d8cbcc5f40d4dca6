package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/operations"
	"github.com/fetchq/server/internal/queue"
)

// work carries operations out until the test ends.
func (d *desk) work() {
	d.t.Helper()
	if err := d.jobs.Start(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
}

// over follows a redirect to the page of an operation, and comes back to it until that is over.
func (d *desk) over(a reply) reply {
	d.t.Helper()
	to := a.want(d.t, http.StatusSeeOther, "the form").header.Get("Location")
	if !strings.HasPrefix(to, "/operations/") {
		d.t.Fatalf("leads to %q", to)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		page := d.get(to, http.StatusOK)
		if page.Find("[data-under-way]").Length() == 0 {
			return page
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("after 20 s it is %s", page.text(".head .status"))
		}
	}
}

// bulk opens the form that an entry of the menu leads to.
func (d *desk) bulk(list, word string) reply {
	d.t.Helper()
	href, _ := d.get(list, http.StatusOK).Find(`#bulk-menu [data-bulk="` + word + `"]`).Attr("href")
	if href == "" {
		d.t.Fatalf("%s has no %s for all", list, word)
	}
	return d.get(href, http.StatusOK)
}

const newOperationURL = "/queues/pages/operations/new"

func TestAllThatMatchAreRetriedAfterACount(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleOperator)
	for _, subject := range []string{"a1", "a2", "b1"} {
		d.put(subject, queue.Killed)
	}
	d.put("a3", queue.Pending)
	list := docsURL + "?status=killed&subject_prefix=a"
	d.get(list, http.StatusOK).count(t, `#bulk-menu [data-bulk="Kill"]`, 0) // they are killed
	d.get(docsURL+"?status=killed", http.StatusOK).says(t, `[popovertarget="bulk-menu"]`, "All 3 that match…")
	d.get(docsURL+"?status=killed&subject_prefix=c", http.StatusOK).count(t, "#bulk-menu", 0) // of none
	d.get(docsURL+"?version=x", http.StatusUnprocessableEntity).count(t, "#bulk-menu", 0)
	dialog := d.bulk(list, "Retry")
	dialog.says(t, "form.form h1", "Retry all that match in pages")
	dialog.says(t, "form.form", "2 documents match in pages: killed, subject begins with a.")
	dialog.says(t, "form.form footer button", "Retry 2 documents")
	form := dialog.form("form.form")
	form.Set("message", "the site is back")
	d.work()
	page := d.over(d.post(newOperationURL, form, http.StatusSeeOther))
	page.says(t, ".head .status", "done")
	page.says(t, ".head h1", "Retry")
	page.says(t, `[data-tile="Done"] dd`, "2")
	page.says(t, "section[aria-label=Progress]", "100 %")
	page.says(t, "section[aria-labelledby=asked]", "killed, subject begins with a")
	page.says(t, "section[aria-labelledby=asked]", "ann@example.org (user) from 192.0.2.1")
	page.count(t, "#cancel", 0) // it is over
	for subject, want := range map[string]queue.Status{"a1": queue.Pending, "a2": queue.Pending, "b1": queue.Killed, "a3": queue.Pending} {
		if got := d.doc(subject).Status; got != want {
			t.Errorf("%s is %s, want %s", subject, got, want)
		}
	}
	// The same form again is the same operation.
	again := d.post(newOperationURL, form, http.StatusSeeOther).header.Get("Location")
	all := d.get("/operations", http.StatusOK)
	all.count(t, "tr[data-operation]", 1)
	if href, _ := all.Find("tr[data-operation] a").Attr("href"); href != again {
		t.Errorf("the second form leads to %s, the list to %s", again, href)
	}
	for _, said := range []string{"done", "Retry", "pages", "killed, subject begins with a", "100 %", "ann@example.org"} {
		all.says(t, "tr[data-operation]", said)
	}
	all.says(t, "tr[data-operation] td[data-label=Done]", "2")
	all.count(t, `.rail a[href="/operations"][aria-current="page"]`, 1)
	d.get("/operations?queue=other", http.StatusOK).count(t, "tr[data-operation]", 0)
	d.get("/queues/pages", http.StatusOK).count(t, `.tabs-line a[href="/operations?queue=pages"]`, 1)
	of := d.get("/operations?queue=pages&state=done", http.StatusOK)
	of.count(t, "tr[data-operation]", 1)
	of.count(t, `nav[aria-label="Breadcrumb"] a[href="/queues/pages"]`, 1)
	d.get("/operations?state=gone", http.StatusUnprocessableEntity)
}

func TestWhatAnActionWantsIsAskedForAndChecked(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleOperator)
	d.put("x", queue.Pending)
	d.work()
	for word, tt := range map[string]struct {
		field, bad, good, says string
		check                  func(queue.Document) bool
	}{
		"Set priority": {"priority", "70000", "7", "Set priority to 7", func(doc queue.Document) bool { return doc.Priority == 7 }},
		"Reschedule":   {"next_iteration", "soon", "+2h", "Reschedule to 20", func(doc queue.Document) bool { return doc.Status == queue.Planned }},
	} {
		form := d.bulk(docsURL, word).form("form.form")
		for _, bad := range []string{"", tt.bad} {
			form.Set(tt.field, bad)
			d.post(newOperationURL, form, http.StatusUnprocessableEntity).count(t, "#f-"+tt.field+"[aria-invalid]", 1)
		}
		form.Set(tt.field, tt.good)
		d.over(d.post(newOperationURL, form, http.StatusSeeOther)).says(t, ".head h1", tt.says)
		if doc := d.doc("x"); !tt.check(doc) {
			t.Errorf("%s: %+v", word, doc)
		}
	}
	form := d.bulk(docsURL, "Move").form("form.form")
	d.post(newOperationURL, form, http.StatusUnprocessableEntity).count(t, "#f-to_queue[aria-invalid]", 1)
	form.Set("to_queue", "other")
	d.over(d.post(newOperationURL, form, http.StatusSeeOther)).says(t, ".head h1", "Move to other")
	if _, err := d.engine.Doc(t.Context(), "other", "x"); err != nil {
		t.Error(err)
	}
	// What a URL may say that no menu does.
	d.get(newOperationURL+"?action=explode", http.StatusNotFound)
	d.get(newOperationURL+"?action=release", http.StatusNotFound)
	d.get(newOperationURL+"?action=kill&filter.version=x", http.StatusUnprocessableEntity)
	d.get("/queues/missing/operations/new?action=kill", http.StatusNotFound)
	d.get(newOperationURL+"?action=kill&filter.status=killed", http.StatusOK).count(t, "form.form footer button", 0)
	d.get("/operations/"+uuid.NewString(), http.StatusNotFound)
	d.get("/operations/1", http.StatusNotFound)
}

func TestToDropAllWantsTheNameOfTheQueue(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleOperator)
	d.put("x", queue.Pending)
	d.put("y", queue.Planned)
	d.work()
	form := d.bulk(docsURL, "Drop").form("form.form")
	d.post(newOperationURL, form, http.StatusUnprocessableEntity).says(t, "[role=alert]", "Nothing was dropped")
	form.Set("confirm", "pages")
	d.over(d.post(newOperationURL, form, http.StatusSeeOther)).says(t, `[data-tile="Done"] dd`, "2")
	d.put("z", queue.Pending)
	one := d.bulk(docsURL+"?status=pending", "Drop")
	one.count(t, "#f-confirm", 0)
	d.over(d.post(newOperationURL, one.form("form.form"), http.StatusSeeOther)).says(t, `[data-tile="Done"] dd`, "1")
}

func TestAnOperationIsCanceled(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleOperator)
	d.put("x", queue.Pending) // and nobody carries operations out
	to := d.post(newOperationURL, d.bulk(docsURL, "Kill").form("form.form"), http.StatusSeeOther).header.Get("Location")
	page := d.get(to, http.StatusOK)
	page.says(t, ".head .status", "waiting")
	page.count(t, "[data-under-way]", 1)
	href, _ := page.Find(".head .actions a").Attr("href")
	dialog := d.get(href, http.StatusOK)
	dialog.says(t, "form.form", "What was done stays: 0 documents")
	dialog.says(t, "form.form footer a", "Let it go on") // not "Cancel", which is what the other button does
	d.leads(d.post(href, dialog.form("form.form"), http.StatusSeeOther), to).says(t, ".toast", "Canceled. 0 documents were done before.")
	page = d.get(to, http.StatusOK)
	page.says(t, ".head .status", "canceled")
	page.says(t, "section[aria-labelledby=asked]", "by ann@example.org")
	d.get(href, http.StatusOK).says(t, "[role=alert]", "it is over")
	d.leads(d.post(href, url.Values{}, http.StatusSeeOther), to).says(t, ".toast", "over before")
	if doc := d.doc("x"); doc.Status != queue.Pending {
		t.Errorf("%+v", doc)
	}
}

func TestAViewerLooksAndStartsNothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleViewer)
	d.put("x", queue.Killed)
	list := d.get(docsURL, http.StatusOK)
	list.count(t, "#bulk-menu", 0)
	list.count(t, `a[href="/queues/pages/import"]`, 0)
	o, err := d.jobs.Create(t.Context(), operations.Request{
		Queue: "pages", Action: operations.Retry, Filter: &operations.Filter{Worker: "<b>w</b>"}, Message: "<i>why</i>", Asked: operations.Asked{By: "<b>ci</b>", As: "token"},
	})
	if err != nil {
		t.Fatal(err)
	}
	page := d.get("/operations/"+o.ID.String(), http.StatusOK)
	page.says(t, "section[aria-labelledby=asked]", "worker <b>w</b>")
	page.says(t, "section[aria-labelledby=asked]", "<i>why</i>")
	page.count(t, `.head button[disabled][title="your role may not do this"]`, 1)
	d.post("/operations/"+o.ID.String()+"/cancel", url.Values{}, http.StatusForbidden)
	d.get("/operations", http.StatusOK).count(t, "tr[data-operation]", 1)
}
