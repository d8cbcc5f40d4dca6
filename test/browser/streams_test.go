package browser_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"

	"github.com/fetchq/server/internal/auth"
)

// counter stands between browser and program and counts what is asked for.
type counter struct {
	mu      sync.Mutex
	streams int            // that are open
	most    int            // that were open at once
	asked   map[string]int // by path
}

// counted leads everything that the site's tabs ask for through a counter.
func (s *site) counted() *counter {
	s.t.Helper()
	target, err := url.Parse(s.url)
	if err != nil {
		s.t.Fatal(err)
	}
	n := &counter{asked: map[string]int{}}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host // the origin of the pages
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.begin(r.URL.Path)
		defer n.end(r.URL.Path)
		proxy.ServeHTTP(w, r)
	}))
	s.t.Cleanup(server.CloseClientConnections)
	s.url = server.URL
	return n
}

const events = "/events"

func (n *counter) begin(path string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked[path]++
	if path == events {
		n.streams++
		n.most = max(n.most, n.streams)
	}
}

func (n *counter) end(path string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if path == events {
		n.streams--
	}
}

func (n *counter) get() (streams, most int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.streams, n.most
}

// open waits until so many streams are open.
func (n *counter) open(t *testing.T, want int) {
	t.Helper()
	var got int
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(pollEvery) {
		if got, _ = n.get(); got == want {
			return
		}
	}
	t.Fatalf("%d streams are open; want %d", got, want)
}

// TestSixTabsOfOneBrowserShareAStream wants many tabs to stay usable: HTTP/1.1 allows six connections to a host.
func TestSixTabsOfOneBrowserShareAStream(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.queue("pages")
	n := s.counted()
	tabs := []*tab{s.as(t, auth.RoleViewer)}
	for len(tabs) < 7 {
		tabs = append(tabs, tabs[0].another())
	}
	for _, p := range tabs {
		p.visit("/queues/pages")
	}
	n.open(t, 1)
	for i := range 3 {
		s.push("pages", strconv.Itoa(i))
		for _, p := range tabs {
			p.until("the number of documents", pendingTile+` === `+quote(strconv.Itoa(i+1)))
		}
	}
	for _, p := range tabs {
		p.click(".tabs-line a", "Settings")
		p.see("An admin can change them.")
	}
	// A page is left before the next one comes, so that two may be open for a moment.
	if _, most := n.get(); most > 2 {
		t.Errorf("%d streams were open at once", most)
	}
}

// TestHiddenTabsHoldNoStream hides a tab, and shows it again after something has changed.
func TestHiddenTabsHoldNoStream(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.queue("pages")
	n := s.counted()
	p := s.as(t, auth.RoleViewer)
	p.visit("/queues/pages")
	n.open(t, 1)
	p.mark()
	p.window(browser.WindowStateMinimized)
	p.until("hidden", `document.hidden`)
	n.open(t, 0)
	s.push("pages", "a")
	p.window(browser.WindowStateNormal)
	p.until("shown", `!document.hidden`)
	n.open(t, 1)
	p.until("1 pending", pendingTile+` === '1'`)
	p.stillMarked()
}

// window makes the window of a tab small, or shows it again.
func (p *tab) window(state browser.WindowState) {
	p.t.Helper()
	at, err := chromedp.CallBrowser(p.ctx, browser.GetWindowForTarget, browser.GetWindowForTargetParams{TargetID: chromedp.FromContext(p.ctx).Target.TargetID})
	if err == nil {
		_, err = chromedp.CallBrowser[browser.SetWindowBoundsParams, cdp.Empty](p.ctx, browser.SetWindowBounds, browser.SetWindowBoundsParams{WindowID: at.WindowID, Bounds: &browser.Bounds{WindowState: state}})
	}
	if err != nil {
		p.t.Fatal(err)
	}
}
