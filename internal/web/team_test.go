package web_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/fetchq/server/internal/auth"
)

func TestAPersonIsAddedByALinkThatIsShownOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	admin := s.as(auth.RoleAdmin)
	form := url.Values{"email": {"Bob@example.org"}, "name": {"Bob <b>"}, "role": {"operator"}}
	p := admin.post("/team/people/new", form).must(t, http.StatusOK)
	link := p.says("#secret")
	path, found := strings.CutPrefix(link, s.url)
	if !found || !strings.HasPrefix(path, "/reset/") || p.Find("[data-copy=secret]").Length() != 1 || !strings.Contains(p.says(".help"), "Good until 20") {
		t.Fatalf("the answer: %s", p.says("main"))
	}
	for _, again := range []string{"/team", "/team?tab=sessions", "/"} {
		if strings.Contains(admin.get(again).body, strings.TrimPrefix(path, "/reset/")) {
			t.Errorf("the link stands on %s too", again)
		}
	}
	if row := admin.get("/team").says("[data-person='Bob@example.org']"); !strings.Contains(row, "waits for the link") || !strings.Contains(row, "Bob <b>") {
		t.Errorf("the row of the new person: %s", row)
	}
	p = admin.post("/team/people/new", url.Values{"email": {"bob@EXAMPLE.org"}, "role": {"viewer"}}).must(t, http.StatusUnprocessableEntity)
	if said := p.says("#f-email-wrong"); !strings.Contains(said, "exists") {
		t.Errorf("the same person again: %q", said)
	}
	bob := s.nobody()
	bob.get(path).must(t, http.StatusOK)
	bob.post(path, url.Values{"password": {sitePassword}}).must(t, http.StatusSeeOther)
	bob.get("/account").must(t, http.StatusOK)
	s.nobody().get(path).must(t, http.StatusNotFound)
	if row := admin.get("/team").says("[data-person='Bob@example.org']"); !strings.Contains(row, "active") {
		t.Errorf("the row of one who has signed in: %s", row)
	}
}

func TestFormsOfTheTeamOpenInTheDialogToo(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	admin := s.as(auth.RoleAdmin)
	script := []string{"Hx-Request", "true"}
	if p := admin.get("/team/tokens/new", script...).must(t, http.StatusOK); p.Find(".rail").Length() != 0 || p.Find("form[hx-post]").Length() != 1 {
		t.Errorf("the form in the dialog: %.300s", p.body)
	}
	if p := admin.get("/team/tokens/new").must(t, http.StatusOK); p.Find(".rail").Length() != 1 || p.Find("form[method=post][action='/team/tokens/new']").Length() != 1 {
		t.Error("the form is no page of its own")
	}
	if p := admin.post("/team/tokens/new", url.Values{"name": {"w"}, "right": {"work"}}, script...).must(t, http.StatusOK); p.Find(".rail").Length() != 0 ||
		!strings.HasPrefix(p.says("#secret"), "fq_") {
		t.Errorf("the token in the dialog: %.300s", p.body)
	}
	p := admin.post("/team/tokens/revoke", url.Values{"name": {"w"}}, script...).must(t, http.StatusNoContent)
	if to := p.header.Get("Hx-Redirect"); to != "/team?tab=tokens" {
		t.Errorf("after a confirmation: to %q", to)
	}
}

func TestTheLastAdminStays(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	u := s.user("ann@example.org", auth.RoleAdmin)
	admin := s.enter(u)
	p := admin.post("/team/people/"+u.ID.String()+"/role", url.Values{"role": {"viewer"}}).must(t, http.StatusUnprocessableEntity)
	if said := p.says("#f-role-wrong"); !strings.Contains(said, "the last admin") {
		t.Errorf("a lesser role: %q", said)
	}
	p = admin.post("/team/people/"+u.ID.String()+"/disable", nil).must(t, http.StatusUnprocessableEntity)
	if said := p.says("[role=alert]"); !strings.Contains(said, "the last admin") {
		t.Errorf("disabling: %q", said)
	}
	admin.get("/team").must(t, http.StatusOK)
	if said := admin.get("/team/people/" + u.ID.String() + "/disable").says("form"); !strings.Contains(said, "This is you") {
		t.Errorf("the dialog says %q", said)
	}
	for _, path := range []string{"/team/people/1/role", "/team/people/00000000-0000-0000-0000-000000000000/role", "/team/people/%00/disable"} {
		admin.get(path).must(t, http.StatusNotFound)
	}
}

func TestANewLinkEndsTheOldOneAndNotThePassword(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	admin := s.as(auth.RoleAdmin)
	u := s.user("bob@example.org", auth.RoleViewer)
	b := s.enter(u)
	make := func() string {
		return strings.TrimPrefix(admin.post("/team/people/"+u.ID.String()+"/link", nil).must(t, http.StatusOK).says("#secret"), s.url)
	}
	first, second := make(), make()
	s.nobody().get(first).must(t, http.StatusNotFound)
	s.nobody().post("/login", signInForm(u.Email, sitePassword)).must(t, http.StatusSeeOther)
	b.get("/account").must(t, http.StatusOK)
	s.nobody().post(second, url.Values{"password": {"another good password"}}).must(t, http.StatusSeeOther)
	b.get("/account").must(t, http.StatusSeeOther)
	admin.post("/team/people/"+u.ID.String()+"/disable", nil).must(t, http.StatusSeeOther)
	p := admin.post("/team/people/"+u.ID.String()+"/link", nil).must(t, http.StatusUnprocessableEntity)
	if said := p.says("[role=alert]"); !strings.Contains(said, "enable them first") {
		t.Errorf("a link for a disabled person: %q", said)
	}
}

func TestATokenIsShownOnceAndKeptNowhere(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	ctx := context.Background()
	admin := s.as(auth.RoleAdmin)
	form := url.Values{"name": {"crawler"}, "right": {"push", "work"}, "queues": {"pages, img_*"}, "expires": {"90d"}}
	text := admin.post("/team/tokens/new", form).must(t, http.StatusOK).says("#secret")
	token, err := s.tokens.Authenticate(ctx, text, "")
	if err != nil || token.CreatedBy == nil || *token.CreatedBy != "admin@example.org" || token.ExpiresAt == nil || len(token.Queues) != 2 || !token.Can(auth.Push) ||
		token.Can(auth.Read) {
		t.Fatalf("%+v, %v", token, err)
	}
	p := admin.get("/team?tab=tokens")
	if strings.Contains(p.body, text) || strings.Contains(admin.get("/").body, text) {
		t.Error("the token stands on another page")
	}
	if row := p.says("[data-token=crawler]"); !strings.Contains(row, "push, work pages, img_* admin@example.org") || !strings.Contains(row, "in 89 d 23 h") {
		t.Errorf("the row: %s", row)
	}
	var kept string
	if err := s.db.QueryRow(ctx, `select string_agg(row_to_json(s)::text, '') from fetchq.sessions s`).Scan(&kept); err != nil || strings.Contains(kept, "fq_") {
		t.Errorf("the session holds %s, %v", kept, err)
	}
	if _, err := s.db.Exec(ctx, `update fetchq.tokens set expires_at = clock_timestamp() - interval '1 s'`); err != nil {
		t.Fatal(err)
	}
	if row := admin.get("/team?tab=tokens").says("[data-token=crawler]"); !strings.Contains(row, "expired") {
		t.Errorf("the row of an expired token: %s", row)
	}
	admin.post("/team/tokens/revoke", url.Values{"name": {"crawler"}}).must(t, http.StatusSeeOther)
	if admin.get("/team?tab=tokens").Find("[data-token]").Length() != 0 {
		t.Error("a revoked token is listed")
	}
	admin.post("/team/tokens/revoke", url.Values{"name": {"crawler"}}).must(t, http.StatusNotFound)
}

func TestAFormOfATokenSaysWhatIsWrongAndKeepsTheRest(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	admin := s.as(auth.RoleAdmin)
	good := func() url.Values {
		return url.Values{"name": {"crawler"}, "right": {"read"}, "queues": {"pages"}, "expires": {"90d"}}
	}
	for _, tt := range []struct{ field, value, at, says string }{
		{"name", "", "#f-name-wrong", "1 to 100"}, {"name", "a\nb", "#f-name-wrong", "in one line"}, {"right", "root", "#rights-wrong", "no right"},
		{"queues", "Pages", "#f-queues-wrong", "is no queue"}, {"queues", ", ,", "#f-queues-wrong", "no queue is named"},
		{"expires", "soon", "#f-expires-wrong", ""}, {"expires", "0s", "#f-expires-wrong", "lies ahead"}, {"expires", "-1d", "#f-expires-wrong", ""},
	} {
		form := good()
		form.Set(tt.field, tt.value)
		p := admin.post("/team/tokens/new", form)
		if said := p.says(tt.at); p.status != http.StatusUnprocessableEntity || said == "" || !strings.Contains(said, tt.says) {
			t.Errorf("%s %q: %d, %q", tt.field, tt.value, p.status, said)
		}
		if name, _ := p.Find("#f-name").Attr("value"); tt.field != "name" && name != "crawler" {
			t.Errorf("%s %q: the name is lost", tt.field, tt.value)
		}
		if tt.field != "right" && p.Find("input[name=right][value=read][checked]").Length() != 1 {
			t.Errorf("%s %q: the rights are lost", tt.field, tt.value)
		}
	}
	form := good()
	form.Del("queues")
	form.Del("expires")
	text := admin.post("/team/tokens/new", form).must(t, http.StatusOK).says("#secret")
	if token, err := s.tokens.Authenticate(t.Context(), text, ""); err != nil || token.Queues != nil || token.ExpiresAt != nil {
		t.Errorf("a token for all queues, for ever: %+v, %v", token, err)
	}
	if p := admin.post("/team/tokens/new", form); !strings.Contains(p.says("#f-name-wrong"), "exists") {
		t.Errorf("the same name again: %d", p.status)
	}
}

func TestAnAdminEndsTheSessionOfAnybody(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	admin := s.as(auth.RoleAdmin)
	u := s.user("bob@example.org", auth.RoleViewer)
	b := s.enter(u)
	p := admin.get("/team?tab=sessions")
	id, _ := p.Find("[data-session]:contains('bob@example.org')").Attr("data-session")
	admin.post("/team/sessions/revoke", url.Values{"id": {id}}).must(t, http.StatusSeeOther)
	b.get("/account").must(t, http.StatusSeeOther)
	admin.post("/team/sessions/revoke", url.Values{"id": {id}}).must(t, http.StatusNotFound)
}

func TestATokenIsRotatedOnThePage(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	b := s.as(auth.RoleAdmin)
	_, old, err := s.tokens.Create(t.Context(), "crawler", []string{auth.Work}, nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	b.post("/team/tokens/rotate", url.Values{"name": {"crawler"}, "overlap": {"91d"}}).must(t, http.StatusUnprocessableEntity)
	page := b.post("/team/tokens/rotate", url.Values{"name": {"crawler"}, "overlap": {"2d"}}).must(t, http.StatusOK)
	secret := page.Find("#secret").Text()
	for _, text := range []string{old, secret} {
		if _, err := s.tokens.Authenticate(t.Context(), text, "192.0.2.9"); err != nil {
			t.Errorf("%.8s…: %v", text, err)
		}
	}
	if said := b.get("/team?tab=tokens").says("tr[data-token=crawler]"); !strings.Contains(said, "old secret: good") {
		t.Errorf("the list says nothing of the old secret: %s", said)
	}
	wantTold(t, s, "user admin@example.org token.rotate crawler done")
	if strings.Contains(s.log.String(), secret) {
		t.Error("the secret is in the log")
	}
}
