package browser_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/fetchq/server/internal/auth"
)

// TestAWorkerIsFoundReleasedAndAskedToGoQuietByKeyboard goes from the overview to the list, to a worker, and to what it holds.
func TestAWorkerIsFoundReleasedAndAskedToGoQuietByKeyboard(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.queue("pages", "https://a.example/1", "https://a.example/2", "https://a.example/3")
	s.api("POST", "/queues/pages/pick", `{"worker":"host-7","limit":2,"lock":"10m"}`)
	s.api("POST", "/queues/pages/pick", `{"worker":"host-8","version":9}`)
	p := s.as(t, auth.RoleOperator)
	p.visit("/")
	p.press("g", "w")
	p.at("/workers")
	p.there(`tr[data-worker="host-7"] [data-status="working"]`)
	p.there(`tr[data-worker="host-8"] [data-status="waiting"]`)

	// Another worker comes while the page looks.
	p.mark()
	s.api("POST", "/queues/pages/pick", `{"worker":"host-9","lock":"10m"}`)
	p.there(`tr[data-worker="host-9"] [data-status="working"]`)
	p.stillMarked()

	// Two are selected by keyboard, asked to go quiet, and the undo wakes them.
	p.press("j", "x", "j", "x")
	p.see("2 selected", "Ask to go quiet (2)…")
	p.there(`.selection [data-counts="quiet"][disabled][title="none that is selected is quiet"]`)
	p.tabTo(`.selection button`)
	p.press(kb.Enter)
	p.until("the dialog", `document.querySelector('#dialog[open] h1')?.textContent === 'Ask 2 workers to go quiet'`)
	p.tabTo("#dialog button")
	p.press(kb.Enter)
	p.see("Asked to go quiet: ")
	p.until("two are quiet", `document.querySelectorAll('tr[data-worker] [data-status="quiet"]').length === 2`)
	p.tabTo(".toast form button")
	p.press(kb.Enter)
	p.see("Woken: ")
	p.until("none is quiet", `document.querySelectorAll('tr[data-worker] [data-status="quiet"]').length === 0`)

	p.tabTo(`a[href="/worker?name=host-7"]`)
	p.press(kb.Enter)
	p.at("/worker?name=host-7")
	p.see("Holds of pages", "https://a.example/1", "https://a.example/2")
	p.tabTo(`input[data-row]`)
	p.press(" ")
	p.see("1 selected")
	p.tabTo(".selection button")
	p.press(kb.Enter)
	p.see("Release 1 document", "held by host-7: https://a.example/")
	p.tabTo(`#dialog-body form footer button`)
	p.press(kb.Enter)
	p.see("Released 1 document.")
	p.until("one is left", `document.querySelectorAll('form[action="/workers/release/ask"] tbody tr').length === 1`)
	p.tabTo(`form[action="/workers/quiet"] button`)
	p.press(kb.Enter)
	p.see("Asked to go quiet: host-7.", "asked it to go quiet")
	if picked := s.api("POST", "/queues/pages/pick", `{"worker":"host-7"}`); !strings.Contains(picked, `"documents":[]`) || !strings.Contains(picked, `"quiet":true`) {
		t.Errorf("its pick is answered %s", picked)
	}
	p.tabTo(`form[action="/workers/wake"] button`)
	p.press(kb.Enter)
	p.see("Woken: host-7.")
	if picked := s.api("POST", "/queues/pages/pick", `{"worker":"host-7"}`); !strings.Contains(picked, "https://a.example/") {
		t.Errorf("its pick is answered %s", picked)
	}

	// Who holds a document, and for how long still, is two clicks away from it.
	p.visit(documentPath("pages", "https://a.example/2"))
	p.see("host-7")
	p.press("/", "host-9", kb.Enter)
	p.see("Workers", "host-9")
	p.click(`a[href="/worker?name=host-9"]`, "")
	p.at("/worker?name=host-9")
}
