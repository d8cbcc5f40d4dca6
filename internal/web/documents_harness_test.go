package web_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/catalog"
	"github.com/fetchq/server/internal/charts"
	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/metrics"
	"github.com/fetchq/server/internal/operations"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/web"
)

// desk is a site on a database of its own, with the queues pages and other, and somebody who is signed in to it.
type desk struct {
	t      *testing.T
	site   *web.Server
	db     *pgxpool.Pool
	engine *queue.Engine
	jobs   *operations.Service
	backup *catalog.Service // not started
	cookie *http.Cookie

	users    *auth.Users
	sessions *auth.Sessions
}

func newDesk(t *testing.T, role auth.Role) *desk {
	t.Helper()
	db := dbtest.New(t)
	log := slog.New(slog.DiscardHandler)
	e := queue.New(db, queue.Options{Log: log, Node: "test", Now: time.Now})
	t.Cleanup(e.Stop)
	for _, name := range []string{"pages", "other"} {
		if _, _, err := e.Put(t.Context(), name, nil); err != nil {
			t.Fatal(err)
		}
	}
	users, sessions := auth.NewUsers(db, time.Now), auth.NewSessions(db, false)
	jobs := operations.New(db, e, operations.Options{Log: log, Node: "test", Now: time.Now, ImportLimit: 4 << 20})
	t.Cleanup(jobs.Stop)
	backups := newCatalog(db, e, jobs, log)
	t.Cleanup(backups.Stop)
	site := web.New(web.Options{
		Engine: e, Operations: jobs, Catalog: backups, Recent: metrics.New(func(context.Context) ([]metrics.Sample, error) { return nil, nil }, nil, time.Now, log),
		Metrics: flat{}, Charts: charts.NewStore(db), Users: users, Sessions: sessions, Tokens: auth.NewTokens(db, time.Now), Log: log, Now: time.Now, URL: "https://queue.example.org",
	})
	t.Cleanup(site.Stop)
	d := &desk{t: t, site: site, db: db, engine: e, jobs: jobs, backup: backups, users: users, sessions: sessions}
	return d.as("ann@example.org", role)
}

// as is the same site for somebody else, who is made for it.
func (d *desk) as(email string, role auth.Role) *desk {
	d.t.Helper()
	name, _, _ := strings.Cut(email, "@")
	user, err := d.users.Create(d.t.Context(), email, strings.ToUpper(name[:1])+name[1:], role)
	if err != nil {
		d.t.Fatal(err)
	}
	w := httptest.NewRecorder()
	if err := d.sessions.SignIn(w, httptest.NewRequest(http.MethodPost, "/login", nil), user, "192.0.2.1"); err != nil {
		d.t.Fatal(err)
	}
	other := *d
	other.cookie = w.Result().Cookies()[0]
	return &other
}

// reply is what the site said.
type reply struct {
	*goquery.Document
	code   int
	header http.Header
	body   string
}

func (d *desk) send(method, target, kind string, body io.Reader) reply {
	d.t.Helper()
	r := httptest.NewRequest(method, target, body)
	r.AddCookie(d.cookie)
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	w := httptest.NewRecorder()
	d.site.ServeHTTP(w, r)
	text := w.Body.String()
	if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
		text = "" // a file, which is no page
	}
	page, err := goquery.NewDocumentFromReader(strings.NewReader(text))
	if err != nil {
		d.t.Fatal(err)
	}
	return reply{Document: page, code: w.Code, header: w.Header(), body: w.Body.String()}
}

func (d *desk) get(target string, code int) reply {
	d.t.Helper()
	return d.send(http.MethodGet, target, "", nil).want(d.t, code, "GET "+target)
}

func (d *desk) post(target string, form url.Values, code int) reply {
	d.t.Helper()
	a := d.send(http.MethodPost, target, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
	return a.want(d.t, code, "POST "+target)
}

// postParts sends a form as browsers send one with long texts.
func (d *desk) postParts(target string, form url.Values, code int) reply {
	d.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for name, list := range form {
		for _, value := range list {
			if err := w.WriteField(name, value); err != nil {
				d.t.Fatal(err)
			}
		}
	}
	w.Close()
	return d.send(http.MethodPost, target, w.FormDataContentType(), &body).want(d.t, code, "POST "+target)
}

// want fails where the answer has another status; 0 is any.
func (a reply) want(t *testing.T, code int, what string) reply {
	t.Helper()
	if a.code != code && code != 0 {
		t.Fatalf("%.200s answers %d, want %d: %.600s", what, a.code, code, strings.Join(strings.Fields(a.Find("#main").Text()), " "))
	}
	return a
}

// leads follows a redirect and returns the page with its toast.
func (d *desk) leads(a reply, to string) reply {
	d.t.Helper()
	if got := a.header.Get("Location"); got != to {
		d.t.Fatalf("leads to %q, want %q", got, to)
	}
	return d.get(to, http.StatusOK)
}

// text is what stands at a selector, with single spaces.
func (a reply) text(selector string) string {
	return strings.Join(strings.Fields(a.Find(selector).Text()), " ")
}

// says fails where a text does not stand at a selector.
func (a reply) says(t *testing.T, selector, want string) {
	t.Helper()
	if got := a.text(selector); !strings.Contains(got, want) || want == "" && got != "" {
		t.Errorf("%s says %q, want %q", selector, got, want)
	}
}

func (a reply) count(t *testing.T, selector string, want int) {
	t.Helper()
	if got := a.Find(selector).Length(); got != want {
		t.Errorf("%s stands there %d times, want %d", selector, got, want)
	}
}

// form is what a form on the page would send.
func (a reply) form(selector string) url.Values {
	v := url.Values{}
	a.Find(selector).Find("input[name], textarea[name], select[name]").Each(func(_ int, s *goquery.Selection) {
		name, _ := s.Attr("name")
		_, disabled := s.Attr("disabled")
		switch kind, _ := s.Attr("type"); {
		case disabled || kind == "checkbox":
		case goquery.NodeName(s) == "textarea":
			v.Add(name, s.Text())
		case goquery.NodeName(s) == "select":
			value, _ := s.Find("option[selected]").Attr("value")
			v.Add(name, value)
		default:
			value, _ := s.Attr("value")
			v.Add(name, value)
		}
	})
	return v
}

func (d *desk) push(docs ...queue.Push) {
	d.t.Helper()
	results, err := d.engine.Push(d.t.Context(), "pages", docs, queue.Ignore)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, r := range results {
		if r.Outcome != "created" {
			d.t.Fatalf("push of %q: %s %s", r.Subject, r.Outcome, r.Detail)
		}
	}
}

// put brings a document into a state.
func (d *desk) put(subject string, status queue.Status) {
	d.t.Helper()
	p := queue.Push{Subject: subject, Payload: []byte(`{"n":1}`)}
	if status == queue.Planned {
		p.Next.At = time.Now().Add(time.Hour)
	}
	d.push(p)
	var err error
	switch status {
	case queue.Active:
		_, err = d.engine.Pick(d.t.Context(), "pages", queue.PickParams{Limit: 1, Worker: "worker-1"})
	case queue.Completed:
		_, err = d.engine.Act(d.t.Context(), "pages", []queue.Resolution{{Subject: subject, Action: "complete"}})
	case queue.Killed:
		_, err = d.engine.Act(d.t.Context(), "pages", []queue.Resolution{{Subject: subject, Action: "kill"}})
	case queue.Planned, queue.Pending:
	}
	if err != nil {
		d.t.Fatal(err)
	}
	if got := d.doc(subject).Status; got != status {
		d.t.Fatalf("%s is %s, want %s", subject, got, status)
	}
}

func (d *desk) doc(subject string) queue.Document {
	d.t.Helper()
	doc, err := d.engine.Doc(d.t.Context(), "pages", subject)
	if err != nil {
		d.t.Fatal(err)
	}
	return doc
}

// docAt is the page of a document, or one below it.
func docAt(subject string, below ...string) string {
	return strings.Join(append([]string{"/queues/pages/document"}, below...), "/") + "?subject=" + url.QueryEscape(subject)
}
