package web

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/web/templates"
)

func (s *Server) accountRoutes() {
	s.signedIn(http.MethodGet, "/account", s.accountPage)
	s.signedIn(http.MethodPost, "/account/password", s.changePassword)
	s.signedIn(http.MethodPost, "/account/sessions/revoke", s.revokeOwn)
	s.signedIn(http.MethodPost, "/account/theme", s.setTheme)
}

var accountFrame = frame{title: "Your account", crumbs: []templates.Crumb{{Word: "Your account"}}}

// accountPage shows who is signed in, from where, and what this person may change of it.
func (s *Server) accountPage(c echo.Context) error { return s.showAccount(c, http.StatusOK, "", "") }

func (s *Server) showAccount(c echo.Context, status int, field, said string) error {
	user, _ := userOf(c)
	list, err := s.Sessions.List(c.Request().Context(), &user.ID)
	if err != nil {
		return err
	}
	second, err := s.Users.Second(c.Request().Context(), user.ID)
	if err != nil {
		return err
	}
	passkeys, err := s.Users.Passkeys(c.Request().Context(), user.ID)
	if err != nil {
		return err
	}
	v := templates.AccountView{
		Email: user.Email, Name: user.Name, Role: string(user.Role), Created: user.CreatedAt, Theme: theme(c),
		Sessions: sessionRows(c, list, nil), WrongField: field, Wrong: said,
		Second: second.Since, CodesLeft: second.Left, Passkeys: len(passkeys), External: user.External(), Provider: s.outside(),
	}
	for _, p := range auth.Permissions {
		if user.May(p) {
			v.May = append(v.May, p.Words())
		}
	}
	return s.pageAt(c, status, accountFrame, templates.Account(v))
}

// sessionRows are sessions as a table shows them; who names their users where they are of several.
func sessionRows(c echo.Context, list []auth.Session, who map[uuid.UUID]string) []templates.SessionRow {
	rows := make([]templates.SessionRow, len(list))
	for i, k := range list {
		rows[i] = templates.SessionRow{
			ID: k.ID.String(), Who: who[k.UserID], Device: device(k.Agent), Agent: k.Agent, Address: k.Address,
			Began: k.CreatedAt, Seen: k.SeenAt, This: k.ID.String() == sessionOf(c).ID,
		}
	}
	return rows
}

// changePassword gives the present session another number too, so that a copy of its cookie is worth nothing any more.
func (s *Server) changePassword(c echo.Context) error {
	ctx, session := c.Request().Context(), sessionOf(c)
	user, _ := userOf(c)
	id, err := uuid.Parse(session.ID)
	if err != nil {
		return fmt.Errorf("the number of a session: %w", err)
	}
	err = s.Users.ChangePassword(ctx, user, c.FormValue("current"), c.FormValue("password"), id)
	if field, said, ok := wrong(err); ok {
		return s.showAccount(c, errs.Of(err).Status(), field, said)
	}
	if err != nil {
		return err
	}
	if err := s.Sessions.Rotate(c.Response(), c.Request(), session); err != nil {
		return err
	}
	return s.done(c, "/account", "Your password is changed. You are signed out everywhere else.", nil)
}

// revokeOwn ends one session of who asks, or all but the present one.
func (s *Server) revokeOwn(c echo.Context) error {
	ctx, session := c.Request().Context(), sessionOf(c)
	user, _ := userOf(c)
	if c.FormValue("others") != "" {
		this, err := uuid.Parse(session.ID)
		if err != nil {
			return fmt.Errorf("the number of a session: %w", err)
		}
		n, err := s.Sessions.RevokeOthers(ctx, user.ID, this)
		if err != nil {
			return err
		}
		return s.done(c, "/account", fmt.Sprintf("Other sessions ended: %d.", n), nil)
	}
	id, err := parseID("session", c.FormValue("id"))
	if err != nil {
		return err
	}
	if id.String() == session.ID {
		return s.signOut(c)
	}
	if err := s.Sessions.Revoke(ctx, id, &user.ID); err != nil {
		return err
	}
	return s.done(c, "/account", "Ended the session.", nil)
}

// parseID reads the number of something; what is none names nothing.
func parseID(field, text string) (uuid.UUID, error) {
	id, err := uuid.Parse(text)
	if err != nil {
		return id, &errs.Error{Code: errs.NotFound, Field: field, Message: "there is no such " + field, Err: errors.New("no UUID")}
	}
	return id, nil
}

const themeLasts = 365 * 24 * 60 * 60 // seconds

// setTheme keeps a theme in the browser. The page's own script does the same at once, and so must be able to read it.
func (s *Server) setTheme(c echo.Context) error {
	chosen := c.FormValue("theme")
	if chosen != "light" && chosen != "dark" {
		chosen = "system"
	}
	c.SetCookie(&http.Cookie{ //nolint:gosec // no secret: scripts read it, and it is Secure where there is TLS
		Name: "theme", Value: chosen, Path: "/", MaxAge: themeLasts, SameSite: http.SameSiteLaxMode, Secure: s.https(c.Request()),
	})
	return leave(c, back(c, "/account"))
}
