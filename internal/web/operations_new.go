package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/operations"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/web/templates"
)

// bulkNames are what can be done to all documents that match, in the order of the menu.
var bulkNames = []string{"run_now", "retry", "reschedule", "set_priority", "complete", "move", "kill", "drop"}

// bulkOnly are those of them that are nothing for a single document.
var bulkOnly = []action{
	{name: operations.SetPriority, word: "Set priority", verb: "Set the priority of", past: "Set the priority of", Icon: "arrow-up-down", says: "gets this priority, the higher goes first; nothing else of it changes."},
	{
		name: operations.Move, word: "Move", verb: "Move", past: "Moved", Icon: "arrow-right-left", ends: true,
		says: "goes into another queue as it is, with its state, date and attempts. Where its subject is taken there, it stays here.",
	},
}

// bulkOf finds an action for many documents. Errors: NotFound.
func bulkOf(name string) (action, error) {
	for _, a := range bulkOnly {
		if a.name == name {
			return a, nil
		}
	}
	if !slices.Contains(bulkNames, name) {
		return action{}, errs.New(errs.NotFound, "there is no such action for many documents")
	}
	return actionOf(name)
}

// bulkMenu are the forms for the documents of a list, those that are selected or all; those are left out that would change none of them.
func bulkMenu(at documentsQuery) []templates.BulkAction {
	var menu []templates.BulkAction
	status, chosen := queue.ParseStatus(at.filters["status"])
	for _, name := range bulkNames {
		a, err := bulkOf(name)
		if err != nil || chosen && a.why[status] != "" {
			continue
		}
		q := url.Values{"action": {name}}
		for field, value := range at.filters {
			if value != "" {
				q.Set("filter."+field, value)
			}
		}
		menu = append(menu, templates.BulkAction{
			Name: name, Word: a.word, Icon: a.Icon, Danger: a.danger, Href: queueURL(at.queue, "operations", "new") + "?" + q.Encode(),
		})
	}
	return menu
}

// bulkForm is the form of an operation as it was opened or sent.
type bulkForm struct {
	action
	at                               documentsQuery
	message, priority, date, toQueue string
	key                              string // makes a form that is sent twice one operation
	confirm                          string
	list                             string // where the documents were selected; "": it is for all that match
	request                          operations.Request
}

// readBulk reads the form, which is for the documents that it names where these were selected, and else for all that fit its filter. Errors:
// NotFound (action), Invalid (a field).
func (s *Server) readBulk(c echo.Context, named bool) (f bulkForm, err error) {
	f = bulkForm{
		at: documentsQuery{queue: c.Param("queue"), filters: values{}, size: pageSizes[0]}, message: strings.TrimSpace(c.FormValue("message")), priority: c.FormValue("priority"),
		date: strings.TrimSpace(c.FormValue("next_iteration")), toQueue: c.FormValue("to_queue"), key: c.FormValue("key"), confirm: c.FormValue("confirm"),
	}
	if f.action, err = bulkOf(c.FormValue("action")); err != nil {
		return f, err
	}
	f.request = operations.Request{Queue: f.at.queue, Action: f.name, Message: f.message, Asked: s.askedBy(c)}
	if named {
		f.list = back(c, f.at.url("", ""))
		f.request.Subjects, err = selected(c)
		return f, err
	}
	for _, name := range append([]string{"status", "fingerprint"}, filterNames...) {
		f.at.filters[name] = c.FormValue("filter." + name)
	}
	of, err := f.at.filter(s.Now())
	if err != nil {
		return f, err
	}
	filter := operationFilter(of)
	filter.Fingerprint = f.at.filters["fingerprint"]
	f.request.Filter = &filter
	return f, nil
}

// fields reads what only some actions have. Errors: Invalid, with the field.
func (f *bulkForm) fields() (err error) {
	switch f.name {
	case operations.SetPriority:
		if f.request.Priority, err = parseWithin("priority", f.priority, -queue.MaxPriority, queue.MaxPriority); err == nil && f.request.Priority == nil {
			return errs.Field("priority", "a priority is wanted")
		}
	case operations.Reschedule:
		if f.request.Next, err = parseDate("next_iteration", f.date); err == nil && f.date == "" {
			return errs.Field("next_iteration", "a date is wanted")
		}
	case operations.Move:
		if f.request.ToQueue = f.toQueue; f.toQueue == "" {
			return errs.Field("to_queue", "a queue is wanted")
		}
	}
	return err
}

func (s *Server) newOperationPage(c echo.Context) error {
	f, err := s.readBulk(c, false)
	if err != nil {
		return err
	}
	f.key = uuid.NewString()
	return s.askOperation(c, http.StatusOK, f, "", "")
}

// askOperation asks before something is done to many documents, and says how many these are.
func (s *Server) askOperation(c echo.Context, status int, f bulkForm, field, said string) error {
	ctx := c.Request().Context()
	count := f.request
	count.Message = ""
	if f.name == operations.SetPriority || f.name == operations.Reschedule || f.name == operations.Move {
		count.Action = operations.Drop // for any that match: what these want is not known yet
		count.Priority, count.Next, count.ToQueue = nil, operations.Request{}.Next, ""
	}
	n, err := s.Operations.Count(ctx, count)
	form := templates.Confirm{
		Title: f.title(), Action: queueURL(f.at.queue, "operations", "new"), Back: f.back(), Button: f.button(n), Danger: f.danger, Fields: f.hidden(),
	}
	if _, text, ok := wrong(err); ok {
		form.Button, form.Wrong = "", text
		return s.dialog(c, http.StatusOK, queueFrame(f.at.queue, f.word), templates.ConfirmForm(form))
	} else if err != nil {
		return err
	}
	form.Says = f.sentences(n)
	if n.Exact && n.Documents == 0 {
		form.Button, form.Wrong = "", "None of them would change: they are gone, or in another state."
		return s.dialog(c, http.StatusOK, queueFrame(f.at.queue, f.word), templates.ConfirmForm(form))
	}
	form.Inputs, err = s.bulkInputs(c, f, field, said)
	if err != nil {
		return err
	}
	form.Wrong = said
	for _, input := range form.Inputs {
		if input.Name == field {
			form.Wrong = ""
		}
	}
	if f.wipes() {
		form.Typed = f.at.queue
	}
	return s.dialog(c, status, queueFrame(f.at.queue, f.word), templates.ConfirmForm(form))
}

// selectedRows is what a form says of its documents that were selected in a list.
const selectedRows = "selected"

func (f *bulkForm) title() string {
	if f.list != "" {
		return f.verb + " " + documentsWord(len(f.request.Subjects)) + " of " + f.at.queue
	}
	return f.verb + " all that match in " + f.at.queue
}

// hidden are the fields that say again what was asked.
func (f *bulkForm) hidden() []templates.Field {
	fields := []templates.Field{{Name: "action", Value: f.name}, {Name: "key", Value: f.key}}
	if f.list != "" {
		fields = append(fields, templates.Field{Name: "which", Value: selectedRows}, templates.Field{Name: "back", Value: f.list})
		for _, subject := range f.request.Subjects {
			fields = append(fields, templates.Field{Name: "subject", Value: url.QueryEscape(subject)})
		}
		return fields
	}
	for name, value := range f.at.filters {
		if value != "" {
			fields = append(fields, templates.Field{Name: "filter." + name, Value: value})
		}
	}
	slices.SortFunc(fields, func(a, b templates.Field) int { return strings.Compare(a.Name, b.Name) })
	return fields
}

// sentences say what would be done, and to how many.
func (f *bulkForm) sentences(n operations.Count) []string {
	const loses = "A worker that holds one of them loses it."
	if f.list != "" {
		who := "Each "
		if len(f.request.Subjects) == 1 {
			who = "It "
		}
		says := []string{namesOf(f.request.Subjects), who + f.says}
		if left := int64(len(f.request.Subjects)) - n.Documents; left > 0 {
			says = append(says, templates.Exact(left)+" of them would be left alone: gone, or in another state.")
		}
		if f.ends {
			says = append(says, loses)
		}
		return says
	}
	says := []string{countWords(n) + " in " + f.at.queue + ": " + filterWords(*f.request.Filter) + ".", "Each " + f.says}
	if f.ends && (f.request.Filter.Status == "" || f.request.Filter.Status == "active") {
		says = append(says, loses)
	}
	return append(says, "This goes on in the background, and can be canceled. What enters the queue, or changes its state, before its turn comes is left alone.")
}

// back is where the form was opened: the list of documents, or the page of a group of errors.
func (f *bulkForm) back() string {
	if f.list != "" {
		return f.list
	}
	if group := f.at.filters["fingerprint"]; group != "" {
		return queueURL(f.at.queue, "errors") + "?fingerprint=" + url.QueryEscape(group)
	}
	return f.at.url("", "")
}

// wipes says whether the form is to drop all documents of its queue, which wants the queue's name.
func (f *bulkForm) wipes() bool {
	return f.name == operations.Drop && f.request.Filter != nil && f.request.Filter.All()
}

// button says what it does, and to how many where that is known.
func (f *bulkForm) button(n operations.Count) string {
	if n.Exact && n.Documents > 0 {
		return f.verb + " " + documentsWord(int(n.Documents))
	}
	return f.verb + " all that match"
}

// countWords says how many documents an operation is for.
func countWords(n operations.Count) string {
	switch {
	case !n.Exact:
		return "At least " + templates.Exact(n.Documents) + " documents match"
	case n.Documents == 1:
		return "1 document matches"
	}
	return templates.Exact(n.Documents) + " documents match"
}

// bulkInputs are the fields that an action wants.
func (s *Server) bulkInputs(c echo.Context, f bulkForm, field, said string) ([]templates.Input, error) {
	var inputs []templates.Input
	switch f.name {
	case operations.SetPriority:
		inputs = append(inputs, templates.Input{
			Name: "priority", Label: "Priority", Value: f.priority, Max: 10, Autofocus: true, Wrong: at(field, "priority", said), Help: "-32,767 to 32,767.",
		})
	case operations.Reschedule:
		inputs = append(inputs, templates.Input{
			Name: "next_iteration", Label: "Date", Value: f.date, Max: 64, Autofocus: true, Wrong: at(field, "next_iteration", said),
			Help: "When all of them become due: 2026-11-24T09:00:00Z, or a span from now with a sign, such as +2h.",
		})
	case operations.Move:
		queues, err := s.board.summaries(c.Request().Context())
		if err != nil {
			return nil, err
		}
		options := []templates.Option{{Word: "choose a queue"}}
		for _, q := range queues {
			if q.Name != f.at.queue {
				options = append(options, templates.Option{Value: q.Name, Word: q.Name})
			}
		}
		inputs = append(inputs, templates.Input{Name: "to_queue", Label: "Into the queue", Type: "select", Value: f.toQueue, Options: options, Wrong: at(field, "to_queue", said)})
	}
	return append(inputs, templates.Input{
		Name: "message", Label: "Note", Value: f.message, Max: operations.MaxMessage, Placeholder: "none", Autocomplete: "off", Wrong: at(field, "message", said),
		Help: "Is written to the log of each document.",
	}), nil
}

// createOperation asks for the operation and leads to its page.
func (s *Server) createOperation(c echo.Context) error {
	f, err := s.readBulk(c, c.FormValue("which") == selectedRows)
	if err != nil {
		return err
	}
	if f.list != "" && len(f.request.Subjects) == 0 {
		return s.sayNone(c, http.StatusUnprocessableEntity, f)
	}
	if f.wipes() && f.confirm != f.at.queue {
		return s.askOperation(c, http.StatusUnprocessableEntity, f, "confirm", "The name that you typed is not that of the queue. Nothing was dropped.")
	}
	if _, err := s.Engine.Get(c.Request().Context(), f.at.queue); err != nil {
		return err
	}
	var o operations.Operation
	if err = f.fields(); err == nil {
		me, _ := userOf(c)
		if f.key != "" {
			f.request.Key = me.ID.String() + " " + f.key
		}
		o, err = s.Operations.Create(c.Request().Context(), f.request)
	}
	if _, said, ok := wrong(err); ok {
		return s.askOperation(c, http.StatusUnprocessableEntity, f, fieldOf(err), said)
	} else if err != nil {
		return err
	}
	if f.list != "" {
		return s.told(c, o, f.past, f.list)
	}
	return s.done(c, operationURL(o, ""), "Started: "+operationTitle(o)+" in "+o.Queue+".", nil)
}
