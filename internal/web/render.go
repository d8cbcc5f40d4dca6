package web

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/web/templates"
)

// Headers by which the page's own scripts ask for a part of it.
const (
	liveHeader = "Fetchq-Live" // what is marked live
	htmxHeader = "Hx-Request"  // what goes into the dialog
)

// versionHeader says of a live part what it has at least; see board.version.
const versionHeader = "Fetchq-Version"

func isLive(r *http.Request) bool     { return r.Header.Get(liveHeader) != "" }
func isDialog(r *http.Request) bool   { return r.Header.Get(htmxHeader) != "" }
func isFragment(r *http.Request) bool { return isLive(r) || isDialog(r) }

// frame says what stands around a page.
type frame struct {
	title   string
	section string // the page of the rail that it belongs to
	crumbs  []templates.Crumb
	live    bool
	charts  bool   // figures stand on it
	queue   string // whose changes it shows; "": those of all
	query   string
}

// page renders a page in its frame, or, where its script asks, the live part alone.
func (s *Server) page(c echo.Context, f frame, body templ.Component) error {
	return s.pageAt(c, http.StatusOK, f, body)
}

func (s *Server) pageAt(c echo.Context, status int, f frame, body templ.Component) error {
	if isFragment(c.Request()) {
		return s.write(c, status, body)
	}
	b, err := s.base(c, f)
	if err != nil {
		return err
	}
	return s.write(c, status, inside(templates.Frame(b), body))
}

// dialog renders a form: alone where it goes into the dialog, else as a page.
func (s *Server) dialog(c echo.Context, status int, f frame, body templ.Component) error {
	if isDialog(c.Request()) {
		return s.write(c, status, body)
	}
	f.live = false
	return s.pageAt(c, status, f, templates.Boxed(body))
}

// alone renders a page without the frame.
func (s *Server) alone(c echo.Context, status int, title string, body templ.Component) error {
	if isFragment(c.Request()) {
		return s.write(c, status, body)
	}
	b := templates.Base{Title: title, Env: s.Env, Theme: theme(c)}
	return s.write(c, status, inside(templates.Alone(b), body))
}

// inside renders a component with another one in it.
func inside(outer, inner templ.Component) templ.Component {
	return templates.Within(outer, inner)
}

// write renders to a buffer first: an answer is whole, or an error.
func (s *Server) write(c echo.Context, status int, body templ.Component) error {
	text, err := s.rendered(c.Request().Context(), body)
	if err != nil {
		return err
	}
	return c.HTMLBlob(status, text)
}

func (s *Server) rendered(ctx context.Context, body templ.Component) ([]byte, error) {
	var text bytes.Buffer
	err := body.Render(templates.With(ctx, templates.Around{Asset: s.Assets.URL, Now: s.Now()}), &text)
	return text.Bytes(), err
}

// base is what stands around every page of who is signed in.
func (s *Server) base(c echo.Context, f frame) (templates.Base, error) {
	user, _ := userOf(c)
	toasts, err := s.takeToasts(c)
	if err != nil {
		return templates.Base{}, err
	}
	name := user.Name
	if name == "" {
		name = user.Email
	}
	return templates.Base{
		Title: f.title, Env: s.Env, Theme: theme(c), Folded: cookie(c, "rail") == "folded",
		User: &templates.Person{Email: user.Email, Name: name, Role: string(user.Role)},
		Rail: s.rail(c, user, f.section), Crumbs: f.crumbs, Path: c.Request().URL.RequestURI(), Query: f.query, Toasts: toasts,
		Live: f.live, Queue: f.queue, Version: seen(c), Charts: f.charts,
	}, nil
}

// rail lists the pages that this person may see.
func (s *Server) rail(c echo.Context, user auth.User, here string) []templates.Place {
	places := []templates.Place{
		{Word: "Overview", Href: "/", Icon: "layout-dashboard"},
		{Word: "Queues", Href: "/queues", Icon: "layers", MarksID: "trouble", MarksWord: "queues in trouble"},
		{Word: "Errors", Href: "/errors", Icon: "triangle-alert"},
		{Word: "Metrics", Href: "/charts", Icon: "chart-line"},
		{Word: "Workers", Href: "/workers", Icon: "hard-hat"},
		{Word: "Backups", Href: backupsURL, Icon: "archive"},
	}
	if limited(c) {
		places = slices.DeleteFunc(places, func(p templates.Place) bool { return p.Href == backupsURL })
	}
	if user.May(auth.Govern) {
		places = append(places, templates.Place{Word: "Audit", Href: "/audit", Icon: "scroll-text", Foot: true},
			templates.Place{Word: "Team", Href: "/team", Icon: "users", Foot: true})
	}
	places = append(places, templates.Place{Word: "Operations", Href: "/operations", Icon: "list-checks", Foot: true},
		templates.Place{Word: "API", Href: "/api/docs", Icon: "book-open", Foot: true})
	places[1].Marks = int64(s.troubled(c.Request().Context()))
	for i := range places {
		places[i].Here = places[i].Word == here
	}
	return places
}

func cookie(c echo.Context, name string) string {
	k, err := c.Cookie(name)
	if err != nil {
		return ""
	}
	return k.Value
}

// theme is what the person chose; what is no theme is the system's.
func theme(c echo.Context) string {
	if t := cookie(c, "theme"); t == "light" || t == "dark" {
		return t
	}
	return "system"
}

// leave ends a form: a script is told where to go, a browser is led there.
func leave(c echo.Context, to string) error {
	if isDialog(c.Request()) {
		c.Response().Header().Set("Hx-Redirect", to)
		return c.NoContent(http.StatusNoContent)
	}
	return c.Redirect(http.StatusSeeOther, to)
}

// local returns a path of this site, or fallback for what leads elsewhere.
func local(path, fallback string) string {
	u, err := url.Parse(path)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Opaque != "" || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") ||
		strings.ContainsAny(path, "\\\r\n\t") {
		return fallback
	}
	return path
}

// back is where a form was opened, as it says itself.
func back(c echo.Context, fallback string) string { return local(c.FormValue("back"), fallback) }

// wrong returns what a form is told of an error, and the field; other errors are not the form's.
func wrong(err error) (field, text string, ok bool) {
	var e *errs.Error
	if !errors.As(err, &e) {
		return "", "", false
	}
	switch e.Code {
	case errs.Invalid, errs.Exists, errs.Active, errs.Throttled, errs.Overloaded, errs.TooLarge, errs.Malformed, errs.Stale:
		return e.Field, e.Message, true
	default:
		return "", "", false
	}
}
