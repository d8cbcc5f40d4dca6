package web

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/web/templates"
)

func (s *Server) relocateRoutes() {
	for _, r := range relocations {
		s.guard(http.MethodGet, "/queues/:queue/"+r.name, auth.Manage, func(c echo.Context) error { return s.askRelocate(c, r, http.StatusOK, "", "") })
		s.guard(http.MethodPost, "/queues/:queue/"+r.name, auth.Manage, func(c echo.Context) error { return s.relocate(c, r) })
	}
}

// relocation is something that is done with a queue as a whole, with a form that asks for one thing.
type relocation struct {
	name, title, button, says string
	input                     templates.Input
	act                       func(s *Server, c echo.Context, name, to string) (queue.Queue, error)
	done                      string // of the queue, and what it is then
}

const nameRule = "1 to 40 of a-z, 0-9 and _, beginning with a letter."

var relocations = []relocation{
	{
		name: "rename", title: "Rename %s", button: "Rename the queue", done: "%s is %s now.",
		says: "Documents, leases, logs, journal and counts go along, and so do stars and the tokens that are limited to this queue by its full name. " +
			"Workers are told the new name when they ask for the old one; set it where they are started. Calls that are under way end first.",
		input: templates.Input{Name: "to", Label: "New name", Required: true, Autofocus: true, Max: 40, Autocomplete: "off", Help: nameRule},
		act: func(s *Server, c echo.Context, name, to string) (queue.Queue, error) {
			return s.Engine.Rename(c.Request().Context(), name, to)
		},
	},
	{
		name: "clone", title: "Clone %s", button: "Make the queue", done: "Made a queue with the settings of %s: %s.",
		says:  "The new queue gets all settings of this one, and none of its documents, logs or pauses.",
		input: templates.Input{Name: "to", Label: "Name", Required: true, Autofocus: true, Max: 40, Autocomplete: "off", Help: nameRule},
		act: func(s *Server, c echo.Context, name, to string) (queue.Queue, error) {
			return s.Engine.Clone(c.Request().Context(), name, to)
		},
	},
	{
		name: "move", title: "Move %s to another tablespace", button: "Begin to move", done: "%s is on its way to %s.",
		says: "Maintenance copies table by table and index by index, each of which is locked meanwhile: nobody pushes into a table that is " +
			"being copied. The queue has to be paused; where it is resumed, the move stops until the next pause.",
		input: templates.Input{Name: "to", Label: "Tablespace", Autofocus: true, Max: 63, Placeholder: "default", Autocomplete: "off", Help: "One that the server has. Empty: the default of the database."},
		act: func(s *Server, c echo.Context, name, to string) (queue.Queue, error) {
			if to == "" {
				return s.Engine.Relocate(c.Request().Context(), name, nil)
			}
			return s.Engine.Relocate(c.Request().Context(), name, &to)
		},
	},
}

func (s *Server) askRelocate(c echo.Context, r relocation, status int, value, wrong string) error {
	q, err := s.Engine.Get(c.Request().Context(), c.Param("queue"))
	if err != nil {
		return err
	}
	v := templates.Confirm{
		Title: fmt.Sprintf(r.title, q.Name), Action: queueURL(q.Name, r.name), Back: queueURL(q.Name, "settings"), Button: r.button, Says: []string{r.says},
		Wrong: wrong,
	}
	if v.Inputs = []templates.Input{r.input}; r.name == "move" && !q.Paused {
		v.Inputs, v.Button, v.Wrong = nil, "", "The queue is not paused. Pause it first."
	} else {
		v.Inputs[0].Value = value
	}
	return s.dialog(c, status, queueFrame(q.Name, capital(r.name)), templates.ConfirmForm(v))
}

func (s *Server) relocate(c echo.Context, r relocation) error {
	name, to := c.Param("queue"), strings.TrimSpace(c.FormValue("to"))
	q, err := r.act(s, c, name, to)
	if err == nil {
		where := q.Name
		if r.name == "move" {
			where = firstOf(text(q.Settings.Tablespace), "the default tablespace")
		}
		return s.done(c, queueURL(q.Name, "settings"), fmt.Sprintf(r.done, name, where), nil)
	}
	if _, said, ok := wrong(err); ok {
		return s.askRelocate(c, r, http.StatusUnprocessableEntity, to, capitalized(said)+".")
	}
	return err
}

// capitalized makes a sentence of what an error says.
func capitalized(said string) string {
	if said == "" || said[0] < 'a' || said[0] > 'z' {
		return said
	}
	return capital(said)
}

// moveWords say how far a queue is on its way to another tablespace; "": it is on none.
func moveWords(q queue.Queue) string {
	if q.Move == nil {
		return ""
	}
	says := fmt.Sprintf("It is on its way to %s: %d tables and indexes with %s are left.",
		firstOf(text(q.Settings.Tablespace), "the default tablespace"), q.Move.Relations, templates.Size(int(q.Move.Bytes)))
	if q.Move.Halt != nil {
		says += " It stands still: " + *q.Move.Halt + "."
	}
	return says
}
