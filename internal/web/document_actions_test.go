package web_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/queue"
)

// states are the states of a document; those after an action are named by their words, "" where it is gone.
var states = []queue.Status{queue.Planned, queue.Pending, queue.Active, queue.Completed, queue.Killed}

// outcomes says for each action and state what becomes of a document; "-" where the action cannot be used.
var outcomes = map[string][5]string{
	//             planned      pending      active       completed    killed
	"run_now":    {"pending", "pending", "-", "pending", "pending"},
	"retry":      {"-", "-", "-", "-", "pending"},
	"release":    {"-", "-", "pending", "-", "-"},
	"reschedule": {"planned", "planned", "planned", "planned", "planned"},
	"edit":       {"planned", "pending", "active", "completed", "killed"},
	"forward":    {"completed", "completed", "completed", "completed", "completed"},
	"complete":   {"completed", "completed", "completed", "-", "completed"},
	"kill":       {"killed", "killed", "killed", "killed", "-"},
	"drop":       {"", "", "", "", ""},
}

// TestDocumentActions tries every action in every state: what the page shows, what the form asks, and what then is.
func TestDocumentActions(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleOperator)
	for name, after := range outcomes {
		for i, status := range states {
			subject, want := fmt.Sprintf("%s/%s?&%%", name, status), after[i]
			d.put(subject, status)
			page := d.get(docAt(subject), http.StatusOK)
			button := fmt.Sprintf("[data-action=%s]", name)
			if want == "-" {
				page.count(t, button+"[disabled][title]", 1)
				page.count(t, fmt.Sprintf("[data-why=%s]", name), 1)
				refused := d.post(docAt(subject, name), nil, http.StatusConflict)
				refused.says(t, `.notice[data-kind="error"]`, "not")
				if got := d.doc(subject).Status; got != status {
					t.Errorf("%s of a %s document made it %s", name, status, got)
				}
			} else {
				page.count(t, button+":not([disabled])", 1)
				form := d.get(docAt(subject, name), 0).form("form.form")
				switch name {
				case "reschedule":
					form.Set("next_iteration", "+1h")
				case "edit":
					form.Set("payload", `{"n":2}`)
				case "forward":
					form.Set("to_queue", "other")
				}
				to := docAt(subject)
				if name == "drop" {
					to = docsURL
				}
				done := d.leads(d.post(docAt(subject, name), form, http.StatusSeeOther), to)
				done.count(t, ".toast", 1)
				if want == "" {
					d.get(docAt(subject), http.StatusNotFound)
				} else if got := d.doc(subject).Status.String(); got != want {
					t.Errorf("%s of a %s document made it %s, want %s", name, status, got, want)
				}
			}
			_, _ = d.engine.Act(t.Context(), "pages", []queue.Resolution{{Subject: subject, Action: "drop"}})
		}
	}
	for _, status := range states {
		subject := "forward/" + status.String() + "?&%"
		if doc, err := d.engine.Doc(t.Context(), "other", subject); err != nil || string(doc.Payload) != `{"n": 1}` {
			t.Errorf("%s was not handed on: %v", subject, err)
		}
	}
}

func TestDocumentActionsAreForRoles(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleViewer)
	d.put("a", queue.Planned)
	before := d.doc("a")
	page := d.get(docAt("a"), http.StatusOK)
	for name := range outcomes {
		page.count(t, fmt.Sprintf("[data-action=%s][disabled]", name), 1)
		page.says(t, fmt.Sprintf("[data-why=%s]", name), "your role may not do this")
		d.get(docAt("a", name), http.StatusForbidden)
		d.post(docAt("a", name), url.Values{"next_iteration": {"+1h"}, "to_queue": {"other"}, "priority": {"7"}}, http.StatusForbidden)
	}
	page.count(t, "main form[method=post] button:not([disabled])", 0)
	if after := d.doc("a"); after.Status != before.Status || !after.Next.Equal(before.Next) || after.Priority != before.Priority {
		t.Errorf("a viewer changed it to %+v", after)
	}
	d.get(docAt("a", "payload"), http.StatusOK)
}

func TestDocumentFormsSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleOperator)
	d.put("a", queue.Pending)
	for _, test := range []struct{ action, field, value, says string }{
		{"reschedule", "next_iteration", "", "a date is wanted"}, {"reschedule", "next_iteration", "soon", "no date"},
		{"forward", "to_queue", "nowhere", "not a queue"}, {"forward", "to_queue", "", "to_queue is missing"}, {"forward", "to_queue", "pages", "already"},
		{"edit", "payload", "{", "not JSON"}, {"edit", "payload", " ", "a JSON value is wanted"}, {"edit", "priority", "x", "no whole number"},
		{"edit", "version", "32768", "0 to 32767"}, {"edit", "next_iteration", "x", "no date"},
	} {
		page := d.postParts(docAt("a", test.action), url.Values{test.field: {test.value}}, 0)
		if page.code != http.StatusUnprocessableEntity && page.code != http.StatusBadRequest {
			t.Errorf("%s with %s %q answers %d", test.action, test.field, test.value, page.code)
		}
		page.says(t, "#f-"+test.field+"-wrong", test.says)
	}
	d.post(docAt("a", "explode"), nil, http.StatusNotFound)
	d.get(docAt("a", "explode"), http.StatusNotFound)
	if got := d.get(docAt("a", "retry"), http.StatusSeeOther).header.Get("Location"); got != docAt("a") {
		t.Errorf("an action without a form leads to %q", got)
	}
	if got := d.doc("a"); got.Status != queue.Pending || got.Iterations != 0 {
		t.Errorf("it was changed: %+v", got)
	}
}

func TestDocumentFormsSayThatAWorkerLosesIt(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleOperator)
	d.put("a", queue.Active)
	for _, name := range []string{"drop", "kill", "complete", "reschedule", "forward"} {
		d.get(docAt("a", name), http.StatusOK).says(t, "form.form", "worker-1 holds it until")
	}
	edit := d.get(docAt("a", "edit"), http.StatusOK)
	edit.says(t, "form.form", "worker-1 holds it and keeps it")
	edit.count(t, "#f-next_iteration[disabled]", 1)
}

func TestDocumentForwardOfATakenSubject(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleOperator)
	d.put("a", queue.Pending)
	if _, err := d.engine.Push(t.Context(), "other", []queue.Push{{Subject: "a"}}, queue.Ignore); err != nil {
		t.Fatal(err)
	}
	form := url.Values{"to_queue": {"other"}, "then": {"drop"}}
	d.leads(d.post(docAt("a", "forward"), form, http.StatusSeeOther), docsURL).says(t, ".toast p", "it ended here, but other has a document of this subject already")
}

// TestDocumentUndo takes back what can be taken back, and offers nothing else.
func TestDocumentUndo(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleOperator)
	for _, test := range []struct {
		action string
		form   url.Values
		status queue.Status
		undo   bool
	}{
		{"run_now", nil, queue.Planned, true}, {"run_now", nil, queue.Pending, true}, {"run_now", nil, queue.Killed, false}, {"run_now", nil, queue.Completed, false},
		{"reschedule", url.Values{"next_iteration": {"+3h"}}, queue.Planned, true}, {"reschedule", url.Values{"next_iteration": {"+3h"}}, queue.Active, false},
		{"edit", url.Values{"payload": {"[1]"}, "priority": {"7"}, "version": {"2"}, "next_iteration": {"+3h"}}, queue.Planned, true},
		{"edit", url.Values{"payload": {"[1]"}}, queue.Active, true},
		{"kill", nil, queue.Pending, false}, {"complete", nil, queue.Pending, false}, {"release", nil, queue.Active, false},
	} {
		d.put("a", test.status)
		before := d.doc("a")
		done := d.leads(d.post(docAt("a", test.action), test.form, http.StatusSeeOther), docAt("a"))
		if got := done.Find(".toast form").Length() == 1; got != test.undo {
			t.Errorf("undo after %s of a %s document: %v, want %v", test.action, test.status, got, test.undo)
		}
		if test.undo {
			action, _ := done.Find(".toast form").Attr("action")
			d.leads(d.post(action, done.form(".toast form"), http.StatusSeeOther), docAt("a"))
			after := d.doc("a")
			if after.Status != before.Status || !after.Next.Equal(before.Next) || !bytes.Equal(after.Payload, before.Payload) ||
				after.Priority != before.Priority || after.Version != before.Version || after.Attempts != before.Attempts {
				t.Errorf("undo of %s: %+v, want %+v", test.action, after, before)
			}
			d.post(action, done.form(".toast form"), http.StatusConflict) // not twice
		}
		if _, err := d.engine.Act(t.Context(), "pages", []queue.Resolution{{Subject: "a", Action: "drop"}}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDocumentEditRefusesWhatWasChangedMeanwhile(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleOperator)
	five, six := 5, 6
	soon := queue.Resolution{Subject: "a", Action: "edit"}
	soon.Next.At = time.Now().Add(30 * time.Minute)
	for name, change := range map[string]queue.Resolution{
		"payload": {Subject: "a", Action: "edit", Payload: []byte(`{"n":"theirs"}`)}, "priority": {Subject: "a", Action: "edit", Priority: &five},
		"version": {Subject: "a", Action: "edit", Version: &six}, "date": soon,
	} {
		d.put("a", queue.Planned)
		form := d.get(docAt("a", "edit"), http.StatusOK).form("form.form")
		form.Set("payload", `{"n":"mine"}`)
		if _, err := d.engine.Act(t.Context(), "pages", []queue.Resolution{change}); err != nil {
			t.Fatal(err)
		}
		before := d.doc("a")
		page := d.postParts(docAt("a", "edit"), form, http.StatusConflict)
		page.says(t, `.notice[data-kind="error"]`, "changed meanwhile")
		page.says(t, "form.form", fmt.Sprintf("version %d, priority %d, planned", before.Version, before.Priority))
		if name == "payload" {
			page.says(t, ".beside", "theirs")
		}
		if got := page.form("form.form").Get("payload"); got != `{"n":"mine"}` {
			t.Errorf("what was typed is lost: %q", got)
		}
		if got := d.doc("a"); !bytes.Equal(got.Payload, before.Payload) {
			t.Errorf("%s: it was saved all the same: %s", name, got.Payload)
		}
		d.leads(d.postParts(docAt("a", "edit"), page.form("form.form"), http.StatusSeeOther), docAt("a"))
		if got := string(d.doc("a").Payload); got != `{"n": "mine"}` {
			t.Errorf("%s: saved over it: %s", name, got)
		}
		d.post(docAt("a", "drop"), nil, http.StatusSeeOther)
	}
}

func TestDocumentEditKeepsWhatWasNotTyped(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleOperator)
	const big = `{"big": 123456789012345678901234567890, "small": 0.1000}`
	d.push(queue.Push{Subject: "a", Payload: []byte(big)})
	before := d.doc("a")
	form := d.get(docAt("a", "edit"), http.StatusOK).form("form.form")
	d.leads(d.postParts(docAt("a", "edit"), form, http.StatusSeeOther), docAt("a")).says(t, ".toast p", "Nothing was changed.")
	form.Set("priority", "12")
	d.leads(d.postParts(docAt("a", "edit"), form, http.StatusSeeOther), docAt("a")).says(t, ".toast p", "Edited a.")
	if got := d.doc("a"); !bytes.Equal(got.Payload, before.Payload) || got.Priority != 12 || !got.Next.Equal(before.Next) || got.Status != queue.Pending {
		t.Errorf("edited to %+v, %s", got, got.Payload)
	}
}
