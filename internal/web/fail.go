package web

import (
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/web/templates"
)

// titles are what pages say above an error.
var titles = map[errs.Code]string{
	errs.Malformed: "That cannot be read", errs.Invalid: "Something is not right", errs.Unauthenticated: "You are signed out",
	errs.Forbidden: "Not for your role", errs.NotFound: "Nothing here", errs.Stale: "Too late", errs.Exists: "Taken",
	errs.Active: "A worker holds it", errs.TooLarge: "Too large", errs.Throttled: "Slow down", errs.Overloaded: "Too busy",
	errs.Unavailable: "The database does not answer",
}

// fail is the one place where an error becomes a page, or the part of one.
func (s *Server) fail(err error, c echo.Context) {
	if c.Response().Committed || c.Request().Context().Err() != nil {
		return // it was answered, or the browser went away
	}
	p, status := s.problem(c, err)
	_, signed := userOf(c)
	f := problemFrame(c, &p)
	if !signed {
		p.Back, p.BackWord = "/login", "Sign in"
	}
	body := templates.ProblemPage(p)
	var failed error
	if signed && !isFragment(c.Request()) {
		b, err := s.base(c, f)
		if err != nil {
			b = templates.Base{Title: p.Title}
			failed = s.write(c, status, inside(templates.Alone(b), body))
		} else {
			failed = s.write(c, status, inside(templates.Frame(b), body))
		}
	} else {
		failed = s.alone(c, status, p.Title, body)
	}
	if failed != nil {
		s.Log.Error("the page of an error failed", "error", failed, "request_id", p.RequestID)
		_ = c.NoContent(status)
	}
}

// problemFrame is the frame of the page of an error. Below a queue it leads back there: one comes from an old link, or to a document that was
// dropped meanwhile.
func problemFrame(c echo.Context, p *templates.Problem) frame {
	f := frame{title: p.Title, crumbs: []templates.Crumb{{Word: p.Title}}}
	name := c.Param("queue")
	if name == "" {
		return f
	}
	f.section = "Queues"
	f.crumbs = []templates.Crumb{{Word: "Queues", Href: "/queues"}, {Word: name, Href: queueURL(name)}, {Word: p.Title}}
	p.Back, p.BackWord = "/queues", "Go to the queues"
	if c.Path() == "/queues/:queue/document" {
		p.Back, p.BackWord = queueURL(name, "documents"), "Go to the documents of "+name
		if p.Status == http.StatusNotFound {
			p.Detail += "; the subject was " + c.QueryParam("subject")
		}
	}
	return f
}

// problem says in words what went wrong. What is not ours to tell is in the log.
func (s *Server) problem(c echo.Context, err error) (templates.Problem, int) {
	id, _ := c.Get(idKey).(string)
	p := templates.Problem{Title: "Something went wrong here", Detail: "The log of the server has more under this request.", RequestID: id,
		Back: "/", BackWord: "Go to the overview"}
	status := http.StatusInternalServerError
	var ours *errs.Error
	var echoed *echo.HTTPError
	switch {
	case errors.As(err, &ours) && ours.Code != errs.Internal:
		status, p.Title, p.Detail = ours.Code.Status(), titles[ours.Code], ours.Message
		if ours.Code == errs.NotFound && ours.Field == "queue" && limited(c) {
			p.Detail, _, _ = strings.Cut(p.Detail, ";") // behind it stands what the queue is called now
		}
		if ours.Code != errs.Unavailable {
			p.RequestID = ""
		} else {
			p.Detail = "Nothing is lost: what workers and pages want is tried again as soon as it is back. Reload in a moment."
		}
	case errors.As(err, &echoed) && echoed.Code < http.StatusInternalServerError:
		status, p.Title, p.Detail, p.RequestID = echoed.Code, titles[errs.NotFound], "there is no such page", ""
		if echoed.Code == http.StatusMethodNotAllowed {
			p.Detail = "this page takes no such request"
		}
	}
	if status >= http.StatusInternalServerError {
		s.Log.Error("a page failed", "method", c.Request().Method, "path", c.Path(), "error", err, "request_id", id)
	}
	p.Status = status
	return p, status
}
