package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
	"github.com/fetchq/server/web/templates"
)

const (
	mostEdited = 3 << 19  // bytes of payload in a form; some payloads are longer as Postgres writes them than as they came
	mostUndone = 16 << 10 // bytes of payload that a toast can put back
)

// editNames are the fields of the form, by the names of the API. Each has a hidden one before it, was_…, with what stood there
// when it was opened: of a payload its digest, for the form could not hold it twice.
var editNames = []string{"payload", "priority", "version", "next_iteration"}

// stands is what a document has in the fields of the form, for the was_… fields. The date of an active document is the end
// of its lease, which moves by itself and is nobody's edit.
func stands(d queue.Document) values {
	sum := sha256.Sum256(d.Payload)
	v := values{"payload": hex.EncodeToString(sum[:]), "priority": strconv.Itoa(d.Priority), "version": strconv.Itoa(d.Version)}
	if d.Status != queue.Active {
		v["next_iteration"] = templates.Machine(d.Next)
	}
	return v
}

// editOf is the form as it opens.
func editOf(d queue.Document) values {
	v := stands(d)
	v["payload"] = templates.Pretty(d.Payload, wire.MaxPayload)
	return v
}

// askEdit shows the form with what was typed, and what was wrong with it.
func (s *Server) askEdit(c echo.Context, status int, d queue.Document, v values, err error) error {
	field, said, _ := wrong(err)
	f := templates.Confirm{
		Title: "Edit " + short(d.Subject), Action: hereURL(c, d, "edit"), Back: hereURL(c, d), Button: "Save",
		Large: true, Wrong: said, Inputs: templates.EditInputs(v, field, said, lockedDate(d), lockedPayload(d)),
	}
	for _, input := range f.Inputs {
		if input.Name == field {
			f.Wrong = ""
		}
	}
	was := stands(d)
	for _, name := range editNames {
		if was[name] != "" {
			f.Fields = append(f.Fields, templates.Field{Name: "was_" + name, Value: was[name]})
		}
	}
	if d.Status == queue.Active {
		f.Says = append(f.Says, firstOf(text(d.Worker), "A worker")+" holds it and keeps it: a payload that it reports at the end takes the place of this one.")
	}
	if errs.Of(err) == errs.Stale {
		f.Button = "Save over it"
		f.Diff = templates.Diff(editText(editOf(d), d.Payload), editText(v, []byte(v["payload"])))
		f.Beside = &templates.Beside{
			Word: "What stands there now: version " + was["version"] + ", priority " + was["priority"] + ", " + d.Status.String() + ", date " + templates.Stamp(d.Next),
			Text: templates.Pretty(d.Payload, mostUndone),
		}
	}
	if why := editAction().bar(c, d.Status); why != "" {
		f.Wrong, f.Button, f.Inputs = why, "", nil
	}
	return s.dialog(c, status, documentFrame(d, "Edit"), templates.ConfirmForm(f))
}

// editText is what a form says, a line for each field and for each of the payload.
func editText(v values, payload []byte) string {
	var b strings.Builder
	for _, name := range []string{"priority", "version", "next_iteration"} {
		if v[name] != "" {
			b.WriteString(name + ": " + v[name] + "\n")
		}
	}
	return b.String() + templates.Pretty(payload, wire.MaxPayload)
}

func editAction() action {
	a, _ := actionOf("edit")
	return a
}

// lockedDate is why the date cannot be edited.
func lockedDate(d queue.Document) string {
	switch d.Status {
	case queue.Active:
		return "The date is the end of the lease while a worker holds it."
	case queue.Completed, queue.Killed:
		return "It is finished: reschedule gives it a date again."
	case queue.Planned, queue.Pending:
	}
	return ""
}

// lockedPayload is why the payload cannot be edited.
func lockedPayload(d queue.Document) string {
	if d.Veiled {
		return "Parts of the payload are hidden from your role, and would be lost."
	}
	if len(d.Payload) > mostEdited {
		return "The payload is too long for a form; edit it by the API."
	}
	return ""
}

// edit changes what somebody changed in the form, and nothing where somebody else did so meanwhile.
func (s *Server) edit(c echo.Context, d queue.Document) error {
	form, err := c.FormParams()
	if err != nil {
		return err
	}
	typed := values{}
	for _, name := range editNames {
		if form.Has(name) {
			typed[name] = form.Get(name)
		}
	}
	now := stands(d)
	for _, name := range editNames {
		if was := form.Get("was_" + name); was != "" && now[name] != "" && was != now[name] {
			return s.askEdit(c, http.StatusConflict, d, typed.over(editOf(d)), errs.New(errs.Stale,
				"Nothing was saved: the document was changed meanwhile. What stands there now is shown below; what you typed is kept above it."))
		}
	}
	r, err := typed.edited(d)
	if err == nil && r.Payload == nil && r.Priority == nil && r.Version == nil && r.Next.IsZero() {
		return s.done(c, hereURL(c, d), "Nothing was changed.", nil)
	}
	if err == nil {
		_, err = s.actOnce(c, d.Queue, r)
	}
	if _, _, ok := wrong(err); ok {
		return s.askEdit(c, errs.Of(err).Status(), d, typed.over(editOf(d)), err)
	}
	if err != nil {
		return err
	}
	u, err := s.editUndo(c, d, r)
	if err != nil {
		return err
	}
	return s.done(c, hereURL(c, d), "Edited "+short(d.Subject)+".", u)
}

// over fills in what a form did not send.
func (v values) over(all values) values {
	for name, value := range v {
		all[name] = value
	}
	return all
}

// edited is what the form changes. Errors: Invalid, Malformed, TooLarge, with the field.
func (v values) edited(d queue.Document) (r queue.Resolution, err error) {
	r = queue.Resolution{Subject: d.Subject, Action: "edit"}
	if typed, sent := v["payload"]; sent {
		if r.Payload, err = parsePayload(typed); err != nil {
			return r, err
		}
		if r.Payload == nil {
			return r, errs.Field("payload", "a JSON value is wanted, such as {}")
		}
		var stored bytes.Buffer
		if json.Compact(&stored, d.Payload) == nil && bytes.Equal(stored.Bytes(), r.Payload) {
			r.Payload = nil
		}
	}
	if r.Priority, err = parseWithin("priority", v["priority"], -queue.MaxPriority, queue.MaxPriority); err != nil {
		return r, err
	}
	if r.Version, err = parseWithin("version", v["version"], 0, queue.MaxVersion); err != nil {
		return r, err
	}
	if r.Priority != nil && *r.Priority == d.Priority {
		r.Priority = nil
	}
	if r.Version != nil && *r.Version == d.Version {
		r.Version = nil
	}
	if date := strings.TrimSpace(v["next_iteration"]); date != templates.Machine(d.Next) {
		r.Next, err = parseDate("next_iteration", date)
	}
	return r, err
}

// editUndo puts the values back that an edit changed, if nobody changes them meanwhile.
func (s *Server) editUndo(c echo.Context, before queue.Document, r queue.Resolution) (*templates.Undo, error) {
	after, err := s.Engine.Doc(c.Request().Context(), before.Queue, before.Subject)
	if errs.Of(err) == errs.NotFound || r.Payload != nil && len(before.Payload) > mostUndone {
		return nil, nil //nolint:nilnil // there is none to offer
	}
	if err != nil {
		return nil, err
	}
	u := &templates.Undo{Action: documentURL(before.Queue, before.Subject, "edit")}
	put := func(name, value string, changed bool) {
		if changed {
			u.Fields = append(u.Fields, templates.Field{Name: name, Value: value}, templates.Field{Name: "was_" + name, Value: stands(after)[name]})
		}
	}
	put("payload", string(before.Payload), r.Payload != nil)
	put("priority", strconv.Itoa(before.Priority), r.Priority != nil)
	put("version", strconv.Itoa(before.Version), r.Version != nil)
	put("next_iteration", templates.Machine(before.Next), !r.Next.IsZero())
	return u, nil
}
