package web_test

import (
	"bytes"
	"image/png"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/fetchq/server/internal/auth"
)

const siteKey = "a key of an installation for tests"

// secondCode is what an app shows, so many half minutes from now.
func (s *site) secondCode(secret string, steps int) string {
	s.t.Helper()
	var now time.Time
	if err := s.db.QueryRow(s.t.Context(), `select clock_timestamp()`).Scan(&now); err != nil {
		s.t.Fatal(err)
	}
	code, err := totp.GenerateCode(secret, now.Add(time.Duration(steps)*30*time.Second))
	if err != nil {
		s.t.Fatal(err)
	}
	return code
}

// enrol sets up a second factor on the pages, and returns its secret and the recovery codes.
func (b *siteBrowser) enrol() (secret string, codes []string) {
	b.t.Helper()
	if err := b.users.UseKey(siteKey); err != nil {
		b.t.Fatal(err)
	}
	b.post("/account/second", url.Values{"current": {sitePassword}}).must(b.t, http.StatusSeeOther)
	p := b.get("/account/second").must(b.t, http.StatusOK)
	secret = strings.ReplaceAll(p.says("#secret"), " ", "")
	p = b.post("/account/second/confirm", url.Values{"code": {b.secondCode(secret, 0)}}).must(b.t, http.StatusOK)
	codes = strings.Fields(p.says("#codes"))
	if len(codes) != 10 {
		b.t.Fatalf("the recovery codes are %q", codes)
	}
	if _, err := b.db.Exec(b.t.Context(), `update fetchq.second_factors set last_step = 0`); err != nil {
		b.t.Fatal(err)
	}
	return secret, codes
}

func TestASecondFactorIsSetUpAndAskedFor(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	u := s.user("ann@example.org", auth.RoleAdmin)
	here, there := s.enter(u), s.enter(u)
	if said := here.get("/account/second").must(t, http.StatusOK).says("[role=status]"); !strings.Contains(said, "FETCHQ_SECRET_KEY") {
		t.Errorf("without a key: %q", said)
	}
	here.post("/account/second", url.Values{"current": {sitePassword}}).must(t, http.StatusUnprocessableEntity)
	if err := s.users.UseKey(siteKey); err != nil {
		t.Fatal(err)
	}
	p := here.post("/account/second", url.Values{"current": {"a wrong password"}}).must(t, http.StatusUnprocessableEntity)
	if said := p.says("#begin-current-wrong"); said != "this is not the present password" {
		t.Errorf("a wrong password: %q", said)
	}
	here.get("/account/second/qr.png").must(t, http.StatusNotFound)
	p = here.post("/account/second/confirm", url.Values{"code": {"123456"}}).must(t, http.StatusUnprocessableEntity)
	if said := p.says("[role=alert]"); !strings.Contains(said, "begin again") {
		t.Errorf("nothing is being set up: %q", said)
	}
	here.post("/account/second", url.Values{"current": {sitePassword}}).must(t, http.StatusSeeOther)
	picture := here.get("/account/second/qr.png").must(t, http.StatusOK)
	if _, err := png.Decode(bytes.NewReader([]byte(picture.body))); err != nil || picture.header.Get("Cache-Control") != "no-store" {
		t.Errorf("the picture: %v, %v", err, picture.header)
	}
	p = here.post("/account/second/confirm", url.Values{"code": {"12345"}}).must(t, http.StatusUnprocessableEntity)
	if said := p.says("#f-code-wrong"); !strings.Contains(said, "wrong") || p.Find("#secret").Length() != 1 {
		t.Errorf("a wrong code: %q", said)
	}
	before := here.session()
	secret, _ := here.enrol()
	if here.session() == before {
		t.Error("the session kept its number")
	}
	there.get("/account").must(t, http.StatusSeeOther)
	p = here.get("/account").must(t, http.StatusOK)
	if said := p.says("[aria-labelledby=second]"); !strings.Contains(said, "ago · recovery codes left: 10") && !strings.Contains(said, "now · recovery codes left: 10") {
		t.Errorf("the account says %q", said)
	}
	here.get("/account/second/qr.png").must(t, http.StatusNotFound)
	if body := here.get("/account/second").must(t, http.StatusOK).body; strings.Contains(body, secret[:4]+" ") {
		t.Error("the secret is shown again")
	}

	b := s.nobody()
	form := signInForm(u.Email, sitePassword)
	form.Set("next", "/queues")
	p = b.post("/login", form).must(t, http.StatusSeeOther)
	if p.to() != "/login/code?next=%2Fqueues" || b.session() != "" {
		t.Fatalf("the password alone leads to %q, with the session %q", p.to(), b.session())
	}
	half := b.cookies["fetchq_half"]
	if half == nil || !half.HttpOnly || half.SameSite != http.SameSiteLaxMode || half.MaxAge != 300 {
		t.Fatalf("the cookie is %+v", half)
	}
	for _, name := range []string{"fetchq_session", "__Host-fetchq_session"} { // it opens nothing as a session either
		b.cookies[name] = &http.Cookie{Name: name, Value: half.Value}
		for _, path := range []string{"/", "/account", "/queues", "/team", "/events"} {
			if p := b.get(path); p.status != http.StatusSeeOther || !strings.HasPrefix(p.to(), "/login") {
				t.Errorf("half signed in, %s answers %d", path, p.status)
			}
		}
		delete(b.cookies, name)
	}
	p = b.get("/login/code?next=%2Fqueues").must(t, http.StatusOK)
	if next, _ := p.Find("[name=next]").Attr("value"); next != "/queues" || !strings.Contains(p.says("form"), u.Email) {
		t.Errorf("the second step: %s", p.says("form"))
	}
	p = b.post("/login/code", url.Values{"code": {"000000"}, "next": {"//evil.example"}}).must(t, http.StatusUnauthorized)
	if next, _ := p.Find("[name=next]").Attr("value"); next != "/" || !strings.Contains(p.says("#f-code-wrong"), "wrong") {
		t.Errorf("a wrong code: %s", p.says("form"))
	}
	p = b.post("/login/code", url.Values{"code": {s.secondCode(secret, 0)}, "next": {"/queues"}}).must(t, http.StatusSeeOther)
	if p.to() != "/queues" || b.session() == "" || b.cookies["fetchq_half"] != nil {
		t.Errorf("the right code leads to %q", p.to())
	}
	b.get("/account").must(t, http.StatusOK)
	wantTold(t, s, "user ann@example.org account.change ann@example.org done", "nobody  session.sign_in ann@example.org refusedunauthenticated")
	for _, line := range s.told() {
		if strings.HasPrefix(line, "nobody  session.sign_in") && strings.HasSuffix(line, "done") {
			t.Errorf("half a sign-in is told as one: %s", line)
		}
	}
	if log := s.log.String(); strings.Contains(log, half.Value) || strings.Contains(log, secret) {
		t.Error("a secret stands in the log")
	}
}

func TestASecondStepThatIsOverLeadsBack(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	u := s.user("ann@example.org", auth.RoleAdmin)
	_, codes := s.enter(u).enrol()
	for _, p := range []*sitePage{s.nobody().get("/login/code"), s.nobody().post("/login/code", url.Values{"code": {codes[0]}})} {
		if p.status != http.StatusSeeOther || p.to() != "/login?over=1" {
			t.Errorf("nobody: %d, %q", p.status, p.to())
		}
	}
	b := s.nobody()
	b.post("/login", signInForm(u.Email, sitePassword)).must(t, http.StatusSeeOther)
	if _, err := s.db.Exec(t.Context(), `update fetchq.half_sign_ins set expires_at = clock_timestamp()`); err != nil {
		t.Fatal(err)
	}
	if p := b.post("/login/code", url.Values{"code": {codes[0]}}); p.to() != "/login?over=1" || b.cookies["fetchq_half"] != nil || b.session() != "" {
		t.Errorf("after five minutes: %d, %q", p.status, p.to())
	}
	if said := b.get("/login?over=1").says("[role=alert]"); !strings.Contains(said, "took too long") {
		t.Errorf("it says %q", said)
	}
	b.post("/login", signInForm(u.Email, sitePassword)).must(t, http.StatusSeeOther)
	b.post("/login/code", url.Values{"code": {codes[0]}}).must(t, http.StatusSeeOther)
	b.get("/account").must(t, http.StatusOK)
}

func TestRecoveryCodesAreMadeAnewAndTheFactorIsRemoved(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	u := s.user("ann@example.org", auth.RoleViewer)
	b := s.enter(u)
	_, codes := b.enrol()
	for _, path := range []string{"codes", "remove"} {
		p := b.post("/account/second/"+path, url.Values{"current": {"a wrong password"}}).must(t, http.StatusUnprocessableEntity)
		if said := p.says("#" + path + "-current-wrong"); said != "this is not the present password" || p.Find(".wrong").Length() != 1 {
			t.Errorf("%s with a wrong password: %q", path, said)
		}
	}
	p := b.post("/account/second/codes", url.Values{"current": {sitePassword}}).must(t, http.StatusOK)
	if fresh := strings.Fields(p.says("#codes")); len(fresh) != 10 || fresh[0] == codes[0] {
		t.Errorf("the new codes are %q", fresh)
	}
	b.post("/account/second/remove", url.Values{"current": {sitePassword}}).must(t, http.StatusSeeOther)
	if p := s.nobody().post("/login", signInForm(u.Email, sitePassword)); p.to() != "/" {
		t.Errorf("the password alone leads to %q", p.to())
	}
	if p := b.post("/account/second/codes", url.Values{"current": {sitePassword}}); p.to() != "/account/second" {
		t.Errorf("codes of nothing: %d", p.status)
	}
}

func TestAnAdminRemovesTheSecondFactorOfOthers(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	u := s.user("bob@example.org", auth.RoleViewer)
	b, admin := s.enter(u), s.as(auth.RoleAdmin)
	b.enrol()
	admin.enrol()
	p := admin.get("/team").must(t, http.StatusOK)
	path := "/team/people/" + u.ID.String() + "/second"
	if p.Find(`[data-person="bob@example.org"] a[href="`+path+`"]`).Length() != 1 || p.Find(`[data-person="admin@example.org"] a[href$="/second"]`).Length() != 0 {
		t.Error("the table does not offer it where it may be done")
	}
	if said := admin.get(path).must(t, http.StatusOK).says("form"); !strings.Contains(said, "bob@example.org") {
		t.Errorf("the form says %q", said)
	}
	admin.post(path, nil).must(t, http.StatusSeeOther)
	wantTold(t, s, "user admin@example.org account.change bob@example.org done")
	b.get("/account").must(t, http.StatusSeeOther)
	if p := s.nobody().post("/login", signInForm(u.Email, sitePassword)); p.to() != "/" {
		t.Errorf("the password alone leads to %q", p.to())
	}
	if said := admin.post(path, nil).must(t, http.StatusUnprocessableEntity).says("[role=alert]"); !strings.Contains(said, "no second factor") {
		t.Errorf("once more: %q", said)
	}
	me, err := s.users.Find(t.Context(), "admin@example.org")
	if err != nil {
		t.Fatal(err)
	}
	if said := admin.post("/team/people/"+me.ID.String()+"/second", nil).must(t, http.StatusUnprocessableEntity).says("[role=alert]"); !strings.Contains(said, "This is you") {
		t.Errorf("one's own: %q", said)
	}
	if second, err := s.users.Second(t.Context(), me.ID); err != nil || second.Since == nil {
		t.Errorf("a session alone took it away: %v", err)
	}
}

func TestALinkLeadsToTheSecondStep(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	u := s.user("ann@example.org", auth.RoleAdmin)
	_, codes := s.enter(u).enrol()
	link, err := s.users.Link(t.Context(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	b := s.nobody()
	if p := b.post("/reset/"+link, url.Values{"password": {"another good password"}}); p.to() != "/login/code?next=%2F" || b.session() != "" {
		t.Errorf("the link leads to %d, %q", p.status, p.to())
	}
	b.post("/login/code", url.Values{"code": {codes[0]}}).must(t, http.StatusSeeOther)
	b.get("/account").must(t, http.StatusOK)
}
