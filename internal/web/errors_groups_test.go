package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/fetchq/server/internal/auth"
)

func TestErrorsAreShownByGroupAndOfAGroup(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.queues("pages", "images")
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := s.db.Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"pages", "images"} {
		s.push(name, "a")
		exec(`select fetchq.log_add_many($1, 1, array['a', 'b'], array['timeout after 3 s', 'timeout after 4 s'], p_worker => 'host-1')`, name)
	}
	exec(`select fetchq.log_add_many('pages', 1, array['c'], array['the disk is full'])`)
	exec(`select fetchq.mnt_fold('pages'), fetchq.mnt_fold('images')`)
	var code string
	if err := s.db.QueryRow(t.Context(), `select fetchq.fingerprint_text(fetchq.error_fingerprint('timeout after 5 s'))`).Scan(&code); err != nil {
		t.Fatal(err)
	}
	admin, viewer := s.as(auth.RoleAdmin), s.as(auth.RoleViewer)
	for path, want := range map[string]string{
		"/errors": "timeout after …|the disk is full", "/errors?order=first_seen": "the disk is full|timeout after …", "/errors?q=DISK": "the disk is full",
		"/errors?queue=images": "timeout after …", "/queues/pages/errors": "timeout after …|the disk is full", "/errors?within=1h&version=0": "timeout after …",
		"/errors?version=7": "", "/errors?to=-1+hour": "", "/errors?from=-1+hour&to=%2B1+hour": "timeout after …|the disk is full",
	} {
		p := viewer.get(path).must(t, http.StatusOK)
		var got []string
		for _, n := range p.Find("td.message a").EachIter() {
			got = append(got, strings.TrimSpace(n.Text()))
		}
		if strings.Join(got, "|") != want {
			t.Errorf("%s shows %q; %q is wanted", path, got, want)
		}
	}
	for path, said := range map[string]string{
		"/errors?order=size": "order", "/errors?version=x": "no whole number", "/errors?from=soon": "from", "/errors?within=soon": "no duration",
	} {
		if p := viewer.get(path).must(t, http.StatusOK); !strings.Contains(p.says(`[role="alert"]`), said) {
			t.Errorf("%s says %q", path, p.says(`[role="alert"]`))
		}
	}
	const groupActions = `[data-standings] a[hx-get]`
	here := "/queues/pages/errors?fingerprint=" + code
	p := admin.get(here).must(t, http.StatusOK)
	for selector, want := range map[string]string{
		`[data-tile="Errors"] dd`: "2", `[data-tile="Documents"] dd`: "2", "h2": "timeout after …", "summary": "1 worker", `[aria-label="Documents of the group"] tbody tr:last-child`: "gone",
	} {
		if !strings.Contains(p.says(selector), want) {
			t.Errorf("%s is %q; %q is wanted", selector, p.says(selector), want)
		}
	}
	if n := p.Find(`[aria-label="Lines"] tbody tr`).Length(); n != 2 {
		t.Errorf("the group has %d lines", n)
	}
	run := p.Find(groupActions).First().AttrOr("href", "")
	if want := "/queues/pages/operations/new?action=run_now&filter.fingerprint=" + code; run != want {
		t.Errorf("the first action leads to %q; %q is wanted", run, want)
	}
	dialog := admin.get(strings.Replace(run, "action=run_now", "action=kill", 1)).must(t, http.StatusOK)
	if got := dialog.says("main"); !strings.Contains(got, "1 document matches in pages: last error in the group "+code) {
		t.Errorf("the dialog says %q", got)
	}
	if n := viewer.get(here).must(t, http.StatusOK).Find(groupActions).Length(); n != 0 {
		t.Errorf("a viewer is offered %d actions", n)
	}
	viewer.get(run).must(t, http.StatusForbidden)
	if n := viewer.get(here).Find(`[data-in="pages"] button[disabled][title]`).Length(); n != 4 || viewer.get(here).says("[data-why]") == "" {
		t.Errorf("a viewer is told why of %d actions", n)
	}
	all := viewer.get("/errors?fingerprint="+code).must(t, http.StatusOK)
	if n := all.Find(`[aria-label="Lines"] tbody tr`).Length(); n != 4 || !strings.HasPrefix(all.says(`[data-tile="Errors"] dd`), "4") {
		t.Errorf("of all queues the group has %d lines and %s errors", n, all.says(`[data-tile="Errors"] dd`))
	}
	viewer.get("/errors?fingerprint=00000000000000ff").must(t, http.StatusNotFound)
	viewer.get("/errors?fingerprint="+url.QueryEscape("<b>")).must(t, http.StatusUnprocessableEntity)
	viewer.get(here+"&from=soon").must(t, http.StatusUnprocessableEntity)
}

// failed makes queues in which documents of one group of errors stand in several states, and returns its fingerprint.
func (s *site) failed(names ...string) (code string) {
	s.t.Helper()
	s.queues(names...)
	for _, name := range names {
		s.push(name, "a", "b", "c")
		s.exec(`select fetchq.log_add_many($1, 1, array['a', 'b', 'c', 'gone'], array['timeout after 3 s', 'timeout after 4 s', 'timeout after 5 s', 'timeout after 6 s'])`, name)
		s.exec(`update q_` + name + `.docs set status = -1 where subject = 'a'`)
		s.exec(`select fetchq.mnt_fold('` + name + `')`)
	}
	if err := s.db.QueryRow(s.t.Context(), `select fetchq.fingerprint_text(fetchq.error_fingerprint('timeout after 5 s'))`).Scan(&code); err != nil {
		s.t.Fatal(err)
	}
	return code
}

func TestAGroupOfAllQueuesSaysHowItsDocumentsStandAndWhatCanBeDone(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	here := "/errors?fingerprint=" + s.failed("pages", "images")
	b := s.as(auth.RoleOperator)
	p := b.get(here).must(t, http.StatusOK)
	for _, name := range []string{"pages", "images"} {
		in := p.Find(`[data-in="` + name + `"]`)
		for state, want := range map[string]string{"killed": "1 killed", "pending": "2 pending", "gone": "1 gone"} {
			if got := strings.Join(strings.Fields(in.Find(`[data-standing="`+state+`"]`).Text()), " "); got != want {
				t.Errorf("%s: %q; %q is wanted", name, got, want)
			}
		}
		if got := in.Text(); !strings.Contains(got, "of 4 documents in all its lines") {
			t.Errorf("%s does not say how many lines it looked at: %q", name, got)
		}
		href := in.Find(`a[hx-get]`).First().AttrOr("href", "")
		if !strings.HasPrefix(href, "/queues/"+name+"/operations/new?action=retry&filter.fingerprint=") || in.Find("a[hx-get]").Length() != 4 {
			t.Errorf("%s offers %d actions, the first at %q", name, in.Find("a[hx-get]").Length(), href)
		}
	}
	s.exec(`update q_pages.docs set status = 1 where subject = 'a'`)
	s.exec(`select fetchq.log_add_many('images', 1, array_fill('a'::text, array[250]), array_fill('timeout after 3 s'::text, array[250]))`)
	p = b.get(here).must(t, http.StatusOK)
	if why := p.Find(`[data-in="pages"] button[disabled]`).AttrOr("title", ""); why != "none of these documents is killed now" {
		t.Errorf("without a killed document a retry is barred by %q", why)
	}
	if got := p.says(`[data-in="images"]`); !strings.Contains(got, "≈ 1 document of the newest 200 lines") || p.Find(`[data-in="images"] button[disabled]`).Length() != 0 {
		t.Errorf("of many lines it says %q", got)
	}
	viewer := s.as(auth.RoleViewer).get(here).must(t, http.StatusOK)
	if n := viewer.Find("[data-in] a[hx-get]").Length(); n != 0 || viewer.Find(`[data-in] button[disabled]`).AttrOr("title", "") != "your role may not do this" {
		t.Errorf("a viewer is offered %d actions", n)
	}
}

func TestErrorsOpenOnTheLastDayWithTheirCourse(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	b := s.as(auth.RoleViewer)
	s.failed("pages")
	p := b.get("/queues/pages/errors").must(t, http.StatusOK)
	if time, _ := p.Find(`[name="within"] option[selected]`).Attr("value"); time != "24h" || p.says("[data-course]") == "" {
		t.Errorf("it opens on %q with the chart %q", time, p.says("[data-course]"))
	}
	if got := p.says("[data-course] figcaption .muted"); got != "4 in the last day, at most 4 in 1 h" {
		t.Errorf("the chart says %q", got)
	}
	if got := p.says("[data-course] .mark text"); got != "v1.2.3" {
		t.Errorf("the mark of a deploy is %q", got)
	}
	bars := p.Find("[data-course] svg a")
	if n := p.Find("[data-course] tbody tr").Length(); n != bars.Length() || n < 24 {
		t.Errorf("%d bars and %d rows of the table", bars.Length(), n)
	}
	to := bars.Last().AttrOr("href", "")
	if last := b.get(to).must(t, http.StatusOK); !strings.Contains(to, "from=") || last.Find("td.message").Length() != 1 || last.says(`[name="within"] option[selected]`) != "between two dates" {
		t.Errorf("the last bar leads to %s, which shows %q", to, last.says("main"))
	}
	if n := b.get(bars.First().AttrOr("href", "")).must(t, http.StatusOK).Find("td.message").Length(); n != 0 {
		t.Errorf("the first bar leads to %d groups", n)
	}

	// What is older is a click away, and the page says so.
	s.exec(`update fetchq.error_groups set first_seen = first_seen - interval '3 days', last_seen = last_seen - interval '3 days'`)
	s.exec(`update fetchq.error_counts set slot = slot - interval '3 days'`)
	p = b.get("/errors").must(t, http.StatusOK)
	if got := p.says(".empty"); !strings.Contains(got, "No errors in the last day") || !strings.Contains(got, "The last one was") {
		t.Errorf("without errors in the last day it says %q", got)
	}
	p = b.get(p.Find(".empty a").First().AttrOr("href", "")).must(t, http.StatusOK)
	if p.Find("td.message").Length() != 1 || p.says(`[name="within"] option[selected]`) != "any time" || !strings.Contains(p.says("[data-course] figcaption"), "4 in the last 30 d") {
		t.Errorf("of any time it shows %q", p.says("main"))
	}
	if got := p.Find("td.message a").AttrOr("href", ""); !strings.HasPrefix(got, "/errors?fingerprint=") || strings.Contains(got, "within") {
		t.Errorf("the group of any time is at %s", got)
	}
	s.exec(`delete from fetchq.error_groups`)
	if got := b.get("/errors").must(t, http.StatusOK).says(".empty"); !strings.Contains(got, "A worker that rejects a document says why") {
		t.Errorf("where there never was an error it says %q", got)
	}
}

func TestFiltersAreBehindOneButtonThatCountsThem(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.failed("pages")
	s.crew()
	b := s.as(auth.RoleViewer)
	for path, want := range map[string]string{
		"/errors": "Filters", "/errors?within=1h&q=time": "Filters (2)", "/queues/pages/errors?version=0": "Filters (1)", "/queues/pages/documents": "Filters",
		"/queues/pages/documents?subject_prefix=a&version=0&status=pending": "Filters (2)", "/workers?queue=pages": "Filters (1)", "/operations?state=done": "Filters (1)",
	} {
		p := b.get(path).must(t, http.StatusOK)
		button := p.Find("[data-filters]")
		button.Find(".sr-only").Remove()
		if got := strings.Join(strings.Fields(button.Text()), " "); got != want || button.AttrOr("popovertarget", "") != "filters" || p.Find(`form#filters[popover] [name]`).Length() == 0 {
			t.Errorf("%s has the button %q for the filters; %q is wanted", path, got, want)
		}
	}
}
