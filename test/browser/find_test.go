package browser_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/fetchq/server/internal/auth"
)

// fail makes a worker pick a document and reject it with a message.
func (s *site) fail(queue, message string) {
	s.t.Helper()
	picked := s.api("POST", "/queues/"+queue+"/pick", `{"worker":"host-7"}`)
	subject, lease := field(picked, "subject"), field(picked, "lease")
	if subject == "" {
		s.t.Fatalf("nothing was picked: %s", picked)
	}
	s.api("POST", "/queues/"+queue+"/resolve", `{"resolutions":[{"subject":`+quote(subject)+`,"lease":`+lease+
		`,"action":"reject","message":`+quote(message)+`,"details":{"after_ms":3000},"ref_id":"run-1"}]}`)
}

// field returns the first value of a name in JSON, a text without its quotes.
func field(text, name string) string {
	_, rest, found := strings.Cut(text, `"`+name+`":`)
	if !found {
		return ""
	}
	if strings.HasPrefix(rest, `"`) {
		value, _, _ := strings.Cut(rest[1:], `"`)
		return value
	}
	return rest[:strings.IndexAny(rest, ",}]")]
}

// TestErrorsAreFoundFromTheOverview asks what the errors of the last hour are, and why one document failed.
func TestErrorsAreFoundFromTheOverview(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.queue("pages", "https://a.example/1", "https://a.example/2")
	s.queue("images", "https://a.example/1.png")
	s.fail("pages", "timeout after 3000 ms")
	s.fail("images", "no such host")
	p := s.as(t, auth.RoleViewer)
	p.visit("/")
	p.press("g", "e")
	p.at("/errors")
	p.see("timeout after …", "no such host")
	p.click("nav a", "Lines")
	p.see("timeout after 3000 ms", "no such host", "host-7")
	p.choose(`[name="within"]`, "1h")
	p.until("the range in the address", `location.search.includes('within=1h')`)
	p.choose(`[name="queue"]`, "pages")
	p.until("the queue in the address", `location.search.includes('queue=pages')`)
	p.gone("no such host")
	p.click(".rows summary", "timeout after 3000 ms")
	p.see("run-1", `"after_ms": 3000`)

	// What is open stays open while other lines arrive.
	p.mark()
	s.fail("pages", "connection reset")
	p.see("connection reset")
	p.see(`"after_ms": 3000`)
	p.stillMarked()

	p.visit("/queues/pages/errors?show=lines")
	p.fill(`.filters [name="q"]`, "reset")
	p.press(kb.Enter)
	p.gone("timeout after 3000 ms")
	p.see("connection reset")
}

// TestTheSearchFindsQueuesPagesAndSubjects from any page, with the key that leads to it.
func TestTheSearchFindsQueuesPagesAndSubjects(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.queue("pages", "https://a.example/1", "https://a.example/2")
	s.queue("pages_archive", "https://a.example/1")
	p := s.as(t, auth.RoleViewer)
	p.visit("/queues/pages")
	p.press("/", "https://a.example/1", kb.Enter)
	p.at("/search?q=https%3A%2F%2Fa.example%2F1")
	p.see("Documents", "exact")
	if n := p.count(".rows tbody tr"); n != 2 {
		t.Errorf("%d documents are found; want 2, one a queue", n)
	}
	p.press("/")
	p.until("what was searched is selected or the field is in focus", `document.activeElement.id === 'search'`)
	p.fill("#search", "archive")
	p.press(kb.Enter)
	p.see("Queues and pages", "pages_archive")
	p.fill("#search", "overv")
	p.press(kb.Enter)
	p.click("main a", "Overview")
	p.at("/")
	p.press("/", "nothing of that name", kb.Enter)
	p.see("Nothing found")
}
