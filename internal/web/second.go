package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/audit"
	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/web/templates"
)

const secondURL = "/account/second"

func (s *Server) secondRoutes() {
	s.signedIn(http.MethodGet, secondURL, s.secondPage)
	s.signedIn(http.MethodPost, secondURL, s.enrol)
	s.signedIn(http.MethodGet, secondURL+"/qr.png", s.secondQR)
	s.signedIn(http.MethodPost, secondURL+"/confirm", s.confirmSecond)
	s.signedIn(http.MethodPost, secondURL+"/codes", s.newRecovery)
	s.signedIn(http.MethodPost, secondURL+"/remove", s.dropSecond)
}

var secondFrame = frame{title: "Second factor", crumbs: []templates.Crumb{{Word: "Your account", Href: "/account"}, {Word: "Second factor"}}}

// secondPage shows the second factor of who is signed in: none, one that is being set up, or what may be done to the one there is.
func (s *Server) secondPage(c echo.Context) error {
	return s.showSecond(c, http.StatusOK, templates.SecondView{})
}

func (s *Server) showSecond(c echo.Context, status int, v templates.SecondView) error {
	ctx := c.Request().Context()
	user, _ := userOf(c)
	second, err := s.Users.Second(ctx, user.ID)
	if err != nil {
		return err
	}
	v.Email, v.Since, v.CodesLeft, v.NoKey = user.Email, second.Since, second.Left, !s.Users.CanEnrol()
	if v.Since == nil && !v.NoKey {
		switch e, err := s.Users.Enrolling(ctx, user, s.issuer()); errs.Of(err) {
		case "":
			v.Secret = e.Secret()
		case errs.NotFound, errs.Unavailable: // nothing is being set up, or under another key: it begins anew
		default:
			return err
		}
	}
	return s.pageAt(c, status, secondFrame, templates.Second(v))
}

// refuse shows the page again where an error is about one of its forms.
func (s *Server) refuseSecond(c echo.Context, form string, err error) error {
	field, said, ok := wrong(err)
	if !ok {
		return err
	}
	return s.showSecond(c, errs.Of(err).Status(), templates.SecondView{Form: form, WrongField: field, Wrong: said})
}

// issuer is what an app that shows codes calls this site.
func (s *Server) issuer() string {
	if u, err := url.Parse(s.URL); err == nil && u.Hostname() != "" {
		return "Fetchq " + u.Hostname()
	}
	return "Fetchq"
}

func (s *Server) enrol(c echo.Context) error {
	user, _ := userOf(c)
	err := s.Users.Enrol(c.Request().Context(), user, c.FormValue("current"))
	if errs.Of(err) == errs.Unavailable {
		return s.showSecond(c, http.StatusUnprocessableEntity, templates.SecondView{}) // it says why
	}
	if err != nil {
		return s.refuseSecond(c, "begin", err)
	}
	return leave(c, secondURL)
}

// secondQR is the picture of a secret that is being set up. No page is kept by browsers, and this is none either.
func (s *Server) secondQR(c echo.Context) error {
	user, _ := userOf(c)
	e, err := s.Users.Enrolling(c.Request().Context(), user, s.issuer())
	if err != nil {
		return err
	}
	picture, err := e.QR()
	if err != nil {
		return err
	}
	return c.Blob(http.StatusOK, "image/png", picture)
}

// confirmSecond gives the present session another number too, as a changed password does.
func (s *Server) confirmSecond(c echo.Context) error {
	session := sessionOf(c)
	user, _ := userOf(c)
	id, err := uuid.Parse(session.ID)
	if err != nil {
		return fmt.Errorf("the number of a session: %w", err)
	}
	codes, err := s.Users.Confirm(c.Request().Context(), user, c.FormValue("code"), id)
	if errs.Of(err) == errs.NotFound {
		return s.showSecond(c, http.StatusUnprocessableEntity, templates.SecondView{Form: "begin", Wrong: message(err)})
	}
	if err != nil {
		return s.refuseSecond(c, "confirm", err)
	}
	noteSecond(c, "on")
	if err := s.Sessions.Rotate(c.Response(), c.Request(), session); err != nil {
		return err
	}
	return s.showCodes(c, codes, "Your second factor is on. You are signed out everywhere else.")
}

// showCodes shows recovery codes in the answer to the form, and nowhere else.
func (s *Server) showCodes(c echo.Context, codes []string, said string) error {
	return s.pageAt(c, http.StatusOK, secondFrame, templates.RecoveryCodes(templates.CodesView{Said: said, Codes: codes}))
}

func (s *Server) newRecovery(c echo.Context) error {
	user, _ := userOf(c)
	codes, err := s.Users.NewRecovery(c.Request().Context(), user, c.FormValue("current"))
	if errs.Of(err) == errs.NotFound {
		return leave(c, secondURL) // it was removed meanwhile, and the page says so
	}
	if err != nil {
		return s.refuseSecond(c, "codes", err)
	}
	noteSecond(c, "new recovery codes")
	return s.showCodes(c, codes, "These are your new recovery codes; those from before are over.")
}

func (s *Server) dropSecond(c echo.Context) error {
	user, _ := userOf(c)
	if err := s.Users.DropSecond(c.Request().Context(), user, c.FormValue("current")); err != nil {
		return s.refuseSecond(c, "remove", err)
	}
	noteSecond(c, "off")
	return s.done(c, "/account", "Your second factor is removed: your password alone signs in.", nil)
}

// noteSecond says in the audit log what became of a second factor.
func noteSecond(c echo.Context, is string) {
	audit.From(c.Request().Context()).Note("second_factor", is)
}

// arrive goes on with who has shown a password or a link: in, or to the second step. It is not done where err is something else.
func (s *Server) arrive(c echo.Context, user auth.User, next string, err error) (done bool, _ error) {
	var step *auth.SecondStep
	switch {
	case err == nil:
		return true, s.enter(c, user, next)
	case errors.As(err, &step):
		audit.From(c.Request().Context()).To(step.Email)
		s.setHalf(c, step.Text, int(auth.HalfLasts.Seconds()))
		return true, c.Redirect(http.StatusSeeOther, "/login/code?next="+url.QueryEscape(next))
	}
	return false, nil
}

// halfName is the cookie of who is half signed in. No other page looks at it.
func (s *Server) halfName(r *http.Request) string {
	if s.https(r) {
		return "__Host-fetchq_half"
	}
	return "fetchq_half"
}

func (s *Server) setHalf(c echo.Context, text string, age int) {
	c.SetCookie(&http.Cookie{ //nolint:gosec // Secure where there is TLS
		Name: s.halfName(c.Request()), Value: text, Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: s.https(c.Request()),
	})
}

// over ends what was half a sign-in.
func (s *Server) over(c echo.Context) error {
	s.setHalf(c, "", -1)
	return c.Redirect(http.StatusSeeOther, "/login?over=1")
}

func (s *Server) codePage(c echo.Context) error {
	return s.askCode(c, http.StatusOK, c.QueryParam("next"), "")
}

func (s *Server) askCode(c echo.Context, status int, next, wrong string) error {
	user, err := s.Users.HalfUser(c.Request().Context(), cookie(c, s.halfName(c.Request())))
	if errs.Of(err) == errs.NotFound {
		return s.over(c)
	}
	if err != nil {
		return err
	}
	audit.From(c.Request().Context()).To(user.Email)
	return s.alone(c, status, "Second step", templates.Code(templates.CodeView{Email: user.Email, Next: local(next, "/"), Wrong: wrong}))
}

func (s *Server) finishSignIn(c echo.Context) error {
	r, next := c.Request(), local(c.FormValue("next"), "/")
	address := s.Proxies.Address(r)
	user, err := s.Users.FinishSignIn(r.Context(), cookie(c, s.halfName(r)), c.FormValue("code"), address)
	switch code := errs.Of(err); code {
	case "":
		s.setHalf(c, "", -1)
		return s.enter(c, user, next)
	case errs.NotFound:
		return s.over(c)
	case errs.Invalid, errs.Throttled, errs.Unavailable:
		s.Log.Info("second step refused", "why", code, "address", address)
		if code == errs.Invalid {
			code = errs.Unauthenticated // as a wrong password, which the audit log has too
		}
		return s.askCode(c, code.Status(), next, message(err))
	default:
		return err
	}
}
