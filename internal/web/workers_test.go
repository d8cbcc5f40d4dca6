package web_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/queue"
)

// crew makes workers of the queue pages: one holds two documents and is silent, one holds one, one waits, and one is gone; each has
// done something. The server knows them by what another wrote.
func (s *site) crew() {
	s.t.Helper()
	ctx := s.t.Context()
	s.queues("pages", "images")
	s.push("pages", "a", "b", "c", `<script>`)
	other := queue.New(s.db, queue.Options{Node: "other", Now: s.pages.Now, Log: s.pages.Log})
	hold := func(worker string, n int) {
		if _, err := other.Pick(ctx, "pages", queue.PickParams{Limit: n, Worker: worker}); err != nil {
			s.t.Fatal(err)
		}
	}
	hold("silent <b>", 2)
	hold("working", 1)
	if _, err := other.Pick(ctx, "images", queue.PickParams{Worker: "waiting"}); err != nil {
		s.t.Fatal(err)
	}
	if _, err := other.Pick(ctx, "images", queue.PickParams{Worker: "gone"}); err != nil {
		s.t.Fatal(err)
	}
	if _, err := other.WriteCrew(ctx); err != nil {
		s.t.Fatal(err)
	}
	s.exec(`update fetchq.workers set seen_at = seen_at - interval '4 minutes', over = '2 minutes', picked = 30, ended = 20, errors = 5, buckets = '{0}',
		counts = '{20}', work_ms = 20, low_ms = 1, high_ms = 1 where worker in ('silent <b>', 'gone')`)
	s.exec(`update q_pages.docs set picked_at = picked_at - interval '4 minutes', next_iteration = next_iteration - interval '4 minutes' where worker = 'silent <b>'`)
	s.exec(`select fetchq.mnt_fold('pages')`)
}

func (s *site) exec(sql string, args ...any) {
	s.t.Helper()
	if _, err := s.db.Exec(context.Background(), sql, args...); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
}

// crewOf are the workers of a page with their states, in its order.
func crewOf(p *sitePage) string {
	var list []string
	for _, row := range p.Find("tr[data-worker]").EachIter() {
		name, _ := row.Attr("data-worker")
		list = append(list, strings.TrimSpace(row.Find(".status").Text())+"="+name)
	}
	return strings.Join(list, ", ")
}

func TestWorkersAreListedThoseThatNeedSomebodyFirst(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	b := s.as(auth.RoleViewer)
	if p := b.get("/workers").must(t, http.StatusOK); p.says(".empty h2") != "No worker was seen in the last day" || !strings.Contains(p.says(".empty pre"), "/pages/pick") {
		t.Errorf("without workers the page says %q", p.says(".empty"))
	}
	s.crew()
	s.pages.Forget()
	const all = "silent=silent <b>, working=working, waiting=waiting, gone=gone"
	for path, want := range map[string]string{
		"/workers": all, "/workers?sort=nothing&page=99": all, "/workers?sort=state&desc=1": "gone=gone, waiting=waiting, working=working, silent=silent <b>",
		"/workers?sort=name": "gone=gone, silent=silent <b>, waiting=waiting, working=working", "/workers?q=IN": "working=working, waiting=waiting",
		"/workers?queue=images": "waiting=waiting, gone=gone", "/workers?state=gone": "gone=gone", "/workers?sort=active&desc=1&queue=pages": "silent=silent <b>, working=working",
		"/workers?sort=errors&desc=1&state=silent": "silent=silent <b>",
	} {
		if got := crewOf(b.get(path).must(t, http.StatusOK)); got != want {
			t.Errorf("%s lists %s; %s is wanted", path, got, want)
		}
	}
	p := b.get("/workers")
	row := p.Find(`tr[data-worker="silent <b>"]`)
	if why := row.Find("[data-reason]").Text(); !strings.HasPrefix(why, "holds 2 documents and was not seen for 4 m") || !strings.Contains(why, "ends in") {
		t.Errorf("why it is silent: %q", why)
	}
	for label, want := range map[string]string{"Active": "2", "Picks/min": "–", "Error rate": "–", "Work, p95": "–", "Queues": "pages"} {
		if got := strings.TrimSpace(row.Find(`td[data-label="` + label + `"]`).Text()); got != want {
			t.Errorf("%s: %q; %q is wanted", label, got, want)
		}
	}
	// What it did was not now: that stands behind it, and on its page.
	if last := row.Find(`td[data-label="Picks/min"]`).AttrOr("title", ""); !strings.HasPrefix(last, "last 15/min, 4 m") || !strings.HasSuffix(last, " ago") {
		t.Errorf("what it did last is told as %q", last)
	}
	if got := b.get("/worker?name=silent+%3Cb%3E").must(t, http.StatusOK).says(`[data-tile="Picks/min"]`); !strings.Contains(got, "– last 15/min, 4 m") {
		t.Errorf("its page says %q", got)
	}
	if got := crewOf(b.get("/workers?sort=picks&desc=1")); !strings.HasPrefix(got, "working=working, waiting=waiting") {
		t.Errorf("by picks a minute they stand as %s", got)
	}
	if n := p.Find("[data-selection], input[data-row]").Length(); n > 0 {
		t.Errorf("a viewer has %d things to select with", n)
	}
	if tabs := strings.Join(strings.Fields(p.says(".tabs-line")), " "); tabs != "All 4 silent 1 quiet 0 working 1 waiting 1 gone 1" {
		t.Errorf("the tabs are %q", tabs)
	}
	if p := b.get("/workers?q=zzz").must(t, http.StatusOK); p.says(".empty h2") != "No worker matches" {
		t.Errorf("without a match it says %q", p.says(".empty"))
	}
	if hits := b.get("/search?q=SILENT").must(t, http.StatusOK); !strings.Contains(hits.says("section[aria-labelledby=found-workers]"), "silent <b>") {
		t.Errorf("the search finds %q", hits.says("main"))
	}
	for path, want := range map[string]string{"/": "2", "/queues/pages": "1", "/queues/images": "1"} {
		if got := b.get(path).must(t, http.StatusOK).says(`[data-tile="Workers"] dd`); !strings.HasPrefix(got, want+" ") {
			t.Errorf("%s: the tile of workers says %q", path, got)
		}
	}
	if got := b.get("/queues").says(`#queue-pages td[data-label="Workers"]`); got != "1" {
		t.Errorf("the list of queues says that pages has %q workers", got)
	}
}

func TestTheListOfWorkersIsBounded(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.queues("pages")
	for i := range 60 {
		if _, err := s.engine.Pick(t.Context(), "pages", queue.PickParams{Worker: fmt.Sprintf("w%02d", i)}); err != nil {
			t.Fatal(err)
		}
	}
	b := s.as(auth.RoleViewer)
	first := b.get("/workers").must(t, http.StatusOK)
	next, _ := first.Find(`a[rel="next"]`).Attr("href")
	if a, b := first.Find("tr[data-worker]").Length(), b.get(next).Find("tr[data-worker]").Length(); a != 50 || b != 10 {
		t.Errorf("the pages have %d and %d workers", a, b)
	}
}

func TestAWorkerOpensToWhatItHoldsAndLosesWhatIsReleased(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.crew()
	const path = "/worker?name=silent+%3Cb%3E"
	b := s.as(auth.RoleOperator)
	p := b.get(path).must(t, http.StatusOK)
	if p.says("h1") != "silent <b>" || !strings.HasPrefix(p.says("main [data-reason]"), "Holds 2 documents and was not seen for 4 m") {
		t.Errorf("the page says %q", p.says("main"))
	}
	if tile := p.says(`[data-tile="Active"] dd`); !strings.HasPrefix(tile, "2 ") {
		t.Errorf("it holds %q", tile)
	}
	rows := p.Find(`form[action="/workers/release/ask"] tbody tr`)
	if rows.Length() != 2 || !strings.HasPrefix(rows.First().Find(`td[data-label="Held for"]`).Text(), "4 m") || !strings.HasPrefix(strings.TrimSpace(rows.First().Find(`td[data-label="Lease ends"]`).Text()), "in ") {
		t.Errorf("it holds %q", rows.Text())
	}
	lease, _ := rows.First().Find("input").Attr("value")
	form := url.Values{"queue": {"pages"}, "lease": {lease}, "back": {path}, "worker": {"silent <b>"}}
	asked := b.post("/workers/release/ask", form).must(t, http.StatusOK)
	if named, _ := asked.Find(`form[action="/workers/release"] input[name="lease"]`).Attr("value"); named != lease || asked.says("h1") != "Release 1 document" ||
		!strings.Contains(asked.says("main"), "Of pages, held by silent <b>: ") {
		t.Errorf("before documents are released it asks %q, with the lease %q", asked.says("main"), named)
	}
	if none := b.post("/workers/release/ask", url.Values{"queue": {"pages"}}).must(t, http.StatusOK); none.Find(`form[action="/workers/release"] footer button`).Length() > 0 || !strings.Contains(none.says("main"), "Select documents in the list first.") {
		t.Errorf("without a document it asks %q", none.says("main"))
	}
	for _, want := range []string{"Released 1 document.", "Released 0 documents. 1 document ended or changed hands before."} {
		if to := b.post("/workers/release", form).must(t, http.StatusSeeOther).to(); to != path {
			t.Errorf("it leads to %s", to)
		}
		p = b.get(path).must(t, http.StatusOK)
		if said := p.says(".toast p"); said != want {
			t.Errorf("it says %q; %q is wanted", said, want)
		}
		if n := p.Find(`form[action="/workers/release/ask"] tbody tr`).Length(); n != 1 {
			t.Errorf("it holds %d documents then", n)
		}
	}
	form["lease"] = []string{"x y"}
	b.post("/workers/release", form).must(t, http.StatusUnprocessableEntity)
	form["lease"] = nil
	b.post("/workers/release", form).must(t, http.StatusSeeOther)
	if said := b.get(path).says(".toast p"); said != "Nothing was done: no document is selected." {
		t.Errorf("without a document it says %q", said)
	}
	if d, err := s.engine.Docs(t.Context(), "pages", queue.DocFilter{Status: new(queue.Active), Limit: 10}); err != nil || len(d.Documents) != 2 {
		t.Errorf("%d documents are held, %v", len(d.Documents), err)
	}
	viewer := s.as(auth.RoleViewer)
	p = viewer.get(path).must(t, http.StatusOK)
	if n := p.Find("input[data-row], [data-selection]").Length(); n > 0 || p.Find(`form[action="/workers/quiet"] button[disabled]`).Length() != 1 {
		t.Errorf("a viewer can select %d things, and %q", n, p.says(`form[action="/workers/quiet"]`))
	}
	viewer.post("/workers/release", form).must(t, http.StatusForbidden)
	viewer.post("/workers/release/ask", form).must(t, http.StatusForbidden)
	viewer.post("/workers/quiet", url.Values{"name": {"working"}}).must(t, http.StatusForbidden)
	b.ask(http.MethodPost, "/workers/quiet", url.Values{"name": {"working"}}, "Sec-Fetch-Site", "cross-site").must(t, http.StatusForbidden)
	b.get("/worker?name=nobody").must(t, http.StatusNotFound)
	b.get("/worker").must(t, http.StatusNotFound)
	b.get("/worker?name="+strings.Repeat("w", 256)).must(t, http.StatusUnprocessableEntity)
	if link, _ := b.get("/queues/pages/document?subject=c").Find(`a[href^="/worker?"]`).Attr("href"); link == "" {
		t.Error("the page of a document does not lead to who holds it")
	}
}

func TestWorkersAreAskedToGoQuietAndWoken(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.crew()
	b := s.as(auth.RoleOperator)
	for _, step := range []struct{ path, says, states string }{
		{"/workers/quiet", "Asked to go quiet: waiting, working. Not known any more: nobody.", "silent=silent <b>, quiet=working, quiet=waiting, gone=gone"},
		{"/workers/wake", "Woken: waiting, working. Not quiet: nobody.", "silent=silent <b>, working=working, waiting=waiting, gone=gone"},
	} {
		form := url.Values{"name": {"working", "waiting", "nobody"}, "back": {"/workers"}}
		b.post(step.path, form).must(t, http.StatusSeeOther)
		p := b.get("/workers").must(t, http.StatusOK)
		if said := p.says(".toast p"); said != step.says {
			t.Errorf("%s says %q; %q is wanted", step.path, said, step.says)
		}
		states := crewOf(p)
		if n := strings.Count(step.states, ","); strings.Count(states, ",") != n {
			t.Errorf("after %s: %s", step.path, states)
		}
		for _, state := range strings.Split(step.states, ", ") {
			if !strings.Contains(states, state) {
				t.Errorf("after %s: %s; %s is wanted", step.path, states, state)
			}
		}
		if step.path == "/workers/quiet" {
			if why := p.says(`tr[data-worker="waiting"] [data-reason]`); !strings.HasPrefix(why, "operator@example.org asked it to go quiet") || !strings.HasSuffix(why, "it holds nothing any more, and can be stopped") {
				t.Errorf("why it is quiet: %q", why)
			}
			if undo, _ := p.Find(".toast form").Attr("action"); undo != "/workers/wake" || p.Find(`.toast form [name="name"]`).Length() != 2 {
				t.Errorf("the undo goes to %s", undo)
			}
			if p := b.get("/worker?name=working"); p.Find(`form[action="/workers/wake"] button:not([disabled])`).Length() != 1 {
				t.Errorf("its page offers %q", p.says(".actions"))
			}
		}
	}
	b.post("/workers/quiet", url.Values{"back": {"/workers"}}).must(t, http.StatusSeeOther)
	if said := b.get("/workers").says(".toast p"); said != "Nothing was done: no worker is selected." {
		t.Errorf("without a name it says %q", said)
	}
}

func TestWhatIsAskedOfWorkersIsSaidBefore(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.crew()
	b := s.as(auth.RoleOperator)
	form := url.Values{"name": {"working", "silent <b>", "nobody"}, "action": {"quiet"}, "back": {"/workers?sort=name"}}
	p := b.post("/workers/ask", form).must(t, http.StatusOK)
	for _, want := range []string{"Ask 2 workers to go quiet", "silent <b>, working", "They finish what they hold", "Now they hold 3 documents.", "1 worker of those that are selected: not known any more."} {
		if got := p.says("main form"); !strings.Contains(got, want) {
			t.Errorf("the dialog says %q; %q is wanted", got, want)
		}
	}
	if n := p.Find(`main form[action="/workers/quiet"] [name="name"]`).Length(); n != 2 || p.Find(`main form [name="back"]`).AttrOr("value", "") != "/workers?sort=name" {
		t.Errorf("the dialog is for %d workers", n)
	}
	b.post("/workers/quiet", url.Values{"name": {"working"}}).must(t, http.StatusSeeOther)
	if got := b.post("/workers/ask", form).must(t, http.StatusOK).says("main form"); !strings.Contains(got, "Ask 1 worker to go quiet") || !strings.Contains(got, "left as they are, quiet already") {
		t.Errorf("of one that is quiet it says %q", got)
	}
	form.Set("action", "wake")
	if got := b.post("/workers/ask", form).must(t, http.StatusOK).says("main form"); !strings.Contains(got, "Wake 1 worker") {
		t.Errorf("it says %q", got)
	}
	form["name"] = []string{"waiting"}
	if p := b.post("/workers/ask", form).must(t, http.StatusOK); !strings.Contains(p.says("main form"), "Nothing would change") || p.Find(`main form button`).Length() != 0 {
		t.Errorf("of none it says %q", p.says("main form"))
	}
	form["name"] = nil
	if got := b.post("/workers/ask", form).must(t, http.StatusOK).says("main form"); !strings.Contains(got, "Select workers in the list first.") {
		t.Errorf("of none it says %q", got)
	}
	form.Set("action", "dance")
	b.post("/workers/ask", form).must(t, http.StatusNotFound)
	p = b.get("/workers").must(t, http.StatusOK)
	for worker, want := range map[string]string{"working": "quiet", "waiting": "awake"} {
		if got := p.Find(`tr[data-worker="`+worker+`"] input[data-row]`).AttrOr("data-kind", ""); got != want || p.Find(`.selection button[data-counts="`+want+`"][hx-post="/workers/ask"]`).Length() != 1 {
			t.Errorf("%s is %q for the buttons of a selection", worker, got)
		}
	}
}

func TestADocumentSaysWhetherAnyWorkerAsksForItsVersion(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.queues("pages")
	s.push("pages", "a", "b")
	b := s.as(auth.RoleViewer)
	says := func(want string) {
		t.Helper()
		p := b.get("/queues/pages/document?subject=b").must(t, http.StatusOK)
		if got := p.says("[data-outlook]"); !strings.Contains(got, want) || (p.Find(`[data-outlook][data-kind="warning"]`).Length() == 1) != strings.Contains(want, "But") {
			t.Errorf("it says %q; %q is wanted, as a warning or none", got, want)
		}
	}
	says("But no worker has asked for version 0 so far")
	if _, err := s.engine.Pick(t.Context(), "pages", queue.PickParams{Version: 9, Worker: "host-9"}); err != nil {
		t.Fatal(err)
	}
	says("But no worker has asked for version 0 so far")
	s.exec(`insert into fetchq.asks (queue, version, asked_at, worker) values ('pages', 0, now() - interval '3 hours', 'host-7')`)
	says("But no worker has asked for version 0 for 3 h")
	if _, err := s.engine.Pick(t.Context(), "pages", queue.PickParams{Worker: "host-8"}); err != nil {
		t.Fatal(err)
	}
	says("Workers ask for version 0: host-8 did")
}

func TestTroubleIsMarkedOnTheButtonOfThePagesToo(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.queues("pages")
	b := s.as(auth.RoleViewer)
	if p := b.get("/workers").must(t, http.StatusOK); p.Find(`[data-drawer] .mark[hidden]`).Length() != 1 || p.says("[data-drawer]") == "" {
		t.Errorf("without trouble the button says %q", p.says("[data-drawer]"))
	}
	s.exec(`update fetchq.queues set paused = true`)
	s.pages.Forget()
	p := b.get("/workers").must(t, http.StatusOK)
	if got := p.says(`[data-drawer] .mark:not([hidden])`); got != "1 queues in trouble" || p.Find("#trouble:not([hidden])").Length() != 1 {
		t.Errorf("with a queue in trouble the button says %q", p.says("[data-drawer]"))
	}
	if got := p.says("#refresh"); !strings.HasPrefix(got, "Refresh: Live") {
		t.Errorf("the control of refreshes says %q", got)
	}
}

func TestAQueueThatNobodyAsksForIsInTrouble(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.queues("pages")
	s.push("pages", "a")
	s.exec(`update q_pages.docs set next_iteration = now() - interval '20 minutes'`)
	s.exec(`update fetchq.queue_states set oldest_due_at = now() - interval '20 minutes' where queue = 'pages'`)
	s.exec(`insert into fetchq.asks (queue, version, asked_at, worker) values ('pages', 0, now() - interval '12 minutes 30 seconds', 'w')`)
	p := s.as(auth.RoleViewer).get("/").must(t, http.StatusOK)
	why := p.Find(`[data-trouble="pages"] a[href="/workers?queue=pages"]`).Text()
	if !strings.HasPrefix(why, "no worker has asked for its documents for 12 m") {
		t.Errorf("it is in trouble because %q", p.says(`[data-trouble="pages"]`))
	}
}
