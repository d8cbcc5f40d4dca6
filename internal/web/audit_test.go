package web_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/fetchq/server/internal/api"
	"github.com/fetchq/server/internal/audit"
	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/web"
)

// told returns the lines of the audit log, the oldest first, each as who, what, to what and how.
func (s *site) told() (list []string) {
	s.t.Helper()
	lines, _, err := s.audit.List(context.Background(), audit.Filter{}, audit.MaxList, "")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, l := range lines {
		list = append([]string{strings.Join([]string{string(l.ActorKind), l.Actor, string(l.Action), l.Target, l.Outcome + l.Code}, " ")}, list...)
	}
	return list
}

func wantTold(t *testing.T, s *site, wants ...string) {
	t.Helper()
	all := "\n" + strings.Join(s.told(), "\n") + "\n"
	for _, want := range wants {
		if !strings.Contains(all, "\n"+want+"\n") {
			t.Errorf("no line says %q; there are %s", want, all)
		}
	}
}

// TestEveryUnsafeRouteHasALineOrAReason fails on a new route that the audit log knows nothing of.
func TestEveryUnsafeRouteHasALineOrAReason(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	for _, r := range s.pages.Routes() {
		if !web.Recorded(r) {
			t.Errorf("%s %s is neither among the doings of internal/web/record.go nor among the quiet ones", r.Method, r.Path)
		}
	}
	for _, r := range s.calls.Routes() {
		if !api.Recorded(r[0], r[1]) {
			t.Errorf("%s %s is neither among the doings of internal/api/record.go nor among the quiet ones", r[0], r[1])
		}
	}
}

func TestWhatIsDoneOnPagesIsInTheAuditLog(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	ann, vic := s.user("ann@example.org", auth.RoleAdmin), s.user("vic@example.org", auth.RoleViewer)
	if _, _, err := s.engine.Put(t.Context(), "pages", []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	b := s.enter(ann)
	same := []string{"Sec-Fetch-Site", "same-origin"}
	post := func(b *siteBrowser, path string, form url.Values) {
		t.Helper()
		b.knock("POST", path, form, same...)
	}
	post(b, "/queues/pause", url.Values{"queue": {"pages"}, "reason": {"deploy"}})
	post(b, "/team/tokens/new", url.Values{"name": {"crawler"}, "right": {"work"}})
	post(b, "/team/tokens/revoke", url.Values{"name": {"crawler"}})
	post(b, "/team/people/"+vic.ID.String()+"/role", url.Values{"role": {"operator"}})
	post(b, "/queues/pages/operations/new", url.Values{"action": {"kill"}, "which": {"all"}, "filter.subject_prefix": {"a"}, "key": {"k"}})
	post(b, "/queues/pages/drop", url.Values{"confirm": {"other"}}) // is not done
	post(b, "/queues/pages/drop", url.Values{"confirm": {"pages"}})
	b.knock("GET", "/audit/export?format=ndjson", nil)
	post(b, "/logout", nil)
	s.enter(s.user("vera@example.org", auth.RoleViewer)).knock("GET", "/team", nil)
	s.nobody().knock("POST", "/login", url.Values{"email": {"ann@example.org"}, "password": {"wrong"}}, same...)
	s.nobody().knock("POST", "/login", url.Values{"email": {"correct horse battery"}, "password": {""}}, same...)
	s.nobody().knock("POST", "/queues/pages/drop", nil, "Sec-Fetch-Site", "cross-site")
	wantTold(t, s,
		"program  user.create ann@example.org done",
		"user ann@example.org session.sign_in ann@example.org done",
		"user ann@example.org queue.pause pages done",
		"user ann@example.org token.create crawler done",
		"user ann@example.org token.revoke crawler done",
		"user ann@example.org user.role vic@example.org done",
		"user ann@example.org operation.ask pages done",
		"user ann@example.org queue.drop pages done",
		"user ann@example.org audit.export ann@example.org done",
		"user ann@example.org session.sign_out ann@example.org done",
		"user vera@example.org request GET /team refusedforbidden",
		"nobody  session.sign_in ann@example.org refusedunauthenticated",
		"nobody  session.sign_in (no e-mail address) refusedunauthenticated",
		"nobody  queue.drop pages refusedforbidden",
	)
	times := map[string]int{}
	for _, line := range s.told() {
		times[line]++
		if strings.Contains(line, "correct horse") {
			t.Errorf("what may be a password is told: %s", line)
		}
	}
	for line, n := range times {
		if n != 1 {
			t.Errorf("%d lines say %q", n, line)
		}
	}
}

func TestTheAuditPageShowsFiltersAndKeeps(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	b := s.enter(s.user("ann@example.org", auth.RoleAdmin))
	s.audit.Done(context.Background(), audit.Entry{
		Actor: audit.Actor{Kind: audit.Token, Name: "=crawler"}, Action: audit.QueueDrop, Target: "<b>pages</b>", Details: map[string]any{"n": 3},
	})
	page := b.get("/audit?action=queue.drop")
	if rows := page.Find("tbody tr"); rows.Length() != 1 || !strings.Contains(rows.Text(), "<b>pages</b>") || !strings.Contains(rows.Find("pre").Text(), `"n": 3`) {
		t.Errorf("%s", rows.Text())
	}
	if page := b.get("/audit?actor=eve@example.org"); page.Find("tbody tr").Length() != 0 || !strings.Contains(page.Text(), "No line matches") {
		t.Error("the filter by who chooses nobody's lines")
	}
	if status, _ := b.knock("GET", "/audit?action=nonsense", nil); status != 422 {
		t.Errorf("an unknown action: %d", status)
	}
	if status, _ := b.knock("GET", "/audit?from=tomorrow+or+so", nil); status != 422 {
		t.Errorf("no date: %d", status)
	}
	lines := strings.Split(strings.TrimSpace(b.get("/audit/export?format=ndjson&action=queue.drop").body), "\n")
	var got audit.Line
	if err := json.Unmarshal([]byte(lines[0]), &got); err != nil || len(lines) != 1 || got.Actor != "=crawler" {
		t.Errorf("%v %v", lines, err)
	}
	rows, err := csv.NewReader(strings.NewReader(b.get("/audit/export?format=csv&action=queue.drop").body)).ReadAll()
	if err != nil || len(rows) != 2 || rows[1][3] != "'=crawler" {
		t.Errorf("%v %v", rows, err)
	}
	for keep, want := range map[string]int{"29": 422, "x": 422, "0": 422, "90": 303, "": 303} {
		if status, _ := b.knock("POST", "/audit/keep", url.Values{"keep": {keep}}, "Sec-Fetch-Site", "same-origin"); status != want {
			t.Errorf("kept %q days: %d", keep, status)
		}
	}
}

func TestCallsOfTheAPIAreInTheAuditLog(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	ctx := context.Background()
	_, boss, err := s.tokens.Create(ctx, "boss", []string{auth.Admin}, nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	_, reader, err := s.tokens.Create(ctx, "reader", []string{auth.Read}, nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	call := func(token, method, path, body string) {
		t.Helper()
		s.nobody().call(method, "/api/v1"+path, body, "Content-Type", "application/json", "Authorization", "Bearer "+token)
	}
	call(boss, "PUT", "/queues/pages", `{}`)
	call(boss, "PATCH", "/queues/pages", `{"max_attempts":7}`)
	call(boss, "POST", "/queues/pages/documents", `{"documents":[{"subject":"a"}]}`)
	call(boss, "POST", "/queues/pages/documents/a/kill", `{}`)
	call(reader, "DELETE", "/queues/pages", "")
	call(boss, "POST", "/queues/pages/pause", `{}`)
	call("fq_nonsense", "GET", "/queues", "")
	wantTold(t, s,
		"token boss queue.settings pages done",
		"token boss documents.act pages done",
		"token boss queue.pause pages done",
		"token reader queue.drop pages refusedforbidden",
		"nobody  token.use  refusedunauthenticated",
	)
	lines, _, err := s.audit.List(ctx, audit.Filter{Action: audit.QueueSettings}, 1, "")
	if err != nil || !strings.Contains(string(lines[0].Details), `"max_attempts": {"is": 7, "was": 5}`) {
		t.Errorf("%v %s", err, lines[0].Details)
	}
	for _, line := range s.told() {
		if strings.Contains(line, "documents.add") {
			t.Errorf("what programs push all day is told: %s", line)
		}
	}
}
