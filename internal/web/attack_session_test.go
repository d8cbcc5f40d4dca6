package web_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/queue"
)

// wantedHeaders are on every answer.
var wantedHeaders = map[string]string{
	"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin",
	"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
}

func TestEveryAnswerHasTheSecurityHeaders(t *testing.T) {
	t.Parallel()
	s, who, paths := permissionSite(t)
	check := func(name string, header http.Header) {
		t.Helper()
		for key, want := range wantedHeaders {
			if got := header.Get(key); got != want {
				t.Errorf("%s: %s is %q; %q is wanted", name, key, got, want)
			}
		}
		policy := header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("%s: the policy %q lacks %q", name, policy, part)
			}
		}
		if strings.Contains(policy, "unsafe") || header.Get("Permissions-Policy") == "" || header.Get("Strict-Transport-Security") != "" {
			t.Errorf("%s: %v", name, header)
		}
	}
	ask := func(b *siteBrowser, method, path string, form url.Values, headers ...string) {
		t.Helper()
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		resp := b.send(ctx, method, path, form, headers...)
		defer resp.Body.Close()
		check(method+" "+path, resp.Header)
		if caching := resp.Header.Get("Cache-Control"); !strings.HasPrefix(path, "/assets/") && caching != "no-store" {
			t.Errorf("%s %s may be kept: %q", method, path, caching)
		}
	}
	for _, r := range s.pages.Routes() {
		for _, b := range []*siteBrowser{s.nobody(), s.enter(who["viewer"]), s.enter(who["admin"])} {
			ask(b, r.Method, paths.fill(r.Path), nil, "Sec-Fetch-Site", "same-origin")
		}
	}
	b := s.enter(who["admin"])
	ask(b, http.MethodGet, "/nowhere", nil)
	ask(b, http.MethodGet, "/queues/none", nil)
	ask(b, http.MethodGet, "/assets/none.css", nil)
	ask(b, http.MethodDelete, "/queues", nil, "Sec-Fetch-Site", "same-origin")
	ask(b, http.MethodPost, "/queues/new", nil, "Sec-Fetch-Site", "cross-site")
	ask(b, http.MethodPost, "/queues/new", url.Values{"name": {strings.Repeat("x", 3<<20)}}, "Sec-Fetch-Site", "same-origin")
	for _, path := range []string{"/", "/account", "/team", "/team?tab=tokens", "/team?tab=sessions", "/queues", "/queues/pages", "/queues/pages/settings", "/queues/new"} {
		p := b.get(path).must(t, http.StatusOK)
		if n := p.Find("script:not([src]), style, [style], [onclick], [onload]").Length(); n != 0 {
			t.Errorf("%s has %d scripts or styles within, which the policy forbids", path, n)
		}
	}
	sheet, _ := s.nobody().get("/login").Find("link[rel=stylesheet]").Attr("href")
	if sheet == "" {
		t.Fatal("no style sheet is named")
	}
	ask(s.nobody(), http.MethodGet, sheet, nil)
}

func TestBehindTLSBrowsersAreToldToStayThere(t *testing.T) {
	t.Parallel()
	s := newSite(t, "https://queue.example.org")
	if got := s.nobody().get("/login").header.Get("Strict-Transport-Security"); !strings.HasPrefix(got, "max-age=") {
		t.Errorf("Strict-Transport-Security is %q", got)
	}
}

func TestFlagsOfTheCookies(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		base, name string
		secure     bool
	}{{"", "fetchq_session", false}, {"http://queue.example.org", "fetchq_session", false}, {"https://queue.example.org", "__Host-fetchq_session", true}} {
		s := newSite(t, tt.base)
		s.user("ann@example.org", auth.RoleViewer)
		b := s.nobody()
		b.post("/login", signInForm("ann@example.org", sitePassword)).must(t, http.StatusSeeOther)
		k := b.cookies[tt.name]
		if len(b.cookies) != 1 || k == nil || len(k.Value) != 43 || k.Secure != tt.secure || !k.HttpOnly || k.SameSite != http.SameSiteLaxMode ||
			k.Path != "/" || k.Domain != "" || k.MaxAge <= 0 {
			t.Errorf("%q: the session's cookies are %v", tt.base, b.cookies)
		}
		b.post("/account/theme", url.Values{"theme": {"dark"}}).must(t, http.StatusSeeOther)
		k = b.cookies["theme"]
		if k == nil || k.Value != "dark" || k.Secure != tt.secure || k.HttpOnly || k.SameSite != http.SameSiteLaxMode || k.Path != "/" || k.MaxAge != 31_536_000 {
			t.Errorf("%q: the theme's cookie is %v", tt.base, k)
		}
		if class, _ := b.get("/account").Find("html").Attr("class"); class != "dark" {
			t.Errorf("%q: the page's theme is %q", tt.base, class)
		}
	}
}

func TestSigningOutEndsTheSession(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	b := s.as(auth.RoleViewer)
	copied := s.nobody()
	copied.cookies[auth.SessionName] = b.cookies[auth.SessionName]
	if copied.get("/account").status != http.StatusOK {
		t.Fatal("the copy of the cookie is not good before")
	}
	if p := b.post("/logout", nil).must(t, http.StatusSeeOther); p.to() != "/login?out=1" || b.session() != "" {
		t.Errorf("signed out to %q, with the cookie %q", p.to(), b.session())
	}
	if p := copied.get("/account"); p.to() != "/login?next=%2Faccount" {
		t.Errorf("a copy of the cookie is good after signing out: %d to %q", p.status, p.to())
	}
}

func TestWhatAViewerSendsChangesNothing(t *testing.T) {
	t.Parallel()
	s, who, paths := permissionSite(t)
	ctx := context.Background()
	b := s.enter(who["viewer"])
	form := url.Values{
		"queue": {"pages"}, "name": {"made"}, "confirm": {"pages"}, "reason": {"x"}, "email": {"new@example.org"}, "role": {"admin"}, "right": {"admin"},
		"max_attempts": {"9"}, "backoff.kind": {"none"}, "lock": {"5m"}, "id": {s.session(t, who["admin"])},
	}
	for _, r := range unsafe(s) {
		if r.Open || r.Needs == "" || r.Needs == auth.See {
			continue
		}
		if p := b.post(paths.fill(r.Path), form); p.status != http.StatusForbidden || !strings.Contains(p.body, "Your role, viewer, may not do this") {
			t.Errorf("%s %s: %d", r.Method, r.Path, p.status)
		}
	}
	q, err := s.engine.Get(ctx, "pages")
	if err != nil || q.Paused || q.Settings.MaxAttempts != 5 || q.Counts != (queue.Counts{Pending: 1}) {
		t.Errorf("the queue is %+v, %v", q, err)
	}
	if _, err := s.engine.Get(ctx, "made"); err == nil {
		t.Error("a queue was made")
	}
	users, err := s.users.List(ctx)
	if err != nil || len(users) != 4 {
		t.Errorf("there are %d users, %v", len(users), err)
	}
	for _, u := range users {
		if u.DisabledAt != nil || string(u.Role) != strings.Split(u.Email, "@")[0] && u.Email != "spare@example.org" {
			t.Errorf("a user was changed: %+v", u)
		}
	}
	if tokens, err := s.tokens.List(ctx); err != nil || len(tokens) != 0 {
		t.Errorf("there are %d tokens, %v", len(tokens), err)
	}
}

// session begins a session for a user and returns the number by which lists name it.
func (s *site) session(t *testing.T, u auth.User) string {
	t.Helper()
	s.enter(u)
	list, err := s.sessions.List(context.Background(), &u.ID)
	if err != nil || len(list) == 0 {
		t.Fatalf("%d sessions, %v", len(list), err)
	}
	return list[0].ID.String()
}

func TestTheSessionOfADisabledUserIsDeadAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	admin := s.as(auth.RoleAdmin)
	u := s.user("bob@example.org", auth.RoleOperator)
	b := s.enter(u)
	b.get("/queues").must(t, http.StatusOK)
	admin.post("/team/people/"+u.ID.String()+"/disable", nil).must(t, http.StatusSeeOther)
	if p := b.get("/queues"); !strings.HasPrefix(p.to(), "/login") {
		t.Errorf("the next request: %d", p.status)
	}
	if p := s.nobody().post("/login", signInForm(u.Email, sitePassword)); p.status != http.StatusUnauthorized {
		t.Errorf("the password: %d", p.status)
	}
	admin.post("/team/people/"+u.ID.String()+"/enable", nil).must(t, http.StatusSeeOther)
	if p := b.get("/queues"); p.status == http.StatusOK {
		t.Error("the old session lives again after the user is enabled")
	}
	s.nobody().post("/login", signInForm(u.Email, sitePassword)).must(t, http.StatusSeeOther)
}

func TestARoleHoldsFromTheNextRequestOn(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	admin := s.as(auth.RoleAdmin)
	u := s.user("bob@example.org", auth.RoleAdmin)
	b := s.enter(u)
	b.get("/team").must(t, http.StatusOK)
	admin.post("/team/people/"+u.ID.String()+"/role", url.Values{"role": {"viewer"}}).must(t, http.StatusSeeOther)
	b.get("/team").must(t, http.StatusForbidden)
	b.get("/queues").must(t, http.StatusOK)
}

func TestNoSecretIsLogged(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	ctx := context.Background()
	setup, err := s.users.SetupLink(ctx)
	if err != nil {
		t.Fatal(err)
	}
	b := s.nobody()
	b.get("/setup/"+setup).must(t, http.StatusOK)
	b.post("/setup/"+setup, url.Values{"email": {"ann@example.org"}, "password": {sitePassword}}).must(t, http.StatusSeeOther)
	secrets := []string{setup, sitePassword, b.session()}
	b.post("/logout", nil)
	b.post("/login", signInForm("ann@example.org", "the wrong password")).must(t, http.StatusUnauthorized)
	b.post("/login", signInForm("ann@example.org", sitePassword)).must(t, http.StatusSeeOther)
	link := b.post("/team/people/new", url.Values{"email": {"bob@example.org"}, "role": {"viewer"}}).must(t, http.StatusOK).says("#secret")
	token := b.post("/team/tokens/new", url.Values{"name": {"w"}, "right": {"work"}}).must(t, http.StatusOK).says("#secret")
	b.post("/account/password", url.Values{"current": {sitePassword}, "password": {"another good password"}}).must(t, http.StatusSeeOther)
	secrets = append(secrets, "the wrong password", b.session(), link[strings.LastIndex(link, "/")+1:], token, "another good password")
	s.nobody().get("/reset/"+secrets[len(secrets)-3]+"x").must(t, http.StatusNotFound)
	if s.db.Close(); s.nobody().post("/login", signInForm("ann@example.org", sitePassword)).status < 500 {
		t.Error("without a database one can sign in")
	}
	text := s.log.String()
	for _, secret := range secrets {
		if len(secret) < 10 || strings.Contains(text, secret) {
			t.Errorf("%q is no secret, or stands in the log:\n%s", secret, text)
		}
	}
	if !strings.Contains(text, "sign-in refused") || !strings.Contains(text, "level=ERROR") {
		t.Errorf("the log does not say what was refused, and what failed:\n%s", text)
	}
}
