package web_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/web"
)

func signInForm(email, password string) url.Values {
	return url.Values{"email": {email}, "password": {password}}
}

// unsafe are the routes that may change something.
func unsafe(s *site) []web.Route {
	return slices.DeleteFunc(slices.Clone(s.pages.Routes()), func(r web.Route) bool { return r.Method == http.MethodGet })
}

func TestACookieFromBeforeSigningInIsNeverTheSessionAfterIt(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	victim := s.user("ann@example.org", auth.RoleAdmin)
	attacker := s.user("eve@example.org", auth.RoleViewer)
	link, err := s.users.Link(context.Background(), victim.ID)
	if err != nil {
		t.Fatal(err)
	}
	for name, enter := range map[string]func(b *siteBrowser) *sitePage{
		"password": func(b *siteBrowser) *sitePage { return b.post("/login", signInForm(victim.Email, sitePassword)) },
		"link":     func(b *siteBrowser) *sitePage { return b.post("/reset/"+link, url.Values{"password": {sitePassword}}) },
	} {
		for kind, planted := range map[string]string{"own": s.enter(attacker).session(), "made up": strings.Repeat("A", 43)} {
			b := s.nobody()
			b.cookies[auth.SessionName] = &http.Cookie{Name: auth.SessionName, Value: planted}
			p := enter(b)
			if p.status == http.StatusNotFound {
				continue // the link was used by the case before
			}
			p.must(t, http.StatusSeeOther)
			if b.session() == planted || b.session() == "" {
				t.Errorf("%s, %s cookie: the session is %q after signing in", name, kind, b.session())
			}
			other := s.nobody()
			other.cookies[auth.SessionName] = &http.Cookie{Name: auth.SessionName, Value: planted}
			if p := other.get("/account"); p.status == http.StatusOK {
				t.Errorf("%s, %s cookie: it is good after signing in", name, kind)
			}
		}
	}
}

func TestEveryUnsafeRouteRefusesWhatAnotherSiteSends(t *testing.T) {
	t.Parallel()
	s, who, paths := permissionSite(t)
	b := s.enter(who["admin"])
	routes := unsafe(s)
	if len(routes) < 20 {
		t.Fatalf("only %d unsafe routes are there", len(routes))
	}
	for _, r := range routes {
		for name, headers := range map[string][]string{
			"origin": {"Origin", "https://evil.example"}, "null": {"Origin", "null"}, "port": {"Origin", "http://127.0.0.1:1"},
			"cross-site": {"Sec-Fetch-Site", "cross-site"}, "same-site": {"Sec-Fetch-Site", "same-site", "Origin", "http://sub." + strings.TrimPrefix(b.url, "http://")},
			"liar": {"Sec-Fetch-Site", "cross-site", "Origin", b.url}, "cross-site as htmx": {"Sec-Fetch-Site", "cross-site", "Hx-Request", "true"},
		} {
			p := b.ask(r.Method, paths.fill(r.Path), url.Values{"confirm": {"pages"}, "queue": {"pages"}}, headers...)
			if p.status != http.StatusForbidden || !strings.Contains(p.body, "came from another site") {
				t.Errorf("%s %s, %s: %d", r.Method, r.Path, name, p.status)
			}
		}
	}
	if b.get("/account").status != http.StatusOK {
		t.Error("the session did not outlive what was refused")
	}
	if _, err := s.engine.Get(context.Background(), "pages"); err != nil {
		t.Errorf("the queue did not outlive what was refused: %v", err)
	}
}

func TestBehindAProxyTheBaseAddressIsTheOrigin(t *testing.T) {
	t.Parallel()
	for base, origin := range map[string]string{
		"https://queue.example.org": "https://queue.example.org", "https://Queue.Example.org:443/": "https://queue.example.org",
		"http://queue.example.org:80": "http://queue.example.org",
	} {
		s := newSite(t, base)
		b := s.as(auth.RoleAdmin)
		form := url.Values{"theme": {"dark"}}
		for name, headers := range map[string][]string{
			"without fetch metadata": {"Host", "10.0.0.7:8080", "Origin", origin},
			"with it":                {"Host", "10.0.0.7:8080", "Origin", origin, "Sec-Fetch-Site", "same-origin"},
		} {
			if p := b.ask(http.MethodPost, "/account/theme", form, headers...); p.status != http.StatusSeeOther {
				t.Errorf("%s, %s: %d", base, name, p.status)
			}
		}
		for _, evil := range []string{"https://evil.example", "https://queue.example.org.evil.example", "https://xqueue.example.org", "null"} {
			if p := b.ask(http.MethodPost, "/account/theme", form, "Host", "10.0.0.7:8080", "Origin", evil); p.status != http.StatusForbidden {
				t.Errorf("%s, from %s: %d", base, evil, p.status)
			}
		}
	}
}

// nasty are texts that some browser might take for another site, and texts that are none of a path.
var nasty = []string{
	"//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "\\/evil.example", "https:evil.example", "https:/evil.example",
	"https://evil.example", "//evil.example@127.0.0.1", "/\t/evil.example", "\t//evil.example", " //evil.example", "/\r\n/evil.example",
	"/x\r\nSet-Cookie: a=b", "javascript:alert(1)", "data:text/html,x", "evil.example", ".//evil.example", "http:///evil.example", "/%0a/\nevil",
	"//", "/\\", "?//evil", "#//evil", "/\x00/evil", "/\x7f", "//%65vil.example", "mailto:a@b", "%2f%2fevil.example", "/%zz",
}

// elsewhere says whether a browser that is told to go there might leave the site (WHATWG URL: tabs and line ends do not
// count, and \ is /).
func elsewhere(to string) bool {
	to = strings.NewReplacer("\t", "", "\r", "", "\n", "", "\\", "/").Replace(strings.TrimSpace(to))
	return !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//")
}

func TestNoRedirectLeadsElsewhere(t *testing.T) {
	t.Parallel()
	s, who, _ := permissionSite(t)
	harmless := []string{"/queues?q=a&page=2", "/%2f/evil.example", "/%5cevil.example", "/a/../../b"}
	for _, to := range slices.Concat(nasty, harmless) {
		b := s.enter(who["admin"])
		places := map[string]*sitePage{
			"next of the page": b.get("/login?next=" + url.QueryEscape(to)),
			"back of a theme":  b.post("/account/theme", url.Values{"theme": {"dark"}, "back": {to}}),
			"back of a star":   b.post("/queues/star", url.Values{"queue": {"pages"}, "back": {to}}),
			"back of a resume": b.post("/queues/resume", url.Values{"queue": {"pages"}, "back": {to}}),
		}
		for name, p := range places {
			if p.status != http.StatusSeeOther || elsewhere(p.to()) || strings.Contains(p.to(), "evil") && !slices.Contains(harmless, to) {
				t.Errorf("%q by %s: %d to %q", to, name, p.status, p.to())
			}
			if slices.Contains(harmless, to) && p.to() != to {
				t.Errorf("%q by %s: to %q", to, name, p.to())
			}
		}
		if p := b.post("/account/theme", url.Values{"back": {to}}, "Hx-Request", "true"); elsewhere(p.header.Get("Hx-Redirect")) {
			t.Errorf("%q to a script: %q", to, p.header.Get("Hx-Redirect"))
		}
	}
	// One sign-in with each costs a hash: the worst three will do, for it is the same code.
	for _, to := range nasty[:3] {
		form := signInForm("admin@example.org", sitePassword)
		form.Set("next", to)
		if p := s.nobody().post("/login", form); p.to() != "/" {
			t.Errorf("%q after signing in: %d to %q", to, p.status, p.to())
		}
	}
	if p := s.nobody().get("//evil.example/x"); elsewhere(p.to()) && p.to() != "" {
		t.Errorf("a path that is a host: %q", p.to())
	}
}

func TestSignInTellsNothingAndFallsOverNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.user("ann@example.org", auth.RoleViewer)
	var first string
	for _, email := range []string{"ann@example.org", "nobody@example.org", "", "\x00", "\xff", strings.Repeat("x", 300_000), "' or 1=1 --"} {
		p := s.nobody().post("/login", signInForm(email, "a wrong password"))
		if p.status != http.StatusUnauthorized {
			t.Errorf("%.20q: %d", email, p.status)
			continue
		}
		if said := p.says("[role=alert]"); first == "" {
			first = said
		} else if said != first {
			t.Errorf("%.20q: %q; the first was told %q", email, said, first)
		}
	}
	if p := s.nobody().post("/login", signInForm("ann@example.org", strings.Repeat("x", 3<<20))); p.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a form of 3 MiB: %d", p.status)
	}
	if strings.Contains(s.log.String(), "level=ERROR") {
		t.Errorf("the log has an error:\n%s", s.log)
	}
}
