package web

import (
	"encoding/json"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/web/templates"
)

// say keeps a toast in the session, for the next page to show.
func (s *Server) say(c echo.Context, t templates.Toast) error {
	session := sessionOf(c)
	if session == nil {
		return nil
	}
	text, err := json.Marshal(t)
	if err != nil {
		return err
	}
	session.AddFlash(string(text))
	return s.Sessions.Save(c.Request(), c.Response(), session)
}

// takeToasts returns what there is to confirm, once.
func (s *Server) takeToasts(c echo.Context) ([]templates.Toast, error) {
	session := sessionOf(c)
	if session == nil {
		return nil, nil
	}
	var toasts []templates.Toast
	for _, flash := range session.Flashes() {
		var t templates.Toast
		if text, ok := flash.(string); ok && json.Unmarshal([]byte(text), &t) == nil {
			toasts = append(toasts, t)
		}
	}
	if toasts == nil {
		return nil, nil
	}
	return toasts, s.Sessions.Save(c.Request(), c.Response(), session)
}
