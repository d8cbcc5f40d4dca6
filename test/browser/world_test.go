package browser_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/charts"
)

// world fills a site with what a team would have: queues in every state, documents in every status, errors, people and tokens.
func (s *site) world() {
	s.t.Helper()
	s.crawl()
	s.images()
	s.api("PUT", "/queues/mail", `{"rate":{"picks":50,"per":"1s","burst":50},"max_active":20}`)
	s.documents("mail", 40, `{"to":"somebody%d@example.org","template":"welcome"}`, "mail-%05d", "")
	s.api("POST", "/queues/mail/pause", `{"reason":"the relay answers 421 since the update; ask Ann before you resume","until":"+3h"}`)
	s.api("PUT", "/queues/reports", `{"max_attempts":3}`)
	s.documents("reports", 30, `{"customer":%d,"month":"2026-10"}`, "report/2026-10/%04d", "")
	s.work("reports", 12, `"action":"reject","message":"the warehouse does not answer: dial tcp 10.0.3.7:5432: i/o timeout"`)
	s.api("PUT", "/queues/feeds", `{}`)
	s.documents("feeds", 25, `{"feed":%d}`, "https://feeds.example/%d.xml", `"next_iteration":"+6 hours"`)
	s.api("PUT", "/queues/a_queue_whose_name_takes_all_40_letters_", `{}`)
	s.api("PUT", "/queues/thumbnails", `{"partitions":4,"completed_retention":"7 days"}`)
	s.documents("thumbnails", 60, `{"size":[%d,240]}`, "thumb:%d", "")
	s.work("thumbnails", 50, `"action":"complete"`)
	s.people()
	s.operations()
	s.folded()
	s.dashboards()
	s.backups()
	s.past(20*time.Minute, "pages", "thumbnails")
	s.crew()
}

// crew are workers of all states, as another node wrote them: one is silent, and one is asked to go quiet.
func (s *site) crew() {
	s.t.Helper()
	for worker, w := range map[string]struct {
		queue, ago            string
		picked, ended, errors int
	}{
		"crawler-3/host-2": {"pages", "2 seconds", 410, 398, 7}, "imager-2/host-9": {"images", "14 minutes", 61, 58, 0}, "mailer-1": {"mail", "8 seconds", 0, 0, 0},
		"thumbs:a-pod-with-a-name-that-goes-on-for-quite-a-while-7d9c6b5f4-x2x9q:1": {"thumbnails", "1 second", 1204, 1204, 0}, "reports.example.org:4711": {"reports", "3 hours", 12, 12, 12},
	} {
		s.exec(`insert into fetchq.workers (queue, worker, node, seen_at, over, picked, ended, errors, buckets, counts, work_ms, low_ms, high_ms)
			values ($1, $2, 'another', clock_timestamp() - $3::interval, '5 minutes', $4, $5, $6, '{250,300,360}', array[$5::bigint / 2, $5::bigint / 4, $5::bigint / 4]::integer[],
				$5::bigint * 100, 90, 1300)`,
			w.queue, worker, w.ago, w.picked, w.ended, w.errors)
	}
	// What it holds was picked through another server: this one has not seen it.
	s.exec(`update q_images.docs set worker = 'imager-2/host-9', picked_at = picked_at - interval '14 minutes', next_iteration = greatest(next_iteration - interval '14 minutes', clock_timestamp() + interval '3 minutes') where status = 2`)
	s.exec(`update q_pages.docs set next_iteration = clock_timestamp() + interval '17 minutes' where status = 2`)
	s.exec(`select fetchq.worker_quiet('mailer-1', 'user:ann@example.org')`)
}

// dashboards is one of two charts, as a team would keep it.
func (s *site) dashboards() {
	s.t.Helper()
	kept := charts.NewStore(s.db)
	d, err := kept.Create(s.t.Context(), "Crawl", "ann@example.org")
	if err != nil {
		s.t.Fatal(err)
	}
	d.Charts = []charts.Chart{
		charts.Of("Pages a second", []string{"pages"}, "entered:rate", "processed:rate"), charts.Of("Parser", []string{"pages", "thumbnails"}, "parse:p95"),
		charts.Of("Read from the network", []string{"pages"}, "bytes:rate"),
	}
	if err := kept.Save(s.t.Context(), d); err != nil {
		s.t.Fatal(err)
	}
	s.dashboard = "/dashboards/" + d.ID.String()
	s.api("POST", "/marks", `{"text":"v2.0.1","at":"-8m"}`)
}

// operations are some that are done: one has failures.
func (s *site) operations() {
	s.t.Helper()
	s.api("POST", "/queues/feeds/operations", `{"action":"set_priority","priority":3,"filter":{"status":"planned","subject_prefix":"https://feeds.example/1"}}`)
	var subjects []string
	for i := range 30 {
		subjects = append(subjects, quote(fmt.Sprintf("https://a.example/%s%d", strings.Repeat("no-such-page/", i%12), i)))
	}
	answer := s.api("POST", "/queues/reports/operations", `{"action":"reschedule","next_iteration":"+1 day","message":"the warehouse moves","subjects":["report/2026-10/0020",`+strings.Join(subjects, ",")+`]}`)
	var o struct{ ID string }
	if err := json.Unmarshal([]byte(answer), &o); err != nil {
		s.t.Fatal(err)
	}
	s.operation = o.ID
	for deadline := time.Now().Add(patience); !strings.Contains(s.api("GET", "/operations/"+o.ID, ""), `"state":"done"`); time.Sleep(pollEvery) {
		if time.Now().After(deadline) {
			s.t.Fatal("the operation is not done")
		}
	}
}

// timeoutGroup is the fingerprint of what "timeout after 3000 ms" and others say.
const timeoutGroup = "d35a729c6bb2619c"

var longSubject = "https://a.example/" + strings.Repeat("a-path-without-an-end/", 10) + "index"

// crawl is a queue with documents in all states, and a subject as long as may be.
func (s *site) crawl() {
	s.api("PUT", "/queues/pages", `{"max_attempts":4,"logs_retention":"90 days"}`)
	s.documents("pages", 300, `{"depth":%d,"headers":{"accept":"text/html","if-none-match":"W/\"abc\""},"links":[1,2,{"rel":"next"}],"size":12345678901234567890}`, "https://a.example/articles/%d?page=1", "")
	s.work("pages", 180, `"action":"complete"`)
	s.work("pages", 60, `"action":"reschedule","next_iteration":"+2 days"`)
	s.work("pages", 9, `"action":"reject","message":"timeout after 3000 ms","details":{"after_ms":3000,"url":"https://a.example/"},"ref_id":"run-1842"`)
	s.work("pages", 4, `"action":"kill","message":"HTTP 410 Gone: this page will not come back","details":{"status":410}`)
	s.work("pages", 2, `"action":"reject","message":`+quote(strings.Repeat("a message that is long ", 30)+strings.Repeat("x", 300)))
	s.pick("pages", 12)
	s.push("pages", longSubject)
	s.api("POST", "/queues/pages/documents", `{"documents":[{"subject":"v2/first","version":2,"priority":9,"payload":{"kind":"second version"}}]}`)
	s.api("POST", "/queues/pages/logs", `{"logs":[{"subject":"v2/first","message":"priority raised by hand"}]}`)
}

// images is behind.
func (s *site) images() {
	s.api("PUT", "/queues/images", `{}`)
	s.documents("images", 900, `{"image":%d}`, "https://img.example/%d.png", fmt.Sprintf(`"next_iteration":%q`, time.Now().Add(-47*time.Minute).UTC().Format(time.RFC3339)))
	s.pick("images", 3)
}

func (s *site) people() {
	ann := s.user("ann@example.org", "Ann", auth.RoleAdmin)
	bob := s.user("bob@example.org", "Bob with a name that goes on for quite a while", auth.RoleOperator)
	eve := s.user("eve.with-a-long-name-and-a-long-host@department.of.something.example.org", "", auth.RoleViewer)
	s.session(ann, firefox)
	s.session(bob, "curl/8.9")
	if _, err := s.users.Disable(s.t.Context(), eve.ID); err != nil {
		s.t.Fatal(err)
	}
	tokens := auth.NewTokens(s.db, time.Now)
	over := time.Now().Add(time.Hour)
	for _, k := range []struct {
		name           string
		rights, queues []string
		ends           *time.Time
	}{
		{"crawler on host-7", []string{"push", "work"}, []string{"pages", "img_*"}, nil}, {"dashboard", []string{"read"}, nil, &over},
	} {
		if _, _, err := tokens.Create(s.t.Context(), k.name, k.rights, k.queues, k.ends, "ann@example.org"); err != nil {
			s.t.Fatal(err)
		}
	}
}

// documents pushes n documents; payload and subject take a number, more is further fields of each.
func (s *site) documents(queue string, n int, payload, subject, more string) {
	s.t.Helper()
	var list []string
	for i := range n {
		d := `{"subject":` + quote(fmt.Sprintf(subject, i)) + `,"payload":` + fmt.Sprintf(payload, i)
		if more != "" {
			d += "," + more
		}
		list = append(list, d+"}")
	}
	s.api("POST", "/queues/"+queue+"/documents", `{"documents":[`+strings.Join(list, ",")+`]}`)
}

// pick leases n documents and returns subjects and leases as the API writes them.
func (s *site) pick(queue string, n int) [][2]string {
	s.t.Helper()
	text := s.api("POST", "/queues/"+queue+"/pick", fmt.Sprintf(`{"limit":%d,"worker":"crawler-3/host-%d","lock":"20m"}`, n, n%5))
	var leases [][2]string
	for {
		_, rest, found := strings.Cut(text, `"subject":`)
		if !found {
			return leases
		}
		leases = append(leases, [2]string{field(`"subject":`+rest, "subject"), field(rest, "lease")})
		text = rest
	}
}

// work picks n documents and resolves them all in one way.
func (s *site) work(queue string, n int, how string) {
	s.t.Helper()
	var list []string
	for _, lease := range s.pick(queue, n) {
		list = append(list, `{"subject":"`+lease[0]+`","lease":`+lease[1]+`,`+how+`}`)
	}
	if len(list) != n {
		s.t.Fatalf("%d documents of %s were picked; want %d", len(list), queue, n)
	}
	s.api("POST", "/queues/"+queue+"/resolve", `{"resolutions":[`+strings.Join(list, ",")+`]}`)
}

// folded waits until pages over all queues see what was written.
func (s *site) folded() {
	s.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(pollEvery) {
		var left bool
		err := s.db.QueryRow(context.Background(), `select exists (select from q_pages.deltas) or exists (select from q_thumbnails.deltas)`).Scan(&left)
		if err != nil {
			s.t.Fatal(err)
		}
		if !left {
			return
		}
	}
	s.t.Fatal("the counters were not folded")
}

// place is a page of the site, and who looks at it.
type place struct {
	name, path string
	role       auth.Role // "": nobody is signed in
	act        func(p *tab)
	says       string // what the console says of it, such as that it is not found
	tall       int64  // px of its picture, where a screen is not enough
}

// places are all pages of a filled site, with the dialogs and what goes wrong.
func (s *site) places() []place {
	dialog := func(selector, text string) func(p *tab) {
		return func(p *tab) {
			p.click(selector, text)
			p.until("the dialog", `document.querySelector('#dialog[open] h1')`)
		}
	}
	drawn := func(p *tab) { p.drawn("#chart-1") }
	list := []place{
		{name: "sign-in", path: "/login"},
		{name: "link-over", path: "/reset/none", says: "status of 404"},
		{name: "overview", path: "/", role: auth.RoleAdmin, act: drawn, tall: 1240},
		{name: "overview-viewer", path: "/", role: auth.RoleViewer},
		{name: "queues", path: "/queues", role: auth.RoleAdmin},
		{name: "queues-selected", path: "/queues", role: auth.RoleAdmin, act: func(p *tab) { p.click("#queue-mail input[data-row]", ""); p.see("1 selected") }},
		{name: "queues-none-match", path: "/queues?q=zzz", role: auth.RoleAdmin},
		{name: "queue-new", path: "/queues/new", role: auth.RoleAdmin},
		{name: "queue", path: "/queues/pages", role: auth.RoleAdmin, act: drawn, tall: 1340},
		{name: "queue-chart-table-dialog", path: "/queues/pages", role: auth.RoleAdmin, act: dialog("#chart-1 a", "Table")},
		{name: "queue-paused", path: "/queues/mail", role: auth.RoleViewer},
		{name: "queue-empty", path: "/queues/a_queue_whose_name_takes_all_40_letters_", role: auth.RoleAdmin},
		{name: "queue-pause-dialog", path: "/queues/pages", role: auth.RoleAdmin, act: dialog("a", "Pause…")},
		{name: "queue-errors", path: "/queues/pages/errors?kind=all", role: auth.RoleAdmin, act: func(p *tab) { p.click(".rows summary", "timeout"); p.see("run-1842") }},
		{name: "queue-settings", path: "/queues/pages/settings", role: auth.RoleAdmin},
		{name: "queue-settings-viewer", path: "/queues/pages/settings", role: auth.RoleViewer},
		{name: "queue-drop", path: "/queues/pages/drop", role: auth.RoleAdmin},
		{name: "queue-truncate-dialog", path: "/queues/pages/settings", role: auth.RoleAdmin, act: dialog("a", "Remove all documents…")},
		{name: "queue-rename-dialog", path: "/queues/pages/settings", role: auth.RoleAdmin, act: dialog("a", "Rename…")},
		{name: "queue-clone-dialog", path: "/queues/pages/settings", role: auth.RoleAdmin, act: dialog("a", "Clone its settings…")},
		{name: "queue-move-dialog", path: "/queues/mail/settings", role: auth.RoleAdmin, act: dialog("a", "Move to another tablespace…")},
		{name: "documents", path: "/queues/pages/documents", role: auth.RoleAdmin},
		{name: "documents-viewer", path: "/queues/pages/documents?status=pending&size=100", role: auth.RoleViewer},
		{name: "documents-selected", path: "/queues/pages/documents?status=killed", role: auth.RoleAdmin, act: func(p *tab) { p.click("input[data-rows]", ""); p.see("4 selected") }},
		{name: "documents-none-match", path: "/queues/pages/documents?subject_prefix=zzz", role: auth.RoleAdmin},
		{name: "documents-wrong", path: "/queues/pages/documents?version=x", role: auth.RoleAdmin},
		{name: "documents-filtered", path: "/queues/pages/documents?status=killed&subject_prefix=https%3A%2F%2Fa.example&finished_after=-2+days&attempts_min=1&column=attempts&column=created&column=last&column=%2Furl&column=%2Fdepth", role: auth.RoleAdmin},
		{name: "documents-columns-menu", path: "/queues/pages/documents", role: auth.RoleAdmin, act: func(p *tab) { p.click(`[popovertarget="columns-menu"]`, ""); p.there("#columns-menu:popover-open") }},
		{name: "documents-views-menu", path: "/queues/pages/documents", role: auth.RoleViewer, act: func(p *tab) { p.click(`[popovertarget="views-menu"]`, ""); p.there("#views-menu:popover-open") }},
		{name: "documents-view-dialog", path: "/queues/pages/views/new?list=status%3Dkilled", role: auth.RoleAdmin},
		{name: "documents-empty", path: "/queues/a_queue_whose_name_takes_all_40_letters_/documents", role: auth.RoleAdmin},
		{name: "documents-all-menu", path: "/queues/pages/documents?status=killed", role: auth.RoleAdmin, act: func(p *tab) { p.click(`[popovertarget="bulk-menu"]`, ""); p.there("#bulk-menu:popover-open") }},
		{name: "documents-all-dialog", path: "/queues/pages/documents?status=killed", role: auth.RoleAdmin, act: func(p *tab) {
			p.click(`[popovertarget="bulk-menu"]`, "")
			dialog(`[data-bulk="Move"]`, "")(p)
		}},
		{name: "documents-import-dialog", path: "/queues/pages/documents", role: auth.RoleAdmin, act: dialog("a", "Import…")},
		{name: "operations", path: "/operations", role: auth.RoleAdmin},
		{name: "operation", path: "/operations/" + s.operation, role: auth.RoleAdmin},
		{name: "operation-viewer", path: "/operations/" + s.operation, role: auth.RoleViewer},
		{name: "document-new", path: "/queues/pages/documents/new", role: auth.RoleAdmin},
		{name: "document", path: documentPath("pages", "v2/first"), role: auth.RoleAdmin},
		{name: "document-killed", path: documentPath("pages", "https://a.example/articles/249?page=1"), role: auth.RoleAdmin},
		{name: "document-long", path: documentPath("pages", longSubject), role: auth.RoleViewer},
		{name: "document-edit-dialog", path: documentPath("pages", "v2/first"), role: auth.RoleAdmin, act: dialog(`[data-action="edit"]`, "")},
		{name: "document-in-list", path: "/queues/pages/documents?status=killed", role: auth.RoleAdmin, act: func(p *tab) { p.click("td.subject a", ""); p.there(`[aria-label="Beside it in the list"]`) }},
		{name: "document-gone", path: documentPath("pages", "nothing"), role: auth.RoleAdmin, says: "status of 404"},
		{name: "workers", path: "/workers", role: auth.RoleAdmin, act: func(p *tab) { p.there(`tr[data-worker="imager-2/host-9"] [data-status="silent"]`) }},
		{name: "workers-ask-dialog", path: "/workers?sort=name", role: auth.RoleAdmin, act: func(p *tab) { p.click("input[data-rows]", ""); dialog(`.selection [value="quiet"]`, "")(p) }},
		{name: "workers-selected", path: "/workers?sort=name", role: auth.RoleAdmin, act: func(p *tab) { p.click("input[data-rows]", ""); p.see("selected") }},
		{name: "workers-viewer", path: "/workers?queue=pages", role: auth.RoleViewer},
		{name: "workers-none-match", path: "/workers?q=zzz", role: auth.RoleAdmin},
		{name: "worker", path: "/worker?name=crawler-3/host-2", role: auth.RoleAdmin},
		{name: "worker-silent", path: "/worker?name=imager-2/host-9", role: auth.RoleViewer, act: func(p *tab) { p.there(`h1 + [data-status="silent"]`) }},
		{name: "worker-quiet", path: "/worker?name=mailer-1", role: auth.RoleAdmin},
		{name: "worker-gone", path: "/worker?name=nobody", role: auth.RoleAdmin, says: "status of 404"},
		{name: "errors", path: "/errors", role: auth.RoleAdmin},
		{name: "errors-lines", path: "/errors?show=lines", role: auth.RoleAdmin},
		{name: "errors-none-match", path: "/errors?q=zzz", role: auth.RoleViewer},
		{name: "queue-error-groups", path: "/queues/pages/errors?within=1h", role: auth.RoleAdmin},
		{name: "queue-error-group", path: "/queues/pages/errors?fingerprint=" + timeoutGroup, role: auth.RoleAdmin, act: func(p *tab) { p.see("How its documents stand now") }},
		{name: "error-group", path: "/errors?fingerprint=" + timeoutGroup, role: auth.RoleViewer},
		{name: "error-group-gone", path: "/errors?fingerprint=00000000000000ff", role: auth.RoleViewer, says: "status of 404"},
		{name: "queue-error-group-dialog", path: "/queues/pages/errors?fingerprint=" + timeoutGroup, role: auth.RoleAdmin, act: dialog("a", "Run now all…")},
		{name: "errors-filter-wrong", path: "/errors?within=soon", role: auth.RoleAdmin},
		{name: "search", path: "/search", role: auth.RoleViewer},
		{name: "search-found", path: "/search?q=https://a.example/articles/1", role: auth.RoleAdmin},
		{name: "search-queues", path: "/search?q=e", role: auth.RoleAdmin},
		{name: "search-errors", path: "/search?q=timeout", role: auth.RoleAdmin},
		{name: "search-nothing", path: "/search?q=zzzzzz", role: auth.RoleAdmin},
		{name: "metrics", path: "/charts", role: auth.RoleAdmin},
		{name: "metrics-drawn", path: "/charts?range=15m&queue=pages&m=processed:rate&m=wait:p95", role: auth.RoleAdmin, act: drawn, tall: 960},
		{name: "metrics-compared", path: "/charts?range=15m&queue=pages&queue=thumbnails&m=entered:rate&compare=1", role: auth.RoleViewer, act: drawn},
		{name: "metrics-range", path: "/charts?range=15m", role: auth.RoleViewer, act: func(p *tab) { p.click(`[popovertarget="span"]`, ""); p.there("#span:popover-open") }},
		{name: "metrics-wrong", path: "/charts?m=picked", role: auth.RoleViewer},
		{name: "dashboard", path: s.dashboard + "?range=15m", role: auth.RoleAdmin, act: drawn},
		{name: "team", path: "/team", role: auth.RoleAdmin},
		{name: "audit", path: "/audit", role: auth.RoleAdmin, act: func(p *tab) { p.click("#line-1 summary, .rows summary", "") }},
		{name: "audit-none-match", path: "/audit?actor=nobody@example.org", role: auth.RoleAdmin},
		{name: "audit-keep", path: "/audit/keep", role: auth.RoleAdmin},
		{name: "team-tokens", path: "/team?tab=tokens", role: auth.RoleAdmin},
		{name: "team-sessions", path: "/team?tab=sessions", role: auth.RoleAdmin},
		{name: "team-person-new", path: "/team/people/new", role: auth.RoleAdmin},
		{name: "team-token-dialog", path: "/team?tab=tokens", role: auth.RoleAdmin, act: dialog("a", "New token")},
		{name: "team-token-shown", path: "/team?tab=tokens", role: auth.RoleAdmin, act: func(p *tab) {
			p.click("a", "New token")
			p.fill("#f-name", "shown once")
			p.click("#dialog button", "Make the token")
			p.there("#dialog[open] #secret")
		}},
		{name: "toast", path: "/queues/feeds/settings", role: auth.RoleAdmin, act: func(p *tab) {
			p.click("button", "Save the settings")
			p.see("Saved the settings of feeds.")
		}},
		{name: "account", path: "/account", role: auth.RoleAdmin},
		{name: "menu", path: "/", role: auth.RoleAdmin, act: func(p *tab) { p.click(`[popovertarget="user-menu"]`, "") }},
		{name: "keys", path: "/", role: auth.RoleAdmin, act: func(p *tab) { p.press("?"); p.see("this sheet") }},
		{name: "lost", path: "/", role: auth.RoleAdmin, act: func(p *tab) {
			// A copy, which the page does not know and so does not hide again.
			get[bool](p, `((lost) => { const copy = lost.cloneNode(true); copy.hidden = false; copy.removeAttribute('id'); lost.after(copy); return true; })(document.getElementById('lost'))`)
		}},
		{name: "not-found", path: "/nowhere", role: auth.RoleAdmin, says: "status of 404"},
		{name: "no-queue", path: "/queues/none", role: auth.RoleAdmin, says: "status of 404"},
		{name: "forbidden", path: "/team", role: auth.RoleViewer, says: "status of 403"},
		{name: "api", path: "/api/docs", role: auth.RoleAdmin},
	}
	return append(list, s.backupPlaces()...)
}
