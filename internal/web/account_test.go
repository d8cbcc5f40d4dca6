package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/fetchq/server/internal/auth"
)

func TestTheAccountSaysWhoOneIsAndWhere(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	u := s.user("ann@example.org", auth.RoleOperator)
	b := s.enter(u)
	s.enter(u)
	p := b.get("/account").must(t, http.StatusOK)
	if who := p.says("[aria-labelledby=who] dl"); !strings.Contains(who, "ann@example.org") || !strings.Contains(who, "Role operator") ||
		!strings.Contains(who, "pause and resume queues") || strings.Contains(who, "drop queues") {
		t.Errorf("who: %s", who)
	}
	rows := p.Find("[data-session]")
	if rows.Length() != 2 || p.Find("[data-session] .badge").Length() != 1 {
		t.Fatalf("%d sessions are told", rows.Length())
	}
	if text := strings.Join(strings.Fields(rows.First().Text()), " "); !strings.Contains(text, "Firefox on Linux") || !strings.Contains(text, "192.0.2.1") {
		t.Errorf("a session: %s", text)
	}
}

func TestOneRevokesOnesOwnSessionsAndNoOthers(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	u := s.user("ann@example.org", auth.RoleViewer)
	here, there, third := s.enter(u), s.enter(u), s.enter(u)
	stranger := s.as(auth.RoleAdmin)
	numberOf := func(b *siteBrowser) string {
		id, _ := b.get("/account").Find("[data-session]:has(.badge)").Attr("data-session")
		return id
	}
	here.post("/account/sessions/revoke", url.Values{"id": {numberOf(stranger)}}).must(t, http.StatusNotFound)
	stranger.get("/account").must(t, http.StatusOK)
	here.post("/account/sessions/revoke", url.Values{"id": {numberOf(there)}}).must(t, http.StatusSeeOther)
	there.get("/account").must(t, http.StatusSeeOther)
	third.get("/account").must(t, http.StatusOK)
	here.post("/account/sessions/revoke", url.Values{"others": {"1"}}).must(t, http.StatusSeeOther)
	third.get("/account").must(t, http.StatusSeeOther)
	if toast := here.get("/account").says(".toast p"); !strings.Contains(toast, "Other sessions ended: 1.") {
		t.Errorf("the toast says %q", toast)
	}
	if p := here.post("/account/sessions/revoke", url.Values{"id": {numberOf(here)}}); p.to() != "/login?out=1" || here.session() != "" {
		t.Errorf("ending the present session leads to %q", p.to())
	}
}

func TestAChangedPasswordEndsAllElse(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	u := s.user("ann@example.org", auth.RoleViewer)
	here, there := s.enter(u), s.enter(u)
	copied := s.nobody()
	copied.cookies[auth.SessionName] = here.cookies[auth.SessionName]
	change := func(current, password string) *sitePage {
		return here.post("/account/password", url.Values{"current": {current}, "password": {password}})
	}
	p := change("not the present one", "another good password").must(t, http.StatusUnprocessableEntity)
	if said := p.says("#f-current-wrong"); said != "this is not the present password" {
		t.Errorf("a wrong present password: %q", said)
	}
	p = change(sitePassword, "short").must(t, http.StatusUnprocessableEntity)
	if said := p.says("#f-password-wrong"); !strings.Contains(said, "at least 12") {
		t.Errorf("a short password: %q", said)
	}
	for _, name := range []string{"current", "password"} {
		if value, _ := p.Find("#f-" + name).Attr("value"); value != "" {
			t.Errorf("the page repeats a password: %q", value)
		}
	}
	there.get("/account").must(t, http.StatusOK)
	change(sitePassword, "another good password").must(t, http.StatusSeeOther)
	if toast := here.get("/account").must(t, http.StatusOK).says(".toast p"); !strings.Contains(toast, "Your password is changed") {
		t.Errorf("the toast says %q", toast)
	}
	there.get("/account").must(t, http.StatusSeeOther)
	if copied.get("/account").status == http.StatusOK {
		t.Error("the cookie from before the change is good")
	}
	s.nobody().post("/login", signInForm(u.Email, sitePassword)).must(t, http.StatusUnauthorized)
	s.nobody().post("/login", signInForm(u.Email, "another good password")).must(t, http.StatusSeeOther)
}

func TestTheSetupLinkMakesTheFirstAdminOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	link, err := s.users.SetupLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if said := s.nobody().get("/login").says("[role=status]"); !strings.Contains(said, "fetchq user setup") {
		t.Errorf("the page where one signs in says %q", said)
	}
	form := url.Values{"email": {"ann@example.org"}, "name": {"Ann"}, "password": {"short"}}
	b := s.nobody()
	p := b.post("/setup/"+link, form).must(t, http.StatusUnprocessableEntity)
	if email, _ := p.Find("#f-email").Attr("value"); email != "ann@example.org" || !strings.Contains(p.says("#f-password-wrong"), "at least 12") {
		t.Errorf("a short password: %s", p.says("form"))
	}
	form.Set("password", sitePassword)
	b.post("/setup/"+link, form).must(t, http.StatusSeeOther)
	b.get("/team").must(t, http.StatusOK)
	s.nobody().get("/setup/"+link).must(t, http.StatusNotFound)
	s.nobody().post("/setup/"+link, form).must(t, http.StatusNotFound)
	if again, err := s.users.SetupLink(t.Context()); again != "" || err != nil {
		t.Errorf("another setup link: %q, %v", again, err)
	}
}
