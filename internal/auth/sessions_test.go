package auth

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/sessions"

	"github.com/fetchq/server/internal/errs"
)

// began begins a session and returns its cookie.
func began(t *testing.T, s *Sessions, u User, with ...*http.Cookie) *http.Cookie {
	t.Helper()
	w, r := httptest.NewRecorder(), asking(with...)
	if err := s.SignIn(w, r, u, "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	return w.Result().Cookies()[0]
}

// asking is a request with cookies.
func asking(with ...*http.Cookie) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("User-Agent", strings.Repeat("ä", 400))
	for _, k := range with {
		r.AddCookie(k)
	}
	return r
}

// who returns who is signed in by a cookie.
func who(t *testing.T, s *Sessions, k *http.Cookie) (*sessions.Session, User, bool) {
	t.Helper()
	session, err := s.Get(asking(k), SessionName)
	if err != nil {
		t.Fatal(err)
	}
	u, in := UserOf(session)
	return session, u, in
}

func TestOnlyTheHashOfASessionIsKept(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	s := NewSessions(c.db, false)
	k := began(t, s, c.add("ann@example.org", RoleViewer))
	var kept string
	if err := c.db.QueryRow(t.Context(), `select row_to_json(s)::text || encode(hash, 'escape') || encode(hash, 'base64') from fetchq.sessions s`).Scan(&kept); err != nil {
		t.Fatal(err)
	}
	if len(k.Value) != 43 || strings.Contains(kept, k.Value) || strings.Contains(kept, k.Value[:20]) {
		t.Errorf("the cookie %q stands in %s", k.Value, kept)
	}
	if _, u, in := who(t, s, k); !in || u.Email != "ann@example.org" {
		t.Errorf("%+v", u)
	}
	for _, wrong := range []string{"", k.Value[1:], k.Value + "A", flip(k.Value[0]) + k.Value[1:], strings.ToLower(k.Value)} {
		if _, _, in := who(t, s, &http.Cookie{Name: k.Name, Value: wrong}); in {
			t.Errorf("%q is let in", wrong)
		}
	}
	if list, err := s.List(t.Context(), nil); err != nil || len(list) != 1 || list[0].Agent != strings.Repeat("ä", maxAgent) || list[0].Address != "192.0.2.1" {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestSigningInTakesThePlaceOfTheSessionBefore(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	s := NewSessions(c.db, false)
	u := c.add("ann@example.org", RoleViewer)
	first := began(t, s, u)
	second := began(t, s, u, first)
	if first.Value == second.Value {
		t.Error("the number stays")
	}
	if _, _, in := who(t, s, first); in {
		t.Error("the session before is good")
	}
	if _, _, in := who(t, s, second); !in {
		t.Error("the new session is not")
	}
	planted := &http.Cookie{Name: SessionName, Value: strings.Repeat("A", 43)}
	if k := began(t, s, u, planted); k.Value == planted.Value {
		t.Error("a number from elsewhere is taken over")
	}
}

func TestRotateChangesTheNumberAndNothingElse(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	s := NewSessions(c.db, false)
	k := began(t, s, c.add("ann@example.org", RoleViewer))
	session, _, _ := who(t, s, k)
	w := httptest.NewRecorder()
	if err := s.Rotate(w, asking(k), session); err != nil {
		t.Fatal(err)
	}
	next := w.Result().Cookies()[0]
	if _, _, in := who(t, s, k); in || next.Value == k.Value {
		t.Error("the old number is good")
	}
	if again, _, in := who(t, s, next); !in || again.ID != session.ID {
		t.Error("the new number is not that of the session")
	}
	if err := s.SignOut(httptest.NewRecorder(), asking(next)); err != nil {
		t.Fatal(err)
	}
	w = httptest.NewRecorder()
	if err := s.Rotate(w, asking(next), session); err != nil || len(w.Result().Cookies()) != 0 {
		t.Errorf("a session that has ended is rotated: %v", err)
	}
}

func TestASessionEnds(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	s := NewSessions(c.db, false)
	u := c.add("ann@example.org", RoleViewer)
	for name, tt := range map[string]struct {
		sql   string
		alive bool
	}{
		"used lately":                  {`update fetchq.sessions set seen_at = clock_timestamp() - interval '7 days' + interval '1 min'`, true},
		"not used for seven days":      {`update fetchq.sessions set seen_at = clock_timestamp() - interval '7 days'`, false},
		"nearly thirty days old":       {`update fetchq.sessions set expires_at = expires_at - interval '30 days' + interval '1 min'`, true},
		"thirty days old, though used": {`update fetchq.sessions set expires_at = expires_at - interval '30 days'`, false},
		"its user is disabled":         {`update fetchq.users set disabled_at = clock_timestamp()`, false},
		"its user is gone":             {`delete from fetchq.users`, false},
	} {
		c.exec(`delete from fetchq.sessions`)
		c.exec(`insert into fetchq.users (id, email, name, role, password) values ($1, $2, '', 'viewer', 'x')
			on conflict (id) do update set disabled_at = null`, u.ID, u.Email)
		k := began(t, s, u)
		session, _, _ := who(t, s, k)
		c.exec(tt.sql)
		_, alive, err := s.Alive(t.Context(), session.ID)
		if err != nil || alive != tt.alive {
			t.Errorf("%s: a stream hears %v, %v", name, alive, err)
		}
		if _, _, in := who(t, s, k); in != tt.alive {
			t.Errorf("%s: let in: %v", name, in)
		}
	}
}

func TestUseIsWrittenDownEachMinute(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	s := NewSessions(c.db, false)
	k := began(t, s, c.add("ann@example.org", RoleViewer))
	seen := func() (at time.Time) {
		who(t, s, k)
		if err := c.db.QueryRow(t.Context(), `select seen_at from fetchq.sessions`).Scan(&at); err != nil {
			t.Fatal(err)
		}
		return at
	}
	if first := seen(); !seen().Equal(first) {
		t.Error("each request writes")
	}
	c.exec(`update fetchq.sessions set seen_at = clock_timestamp() - interval '1 h'`)
	if at := seen(); time.Since(at) > 10*time.Minute {
		t.Errorf("last seen %s", at)
	}
}

func TestTheRoleOfASessionIsThatOfNow(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	s := NewSessions(c.db, false)
	c.add("ann@example.org", RoleAdmin)
	u := c.add("bob@example.org", RoleAdmin)
	k := began(t, s, u)
	if _, err := c.SetRole(t.Context(), u.ID, RoleViewer); err != nil {
		t.Fatal(err)
	}
	if _, got, in := who(t, s, k); !in || got.May(Govern) || !got.May(See) {
		t.Errorf("%+v", got)
	}
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	s := NewSessions(c.db, false)
	ann, bob := c.add("ann@example.org", RoleAdmin), c.add("bob@example.org", RoleViewer)
	first, second, other := began(t, s, ann), began(t, s, ann), began(t, s, bob)
	of := func(k *http.Cookie) uuid.UUID {
		session, _, _ := who(t, s, k)
		return uuid.MustParse(session.ID)
	}
	a, b := of(first), of(other)
	if err := s.Revoke(t.Context(), b, &ann.ID); errs.Of(err) != errs.NotFound {
		t.Errorf("somebody else's: %v", err)
	}
	if n, err := s.RevokeOthers(t.Context(), ann.ID, a); n != 1 || err != nil {
		t.Errorf("%d others, %v", n, err)
	}
	for k, want := range map[*http.Cookie]bool{first: true, second: false, other: true} {
		if _, _, in := who(t, s, k); in != want {
			t.Errorf("let in: %v; %v is wanted", in, want)
		}
	}
	if list, err := s.List(t.Context(), &ann.ID); err != nil || len(list) != 1 || list[0].ID != a {
		t.Errorf("%+v, %v", list, err)
	}
	if err := s.Revoke(t.Context(), b, nil); err != nil {
		t.Error(err)
	}
	if _, _, in := who(t, s, other); in {
		t.Error("a revoked session is good")
	}
}

func TestValuesOfASessionAreKept(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	s := NewSessions(c.db, false)
	k := began(t, s, c.add("ann@example.org", RoleViewer))
	session, _, _ := who(t, s, k)
	session.AddFlash("done")
	if err := s.Save(asking(k), httptest.NewRecorder(), session); err != nil {
		t.Fatal(err)
	}
	again, _, _ := who(t, s, k)
	if got := again.Flashes(); len(got) != 1 || got[0] != "done" {
		t.Errorf("%v", got)
	}
	fresh, err := s.Get(asking(), SessionName)
	if err != nil || !fresh.IsNew {
		t.Fatal(err)
	}
	fresh.Values["x"] = "y"
	if err := s.Save(asking(), httptest.NewRecorder(), fresh); err != nil || c.count(`select count(*) from fetchq.sessions`) != 1 {
		t.Errorf("somebody who has not signed in gets a session: %v", err)
	}
}

func TestACookieIsForThisHostAndTLSOnlyWhereThereIsTLS(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	u := c.add("ann@example.org", RoleViewer)
	for _, secure := range []bool{false, true} {
		k := began(t, NewSessions(c.db, secure), u)
		if strings.HasPrefix(k.Name, "__Host-") != secure || k.Secure != secure || !k.HttpOnly || k.SameSite != http.SameSiteLaxMode || k.Path != "/" || k.Domain != "" {
			t.Errorf("secure %v: %+v", secure, k)
		}
	}
	// Another host below the same domain may plant a cookie of the plain name.
	s := NewSessions(c.db, true)
	k := began(t, s, u)
	if _, _, in := who(t, s, &http.Cookie{Name: SessionName, Value: k.Value}); in {
		t.Error("a cookie without the prefix is read where there is TLS")
	}
}
