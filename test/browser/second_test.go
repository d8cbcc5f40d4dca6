package browser_test

import (
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/fetchq/server/internal/auth"
)

// TestASecondFactorFromTheAccountToTheSignIn looks at each page in all shapes, and signs in with scripts off.
func TestASecondFactorFromTheAccountToTheSignIn(t *testing.T) {
	t.Parallel()
	s := newSite(t, "FETCHQ_SECRET_KEY=a key of an installation for tests")
	user := s.user("ann@example.org", "Ann", auth.RoleAdmin)
	link, err := s.users.Link(t.Context(), user.ID)
	if err != nil {
		t.Fatal(err)
	}
	if user, err = s.users.UseLink(t.Context(), link, password); err != nil {
		t.Fatal(err)
	}
	text := axe(t)
	p := s.of(t, user)
	p.allow("status of 422")
	p.look(text, place{name: "second-none", path: "/account/second"})
	p.look(text, place{name: "second-scan", path: "/account/second", act: func(p *tab) {
		p.fill("#begin-current", password)
		p.click("button", "Begin")
		p.see("Scan this with your app")
	}})
	p.until("the picture is there", `document.querySelector('img[src$="qr.png"]')?.naturalWidth > 200`)
	secret := strings.ReplaceAll(p.text("#secret"), " ", "")
	code := func() string {
		s.exec(`update fetchq.second_factors set last_step = 0`)
		code, err := totp.GenerateCode(secret, s.now())
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	p.look(text, place{name: "second-codes", path: "/account/second", act: func(p *tab) {
		p.fill("#f-code", code())
		p.click("button", "Turn it on")
		p.see("Your second factor is on.", "They are shown only here.")
	}})
	spare := strings.Fields(p.text("#codes"))[0]
	p.look(text, place{name: "second-on", path: "/account/second"})

	other := s.open(t)
	other.allow("status of 401")
	signIn := func() {
		other.visit("/queues")
		other.at("/login?next=%2Fqueues")
		other.fill("#f-email", user.Email)
		other.fill("#f-password", password)
		other.click("button", "Sign in")
		other.at("/login/code?next=%2Fqueues")
	}
	signIn()
	other.look(text, place{name: "code", path: "/login/code?next=%2Fqueues"})
	other.scriptsOff()
	other.fill("#f-code", "000000")
	other.click("button", "Sign in")
	other.see("this code is wrong")
	other.visit("/account")
	other.at("/login?next=%2Faccount")
	signIn()
	other.fill("#f-code", code())
	other.click("button", "Sign in")
	other.at("/queues")

	s.exec(`delete from fetchq.sessions`)
	signIn()
	other.fill("#f-code", spare)
	other.click("button", "Sign in")
	other.at("/queues")
	other.visit("/account")
	other.see("recovery codes left: 9")
}

// now is the moment by the clock of the database, which takes codes.
func (s *site) now() (now time.Time) {
	s.t.Helper()
	if err := s.db.QueryRow(s.t.Context(), `select clock_timestamp()`).Scan(&now); err != nil {
		s.t.Fatal(err)
	}
	return now
}
