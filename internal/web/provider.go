package web

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/gorilla/sessions"
	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/audit"
	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/provider"
	"github.com/fetchq/server/web/templates"
)

// CallbackPath is where an OpenID provider sends people back.
const CallbackPath = "/login/provider/callback"

// providerLasts is how many seconds a sign-in at the provider may take.
const providerLasts = 10 * 60

func (s *Server) providerRoutes() {
	s.open(http.MethodGet, "/login/provider", s.beginProvider)
	s.open(http.MethodGet, CallbackPath, s.finishProvider)
	s.signedIn(http.MethodPost, "/account/connect", s.connect)
}

var errNoProvider = errs.New(errs.NotFound, "no provider signs people in here")

// beginProvider leads to the provider. It is a link and no form: browsers hold the way that a form takes against form-action, to its end.
func (s *Server) beginProvider(c echo.Context) error {
	if s.Provider == nil {
		return errNoProvider
	}
	to, _, err := s.leadTo(c, local(c.QueryParam("next"), "/"))
	if err != nil {
		return s.refuseSignIn(c, err)
	}
	return c.Redirect(http.StatusSeeOther, to)
}

// leadTo begins a sign-in at the provider, of this browser alone: what the provider sends back has to fit a secret in its cookie.
func (s *Server) leadTo(c echo.Context, next string) (to, secret string, err error) {
	if !s.Users.AllowAddress(s.Proxies.Address(c.Request())) {
		return "", "", errs.New(errs.Throttled, "there were too many sign-ins from your address; wait a minute and try again")
	}
	secret = rand.Text()
	if to, err = s.Provider.Begin(c.Request().Context(), secret); err != nil {
		return "", "", err
	}
	s.setProvider(c, secret+"."+base64.RawURLEncoding.EncodeToString([]byte(next)), providerLasts)
	return to, secret, nil
}

func (s *Server) providerCookie(r *http.Request) string {
	if s.https(r) {
		return "__Host-fetchq_provider"
	}
	return "fetchq_provider"
}

// setProvider keeps the secret of a sign-in for the way there and back, which begins at another site: a strict cookie would not come.
func (s *Server) setProvider(c echo.Context, text string, age int) {
	c.SetCookie(&http.Cookie{ //nolint:gosec // Secure where there is TLS
		Name: s.providerCookie(c.Request()), Value: text, Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: s.https(c.Request()),
	})
}

// finishProvider is where the provider sends people back.
func (s *Server) finishProvider(c echo.Context) error {
	if s.Provider == nil {
		return errNoProvider
	}
	r, ctx := c.Request(), c.Request().Context()
	secret, rest, _ := strings.Cut(cookie(c, s.providerCookie(r)), ".")
	if !provider.State(secret, c.QueryParams()) {
		return s.refuseSignIn(c, provider.ErrStranger) // the sign-in that this browser has begun goes on
	}
	s.setProvider(c, "", -1)
	if !s.Users.AllowAddress(s.Proxies.Address(r)) {
		return s.refuseSignIn(c, errs.New(errs.Throttled, "there were too many sign-ins from your address; wait a minute and try again"))
	}
	who, err := s.Provider.Finish(ctx, secret, c.QueryParams())
	if err != nil {
		return s.refuseSignIn(c, err)
	}
	person := auth.Person{Issuer: who.Issuer, Subject: who.Subject, Email: who.Email, Name: who.Name, Groups: who.Groups}
	session, err := s.Sessions.Get(r, auth.SessionName)
	if err != nil {
		return err
	}
	if user, ok := auth.UserOf(session); ok && session.Values[connectKey] == connectMark(secret) {
		know(c, session, user) // an error has the frame of who is signed in
		return s.bind(c, user, person, auth.ProviderDoor)
	}
	user, err := s.Users.Admit(ctx, s.Entrance, person)
	if err != nil {
		return s.refuseSignIn(c, err)
	}
	next, _ := base64.RawURLEncoding.DecodeString(rest) // of another text than ours: nothing
	return s.enterBy(c, user, auth.ProviderDoor, local(string(next), "/"))
}

// refuseSignIn shows the page where one signs in, with what went wrong; the log has more under the request.
func (s *Server) refuseSignIn(c echo.Context, err error) error {
	code := errs.Of(err)
	switch code {
	case errs.Unauthenticated, errs.Forbidden, errs.Throttled, errs.Unavailable, errs.Invalid:
	default:
		return err
	}
	id, _ := c.Get(idKey).(string)
	s.Log.Info("sign-in refused", "why", code, "address", s.Proxies.Address(c.Request()), "request_id", id)
	audit.From(c.Request().Context()).Note("why", message(err))
	v := s.signInView(c, "/")
	v.Wrong, v.RequestID = message(err), id
	return s.alone(c, code.Status(), "Sign in", templates.SignIn(v))
}

// enterBy begins a session of somebody who came in by a door, and goes on.
func (s *Server) enterBy(c echo.Context, user auth.User, door auth.Door, next string) error {
	if err := s.Sessions.Begin(c.Response(), c.Request(), user, door, s.Proxies.Address(c.Request())); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, next)
}

// connectKey is where a session keeps that its user has shown the password in order to be connected, by which sign-in at the provider.
const connectKey = "connect"

func connectMark(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// connect binds the account of who is signed in to what the provider calls this person. It wants the password, for the account then opens
// by the provider alone: whoever finds a browser open must not be able to.
func (s *Server) connect(c echo.Context) error {
	ctx := c.Request().Context()
	user, _ := userOf(c)
	if s.outside() == "" {
		return errNoProvider
	}
	err := s.Users.CheckPresent(ctx, user, c.FormValue("current"))
	if field, said, ok := wrong(err); ok {
		return s.showAccount(c, errs.Of(err).Status(), "connect-"+field, said)
	}
	if err != nil {
		return err
	}
	if s.Provider == nil {
		return s.connectProxied(c, user)
	}
	to, secret, err := s.leadTo(c, "/account")
	if code := errs.Of(err); code == errs.Unavailable || code == errs.Throttled {
		return s.showAccount(c, code.Status(), "connect", message(err))
	}
	if err != nil {
		return err
	}
	session := sessionOf(c)
	session.Values[connectKey] = connectMark(secret)
	if err := s.saveSession(c, session); err != nil {
		return err
	}
	return s.pageAt(c, http.StatusOK, accountFrame, templates.GoOn(templates.GoOnView{Provider: s.Provider.Name(), Href: to}))
}

func (s *Server) saveSession(c echo.Context, session *sessions.Session) error {
	return s.Sessions.Save(c.Request(), c.Response(), session)
}

// bind connects an account and begins a session of it by its new door.
func (s *Server) bind(c echo.Context, user auth.User, person auth.Person, door auth.Door) error {
	user, err := s.Users.Connect(c.Request().Context(), s.Entrance, person, user.ID)
	if err != nil {
		return err
	}
	return s.enterBy(c, user, door, "/account")
}
