package web

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/gorilla/sessions"
	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
)

// Route is one route of the site and what it needs; tests walk the list.
type Route struct {
	Method, Path string
	Needs        auth.Permission // "": only to be signed in
	Open         bool            // for everybody
	Whole        bool            // for those alone who see all queues
}

// Routes returns all routes of the site.
func (s *Server) Routes() []Route { return s.routes }

// open adds a route for everybody.
func (s *Server) open(method, path string, h echo.HandlerFunc) {
	s.routes = append(s.routes, Route{Method: method, Path: path, Open: true})
	s.opened[path] = true
	s.echo.Add(method, path, h)
}

// signedIn adds a route for everybody who is signed in.
func (s *Server) signedIn(method, path string, h echo.HandlerFunc) { s.guard(method, path, "", h) }

// guard adds a route for those whose role has a permission.
func (s *Server) guard(method, path string, needs auth.Permission, h echo.HandlerFunc) {
	s.add(Route{Method: method, Path: path, Needs: needs}, h)
}

// whole adds a route for those whose role has a permission and who see all queues: it is about more than one of them.
func (s *Server) whole(method, path string, needs auth.Permission, h echo.HandlerFunc) {
	s.add(Route{Method: method, Path: path, Needs: needs, Whole: true}, h)
}

// add adds a route for those who are signed in and may.
func (s *Server) add(r Route, h echo.HandlerFunc) {
	s.routes = append(s.routes, r)
	s.echo.Add(r.Method, r.Path, func(c echo.Context) error {
		user, ok, err := s.signedInUser(c)
		if err != nil {
			return err
		}
		if !ok {
			return s.askToSignIn(c)
		}
		recordActor(c, user)
		s.noteVersion(c)
		ctx := c.Request().Context()
		if r.Needs != "" && !user.May(r.Needs) {
			return errs.New(errs.Forbidden, "your role, %s, may not do this; ask an admin", user.Role)
		}
		if r.Whole && queue.Limited(ctx) {
			return errs.New(errs.Forbidden, "this is for those who see all queues; you see some")
		}
		// What a page is about stands in its path or in a parameter of this name. Whatever else names a queue meets the limit of the context.
		for _, name := range append(c.QueryParams()["queue"], c.Param("queue")) {
			if name != "" && !queue.Sees(ctx, name) {
				return queue.See(ctx, name)
			}
		}
		return h(c)
	})
}

// within is a context whose calls see the queues of a user.
func within(ctx context.Context, user auth.User) context.Context {
	if !user.Limited() {
		return ctx
	}
	return queue.Within(ctx, strings.Join(user.Queues, ","), user.Sees)
}

// limited says whether who is signed in sees some queues only.
func limited(c echo.Context) bool { return queue.Limited(c.Request().Context()) }

const (
	sessionKey = "web.session"
	seenKey    = "web.seen"
)

// noteVersion notes, before a page is made, what it will have at least; a live part tells it in a header.
func (s *Server) noteVersion(c echo.Context) {
	version := s.board.version()
	c.Set(seenKey, version)
	if isLive(c.Request()) {
		c.Response().Header().Set(versionHeader, version)
	}
}

// seen is what noteVersion noted.
func seen(c echo.Context) string {
	version, _ := c.Get(seenKey).(string)
	return version
}

// sessionOf returns the session of a guarded request; of another one, nil.
func sessionOf(c echo.Context) *sessions.Session {
	session, _ := c.Get(sessionKey).(*sessions.Session)
	return session
}

// userOf returns who is signed in; nobody may anything.
func userOf(c echo.Context) (auth.User, bool) {
	session := sessionOf(c)
	if session == nil {
		return auth.User{}, false
	}
	return auth.UserOf(session)
}

// may says whether who is signed in has a permission.
func may(c echo.Context, p auth.Permission) bool {
	user, ok := userOf(c)
	return ok && user.May(p)
}

// askToSignIn leads to the page where one signs in, and from there back to what was asked for.
func (s *Server) askToSignIn(c echo.Context) error {
	r := c.Request()
	if isFragment(r) {
		return errs.New(errs.Unauthenticated, "you are signed out; reload the page")
	}
	to := "/login"
	if r.Method == http.MethodGet && r.URL.Path != "/" {
		to += "?next=" + url.QueryEscape(r.URL.RequestURI())
	}
	return c.Redirect(http.StatusSeeOther, to)
}
