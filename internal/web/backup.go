package web

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/catalog"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/web/templates"
)

func (s *Server) backupRoutes() {
	const at = "/backups/at/:destination/:name"
	s.whole(http.MethodGet, at, auth.See, s.backupPage)
	s.whole(http.MethodGet, at+"/verify", auth.Backup, s.verifyBackupPage)
	s.whole(http.MethodPost, at+"/verify", auth.Backup, s.verifyBackup)
	s.whole(http.MethodGet, at+"/restore", auth.Backup, s.restorePage)
	s.whole(http.MethodPost, at+"/restore", auth.Backup, s.restore)
}

// showPatience is how long a page waits for a destination to hand out what is in a backup.
const showPatience = 5 * time.Second

// show reads what is in a backup. Who does not answer in time is unavailable.
func (s *Server) show(c echo.Context) (catalog.Entry, error) {
	ctx, cancel := context.WithTimeout(c.Request().Context(), showPatience)
	defer cancel()
	e, err := s.Catalog.Show(ctx, c.Param("destination"), c.Param("name"))
	if err != nil && ctx.Err() != nil && c.Request().Context().Err() == nil {
		err = &errs.Error{Code: errs.Unavailable, Err: err, Message: c.Param("destination") + " did not answer within " + templates.Span(showPatience) + "; try again, and test the destination"}
	}
	return e, err
}

func backupFrame(c echo.Context, word string) frame {
	destination, name := c.Param("destination"), c.Param("name")
	f := backupsFrame(name)
	f.crumbs = append(f.crumbs[:1], templates.Crumb{Word: destination, Href: placeURL(destination)}, templates.Crumb{Word: name})
	if word != "" {
		f.crumbs[2].Href = backupURL(destination, name, "")
		f.crumbs = append(f.crumbs, templates.Crumb{Word: word})
	}
	return f
}

// backupPage shows what is in a backup and what is known of it. A destination that does not answer is told on the page.
func (s *Server) backupPage(c echo.Context) error {
	destination, name := c.Param("destination"), c.Param("name")
	e, err := s.show(c)
	if errs.Of(err) == errs.NotFound {
		return err
	}
	v := templates.BackupView{
		Name: name, Destination: destination, Back: placeURL(destination), Verify: backupURL(destination, name, "/verify"), Restore: backupURL(destination, name, "/restore"),
	}
	if !may(c, auth.Backup) {
		v.WhyNot = lacks
	}
	if err != nil {
		s.Log.Warn("a backup cannot be looked at", "destination", destination, "backup", name, "error", err)
		v.Problem, v.WhyNot = messageOf(err), firstOf(v.WhyNot, "it cannot be read")
		return s.page(c, backupFrame(c, ""), templates.Backup(v))
	}
	there, err := s.board.summaries(c.Request().Context())
	if err != nil {
		return err
	}
	live := map[string]bool{}
	for _, q := range there {
		live[q.Name] = true
	}
	m := e.Manifest
	v.At, v.Finished, v.Program, v.Postgres, v.Encrypted, v.Rows, v.Stored = m.SnapshotAt, m.FinishedAt, m.Program, m.Postgres, m.Encryption != "", m.Rows(), m.Stored()
	for _, q := range m.Queues {
		part := templates.BackupPart{Name: q.Name, There: live[q.Name], Documents: q.Documents()}
		for _, t := range q.Tables {
			part.Rows, part.Bytes = part.Rows+t.Rows, part.Bytes+t.Bytes
		}
		v.Bytes += part.Bytes
		v.Queues = append(v.Queues, part)
	}
	for _, o := range m.Volumes {
		v.Objects = append(v.Objects, templates.BackupObject{Name: o.Object, SHA256: o.SHA256, Bytes: o.Bytes})
	}
	if e.Known != nil {
		fillKnown(&v, *e.Known)
	}
	return s.page(c, backupFrame(c, ""), templates.Backup(v))
}

// fillKnown adds what is known here of a backup.
func fillKnown(v *templates.BackupView, k catalog.Backup) {
	v.MadeBy, v.Bytes = text(k.MadeBy), k.Bytes
	if k.Operation != nil {
		v.Run = "/operations/" + k.Operation.String()
	}
	v.Verified, v.VerifiedBy, v.VerifyWord = k.VerifiedAt, text(k.VerifiedBy), "it is whole"
	if k.Loaded != nil && *k.Loaded {
		v.VerifyWord = "it is whole, and was loaded"
	}
	if k.Problem != nil {
		v.VerifyWord, v.VerifyProblem = "it is damaged", "When it was read back, it was found damaged: "+*k.Problem
	}
	v.Restored, v.RestoredBy, v.RestoredAs = k.RestoredAt, text(k.RestoredBy), k.RestoredAs
}

func (s *Server) verifyBackupPage(c echo.Context) error { return s.askVerify(c, http.StatusOK, "") }

func (s *Server) askVerify(c echo.Context, status int, said string) error {
	destination, name := c.Param("destination"), c.Param("name")
	return s.dialog(c, status, backupFrame(c, "Verify"), templates.Ask(templates.AskForm{
		Title: "Verify " + name, Action: backupURL(destination, name, "/verify"), Back: backupURL(destination, name, ""), Button: "Verify", Wrong: said,
		Says: []string{"It is read back to its end and held against its digests. Nothing is changed."},
		Boxes: []templates.Boxes{{Name: "load", Legend: "Besides", List: []templates.Box{
			{Value: "yes", Word: "Load it into a scratch schema", Note: "and count its documents: takes as long as a restore, and as much room meanwhile"},
		}}},
	}))
}

func (s *Server) verifyBackup(c echo.Context) error {
	a := catalog.Asks{Destination: c.Param("destination"), Name: c.Param("name"), Load: c.FormValue("load") != ""}
	o, err := s.Catalog.Verify(c.Request().Context(), a, s.askedBy(c), catalog.Repeat{})
	if _, said, ok := wrongOrMissing(err); ok {
		return s.askVerify(c, http.StatusUnprocessableEntity, capitalized(said)+".")
	}
	if err != nil {
		return err
	}
	return s.done(c, operationURL(o, ""), "The verification is asked for.", nil)
}

// restoreForm is the form of a restore as it was sent.
type restoreForm struct {
	queues        []string
	how, as       string // how: same, new or settings
	replace, sure bool
	typed         string
}

func readRestoreForm(c echo.Context) (f restoreForm, err error) {
	form, err := c.FormParams()
	f = restoreForm{
		queues: form["queue"], how: firstOf(form.Get("how"), "same"), as: strings.TrimSpace(form.Get("as")), replace: form.Get("replace") != "",
		sure: form.Get("sure") != "", typed: form.Get("confirm"),
	}
	return f, err
}

func (s *Server) restorePage(c echo.Context) error {
	f, err := readRestoreForm(c)
	if err != nil {
		return err
	}
	return s.askRestore(c, http.StatusOK, f, "", "")
}

func (s *Server) askRestore(c echo.Context, status int, f restoreForm, field, said string) error {
	destination, name := c.Param("destination"), c.Param("name")
	e, err := s.show(c)
	if _, why, ok := wrongOrMissing(err); ok {
		return s.dialog(c, http.StatusUnprocessableEntity, backupFrame(c, "Restore"), templates.ConfirmForm(templates.Confirm{
			Title: "Restore from " + name, Back: placeURL(destination), Stay: "Back", Wrong: capitalized(why) + ".",
		}))
	}
	if err != nil {
		return err
	}
	queues := templates.Boxes{Name: "queue", Legend: "Queues", Help: "None chosen: all of the backup.", Wrong: at(field, "queues", said)}
	for _, q := range e.Manifest.Queues {
		queues.List = append(queues.List, templates.Box{Value: q.Name, Word: q.Name, Note: templates.Number(q.Documents()) + " documents", Chosen: slices.Contains(f.queues, q.Name)})
	}
	how := templates.Boxes{Name: "how", Legend: "Into", One: true, List: []templates.Box{
		{Value: "same", Word: "The same names", Note: "a queue that has documents is refused, unless it is to be replaced", Chosen: f.how == "same"},
		{Value: "new", Word: "A new name", Note: "for one queue, which then stands beside the other", Chosen: f.how == "new"},
		{Value: "settings", Word: "Only the settings", Note: "of a queue that is there, or of a new and empty one", Chosen: f.how == "settings"},
	}}
	replace := templates.Boxes{Name: "replace", Legend: "Where a queue has documents", List: []templates.Box{
		{Value: "yes", Word: "Replace it", Note: "its documents, logs and counts go; the names have to be typed", Chosen: f.replace},
	}}
	return s.dialog(c, status, backupFrame(c, "Restore"), templates.Ask(templates.AskForm{
		Title: "Restore from " + name, Action: backupURL(destination, name, "/restore"), Back: backupURL(destination, name, ""), Button: "Preview…",
		Says:  []string{"State of " + templates.Stamp(e.Manifest.SnapshotAt) + ". The next step says what would change, before anything does."},
		Wrong: besides(field, said, "queues", "as"),
		Boxes: []templates.Boxes{queues, how, replace},
		Inputs: []templates.Input{{
			Name: "as", Label: "New name", Value: f.as, Max: 40, Autocomplete: "off", Wrong: at(field, "as", said), Help: nameRule,
		}},
	}))
}

// asks is what a form asks for, and what stands in its way.
func (f restoreForm) asks(c echo.Context) (catalog.Asks, error) {
	a := catalog.Asks{Destination: c.Param("destination"), Name: c.Param("name"), Queues: f.queues, SettingsOnly: f.how == "settings"}
	switch {
	case f.how == "new" && f.as == "":
		return a, errs.Field("as", "a new name is wanted")
	case f.how != "new" && f.as != "":
		return a, errs.Field("as", "choose A new name above, or leave this empty")
	}
	a.As = f.as
	return a, nil
}

// restore shows what a restore would do, and asks for it when that was seen.
func (s *Server) restore(c echo.Context) error {
	f, err := readRestoreForm(c)
	if err != nil {
		return err
	}
	a, err := f.asks(c)
	var p catalog.Preview
	if err == nil {
		p, err = s.Catalog.Preview(c.Request().Context(), a)
	}
	if field, said, ok := wrongOrMissing(err); ok {
		return s.askRestore(c, http.StatusUnprocessableEntity, f, field, capitalized(said)+".")
	}
	if err != nil {
		return err
	}
	typed := replacedNames(p)
	if f.replace && !a.SettingsOnly {
		a.Replace = typed
	}
	if !f.sure || typed != nil && (!f.replace || f.typed != strings.Join(typed, " ")) {
		return s.confirmRestore(c, f, p, typed)
	}
	o, err := s.Catalog.Restore(c.Request().Context(), a, s.askedBy(c), catalog.Repeat{})
	if field, said, ok := wrongOrMissing(err); ok {
		return s.askRestore(c, http.StatusUnprocessableEntity, f, field, capitalized(said)+".")
	}
	if err != nil {
		return err
	}
	return s.done(c, operationURL(o, ""), "The restore is asked for.", nil)
}

// replacedNames are the queues with documents in whose places others would come.
func replacedNames(p catalog.Preview) (names []string) {
	for _, q := range p.Queues {
		if q.Refused != "" {
			names = append(names, q.As)
		}
	}
	return names
}

// confirmRestore says what a restore would do, and asks for the names of what would go.
func (s *Server) confirmRestore(c echo.Context, f restoreForm, p catalog.Preview, typed []string) error {
	destination, name := c.Param("destination"), c.Param("name")
	v := templates.Confirm{
		Title: "What the restore would do", Action: backupURL(destination, name, "/restore"), Back: backupURL(destination, name, ""), Button: "Restore",
		Fields: []templates.Field{{Name: "how", Value: f.how}, {Name: "as", Value: f.as}, {Name: "sure", Value: "yes"}},
	}
	for _, q := range f.queues {
		v.Fields = append(v.Fields, templates.Field{Name: "queue", Value: q})
	}
	for _, q := range p.Queues {
		v.Says = append(v.Says, previewWords(q, f.how == "settings"))
	}
	status := http.StatusOK
	switch {
	case typed != nil && f.replace:
		v.Danger, v.Typed = true, strings.Join(typed, " ")
		v.Fields = append(v.Fields, templates.Field{Name: "replace", Value: "yes"})
		if f.sure {
			v.Wrong, status = "The names were not typed as they are.", http.StatusUnprocessableEntity
		}
	case typed != nil:
		v.Button, v.Stay = "", "Back"
		v.Wrong = "It is refused: a queue with documents stands in its place. Choose a new name, or to replace it."
		status = http.StatusUnprocessableEntity
	}
	return s.dialog(c, status, backupFrame(c, "Restore"), templates.ConfirmForm(v))
}

// previewWords say what a restore would do to one queue.
func previewWords(q catalog.PreviewQueue, settings bool) string {
	what := q.Queue
	if q.As != q.Queue {
		what += " as " + q.As
	}
	documents := templates.Number(q.Documents) + " documents"
	if q.Documents == 1 {
		documents = "1 document"
	}
	switch {
	case settings && q.There:
		return what + ": the queue that is there gets the settings of the backup, and keeps its documents."
	case settings:
		return what + ": a new and empty queue with the settings of the backup."
	case q.There && q.Now > 0:
		return what + ": the queue that is there has " + templates.Number(q.Now) + " documents. They would go, and " + documents + " of the backup come in their place. It is paused then."
	case q.There:
		return what + ": the queue that is there is empty; " + documents + " of the backup come into its place. It is paused then."
	}
	return what + ": a new queue with " + documents + ". It is paused until somebody resumes it."
}
