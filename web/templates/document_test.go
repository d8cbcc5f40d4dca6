package templates

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/a-h/templ"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// drawn renders a component as a page that can be asked.
func drawn(t *testing.T, c templ.Component) *goquery.Document {
	t.Helper()
	var b bytes.Buffer
	if err := c.Render(With(t.Context(), Around{Now: noon}), &b); err != nil {
		t.Fatal(err)
	}
	page, err := goquery.NewDocumentFromReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

func stands(t *testing.T, page *goquery.Document, selector string, want int) {
	t.Helper()
	if got := page.Find(selector).Length(); got != want {
		t.Errorf("%s stands there %d times, want %d", selector, got, want)
	}
}

func says(t *testing.T, page *goquery.Document, selector, want string) {
	t.Helper()
	if got := strings.Join(strings.Fields(page.Find(selector).Text()), " "); !strings.Contains(got, want) {
		t.Errorf("%s says %q, want %q", selector, got, want)
	}
}

func TestDocumentWithoutAnything(t *testing.T) {
	t.Parallel()
	page := drawn(t, Document(DocumentView{Subject: "a", Status: "pending", Payload: []byte("{}")}))
	stands(t, page, `[data-empty="logs"]`, 1)
	stands(t, page, "[data-why], [data-elsewhere], nav", 0)
	says(t, page, ".tree", "{}")
}

func TestDocumentWithEverything(t *testing.T) {
	t.Parallel()
	attempt := 2
	v := DocumentView{
		Queue: "pages", Subject: "a", Status: "active", Outlook: "It is held.", Warn: true, Refused: "Retry was not done: no.", Payload: []byte(`{"a":[1,2]}`),
		PayloadHref: "/payload", MoreLogs: true,
		Actions: []DocumentAction{
			{Name: "run_now", Word: "Run now", Href: "/run", Icon: "play"}, {Name: "kill", Word: "Kill", Href: "/kill", Asks: true, Danger: true}, {Name: "retry", Word: "Retry", Why: "not killed"},
		},
		Facts:     []DocumentFact{{Word: "Created", At: &noon}, {Word: "Worker", Value: "w", Href: "/w"}, {Word: "Priority", Value: "7"}},
		Logs:      []LogLine{{ID: 5, At: noon, Kind: "error", Message: "no", RefID: "r", Worker: "w", Attempt: &attempt, Details: []byte(`{"x":"y"}`)}},
		Pager:     Pager{Next: "/next"},
		Elsewhere: []Elsewhere{{Queue: "other", Href: "/other", Status: "planned", NextWord: "due", Next: noon}},
	}
	for i := range latestShown + 3 {
		v.Timeline = append(v.Timeline, Happening{At: noon, What: fmt.Sprint(i), Icon: "note", Said: strings.Repeat("é", messageShown), After: "3 s"})
	}
	page := drawn(t, Document(v))
	stands(t, page, `form[action="/run"] button[data-action=run_now]`, 1)
	stands(t, page, `a[href="/kill"][hx-get="/kill"][data-variant=destructive]`, 1)
	stands(t, page, `button[data-action=retry][disabled][title="not killed"]`, 1)
	says(t, page, "[data-why=retry]", "Retry: not killed")
	says(t, page, `.notice[role=alert]`, "Retry was not done")
	stands(t, page, "[data-outlook][data-kind=warning]", 1)
	stands(t, page, "[data-happening]", latestShown+3)
	stands(t, page, "details [data-happening]", 3)
	says(t, page, "#log-5", "attempt 2")
	says(t, page, "#log-5 .tree", `"x": "y"`)
	stands(t, page, `#logs a[rel=next][href="/next"]`, 1)
	stands(t, page, `[data-elsewhere] a[href="/other"]`, 1)
	if text := page.Find("[data-happening] p.break-words").First().Text(); text == "" || len(text) > messageShown+len("…") {
		t.Errorf("a long message has %d bytes in the timeline", len(text))
	}
}

func TestDocumentsStates(t *testing.T) {
	t.Parallel()
	row := DocumentRow{Subject: "a b", Href: "/d", Status: "planned", NextWord: "due", Next: noon.Add(time.Hour), Payload: "{}", Values: []string{"a.example"}, Iterations: 41}
	full := DocumentsView{Queue: "pages", All: 1, Size: 100, Chosen: []Field{{Name: "size", Value: "100"}, {Name: "status", Value: "planned"}}, Columns: []string{"when", "worker", "iterations"}, Paths: []string{"/meta/host"},
		Chips: []Chip{{Name: "worker", Value: "w-1", Without: "/without"}}, Orders: []Option{{"next_iteration", "date"}, {"subject", "subject"}}, Order: "subject", Export: "/x?a=1",
		Views: []ViewLink{{Word: "Mine", Href: "/mine", Delete: "/delete"}, {Word: "Ours", Href: "/ours", By: "Ann", Here: true}}, SaveView: "/save",
		Filters: map[string]string{"status": "planned"}, Rows: []DocumentRow{row}, Bulk: []BulkAction{{Name: "kill", Word: "Kill", Icon: "circle-x", Danger: true}}}
	page := drawn(t, Documents(full))
	stands(t, page, `tr[id="d-a+b"] input[name=subject][value="a+b"]`, 1)
	stands(t, page, `.filters input[type=hidden][name=size][value="100"]`, 1)
	says(t, page, "tbody tr", "due in 1 h")
	says(t, page, "table.documents thead", "StatusSubjectIterationsWhenWorker/meta/host")
	says(t, page, `td[data-label="/meta/host"]`, "a.example")
	says(t, page, `td[data-label="Iterations"]`, "41")
	stands(t, page, `.chips a[data-chip=worker][href="/without"]`, 1)
	stands(t, page, `#columns-menu input[type=checkbox][checked]`, 3)
	stands(t, page, `#columns-menu input[name=paths][value="/meta/host"]`, 1)
	stands(t, page, `.filters details[open] select[name=order] option[value=subject][selected]`, 1)
	stands(t, page, `.filters input[name=due_after]`, 1)
	stands(t, page, `.filters input[name=finished_after]`, 0)
	stands(t, page, `#export-menu a[download][href^="/x?a=1&format="]`, 4)
	stands(t, page, `#views-menu a[href="/ours"][aria-current=true]`, 1)
	stands(t, page, `#views-menu form`, 1)
	stands(t, page, `#views-menu a[href="/save"]`, 1)

	for _, test := range []struct {
		name, says string
		view       DocumentsView
	}{
		{"filter", "No document matches", DocumentsView{All: 3, Filtered: true}},
		{"filter", "None among the first 10,000", DocumentsView{All: 3, Filtered: true, Short: true}},
		{"filter", "No killed documents now", DocumentsView{All: 3, Filters: map[string]string{"status": "killed"}}},
		{"filter", "Nothing on this page any more", DocumentsView{All: 3, Pager: Pager{Previous: "/p"}}},
		{"queue", "No documents yet", DocumentsView{API: "http://x/api"}},
	} {
		says(t, drawn(t, Documents(test.view)), fmt.Sprintf("[data-empty=%q]", test.name), test.says)
	}
	wrong := drawn(t, Documents(DocumentsView{All: 3, WrongField: "version", Wrong: "is no number"}))
	stands(t, wrong, `input[name=version][aria-invalid=true][aria-describedby=wrong-version]`, 1)
	stands(t, wrong, "table", 0)
	stands(t, wrong, "[data-empty=wrong] h2", 1)
	stands(t, wrong, ".filters details[open]", 1)
}
