package web_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/queue"
)

// TestTheTimelineOfADocumentTellsWhatItsJournalHas follows a document through a failure, an admin and its end.
func TestTheTimelineOfADocumentTellsWhatItsJournalHas(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleOperator)
	if _, err := d.engine.Patch(t.Context(), "pages", json.RawMessage(`{"journal":"all","backoff":{"kind":"none"}}`)); err != nil {
		t.Fatal(err)
	}
	d.push(queue.Push{Subject: "a"})
	worker := queue.By(t.Context(), "token:crawler")
	resolve := func(action, message string) {
		t.Helper()
		picked, err := d.engine.Pick(worker, "pages", queue.PickParams{Worker: "host-7"})
		if err != nil || len(picked.Documents) != 1 {
			t.Fatalf("%+v, %v", picked, err)
		}
		r := queue.Resolution{Subject: "a", Lease: picked.Documents[0].Lease, Action: action, Message: message}
		if _, err := d.engine.Resolve(worker, "pages", []queue.Resolution{r}); err != nil {
			t.Fatal(err)
		}
	}
	resolve("reject", "timeout")
	d.post(docAt("a", "run_now"), nil, http.StatusSeeOther)
	resolve("complete", "")
	page := d.get(docAt("a"), http.StatusOK)
	for selector, want := range map[string]string{
		`[data-happening="Rejected"]`: "by host-7 · token crawler", `[data-happening="Rejected"] p.break-words`: "timeout",
		`[data-happening="Rejected"] [data-took]`: "attempt 1", `[data-happening="Completed"]`: "by host-7", `[data-happening="Made due now"]`: "by ann@example.org",
	} {
		page.says(t, selector, want)
	}
	page.count(t, `[data-happening="Picked"]`, 2)
	page.count(t, `[data-happening="Pushed into the queue"]`, 1)
	for _, twice := range []string{"Last pick", "Last iteration ended", "Error at attempt 1"} {
		page.count(t, `[data-happening="`+twice+`"]`, 0)
	}
	page.count(t, "[data-journal]", 0)

	d.leads(d.post(docAt("a", "drop"), d.get(docAt("a", "drop"), http.StatusOK).form("form.form"), http.StatusSeeOther), docsURL)
	gone := d.get(docAt("a"), http.StatusNotFound)
	gone.says(t, "[data-gone]", "This is what its journal and log still have of it")
	gone.says(t, `[data-happening="Dropped"]`, "by ann@example.org")
	if first, _ := gone.Find("[data-happening]").First().Attr("data-happening"); first != "Dropped" {
		t.Errorf("the newest is %q", first)
	}
	d.get(docAt("never"), http.StatusNotFound).count(t, "[data-gone]", 0)
}

func TestTheTimelineSaysWhatTheJournalLacks(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleViewer)
	d.put("a", queue.Active)
	for journal, want := range map[string]string{"off": "is off", "errors": "what failed and what admins did"} {
		if _, err := d.engine.Patch(t.Context(), "pages", json.RawMessage(`{"journal":"`+journal+`"}`)); err != nil {
			t.Fatal(err)
		}
		page := d.get(docAt("a"), http.StatusOK)
		page.says(t, "[data-journal]", want)
		page.count(t, `[data-happening="Last pick"]`, 1)
	}
	if body := d.get("/queues/pages/settings", http.StatusOK).text("main"); !strings.Contains(body, "what failed and what admins did, for 30 days") && !strings.Contains(body, "off") {
		t.Errorf("a viewer is told of the journal: %q", body)
	}
}
