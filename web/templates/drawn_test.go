package templates_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/a-h/templ"

	"github.com/fetchq/server/web/templates"
)

// noon is when the pages of these tests are made.
var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// drawn renders a component without a server or a database.
func drawn(t *testing.T, c templ.Component) *goquery.Document {
	t.Helper()
	var b strings.Builder
	ctx := templates.With(context.Background(), templates.Around{Asset: func(name string) string { return "/assets/" + name }, Now: noon})
	if err := c.Render(ctx, &b); err != nil {
		t.Fatal(err)
	}
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// says wants the text of what a selector finds, its white space made single, to contain a text.
func says(t *testing.T, doc *goquery.Document, selector, want string) {
	t.Helper()
	found := doc.Find(selector)
	if found.Length() == 0 {
		t.Errorf("%s is not on the page", selector)
		return
	}
	if text := strings.Join(strings.Fields(found.Text()), " "); !strings.Contains(text, want) {
		t.Errorf("%s says %q; %q is wanted", selector, text, want)
	}
}

// has wants a selector to find so many elements.
func has(t *testing.T, doc *goquery.Document, selector string, want int) {
	t.Helper()
	if got := doc.Find(selector).Length(); got != want {
		t.Errorf("%s stands %d times on the page; %d is wanted", selector, got, want)
	}
}

func frameOf(body templ.Component, change func(*templates.Base)) templ.Component {
	b := templates.Base{
		Title: "Queues", Theme: "system", User: &templates.Person{Email: "ann@example.org", Name: "Ann", Role: "viewer"},
		Rail:   []templates.Place{{Word: "Overview", Href: "/", Icon: "layers"}, {Word: "Queues", Href: "/queues", Icon: "layers", Here: true, Marks: 2, MarksID: "trouble", MarksWord: "queues in trouble"}},
		Crumbs: []templates.Crumb{{Word: "Queues", Href: "/queues"}, {Word: "pages"}}, Path: "/queues/pages", Live: true, Queue: "pages",
	}
	if change != nil {
		change(&b)
	}
	return templates.Within(templates.Frame(b), body)
}

func TestTheFrameShowsWhereOneIsAndWhatIsLive(t *testing.T) {
	t.Parallel()
	doc := drawn(t, frameOf(templ.Raw("<p>inside</p>"), nil))
	says(t, doc, "title", "Queues · Fetchq")
	says(t, doc, `.rail a[aria-current="page"]`, "Queues")
	says(t, doc, ".rail .mark", "2 queues in trouble")
	says(t, doc, `.crumbs [aria-current="page"]`, "pages")
	says(t, doc, `#live[data-queue="pages"]`, "inside")
	has(t, doc, "#refresh", 1)
	has(t, doc, `form[action="/logout"][method="post"]`, 1)
	has(t, doc, "html.dark", 0)
	has(t, doc, "#lost[hidden][role=alert]", 1)
}

func TestTheFrameOfAPageThatIsNotLiveHasNoRefreshControl(t *testing.T) {
	t.Parallel()
	doc := drawn(t, frameOf(templ.Raw(""), func(b *templates.Base) { b.Live, b.Theme, b.Folded = false, "dark", true }))
	has(t, doc, "#refresh", 0)
	has(t, doc, "#live", 0)
	has(t, doc, "html.dark[data-rail=folded]", 1)
}

func TestToastsHaveUndoWhereThereIsOne(t *testing.T) {
	t.Parallel()
	doc := drawn(t, frameOf(templ.Raw(""), func(b *templates.Base) {
		b.Toasts = []templates.Toast{
			{Text: "Paused pages.", Undo: &templates.Undo{Action: "/queues/resume", Fields: []templates.Field{{Name: "queue", Value: "pages"}}}},
			{Text: "Dropped images."},
		}
	}))
	has(t, doc, ".toast", 2)
	has(t, doc, `.toast form[method="post"][action="/queues/resume"] input[name="queue"][value="pages"]`, 1)
	has(t, doc, ".toast form", 1)
}

// TestNothingStandsInline is what the Content-Security-Policy forbids: it would not run, and the page would look broken.
func TestNothingStandsInline(t *testing.T) {
	t.Parallel()
	for name, c := range everyPage() {
		doc := drawn(t, frameOf(c, nil))
		has(t, doc, "[style]", 0)
		has(t, doc, "style", 0)
		doc.Find("script").Each(func(_ int, s *goquery.Selection) {
			if src, _ := s.Attr("src"); src == "" || s.Text() != "" {
				t.Errorf("%s has a script inline", name)
			}
		})
		doc.Find("*").Each(func(_ int, s *goquery.Selection) {
			for _, a := range s.Nodes[0].Attr {
				if strings.HasPrefix(a.Key, "on") || strings.HasPrefix(a.Key, "hx-on") {
					t.Errorf("%s has %s inline", name, a.Key)
				}
			}
		})
	}
}

func TestALinkThatIsNoneOfThisSiteIsNotOne(t *testing.T) {
	t.Parallel()
	doc := drawn(t, templates.ProblemPage(templates.Problem{Title: "x", Back: "javascript:alert(1)", BackWord: "y"}))
	if href, _ := doc.Find("a").Attr("href"); strings.HasPrefix(href, "javascript:alert") {
		t.Errorf("the link leads to %s", href)
	}
}
