package web

import (
	"encoding/base64"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/audit"
	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/web/templates"
)

const passkeysURL = "/account/passkeys"

func (s *Server) passkeyRoutes() {
	s.open(http.MethodPost, "/login/passkey/begin", s.beginPasskeySignIn)
	s.open(http.MethodPost, "/login/passkey", s.finishPasskeySignIn)
	s.signedIn(http.MethodGet, passkeysURL, s.passkeysPage)
	s.signedIn(http.MethodPost, passkeysURL, s.beginPasskey)
	s.signedIn(http.MethodPost, passkeysURL+"/confirm", s.finishPasskey)
	s.signedIn(http.MethodPost, passkeysURL+"/rename", s.renamePasskey)
	s.signedIn(http.MethodPost, passkeysURL+"/remove", s.removePasskey)
}

var passkeysFrame = frame{title: "Passkeys", crumbs: []templates.Crumb{{Word: "Your account", Href: "/account"}, {Word: "Passkeys"}}}

// passkeySite is for which site passkeys are here. Browsers have none for an address of numbers, and none without TLS but on the
// machine itself, whose name alone is taken from the request.
func (s *Server) passkeySite(r *http.Request) (site auth.PasskeySite, ok bool) {
	address := s.BaseURL
	if address == "" {
		address = "http://" + r.Host
		if r.TLS != nil {
			address = "https://" + r.Host
		}
	}
	u, err := url.Parse(address)
	if err != nil {
		return site, false
	}
	host := strings.ToLower(u.Hostname())
	here := host == "localhost"
	if host == "" || net.ParseIP(host) != nil || !here && (s.BaseURL == "" || u.Scheme != "https") {
		return site, false
	}
	return auth.PasskeySite{Host: host, Origin: origin(u.Scheme + "://" + u.Host)}, true
}

var errNoPasskeys = errs.New(errs.NotFound, "this site has no passkeys: it needs a name, TLS, and FETCHQ_BASE_URL, which says both")

func (s *Server) passkeysPage(c echo.Context) error {
	return s.showPasskeys(c, http.StatusOK, templates.PasskeysView{})
}

func (s *Server) showPasskeys(c echo.Context, status int, v templates.PasskeysView) error {
	user, _ := userOf(c)
	list, err := s.Users.Passkeys(c.Request().Context(), user.ID)
	if err != nil {
		return err
	}
	for _, k := range list {
		v.List = append(v.List, templates.PasskeyRow{ID: base64.RawURLEncoding.EncodeToString(k.ID), Name: k.Name, Created: k.CreatedAt, Used: k.UsedAt})
	}
	_, here := s.passkeySite(c.Request())
	v.Email, v.Away, v.External = user.Email, !here, user.External()
	return s.pageAt(c, status, passkeysFrame, templates.Passkeys(v))
}

// passkeyKey is where a session keeps what FinishPasskey wants.
const passkeyKey = "passkey"

// beginPasskey asks for the password, and shows the page from which the device is asked.
func (s *Server) beginPasskey(c echo.Context) error {
	site, ok := s.passkeySite(c.Request())
	if !ok {
		return s.showPasskeys(c, http.StatusUnprocessableEntity, templates.PasskeysView{}) // it says why
	}
	user, _ := userOf(c)
	options, kept, err := s.Users.BeginPasskey(c.Request().Context(), site, user, c.FormValue("current"), c.FormValue("name"))
	if field, said, ok := wrong(err); ok {
		return s.showPasskeys(c, errs.Of(err).Status(), templates.PasskeysView{Name: c.FormValue("name"), WrongField: field, Wrong: said})
	}
	if err != nil {
		return err
	}
	session := sessionOf(c)
	session.Values[passkeyKey] = kept
	if err := s.saveSession(c, session); err != nil {
		return err
	}
	return s.pageAt(c, http.StatusOK, passkeysFrame, templates.NewPasskey(templates.NewPasskeyView{Name: strings.TrimSpace(c.FormValue("name")), Options: string(options)}))
}

func (s *Server) finishPasskey(c echo.Context) error {
	site, ok := s.passkeySite(c.Request())
	if !ok {
		return errNoPasskeys
	}
	user, _ := userOf(c)
	session := sessionOf(c)
	kept, _ := session.Values[passkeyKey].(string)
	delete(session.Values, passkeyKey) // it is good once
	if err := s.saveSession(c, session); err != nil {
		return err
	}
	err := s.Users.FinishPasskey(c.Request().Context(), site, user, kept, c.FormValue("credential"))
	if field, said, ok := wrong(err); ok {
		s.Log.Info("a passkey is refused", "error", err)
		return s.showPasskeys(c, errs.Of(err).Status(), templates.PasskeysView{WrongField: field, Wrong: said})
	}
	if err != nil {
		return err
	}
	audit.From(c.Request().Context()).Note("passkey", "added")
	return s.done(c, passkeysURL, "Your passkey is kept: it signs you in, without the password.", nil)
}

func (s *Server) renamePasskey(c echo.Context) error {
	user, _ := userOf(c)
	err := s.Users.RenamePasskey(c.Request().Context(), user.ID, passkeyID(c), c.FormValue("name"))
	return s.changedPasskey(c, err, "renamed", "The passkey has its new name.")
}

func (s *Server) removePasskey(c echo.Context) error {
	user, _ := userOf(c)
	err := s.Users.RemovePasskey(c.Request().Context(), user.ID, passkeyID(c))
	return s.changedPasskey(c, err, "removed", "The passkey is removed: it signs nobody in any more. Remove it from the device too.")
}

// passkeyID is which passkey a form is about; what is no number of one names none.
func passkeyID(c echo.Context) []byte {
	id, err := base64.RawURLEncoding.DecodeString(c.FormValue("id"))
	if err != nil {
		return nil
	}
	return id
}

func (s *Server) changedPasskey(c echo.Context, err error, is, said string) error {
	if _, why, ok := wrong(err); ok {
		return s.showPasskeys(c, errs.Of(err).Status(), templates.PasskeysView{WrongField: "list", Wrong: why})
	}
	if errs.Of(err) == errs.NotFound {
		return leave(c, passkeysURL) // it is gone already
	}
	if err != nil {
		return err
	}
	audit.From(c.Request().Context()).Note("passkey", is)
	return s.done(c, passkeysURL, said, nil)
}

func (s *Server) passkeyCookie(r *http.Request) string {
	if s.https(r) {
		return "__Host-fetchq_passkey"
	}
	return "fetchq_passkey"
}

func (s *Server) setPasskey(c echo.Context, text string, age int) {
	c.SetCookie(&http.Cookie{ //nolint:gosec // Secure where there is TLS
		Name: s.passkeyCookie(c.Request()), Value: text, Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: s.https(c.Request()),
	})
}

// beginPasskeySignIn tells the page's script what the device is to sign.
func (s *Server) beginPasskeySignIn(c echo.Context) error {
	site, ok := s.passkeySite(c.Request())
	if !ok {
		return errNoPasskeys
	}
	options, text, err := s.Users.BeginPasskeySignIn(c.Request().Context(), site, s.Proxies.Address(c.Request()))
	if err != nil {
		return err
	}
	s.setPasskey(c, text, int(auth.PasskeyWaits.Seconds()))
	return c.JSONBlob(http.StatusOK, options)
}

func (s *Server) finishPasskeySignIn(c echo.Context) error {
	r := c.Request()
	site, ok := s.passkeySite(r)
	if !ok {
		return errNoPasskeys
	}
	text := cookie(c, s.passkeyCookie(r))
	s.setPasskey(c, "", -1)
	user, err := s.Users.FinishPasskeySignIn(r.Context(), site, text, c.FormValue("credential"), s.Proxies.Address(r))
	if err != nil {
		s.Log.Info("a passkey is refused", "error", err)
		return s.refuseSignIn(c, err)
	}
	audit.From(r.Context()).Note("passkey", true)
	return s.enter(c, user, local(c.FormValue("next"), "/"))
}
