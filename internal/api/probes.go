package api

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/errs"
)

const readyWait = time.Second

var getOrHead = []string{http.MethodGet, http.MethodHead}

// probeRoutes are for those who watch the program; they want no token and tell nothing else.
func (s *Server) probeRoutes() {
	s.echo.Match(getOrHead, "/healthz", func(c echo.Context) error { return c.String(http.StatusOK, "ok\n") })
	s.echo.Match(getOrHead, "/readyz", func(c echo.Context) error {
		ctx, cancel := context.WithTimeout(c.Request().Context(), readyWait)
		defer cancel()
		if err := s.Ready(ctx); err != nil {
			return &errs.Error{Code: errs.Unavailable, Message: "the database is away, or not up to date", Err: err}
		}
		return c.String(http.StatusOK, "ready\n")
	})
}
