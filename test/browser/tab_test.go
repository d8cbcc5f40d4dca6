package browser_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/fetchq/server/internal/auth"
)

const (
	patience  = 15 * time.Second      // for what a person would wait for
	pollEvery = 20 * time.Millisecond // between two looks at a page
)

// tab is a tab of the browser.
type tab struct {
	t    *testing.T
	site *site
	ctx  context.Context
	said *complaints
}

// complaints are what a page may not say: errors, exceptions, and reports of its Content-Security-Policy.
type complaints struct {
	mu      sync.Mutex
	list    []string
	allowed []string
}

func (c *complaints) add(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, fmt.Sprintf(format, args...))
}

// rest are those that no test has asked for.
func (c *complaints) rest() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var rest []string
next:
	for _, said := range c.list {
		for _, part := range c.allowed {
			if strings.Contains(said, part) {
				continue next
			}
		}
		rest = append(rest, said)
	}
	return rest
}

// hear is called for each event of a tab, in their order.
func (c *complaints) hear(event any) {
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning || e.Entry.Source == log.EntrySourceSecurity {
			c.add("%s %s: %s (%s)", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL)
		}
	case *runtime.EventExceptionThrown:
		c.add("exception: %s %s", e.ExceptionDetails.Text, thrown(e.ExceptionDetails))
	case *runtime.EventConsoleAPICalled:
		if e.Type == "error" || e.Type == "warning" || e.Type == "assert" {
			var words []string
			for _, a := range e.Args {
				words = append(words, string(a.Value))
			}
			c.add("console.%s: %s", e.Type, strings.Join(words, " "))
		}
	}
}

func thrown(d *runtime.ExceptionDetails) string {
	if d.Exception != nil && d.Exception.Description != "" {
		return d.Exception.Description
	}
	return ""
}

// watchPolicy runs before any script of a page. A report would otherwise be seen only where something listens.
const watchPolicy = `addEventListener('securitypolicyviolation', (e) => console.error('policy: ' + e.violatedDirective + ' ' + e.blockedURI + ' ' + e.sample))`

// open opens a tab that nobody is signed in to, in a browser context of its own.
func (s *site) open(t *testing.T) *tab {
	t.Helper()
	browser, err := chromium()
	if err != nil {
		t.Fatal(err)
	}
	return s.tabIn(browser, t, chromedp.WithNewBrowserContext())
}

// as opens a tab in which a new user of a role is signed in.
func (s *site) as(t *testing.T, role auth.Role) *tab {
	t.Helper()
	return s.of(t, s.user(fmt.Sprintf("%s-%d@example.org", role, time.Now().UnixNano()), strings.ToUpper(string(role[:1]))+string(role[1:]), role))
}

// of opens a tab in which a user is signed in.
func (s *site) of(t *testing.T, user auth.User) *tab {
	t.Helper()
	p := s.open(t)
	p.cookie(auth.SessionName, s.session(user, firefox).Value)
	return p
}

// another opens a further tab of the same browser.
func (p *tab) another() *tab {
	p.t.Helper()
	return p.site.tabIn(p.ctx, p.t)
}

func (s *site) tabIn(parent context.Context, t *testing.T, opts ...chromedp.ContextOption) *tab {
	t.Helper()
	said := &complaints{}
	ctx, cancel := chromedp.NewContext(parent, append(opts, chromedp.WithListener(said.hear))...)
	p := &tab{t: t, site: s, ctx: ctx, said: said}
	t.Cleanup(func() {
		if t.Failed() {
			p.keepPicture()
		}
		cancel()
		for _, line := range said.rest() {
			t.Errorf("the page said: %s", line)
		}
	})
	if err := chromedp.Do(ctx); err != nil { // the tab lives as long as the context of the first call
		t.Fatalf("open a tab: %v", err)
	}
	p.do(chromedp.EmulateViewport(1280, 900))
	call(p, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: watchPolicy})
	return p
}

// allow lets a page say what contains one of these texts: what a test brings about on purpose.
func (p *tab) allow(texts ...string) {
	p.said.mu.Lock()
	defer p.said.mu.Unlock()
	p.said.allowed = append(p.said.allowed, texts...)
}

// keepPicture writes what a failed test saw last.
func (p *tab) keepPicture() {
	dir := filepath.Join(root, "tmp", "browser")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot()); err == nil {
		name := filepath.Join(dir, strings.ReplaceAll(p.t.Name(), "/", "-")+".png")
		_ = os.WriteFile(name, picture, 0o644) //nolint:gosec // a picture for people
		p.t.Logf("what the tab showed last: %s", name)
	}
}

// do runs steps, and wants each to end in good time.
func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	for _, step := range steps {
		ctx, cancel := context.WithTimeout(p.ctx, 2*patience)
		err := chromedp.Do(ctx, step)
		cancel()
		if err != nil {
			p.t.Fatalf("%v, at %s", err, p.where())
		}
	}
}

func (p *tab) cookie(name, text string) {
	p.t.Helper()
	call(p, network.SetCookie, network.SetCookieParams{Name: name, Value: text, URL: p.site.url})
}

// where says where the tab is, and what it shows.
func (p *tab) where() string {
	text, _ := eval[string](p, `location.href + '\n' + (document.body?.innerText ?? '').slice(0, 1500)`)
	return text
}

// eval evaluates an expression in the page. An error may mean that the page is just being left.
func eval[T any](p *tab, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// get is eval that wants success.
func get[T any](p *tab, expression string) T {
	p.t.Helper()
	v, err := eval[T](p, expression)
	if err != nil {
		p.t.Fatalf("%s: %v, at %s", expression, err, p.where())
	}
	return v
}

func quote(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}
