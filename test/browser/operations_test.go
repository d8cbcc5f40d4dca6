package browser_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fetchq/server/internal/auth"
)

// TestAllThatMatchAreRetriedWhileThePageLooks goes from the list through the dialog to the page of the operation, which sees its end by itself.
func TestAllThatMatchAreRetriedWhileThePageLooks(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.api("PUT", "/queues/pages", `{}`)
	s.documents("pages", 30, `{"n":%d}`, "a%d", "")
	s.work("pages", 20, `"action":"kill"`)
	p := s.as(t, auth.RoleOperator)
	p.visit("/queues/pages/documents?status=killed")
	p.click(`[popovertarget="bulk-menu"]`, "")
	p.click(`[data-bulk="Retry"]`, "")
	p.until("the dialog", `document.querySelector('#dialog[open] h1')`)
	p.see("20 documents match in pages: killed.")
	p.fill("#f-message", "the site is back")
	p.click("#dialog button", "Retry 20 documents")
	p.see("Started: Retry in pages.", "done", "100 %")
	if got := p.text(`[data-tile="Done"] dd`); got != "20" {
		t.Errorf("%s are done", got)
	}
	if got := s.api("GET", "/queues/pages", ""); !strings.Contains(got, `"pending":30`) {
		t.Error(got)
	}
	p.click(`.rail a[href="/operations"]`, "")
	p.at("/operations")
	p.see("Retry", "killed", "100 %")
}

func TestAFileIsImportedInTheDialog(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.queue("pages", "a")
	p := s.as(t, auth.RoleOperator)
	p.allow("status of 422")
	p.visit("/queues/pages/documents")
	p.click("a", "Import…")
	p.until("the dialog", `document.querySelector('#dialog[open] #f-file')`)
	file := func(name, text string) {
		get[bool](p, fmt.Sprintf(`(() => { const d = new DataTransfer(); d.items.add(new File([%s], %s)); document.getElementById('f-file').files = d.files; return true; })()`,
			quote(text), quote(name)))
		p.click("#dialog button", "Import")
	}
	get[bool](p, `(() => { const d = new DataTransfer(); d.items.add(new File(['subject,priority\na,1\nc,x\n'], 'seen.csv')); const f = document.getElementById('f-file'); f.files = d.files; f.dispatchEvent(new Event('change', { bubbles: true })); return true; })()`)
	p.see("Of the first 2 documents 1 cannot be imported", "priority must be a whole number")
	file("list.csv", "colour\nred\n")
	p.there(`#f-file[aria-invalid="true"]`)
	file("list.csv", "subject,priority\na,1\nb,2\nc,x\n")
	p.see("The file is stored", "done", "What went wrong")
	for tile, want := range map[string]string{"Created": "1", "Left alone": "1", "Failed": "1"} {
		if got := p.text(`[data-tile="` + tile + `"] dd`); got != want {
			t.Errorf("%s: %s, want %s", tile, got, want)
		}
	}
}
