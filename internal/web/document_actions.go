package web

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/web/templates"
)

// action is what somebody may do to a document, whoever holds it.
type action struct {
	name   string // of the API
	word   string
	verb   string // in a title: "Kill 3 documents"
	past   string // in a toast
	Icon   string
	says   string // what happens to a document, after "It" or "Each"
	asks   bool   // it opens a form first; else it does no harm, or can be taken back
	danger bool
	ends   bool // it ends a lease that a worker has
	adds   bool // it pushes into another queue
	// why says in which states it cannot be done, or would change nothing, with the reason.
	why map[queue.Status]string
}

// Reasons of the table.
const (
	held      = "a worker holds it; release it first"
	notKilled = "only a killed document is retried"
	notHeld   = "no worker holds it"
)

// actions is the one table of what can be done to a document in which state.
var actions = []action{
	{
		name: "run_now", word: "Run now", verb: "Run", past: "Made due now:", Icon: "play",
		says: "gets the date now and 0 attempts, and waits for the next worker that asks. What a worker holds is left alone.",
		why:  map[queue.Status]string{queue.Active: held},
	},
	{
		name: "retry", word: "Retry", verb: "Retry", past: "Retried", Icon: "rotate-ccw",
		says: "is due now with 0 attempts, if it was killed. Documents in other states are left alone.",
		why:  map[queue.Status]string{queue.Planned: notKilled, queue.Pending: notKilled, queue.Active: notKilled, queue.Completed: notKilled},
	},
	{
		name: "release", word: "Release", verb: "Release", past: "Released", Icon: "unlock", ends: true,
		why: map[queue.Status]string{queue.Planned: notHeld, queue.Pending: notHeld, queue.Completed: notHeld, queue.Killed: notHeld},
	},
	{
		name: "reschedule", word: "Reschedule", verb: "Reschedule", past: "Rescheduled", Icon: "calendar-clock", asks: true, ends: true,
		says: "gets a new date, whatever its state is, and attempts begin at 0 again.",
	},
	{name: "edit", word: "Edit", verb: "Edit", past: "Edited", Icon: "pencil", asks: true},
	{
		name: "forward", word: "Forward", verb: "Forward", past: "Forwarded", Icon: "forward", asks: true, ends: true, adds: true,
		says: "goes into another queue with its subject, payload, version and priority, and is completed or dropped here: both, or neither.",
	},
	{
		name: "complete", word: "Complete", verb: "Complete", past: "Completed", Icon: "check", asks: true, ends: true,
		says: "is finished: no worker gets it until its date is set again. Payload and log lines stay, and its subject stays taken.",
		why:  map[queue.Status]string{queue.Completed: "it is completed already"},
	},
	{
		name: "kill", word: "Kill", verb: "Kill", past: "Killed", Icon: "circle-x", asks: true, danger: true, ends: true,
		says: "is set aside: no worker gets it until somebody retries it. Payload and log lines stay.",
		why:  map[queue.Status]string{queue.Killed: "it is killed already"},
	},
	{
		name: "drop", word: "Drop", verb: "Drop", past: "Dropped", Icon: "trash-2", asks: true, danger: true, ends: true,
		says: "is removed with its payload, and its subject is free again; log lines stay. This cannot be undone.",
	},
}

// actionOf finds an action by its name. Errors: NotFound.
func actionOf(name string) (action, error) {
	for _, a := range actions {
		if a.name == name {
			return a, nil
		}
	}
	return action{}, errs.New(errs.NotFound, "there is no such action")
}

// bar is why this person cannot do it to a document of this state; "" where nothing is in the way.
func (a action) bar(c echo.Context, status queue.Status) string {
	if !may(c, auth.Act) || a.adds && !may(c, auth.Add) {
		return lacks
	}
	return a.why[status]
}

// actionViews are the buttons of a document's page.
func actionViews(c echo.Context, d queue.Document) []templates.DocumentAction {
	views := make([]templates.DocumentAction, len(actions))
	for i, a := range actions {
		views[i] = templates.DocumentAction{
			Name: a.name, Word: a.word, Icon: a.Icon, Href: hereURL(c, d, a.name), Asks: a.asks, Danger: a.danger,
			Why: a.bar(c, d.Status), Primary: a.name == "retry" && d.Status == queue.Killed,
		}
	}
	return views
}

// documentActionPage opens the form of an action.
func (s *Server) documentActionPage(c echo.Context) error {
	d, a, err := s.actionOn(c)
	if err != nil {
		return err
	}
	if !a.asks {
		return leave(c, hereURL(c, d))
	}
	if a.name == "edit" {
		return s.askEdit(c, http.StatusOK, d, editOf(d), nil)
	}
	return s.askAction(c, http.StatusOK, a, d, nil)
}

// actionOn is the document and the action of a request.
func (s *Server) actionOn(c echo.Context) (queue.Document, action, error) {
	a, err := actionOf(c.Param("action"))
	if err != nil {
		return queue.Document{}, a, err
	}
	d, err := s.document(c)
	return d, a, err
}

// askAction shows the form of an action with what was typed, and what was wrong with it.
func (s *Server) askAction(c echo.Context, status int, a action, d queue.Document, err error) error {
	field, said, _ := wrong(err)
	f := templates.Confirm{
		Title: a.verb + " " + short(d.Subject), Action: hereURL(c, d, a.name), Back: hereURL(c, d),
		Button: a.word, Danger: a.danger, Wrong: said, Says: []string{"It " + a.says},
	}
	switch a.name {
	case "reschedule":
		f.Inputs = []templates.Input{dateInput(c, "Date", field, said)}
		f.Inputs[0].Required, f.Inputs[0].Autofocus = true, true
	case "forward":
		names, err := s.Engine.Names(c.Request().Context())
		if err != nil {
			return err
		}
		f.Inputs = forwardInputs(c, d, names, field, said)
	}
	for _, input := range f.Inputs {
		if input.Name == field {
			f.Wrong = ""
		}
	}
	if d.Status == queue.Active && a.ends {
		f.Says = append(f.Says, firstOf(text(d.Worker), "A worker")+" holds it until "+templates.Stamp(d.Next)+" and loses it: what it reports then changes nothing.")
	}
	if why := a.bar(c, d.Status); why != "" {
		f.Wrong, f.Button, f.Inputs = "This cannot be done now: "+why+".", "", nil
	}
	return s.dialog(c, status, documentFrame(d, a.word), templates.ConfirmForm(f))
}

// dateInput is the field of a date.
func dateInput(c echo.Context, label, field, said string) templates.Input {
	return templates.Input{
		Name: "next_iteration", Label: label, Value: c.FormValue("next_iteration"), Placeholder: "+2h", Max: 64, Wrong: at(field, "next_iteration", said),
		Help: "Such as 2026-11-24T09:00:00Z, or a span from now with a sign, such as +2h or +1 week. What is not ahead is due at once.",
	}
}

func forwardInputs(c echo.Context, d queue.Document, names []string, field, said string) []templates.Input {
	to := templates.Input{Name: "to_queue", Label: "To the queue", Type: "select", Value: c.FormValue("to_queue"), Wrong: at(field, "to_queue", said), Autofocus: true}
	for _, name := range names {
		if name != d.Queue {
			to.Options = append(to.Options, templates.Option{Value: name, Word: name})
		}
	}
	if len(to.Options) == 0 {
		to.Wrong = "there is no other queue"
	}
	then := templates.Input{
		Name: "then", Label: "And here", Type: "select", Value: c.FormValue("then"), Wrong: at(field, "then", said),
		Options: []templates.Option{{Value: "complete", Word: "complete it"}, {Value: "drop", Word: "drop it"}},
	}
	date := dateInput(c, "Date there", field, said)
	date.Placeholder = "now"
	return []templates.Input{to, then, date}
}

// resolution is what a form asks of the engine. Errors: Invalid, with the field.
func (a action) resolution(c echo.Context, d queue.Document) (queue.Resolution, error) {
	r := queue.Resolution{Subject: d.Subject, Action: a.name}
	if a.name != "reschedule" && a.name != "forward" {
		return r, nil
	}
	var err error
	if r.Next, err = parseDate("next_iteration", strings.TrimSpace(c.FormValue("next_iteration"))); err != nil {
		return r, err
	}
	if a.name == "reschedule" {
		if r.Next.IsZero() {
			err = errs.Field("next_iteration", "a date is wanted")
		}
		return r, err
	}
	r.ToQueue, r.Then = c.FormValue("to_queue"), firstOf(c.FormValue("then"), "complete")
	if r.ToQueue == d.Queue {
		err = errs.Field("to_queue", "it stands in this queue already; another one is wanted")
	}
	return r, err
}
