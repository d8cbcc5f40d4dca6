package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/errs"
)

// Timing of a stream of events.
const (
	eventGap   = time.Second      // between two events
	beatEvery  = 10 * time.Second // so that a page knows that it is heard, and a session that has ended is seen
	eventWrite = 10 * time.Second // for one event to go out
	mostNames  = 100              // of queues in one event; more are told as "any"
)

func (s *Server) liveRoutes() {
	s.signedIn(http.MethodGet, "/events", s.events)
}

// events is the stream that tells a browser which queues changed: event "changed" with a list of names, empty for any;
// "beat" when nothing did; "over" when the session has ended.
func (s *Server) events(c echo.Context) error {
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		return errs.New(errs.Overloaded, "%d browsers watch already", cap(s.streams))
	}
	w := c.Response()
	w.Header().Set(echo.HeaderContentType, "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy must not keep it back
	control := http.NewResponseController(w)
	send := func(event, data string) error {
		_ = control.SetWriteDeadline(s.Now().Add(eventWrite)) // a browser that does not read is cut off
		if _, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", event, data); err != nil {
			return err
		}
		return control.Flush()
	}
	w.WriteHeader(http.StatusOK)
	if err := send("beat", "0"); err != nil {
		return nil // the browser went away
	}
	watcher, leave := s.board.watch(s.stopped)
	defer leave()
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	for {
		var err error
		select {
		case <-c.Request().Context().Done():
			return nil
		case <-s.stopped.Done():
			return nil
		case <-beat.C:
			alive, failed := s.Sessions.Alive(c.Request().Context(), sessionOf(c).ID)
			if failed == nil && !alive {
				_ = send("over", "0")
				return nil
			}
			err = send("beat", "0")
		case <-watcher.woken:
			names := s.board.taken(watcher)
			if len(names) > mostNames {
				names = []string{}
			}
			text, failed := json.Marshal(names)
			if failed != nil {
				return failed
			}
			err = send("changed", string(text))
			select {
			case <-time.After(eventGap):
			case <-c.Request().Context().Done():
			case <-s.stopped.Done():
			}
		}
		if err != nil {
			return nil // the browser went away
		}
	}
}
