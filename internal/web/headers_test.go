package web_test

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/web"
)

// headerSite is a site whose people a proxy at an address signs in.
func headerSite(t *testing.T, from string) *site {
	t.Helper()
	s := newSite(t, "", func(o *web.Options) {
		o.Headers = web.Headers{User: "X-Forwarded-Email", Groups: "X-Forwarded-Groups", From: auth.Proxies{netip.MustParsePrefix(from)}}
		o.Entrance = auth.Entrance{SignUp: true, Roles: map[string]auth.Role{"ops": auth.RoleOperator, "admins": auth.RoleAdmin}}
	})
	s.user("root@example.org", auth.RoleAdmin)
	return s
}

// as are the headers by which a proxy names somebody.
func as(email, groups string) []string {
	return []string{"X-Forwarded-Email", email, "X-Forwarded-Groups", groups}
}

func TestAProxySignsPeopleInForAsLongAsItNamesThem(t *testing.T) {
	t.Parallel()
	s := headerSite(t, "127.0.0.1/32")
	b := s.nobody()
	p := b.get("/queues?x=1", as("Ann@example.org", "others, ops")...).must(t, http.StatusSeeOther)
	if p = b.get(p.to(), as("Ann@example.org", "others, ops")...).must(t, http.StatusSeeOther); p.to() != "/queues?x=1" {
		t.Errorf("it leads to %q", p.to())
	}
	kept := b.cookies[auth.SessionName]
	for range 2 {
		b.get("/queues", as("ann@example.org", "ops")...).must(t, http.StatusOK) // an address has no case, and nothing is made anew
	}
	if b.session() != kept.Value || kept.MaxAge != 12*60*60 {
		t.Errorf("the session is %v, then %q", kept, b.session())
	}
	b.post("/account/theme", url.Values{"theme": {"dark"}}, as("ann@example.org", "ops")...).must(t, http.StatusSeeOther)

	for name, headers := range map[string][]string{
		"somebody else": as("bob@example.org", "ops"), "nobody": nil, "an empty name": as(" ", "ops"), "no groups": as("ann@example.org", ""),
		"another role": as("ann@example.org", "admins"), "two names": as("ann@example.org, bob@example.org", "ops"),
	} {
		b := s.nobody()
		b.get("/login", as("ann@example.org", "ops")...).must(t, http.StatusSeeOther)
		copied := *b.cookies[auth.SessionName]
		if p := b.get("/queues", headers...); !strings.HasPrefix(p.to(), "/login") {
			t.Errorf("%s: the session goes on: %d", name, p.status)
		}
		b.cookies[auth.SessionName] = &copied
		if p := b.get("/queues", as("ann@example.org", "ops")...); p.status == http.StatusOK {
			t.Errorf("%s: the session has come back", name)
		}
	}
	up := s.nobody()
	up.get("/login", as("ann@example.org", "admins")...).must(t, http.StatusSeeOther)
	up.get("/team", as("ann@example.org", "admins")...).must(t, http.StatusOK)

	if p := up.post("/logout", nil, as("ann@example.org", "admins")...).must(t, http.StatusSeeOther); p.to() != "/login?out=1" {
		t.Errorf("signed out to %q", p.to())
	}
	if says := up.get("/login?out=1", as("ann@example.org", "admins")...).must(t, http.StatusOK).says("main"); !strings.Contains(says, "The proxy before this site signs you in: sign out there too") {
		t.Errorf("the page says %q", says)
	}
	if p := s.nobody().get("/login", as("ann@example.org", "others")...); p.status != http.StatusForbidden || s.count(`select count(*) from fetchq_audit.lines where action = 'session.sign_in' and outcome = 'refused'`) == 0 {
		t.Errorf("somebody without a group: %d", p.status)
	}
	if p := s.nobody().get("/login", as("root@example.org", "admins")...); p.status != http.StatusForbidden {
		t.Errorf("the proxy takes an account with a password: %d", p.status)
	}
	root := s.nobody()
	root.post("/login", signInForm("root@example.org", sitePassword), as("root@example.org", "admins")...).must(t, http.StatusSeeOther)
	root.post("/account/connect", url.Values{"current": {sitePassword}}, as("root@example.org", "admins")...).must(t, http.StatusSeeOther)
	root.get("/team", as("root@example.org", "admins")...).must(t, http.StatusOK)
	s.nobody().get("/login", as("root@example.org", "admins")...).must(t, http.StatusSeeOther)
}

func TestTheProxysHeadersFromElsewhereAreNotBelieved(t *testing.T) {
	t.Parallel()
	s := headerSite(t, "192.0.2.7/32")
	// A forged X-Forwarded-For does not make the sender the proxy.
	headers := append(as("ann@example.org", "admins"), "X-Forwarded-For", "192.0.2.7", "X-Real-Ip", "192.0.2.7")
	b := s.nobody()
	if p := b.get("/login", headers...).must(t, http.StatusOK); b.session() != "" || !strings.Contains(p.says("main"), "it has not brought you here") {
		t.Errorf("somebody names himself: %q", p.says("main"))
	}
	if p := b.get("/queues", headers...); !strings.HasPrefix(p.to(), "/login") {
		t.Errorf("somebody is let in: %d", p.status)
	}
	if text := s.log.String(); !strings.Contains(text, "is not believed") || strings.Contains(text, "ann@example.org") {
		t.Errorf("the log says %s", text)
	}
	b.post("/login", signInForm("root@example.org", sitePassword), headers...).must(t, http.StatusSeeOther)
	if p := b.post("/account/connect", url.Values{"current": {sitePassword}}, headers...); p.status != http.StatusForbidden {
		t.Errorf("an account is connected to a name that nobody vouches for: %d", p.status)
	}
	if n := s.count(`select count(*) from fetchq.identities`); n != 0 {
		t.Errorf("%d identities were made", n)
	}
}

func TestAProxyThatNamesTwoPeopleIsRefused(t *testing.T) {
	t.Parallel()
	s := headerSite(t, "127.0.0.1/32")
	for _, name := range []string{"X-Forwarded-Email", "X-Forwarded-Groups"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/login", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Forwarded-Email", "ann@example.org")
		req.Header.Set("X-Forwarded-Groups", "ops")
		req.Header.Add(name, "admins")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden {
			t.Errorf("two of %s: %d", name, resp.StatusCode)
		}
	}
}
