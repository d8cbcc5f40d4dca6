package web

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/web/templates"
)

// workerNames returns the workers that a form names, 200 at most.
func workerNames(c echo.Context) ([]string, error) {
	form, err := c.FormParams()
	if err != nil {
		return nil, err
	}
	names := slices.Compact(slices.Sorted(slices.Values(form["name"])))
	if len(names) > 200 {
		return nil, errs.Field("name", "%d workers are selected; 200 are allowed at once", len(names))
	}
	return names, nil
}

// workersAsked are what selected workers can be asked.
var workersAsked = map[string]struct {
	title, button, path, says string
	quiet                     bool   // whether it is for those that are quiet
	rest                      string // of those that it is not for
}{
	"quiet": {
		"Ask %s to go quiet", "Ask %s to go quiet", "/workers/quiet", "They finish what they hold, and are handed nothing more, in any queue, until somebody wakes them.", false, "quiet already",
	},
	"wake": {"Wake %s", "Wake %s", "/workers/wake", "They are handed documents again, in all queues.", true, "not quiet"},
}

// askOfWorkers asks before something is asked of the workers that are selected, and says how many of them it is for.
func (s *Server) askOfWorkers(c echo.Context) error {
	what, known := workersAsked[c.FormValue("action")]
	if !known {
		return errs.New(errs.NotFound, "there is nothing of the kind to ask of workers")
	}
	names, err := workerNames(c)
	if err != nil {
		return err
	}
	all, err := s.crews.all(c.Request().Context())
	if err != nil {
		return err
	}
	form := templates.Confirm{
		Title: fmt.Sprintf(what.title, "workers"), Action: what.path, Back: back(c, "/workers"), Fields: []templates.Field{{Name: "back", Value: back(c, "/workers")}},
	}
	var list []string
	held, rest := int64(0), 0
	for _, w := range all.List {
		switch {
		case !slices.Contains(names, w.Name):
		case (w.Quiet != nil) != what.quiet:
			rest++
		default:
			list, held = append(list, w.Name), held+w.Holds.Documents
			form.Fields = append(form.Fields, templates.Field{Name: "name", Value: w.Name})
		}
	}
	f := frame{title: form.Title, section: "Workers", crumbs: []templates.Crumb{{Word: "Workers", Href: "/workers"}, {Word: form.Title}}}
	unknown := len(names) - len(list) - rest
	switch {
	case len(names) == 0:
		form.Wrong = "Select workers in the list first."
	case len(list) == 0:
		form.Wrong = "Nothing would change: those that are selected are " + what.rest + ", or not known any more."
	default:
		form.Title, form.Button = fmt.Sprintf(what.title, workerCount(len(list))), fmt.Sprintf(what.button, workerCount(len(list)))
		form.Says = []string{namesOf(list), what.says}
		if held > 0 && !what.quiet {
			form.Says = append(form.Says, "Now they hold "+documentsWord(int(held))+".")
		}
		if rest > 0 {
			form.Says = append(form.Says, fmt.Sprintf("%s of those that are selected: left as they are, %s.", workerCount(rest), what.rest))
		}
		if unknown > 0 {
			form.Says = append(form.Says, workerCount(unknown)+" of those that are selected: not known any more.")
		}
	}
	return s.dialog(c, http.StatusOK, f, templates.ConfirmForm(form))
}

func workerCount(n int) string {
	if n == 1 {
		return "1 worker"
	}
	return fmt.Sprintf("%d workers", n)
}

// quietWorkers asks workers to go quiet.
func (s *Server) quietWorkers(c echo.Context) error {
	return s.askWorkers(c, "Asked to go quiet: ", "Not known any more: ", "/workers/wake", func(name string) error {
		_, err := s.Engine.Quiet(c.Request().Context(), name)
		return err
	})
}

// wakeWorkers lets workers go on.
func (s *Server) wakeWorkers(c echo.Context) error {
	return s.askWorkers(c, "Woken: ", "Not quiet: ", "/workers/quiet", func(name string) error {
		was, err := s.Engine.Wake(c.Request().Context(), name)
		if err == nil && !was {
			err = errs.New(errs.NotFound, "it is not quiet")
		}
		return err
	})
}

// askWorkers asks something of each worker that a form names. Those of which it cannot be asked are told behind unsaid.
func (s *Server) askWorkers(c echo.Context, said, unsaid, undo string, ask func(name string) error) error {
	names, err := workerNames(c)
	if err != nil {
		return err
	}
	to := back(c, "/workers")
	var done, gone []string
	for _, name := range names {
		switch err := ask(name); errs.Of(err) {
		case errs.NotFound:
			gone = append(gone, short(name))
		default:
			if err != nil {
				return err
			}
			done = append(done, name)
		}
	}
	text := "Nothing was done: no worker is selected."
	var u *templates.Undo
	if len(done) > 0 {
		text = said + workersWord(done) + "."
		u = &templates.Undo{Action: undo, Fields: []templates.Field{{Name: "back", Value: to}}}
		for _, name := range done {
			u.Fields = append(u.Fields, templates.Field{Name: "name", Value: name})
		}
	} else if len(gone) > 0 {
		text = "Nothing was done."
	}
	if len(gone) > 0 {
		text += " " + unsaid + strings.Join(gone, ", ") + "."
	}
	return s.done(c, to, text, u)
}

// workersWord names workers, or says how many they are.
func workersWord(names []string) string {
	if len(names) > namedSubjects {
		return fmt.Sprintf("%d workers", len(names))
	}
	var list []string
	for _, name := range names {
		list = append(list, short(name))
	}
	return strings.Join(list, ", ")
}
