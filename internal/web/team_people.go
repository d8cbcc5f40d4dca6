package web

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/web/templates"
)

func (s *Server) linkPage(c echo.Context, user auth.User) error {
	return s.askLink(c, http.StatusOK, user, "")
}

func (s *Server) askLink(c echo.Context, status int, user auth.User, wrong string) error {
	says := "You get a link by which " + user.Email + " chooses a password. It is good once, for a day; one that was made before is over."
	if user.HasPassword {
		says += " The present password goes on working until the link is used; then all sessions of this person end."
	}
	if user.External() {
		says += " A provider or proxy signs this person in now: who uses the link signs in by the password from then on, and not there any more."
	}
	if user.SecondFactor {
		says += " The second factor stays: the link asks for a code too."
	}
	return s.dialog(c, status, teamForm("One-time link"), templates.ConfirmForm(templates.Confirm{
		Title: "One-time link for " + user.Email, Action: personURL(user, "link"), Back: "/team", Button: "Make the link", Says: []string{says}, Wrong: wrong,
	}))
}

func (s *Server) makeLink(c echo.Context, user auth.User) error {
	if user.DisabledAt != nil {
		return s.askLink(c, http.StatusUnprocessableEntity, user, "This person is disabled; enable them first.")
	}
	return s.showLink(c, user)
}

func (s *Server) rolePage(c echo.Context, user auth.User) error {
	return s.askRole(c, http.StatusOK, user, string(user.Role), "", "")
}

func (s *Server) askRole(c echo.Context, status int, user auth.User, role, field, said string) error {
	return s.dialog(c, status, teamForm("Role"), templates.ConfirmForm(templates.Confirm{
		Title: "Role of " + user.Email, Action: personURL(user, "role"), Back: "/team", Button: "Save the role", Wrong: besides(field, said, "role"),
		Says: []string{"It holds from the next click on, in open sessions too. A higher role ends them: this person then signs in anew."}, Inputs: []templates.Input{roleInput(role, at(field, "role", said))},
	}))
}

func (s *Server) setRole(c echo.Context, user auth.User) error {
	role := c.FormValue("role")
	_, err := s.Users.SetRole(c.Request().Context(), user.ID, auth.Role(role))
	if field, said, ok := wrong(err); ok {
		return s.askRole(c, errs.Of(err).Status(), user, role, field, said)
	}
	if err != nil {
		return err
	}
	to := "/team"
	if me, _ := userOf(c); me.ID == user.ID && !auth.Role(role).May(auth.Govern) {
		to = "/" // no page of the team for this person any more
	}
	return s.done(c, to, user.Email+" is "+role+" now.", nil)
}

func (s *Server) personQueuesPage(c echo.Context, user auth.User) error {
	return s.askPersonQueues(c, http.StatusOK, user, strings.Join(user.Queues, ", "), "")
}

func (s *Server) askPersonQueues(c echo.Context, status int, user auth.User, queues, wrong string) error {
	says := []string{"Queues that are not named here are to this person as if they were not there, on every page, from the next click on, in open sessions too."}
	if user.Role == auth.RoleAdmin {
		says = append(says, "An admin sees all queues: what stands here holds only when this person is admin no more.")
	}
	return s.dialog(c, status, teamForm("Queues"), templates.ConfirmForm(templates.Confirm{
		Title: "Queues of " + user.Email, Action: personURL(user, "queues"), Back: "/team", Button: "Save the queues", Says: says,
		Inputs: []templates.Input{{
			Name: "queues", Label: "Queues", Value: queues, Placeholder: "all queues", Autofocus: true, Autocomplete: "off", Wrong: wrong,
			Help: "Names with commas between them; one may end in *, as in pages,img_*. Empty: all queues, also those to come.",
		}},
	}))
}

// setPersonQueues limits what a person sees.
func (s *Server) setPersonQueues(c echo.Context, user auth.User) error {
	typed := strings.TrimSpace(c.FormValue("queues"))
	queues, err := patterns(typed)
	if err == nil {
		_, err = s.Users.SetQueues(c.Request().Context(), user.ID, queues)
	}
	if _, said, ok := wrong(err); ok {
		return s.askPersonQueues(c, errs.Of(err).Status(), user, typed, said)
	}
	if err != nil {
		return err
	}
	if queues == nil {
		return s.done(c, "/team", user.Email+" sees all queues now.", nil)
	}
	return s.done(c, "/team", user.Email+" sees "+strings.Join(queues, ", ")+" now.", nil)
}

func (s *Server) disablePage(c echo.Context, user auth.User) error {
	return s.askDisable(c, http.StatusOK, user, "")
}

func (s *Server) askDisable(c echo.Context, status int, user auth.User, wrong string) error {
	says := []string{
		"All sessions and links of this person end at once, and nobody can sign in as " + user.Email + " any more. Tokens that this person made go on working.",
		lately(user, s.Now()),
	}
	if me, _ := userOf(c); me.ID == user.ID {
		says = append(says, "This is you: you will be signed out.")
	}
	return s.dialog(c, status, teamForm("Disable"), templates.ConfirmForm(templates.Confirm{
		Title: "Disable " + user.Email, Action: personURL(user, "disable"), Back: "/team", Button: "Disable", Danger: true, Says: says, Wrong: wrong,
	}))
}

func (s *Server) disablePerson(c echo.Context, user auth.User) error {
	_, err := s.Users.Disable(c.Request().Context(), user.ID)
	if _, said, ok := wrong(err); ok {
		return s.askDisable(c, errs.Of(err).Status(), user, said)
	}
	if err != nil {
		return err
	}
	return s.done(c, "/team", user.Email+" is disabled.", nil)
}

func (s *Server) enablePage(c echo.Context, user auth.User) error {
	return s.dialog(c, http.StatusOK, teamForm("Enable"), templates.ConfirmForm(templates.Confirm{
		Title: "Enable " + user.Email, Action: personURL(user, "enable"), Back: "/team", Button: "Enable",
		Says: []string{"This person can sign in again, as " + string(user.Role) + ", by the same way as before.", lately(user, s.Now())},
	}))
}

func (s *Server) enablePerson(c echo.Context, user auth.User) error {
	if _, err := s.Users.Enable(c.Request().Context(), user.ID); err != nil {
		return err
	}
	return s.done(c, "/team", user.Email+" can sign in again.", nil)
}

func (s *Server) resetSecondPage(c echo.Context, user auth.User) error {
	return s.askResetSecond(c, http.StatusOK, user, "")
}

func (s *Server) askResetSecond(c echo.Context, status int, user auth.User, wrong string) error {
	return s.dialog(c, status, teamForm("Second factor"), templates.ConfirmForm(templates.Confirm{
		Title: "Remove the second factor of " + user.Email, Action: personURL(user, "second"), Back: "/team", Button: "Remove it", Danger: true, Wrong: wrong,
		Says: []string{
			"For somebody who has lost the app and the recovery codes. Make sure that it is " + user.Email + " who asks: from then on the password alone signs in.",
			"All sessions of this person end, and passkeys go too.",
		},
	}))
}

// resetSecond takes away a second factor. One's own goes by one's own account, where the password is asked for: a session alone
// must not do.
func (s *Server) resetSecond(c echo.Context, user auth.User) error {
	if me, _ := userOf(c); me.ID == user.ID {
		return s.askResetSecond(c, http.StatusUnprocessableEntity, user, "This is you: remove it in your account, where your password is asked for.")
	}
	err := s.Users.ResetSecond(c.Request().Context(), user.ID)
	if errs.Of(err) == errs.NotFound {
		return s.askResetSecond(c, http.StatusUnprocessableEntity, user, "This person has no second factor.")
	}
	if err != nil {
		return err
	}
	noteSecond(c, "off")
	return s.done(c, "/team", "The second factor of "+user.Email+" is removed.", nil)
}

// revokeAny ends a session of anybody.
func (s *Server) revokeAny(c echo.Context) error {
	id, err := parseID("session", c.FormValue("id"))
	if err != nil {
		return err
	}
	if id.String() == sessionOf(c).ID {
		return s.signOut(c)
	}
	if err := s.Sessions.Revoke(c.Request().Context(), id, nil); err != nil {
		return err
	}
	return s.done(c, "/team?tab=sessions", "Ended the session.", nil)
}
