package browser_test

import (
	"testing"

	"github.com/chromedp/cdproto/emulation"

	"github.com/fetchq/server/internal/auth"
)

// scriptsOff keeps the pages of a tab from running scripts; what the test asks of them still runs.
func (p *tab) scriptsOff() {
	p.t.Helper()
	call(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
}

// TestEveryPageCanBeReadWithoutScripts goes through what can be done with scripts off: reading, and single actions.
func TestEveryPageCanBeReadWithoutScripts(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.as(t, auth.RoleAdmin)
	p.allow("status of 422")
	p.scriptsOff()
	p.visit("/")
	p.click("a", "Make the first queue")
	p.at("/queues/new")
	p.fill("#f-name", "1")
	p.click("button", "Make the queue")
	p.there(`#f-name[aria-invalid="true"]`)
	p.fill("#f-name", "pages")
	p.click("button", "Make the queue")
	p.at("/queues/pages")
	p.see("Made the queue pages.")
	s.push("pages", "a")
	p.visit("/queues/pages")
	if got := get[string](p, pendingTile); got != "1" {
		t.Errorf("%s are pending; want 1", got)
	}
	p.click("[data-bar] a", "Pause…")
	p.fill("#f-reason", "night")
	p.click("button", "Pause")
	p.at("/queues/pages")
	p.see("Paused pages.", "night")
	p.click("[data-bar] button", "Resume")
	p.see("Resumed pages.")

	p.visit("/queues")
	p.click("#queue-pages button", "Star")
	p.there(`#queue-pages button[aria-pressed="true"]`)
	p.click("#queue-pages input[data-row]", "")
	p.click("[data-selection] button", "Pause…")
	p.see("Pause pages")
	p.click("main a", "Cancel")
	p.at("/queues")

	p.click(`[popovertarget="user-menu"]`, "")
	p.click("#user-menu button", "Dark")
	p.there("html.dark")
	p.visit("/queues/pages/drop")
	p.fill("#f-confirm", "pages")
	p.click("button", "Drop the queue")
	p.at("/queues")
	p.see("Dropped pages.")
}
