package browser_test

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/fetchq/server/internal/auth"
)

// marked is a page that nobody has reloaded since mark.
const marked = `window.unreloaded === true`

// mark makes a reload visible.
func (p *tab) mark() {
	p.t.Helper()
	get[bool](p, `window.unreloaded = true`)
}

func (p *tab) stillMarked() {
	p.t.Helper()
	if !get[bool](p, marked) {
		p.t.Error("the page was reloaded")
	}
}

const pendingTile = `document.querySelector('[data-tile="Pending"] dd').innerText.trim()`

// TestPagesKeepUpWithoutAReload pushes documents while the overview, the list and a queue are open.
func TestPagesKeepUpWithoutAReload(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.queue("pages")
	s.queue("other")
	overview := s.as(t, auth.RoleViewer)
	list, queue, other := overview.another(), overview.another(), overview.another()
	for p, path := range map[*tab]string{overview: "/", list: "/queues", queue: "/queues/pages", other: "/queues/other"} {
		p.visit(path)
		p.there(`#refresh[data-state="live"]`)
		p.mark()
	}
	s.push("pages", "a")
	s.push("pages", "b")
	for _, p := range []*tab{overview, queue} {
		p.until("2 pending", pendingTile+` === '2'`)
	}
	list.until("2 pending", `document.querySelector('#queue-pages [data-label="Pending"]').innerText.trim() === '2'`)
	other.see("Live")
	for _, p := range []*tab{overview, list, queue, other} {
		p.stillMarked()
	}
}

// TestALinkThatAppearsOpensInTheDialog resumes a queue beside its open page, which has the link to pause it then.
func TestALinkThatAppearsOpensInTheDialog(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.queue("pages")
	s.api("POST", "/queues/pages/pause", `{"reason":"a look at it"}`)
	p := s.as(t, auth.RoleOperator)
	p.visit("/queues/pages")
	p.see("a look at it")
	p.mark()
	s.api("POST", "/queues/pages/resume", `{}`)
	p.click("a", "Pause…")
	p.there(`#dialog[open] [name="reason"]`)
	p.stillMarked()
}

// shows waits until an expression has a value in all of these tabs.
func (s *site) shows(expression, want string, tabs ...*tab) {
	s.t.Helper()
	for _, p := range tabs {
		p.until(expression+" is "+quote(want), expression+` === `+quote(want))
	}
}

// TestTheRailTellsOfTroubleElsewhere pauses a queue beside an open page of another one, and beside a page that is not live.
func TestTheRailTellsOfTroubleElsewhere(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.queue("pages", "a")
	s.queue("images", "b")
	p := s.as(t, auth.RoleOperator)
	p.visit("/queues/pages")
	p.mark()
	form := p.another()
	form.visit("/account")
	mark := `(document.getElementById('trouble').checkVisibility() ? document.querySelector('#trouble [data-n]').innerText : '')`
	s.shows(mark, "", p, form)
	s.api("POST", "/queues/images/pause", `{"reason":"a look at it"}`)
	s.shows(mark, "1", p, form)
	s.api("POST", "/queues/images/resume", `{}`)
	s.shows(mark, "", p, form)
	p.stillMarked()
}

// TestPagesKeepUpWithACrawl pushes and completes many documents, as make demo does, under an open overview and queue.
func TestPagesKeepUpWithACrawl(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.queue("pages")
	overview := s.as(t, auth.RoleViewer)
	queue := overview.another()
	overview.visit("/")
	queue.visit("/queues/pages")
	overview.mark()
	queue.mark()
	for round := 1; round <= 4; round++ {
		for part := range 5 {
			s.documents("pages", 100, `{"depth":%d}`, fmt.Sprintf("https://a.example/%d/%d/%%d", round, part), "")
			s.work("pages", 80, `"action":"complete"`)
		}
		overview.until("what is pending", pendingTile+` === `+quote(strconv.Itoa(round*100)))
		completed := fmt.Sprintf("%d,%03d", round*400/1000, round*400%1000)
		if round*400 < 1000 {
			completed = strconv.Itoa(round * 400)
		}
		queue.until("what is completed", `document.querySelector('a[href="/queues/pages/documents?status=completed"]').innerText.trim() === `+quote(completed))
	}
	overview.stillMarked()
	queue.stillMarked()
}

// TestWhatIsInUseIsNotRefreshed opens a menu, a dialog and a selection, and wants the page to wait and to say why.
func TestWhatIsInUseIsNotRefreshed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.queue("pages")
	p := s.as(t, auth.RoleOperator)
	p.visit("/queues")
	p.there(`#refresh[data-state="live"]`)
	waits := func(why string) {
		t.Helper()
		p.until("waiting, because "+why, `document.querySelector('#refresh[data-state="waiting"]')?.title.includes(`+quote(why)+`)`)
		p.until("the word Waiting", `document.querySelector('[data-mode]').textContent === 'Waiting'`)
	}
	goesOn := func() {
		t.Helper()
		p.there(`#refresh[data-state="live"]`)
	}
	p.mark()
	p.click(`[popovertarget="user-menu"]`, "")
	waits("a menu is open")
	p.press(kb.Escape)
	goesOn()
	p.press("?")
	waits("a dialog is open")
	p.press(kb.Escape)
	goesOn()

	p.click("#queue-pages input[data-row]", "")
	waits("rows are selected")
	beside := p.another()
	beside.visit("/queues")
	s.push("pages", "a")
	const pending = `document.querySelector('#queue-pages [data-label="Pending"]').innerText.trim()`
	beside.until("1 pending", pending+` === '1'`)
	if got := get[string](p, pending); got != "0" {
		t.Errorf("the page was refreshed under a selection: %s are pending", got)
	}
	p.click("[data-unselect]", "")
	p.until("1 pending", pending+` === '1'`)
	p.stillMarked()
}

// TestTheRefreshControl goes through its modes, which are remembered.
func TestTheRefreshControl(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.queue("pages")
	p := s.as(t, auth.RoleViewer)
	p.visit("/queues/pages")
	choose := func(word string) {
		t.Helper()
		p.click("#refresh", "")
		p.click("#refresh-menu button", word)
	}
	choose("Paused")
	p.until("the word Paused", `document.querySelector('#refresh [data-mode]').textContent === 'Paused'`)
	p.mark()
	s.push("pages", "a")
	// Another page of the same browser that is live tells when the change has come to it.
	p.press("r")
	p.until("1 pending by r", pendingTile+` === '1'`)
	p.stillMarked()
	p.visit("/queues/pages")
	p.until("the mode is remembered", `document.querySelector('#refresh[data-state="paused"] [data-mode]').textContent === 'Paused'`)
	choose("Every 5 seconds")
	p.mark()
	s.push("pages", "b")
	p.until("2 pending", pendingTile+` === '2'`)
	p.stillMarked()
	choose("Live")
	p.there(`#refresh[data-state="live"]`)
}
