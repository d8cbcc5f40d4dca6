package browser_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/webauthn"

	"github.com/fetchq/server/internal/auth"
)

// device gives a browser a device that keeps passkeys. It finds its person, or fails to.
func (p *tab) device() webauthn.AuthenticatorID {
	p.t.Helper()
	call(p, webauthn.Enable, webauthn.EnableParams{})
	return call(p, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal, HasResidentKey: true, HasUserVerification: true,
		IsUserVerified: true, AutomaticPresenceSimulation: true,
	}}).AuthenticatorID
}

// TestAPasskeySignsInWithoutPasswordAndCode goes from the account to the sign-in, and looks at the pages in all shapes.
func TestAPasskeySignsInWithoutPasswordAndCode(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.url = strings.Replace(s.url, "127.0.0.1", "localhost", 1) // browsers want a name
	user := s.user("ann@example.org", "Ann", auth.RoleOperator)
	link, err := s.users.Link(t.Context(), user.ID)
	if err != nil {
		t.Fatal(err)
	}
	if user, err = s.users.UseLink(t.Context(), link, password); err != nil {
		t.Fatal(err)
	}
	// A second factor: a passkey stands for both.
	s.exec(`insert into fetchq.second_factors (user_id, secret, confirmed_at) select id, '', now() from fetchq.users`)
	text := axe(t)
	p := s.of(t, user)
	p.allow("status of 422", "status of 401")
	device := p.device()
	p.visit("/account/passkeys")
	p.fill("#f-name", "Phone")
	p.fill("#f-current", "not the password")
	p.click("button", "Go on")
	p.see("this is not the present password")
	p.look(text, place{name: "passkey-new", path: "/account/passkeys", act: func(p *tab) {
		p.fill("#f-name", "Phone <b>")
		p.fill("#f-current", password)
		p.click("button", "Go on")
		p.see("Make the passkey Phone <b>")
	}})
	p.click("button", "Make it")
	p.see("Your passkey is kept")
	p.look(text, place{name: "passkeys", path: "/account/passkeys"})
	p.fill(`[aria-label="Name of Phone <b>"]`, "Telephone")
	p.click("button", "Rename")
	p.see("has its new name")
	p.there(`[data-passkey-row="Telephone"]`)

	s.exec(`delete from fetchq.sessions`)
	p.visit("/queues")
	p.at("/login?next=%2Fqueues")
	p.look(text, place{name: "login-passkey", path: "/login?next=%2Fqueues"})
	p.click("button", "Sign in with a passkey")
	p.at("/queues")
	p.visit("/account/passkeys")
	p.until("it was used", `!document.querySelector('[data-passkey-row] [data-label="Last used"]').textContent.includes('never')`)

	// Whom the device does not know stays out: it stands for both factors.
	s.exec(`delete from fetchq.sessions`)
	call(p, webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: device, IsUserVerified: false})
	p.visit("/login")
	p.click("button", "Sign in with a passkey")
	p.see("Nothing was done")
	answer := func(verification string) string {
		return get[string](p, `(async () => {
			const told = await (await fetch('/login/passkey/begin', { method: 'POST' })).json();
			told.userVerification = `+quote(verification)+`;
			const key = await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(told) });
			return JSON.stringify(key.toJSON());
		})()`)
	}
	send := func(answer string) {
		get[bool](p, `(() => { const form = document.querySelector('form[data-passkey]'); form.elements.credential.value = `+quote(answer)+`; form.submit(); return true })()`)
	}
	send(answer("discouraged")) // a page of somebody who has the device alone
	p.see("this passkey does not sign anybody in here")
	call(p, webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: device, IsUserVerified: true})

	// What the device answers is good once.
	p.visit("/login")
	signed := answer("required")
	get[bool](p, `(async () => { await fetch('/login/passkey/begin', { method: 'POST' }); return true })()`) // another challenge
	send(signed)
	p.see("this passkey does not sign anybody in here")
	send(signed) // and no challenge at all
	p.see("the sign-in took too long, or was used before")

	p.visit("/login")
	signed = answer("required")
	kept := ""
	for _, k := range call(p, network.GetCookies, network.GetCookiesParams{}).Cookies {
		if k.Name == "fetchq_passkey" {
			kept = k.Value
		}
	}
	for _, want := range []int{http.StatusSeeOther, http.StatusUnauthorized} { // with the cookie of its challenge too
		if got := s.answerAgain(kept, signed); got != want {
			t.Errorf("the answer is taken with %d; %d is wanted", got, want)
		}
		s.exec(`update fetchq.passkeys set credential = jsonb_set(credential, '{authenticator,signCount}', '0')`) // as of one that counts nothing
	}

	// One that was removed opens nothing.
	s.exec(`delete from fetchq.passkeys`)
	p.visit("/login")
	p.click("button", "Sign in with a passkey")
	p.see("this passkey does not sign anybody in here")
	p.visit("/queues")
	p.at("/login?next=%2Fqueues")
}

// answerAgain sends what a device answered, with the cookie of its challenge, and returns the status.
func (s *site) answerAgain(cookie, answer string) int {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+"/login/passkey", strings.NewReader(url.Values{"credential": {answer}}.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	req.AddCookie(&http.Cookie{Name: "fetchq_passkey", Value: cookie})
	resp, err := http.DefaultTransport.RoundTrip(req) // no redirect is followed
	if err != nil {
		s.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}
