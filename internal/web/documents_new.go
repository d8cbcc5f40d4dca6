package web

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
	"github.com/fetchq/server/web/templates"
)

// newDocumentNames are the fields of a new document, by the names of the API, in the order of the form.
var newDocumentNames = []string{"subject", "payload", "version", "priority", "next_iteration", "on_conflict"}

func (s *Server) newDocumentPage(c echo.Context) error {
	q, err := s.Engine.Get(c.Request().Context(), c.Param("queue"))
	if err != nil {
		return err
	}
	return s.askNewDocument(c, http.StatusOK, q.Name, values{"subject": c.QueryParam("subject")}, "", "")
}

// askNewDocument shows the form with what was typed, and what was wrong with it.
func (s *Server) askNewDocument(c echo.Context, status int, name string, v values, field, said string) error {
	inputs := templates.NewDocumentInputs(v, field, said)
	f := templates.Confirm{
		Title: "Add a document to " + name, Action: queueURL(name, "documents", "new"), Back: queueURL(name, "documents"), Button: "Add the document",
		Large: true, Inputs: inputs, Wrong: said,
	}
	for _, input := range inputs {
		if input.Name == field {
			f.Wrong = ""
		}
	}
	return s.dialog(c, status, queueFrame(name, "Add a document"), templates.ConfirmForm(f))
}

// addDocument pushes one document, and says in words what became of it.
func (s *Server) addDocument(c echo.Context) error {
	name := c.Param("queue")
	v := values{}
	for _, field := range newDocumentNames {
		v[field] = c.FormValue(field)
	}
	doc, policy, err := v.push()
	var results []queue.Result
	if err == nil {
		results, err = s.Engine.Append(c.Request().Context(), name, "", []queue.Push{doc}, policy)
	}
	if err == nil {
		r := results[0]
		switch r.Outcome {
		case "created":
			return s.done(c, documentURL(name, r.Subject), "Added "+short(r.Subject)+".", nil)
		case "updated":
			return s.done(c, documentURL(name, r.Subject), "Updated "+short(r.Subject)+", which stood here already.", nil)
		case "requeued":
			return s.done(c, documentURL(name, r.Subject), "A worker holds "+short(r.Subject)+"; it goes on with these values when he is done.", nil)
		case "ignored":
			err = errs.Field("subject", "stands in this queue already; nothing was changed. To give it these values, choose update below")
		case "active":
			err = errs.Field("subject", "stands in this queue, and a worker holds it; nothing was changed. Release it first, or choose the last below")
		default:
			err = refusal(r)
		}
	}
	field, said, ok := wrong(err)
	if !ok {
		return err
	}
	return s.askNewDocument(c, http.StatusUnprocessableEntity, name, v, field, said)
}

// push is the document that a form describes. Errors: Invalid, Malformed, TooLarge, with the field.
func (v values) push() (d queue.Push, policy queue.OnConflict, err error) {
	d.Subject = v["subject"]
	if d.Subject != "" {
		if err := wire.CheckSubject(d.Subject); err != nil {
			return d, policy, err
		}
	}
	if d.Payload, err = parsePayload(v["payload"]); err != nil {
		return d, policy, err
	}
	if d.Version, err = parseWithin("version", v["version"], 0, queue.MaxVersion); err != nil {
		return d, policy, err
	}
	if d.Priority, err = parseWithin("priority", v["priority"], -queue.MaxPriority, queue.MaxPriority); err != nil {
		return d, policy, err
	}
	if d.Next, err = parseDate("next_iteration", strings.TrimSpace(v["next_iteration"])); err != nil {
		return d, policy, err
	}
	if policy := queue.OnConflict(v["on_conflict"]); policy == queue.Update || policy == queue.Requeue {
		return d, policy, nil
	}
	return d, queue.Ignore, nil
}

// parsePayload reads a payload of a form and leaves out the space between its parts; of nothing it makes nil. The limits are
// those of the API. Errors: Invalid, Malformed, TooLarge, with the field.
func parsePayload(text string) ([]byte, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	if err := wire.CheckJSON([]byte(text)); err != nil {
		return nil, named("payload", err)
	}
	var small bytes.Buffer
	if err := json.Compact(&small, []byte(text)); err != nil {
		return nil, errs.Field("payload", "is not JSON")
	}
	if small.Len() > wire.MaxPayload {
		return nil, &errs.Error{Code: errs.TooLarge, Field: "payload", Message: "the payload is too large; 1 MiB is allowed"}
	}
	return small.Bytes(), nil
}
