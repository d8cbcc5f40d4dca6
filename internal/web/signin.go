package web

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/web/templates"
)

func (s *Server) signInRoutes() {
	s.open(http.MethodGet, "/login", s.signInPage)
	s.open(http.MethodPost, "/login", s.signIn)
	s.open(http.MethodGet, "/setup/:token", s.setupPage)
	s.open(http.MethodPost, "/setup/:token", s.setup)
	s.open(http.MethodGet, "/reset/:token", s.choosePage)
	s.open(http.MethodPost, "/reset/:token", s.choose)
	s.open(http.MethodGet, "/login/code", s.codePage)
	s.open(http.MethodPost, "/login/code", s.finishSignIn)
	s.signedIn(http.MethodPost, "/logout", s.signOut)
}

// signInPage shows the form, or goes on where somebody is signed in already.
func (s *Server) signInPage(c echo.Context) error {
	next := local(c.QueryParam("next"), "/")
	_, ok, err := s.signedInUser(c)
	if err != nil {
		return err
	}
	if ok {
		return c.Redirect(http.StatusSeeOther, next)
	}
	if c.QueryParam("out") == "" {
		if done, err := s.enterByProxy(c, next); done {
			return err
		}
	}
	v := s.signInView(c, next)
	switch {
	case c.QueryParam("out") != "":
		v.Said = "You are signed out."
	case c.QueryParam("over") != "":
		v.Wrong = "The sign-in took too long, or was tried too often; begin again."
	}
	if v.Setup, err = s.Users.None(c.Request().Context()); err != nil {
		return err
	}
	return s.alone(c, http.StatusOK, "Sign in", templates.SignIn(v))
}

func (s *Server) signIn(c echo.Context) error {
	v := s.signInView(c, local(c.FormValue("next"), "/"))
	v.Email = c.FormValue("email")
	user, err := s.Users.SignIn(c.Request().Context(), v.Email, c.FormValue("password"), s.Proxies.Address(c.Request()))
	if done, err := s.arrive(c, user, v.Next, err); done {
		return err
	}
	switch code := errs.Of(err); code {
	case errs.Unauthenticated, errs.Throttled, errs.Overloaded:
		s.Log.Info("sign-in refused", "why", code, "address", s.Proxies.Address(c.Request()))
		v.Wrong = message(err)
		return s.alone(c, code.Status(), "Sign in", templates.SignIn(v))
	default:
		return err
	}
}

// signInView is the page with the doors that there are.
func (s *Server) signInView(c echo.Context, next string) templates.SignInView {
	v := templates.SignInView{Next: next}
	if s.Provider != nil {
		v.Provider = s.Provider.Name()
	}
	v.Proxy = s.Headers.User != ""
	_, v.Passkeys = s.passkeySite(c.Request())
	return v
}

// enter begins a new session of who has shown a password or a link, and goes on.
func (s *Server) enter(c echo.Context, user auth.User, next string) error {
	return s.enterBy(c, user, auth.OwnDoor, next)
}

// message is what a person is told of an error of ours.
func message(err error) string {
	var e *errs.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return "something went wrong here"
}

func (s *Server) setupPage(c echo.Context) error {
	if err := s.Users.CheckSetup(c.Request().Context(), c.Param("token")); err != nil {
		return err
	}
	return s.alone(c, http.StatusOK, "Welcome", templates.Setup(templates.SetupView{Token: c.Param("token")}))
}

func (s *Server) setup(c echo.Context) error {
	v := templates.SetupView{Token: c.Param("token"), Email: c.FormValue("email"), Name: c.FormValue("name")}
	user, err := s.Users.Setup(c.Request().Context(), v.Token, v.Email, v.Name, c.FormValue("password"))
	if err == nil {
		return s.enter(c, user, "/")
	}
	var ok bool
	if v.WrongField, v.Wrong, ok = wrong(err); !ok {
		return err
	}
	return s.alone(c, http.StatusUnprocessableEntity, "Welcome", templates.Setup(v))
}

func (s *Server) choosePage(c echo.Context) error {
	user, err := s.Users.LinkUser(c.Request().Context(), c.Param("token"))
	if err != nil {
		return err
	}
	return s.alone(c, http.StatusOK, "Choose a password", templates.Choose(templates.ChooseView{Token: c.Param("token"), Email: user.Email}))
}

func (s *Server) choose(c echo.Context) error {
	token := c.Param("token")
	user, err := s.Users.UseLink(c.Request().Context(), token, c.FormValue("password"))
	if done, err := s.arrive(c, user, "/", err); done {
		return err
	}
	field, said, ok := wrong(err)
	if !ok {
		return err
	}
	of, err := s.Users.LinkUser(c.Request().Context(), token)
	if err != nil {
		return err
	}
	v := templates.ChooseView{Token: token, Email: of.Email, Wrong: said, WrongField: field}
	return s.alone(c, http.StatusUnprocessableEntity, "Choose a password", templates.Choose(v))
}

func (s *Server) signOut(c echo.Context) error {
	if err := s.Sessions.SignOut(c.Response(), c.Request()); err != nil {
		return err
	}
	c.Response().Header().Set("Clear-Site-Data", `"cache"`) // also the pages that Back would take from memory
	return c.Redirect(http.StatusSeeOther, "/login?out=1")
}
