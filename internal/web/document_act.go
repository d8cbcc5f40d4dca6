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

// documentAct does one thing to a document, and says what became of it where it was asked for.
func (s *Server) documentAct(c echo.Context) error {
	d, a, err := s.actionOn(c)
	if err != nil {
		return err
	}
	if a.adds && !may(c, auth.Add) {
		return errs.New(errs.Forbidden, "%s", lacks)
	}
	if a.name == "edit" {
		return s.edit(c, d)
	}
	if why := a.why[d.Status]; why != "" {
		return s.refuse(c, a, d, &errs.Error{Code: errs.Active, Message: why})
	}
	r, err := a.resolution(c, d)
	if err != nil {
		return s.refuse(c, a, d, err)
	}
	result, err := s.actOnce(c, d.Queue, r)
	if err != nil {
		return s.refuse(c, a, d, err)
	}
	to, said := hereURL(c, d), a.past+" "+short(d.Subject)
	if a.name == "drop" || r.Then == "drop" {
		to = listOf(c, d.Queue).url("", "")
	}
	switch {
	case result.Outcome == "exists":
		said += ": it ended here, but " + r.ToQueue + " has a document of this subject already, which was left as it is"
	case a.name == "forward":
		said += " to " + r.ToQueue
	}
	return s.done(c, to, said+".", dateUndo(a, d, result))
}

// actOnce carries out one action. Errors: those of its outcome.
func (s *Server) actOnce(c echo.Context, name string, r queue.Resolution) (queue.Result, error) {
	results, err := s.Engine.Act(c.Request().Context(), name, []queue.Resolution{r})
	if err != nil {
		return queue.Result{}, err
	}
	return results[0], refusal(results[0])
}

// refusal is the error of an outcome that is none of success. A forward that finds its subject taken is one: the document ends.
func refusal(r queue.Result) error {
	switch r.Outcome {
	case "invalid":
		field, _, _ := strings.Cut(r.Detail, " ")
		return errs.Field(strings.TrimRight(field, ":,"), "%s", r.Detail)
	case "active":
		return errs.New(errs.Active, "%s", held)
	case "not_found":
		return &errs.Error{Code: errs.NotFound, Field: "subject", Message: "there is no such document in this queue any more"}
	}
	return nil
}

// refuse says why something was not done: in its form, or, where it has none, above the document.
func (s *Server) refuse(c echo.Context, a action, d queue.Document, err error) error {
	_, said, ok := wrong(err)
	if !ok {
		return err
	}
	status := errs.Of(err).Status()
	if a.asks {
		return s.askAction(c, status, a, d, err)
	}
	return s.showDocument(c, status, d, a.word+" was not done: "+said+".")
}

// dateUndo takes a new date back. It is offered where the document then ends as it was: what waited with no attempts made.
func dateUndo(a action, d queue.Document, r queue.Result) *templates.Undo {
	if a.name != "run_now" && a.name != "reschedule" || d.Status != queue.Planned && d.Status != queue.Pending || d.Attempts > 0 {
		return nil
	}
	return &templates.Undo{Action: documentURL(d.Queue, d.Subject, "edit"), Fields: []templates.Field{
		{Name: "next_iteration", Value: templates.Machine(d.Next)}, {Name: "was_next_iteration", Value: templates.Machine(r.Next)},
	}}
}

// payload answers the whole payload of a document, as a file that no browser shows as a page.
func (s *Server) payload(c echo.Context) error {
	d, err := s.document(c)
	if err != nil {
		return err
	}
	return attach(c, "payload.json", d.Payload)
}

func attach(c echo.Context, name string, text []byte) error {
	c.Response().Header().Set(echo.HeaderContentDisposition, `attachment; filename="`+name+`"`)
	return c.Blob(http.StatusOK, echo.MIMEApplicationJSON, text)
}
