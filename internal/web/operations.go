package web

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/catalog"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/operations"
	"github.com/fetchq/server/web/templates"
)

func (s *Server) operationsRoutes() {
	s.share("/operations", s.operationsPage)
	s.share("/operations/:id", s.operationPage)
	s.guard(http.MethodGet, "/operations/:id/cancel", auth.Add, s.cancelOperationPage)
	s.guard(http.MethodPost, "/operations/:id/cancel", auth.Add, s.cancelOperation)
	s.guard(http.MethodGet, "/operations/:id/undo", auth.Act, s.undoOperationPage)
	s.guard(http.MethodPost, "/operations/:id/undo", auth.Act, s.undoOperation)
	s.guard(http.MethodGet, "/queues/:queue/operations/new", auth.Act, s.newOperationPage)
	s.guard(http.MethodPost, "/queues/:queue/operations/new", auth.Act, s.createOperation)
}

const (
	operationsPerPage = 50
	failuresPerPage   = 100
)

// operationsPage lists the operations of all queues, or of one, newest first.
func (s *Server) operationsPage(c echo.Context) (frame, templ.Component, error) {
	ctx := c.Request().Context()
	p := operations.ListParams{State: c.QueryParam("state"), Limit: operationsPerPage, Cursor: c.QueryParam("cursor")}
	v := templates.OperationsView{Queue: c.QueryParam("queue"), State: p.State, States: operations.States, Paged: p.Cursor != ""}
	if v.Queue != "" {
		p.Queues = []string{v.Queue}
	}
	list, next, err := s.Operations.List(ctx, p)
	if err != nil {
		return frame{}, nil, err
	}
	queues, err := s.board.summaries(ctx)
	if err != nil {
		return frame{}, nil, err
	}
	for _, q := range queues {
		v.Queues = append(v.Queues, q.Name)
	}
	for _, o := range list {
		v.Rows = append(v.Rows, operationRow(o))
	}
	if next != "" {
		v.Pager.Next = "/operations?" + url.Values{"queue": {v.Queue}, "state": {v.State}, "cursor": {next}}.Encode()
	}
	v.Pager.Note = shortNote(len(list), operationsPerPage, next != "")
	f := frame{title: "Operations", section: "Operations", crumbs: []templates.Crumb{{Word: "Operations"}}, live: true}
	if v.Queue != "" {
		f.crumbs = queueFrame(v.Queue, "Operations").crumbs
	}
	return f, templates.Operations(v), nil
}

func operationURL(o operations.Operation, below string) string {
	return "/operations/" + o.ID.String() + below
}

// operationRow is what lists and the page of an operation say of it.
func operationRow(o operations.Operation) templates.OperationRow {
	r := templates.OperationRow{
		Href: operationURL(o, ""), Title: operationTitle(o), Queue: o.Queue, State: o.State, By: o.AskedBy, Created: o.CreatedAt, Finished: o.FinishedAt,
		Done: o.Done, Failed: o.Failed, Which: whichWords(o), UnderWay: !o.Over(),
	}
	if share, known := o.Progress(); known {
		percent := 100 * share
		r.Percent = &percent
		if seen := o.Done + o.LeftAlone + o.Failed; seen > 0 {
			r.FailedPercent = percent * float64(o.Failed) / float64(seen)
		}
	}
	return r
}

// operationTitle says what an operation does, as in "Move to images".
func operationTitle(o operations.Operation) string {
	switch o.Action {
	case operations.Backup, operations.Verify, operations.Restore:
		return runTitle(o)
	case operations.Import:
		return "Import"
	case operations.Undo:
		return "Undo"
	}
	word := o.Action
	if a, err := bulkOf(o.Action); err == nil {
		word = a.word
	}
	switch {
	case o.ToQueue != nil:
		word += " to " + *o.ToQueue
	case o.Priority != nil:
		word += " to " + strconv.Itoa(*o.Priority)
	case o.NextIteration != nil:
		word += " to " + templates.Stamp(*o.NextIteration)
	}
	return word
}

// operationIn is the title with the queue, where there is one.
func operationIn(o operations.Operation) string {
	if catalog.Is(o) {
		return operationTitle(o)
	}
	return operationTitle(o) + " in " + o.Queue
}

// cancelWords say what it means to cancel an operation on backups.
var cancelWords = map[string][]string{
	operations.Backup:  {"It stops within a few seconds, and what was written of the backup is removed. Queues are not touched."},
	operations.Verify:  {"It stops within a few seconds. Nothing is changed by it, whole or in part."},
	operations.Restore: {"It stops within a few seconds. Queues are as they were: they are replaced all at once, at the very end."},
}

// whichWords says which documents an operation is for.
func whichWords(o operations.Operation) string {
	switch {
	case catalog.Is(o):
		return runFigures(o)
	case o.Format != nil:
		return strings.ToUpper(*o.Format)
	case o.Undoes != nil:
		return "those that another operation changed, and nobody since"
	case o.Filter == nil:
		if o.Total != nil {
			return documentsWord(int(*o.Total)) + " by name"
		}
		return "those that were named"
	}
	return filterWords(*o.Filter)
}

// filterWords says which documents a filter chooses.
func filterWords(f operations.Filter) string {
	var parts []string
	add := func(there bool, word, value string) {
		if there {
			parts = append(parts, word+value)
		}
	}
	add(f.Status != "", "", f.Status)
	add(f.SubjectPrefix != "", "subject begins with ", short(f.SubjectPrefix))
	if f.Version != nil {
		add(true, "version ", strconv.Itoa(*f.Version))
	}
	if f.Priority != nil {
		add(true, "priority ", strconv.Itoa(*f.Priority))
	}
	add(f.AttemptsMin > 0, "attempts at least ", strconv.Itoa(f.AttemptsMin))
	add(f.Worker != "", "worker ", f.Worker)
	add(f.Fingerprint != "", "last error in the group ", f.Fingerprint)
	for _, m := range []struct {
		word string
		at   *time.Time
	}{
		{"due from ", f.DueAfter}, {"due before ", f.DueBefore}, {"finished from ", f.FinishedAfter}, {"finished before ", f.FinishedBefore},
		{"created from ", f.CreatedAfter}, {"created before ", f.CreatedBefore},
	} {
		if m.at != nil {
			add(true, m.word, templates.Stamp(*m.at))
		}
	}
	add(f.Payload != nil, "payload contains ", short(string(f.Payload)))
	if parts == nil {
		return "all documents"
	}
	return strings.Join(parts, ", ")
}

// operationOf finds the operation of a path. Errors: NotFound.
func (s *Server) operationOf(c echo.Context) (operations.Operation, error) {
	id, err := uuid.Parse(c.Param("id"))
	if err != nil {
		return operations.Operation{}, errs.New(errs.NotFound, "there is no such operation")
	}
	return s.Operations.Get(c.Request().Context(), id)
}

// operationPage shows how far an operation is, who asked for it, and what went wrong.
func (s *Server) operationPage(c echo.Context) (frame, templ.Component, error) {
	o, err := s.operationOf(c)
	if err != nil {
		return frame{}, nil, err
	}
	if catalog.Is(o) {
		return s.runPage(c, o)
	}
	v := templates.OperationView{
		OperationRow: operationRow(o), ID: o.ID.String(), As: o.AskedAs, From: text(o.AskedFrom), Started: o.StartedAt, Message: text(o.Message),
		OnConflict: text(o.OnConflict), CanceledBy: text(o.CanceledBy), Error: text(o.Error), LeftAlone: o.LeftAlone, Added: o.Created,
		Import: o.Action == operations.Import, Cancel: operationURL(o, "/cancel"), WhyNoCancel: s.whyNoCancel(c, o), Most: operations.MaxFailures,
	}
	if o.Over() {
		if v.WhyNoUndo, err = s.whyNoUndo(c, o); err != nil {
			return frame{}, nil, err
		}
		v.Undo = operationURL(o, "/undo")
	}
	if o.Undoes != nil {
		v.Undoes = "/operations/" + o.Undoes.String()
	}
	after, _ := strconv.Atoi(c.QueryParam("after"))
	list, err := s.Operations.Failures(c.Request().Context(), o.ID, failuresPerPage, max(after, 0))
	if err != nil {
		return frame{}, nil, err
	}
	for _, f := range list {
		row := templates.FailureRow{Line: f.Line, Detail: f.Detail, Subject: text(f.Subject)}
		if f.Subject != nil {
			row.Href = documentURL(o.Queue, *f.Subject)
		}
		v.Failures = append(v.Failures, row)
	}
	if n := len(list); n == failuresPerPage && list[n-1].Number < int(min(o.Failed, operations.MaxFailures)) {
		v.Pager.Next = operationURL(o, "?after="+strconv.Itoa(list[n-1].Number))
	}
	v.Pager.Note = shortNote(len(list), failuresPerPage, v.Pager.Next != "")
	return operationFrame(o, ""), templates.Operation(v), nil
}

// operationFrame is the frame of a page about an operation, which changes with its queue.
func operationFrame(o operations.Operation, word string) frame {
	title := operationIn(o)
	f := frame{title: title, section: "Operations", live: true, queue: o.Queue, crumbs: []templates.Crumb{{Word: "Operations", Href: "/operations"}, {Word: title}}}
	if word != "" {
		f.crumbs[1].Href = operationURL(o, "")
		f.crumbs = append(f.crumbs, templates.Crumb{Word: word})
	}
	return f
}

// whyNoCancel is why this person cannot cancel an operation; "": nothing is in the way. Who may add documents may end an import.
func (s *Server) whyNoCancel(c echo.Context, o operations.Operation) string {
	needs := auth.Act
	switch {
	case o.Action == operations.Import:
		needs = auth.Add
	case catalog.Is(o):
		needs = auth.Backup
	}
	switch {
	case o.Over():
		return "it is over"
	case !may(c, needs):
		return lacks
	}
	return ""
}

func (s *Server) cancelOperationPage(c echo.Context) error {
	o, err := s.operationOf(c)
	if err != nil {
		return err
	}
	f := templates.Confirm{
		Title: "Cancel: " + operationIn(o), Action: operationURL(o, "/cancel"), Back: operationURL(o, ""), Button: "Cancel the operation", Stay: "Let it go on", Danger: true,
		Says: []string{"It stops behind the batch that runs, within a second. What was done stays: " + templates.Exact(o.Done) + " documents by now."},
	}
	if catalog.Is(o) {
		f.Says = cancelWords[o.Action]
	}
	if why := s.whyNoCancel(c, o); why != "" {
		f.Button, f.Stay, f.Wrong = "", "Back", "It cannot be canceled: "+why+"."
	}
	return s.dialog(c, http.StatusOK, operationFrame(o, "Cancel"), templates.ConfirmForm(f))
}

func (s *Server) cancelOperation(c echo.Context) error {
	o, err := s.operationOf(c)
	if err != nil {
		return err
	}
	switch s.whyNoCancel(c, o) {
	case "":
	case lacks:
		return errs.New(errs.Forbidden, "%s", lacks)
	default:
		return s.done(c, operationURL(o, ""), "The operation was over before.", nil)
	}
	me, _ := userOf(c)
	o, err = s.Operations.Cancel(c.Request().Context(), o.ID, me.Email)
	if err != nil {
		return err
	}
	if o.State != operations.Canceled {
		return s.done(c, operationURL(o, ""), "The operation was over before.", nil)
	}
	if catalog.Is(o) {
		return s.done(c, operationURL(o, ""), "Canceled.", nil)
	}
	return s.done(c, operationURL(o, ""), "Canceled. "+templates.Exact(o.Done)+" documents were done before.", nil)
}

// askedBy is who is signed in, as an operation keeps it.
func (s *Server) askedBy(c echo.Context) operations.Asked {
	me, _ := userOf(c)
	id, _ := c.Get(idKey).(string)
	return operations.Asked{By: me.Email, As: "user", From: s.Proxies.Address(c.Request()), RequestID: id}
}

// fieldOf returns the field of an error without the name of the filter before it.
func fieldOf(err error) string {
	var e *errs.Error
	if errors.As(err, &e) {
		return strings.TrimPrefix(e.Field, "filter.")
	}
	return ""
}
