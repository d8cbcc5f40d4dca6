package browser_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/fetchq/server/internal/auth"
)

// tabTo presses Tab until an element that matches has the focus, and wants that to be visible each time.
func (p *tab) tabTo(selector string) {
	p.t.Helper()
	for range 80 {
		p.press(kb.Tab)
		if get[bool](p, `document.activeElement.matches(`+quote(selector)+`)`) {
			p.focusShows()
			return
		}
	}
	p.t.Fatalf("80 presses of Tab do not lead to %s, at %s", selector, p.where())
}

// focusShows wants what has the focus to be in sight and marked.
func (p *tab) focusShows() {
	p.t.Helper()
	wrong := get[string](p, `(() => {
		const el = document.activeElement, style = getComputedStyle(el), box = el.getBoundingClientRect();
		const marked = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0 || style.boxShadow !== 'none';
		const top = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
		return !marked ? 'not marked' : !el.contains(top) ? 'not in sight' : '';
	})()`)
	if wrong != "" {
		p.t.Errorf("the focus is %s on %s", wrong, get[string](p, `document.activeElement.outerHTML.slice(0, 200)`))
	}
}

// TestEverythingByKeyboard signs in, makes a queue, pauses it and drops it, without a mouse.
func TestEverythingByKeyboard(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	user := s.user("ann@example.org", "Ann", auth.RoleAdmin)
	link, err := s.users.Link(t.Context(), user.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.users.UseLink(t.Context(), link, password); err != nil {
		t.Fatal(err)
	}
	s.queue("other")
	p := s.open(t)
	p.visit("/login")
	p.until("the first field in focus", `document.activeElement.id === 'f-email'`)
	p.press("ann@example.org", kb.Tab, password, kb.Enter)
	p.at("/")

	p.press(kb.Tab)
	p.until("the link that skips the frame", `document.activeElement.matches('.skip')`)
	p.press(kb.Enter)
	p.until("the content in focus", `document.activeElement.id === 'main'`)
	p.tabTo(`a[href="/queues/new"]`)
	p.press(kb.Enter)
	p.until("the name in focus", `document.activeElement.id === 'f-name'`)
	p.press("pages", kb.Enter)
	p.at("/queues/pages")
	p.see("Made the queue pages.")

	p.tabTo(`[data-bar] a`)
	p.press(kb.Enter)
	p.until("the reason in focus", `document.activeElement.id === 'f-reason'`)
	p.press(kb.Escape)
	p.until("the dialog is closed and the focus back", `!document.getElementById('dialog').open && document.activeElement.matches('[data-bar] a')`)
	p.press(kb.Enter)
	p.until("the reason in focus", `document.activeElement.id === 'f-reason'`)
	p.press("for the night", kb.Enter)
	p.see("Paused pages.", "for the night")
	p.tabTo(".toast form button")
	p.press(kb.Enter)
	p.see("Resumed pages.")

	p.tabTo(`.tabs-line a[href="/queues/pages/settings"]`)
	p.press(kb.Enter)
	p.at("/queues/pages/settings")
	p.tabTo(`a[href="/queues/pages/drop"]`)
	p.press(kb.Enter)
	p.until("the name in focus", `document.activeElement.id === 'f-confirm'`)
	p.press("pages", kb.Enter)
	p.at("/queues")
	p.see("Dropped pages.")
}

// TestKeysOfTheSheet presses each key that the sheet of keys lists.
func TestKeysOfTheSheet(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, name := range []string{"a", "b", "c"} {
		s.queue(name)
	}
	p := s.as(t, auth.RoleAdmin)
	p.visit("/")
	p.press("g", "q")
	p.at("/queues")
	p.there(`#refresh[data-state="live"]`)
	p.press("j", "j", "k", "j")
	p.until("the second row in focus", `document.activeElement.closest('tr')?.id === 'queue-b'`)
	p.focusShows()
	p.press("x")
	p.until("the row is selected", `document.querySelector('#queue-b input[data-row]').checked`)
	p.see("1 selected")
	p.press("x")
	p.until("the row is not selected", `!document.querySelector('#queue-b input[data-row]').checked`)
	s.as(t, auth.RoleViewer)
	for _, path := range []string{"/team", "/team?tab=sessions"} {
		p.visit(path)
		for _, step := range []struct {
			key string
			row int
		}{{"j", 0}, {"j", 1}, {"k", 0}} {
			p.press(step.key)
			p.until(path+": a row in focus after "+step.key, fmt.Sprintf(
				`document.querySelectorAll('.page .rows tbody tr')[%d]?.contains(document.activeElement)`, step.row))
			p.focusShows()
		}
	}
	p.visit("/queues")
	p.press("/")
	p.until("the search in focus", `document.activeElement.id === 'search'`)
	p.press("q", "t", "?")
	if got := get[string](p, `document.getElementById('search').value`); got != "qt?" {
		t.Errorf("what is typed into the search is %q", got)
	}
	p.press(kb.Escape)
	p.until("the search left", `document.activeElement.id !== 'search'`)

	dark := func(want bool) {
		t.Helper()
		p.until("the theme", quote(want)+` === document.documentElement.classList.contains('dark')`)
	}
	dark(false)
	p.press("t", "t") // the system's, light, dark
	dark(true)
	p.visit("/")
	dark(true)
	p.press("t")
	dark(false)

	p.press("?")
	p.until("the sheet is open", `document.getElementById('keys').open`)
	p.see("this sheet")
	p.press("g", "q") // nothing, while it is open
	p.press(kb.Escape)
	p.until("the sheet is closed", `!document.getElementById('keys').open`)
	p.at("/")
	p.press("r")
}
