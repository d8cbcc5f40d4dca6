package browser_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/fetchq/server/internal/auth"
)

// TestDocumentsByKeyboard filters a list, chooses its columns, saves it, goes through its documents, and takes the filter away, without a mouse.
func TestDocumentsByKeyboard(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.api("PUT", "/queues/pages", `{}`)
	s.documents("pages", 30, `{"meta":{"host":"h%d.example"},"all":true}`, "a%02d", "")
	p := s.as(t, auth.RoleOperator)
	p.visit("/queues/pages/documents")
	p.there(`#refresh[data-state="live"]`)
	p.tabTo(`.filters [name="payload"]`)
	p.press("meta.host = h7.example", kb.Enter)
	p.at("/queues/pages/documents?subject_prefix=&payload=meta.host+%3D+h7.example&version=&priority=&attempts_min=&worker=&created_after=&created_before=")
	p.see("1 document", "a07")
	p.gone("a08")

	p.tabTo(`[popovertarget="columns-menu"]`)
	p.press(kb.Enter)
	p.there("#columns-menu:popover-open")
	p.tabTo(`#columns-menu [name="paths"]`)
	p.press("meta.host", kb.Enter)
	p.until("the column", `document.querySelector('td[data-label="/meta/host"]')?.innerText.includes('h7.example')`)

	p.tabTo(`[data-chip="payload"]`)
	p.press(kb.Enter)
	p.see("30 documents")
	p.tabTo(`[popovertarget="views-menu"]`)
	p.press(kb.Enter)
	p.there("#views-menu:popover-open")
	p.tabTo(`#views-menu a[href*="/views/new"]`)
	p.press(kb.Enter)
	p.until("the name in focus", `document.activeElement.id === 'f-name'`)
	p.press("Hosts", kb.Enter)
	p.see("Saved the view Hosts.")

	p.press("j", "j")
	p.until("the second row in focus", `document.activeElement.closest('tr')?.id === 'd-a01'`)
	p.tabTo(`#d-a01 .subject a, #d-a02 .subject a`)
	p.press(kb.Enter)
	p.there(`nav[aria-label="Beside it in the list"]`)
	first := p.text("#subject")
	p.tabTo(`a[data-page="next"]`)
	p.press(kb.Enter)
	p.until("the next document", fmt.Sprintf(`document.getElementById('subject').innerText !== %s`, quote(first)))
	p.tabTo(`a[data-page="prev"]`)
	p.press(kb.Enter)
	p.until("the document before", fmt.Sprintf(`document.getElementById('subject').innerText === %s`, quote(first)))
	p.tabTo(`nav[aria-label="Beside it in the list"] a`)
	p.press(kb.Enter)
	p.until("the list with its columns", `document.querySelector('td[data-label="/meta/host"]')`)
}

func TestWhatAnOperationDidIsUndone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.api("PUT", "/queues/pages", `{}`)
	s.documents("pages", 30, `{"n":%d}`, "a%02d", "")
	p := s.as(t, auth.RoleOperator)
	p.visit("/queues/pages/documents?status=pending")
	p.click(`[popovertarget="bulk-menu"]`, "")
	p.click(`[data-bulk="Kill"]`, "")
	p.until("the dialog", `document.querySelector('#dialog[open] h1')`)
	p.click("#dialog button", "Kill 30 documents")
	p.see("Started: Kill in pages.", "done", "100 %")
	p.click("a", "Undo…")
	p.see("30 documents get back what they had")
	p.click("#dialog button", "Undo it")
	p.see("Started: undo of Kill in pages.", "done", "100 %")
	if got := p.text(`[data-tile="Done"] dd`); got != "30" {
		t.Errorf("%s are put back", got)
	}
}

func TestAListIsGotAsAFile(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.api("PUT", "/queues/pages", `{}`)
	s.documents("pages", 30, `{"n":%d}`, "a%02d", "")
	p := s.as(t, auth.RoleViewer)
	p.visit("/queues/pages/documents?subject_prefix=a1")
	p.click(`[popovertarget="export-menu"]`, "")
	p.there("#export-menu:popover-open")
	p.until("ten lines", `(window.file ??= (fetch(document.querySelector('#export-menu a').href).then((r) => r.text()).then((text) => (window.lines = text.trim().split('\n').length)), true)) && window.lines === 10`)
}
