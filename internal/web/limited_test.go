package web_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/charts"
	"github.com/fetchq/server/internal/metrics"
	"github.com/fetchq/server/internal/operations"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/web"
)

// mark stands in every text about the queue that somebody does not see: its name, its documents, workers and errors.
const (
	hiddenMark  = "zqx"
	hiddenQueue = "hidden_" + hiddenMark
	noQueue     = "absent_qqq" // of the same length
)

// hiddenSite is a site with the queue pages and one that limited people do not see, in which all that pages show stands.
type hiddenSite struct {
	*site
	operations map[string]string // by what it does
	board      string            // a dashboard with a chart of each queue
}

func newHiddenSite(t *testing.T) *hiddenSite {
	t.Helper()
	s := &hiddenSite{site: newSite(t, ""), operations: map[string]string{}}
	ctx := t.Context()
	s.user("root@example.org", auth.RoleAdmin)
	s.queues("pages", hiddenQueue)
	s.push("pages", "common", "open", "bulk")
	s.push(hiddenQueue, "common", "subject_"+hiddenMark, "held_"+hiddenMark)
	log := slog.New(slog.DiscardHandler)
	boards := charts.NewStore(s.db)
	s.pages.Metrics = charts.Reader{Series: metrics.NewStore(s.db, log), Store: boards, Engine: s.engine}
	for name, worker := range map[string]string{hiddenQueue: "worker_" + hiddenMark, "pages": "host-1"} {
		picked, err := s.engine.Pick(ctx, name, queue.PickParams{Worker: worker, Limit: 2})
		if err != nil || len(picked.Documents) != 2 {
			t.Fatalf("%+v, %v", picked, err)
		}
		message := "it broke at " + name
		if _, err := s.engine.ResolveOf(ctx, name, worker, []queue.Resolution{{Subject: picked.Documents[0].Subject, Lease: picked.Documents[0].Lease, Action: "reject", Message: message}}); err != nil {
			t.Fatal(err)
		}
		if err := s.engine.AddLogs(ctx, name, worker, []queue.NewLog{{Subject: "common", Message: message}}); err != nil {
			t.Fatal(err)
		}
	}
	s.exec(`select fetchq.mnt_fold($1, clock_timestamp())`, hiddenQueue)
	s.exec(`select fetchq.mnt_fold('pages', clock_timestamp())`)
	jobs := s.pages.Operations
	for what, r := range map[string]operations.Request{
		"hidden": {Queue: hiddenQueue, Action: operations.Kill, Subjects: []string{"subject_" + hiddenMark}},
		"move":   {Queue: "pages", Action: operations.Move, Subjects: []string{"bulk"}, ToQueue: hiddenQueue},
		"seen":   {Queue: "pages", Action: operations.Kill, Subjects: []string{"bulk"}},
	} {
		r.Asked = operations.Asked{By: "somebody", As: "user"}
		o, err := jobs.Create(ctx, r)
		if err != nil {
			t.Fatal(err)
		}
		s.operations[what] = o.ID.String()
	}
	d, err := boards.Create(ctx, "Shared", "somebody")
	if err != nil {
		t.Fatal(err)
	}
	d.Charts = []charts.Chart{charts.Of("Flow of "+hiddenQueue, []string{hiddenQueue, "pages"}, "picked:rate"), charts.Of("Ours", []string{"pages"}, "picked:rate")}
	if err := boards.Save(ctx, d); err != nil {
		t.Fatal(err)
	}
	s.board = d.ID.String()
	if _, err := boards.AddMark(ctx, hiddenQueue, "deploy of "+hiddenMark, "somebody", time.Now().Add(-time.Minute)); err != nil {
		t.Fatal(err)
	}
	s.pages.Forget()
	return s
}

// limited is the browser of a person who sees the queues of some patterns.
func (s *hiddenSite) limited(role auth.Role, patterns ...string) (*siteBrowser, auth.User) {
	s.t.Helper()
	u := s.user(fmt.Sprintf("%s-%d@example.org", role, time.Now().UnixNano()), role)
	u, err := s.users.SetQueues(context.Background(), u.ID, patterns)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.enter(u), u
}

// stands is all that is stored of the hidden queue, and of workers.
func (s *hiddenSite) stands() (text string) {
	s.t.Helper()
	err := s.db.QueryRow(s.t.Context(), `select concat(
		(select string_agg(d::text, '|' order by subject) from q_`+hiddenQueue+`.docs d), '#', (select string_agg(q::text, '|' order by name) from fetchq.queues q where name <> 'pages'),
		'#', (select string_agg(w::text, '|' order by w::text) from fetchq.quiets w), '#', (select string_agg(concat(id, state), '|' order by id) from fetchq.operations where id <> $2),
		'#', (select string_agg(d::text, '|') from fetchq.dashboards d where d.id = $1), '#', (select string_agg(s::text, '|') from fetchq.stars s where queue <> 'pages'))`, s.board, s.operations["seen"]).Scan(&text)
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}

// paths are a route's, with what limited people see, and all that they do not see in the places of ids.
func (s *hiddenSite) paths(route, name string) []string {
	fill := func(id string) string {
		return strings.TrimSuffix(parameter.ReplaceAllStringFunc(route, func(p string) string {
			switch p {
			case ":queue":
				return name
			case ":action":
				return "kill"
			case ":id":
				return id
			}
			return "x"
		}), "*")
	}
	switch {
	case strings.HasPrefix(route, "/operations/:id"):
		return []string{fill(s.operations["hidden"]), fill(s.operations["move"]), fill(s.operations["seen"])}
	case strings.HasPrefix(route, "/dashboards/:id"):
		return []string{fill(s.board)}
	}
	return []string{fill(uuid.NewString())}
}

// versions are what differs from one answer to the next.
var versions = regexp.MustCompile(`data-version="[^"]*"|data-now="[^"]*"|<time[^>]*>[^<]*</time>`)

// hiddenForm names the hidden queue, and what is in it, in every field that some form has.
func hiddenForm(name string) url.Values {
	lease := "1 " + "held_" + hiddenMark
	return url.Values{
		"queue": {name}, "to_queue": {name}, "to": {name}, "name": {"worker_" + hiddenMark}, "action": {"quiet"}, "lease": {lease}, "confirm": {name},
		"subject": {"common"}, "m": {"picked:rate"}, "do": {"delete"}, "dashboard": {""}, "key": {"k"},
	}
}

// TestNothingTellsOfAQueueThatIsNotSeen walks every route, those with a queue in their path with the hidden one, as people who do not see it.
func TestNothingTellsOfAQueueThatIsNotSeen(t *testing.T) {
	t.Parallel()
	s := newHiddenSite(t)
	before := s.stands()
	for _, role := range []auth.Role{auth.RoleViewer, auth.RoleOperator} {
		b, u := s.limited(role, "pages")
		for _, r := range s.pages.Routes() {
			if r.Open || r.Path == "/events" || r.Path == "/logout" {
				continue
			}
			if strings.Contains(r.Path, ":queue") {
				s.looksAbsent(b, r)
				continue
			}
			for _, path := range s.paths(r.Path, "") {
				if r.Method != http.MethodGet {
					if status, _ := b.knock(r.Method, path, hiddenForm(hiddenQueue), "Sec-Fetch-Site", "same-origin"); status >= 500 {
						t.Errorf("%s %s: %d", r.Method, path, status)
					}
					continue
				}
				s.tellsNothing(u, path)
			}
		}
	}
	if after := s.stands(); after != before {
		t.Errorf("they changed\n%s\nto\n%s", before, after)
	}
}

// tellsNothing asks for a page, its live part, and its page in the dialog, in a session of its own: toasts tell what one typed.
func (s *hiddenSite) tellsNothing(u auth.User, path string) {
	s.t.Helper()
	b := s.enter(u)
	for _, headers := range [][]string{nil, {"Fetchq-Live", "1"}, {"Hx-Request", "true"}} {
		p := b.get(path, headers...)
		if p.status >= 500 {
			s.t.Errorf("%s: %d", path, p.status)
		}
		if at := strings.Index(p.body, hiddenMark); at >= 0 {
			s.t.Errorf("a %s reads at %s (%d): …%s…", u.Role, path, p.status, p.body[max(at-200, 0):min(at+100, len(p.body))])
		}
	}
}

// looksAbsent wants the same answer for a queue that is not seen as for one that is not there.
func (s *hiddenSite) looksAbsent(b *siteBrowser, r web.Route) {
	s.t.Helper()
	ask := func(name string) (int, string) {
		p := b.ask(r.Method, s.paths(r.Path, name)[0]+"?subject=common&format=ndjson", hiddenForm(name), "Sec-Fetch-Site", "same-origin")
		return p.status, versions.ReplaceAllString(strings.ReplaceAll(p.body, name, noQueue), "")
	}
	hidden, body := ask(hiddenQueue)
	absent, want := ask(noQueue)
	if hidden != absent || hidden != http.StatusNotFound && hidden != http.StatusForbidden || body != want {
		s.t.Errorf("%s %s answers %d of a queue that is not seen, %d of one that is not there%s", r.Method, r.Path, hidden, absent, cmp.Diff(strings.Split(want, ">"), strings.Split(body, ">")))
	}
}

// TestListsKeepToTheQueuesOfAPerson asks the lists in every way in which they are filtered.
func TestListsKeepToTheQueuesOfAPerson(t *testing.T) {
	t.Parallel()
	s := newHiddenSite(t)
	b, u := s.limited(auth.RoleOperator, "pages")
	for _, path := range []string{
		"/search?q=hidden", "/search?q=subject", "/search?q=worker", "/search?q=broke", "/search?q=common", "/errors?show=lines", "/errors?within=all", "/errors?kind=note",
		"/queues?q=hidden", "/workers?q=worker", "/workers?sort=name", "/operations?state=waiting", "/charts?m=picked:rate&m=docs_pending:avg", "/charts/csv?m=picked:rate",
		"/charts/data?c=m%3Ddocs_pending%253Aavg", "/charts/table?m=errors:rate", "/queues/pages/document?subject=common", "/queues/pages", "/queues/pages/errors?show=lines",
		"/queues/pages/operations/new?action=move", "/queues/pages/document/forward?subject=open",
	} {
		s.tellsNothing(u, path)
	}
	for path, want := range map[string]int{
		"/errors?queue=" + hiddenQueue: 404, "/charts?queue=" + hiddenQueue: 404, "/operations?queue=" + hiddenQueue: 404, "/workers?queue=" + hiddenQueue: 404,
		"/charts/data?queue=pages&queue=" + hiddenQueue: 404, "/worker?name=worker_" + hiddenMark: 404, "/backups": 403, "/operations/" + s.operations["hidden"]: 404,
		"/operations/" + s.operations["move"]: 200, "/errors?queue=pages": 200, "/charts?queue=pages&m=picked:rate": 200, "/worker?name=host-1": 200,
	} {
		if p := b.get(path); p.status != want {
			t.Errorf("%s answers %d; %d is wanted", path, p.status, want)
		}
	}
	if _, err := s.engine.Pause(t.Context(), hiddenQueue, queue.PauseParams{}); err != nil {
		t.Fatal(err)
	}
	s.pages.Forget()
	for _, path := range []string{"/nothing", "/queues/" + hiddenQueue, "/audit", "/"} { // on pages of errors too
		if n := b.get(path).says("#trouble [data-n]"); n != "0" {
			t.Errorf("%s says that %s queues need somebody", path, n)
		}
	}
	move := url.Values{"action": {"move"}, "which": {"selected"}, "subject": {"open"}, "to_queue": {hiddenQueue}, "key": {"k"}}
	if p := b.post("/queues/pages/operations/new", move); p.status != http.StatusUnprocessableEntity || !strings.Contains(p.body, "there is no queue") {
		t.Errorf("a move into it answers %d", p.status)
	}
	forward := url.Values{"to_queue": {hiddenQueue}, "then": {"complete"}}
	if p := b.post("/queues/pages/document/forward?subject=open", forward); p.status != http.StatusUnprocessableEntity {
		t.Errorf("a forward into it answers %d: %.1000s", p.status, p.says("main"))
	}
	if p := b.post("/operations/"+s.operations["move"]+"/cancel", nil); p.status != http.StatusForbidden {
		t.Errorf("to cancel what moves documents there answers %d", p.status)
	}
	// What is theirs they see; who sees all, sees that too.
	for path, want := range map[string]string{"/errors?within=all": "it broke at pages", "/workers": "host-1", "/search?q=common": "common", "/queues": "pages", "/dashboards/" + s.board: "Ours"} {
		if p := b.get(path).must(t, http.StatusOK); !strings.Contains(p.body, want) {
			t.Errorf("%s lacks %s", path, want)
		}
	}
	whole := s.as(auth.RoleViewer)
	wide, _ := s.limited(auth.RoleViewer, "pages", "hidden_*")
	for _, path := range []string{"/errors?within=all", "/workers", "/search?q=hidden", "/queues", "/", "/operations", "/dashboards/" + s.board} {
		for who, b := range map[string]*siteBrowser{"who sees all": whole, "who sees both": wide} {
			if p := b.get(path).must(t, http.StatusOK); !strings.Contains(p.body, hiddenMark) {
				t.Errorf("%s does not see it at %s", who, path)
			}
		}
	}
}

// TestALivePartIsSharedAmongThoseWhoSeeTheSame right after somebody of the same role who sees more.
func TestALivePartIsSharedAmongThoseWhoSeeTheSame(t *testing.T) {
	t.Parallel()
	s := newHiddenSite(t)
	whole := s.as(auth.RoleViewer)
	b, _ := s.limited(auth.RoleViewer, "pages")
	for _, path := range []string{"/", "/workers", "/operations"} {
		if p := whole.get(path, "Fetchq-Live", "1").must(t, http.StatusOK); !strings.Contains(p.body, hiddenMark) {
			t.Errorf("who sees all does not see it at %s", path)
		}
		if p := b.get(path, "Fetchq-Live", "1").must(t, http.StatusOK); strings.Contains(p.body, hiddenMark) {
			t.Errorf("%s is shared with who does not see it", path)
		}
	}
}

// TestAnAdminSeesAllQueues whatever is written down for the time after.
func TestAnAdminSeesAllQueues(t *testing.T) {
	t.Parallel()
	s := newHiddenSite(t)
	b, u := s.limited(auth.RoleAdmin, "pages")
	b.get("/queues/"+hiddenQueue).must(t, http.StatusOK)
	b.get("/backups").must(t, http.StatusOK)
	if _, err := s.users.Create(t.Context(), "other@example.org", "", auth.RoleAdmin); err != nil {
		t.Fatal(err)
	}
	if _, err := s.users.SetRole(t.Context(), u.ID, auth.RoleOperator); err != nil {
		t.Fatal(err)
	}
	b.get("/queues/"+hiddenQueue).must(t, http.StatusNotFound) // in the session that was open
}
