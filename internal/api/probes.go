package api

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/errs"
)

const (
	readyWait  = time.Second // for the database
	readyLasts = time.Second // what it said
)

var getOrHead = []string{http.MethodGet, http.MethodHead}

// probeRoutes are for those who watch the program; they want no token and tell nothing else.
func (s *Server) probeRoutes() {
	s.echo.Match(getOrHead, "/healthz", func(c echo.Context) error { return c.String(http.StatusOK, "ok\n") })
	r := &readiness{ask: s.Ready, now: s.Now, log: s.Log}
	s.echo.Match(getOrHead, "/readyz", func(c echo.Context) error {
		if !r.ready() {
			toProblem(errs.New(errs.Unavailable, "the database is away, or not up to date")).write(c)
			return nil // not an error of this call: readiness tells the log
		}
		return c.String(http.StatusOK, "ready\n")
	})
}

// readiness is what the database said last. Anybody may ask for it: that costs one query a second at most, and a line in the
// log only where the answer changes.
type readiness struct {
	ask func(ctx context.Context) error
	now func() time.Time
	log *slog.Logger

	mu    sync.Mutex // held while the database is asked: who asks meanwhile waits for the same answer
	until time.Time
	away  bool
}

func (r *readiness) ready() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now().Before(r.until) {
		return !r.away
	}
	ctx, cancel := context.WithTimeout(context.Background(), readyWait)
	defer cancel()
	err := r.ask(ctx)
	switch {
	case err != nil && !r.away:
		r.log.Error("the database is away", "error", err)
	case err == nil && r.away:
		r.log.Info("the database is back")
	}
	r.away, r.until = err != nil, r.now().Add(readyLasts)
	return !r.away
}
