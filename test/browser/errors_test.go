package browser_test

import (
	"strings"
	"testing"

	"github.com/fetchq/server/internal/auth"
)

// TestAllThatAnErrorKilledIsRetriedFromItsGroup is the question "retry everything killed by this error": from the overview in two clicks to the
// group, then through the dialog to the operation.
func TestAllThatAnErrorKilledIsRetriedFromItsGroup(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.api("PUT", "/queues/pages", `{"max_attempts":1}`)
	s.documents("pages", 12, `{"n":%d}`, "a%d", "")
	for range 2 {
		s.work("pages", 4, `"action":"reject","message":"timeout after 3000 ms"`)
	}
	s.work("pages", 3, `"action":"reject","message":"HTTP 410 Gone: https://a.example/7"`)
	p := s.as(t, auth.RoleOperator)
	p.visit("/")
	p.press("g", "e")
	p.see("timeout after …", "HTTP … Gone: … [410]")
	p.click("#live td.message a", "timeout after …")
	p.see("How its documents stand now", "of 8 documents in all its lines")
	p.there(`[data-in="pages"] a[hx-get*="action=retry"]`)
	p.click(`[data-in="pages"] a`, "pages")
	p.see("of all 8 lines")
	if n := p.count(`[aria-label="Documents of the group"] tbody tr`); n != 8 {
		t.Errorf("%d documents stand on the page of the group", n)
	}
	p.click("a", "Retry all killed…")
	p.until("the dialog", `document.querySelector('#dialog[open] h1')`)
	p.see("8 documents match in pages: killed, last error in the group")
	p.click("#dialog button", "Retry 8 documents")
	p.see("Started: Retry in pages.", "done", "100 %")
	if got := s.api("GET", "/queues/pages", ""); !strings.Contains(got, `"pending":9`) || !strings.Contains(got, `"killed":3`) {
		t.Error(got)
	}
}

// TestNewErrorsComeOntoThePagesByThemselves: onto the groups, onto one of them, and as a live tail onto the lines.
func TestNewErrorsComeOntoThePagesByThemselves(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.api("PUT", "/queues/pages", `{}`)
	s.documents("pages", 20, `{"n":%d}`, "a%d", "")
	s.fail("pages", "timeout after 1 ms")
	p := s.as(t, auth.RoleViewer)
	for path, said := range map[string]string{
		"/errors?within=1h": "no such host", "/queues/pages/errors": "the disk is full", "/queues/pages/errors?show=lines": "connection reset", "/errors?show=lines": "the page is empty",
	} {
		p.visit(path)
		p.see("timeout after")
		p.mark()
		s.fail("pages", said)
		p.see(said)
		p.stillMarked()
	}
	p.visit("/queues/pages/errors")
	p.click("td.message a", "timeout after …")
	p.until("the group", `document.querySelector('[data-tile="Errors"] dd').textContent === '1'`)
	p.mark()
	s.fail("pages", "timeout after 2 ms")
	p.until("the second error", `document.querySelector('[data-tile="Errors"] dd').textContent === '2'`)
	p.see("timeout after 2 ms")
	p.stillMarked()
	if p.count(`[data-standings] a[hx-get]`) != 0 {
		t.Error("a viewer is offered what he may not do")
	}
}
