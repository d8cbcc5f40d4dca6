package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/operations"
	"github.com/fetchq/server/internal/queue"
)

// veiledSite is a site whose queue pages hides parts of a payload and of the details of its log lines; the hidden values hold s3cret.
func veiledSite(t *testing.T, settings string) *site {
	t.Helper()
	s := newSite(t, "")
	ctx := t.Context()
	s.user("root@example.org", auth.RoleAdmin)
	s.queues("pages", "other")
	if _, err := s.engine.Patch(ctx, "pages", []byte(settings)); err != nil {
		t.Fatal(err)
	}
	payload := []byte(`{"user": {"email": "s3cret@example.org", "age": 41}, "items": [{"card": "s3cret-1", "n": 1}], "open": "visible"}`)
	for name, subjects := range map[string][]string{"pages": {"x"}, "other": {"common"}} {
		for _, subject := range append(subjects, "shared") {
			p := payload
			if name == "other" {
				p = nil
			}
			if _, err := s.engine.Push(ctx, name, []queue.Push{{Subject: subject, Payload: p}}, queue.Ignore); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.engine.AddLogs(ctx, "pages", "host-1", []queue.NewLog{{Subject: "x", Message: "noted", Details: payload}}); err != nil {
		t.Fatal(err)
	}
	s.exec(`select fetchq.log_add_many('pages', 1, array['x'], array['broke'], array[$1::jsonb])`, string(payload))
	s.exec(`select fetchq.mnt_fold('pages')`)
	filter := operations.Filter{Payload: []byte(`{"user":{"email":"s3cret@example.org"}}`)}
	if _, err := s.pages.Operations.Create(ctx, operations.Request{Queue: "pages", Action: operations.Kill, Filter: &filter, Asked: operations.Asked{By: "root", As: "user"}}); err != nil {
		t.Fatal(err)
	}
	return s
}

// veiledDoors are the pages and files that have payloads or details, but for those that are found below.
func (s *site) veiledDoors() []string {
	var id, line, at string
	err := s.db.QueryRow(s.t.Context(), `select (select id::text from fetchq.operations limit 1), l.id::text, (extract(epoch from l.created_at) * 1000000)::bigint::text
		from q_pages.logs l where l.message = 'noted'`).Scan(&id, &line, &at)
	if err != nil {
		s.t.Fatal(err)
	}
	return []string{
		"/queues/pages/document?subject=x", "/queues/pages/document/payload?subject=x", "/queues/pages/document/details?subject=x&id=" + line + "&at=" + at,
		"/queues/pages/documents", "/queues/pages/documents?column=payload&column=/user/email&column=/items/0/card&column=/user", "/queues/pages/export?format=ndjson",
		"/queues/pages/export?format=csv", "/queues/pages/export?format=ndjson&for=import", "/errors?show=lines&within=all", "/queues/pages/errors?show=lines&kind=all&within=all",
		"/operations", "/operations/" + id, "/search?q=x", "/queues/other/document?subject=shared", "/queues/pages/document/edit?subject=x",
	}
}

const veils = `{"redact":["$.user.email","$.items[*].card"]}`

func TestHiddenPartsOfPayloadsAreShownToAdminsOnly(t *testing.T) {
	t.Parallel()
	s := veiledSite(t, veils)
	operator, viewer, admin := s.as(auth.RoleOperator), s.as(auth.RoleViewer), s.as(auth.RoleAdmin)
	told := 0
	for _, path := range s.veiledDoors() {
		if p := admin.get(path).must(t, http.StatusOK); strings.Contains(p.body, "s3cret") {
			told++
		}
		for who, b := range map[string]*siteBrowser{"an operator": operator, "a viewer": viewer} {
			p := b.get(path)
			if p.status != http.StatusOK && (p.status != http.StatusForbidden || who != "a viewer") {
				t.Errorf("%s at %s: %d", who, path, p.status)
			}
			if at := strings.Index(p.body, "s3cret"); at >= 0 {
				t.Errorf("%s reads at %s: %s", who, path, p.body[max(0, at-200):at+20])
			}
		}
	}
	if told < 11 {
		t.Errorf("an admin reads it at %d places", told)
	}
	for _, path := range []string{"/queues/pages/document?subject=x", "/queues/pages/export?format=ndjson"} {
		if p := operator.get(path); !strings.Contains(p.body, "[redacted]") || !strings.Contains(p.body, "visible") {
			t.Errorf("%s says nothing of what is hidden, or hides too much: %.2000s", path, p.body)
		}
	}
}

func TestNobodyFindsOutWhatIsHiddenByAFilter(t *testing.T) {
	t.Parallel()
	s := veiledSite(t, veils)
	operator, admin := s.as(auth.RoleOperator), s.as(auth.RoleAdmin)
	for _, filter := range []string{`{"user":{"email":"s3cret@example.org"}}`, "user.email = nobody", `{"items":[{"card":"s3cret-1"}]}`} {
		q := url.Values{"payload": {filter}}.Encode()
		for _, path := range []string{"/queues/pages/documents?" + q, "/queues/pages/export?format=ndjson&" + q} {
			if p := operator.get(path); p.status != http.StatusUnprocessableEntity || !strings.Contains(p.body, "hidden from your role") {
				t.Errorf("%s: %d", path, p.status)
			}
			admin.get(path).must(t, http.StatusOK)
		}
		bulk := url.Values{"action": {"kill"}, "filter.payload": {filter}, "key": {"k"}}
		for _, p := range []*sitePage{operator.get("/queues/pages/operations/new?" + bulk.Encode()), operator.post("/queues/pages/operations/new", bulk)} {
			if !strings.Contains(p.body, "hidden from your role") {
				t.Errorf("a bulk action with %s: %d", filter, p.status)
			}
		}
		place := "/queues/pages/document?subject=x&at=x&list=" + url.QueryEscape(q)
		if p := operator.get(place).must(t, http.StatusOK); p.Find("[rel=prev],[rel=next]").Length() > 0 {
			t.Errorf("%s has neighbours", place)
		}
	}
	view := url.Values{"name": {"that one"}, "shared": {"yes"}, "list": {url.Values{"payload": {`{"user":{"email":"s3cret"}}`}}.Encode()}}
	admin.post("/queues/pages/views/new", view).must(t, http.StatusSeeOther)
	for who, b := range map[string]*siteBrowser{"admin": admin, "operator": operator} {
		if p := b.get("/queues/pages/documents").must(t, http.StatusOK); strings.Contains(p.body, "that one") != (who == "admin") {
			t.Errorf("the %s and a view by what is hidden: %v", who, who != "admin")
		}
	}
	operator.get("/queues/pages/documents?"+url.Values{"payload": {`{"user":{"age":41}}`}}.Encode()).must(t, http.StatusOK)
}

func TestNobodyDestroysWhatIsHiddenFromHim(t *testing.T) {
	t.Parallel()
	s := veiledSite(t, veils)
	operator, admin := s.as(auth.RoleOperator), s.as(auth.RoleAdmin)
	stored := func() string {
		d, err := s.engine.Doc(t.Context(), "pages", "x")
		if err != nil {
			t.Fatal(err)
		}
		return string(d.Payload)
	}
	before := stored()
	if p := operator.get("/queues/pages/document/edit?subject=x").must(t, http.StatusOK); p.Find("textarea[name=payload]:not([disabled]):not([readonly])").Length() > 0 {
		t.Error("the form lets the payload be edited")
	}
	p := operator.post("/queues/pages/document/edit?subject=x", url.Values{"payload": {`{"user": {"email": "[redacted]"}}`}, "priority": {"7"}})
	if p.status != http.StatusUnprocessableEntity || stored() != before {
		t.Errorf("%d, and %s stands there", p.status, stored())
	}
	operator.post("/queues/pages/document/edit?subject=x", url.Values{"priority": {"7"}}).must(t, http.StatusSeeOther)
	if d, err := s.engine.Doc(t.Context(), "pages", "x"); err != nil || d.Priority != 7 || string(d.Payload) != before {
		t.Errorf("%+v, %v", d, err)
	}
	admin.post("/queues/pages/document/edit?subject=x", url.Values{"payload": {`{"new": 1}`}}).must(t, http.StatusSeeOther)
	if stored() != `{"new": 1}` {
		t.Errorf("after an admin's edit: %s", stored())
	}
}

func TestViewersSeeNoPayloadsWhereAQueueSaysSo(t *testing.T) {
	t.Parallel()
	s := veiledSite(t, `{"viewer_payloads":"hidden"}`)
	operator, viewer := s.as(auth.RoleOperator), s.as(auth.RoleViewer)
	for _, path := range s.veiledDoors() {
		p := viewer.get(path)
		if strings.Contains(p.body, "s3cret") || strings.Contains(p.body, "visible") && strings.Contains(p.body, "open") && strings.Contains(p.body, "41") {
			t.Errorf("a viewer reads at %s", path)
		}
	}
	if p := viewer.get("/queues/pages/documents?" + url.Values{"payload": {`{"open":"visible"}`}}.Encode()); p.status != http.StatusUnprocessableEntity {
		t.Errorf("a viewer's filter: %d", p.status)
	}
	if p := operator.get("/queues/pages/document?subject=x").must(t, http.StatusOK); !strings.Contains(p.body, "s3cret") {
		t.Error("an operator sees no payload")
	}
}

// TestTokensAreShownPayloadsWhole for a worker that got less would work on less.
func TestTokensAreShownPayloadsWhole(t *testing.T) {
	t.Parallel()
	s := veiledSite(t, veils)
	_, token, err := s.tokens.Create(t.Context(), "worker", []string{auth.Work, auth.Read}, nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	head := []string{"Authorization", "Bearer " + token, "Content-Type", "application/json"}
	if p := s.nobody().ask(http.MethodGet, "/api/v1/queues/pages/documents/x", nil, head...); !strings.Contains(p.body, "s3cret-1") {
		t.Errorf("read: %s", p.body)
	}
	if p := s.nobody().ask(http.MethodPost, "/api/v1/queues/pages/pick", nil, head...); !strings.Contains(p.body, "s3cret-1") {
		t.Errorf("picked: %s", p.body)
	}
}

func TestAnAdminSaysWhatAQueueHides(t *testing.T) {
	t.Parallel()
	s := veiledSite(t, `{}`)
	admin, operator := s.as(auth.RoleAdmin), s.as(auth.RoleOperator)
	form := url.Values{}
	page := admin.get("/queues/pages/settings").must(t, http.StatusOK)
	for _, in := range page.Find(`form[action="/queues/pages/settings"] [name]`).EachIter() {
		value := in.AttrOr("value", "")
		if goquery.NodeName(in) == "select" {
			value = in.Find("option[selected]").AttrOr("value", "")
		}
		form.Set(in.AttrOr("name", ""), value)
	}
	form.Set("redact", "$.user[1]\r\n$.open")
	if p := admin.post("/queues/pages/settings", form).must(t, http.StatusUnprocessableEntity); !strings.Contains(p.says("#f-redact-wrong"), "is no path") {
		t.Errorf("a path that is none: %q", p.says("main"))
	}
	form.Set("redact", " $.user.email \r\n\r\n$.open\r\n")
	admin.post("/queues/pages/settings", form).must(t, http.StatusSeeOther)
	q, err := s.engine.Get(t.Context(), "pages")
	if err != nil || strings.Join(q.Settings.Redact, " ") != "$.user.email $.open" {
		t.Fatalf("%q, %v", q.Settings.Redact, err)
	}
	if p := operator.get("/queues/pages/document?subject=x").must(t, http.StatusOK); strings.Contains(p.body, "visible") || strings.Contains(p.body, "s3cret@") {
		t.Error("an operator still sees it")
	}
	form.Set("redact", "")
	admin.post("/queues/pages/settings", form).must(t, http.StatusSeeOther)
	if p := operator.get("/queues/pages/document?subject=x").must(t, http.StatusOK); !strings.Contains(p.body, "s3cret@") {
		t.Error("an operator sees it no more")
	}
}

func TestNobodyBringsWhatIsHiddenToWhereItIsShown(t *testing.T) {
	t.Parallel()
	s := veiledSite(t, veils)
	operator, admin := s.as(auth.RoleOperator), s.as(auth.RoleAdmin)
	const action = "/queues/pages/document/forward?subject=x"
	forward := url.Values{"to_queue": {"other"}, "then": {"drop"}}
	move := url.Values{"action": {"move"}, "to_queue": {"other"}, "status": {"pending"}}
	stands := func(queue string) bool {
		_, err := s.engine.Doc(t.Context(), queue, "x")
		return err == nil
	}
	for name, p := range map[string]*sitePage{"forwarded": operator.post(action, forward), "moved": operator.post("/queues/pages/operations/new", move)} {
		if p.status != http.StatusUnprocessableEntity || !strings.Contains(p.body, "shows your role more of payloads") {
			t.Errorf("%s by an operator: %d %s", name, p.status, p.says("main"))
		}
	}
	if stands("other") {
		t.Fatal("an operator has brought it where it is shown")
	}
	// Where as much is hidden it may stand.
	if _, err := s.engine.Patch(t.Context(), "other", []byte(`{"redact":["$.user","$.items[*].card"]}`)); err != nil {
		t.Fatal(err)
	}
	operator.post("/queues/pages/operations/new", move).must(t, http.StatusSeeOther)
	operator.post(action, forward).must(t, http.StatusSeeOther)
	if !stands("other") || stands("pages") {
		t.Error("an operator cannot bring it where as much is hidden")
	}
	if _, err := s.engine.Push(t.Context(), "pages", []queue.Push{{Subject: "z"}}, queue.Ignore); err != nil {
		t.Fatal(err)
	}
	admin.post("/queues/pages/document/forward?subject=z", forward).must(t, http.StatusSeeOther)
}
