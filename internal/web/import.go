package web

import (
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/operations"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/web/templates"
)

const importPath = "/queues/:queue/import"

func (s *Server) importRoutes() {
	s.guard(http.MethodGet, importPath, auth.Add, s.importPage)
	s.guard(http.MethodPost, importPath, auth.Add, s.importFile)
	s.guard(http.MethodPost, importPath+"/preview", auth.Add, s.previewImport)
}

func (s *Server) importPage(c echo.Context) error {
	q, err := s.Engine.Get(c.Request().Context(), c.Param("queue"))
	if err != nil {
		return err
	}
	return s.askImport(c, http.StatusOK, q.Name, importForm{}, "", "")
}

// importForm is what the form says before the file. Its fields stand before that, so that they are known when it comes.
type importForm struct{ format, policy string }

func (s *Server) askImport(c echo.Context, status int, name string, f importForm, field, said string) error {
	form := templates.Confirm{
		Title: "Import documents into " + name, Action: queueURL(name, "import"), Back: queueURL(name, "documents"), Button: "Import", Large: true, Preview: queueURL(name, "import", "preview"),
		Says: []string{
			"NDJSON: a document on each line, as the API takes it.",
			"CSV: the first line names the columns: subject, version, priority, next_iteration, and payload (JSON) or payload.NAME for its members.",
			"The file is stored first, then its lines go in. A line that is wrong is listed, and does not stop the others.",
		},
		Inputs: []templates.Input{
			{Name: "format", Label: "Format", Type: "select", Value: f.format, Wrong: at(field, "format", said),
				Options: []templates.Option{{Value: "", Word: "as the file's name says"}, {Value: operations.NDJSON, Word: "NDJSON"}, {Value: operations.CSV, Word: "CSV"}}},
			{Name: "on_conflict", Label: "Where a subject is taken", Type: "select", Value: f.policy, Wrong: at(field, "on_conflict", said),
				Options: []templates.Option{{Value: "ignore", Word: "ignore: leave the document there as it is"}, {Value: "update", Word: "update: give it these values, and this date"}}},
			{Name: "file", Label: "File", Type: "file", Required: true, Wrong: at(field, "file", said)},
		},
	}
	form.Wrong = besides(field, said, "format", "on_conflict", "file")
	return s.dialog(c, status, queueFrame(name, "Import"), templates.ConfirmForm(form))
}

const (
	fileWait    = 2 * time.Minute // for which a file that is imported may give nothing
	mostDrained = 64 << 20        // bytes that are read of a file that was refused
)

// importFile stores a file as it comes, in constant memory, and leads to the operation that pushes what it holds.
func (s *Server) importFile(c echo.Context) error {
	name := c.Param("queue")
	if _, err := s.Engine.Get(c.Request().Context(), name); err != nil {
		return err
	}
	select {
	case s.uploads <- struct{}{}:
		defer func() { <-s.uploads }()
	default:
		return errs.New(errs.Overloaded, "%d files come in already; try again when one has come", cap(s.uploads))
	}
	patience := func() { _ = http.NewResponseController(c.Response()).SetReadDeadline(s.Now().Add(fileWait)) }
	patience()
	var f importForm
	file, err := f.read(c.Request())
	var o operations.Operation
	if err == nil {
		o, err = s.Operations.Import(c.Request().Context(), operations.ImportRequest{
			Queue: name, Format: f.of(file.FileName()), OnConflict: queue.OnConflict(firstOf(f.policy, string(queue.Ignore))), Asked: s.askedBy(c), Patience: patience,
		}, file)
	}
	if field, said, ok := wrong(err); ok {
		if field == "columns" {
			field = "file"
		}
		_, _ = io.CopyN(io.Discard, c.Request().Body, mostDrained) // a browser that still sends hears no answer
		return s.askImport(c, http.StatusUnprocessableEntity, name, f, field, said)
	} else if err != nil {
		return err
	}
	return s.done(c, operationURL(o, ""), "The file is stored, and its documents go in.", nil)
}

// read reads the form up to its file. Errors: Invalid (file), Malformed.
func (f *importForm) read(r *http.Request) (*multipart.Part, error) {
	none := errs.Field("file", "choose a file")
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, none
	}
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return nil, none
		} else if err != nil {
			return nil, errs.New(errs.Malformed, "the form cannot be read")
		}
		if part.FormName() == "file" {
			if part.FileName() == "" {
				return nil, none
			}
			return part, nil
		}
		value, err := io.ReadAll(io.LimitReader(part, 100))
		if err != nil {
			return nil, errs.New(errs.Malformed, "the form cannot be read")
		}
		switch part.FormName() {
		case "format":
			f.format = string(value)
		case "on_conflict":
			f.policy = string(value)
		}
	}
}

// of is the format of a file: what was chosen, or what its name says.
func (f *importForm) of(file string) string {
	switch {
	case f.format != "":
		return f.format
	case strings.HasSuffix(strings.ToLower(file), ".csv"):
		return operations.CSV
	}
	return operations.NDJSON
}
