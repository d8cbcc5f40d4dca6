package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/fetchq/server/internal/auth"
)

func TestAProviderSignsPeopleInWithTheRoleOfTheirGroups(t *testing.T) {
	t.Parallel()
	i := newIDP(t)
	s := i.site(auth.Entrance{SignUp: true})
	s.user("root@example.org", auth.RoleAdmin)
	if p := s.nobody().get("/login?next=%2Fqueues"); p.says(`a[href="/login/provider?next=%2Fqueues"]`) != "Sign in with Acme" {
		t.Errorf("the page has no such door: %s", p.body)
	}
	for _, inToken := range []bool{false, true} {
		name := map[bool]string{false: "ann", true: "bob"}[inToken]
		who := somebody{Email: name + "@example.org", Verified: true, Name: "Ann", Groups: []string{"others", "ops"}, InToken: inToken}
		i.knows(name, who)
		b := s.nobody()
		back := b.by(i, name)
		if k := b.cookies["__Host-fetchq_provider"]; k == nil || !k.Secure || !k.HttpOnly || k.SameSite != http.SameSiteLaxMode || k.MaxAge != 600 || k.Path != "/" {
			t.Fatalf("the cookie of the way is %v", k)
		}
		if p := b.get(back).must(t, http.StatusSeeOther); p.to() != "/queues" || len(b.cookies) != 1 {
			t.Fatalf("it leads to %q, with %v", p.to(), b.cookies)
		}
		if k := b.cookies["__Host-"+auth.SessionName]; k == nil || k.MaxAge != 12*60*60 {
			t.Errorf("the session lasts as %v", k)
		}
		if says := b.get("/account").must(t, http.StatusOK).says("main"); !strings.Contains(says, who.Email) || !strings.Contains(says, "operator") || !strings.Contains(says, "You sign in with Acme") {
			t.Errorf("the account says %q", says)
		}

		// A higher role ends what was open, and no group lets nobody in.
		who.Groups = []string{"ops", "admins"}
		i.knows(name, who)
		up := s.nobody()
		up.get(up.by(i, name)).must(t, http.StatusSeeOther)
		up.get("/team").must(t, http.StatusOK)
		if b.get("/account").status == http.StatusOK {
			t.Error("the session of a lower role is open yet")
		}
		who.Groups = []string{"others"}
		i.knows(name, who)
		out := s.nobody()
		p := out.get(out.by(i, name)).must(t, http.StatusForbidden)
		if !strings.Contains(p.body, "none of your groups may come in here") || !strings.Contains(p.body, p.header.Get("X-Request-Id")) || out.session() != "" {
			t.Errorf("somebody without a group is told %s", p.body)
		}
		if up.get("/account").status == http.StatusOK {
			t.Error("the session of somebody without a group is open yet")
		}
	}
	if n := s.count(`select count(*) from fetchq.users`); n != 3 {
		t.Errorf("there are %d users", n)
	}
	for what, sql := range map[string]string{
		"sign-in":  `action = 'session.sign_in' and outcome = 'done' and actor = 'bob@example.org' and details->>'by' = 'provider'`,
		"new":      `action = 'user.create' and target = 'bob@example.org'`,
		"role":     `action = 'user.role' and target = 'bob@example.org' and details->>'is' = 'admin'`,
		"refusals": `action = 'session.sign_in' and outcome = 'refused' and code = 'forbidden' and target = 'bob@example.org'`,
	} {
		if s.count(`select count(*) from fetchq_audit.lines where `+sql) == 0 {
			t.Errorf("the audit log lacks the %s", what)
		}
	}
}

// count is a number out of the database.
func (s *site) count(sql string) (n int) {
	s.t.Helper()
	if err := s.db.QueryRow(s.t.Context(), sql).Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

func TestAnAccountWithAPasswordIsConnectedByItsOwnerAlone(t *testing.T) {
	t.Parallel()
	i := newIDP(t)
	s := i.site(auth.Entrance{SignUp: true})
	s.user("root@example.org", auth.RoleAdmin)
	ann := s.user("ann@example.org", auth.RoleOperator)
	i.knows("ann", somebody{Email: "ANN@example.org", Verified: true, Groups: []string{"ops"}})
	stranger := s.nobody()
	if p := stranger.get(stranger.by(i, "ann")).must(t, http.StatusForbidden); !strings.Contains(p.body, "sign in with that, and connect the account") || stranger.session() != "" {
		t.Errorf("the provider takes an account with a password: %s", p.body)
	}

	b, elsewhere := s.enter(ann), s.enter(ann)
	if p := b.post("/account/connect", url.Values{"current": {"not the password"}}); p.status != http.StatusUnprocessableEntity || b.cookies["__Host-fetchq_provider"] != nil {
		t.Errorf("a session alone begins it: %d", p.status)
	}
	// A sign-in at the provider beside the form connects nothing.
	if p := b.get(b.by(i, "ann")); p.status != http.StatusForbidden {
		t.Errorf("a session without the password connects: %d", p.status)
	}
	p := b.post("/account/connect", url.Values{"current": {sitePassword}}).must(t, http.StatusOK)
	href, _ := p.Find(`a[href^="` + i.url + `"]`).Attr("href")
	b.get(i.signIn(href, "ann").RequestURI()).must(t, http.StatusSeeOther)
	b.get("/account").must(t, http.StatusOK)
	if elsewhere.get("/account").status == http.StatusOK {
		t.Error("other sessions are open yet")
	}
	if p := s.nobody().post("/login", signInForm("ann@example.org", sitePassword)); p.status != http.StatusUnauthorized {
		t.Errorf("the password is good yet: %d", p.status)
	}
	again := s.nobody()
	again.get(again.by(i, "ann")).must(t, http.StatusSeeOther)

	// A link is the way back to a password, and then the provider opens nothing.
	link, err := s.users.Link(t.Context(), ann.ID)
	if err != nil {
		t.Fatal(err)
	}
	s.nobody().post("/reset/"+link, url.Values{"password": {"another good password"}}).must(t, http.StatusSeeOther)
	if again.get("/account").status == http.StatusOK {
		t.Error("the session by the provider is open yet")
	}
	if p := again.get(again.by(i, "ann")); p.status != http.StatusForbidden {
		t.Errorf("two doors lead in: %d", p.status)
	}
}

func TestAttacksOnASignInByAProvider(t *testing.T) {
	t.Parallel()
	i := newIDP(t)
	s := i.site(auth.Entrance{SignUp: true})
	s.user("root@example.org", auth.RoleAdmin)
	for _, name := range []string{"ann", "mallory"} {
		i.knows(name, somebody{Email: name + "@example.org", Verified: true, Groups: []string{"ops"}, InToken: true})
	}
	i.knows("unverified", somebody{Email: "root@example.org", Groups: []string{"admins"}, InToken: true})
	i.knows("unverified2", somebody{Email: "x@example.org", Groups: []string{"admins"}})
	with := func(back, key, value string) string {
		u, _ := url.Parse(back)
		q := u.Query()
		q.Set(key, value)
		return u.Path + "?" + q.Encode()
	}
	refuse := func(name string, b *siteBrowser, back string, status int) {
		t.Helper()
		p := b.get(back)
		if p.status != status || b.session() != "" || !strings.Contains(p.body, p.header.Get("X-Request-Id")) || strings.Contains(p.body, "oidc:") {
			t.Errorf("%s: %d, with the session %q: %s", name, p.status, b.session(), p.body)
		}
	}

	b := s.nobody()
	back := b.by(i, "ann")
	refuse("another state", b, with(back, "state", strings.Repeat("A", 43)), http.StatusUnauthorized)
	refuse("no state", b, with(back, "state", ""), http.StatusUnauthorized)
	refuse("two states", b, back+"&state=x", http.StatusUnauthorized)
	refuse("a browser that began nothing", s.nobody(), back, http.StatusUnauthorized)
	victim := s.nobody()
	victim.by(i, "ann")
	refuse("the callback of somebody else", victim, back, http.StatusUnauthorized)
	way := b.cookies["__Host-fetchq_provider"]
	b.get(back).must(t, http.StatusSeeOther) // all of that did not keep the one who began it from coming in
	delete(b.cookies, "__Host-"+auth.SessionName)
	refuse("the same once more", b, back, http.StatusUnauthorized)
	b.cookies["__Host-fetchq_provider"] = way
	refuse("the same with its cookie", b, back, http.StatusUnauthorized)

	b = s.nobody()
	back = b.by(i, "ann")
	refuse("the answer of another provider", b, with(back, "iss", "https://id.example.net"), http.StatusUnauthorized)
	theirs := s.nobody()
	stolen, _ := url.Parse(theirs.by(i, "mallory"))
	b = s.nobody()
	refuse("the code of somebody else", b, with(b.by(i, "ann"), "code", stolen.Query().Get("code")), http.StatusUnauthorized)
	b = s.nobody()
	refuse("an error", b, with(strings.Replace(b.by(i, "ann"), "code=", "x=", 1), "error", "access_denied"), http.StatusUnauthorized)

	const ours, ourSecret = "fetchq", "the secret of fetchq"
	good := func(nonce string) string { return i.tokenFor(ours, ourSecret, nonce, "mallory") }
	for name, token := range map[string]func(nonce string) string{
		"":                             good, // the others are refused for what is wrong with them
		"a nonce of another sign-in":   func(string) string { return good("another") },
		"no nonce":                     func(string) string { return good("") },
		"the token of another program": func(nonce string) string { return i.tokenFor("other", "the secret of another", nonce, "mallory") },
		"a token that somebody signed": func(nonce string) string {
			parts := strings.Split(good(nonce), ".")
			return parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2]))
		},
		"no token": func(string) string { return "none" },
	} {
		b := s.nobody()
		to, _ := url.Parse(b.get("/login/provider").must(t, http.StatusSeeOther).to())
		i.set(false, "")
		i.set(false, token(to.Query().Get("nonce")))
		back := i.signIn(to.String(), "ann").RequestURI()
		if name != "" {
			refuse(name, b, back, http.StatusUnauthorized)
		} else if p := b.get(back); p.status != http.StatusSeeOther {
			t.Errorf("a good token in place of another: %d", p.status)
		}
	}
	i.set(false, "")

	b = s.nobody()
	refuse("an address that is not verified, in the token", b, b.by(i, "unverified"), http.StatusForbidden)
	b = s.nobody()
	refuse("an address that is not verified", b, b.by(i, "unverified2"), http.StatusForbidden)
	if n := s.count(`select count(*) from fetchq.users`); n != 3 {
		t.Errorf("there are %d users; root, ann and mallory are wanted", n)
	}
	if text := s.log.String(); strings.Contains(text, stolen.Query().Get("code")) || strings.Contains(text, "the secret of fetchq") || strings.Contains(text, way.Value) {
		t.Errorf("a secret is in the log:\n%s", text)
	}
}

func TestAProviderThatIsAwayKeepsNobodyElseOut(t *testing.T) {
	t.Parallel()
	i := newIDP(t)
	i.set(true, "")
	s := i.site(auth.Entrance{SignUp: true, Roles: map[string]auth.Role{auth.Everybody: auth.RoleViewer}})
	s.user("root@example.org", auth.RoleAdmin)
	i.set(false, "")
	i.knows("ann", somebody{Email: "ann@example.org", Verified: true})
	i.set(true, "")
	b := s.nobody()
	b.get("/login").must(t, http.StatusOK)
	p := b.get("/login/provider").must(t, http.StatusServiceUnavailable)
	if !strings.Contains(p.says("main"), "the provider does not answer") || !strings.Contains(p.body, p.header.Get("X-Request-Id")) || strings.Contains(p.body, i.url) {
		t.Errorf("the page says %s", p.body)
	}
	s.nobody().post("/login", signInForm("root@example.org", sitePassword)).must(t, http.StatusSeeOther)

	// It is found once it answers, and may go away in the middle of a sign-in. It is left alone for some seconds in between.
	i.set(false, "")
	for b.get("/login/provider").status != http.StatusSeeOther {
		select {
		case <-t.Context().Done():
			t.Fatal("it is not found again")
		case <-time.After(200 * time.Millisecond):
		}
	}
	back := b.by(i, "ann")
	i.set(true, "")
	b.get(back).must(t, http.StatusServiceUnavailable)
	i.set(false, "")
	b.get(b.by(i, "ann")).must(t, http.StatusSeeOther)
	if says := b.get("/account").says("main"); !strings.Contains(says, "viewer") {
		t.Errorf("who is in no group is %s", says)
	}
}
