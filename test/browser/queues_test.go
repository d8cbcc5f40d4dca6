package browser_test

import (
	"strings"
	"testing"

	"github.com/fetchq/server/internal/auth"
)

func TestMakingAQueueInTheDialog(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.as(t, auth.RoleAdmin)
	p.allow("status of 422")
	p.visit("/queues")
	p.click("a", "Make the first queue")
	p.until("the name in focus", `document.activeElement.id === 'f-name' && document.getElementById('dialog').open`)
	p.write("Not A Name")
	p.click("button", "Make the queue")
	p.until("the wrong field in focus", `document.activeElement.matches('#f-name[aria-invalid="true"]')`)
	p.fill("#f-name", "pages")
	p.click("summary", "Settings")
	p.fill("#f-max_attempts", "0")
	p.click("button", "Make the queue")
	p.until("the setting that is wrong is shown", `document.querySelector('details[open] #f-max_attempts[aria-invalid="true"]')`)
	p.fill("#f-max_attempts", "7")
	p.click("button", "Make the queue")
	p.at("/queues/pages")
	p.see("Made the queue pages.")
	if got := s.api("GET", "/queues/pages", ""); !strings.Contains(got, `"max_attempts":7`) {
		t.Errorf("the queue is %s", got)
	}
}

func TestPausingSaysWhyAndCanBeUndone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.queue("pages", "a")
	p := s.as(t, auth.RoleOperator)
	p.allow("status of 422")
	p.visit("/queues/pages")
	p.click("a", "Pause…")
	p.fill("#f-reason", "the site asked us to")
	p.fill("#f-until", "soon")
	p.click("#dialog button", "Pause")
	p.there(`#f-until[aria-invalid="true"]`)
	p.fill("#f-until", "+2h")
	p.click("#dialog button", "Pause")
	p.see("Paused pages.", "the site asked us to", "nothing is handed out until ")
	if got := s.api("POST", "/queues/pages/pick", `{}`); strings.Contains(got, `"subject"`) {
		t.Errorf("a paused queue hands out %s", got)
	}
	p.click(".toast button", "Undo")
	p.see("Resumed pages.")
	p.gone("the site asked us to")

	p.click("a", "Pause…")
	p.click("#dialog button", "Pause")
	p.see("Paused pages.")
	p.click("[data-bar] button", "Resume")
	p.see("Resumed pages.", "Pause…")
	if got := s.api("POST", "/queues/pages/pick", `{}`); !strings.Contains(got, `"subject":"a"`) {
		t.Errorf("a resumed queue hands out %s", got)
	}
}

func TestPausingWhatIsSelected(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, name := range []string{"a", "b", "c", "d"} {
		s.queue(name)
	}
	p := s.as(t, auth.RoleOperator)
	p.visit("/queues?sort=name")
	if p.count("[data-selection]:not([hidden])") != 0 {
		t.Error("the actions stand there while nothing is selected")
	}
	p.click("#queue-a input[data-row]", "")
	get[bool](p, `(document.querySelector('#queue-c input[data-row]').dispatchEvent(new MouseEvent('click', { bubbles: true, shiftKey: true })), true)`)
	p.see("3 selected")
	p.click("[data-selection] button", "Pause…")
	p.see("Pause a, b, c")
	p.click("#dialog button", "Pause")
	p.see("Paused a, b, c.")
	if n := p.count(`.rows .status[data-status="paused"]`); n != 3 {
		t.Errorf("%d queues are paused; want 3", n)
	}
}

func TestDroppingAndEmptyingAskForTheName(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.queue("pages", "a", "b")
	p := s.as(t, auth.RoleAdmin)
	p.visit("/queues/pages/settings")
	p.click("a", "Remove all documents…")
	p.see("All 2 documents go")
	p.until("the button waits for the name", `document.querySelector('[data-confirmed]').disabled`)
	p.fill("#f-confirm", "pages")
	p.click("[data-confirmed]", "")
	p.see("Removed all documents of pages.")
	p.at("/queues/pages")

	p.click(".tabs-line a", "Settings")
	p.click("a", "Drop the queue…")
	p.fill("#f-confirm", "page")
	p.until("the button waits for the whole name", `document.querySelector('[data-confirmed]').disabled`)
	p.click("#dialog a", "Cancel")
	p.until("the dialog is closed", `!document.getElementById('dialog').open`)
	p.click("a", "Drop the queue…")
	p.fill("#f-confirm", "pages")
	p.click("[data-confirmed]", "")
	p.at("/queues")
	p.see("Dropped pages.", "No queues yet")
}

func TestSettingsAreSavedAndErrorsStandAtTheirFields(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.queue("pages")
	p := s.as(t, auth.RoleAdmin)
	p.allow("status of 422")
	p.visit("/queues/pages/settings")
	p.fill("#f-lock", "a while")
	p.fill("#f-max_active", "9")
	p.click("button", "Save the settings")
	p.there(`#f-lock[aria-invalid="true"]`)
	if got := get[string](p, `document.getElementById('f-max_active').value`); got != "9" {
		t.Errorf("after an error the other field holds %q", got)
	}
	for field, text := range map[string]string{"lock": "90s", "rate.picks": "100", "logs_retention": ""} {
		p.fill(`[id="f-`+field+`"]`, text)
	}
	p.choose(`[id="f-backoff.kind"]`, "fixed")
	p.click("button", "Save the settings")
	p.see("Saved the settings of pages.")
	got := s.api("GET", "/queues/pages", "")
	for _, want := range []string{`"lock":"1m30s"`, `"max_active":9`, `"picks":100`, `"logs_retention":null`, `"kind":"fixed"`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in %s", want, got)
		}
	}
}
