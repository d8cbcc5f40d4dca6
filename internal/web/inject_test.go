package web_test

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/queue"
)

// injected are texts that mean something to SQL, to its patterns and formats, and bytes that are no text of Postgres.
var injected = []string{`x'"; drop schema fetchq cascade; --\$1$$%_%I{}`, "x\x00\xff\xed\xa0\x80"}

// crawl follows the links of pages, and notes each address and each form once: by its path and the names of its fields.
type crawl struct {
	t     *testing.T
	s     *site
	b     *siteBrowser
	admin auth.User
	seen  map[string]bool
	left  []string // addresses to look at
	sent  int
}

// once says whether something is met for the first time.
func (c *crawl) once(kind, path string, fields url.Values) bool {
	key := kind + " " + path + " " + strings.Join(slices.Sorted(maps.Keys(fields)), " ")
	was := c.seen[key]
	c.seen[key] = true
	return !was
}

// ask wants an answer that is none of a failure.
func (c *crawl) ask(method, path string, form url.Values) *sitePage {
	c.t.Helper()
	c.sent++
	p := c.b.ask(method, path, form, "Sec-Fetch-Site", "same-origin", "Origin", c.b.url)
	if p.status >= http.StatusInternalServerError || strings.Contains(p.body, "SQLSTATE") {
		c.t.Errorf("%s %s %v: %d %.300s", method, path, form, p.status, p.says("main"))
	}
	if p.status == http.StatusSeeOther && strings.HasPrefix(p.to(), "/login") {
		c.b = c.s.enter(c.admin) // it ended its own session
	}
	return p
}

// page looks at a page, and asks for it with a hostile text in each of its parameters.
func (c *crawl) page(address string) {
	u, err := url.Parse(address)
	if err != nil || strings.HasPrefix(u.Path, "/static") || strings.HasPrefix(u.Path, "/api/") || strings.HasSuffix(u.Path, "/events") || !c.once("page", u.Path, u.Query()) {
		return
	}
	p := c.ask(http.MethodGet, address, nil)
	for key := range u.Query() {
		for _, text := range injected {
			q := u.Query()
			q.Set(key, text)
			c.ask(http.MethodGet, u.Path+"?"+q.Encode(), nil)
		}
	}
	p.Find("[href^='/'], [hx-get^='/']").Each(func(_ int, found *goquery.Selection) {
		c.left = append(c.left, found.AttrOr("href", found.AttrOr("hx-get", "")))
	})
	p.Find("form").Each(func(_ int, form *goquery.Selection) { c.form(u, form) })
}

// form sends a form with a hostile text in each of its fields; the others are as they stand in the page.
func (c *crawl) form(page *url.URL, form *goquery.Selection) {
	method, action, fields := strings.ToUpper(form.AttrOr("method", http.MethodGet)), form.AttrOr("action", page.Path), url.Values{}
	form.Find("[name]").Each(func(_ int, field *goquery.Selection) {
		fields.Set(field.AttrOr("name", ""), field.AttrOr("value", field.Text()))
	})
	if action == "/logout" || !c.once(method, action, fields) {
		return
	}
	for name := range fields {
		for _, text := range injected {
			sent := maps.Clone(fields)
			sent[name] = []string{text}
			if method == http.MethodGet {
				c.ask(method, action+"?"+sent.Encode(), nil)
			} else {
				c.ask(method, action, sent)
			}
		}
	}
}

// TestNoTextOfAnAddressOrAFormIsReadAsSQL sends hostile texts in each part of a path, each parameter of a link and each field of a form
// that an admin finds by following links.
func TestNoTextOfAnAddressOrAFormIsReadAsSQL(t *testing.T) {
	if testing.Short() {
		t.Skip("hundreds of requests")
	}
	t.Parallel()
	s, who, paths := permissionSite(t)
	ctx := t.Context()
	picked, err := s.engine.Pick(ctx, "pages", queue.PickParams{Worker: "host-1"})
	if err != nil || len(picked.Documents) != 1 {
		t.Fatalf("%+v, %v", picked, err)
	}
	if _, err := s.engine.Push(ctx, "pages", []queue.Push{{Subject: "y", Payload: []byte(`{"a":{"b":[1]}}`)}}, queue.Ignore); err != nil {
		t.Fatal(err)
	}
	if err := s.engine.AddLogs(ctx, "pages", "host-1", []queue.NewLog{{Subject: "y", Message: "it failed"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.engine.WriteCrew(ctx); err != nil { // the worker has a page then
		t.Fatal(err)
	}
	c := &crawl{t: t, s: s, b: s.enter(who["admin"]), admin: who["admin"], seen: map[string]bool{}}
	for _, r := range s.pages.Routes() {
		if strings.HasPrefix(r.Path, "/static") || strings.HasSuffix(r.Path, "/events") {
			continue
		}
		if r.Method == http.MethodGet {
			c.left = append(c.left, paths.fill(r.Path)+"?subject=y")
		}
		for _, name := range parameter.FindAllString(r.Path, -1) {
			for _, text := range injected {
				path := paths.fill(strings.Replace(r.Path, name, url.PathEscape(text), 1))
				c.ask(r.Method, path, url.Values{})
			}
		}
	}
	for n := 0; len(c.left) > 0; n++ {
		next := c.left[0]
		c.left = c.left[1:]
		c.page(next)
	}
	if c.sent < 500 {
		t.Errorf("only %d requests were made", c.sent)
	}
	t.Logf("%d requests", c.sent)
	for line := range strings.Lines(s.log.String()) {
		if strings.Contains(line, "SQLSTATE 42") {
			t.Errorf("Postgres did not understand a statement: %s", line)
		}
	}
	if _, err := s.engine.Get(ctx, "pages"); err != nil {
		t.Errorf("the queue did not outlive it: %v", err)
	}
}
