package templates_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"

	"github.com/fetchq/server/web/templates"
)

const hostile = `"><img src=x onerror=alert(1)>`

func head() templates.QueueHead {
	return templates.QueueHead{
		Name: "pages", Word: "behind", Reasons: []templates.Reason{{Text: "the oldest document has been due for 3 h"}}, Here: "/queues/pages",
		Tabs: []templates.Tab{{Word: "Dashboard", Href: "/queues/pages", Here: true}, {Word: "Documents", Href: "/queues/pages/documents", Count: new(int64(1_240_000))}},
	}
}

func row(name, word string) templates.QueueRow {
	return templates.QueueRow{
		Name: name, Word: word, Reasons: []templates.Reason{{Text: hostile}}, Pending: 1_240_000, Planned: 12_345, In: "1", Out: "2", Errors: "3", OldestDueAt: new(time.Unix(1_800_000_000, 0)),
		Drain: "–", Processed: []float64{math.NaN(), 1, 2, math.NaN(), 3},
	}
}

func operationRow() templates.OperationRow {
	return templates.OperationRow{
		Href: "/operations/1", Title: "Move to images", Queue: "pages", State: "running", By: hostile, Which: hostile, Percent: new(12.5), Done: 1_240_000, Failed: 2_000,
		Created: noon, UnderWay: true,
	}
}

// everyPage are the pages of this package in their full states, with hostile texts where a worker or user can write.
func everyPage() map[string]templ.Component {
	return map[string]templ.Component{
		"overview": templates.Overview(templates.OverviewView{
			Tiles:   []templates.Tile{{Word: "Pending", Status: "pending", Value: "1.24 M", Exact: "1,240,000", Values: []float64{1, 2}, Color: "text-pending", Href: "/queues"}},
			Trouble: []templates.TroubleView{{Name: "pages", Word: "behind", Reasons: []templates.Reason{{Text: hostile}}}}, Queues: []templates.QueueRow{row("pages", "behind")}, All: 30, MayManage: true,
		}),
		"queues": templates.Queues(templates.QueuesView{
			Filter: hostile, All: 2, Matching: 2, Rows: []templates.QueueRow{row("pages", "failing"), row("images", "idle")}, MayManage: true, MayHalt: true,
			Sort: func(c string) (string, string) { return "/queues?sort=" + c, "none" }, Here: "/queues", Pager: templates.Pager{Next: "/queues?page=2"},
		}),
		"queue": templates.Queue(templates.QueueView{
			Head: head(), Population: []templates.Share{{Status: "planned", Count: 1, Percent: 25, Href: "/"}, {Status: "killed", Count: 3, Percent: 75, Href: "/"}},
			Versions: []templates.VersionRow{{Version: 3, Pending: 7, Href: "/queues/pages/documents?version=3"}}, Events: []templates.Fact{{Word: "Entered", Value: "12", Title: "12"}},
			AsOf: noon, Created: noon.Add(-time.Hour),
		}),
		"settings":     templates.Settings(templates.SettingsView{Head: head(), Inputs: templates.SettingInputs(map[string]string{"lock": hostile}, map[string]string{"lock": "5m"}, "lock", "no", false), MayManage: true}),
		"new queue":    templates.NewQueue(templates.NewQueueView{Name: hostile, WrongName: "taken"}),
		"error groups": templates.Errors(templates.ErrorsView{Path: "/errors", Kind: "error", Order: "errors", Queues: []string{"pages"}, Groups: []templates.GroupView{errorGroup()}, Note: "1 of 7 groups"}),
		"error group": templates.Errors(templates.ErrorsView{Path: "/errors", Kind: "error", Group: &templates.GroupPage{
			GroupView: errorGroup(), Back: "/errors", Within: "in the last 1h", Looked: 1000, MoreQueues: 2, In: []templates.GroupIn{
				{Queue: "pages", Href: "/", Looked: 200, Documents: 7, Standing: []templates.Standing{{Status: "killed", Documents: 4}, {Documents: 3}}, Actions: []templates.BulkAction{{Word: "Retry all killed", Icon: "undo-2", Href: "/"}}},
				{Queue: "images", Href: "/", Actions: []templates.BulkAction{{Word: "Retry all killed", Icon: "undo-2", Href: "/", Why: hostile}}, Why: hostile},
			}, Workers: []templates.Fact{{Word: hostile, Value: "7"}}, MoreWorkers: 3,
			Affected: []templates.AffectedRow{{Subject: hostile, Href: "/", Status: "killed", Errors: 3, Last: noon}, {Subject: "gone", Href: "/", Errors: 1, Last: noon}}, MoreAffected: 12,
		}, Course: &templates.Course{
			Begins: noon.Add(-2 * time.Hour), Ends: noon, Step: time.Hour, Time: "in the last day", Bars: []templates.CourseBar{{From: noon.Add(-2 * time.Hour), Errors: 3, Href: "/"}, {From: noon.Add(-time.Hour), Href: "/"}},
			Marks: []templates.CourseMark{{At: noon.Add(-time.Hour), Text: hostile}, {At: noon.Add(-time.Hour), Text: hostile}},
		}}),
		"errors": templates.Errors(templates.ErrorsView{Path: "/errors", Kind: "error", ByLine: true, Queues: []string{"pages"}, Lines: []templates.LineView{{
			ID: 1, At: noon, Kind: "error", Queue: "pages", Subject: hostile, Href: "/", Message: hostile, Details: `{"a":12345678901234567890}`, RefID: hostile, Worker: hostile, Attempt: new(2),
		}}}),
		"operations": templates.Operations(templates.OperationsView{Queues: []string{"pages"}, States: []string{"done"}, Rows: []templates.OperationRow{operationRow()}, Pager: templates.Pager{Next: "/"}}),
		"operation": templates.Operation(templates.OperationView{
			OperationRow: operationRow(), ID: "1", As: "user", From: "::1", Message: hostile, OnConflict: "update", CanceledBy: hostile, Error: hostile, Started: &noon, Import: true,
			Cancel: "/", Failures: []templates.FailureRow{{Line: new(int64(7)), Subject: hostile, Href: "/", Detail: hostile}}, Most: 1000,
		}),
		"workers": templates.Workers(templates.WorkersView{
			Tabs: []templates.Tab{{Word: "silent", Href: "/", Here: true, Status: "silent", Count: new(int64(1))}}, Filter: hostile, Queues: []string{"pages"}, All: 2, Matching: 2, MayHalt: true,
			Here: "/workers", Notes: []string{hostile}, Sort: func(c string) (string, string) { return "/workers?sort=" + c, "none" }, Pager: templates.Pager{Next: "/workers?page=2"},
			Rows: []templates.WorkerRow{{Name: hostile, Href: "/", State: "silent", Reason: hostile, Queues: []string{"a", "b", "c", "d"}, Active: 2, Picks: "1", Errors: "–", P95: "–", SeenAt: &noon, HeldSince: &noon}, {Name: "b", State: "gone"}},
		}),
		"worker": templates.Worker(templates.WorkerView{
			Name: hostile, State: "quiet", Reason: hostile, Quiet: true, MayAct: true, Here: "/", Tiles: []templates.Tile{{Word: "Active", Value: "1"}}, Notes: []string{hostile},
			Posts: []templates.PostRow{{Queue: "pages", Active: 1, Picks: "1", Errors: "–", P95: "–"}},
			Held:  []templates.HeldView{{Queue: "pages", Documents: 2, Href: "/", Rows: []templates.HeldRow{{Subject: hostile, Href: "/", PickedAt: noon, LeaseEnd: noon, Lease: 7}}}, {Queue: "images", Documents: 1, Href: "/"}},
		}),
		"search":  templates.Search(templates.SearchView{Text: hostile, Workers: []templates.Link{{Word: hostile, Href: "/"}}, Queues: []string{"pages"}, Hits: []templates.HitView{{Queue: "pages", Subject: hostile, Status: "active", Href: "/", Exact: true}}}),
		"sign in": templates.SignIn(templates.SignInView{Email: hostile, Wrong: hostile}), "setup": templates.Setup(templates.SetupView{Email: hostile}),
		"choose":  templates.Choose(templates.ChooseView{Email: hostile}),
		"problem": templates.ProblemPage(templates.Problem{Title: "Nothing here", Detail: hostile, RequestID: "r"}),
		"confirm": templates.ConfirmForm(templates.Confirm{Title: hostile, Typed: "pages", Danger: true, Button: "Drop", Back: "/", Inputs: []templates.Input{{Name: "reason", Value: hostile}}}),
	}
}

func TestHostileTextsStandAsTheyAre(t *testing.T) {
	t.Parallel()
	for name, c := range everyPage() {
		doc := drawn(t, c)
		if n := doc.Find("img[onerror]").Length(); n > 0 {
			t.Errorf("%s lets %d texts become elements", name, n)
		}
	}
}

func TestOverviewWithoutQueuesTeachesHowToMakeOne(t *testing.T) {
	t.Parallel()
	doc := drawn(t, templates.Overview(templates.OverviewView{MayManage: true}))
	says(t, doc, ".empty", "No queues yet")
	says(t, doc, ".empty pre", "curl -X PUT")
	has(t, doc, `.empty a[href="/queues/new"]`, 1)
	doc = drawn(t, templates.Overview(templates.OverviewView{}))
	says(t, doc, ".empty", "An admin can make one")
	has(t, doc, `a[href="/queues/new"]`, 0)
}

func TestOverviewTellsTheReasonsOfTrouble(t *testing.T) {
	t.Parallel()
	doc := drawn(t, everyPage()["overview"])
	says(t, doc, `[data-trouble="pages"]`, hostile)
	says(t, doc, "header a", "All 30")
	says(t, doc, `[data-tile="Pending"] dd[title="1,240,000"]`, "1.24 M")
	has(t, doc, `[data-tile="Pending"] svg.spark title`, 1)
}

func TestQueuesWithoutAMatchOfferTheList(t *testing.T) {
	t.Parallel()
	doc := drawn(t, templates.Queues(templates.QueuesView{All: 3, Filter: "x", MayHalt: true}))
	says(t, doc, ".empty", "No queue matches")
	says(t, doc, ".empty", "3 queues stand here")
	has(t, doc, `a[href="/queues"]`, 1)
}

func TestAViewerSeesNoActionsOfQueues(t *testing.T) {
	t.Parallel()
	doc := drawn(t, templates.Queues(templates.QueuesView{All: 1, Matching: 1, Rows: []templates.QueueRow{row("pages", "fine")}, Sort: func(string) (string, string) { return "/", "none" }}))
	has(t, doc, "[data-selection]", 0)
	has(t, doc, "input[data-row]", 0)
	has(t, doc, `a[href="/queues/new"]`, 0)
	h := head()
	h.WhyNoHalt = "your role may not do this"
	doc = drawn(t, templates.Queue(templates.QueueView{Head: h}))
	has(t, doc, `button[disabled][title="your role may not do this"]`, 1)
}

func TestAPausedQueueCanBeResumed(t *testing.T) {
	t.Parallel()
	h := head()
	h.Paused, h.Word = true, "paused"
	doc := drawn(t, templates.Queue(templates.QueueView{Head: h}))
	has(t, doc, `form[action="/queues/resume"] input[name="queue"][value="pages"]`, 1)
	says(t, doc, ".status", "paused")
}

func TestSettingsSayWhatWasWrongAtTheField(t *testing.T) {
	t.Parallel()
	doc := drawn(t, everyPage()["settings"])
	has(t, doc, `#f-lock[aria-invalid="true"][aria-describedby~="f-lock-wrong"]`, 1)
	says(t, doc, "#f-lock-wrong", "no")
	says(t, doc, "#f-lock-help", "Default: 5m.")
	doc = drawn(t, templates.Settings(templates.SettingsView{Head: head(), Facts: []templates.Fact{{Word: "Lease", Value: "5m"}}}))
	has(t, doc, "form.form", 0)
	says(t, doc, ".facts", "5m")
	has(t, doc, "#danger", 0)
}

func TestErrorsHaveAStateForNoneNoMatchAndMoreToCome(t *testing.T) {
	t.Parallel()
	doc := drawn(t, templates.Errors(templates.ErrorsView{Path: "/errors", Kind: "error", ByLine: true}))
	says(t, doc, ".empty", "No errors")
	doc = drawn(t, templates.Errors(templates.ErrorsView{Path: "/errors", Kind: "error", ByLine: true, Filtered: true}))
	says(t, doc, ".empty", "No line matches")
	doc = drawn(t, templates.Errors(templates.ErrorsView{Path: "/errors", Kind: "error", ByLine: true, Filtered: true, Pager: templates.Pager{Next: "/errors?cursor=x"}}))
	says(t, doc, ".empty", "None among these rows")
	has(t, doc, `a[rel="next"][href="/errors?cursor=x"]`, 1)
	doc = drawn(t, templates.Errors(templates.ErrorsView{Path: "/errors", Wrong: "within: no duration"}))
	says(t, doc, `[role="alert"]`, "no duration")
}

func TestGroupsOfErrorsHaveAStateForNoneNoMatchAndFull(t *testing.T) {
	t.Parallel()
	says(t, drawn(t, templates.Errors(templates.ErrorsView{Path: "/errors", Kind: "error"})), ".empty", "as one group")
	says(t, drawn(t, templates.Errors(templates.ErrorsView{Path: "/errors", Kind: "error", Filtered: true})), ".empty", "No group matches")
	doc := drawn(t, everyPage()["error groups"])
	says(t, doc, "td.message a", hostile)
	says(t, doc, `td[data-label="Documents"]`, "≈ 1.24 M")
	says(t, doc, "footer", "1 of 7 groups")
	has(t, doc, "svg.spark path", 2)
	other := errorGroup()
	other.Other, other.Pattern = true, ""
	says(t, drawn(t, templates.Errors(templates.ErrorsView{Path: "/errors", Groups: []templates.GroupView{other}})), "td.message", "Other errors")
}

func TestAGroupTellsWhatItKnowsOnlyOfItsNewestLines(t *testing.T) {
	t.Parallel()
	doc := drawn(t, everyPage()["error group"])
	says(t, doc, `[aria-label="Documents of the group"] header`, "≈ of the newest 1,000 lines")
	says(t, doc, `[aria-label="Documents of the group"] footer`, "and 12 more")
	says(t, doc, "summary", "4 workers")
	says(t, doc, "tbody tr:last-child", "gone")
	has(t, doc, `a[hx-get="/"]`, 1)
	has(t, drawn(t, templates.Errors(templates.ErrorsView{Path: "/errors", Group: &templates.GroupPage{GroupView: errorGroup()}})), "a[hx-get]", 0)
}

// errorGroup is a group whose messages nobody meant well.
func errorGroup() templates.GroupView {
	return templates.GroupView{
		Fingerprint: "00000000000000ff", Href: "/errors?fingerprint=00000000000000ff", Pattern: hostile, Sample: hostile, Queues: []string{"pages", "images"}, Errors: 2_000,
		Documents: 1_240_000, Versions: []string{"0", "3"}, First: noon.Add(-time.Hour), Last: noon, Values: []float64{0, 3, 1},
	}
}

func TestALineKeepsTheDigitsOfItsDetails(t *testing.T) {
	t.Parallel()
	doc := drawn(t, everyPage()["errors"])
	says(t, doc, "details pre", "12345678901234567890")
	says(t, doc, "td", hostile)
}

func TestSearchHasAStateForNothingAskedAndNothingFound(t *testing.T) {
	t.Parallel()
	says(t, drawn(t, templates.Search(templates.SearchView{})), ".empty", "What are you looking for?")
	says(t, drawn(t, templates.Search(templates.SearchView{Text: hostile})), ".empty strong", hostile)
}

func TestWhatMustBeTypedIsAskedFor(t *testing.T) {
	t.Parallel()
	doc := drawn(t, everyPage()["confirm"])
	has(t, doc, `input[name="confirm"][data-confirm="pages"][required]`, 1)
	has(t, doc, `button[data-confirmed][data-variant="destructive"]`, 1)
}

func TestAnOperationThatLeftFailuresBehindDoesNotSayThatAllIsDone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		state        string
		done, failed int64
		word, status string
	}{
		{"done", 5, 0, "done", "done"}, {"done", 5, 2, "done in part", "attention"}, {"done", 0, 2, "nothing done", "attention"},
		{"running", 5, 2, "running", "running"},
	} {
		o := operationRow()
		o.State, o.Done, o.Failed = c.state, c.done, c.failed
		for _, page := range []templ.Component{
			templates.Operations(templates.OperationsView{Rows: []templates.OperationRow{o}}), templates.Operation(templates.OperationView{OperationRow: o, ID: "1"}),
		} {
			found := drawn(t, page).Find(`.status[data-status="` + c.status + `"]`)
			if text := strings.TrimSpace(found.Text()); text != c.word {
				t.Errorf("%s with %d done and %d failed is called %q; %q is wanted", c.state, c.done, c.failed, text, c.word)
			}
		}
	}
}
