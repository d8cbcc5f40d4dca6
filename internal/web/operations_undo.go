package web

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/operations"
	"github.com/fetchq/server/web/templates"
)

// whyNoUndo is why this person cannot undo an operation; "": nothing is in the way.
func (s *Server) whyNoUndo(c echo.Context, o operations.Operation) (string, error) {
	if !may(c, auth.Act) {
		return lacks, nil
	}
	return s.Operations.WhyNoUndo(c.Request().Context(), o.ID)
}

func (s *Server) undoOperationPage(c echo.Context) error {
	o, err := s.operationOf(c)
	if err != nil {
		return err
	}
	return s.askUndo(c, http.StatusOK, o, "")
}

// askUndo says what an undo would do, or why it cannot be.
func (s *Server) askUndo(c echo.Context, status int, o operations.Operation, refused string) error {
	f := templates.Confirm{
		Title: "Undo: " + operationTitle(o) + " in " + o.Queue, Action: operationURL(o, "/undo"), Back: operationURL(o, ""), Button: "Undo it", Wrong: refused,
		Says: []string{
			templates.Exact(o.Done) + " documents get back what they had: state, date, priority and attempts.",
			"What anybody changed or picked since is left alone. What a worker held when this took it away is due again.",
		},
	}
	if o.Action == operations.Move {
		f.Says[0] = templates.Exact(o.Done) + " documents go back into " + o.Queue + ", as they are now."
	}
	why, err := s.whyNoUndo(c, o)
	if err != nil {
		return err
	}
	if why != "" {
		f.Button, f.Says, f.Wrong = "", nil, "It cannot be undone: "+why+"."
	}
	return s.dialog(c, status, operationFrame(o, "Undo"), templates.ConfirmForm(f))
}

func (s *Server) undoOperation(c echo.Context) error {
	o, err := s.operationOf(c)
	if err != nil {
		return err
	}
	undo, err := s.Operations.Undo(c.Request().Context(), o.ID, s.askedBy(c))
	if _, said, ok := wrong(err); ok {
		return s.askUndo(c, http.StatusUnprocessableEntity, o, "It cannot be undone: "+said+".")
	} else if err != nil {
		return err
	}
	if c.FormValue("back") != "" { // from what a list was told
		return s.told(c, undo, "Put back", back(c, "/operations"))
	}
	return s.done(c, operationURL(undo, ""), "Started: undo of "+operationTitle(o)+" in "+o.Queue+".", nil)
}
