package browser_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/fetchq/server/internal/auth"
)

// TestATokenIsShownOnce makes a token, uses it, looks for it again, and revokes it.
func TestATokenIsShownOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.queue("pages")
	p := s.as(t, auth.RoleAdmin)
	p.allow("status of 422")
	p.visit("/team?tab=tokens")
	p.click("a", "New token")
	p.fill("#f-name", "crawler")
	p.fill("#f-expires", "soon")
	p.click("#dialog button", "Make the token")
	p.there(`#f-expires[aria-invalid="true"]`)
	p.fill("#f-expires", "90d")
	p.click("#dialog button", "Make the token")
	token := p.text("#secret")
	if !strings.HasPrefix(token, "fq_") {
		t.Fatalf("the token is %q", token)
	}
	try := func(want int) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/api/v1/queues/pages/documents", strings.NewReader(`{"documents":[{}]}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("a push with the token is answered with %d; want %d", resp.StatusCode, want)
		}
	}
	try(http.StatusOK)
	p.click("#dialog a", "Done")
	p.there(`[data-token="crawler"]`)
	if get[bool](p, `document.documentElement.outerHTML.includes(`+quote(token)+`)`) {
		t.Error("the token is shown again")
	}
	p.click(`[data-token="crawler"] a`, "Revoke crawler")
	p.see("crawler")
	p.click("#dialog button", "Revoke")
	p.until("the token is gone", `!document.querySelector('[data-token="crawler"]')`)
	try(http.StatusUnauthorized)
}

// TestAPersonIsAddedComesInAndIsDisabled goes through a person's life on the pages.
func TestAPersonIsAddedComesInAndIsDisabled(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.queue("pages")
	admin := s.as(t, auth.RoleAdmin)
	admin.visit("/team")
	admin.click("a", "Add a person")
	admin.fill("#f-email", "bob@example.org")
	admin.fill("#f-name", "Bob")
	admin.choose("#f-role", "viewer")
	admin.click("#dialog button", "Make the one-time link")
	link := admin.text("#secret")
	admin.click("#dialog a", "Done")
	admin.there(`[data-person="bob@example.org"]`)
	admin.see("waits for the link")

	bob := s.open(t)
	bob.allow("status of 401", "status of 403", "status of 404")
	bob.visit(link)
	bob.see("For bob@example.org")
	bob.fill("#f-password", password)
	bob.click("button", "Save and sign in")
	bob.at("/")
	bob.visit("/queues/pages")
	bob.there(`[data-bar] button[disabled]`)

	admin.visit("/team")
	admin.click(`[data-person="bob@example.org"] a`, "Role…")
	admin.choose("#f-role", "operator")
	admin.click("#dialog button", "Save the role")
	admin.see("bob@example.org is operator now.")
	bob.visit("/queues/pages")
	bob.there("#f-password") // a higher role ends the session that was open
	bob.fill("#f-email", "bob@example.org")
	bob.fill("#f-password", password)
	bob.click("button", "Sign in")
	bob.at("/queues/pages")
	bob.click("a", "Pause…")
	bob.press("\x1b")

	admin.click(`[data-person="bob@example.org"] a`, "Disable…")
	admin.click("#dialog button", "Disable")
	admin.see("disabled")
	bob.visit("/")
	bob.at("/login")
	bob.visit(link)
	bob.see("This link was used")
}

// TestOnesOwnPasswordAndSessions changes a password, which ends the other sessions.
func TestOnesOwnPasswordAndSessions(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	user := s.user("ann@example.org", "Ann", auth.RoleViewer)
	link, err := s.users.Link(t.Context(), user.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.users.UseLink(t.Context(), link, password); err != nil {
		t.Fatal(err)
	}
	here, there := s.of(t, user), s.of(t, user)
	here.allow("status of 422", "status of 401")
	there.allow("status of 401")
	there.visit("/")
	here.visit("/account")
	here.see("Sign out all others")
	here.fill("#f-current", "not the password")
	here.fill("#f-password", "another horse battery")
	here.click("button", "Change the password")
	here.there(`#f-current[aria-invalid="true"]`)
	here.fill("#f-current", password)
	here.fill("#f-password", "another horse battery")
	here.click("button", "Change the password")
	here.see("assword") // the toast that confirms it
	here.gone("Sign out all others")
	there.visit("/account")
	there.at("/login?next=%2Faccount")
}
