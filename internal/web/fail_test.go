package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/fetchq/server/internal/auth"
)

// TestTheErrorOfAPageOfAQueueLeadsBackThere asks for a document that was dropped, and for a queue that is not there.
func TestTheErrorOfAPageOfAQueueLeadsBackThere(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.queues("pages")
	b := s.as(auth.RoleViewer)
	gone := b.get("/queues/pages/document?subject=a%3Cb").must(t, http.StatusNotFound)
	nowhere := b.get("/queues/none").must(t, http.StatusNotFound)
	for _, c := range []struct {
		page           *sitePage
		selector, says string
	}{
		{gone, "main", "There is no such document in this queue; the subject was a<b."}, {gone, `main a[href="/queues/pages/documents"]`, "Go to the documents of pages"},
		{gone, ".crumbs", "pages"}, {nowhere, `main a[href="/queues"]`, "Go to the queues"}, {nowhere, `.rail [aria-current]`, "Queues"},
	} {
		if text := c.page.says(c.selector); !strings.Contains(text, c.says) {
			t.Errorf("%s says %q; %q is wanted", c.selector, text, c.says)
		}
	}
}
