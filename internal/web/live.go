package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
)

// Timing of a stream of events.
const (
	eventGap   = time.Second      // between two events
	beatEvery  = 10 * time.Second // so that a page knows that it is heard
	eventWrite = 10 * time.Second // for one event to go out
	mostNames  = 100              // of queues in one event; more are told as "any"
)

func (s *Server) liveRoutes() {
	s.signedIn(http.MethodGet, "/events", s.events)
}

// event is what a stream of events tells. Its kinds are "hello", the first one; "changed"; "beat" when nothing did; and "over" when
// the session has ended.
type event struct {
	Version string   `json:"version"`          // of what was known when this was told; see board.version
	Queues  []string `json:"queues,omitempty"` // that changed; empty: any of them
	Trouble int      `json:"trouble"`          // queues that need somebody
}

// events is the stream that tells a browser which queues changed.
func (s *Server) events(c echo.Context) error {
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		return errs.New(errs.Overloaded, "%d browsers watch already", cap(s.streams))
	}
	w, ctx := c.Response(), c.Request().Context()
	w.Header().Set(echo.HeaderContentType, "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy must not keep it back
	control := http.NewResponseController(w)
	send := func(kind string, of func(context.Context) (queues []string, some bool)) error {
		// Whose session this is may see fewer queues by now, or none.
		user, alive, err := s.Sessions.Alive(ctx, sessionOf(c).ID)
		sees := ctx // while the database does not answer, what this person saw before
		switch {
		case err == nil && !alive:
			kind, of = "over", nil
		case err == nil:
			sees = within(queue.WithinAll(ctx), user)
		}
		e := event{Version: s.board.version()}
		if of != nil {
			var some bool
			if e.Queues, some = of(sees); !some {
				return nil
			}
		}
		if kind != "over" {
			e.Trouble = s.troubled(sees)
		}
		data, err := json.Marshal(e)
		if err != nil {
			return err
		}
		_ = control.SetWriteDeadline(s.Now().Add(eventWrite)) // a browser that does not read is cut off
		if _, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", kind, data); err != nil {
			return err
		}
		if err := control.Flush(); err != nil || kind != "over" {
			return err
		}
		return errOver
	}
	w.WriteHeader(http.StatusOK)
	watcher, leave := s.board.watch(s.stopped) // before the first version is told: what changes after it, is told
	defer leave()
	if err := send("hello", nil); err != nil {
		return nil // the browser went away
	}
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case <-s.stopped.Done():
			return nil
		case <-beat.C:
			err = send("beat", nil)
		case <-watcher.woken:
			err = send("changed", func(sees context.Context) ([]string, bool) { return s.board.taken(sees, watcher) })
			select {
			case <-time.After(eventGap):
			case <-ctx.Done():
			case <-s.stopped.Done():
			}
		}
		if err != nil {
			return nil // the browser went away, or the session has ended
		}
	}
}

// errOver ends a stream whose session has ended.
var errOver = errs.New(errs.Unauthenticated, "the session has ended")
