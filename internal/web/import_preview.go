package web

import (
	"io"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/operations"
	"github.com/fetchq/server/web/templates"
)

// previewImport shows what an import would make of the beginning of a file, which a script sends as it is. Nothing is stored.
func (s *Server) previewImport(c echo.Context) error {
	if _, err := s.Engine.Get(c.Request().Context(), c.Param("queue")); err != nil {
		return err
	}
	head, err := io.ReadAll(io.LimitReader(c.Request().Body, operations.PreviewMost))
	if err != nil {
		return err
	}
	size, _ := strconv.ParseInt(c.QueryParam("size"), 10, 64)
	f := importForm{format: c.QueryParam("format")}
	var v templates.ImportPreviewView
	lines, err := operations.Preview(f.of(c.QueryParam("name")), head, size <= int64(len(head)))
	if _, said, ok := wrong(err); ok {
		v.Wrong = said
	} else if err != nil {
		return err
	}
	for _, l := range lines {
		row := templates.PreviewRow{Line: l.Line, Wrong: l.Wrong, Subject: l.Doc.Subject, Payload: preview(l.Doc.Payload), Version: l.Doc.Version, Priority: l.Doc.Priority}
		switch next := l.Doc.Next; {
		case next.Delay != nil:
			row.Date = next.Delay.String() + " from then"
		case !next.At.IsZero():
			row.Date = templates.Stamp(next.At)
		}
		if l.Wrong != "" {
			v.Bad++
		}
		v.Rows = append(v.Rows, row)
	}
	return s.write(c, http.StatusOK, templates.ImportPreview(v))
}
