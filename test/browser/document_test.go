package browser_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/fetchq/server/internal/auth"
)

func documentPath(queue, subject string) string {
	return "/queues/" + queue + "/document?subject=" + url.QueryEscape(subject)
}

// TestADocumentThroughItsLife adds a document by hand, makes it due, kills, retries, edits and drops it.
func TestADocumentThroughItsLife(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.queue("pages")
	p := s.as(t, auth.RoleOperator)
	p.allow("status of 422")
	const subject = "https://a.example/b?c#d"
	p.visit("/queues/pages")
	p.click("a", "Add a document")
	p.fill("#f-subject", subject)
	p.fill("#f-payload", `{"depth":`)
	p.click("#dialog button", "Add the document")
	p.there(`#f-payload[aria-invalid="true"]`)
	p.fill("#f-payload", `{"depth": 1, "size": 12345678901234567890}`)
	p.fill("#f-next_iteration", "+2 days")
	p.click("#dialog button", "Add the document")
	p.at(documentPath("pages", subject))
	p.see("Added", "planned", "12345678901234567890")

	status := func(want string) {
		t.Helper()
		p.until("the status "+want, `document.querySelector('main .status').innerText.trim() === `+quote(want))
	}
	p.click(`[data-action="run_now"]`, "")
	status("pending")
	p.click(`[data-action="kill"]`, "")
	p.click("#dialog button", "Kill")
	status("killed")
	if picked := s.api("POST", "/queues/pages/pick", `{}`); strings.Contains(picked, subject) {
		t.Errorf("a killed document was picked: %s", picked)
	}
	p.click(`[data-action="retry"]`, "")
	status("pending")
	p.click(`[data-action="edit"]`, "")
	p.fill("#f-payload", `{"depth": 2}`)
	p.fill("#f-priority", "9")
	p.click("#dialog button", "Save")
	p.gone("12345678901234567890")
	picked := s.api("POST", "/queues/pages/pick", `{"worker":"host-7"}`)
	if !strings.Contains(picked, `"depth":2`) && !strings.Contains(picked, `"depth": 2`) || !strings.Contains(picked, `"priority":9`) {
		t.Errorf("what was picked is %s", picked)
	}
	status("active") // by itself
	p.see("host-7")
	p.click(`[data-action="release"]`, "")
	status("pending")
	p.click(`[data-action="drop"]`, "")
	p.click("#dialog button", "Drop")
	p.see("Dropped")
	if got := s.api("GET", "/trace/"+url.PathEscape(subject), ""); !strings.Contains(got, `"documents":[]`) {
		t.Errorf("after the drop: %s", got)
	}
}

// TestActionsOnSelectedDocuments kills two of three documents by keyboard and mouse, and retries them from their list.
func TestActionsOnSelectedDocuments(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.queue("pages", "a", "b", "c")
	p := s.as(t, auth.RoleOperator)
	p.visit("/queues/pages/documents?status=pending")
	p.press("j", "x", "j", "x")
	p.see("2 selected")
	p.click("[data-selection] button", "Kill")
	p.see("Kill 2 documents of pages")
	p.click("#dialog button", "Kill 2 documents")
	p.see("Killed 2 documents.")
	if got := s.api("GET", "/queues/pages", ""); !strings.Contains(got, `"killed":2`) {
		t.Errorf("the queue is %s", got)
	}
	p.visit("/queues/pages/documents?status=killed")
	p.click(`input[data-rows]`, "")
	p.see("2 selected")
	p.click("[data-selection] button", "Retry")
	p.click("#dialog button", "Retry 2 documents")
	p.see("Retried 2 documents.")
	if got := s.api("GET", "/queues/pages", ""); !strings.Contains(got, `"killed":0`) {
		t.Errorf("the queue is %s", got)
	}
	p.visit("/queues/pages/documents?status=pending")
	p.click(`input[data-rows]`, "")
	p.click("[data-selection] button", "Reschedule")
	p.fill(`#dialog [name="next_iteration"]`, "+2h")
	p.click("#dialog button", "Reschedule 3 documents")
	p.see("Rescheduled 3 documents.")
	p.click(".toast button", "Undo")
	p.see("Put back 3 documents.")
	if got := s.api("GET", "/queues/pages", ""); !strings.Contains(got, `"pending":3`) {
		t.Errorf("the queue is %s", got)
	}
}

// TestADocumentWithoutScripts acts on a document with scripts off.
func TestADocumentWithoutScripts(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.queue("pages", "a")
	p := s.as(t, auth.RoleOperator)
	p.scriptsOff()
	p.visit("/queues/pages/documents")
	p.click(".rows .subject a", "a")
	p.until("the document's page, which knows its list", `document.readyState === 'complete' && (location.pathname + location.search).startsWith(`+
		quote(documentPath("pages", "a")+"&list=")+`)`)
	p.click(`[data-action="kill"]`, "")
	p.click("main button", "Kill")
	p.see("killed")
	p.click(`[data-action="retry"]`, "")
	p.see("pending")
	p.click(".rail a", "Queues")
	p.click("#queue-pages a", "pages")
	p.click("a", "Add a document")
	p.fill("#f-subject", "b")
	p.click("main button", "Add the document")
	p.at(documentPath("pages", "b"))
	p.visit("/queues/pages/documents")
	p.click(`input[data-row]`, "")
	p.click("[data-selection] button", "Complete")
	p.click("main button", "Complete 1 document")
	p.see("Completed 1 document.")
}
