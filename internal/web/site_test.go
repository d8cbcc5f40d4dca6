package web_test

import (
	"bytes"
	"context"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/net/html"

	"github.com/fetchq/server/internal/api"
	"github.com/fetchq/server/internal/audit"
	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/backup"
	"github.com/fetchq/server/internal/catalog"
	"github.com/fetchq/server/internal/charts"
	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/metrics"
	"github.com/fetchq/server/internal/operations"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/scrape"
	"github.com/fetchq/server/internal/web"
	"github.com/fetchq/server/web/static"
)

var update = flag.Bool("update", false, "write the golden files anew")

// site is the program's site and API on a database of their own.
type site struct {
	t        *testing.T
	db       *pgxpool.Pool
	engine   *queue.Engine
	users    *auth.Users
	sessions *auth.Sessions
	tokens   *auth.Tokens
	audit    *audit.Log // not started: what is counted is written by flushing it
	pages    *web.Server
	calls    *api.Server
	backups  *catalog.Service // not started
	url      string
	log      *siteLog
}

// siteLog is all that the site logged, at any level.
type siteLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *siteLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *siteLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

const sitePassword = "correct horse battery"

// newSite boots a site that browsers know by base, or, where that is "", by the address on which it listens, with options besides.
func newSite(t *testing.T, base string, with ...func(*web.Options)) *site {
	t.Helper()
	db := dbtest.New(t)
	s := &site{t: t, db: db, log: &siteLog{}}
	log := slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.engine = queue.New(db, queue.Options{Log: log, Node: "test", Now: time.Now})
	if err := s.engine.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	none := func(context.Context) ([]metrics.Sample, error) { return nil, nil }
	s.users, s.tokens = auth.NewUsers(db, time.Now), auth.NewTokens(db, time.Now)
	s.audit = audit.New(db, audit.Options{Log: log, Now: time.Now})
	s.sessions = auth.NewSessions(db, strings.HasPrefix(base, "https:"))
	assets, _ := static.Load() // without what is built, their paths answer 404
	jobs := operations.New(db, s.engine, operations.Options{Log: log, Node: "test", Now: time.Now, ImportLimit: 1 << 20})
	s.backups = newCatalog(db, s.engine, jobs, log)
	t.Cleanup(s.backups.Stop)
	opt := web.Options{
		Engine: s.engine, Operations: jobs, Catalog: s.backups, Recent: metrics.New(none, nil, time.Now, log), Metrics: flat{}, Charts: charts.NewStore(db), Users: s.users, Sessions: s.sessions, Tokens: s.tokens, Audit: s.audit,
		Assets: assets, Log: log, Now: time.Now, URL: "https://queue.example.org", BaseURL: base,
	}
	for _, set := range with {
		set(&opt)
	}
	s.pages = web.New(opt)
	s.calls = api.New(api.Options{
		Engine: s.engine, Operations: jobs, Catalog: s.backups, Series: metrics.NewStore(db, log),
		Tokens: s.tokens, Audit: s.audit, Log: log, Now: time.Now, Version: "test",
		Ready: func(ctx context.Context) error { return database.Error("ping", db.Ping(ctx)) },
	})
	s.calls.ServeScrapes(scrape.New(scrape.Options{Backups: noBackups, Pool: db, Engine: s.engine, Series: metrics.NewStore(db, log), Log: log, Now: time.Now}), false)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/") || r.URL.Path == "/healthz" || r.URL.Path == "/readyz" || r.URL.Path == "/metrics" {
			s.calls.ServeHTTP(w, r)
			return
		}
		s.pages.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		s.pages.Stop()
		s.engine.Stop()
		server.Close()
	})
	s.url = server.URL
	return s
}

// newCatalog is what looks after backups, not started.
func newCatalog(db *pgxpool.Pool, e *queue.Engine, jobs *operations.Service, log *slog.Logger) *catalog.Service {
	connect := func(ctx context.Context) (*pgx.Conn, error) { return pgx.ConnectConfig(ctx, db.Config().ConnConfig) }
	return catalog.New(catalog.Options{
		DB: db, Backups: backup.New(backup.Options{Program: "test", Log: log, Connect: connect}), Operations: jobs, Engine: e, Log: log, Node: "test", Now: time.Now,
		Secret: func(string) (string, bool) { return "", false },
	})
}

// siteHash is the hash of sitePassword. It is made once, as a person makes it: a hash takes longer than most tests.
var (
	siteHash     string
	siteHashOnce sync.Once
)

// user makes a user with a password.
func (s *site) user(email string, role auth.Role) auth.User {
	s.t.Helper()
	ctx := context.Background()
	u, err := s.users.Create(ctx, email, "", role)
	if err != nil {
		s.t.Fatal(err)
	}
	siteHashOnce.Do(func() {
		link, err := s.users.Link(ctx, u.ID)
		if err != nil {
			s.t.Error(err)
			return
		}
		if _, err := s.users.UseLink(ctx, link, sitePassword); err != nil {
			s.t.Error(err)
			return
		}
		if err := s.db.QueryRow(ctx, `select password from fetchq.users where id = $1`, u.ID).Scan(&siteHash); err != nil {
			s.t.Error(err)
		}
	})
	if _, err := s.db.Exec(ctx, `update fetchq.users set password = $2 where id = $1`, u.ID, siteHash); err != nil {
		s.t.Fatal(err)
	}
	if u, err = s.users.Get(ctx, u.ID); err != nil {
		s.t.Fatal(err)
	}
	return u
}

// siteBrowser is somebody's browser. It keeps cookies whatever they say, so that a test can look at them.
type siteBrowser struct {
	*site
	cookies map[string]*http.Cookie
}

// nobody is the browser of somebody who has not signed in.
func (s *site) nobody() *siteBrowser {
	return &siteBrowser{site: s, cookies: map[string]*http.Cookie{}}
}

// enter is the browser of a user for whom a session is begun, without a password.
func (s *site) enter(u auth.User) *siteBrowser {
	s.t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/login", nil)
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	if err := s.sessions.SignIn(w, r, u, "192.0.2.1"); err != nil {
		s.t.Fatal(err)
	}
	b := s.nobody()
	b.keep(w.Result())
	return b
}

// as is the browser of a new user of a role.
func (s *site) as(role auth.Role) *siteBrowser {
	s.t.Helper()
	return s.enter(s.user(string(role)+"@example.org", role))
}

func (b *siteBrowser) keep(resp *http.Response) {
	for _, k := range resp.Cookies() {
		if k.MaxAge < 0 {
			delete(b.cookies, k.Name)
			continue
		}
		b.cookies[k.Name] = k
	}
}

// session is the value of the cookie of the session; "" without one.
func (b *siteBrowser) session() string {
	for _, name := range []string{auth.SessionName, "__Host-" + auth.SessionName} {
		if k := b.cookies[name]; k != nil {
			return k.Value
		}
	}
	return ""
}

// sitePage is what a browser got.
type sitePage struct {
	*goquery.Document
	status int
	header http.Header
	body   string
}

// get asks for a page, with headers in pairs. Redirects are not followed.
func (b *siteBrowser) get(path string, headers ...string) *sitePage {
	b.t.Helper()
	return b.ask(http.MethodGet, path, nil, headers...)
}

// post sends a form as a page of the site does.
func (b *siteBrowser) post(path string, form url.Values, headers ...string) *sitePage {
	b.t.Helper()
	return b.ask(http.MethodPost, path, form, append([]string{"Sec-Fetch-Site", "same-origin", "Origin", b.url}, headers...)...)
}

// ask makes a request. A header whose value is "" is left out; Host is that of the request.
func (b *siteBrowser) ask(method, path string, form url.Values, headers ...string) *sitePage {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	resp := b.send(ctx, method, path, form, headers...)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, path, err)
	}
	doc, err := goquery.NewDocumentFromReader(bytes.NewReader(text))
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, path, err)
	}
	return &sitePage{doc, resp.StatusCode, resp.Header, string(text)}
}

// send is ask for an answer that may not end; the caller closes it.
func (b *siteBrowser) send(ctx context.Context, method, path string, form url.Values, headers ...string) *http.Response {
	b.t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, b.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	if method != http.MethodGet && method != http.MethodHead {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		switch {
		case headers[i+1] == "":
			req.Header.Del(headers[i])
		case headers[i] == "Host":
			req.Host = headers[i+1]
		default:
			req.Header.Set(headers[i], headers[i+1])
		}
	}
	for _, k := range b.cookies {
		req.AddCookie(&http.Cookie{Name: k.Name, Value: k.Value})
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, path, err)
	}
	b.keep(resp)
	return resp
}

// must wants a status.
func (p *sitePage) must(t *testing.T, status int) *sitePage {
	t.Helper()
	if p.status != status {
		t.Fatalf("status %d; %d is wanted\n%.2000s", p.status, status, p.body)
	}
	return p
}

// to is where a redirect leads.
func (p *sitePage) to() string { return p.header.Get("Location") }

// says is the text of what a selector finds, with single spaces; what stands in elements of its own is apart.
func (p *sitePage) says(selector string) string {
	var words []string
	for _, found := range p.Find(selector).Nodes {
		for n := range found.Descendants() {
			if n.Type == html.TextNode {
				words = append(words, strings.Fields(n.Data)...)
			}
		}
	}
	return strings.Join(words, " ")
}

// noBackups is how it stands with backups where nobody makes any.
func noBackups(context.Context) (scrape.Backups, error) { return scrape.Backups{}, nil }
