package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
)

// hostile are subjects that a page must take as they are.
var hostile = []string{
	"https://a.example/b?c=d&e=%20#f", "%2F..//", "?", "#", "/", "a b+c", `"><script>alert(1)</script>`, "'--", "ü ß 漢字 👍", " spaces ", "two\nlines", "\u202etxt",
	strings.Repeat("x", 255), "{{.}}", `\`, "%",
}

func TestDocumentTakesAnySubject(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleOperator)
	for _, subject := range hostile {
		d.push(queue.Push{Subject: subject})
		page := d.get(docAt(subject), http.StatusOK)
		if got := page.Find("#subject").Text(); got != subject {
			t.Errorf("the page of %q is about %q", subject, got)
		}
		page.count(t, "main script", 0)
		list := d.get(docsURL+"?subject_prefix="+url.QueryEscape(subject), http.StatusOK)
		href, _ := list.Find("td.subject a").First().Attr("href")
		if got := d.get(href, http.StatusOK).Find("#subject").Text(); got != subject {
			t.Errorf("the list leads from %q to %q", subject, got)
		}
		d.leads(d.post(docAt(subject, "run_now"), nil, http.StatusSeeOther), docAt(subject))
		d.leads(d.post(docAt(subject, "drop"), d.get(docAt(subject, "drop"), http.StatusOK).form("form.form"), http.StatusSeeOther), docsURL)
	}
	for subject, code := range map[string]int{"missing": 404, "": 422, "a\x00": 422, strings.Repeat("x", 256): 422, "\xff": 422} {
		d.get(docAt(subject), code)
		d.post(docAt(subject, "kill"), nil, code)
	}
	d.get("/queues/missing/document?subject=a", http.StatusNotFound)
}

// TestDocumentEscapesEverything has the same text in every field that anybody can write.
func TestDocumentEscapesEverything(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleOperator)
	const evil = `"></textarea></script><img src=x onerror=alert(1)>`
	payload := []byte(fmt.Sprintf(`{%q: [%q]}`, evil, evil))
	d.push(queue.Push{Subject: evil, Payload: payload})
	for _, name := range []string{"pages", "other"} {
		if _, err := d.engine.Push(t.Context(), name, []queue.Push{{Subject: evil, Payload: payload}}, queue.Ignore); err != nil {
			t.Fatal(err)
		}
	}
	picked, err := d.engine.Pick(t.Context(), "pages", queue.PickParams{Worker: evil})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.engine.Resolve(t.Context(), "pages", []queue.Resolution{{
		Subject: evil, Lease: picked.Documents[0].Lease, Action: "reject", Message: evil, Details: payload, RefID: evil,
	}}); err != nil {
		t.Fatal(err)
	}
	form := url.Values{"action": {"kill"}, "subject": {url.QueryEscape(evil)}}
	pages := []reply{
		d.get(docAt(evil), http.StatusOK), d.get(docsURL, http.StatusOK), d.get(docsURL+"?worker="+url.QueryEscape(evil), http.StatusOK),
		d.get(docAt(evil, "edit"), http.StatusOK), d.get(docAt(evil, "kill"), http.StatusOK), d.post(docsURL+"/ask", form, http.StatusOK),
		d.postParts(docsURL+"/new", url.Values{"subject": {evil}, "payload": {evil}}, http.StatusUnprocessableEntity),
		d.leads(d.post(docAt(evil, "run_now"), nil, http.StatusSeeOther), docAt(evil)),
	}
	for i, page := range pages {
		page.count(t, "img[src=x]", 0)
		if strings.Contains(page.body, evil) {
			t.Errorf("page %d has the text as it is", i)
		}
	}
	pages[0].says(t, ".tree .text", evil[2:20])
	pages[0].says(t, "[data-log=error]", evil)
	pages[0].says(t, "[data-elsewhere]", "other")
}

func TestDocumentSaysWhatIsKnown(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleViewer)
	d.put("a", queue.Active)
	if err := d.engine.AddLogs(t.Context(), "pages", "worker-1", []queue.NewLog{
		{Subject: "a", Message: "half way", RefID: "r-1", Details: []byte(`{"big": 123456789012345678901234567890}`)},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.engine.Push(t.Context(), "other", []queue.Push{{Subject: "a"}}, queue.Ignore); err != nil {
		t.Fatal(err)
	}
	page := d.get(docAt("a"), http.StatusOK)
	page.says(t, ".head .status", "active")
	page.says(t, "dl.facts", "Attempts1 of 5")
	page.says(t, "dl.facts", "Workerworker-1")
	page.says(t, "dl.facts", "Lease endsin 4 m")
	page.says(t, "[data-outlook]", "worker-1 holds it for")
	page.says(t, "[data-log=note]", "half way")
	page.says(t, "[data-log=note] .digits", "123456789012345678901234567890")
	page.count(t, `[data-elsewhere] a[href="/queues/other/document?subject=a"]`, 1)
	for _, what := range []string{"End of the lease", "Note at attempt 1", "Last pick", "Pushed into the queue"} {
		page.count(t, fmt.Sprintf("[data-happening=%q]", what), 1)
	}
	file := d.get(docAt("a", "payload"), http.StatusOK)
	if file.body != `{"n": 1}` || file.header.Get("Content-Type") != "application/json" || !strings.HasPrefix(file.header.Get("Content-Disposition"), "attachment") {
		t.Errorf("the payload comes as %q, %v", file.body, file.header)
	}
	href, _ := d.get(docAt("a"), http.StatusOK).Find("[data-log] a[download]").Attr("href")
	if href != "" {
		t.Errorf("details that are shown whole have a link to the rest: %s", href)
	}
}

// TestDocumentSaysWhyItsLastTryFailed fails a document, and ends it well after that.
func TestDocumentSaysWhyItsLastTryFailed(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleViewer)
	d.push(queue.Push{Subject: "a"})
	end := func(r queue.Resolution) {
		t.Helper()
		picked, err := d.engine.Pick(t.Context(), "pages", queue.PickParams{})
		if err != nil || len(picked.Documents) != 1 {
			t.Fatalf("picked %d documents: %v", len(picked.Documents), err)
		}
		r.Subject, r.Lease = "a", picked.Documents[0].Lease
		if _, err := d.engine.Resolve(t.Context(), "pages", []queue.Resolution{r}); err != nil {
			t.Fatal(err)
		}
	}
	d.get(docAt("a"), http.StatusOK).count(t, "[data-last-error]", 0)
	end(queue.Resolution{Action: "reject", Message: "HTTP 503 <b>Busy</b>"})
	d.get(docAt("a"), http.StatusOK).says(t, "[data-last-error]", "Its last error: HTTP 503 <b>Busy</b>")
	if _, err := d.engine.Act(t.Context(), "pages", []queue.Resolution{{Subject: "a", Action: "run_now"}}); err != nil {
		t.Fatal(err)
	}
	end(queue.Resolution{Action: "kill", Message: "HTTP 410 <b>Gone</b>"})
	d.get(docAt("a"), http.StatusOK).says(t, "[data-last-note]", "The last line of its log: HTTP 410 <b>Gone</b>")
	if _, err := d.engine.Act(t.Context(), "pages", []queue.Resolution{{Subject: "a", Action: "retry"}}); err != nil {
		t.Fatal(err)
	}
	end(queue.Resolution{Action: "reschedule", Next: wire.Date{Delay: &wire.Interval{Micros: 3_600_000_000}}})
	d.get(docAt("a"), http.StatusOK).count(t, "[data-last-error]", 0)
}

func TestDocumentSaysThatItsQueueIsPaused(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleViewer)
	d.put("a", queue.Pending)
	if _, err := d.engine.Pause(t.Context(), "pages", queue.PauseParams{Reason: "the site is down"}); err != nil {
		t.Fatal(err)
	}
	page := d.get(docAt("a"), http.StatusOK)
	page.says(t, `[data-outlook][data-kind="warning"]`, "paused and hands out nothing until somebody resumes it: the site is down.")
	page.says(t, "dl.facts", "paused: the site is down")
}

func TestDocumentLogsTurnPagesBothWays(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleViewer)
	d.push(queue.Push{Subject: "a%b"})
	var logs []queue.NewLog
	for i := range 130 {
		logs = append(logs, queue.NewLog{Subject: "a%b", Message: fmt.Sprintf("line %03d.", i)})
	}
	if err := d.engine.AddLogs(t.Context(), "pages", "", logs); err != nil {
		t.Fatal(err)
	}
	page := d.get(docAt("a%b"), http.StatusOK)
	page.count(t, "[data-happening=Note]", 100)
	page.says(t, "main", "Older log lines stand below.")
	seen := 0
	for {
		seen += page.Find("[data-log]").Length()
		next, ok := page.Find(`#logs a[data-page="next"]`).Attr("href")
		if !ok {
			break
		}
		page = d.get(strings.TrimSuffix(next, "#logs"), http.StatusOK)
	}
	if seen != 130 {
		t.Errorf("%d lines on the way, want 130", seen)
	}
	page.says(t, "[data-log]:last-child", "line 000.")
	before, _ := page.Find(`#logs a[data-page="prev"]`).Attr("href")
	d.get(strings.TrimSuffix(before, "#logs"), http.StatusOK).count(t, "[data-log]", 20)
	d.get(docAt("a%b")+"&cursor=zzz", http.StatusUnprocessableEntity)
}

// TestDocumentBoundsWhatItShows has payloads and details that are too much for a page; all of each is behind a link.
func TestDocumentBoundsWhatItShows(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleOperator)
	wide := "[" + strings.Repeat(`"é",`, 200_000) + `0]`
	deep := strings.Repeat(`{"a":[`, 32) + strings.Repeat(`]}`, 32)
	text := `"` + strings.Repeat("<b>", 1<<18) + `"`
	for subject, payload := range map[string]string{"wide": wide, "deep": deep, "text": text} {
		d.push(queue.Push{Subject: subject, Payload: []byte(payload)})
		page := d.get(docAt(subject), http.StatusOK)
		if len(page.body) > 400<<10 {
			t.Errorf("the page of %s has %d bytes", subject, len(page.body))
		}
		if file := d.get(docAt(subject, "payload"), http.StatusOK); file.body != string(d.doc(subject).Payload) {
			t.Errorf("the payload of %s does not come whole", subject)
		}
	}
	d.get(docAt("wide"), http.StatusOK).says(t, "[data-more]", "199,002 more values")
	d.get(docAt("deep"), http.StatusOK).count(t, "[data-more]", 0)
	d.get(docAt("text"), http.StatusOK).says(t, ".tree", "bytes more")
	if page := d.get(docsURL, http.StatusOK); len(page.body) > 40<<10 {
		t.Errorf("a list of three documents has %d bytes", len(page.body))
	}
	if err := d.engine.AddLogs(t.Context(), "pages", "", []queue.NewLog{{Subject: "deep", Message: "m", Details: []byte("[" + strings.Repeat("1,", 300) + "2]")}}); err != nil {
		t.Fatal(err)
	}
	href, _ := d.get(docAt("deep"), http.StatusOK).Find("[data-log] a[download]").Attr("href")
	if whole := d.get(href, http.StatusOK); strings.Count(whole.body, "1") != 300 {
		t.Errorf("the details come as %.60q", whole.body)
	}
	d.get(docAt("deep", "details"), http.StatusNotFound)
	d.get(docAt("deep", "details")+"&id=1&at=2", http.StatusNotFound)

	form := d.get(docAt("text", "edit"), http.StatusOK).form("form.form")
	form.Set("payload", strings.Replace(form.Get("payload"), "<b>", "<i>", 1))
	d.leads(d.postParts(docAt("text", "edit"), form, http.StatusSeeOther), docAt("text")).says(t, ".toast p", "Edited text.")
	if got := string(d.doc("text").Payload); !strings.HasPrefix(got, `"<i><b>`) || len(got) != len(text) {
		t.Errorf("a payload of 1 MiB is saved as %.40q, %d bytes", got, len(got))
	}
}
