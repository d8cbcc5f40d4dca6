package web

import (
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/operations"
)

// mostExports is how many files go out at once.
const mostExports = 8

var exportTypes = map[string]string{operations.NDJSON: "application/x-ndjson", operations.CSV: "text/csv; charset=utf-8"}

// exportDocuments sends all documents that match as a file, as fast as the browser takes it. What goes wrong behind its beginning breaks the connection:
// a browser says then that the file is not whole.
func (s *Server) exportDocuments(c echo.Context) error {
	q, err := s.Engine.Get(c.Request().Context(), c.Param("queue"))
	if err != nil {
		return err
	}
	r := operations.ExportRequest{Queue: q.Name, Format: c.QueryParam("format"), Bare: c.QueryParam("for") == "import"}
	if r.Filter, err = parseDocumentsQuery(q.Name, c.QueryParams()).filter(s.Now()); err != nil {
		return err
	}
	select {
	case s.exports <- struct{}{}:
		defer func() { <-s.exports }()
	default:
		return errs.New(errs.Overloaded, "%d files go out already; try again when one is done", cap(s.exports))
	}
	w := c.Response()
	w.Header().Set(echo.HeaderContentType, exportTypes[r.Format])
	w.Header().Set(echo.HeaderContentDisposition, fmt.Sprintf(`attachment; filename="%s.%s"`, q.Name, r.Format))
	w.Header().Set(echo.HeaderCacheControl, "no-store")
	if exportTypes[r.Format] != "" {
		s.recordNow(c)
	}
	err = s.Operations.Export(c.Request().Context(), r, w, http.NewResponseController(w).Flush)
	if err == nil {
		return nil
	}
	if !w.Committed {
		w.Header().Del(echo.HeaderContentDisposition)
		return err
	}
	if c.Request().Context().Err() == nil {
		s.Log.Error("an export broke off", "queue", q.Name, "error", err)
	}
	panic(http.ErrAbortHandler) //nolint:forbidigo // it is how net/http breaks a connection off
}
