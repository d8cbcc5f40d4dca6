package browser_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/charts"
)

// What somebody who may write a field would write to run a script in another's browser.
const markup = `<img src=x onerror=window.hacked=1>`

var hostile = []string{
	markup,
	`"><script>window.hacked=1</script>`,
	`javascript:window.hacked=1//`,
	`' onmouseover=window.hacked=1 autofocus onfocus=window.hacked=1 x='`,
	`</textarea></title></script><svg onload=window.hacked=1>`,
	"{{constructor.constructor('window.hacked=1')()}}${window.hacked=1}",
	`<a href="javascript:window.hacked=1" hx-get="/" hx-trigger="load" data-copy="x">x</a>`,
}

// poison writes a text into every field that a worker or a user can write.
func (s *site) poison(text string) {
	s.t.Helper()
	q := quote(text)
	s.api("POST", "/queues/pages/documents", `{"documents":[{"subject":`+q+`,"payload":{`+q+`:{"nested":[`+q+`]},"text":`+q+`}}]}`)
	picked := s.api("POST", "/queues/pages/pick", `{"worker":`+q+`}`)
	lease := field(picked, "lease")
	s.api("POST", "/queues/pages/extend", `{"leases":[{"subject":`+q+`,"lease":`+lease+`}],"progress":`+q+`}`)
	s.api("POST", "/queues/pages/resolve", `{"resolutions":[{"subject":`+q+`,"lease":`+lease+`,"action":"reject","next_iteration":"+1 day","message":`+q+
		`,"details":{`+q+`:[`+q+`]},"ref_id":`+q+`}]}`)
	s.api("POST", "/queues/pages/logs", `{"logs":[{"message":`+q+`,"details":{`+q+`:`+q+`}},{"subject":`+q+`,"message":`+q+`}]}`)
	s.api("POST", "/queues/pages/pause", `{"reason":`+q+`}`)
	s.user("eve+"+url.QueryEscape(text)[:12]+"@example.org", text, auth.RoleViewer)
	s.api("POST", "/marks", `{"queue":"pages","at":"-1m","text":`+q+`}`)
	kept := charts.NewStore(s.db)
	d, err := kept.Create(s.t.Context(), text, text)
	if err != nil {
		s.t.Fatal(err)
	}
	d.Charts = []charts.Chart{charts.Of(text, []string{"pages"}, "picked:rate")}
	if err := kept.Save(s.t.Context(), d); err != nil {
		s.t.Fatal(err)
	}
	s.poisoned = append(s.poisoned, "/dashboards/"+d.ID.String())
	if _, _, err := auth.NewTokens(s.db, time.Now).Create(s.t.Context(), text, []string{"read"}, []string{"pages"}, nil, text); err != nil {
		s.t.Fatal(err)
	}
}

// harmless wants a page to have run nothing, to hold no element that a text has made, and to show the text as it was written.
func (p *tab) harmless(path, text string) {
	p.t.Helper()
	if get[bool](p, `'hacked' in window`) {
		p.t.Errorf("%s ran a script that was written into a field", path)
	}
	made := get[[]string](p, `[...document.querySelectorAll('img[src="x"], svg[onload], script:not([src]), [onerror], [onload], [onfocus], [onmouseover], [href^="javascript:" i], [action^="javascript:" i]')].map((el) => el.outerHTML.slice(0, 200))`)
	if len(made) > 0 {
		p.t.Errorf("%s holds %s", path, strings.Join(made, "\n"))
	}
	if text != "" {
		p.until("the text as it was written", `[document.body.textContent, ...[...document.querySelectorAll('input, textarea')].map((el) => el.value)].some((t) => t.includes(`+quote(text)+`))`)
	}
}

// TestHostileTextsAreShownAsTheyWereWritten pushes each through every field, and visits every page that shows one.
func TestHostileTextsAreShownAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	s := newSite(t, "FETCHQ_ENV="+markup)
	s.queue("pages")
	for _, text := range hostile {
		s.api("POST", "/queues/pages/resume", `{}`)
		s.poison(text)
	}
	admin := s.user("ann@example.org", markup, auth.RoleAdmin)
	p := s.of(t, admin)
	s.session(admin, markup)
	p.allow("status of 422", "status of 404")
	last := hostile[len(hostile)-1]
	for path, text := range map[string]string{
		"/": last, "/queues": markup, "/queues/pages": last, "/queues/pages/errors?kind=all": last, "/errors": "", "/errors?show=lines": last, "/errors?kind=note": last,
		"/queues/pages/documents": last, "/team": last, "/team?tab=tokens": last, "/team?tab=sessions": markup, "/audit": last, "/audit?outcome=refused": "", "/account": markup, "/queues/pages/settings": last,
		"/charts": last, "/charts/table?queue=pages&m=picked:rate&range=15m": last,
	} {
		p.visit(path)
		p.harmless(path, text)
	}
	for i, text := range hostile {
		q := url.QueryEscape(text)
		p.visit(s.poisoned[i])
		p.harmless(s.poisoned[i], text)
		for path, shows := range map[string]string{
			"/search?q=" + q: text, "/errors?q=" + q + "&subject=" + q + "&within=" + q + "&queue=" + q: text, "/errors?q=" + q + "&order=" + q: text, "/queues?q=" + q + "&state=" + q + "&sort=" + q: "",
			"/queues/pages/documents?subject_prefix=" + q + "&worker=" + q + "&version=" + q: text, "/queues/pages/documents?subject_prefix=" + q: text,
			"/queues/pages/documents/new?subject=" + q: text, documentPath("pages", text): text, "/queues/" + url.PathEscape(text): "",
			"/queues/pause?queue=pages&back=" + q: "", "/team/tokens/revoke?name=" + q: text, "/team/tokens/rotate?name=" + q: text,
			"/audit?actor=" + q + "&target=" + q: text, "/audit?action=" + q + "&outcome=" + q + "&from=" + q + "&to=" + q + "&cursor=" + q: "",
			"/charts?queue=pages&m=picked:rate&title=" + q: text, "/charts/table?queue=pages&m=picked:rate&title=" + q: text,
			"/charts?queue=" + q + "&m=" + q + "&range=" + q: "", "/queues/pages?from=" + q + "&to=" + q: "",
		} {
			p.visit(path)
			p.harmless(path, shows)
		}
		for _, action := range []string{"edit", "kill", "drop", "reschedule", "forward"} {
			path := "/queues/pages/document/" + action + "?subject=" + q
			p.visit(path)
			p.harmless(path, "")
		}
	}
}

// TestHostileTextsInDialogsToastsAndFragments goes where scripts put texts into a page: dialogs, toasts, and what is refreshed.
func TestHostileTextsInDialogsToastsAndFragments(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.queue("pages")
	p := s.as(t, auth.RoleAdmin)
	p.allow("status of 422")
	for _, text := range hostile {
		p.visit("/queues/pages/documents/new")
		p.fill("#f-subject", text)
		p.fill("#f-payload", `{`+quote(text)+`:`+quote(text)+`}`)
		p.click("main form button", "Add the document")
		p.see("Added")
		p.harmless("a toast", text)
		p.click(`[data-action="edit"]`, "")
		p.there("#dialog[open] #f-payload")
		p.harmless("the form of a document", text)
		p.click("#dialog a", "Cancel")
		p.click(`[data-action="drop"]`, "")
		p.there("#dialog[open] h1")
		p.harmless("a dialog", text)
		p.click("#dialog a", "Cancel")
	}
	p.visit("/queues/pages")
	p.there(`#refresh[data-state="live"]`)
	p.mark()
	s.api("POST", "/queues/pages/pause", `{"reason":`+quote(markup)+`}`)
	p.see(markup) // by a refresh
	p.stillMarked()
	p.harmless("a refreshed page", markup)
}

// TestSigningInLeadsNowhereElse tries addresses of other sites as the page to go on to.
func TestSigningInLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.as(t, auth.RoleViewer)
	for _, next := range []string{"javascript:window.hacked=1", "//elsewhere.example", "https://elsewhere.example/", `/\elsewhere.example`, "/\t/elsewhere.example"} {
		p.visit("/login?next=" + url.QueryEscape(next))
		p.at("/")
		p.harmless(next, "")
	}
	resp, err := http.Get(s.url + "/login?next=" + url.QueryEscape(`"><script>alert(1)</script>`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if policy := resp.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("the policy is %q", policy)
	}
}
