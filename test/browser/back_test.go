package browser_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/fetchq/server/internal/auth"
)

// TestBackRestoresFilterAndScroll leaves a long, filtered, sorted list, and comes back to it.
func TestBackRestoresFilterAndScroll(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for i := range 45 {
		s.queue(fmt.Sprintf("pages_%02d", i))
	}
	s.queue("other")
	p := s.as(t, auth.RoleViewer)
	p.visit("/queues")
	p.fill(`.filters [name="q"]`, "PAGES")
	p.click(".filters button", "Filter")
	p.until("the filter in the address", `new URLSearchParams(location.search).get('q') === 'PAGES'`)
	p.gone("other")
	p.click("th a", "Queue")
	p.until("the order", `document.querySelector('th[aria-sort="descending"]') && document.readyState === 'complete'`)
	path := p.path()
	p.click("#queue-pages_03 a", "pages_03")
	p.at("/queues/pages_03")
	get[bool](p, `(setTimeout(() => history.back()), true)`) // after the answer: the way back may end this page before it
	p.at(path)
	p.until("the filter in its field", `document.querySelector('.filters [name="q"]').value === 'PAGES'`)
	p.until("the row in sight", `(() => { const r = document.querySelector('#queue-pages_03').getBoundingClientRect(); return r.top >= 0 && r.bottom <= innerHeight; })()`)
	p.until("scrolled", `window.scrollY > 200`)
	get[bool](p, `(setTimeout(() => history.forward()), true)`) // after the answer: the way back may end this page before it
	p.at("/queues/pages_03")
}

// TestTheThemeIsTheSystemsUntilOneIsChosen, and then remembered, before the page is drawn.
func TestTheThemeIsTheSystemsUntilOneIsChosen(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.as(t, auth.RoleViewer)
	prefer := func(scheme string) {
		t.Helper()
		call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
	}
	dark := func(want bool) {
		t.Helper()
		p.until("the theme", quote(want)+` === document.documentElement.classList.contains('dark')`)
	}
	prefer("dark")
	p.visit("/")
	dark(true)
	prefer("light")
	dark(false) // at once
	p.click(`[popovertarget="user-menu"]`, "")
	p.click("#user-menu button", "Dark")
	dark(true)
	p.do(chromedp.Reload())
	dark(true)
	if got := get[string](p, `document.querySelector('#user-menu [aria-checked="true"]').textContent.trim()`); got != "Dark" {
		t.Errorf("the menu says %q", got)
	}
	p.click(`[popovertarget="user-menu"]`, "")
	p.click("#user-menu button", "Theme of the system")
	dark(false)

	p.click("[data-fold]", "")
	p.do(chromedp.Reload())
	p.there(`html[data-rail="folded"]`)
}
