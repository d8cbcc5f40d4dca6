package browser_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fetchq/server/internal/auth"
)

const password = "correct horse battery"

// TestTheSetupLinkMakesTheFirstAdminOnce goes from the line that the program prints to the first page.
func TestTheSetupLinkMakesTheFirstAdminOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	line := s.said.find(t, "make the first admin at ")
	_, link, _ := strings.Cut(line, " at ")
	p := s.open(t)
	p.allow("status of 422", "status of 404")
	p.visit("/")
	p.see("Nobody can sign in yet")
	p.visit(link)
	p.fill("#f-email", "ann@example.org")
	p.fill("#f-password", "short")
	p.click("button", "Make the admin")
	p.see("at least 12 are wanted")
	p.until("the wrong field marked", `document.querySelector('#f-password[aria-invalid="true"]')`)
	p.fill("#f-name", "Ann")
	p.fill("#f-password", password)
	p.click("button", "Make the admin")
	p.at("/")
	p.see("No queues yet", "Make the first queue")
	p.click(`[popovertarget="user-menu"]`, "")
	p.see("Ann", "ann@example.org · admin")
	p.visit(link)
	p.see("This link was used")
}

func TestSigningInAndOut(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	user := s.user("ann@example.org", "Ann", auth.RoleOperator)
	link, err := s.users.Link(t.Context(), user.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.users.UseLink(t.Context(), link, password); err != nil {
		t.Fatal(err)
	}
	s.queue("pages")
	p := s.open(t)
	p.allow("status of 401")
	p.visit("/queues/pages/settings")
	p.at("/login?next=%2Fqueues%2Fpages%2Fsettings")
	p.fill("#f-email", "ANN@example.org")
	p.fill("#f-password", "not the password")
	p.click("button", "Sign in")
	p.see("the e-mail address or the password is wrong")
	p.fill("#f-password", password)
	p.click("button", "Sign in")
	p.at("/queues/pages/settings") // where the person wanted to go

	// What was seen is not to be had with Back after signing out.
	p.click(`[popovertarget="user-menu"]`, "")
	p.click("#user-menu button", "Sign out")
	p.at("/login?out=1")
	p.see("You are signed out.")
	get[bool](p, `(setTimeout(() => history.back()), true)`) // after the answer: the way back may end this page before it
	p.until("the page where one signs in", `location.pathname === '/login' && document.readyState === 'complete' && location.search !== '?out=1'`)
}

// TestAnEndedSessionLeadsToSignIn ends a session while its page is open.
func TestAnEndedSessionLeadsToSignIn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	user := s.user("ann@example.org", "Ann", auth.RoleViewer)
	s.queue("pages")
	p := s.of(t, user)
	p.allow("status of 401")
	p.visit("/queues/pages")
	p.there(`#refresh[data-state="live"]`)
	if _, err := s.db.Exec(t.Context(), `delete from fetchq.sessions`); err != nil {
		t.Fatal(err)
	}
	p.within(30*time.Second, "the page where one signs in", `location.pathname === '/login'`)
	p.see("Sign in")
}
