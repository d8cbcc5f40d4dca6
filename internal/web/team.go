package web

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/audit"
	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/web/templates"
)

func (s *Server) teamRoutes() {
	s.guard(http.MethodGet, "/team", auth.Govern, s.teamPage)
	s.guard(http.MethodGet, "/team/people/new", auth.Govern, s.newPersonPage)
	s.guard(http.MethodPost, "/team/people/new", auth.Govern, s.addPerson)
	s.guard(http.MethodGet, "/team/people/:id/link", auth.Govern, s.onPerson(s.linkPage))
	s.guard(http.MethodPost, "/team/people/:id/link", auth.Govern, s.onPerson(s.makeLink))
	s.guard(http.MethodGet, "/team/people/:id/role", auth.Govern, s.onPerson(s.rolePage))
	s.guard(http.MethodPost, "/team/people/:id/role", auth.Govern, s.onPerson(s.setRole))
	s.guard(http.MethodGet, "/team/people/:id/queues", auth.Govern, s.onPerson(s.personQueuesPage))
	s.guard(http.MethodPost, "/team/people/:id/queues", auth.Govern, s.onPerson(s.setPersonQueues))
	s.guard(http.MethodGet, "/team/people/:id/disable", auth.Govern, s.onPerson(s.disablePage))
	s.guard(http.MethodPost, "/team/people/:id/disable", auth.Govern, s.onPerson(s.disablePerson))
	s.guard(http.MethodGet, "/team/people/:id/enable", auth.Govern, s.onPerson(s.enablePage))
	s.guard(http.MethodPost, "/team/people/:id/enable", auth.Govern, s.onPerson(s.enablePerson))
	s.guard(http.MethodGet, "/team/people/:id/second", auth.Govern, s.onPerson(s.resetSecondPage))
	s.guard(http.MethodPost, "/team/people/:id/second", auth.Govern, s.onPerson(s.resetSecond))
	s.guard(http.MethodPost, "/team/sessions/revoke", auth.Govern, s.revokeAny)
	s.tokenRoutes()
}

var teamFrame = frame{title: "Team", section: "Team", crumbs: []templates.Crumb{{Word: "Team"}}}

// teamForm is the frame of a form of the team's page where it is a page of its own.
func teamForm(title string) frame {
	return frame{title: title, section: "Team", crumbs: []templates.Crumb{{Word: "Team", Href: "/team"}, {Word: title}}}
}

// teamPage shows the people, the tokens, or the sessions of everybody, as its URL says.
func (s *Server) teamPage(c echo.Context) error {
	ctx := c.Request().Context()
	users, err := s.Users.List(ctx)
	if err != nil {
		return err
	}
	tokens, err := s.Tokens.List(ctx)
	if err != nil {
		return err
	}
	sessions, err := s.Sessions.List(ctx, nil)
	if err != nil {
		return err
	}
	v := templates.TeamView{Here: c.QueryParam("tab")}
	if v.Here != "tokens" && v.Here != "sessions" {
		v.Here = "people"
	}
	tab := func(word, name string, n int) {
		count := int64(n)
		v.Tabs = append(v.Tabs, templates.Tab{Word: word, Href: "/team?tab=" + name, Here: v.Here == name, Count: &count})
	}
	tab("People", "people", len(users))
	tab("Tokens", "tokens", len(tokens))
	tab("Sessions", "sessions", len(sessions))
	switch v.Here {
	case "people":
		v.People, v.Roles = s.people(c, users), roleTable()
	case "tokens":
		v.Tokens = s.tokenRows(tokens)
	case "sessions":
		who := map[uuid.UUID]string{}
		for _, u := range users {
			who[u.ID] = u.Email
		}
		v.Sessions = sessionRows(c, sessions, who)
	}
	return s.page(c, teamFrame, templates.Team(v))
}

func (s *Server) people(c echo.Context, users []auth.User) []templates.PersonRow {
	me, _ := userOf(c)
	rows := make([]templates.PersonRow, len(users))
	for i, u := range users {
		rows[i] = templates.PersonRow{
			ID: u.ID.String(), Email: u.Email, Name: u.Name, Role: string(u.Role), State: state(u), Created: u.CreatedAt, Last: u.LastLoginAt, Me: u.ID == me.ID,
			Second: u.SecondFactor, Queues: strings.Join(u.Queues, ", "), Unlimited: u.Role == auth.RoleAdmin,
		}
	}
	return rows
}

// state says whether a person can sign in.
func state(u auth.User) string {
	switch {
	case u.DisabledAt != nil:
		return "disabled"
	case !u.HasPassword && !u.External():
		return "waiting"
	}
	return "active"
}

// roleTable says who may what on the pages, from the table that the routes read.
func roleTable() []templates.RoleRow {
	var rows []templates.RoleRow
	for _, p := range auth.Permissions {
		if p.OnPages() {
			rows = append(rows, templates.RoleRow{
				Words: p.Words(), Viewer: auth.RoleViewer.May(p), Operator: auth.RoleOperator.May(p), Admin: auth.RoleAdmin.May(p),
			})
		}
	}
	return rows
}

// roleInput is the choice of a role.
func roleInput(role, wrong string) templates.Input {
	return templates.Input{
		Name: "role", Label: "Role", Type: "select", Value: role, Wrong: wrong, Options: []templates.Option{
			{Value: "viewer", Word: "viewer: reads"}, {Value: "operator", Word: "operator: acts on documents, pauses queues"},
			{Value: "admin", Word: "admin: everything, also people and tokens"},
		},
	}
}

func (s *Server) newPersonPage(c echo.Context) error {
	return s.askPerson(c, http.StatusOK, "", "", "operator", "", "")
}

func (s *Server) askPerson(c echo.Context, status int, email, name, role, field, said string) error {
	return s.dialog(c, status, teamForm("Add a person"), templates.ConfirmForm(templates.Confirm{
		Title: "Add a person", Action: "/team/people/new", Back: "/team", Button: "Make the one-time link",
		Says: []string{"You get a link that is good once, for a day, and hand it over yourself: nothing is mailed."}, Wrong: besides(field, said, "email", "name", "role"),
		Inputs: []templates.Input{
			{Name: "email", Label: "E-mail address", Type: "email", Value: email, Required: true, Autofocus: true, Max: 254, Autocomplete: "off", Wrong: at(field, "email", said)},
			{Name: "name", Label: "Name", Value: name, Max: 100, Autocomplete: "off", Wrong: at(field, "name", said)},
			roleInput(role, at(field, "role", said)),
		},
	}))
}

// besides returns a text about a form where it is not about one of these fields of it.
func besides(field, said string, fields ...string) string {
	for _, f := range fields {
		if f == field {
			return ""
		}
	}
	return said
}

func (s *Server) addPerson(c echo.Context) error {
	email, name, role := strings.TrimSpace(c.FormValue("email")), strings.TrimSpace(c.FormValue("name")), c.FormValue("role")
	user, err := s.Users.Create(c.Request().Context(), email, name, auth.Role(role))
	if field, said, ok := wrong(err); ok {
		return s.askPerson(c, http.StatusUnprocessableEntity, email, name, role, field, said)
	}
	if err != nil {
		return err
	}
	return s.showLink(c, user)
}

// showLink makes a one-time link and shows it, in the answer to the form and nowhere else.
func (s *Server) showLink(c echo.Context, user auth.User) error {
	text, err := s.Users.Link(c.Request().Context(), user.ID)
	if err != nil {
		return err
	}
	ends := s.Now().Add(auth.LinkLasts)
	return s.dialog(c, http.StatusOK, teamForm("One-time link"), templates.Secret(templates.SecretView{
		Title: "One-time link for " + user.Email, Label: "Link", Text: s.absolute(c.Request(), "/reset/"+text), Ends: &ends, Back: "/team",
		Says: []string{"Hand it over in a way that you trust: who opens it chooses the password and is signed in as " + user.Email + ". It works once, and is shown only here."},
	}))
}

// absolute is the URL of a path of this site, as the browser that asks knows it.
func (s *Server) absolute(r *http.Request, path string) string {
	if s.BaseURL != "" {
		return strings.TrimRight(s.BaseURL, "/") + path
	}
	if r.TLS != nil {
		return "https://" + r.Host + path
	}
	return "http://" + r.Host + path
}

// onPerson reads the person whom a path names.
func (s *Server) onPerson(h func(echo.Context, auth.User) error) echo.HandlerFunc {
	return func(c echo.Context) error {
		id, err := parseID("user", c.Param("id"))
		if err != nil {
			return err
		}
		user, err := s.Users.Get(c.Request().Context(), id)
		if err != nil {
			return err
		}
		audit.From(c.Request().Context()).To(user.Email)
		return h(c, user)
	}
}

// personURL is the path of something that is done to a person.
func personURL(u auth.User, what string) string { return fmt.Sprintf("/team/people/%s/%s", u.ID, what) }

// lately says when a person signed in last.
func lately(u auth.User, now time.Time) string {
	if u.LastLoginAt == nil {
		return u.Email + " has never signed in."
	}
	return u.Email + " signed in last " + templates.Ago(*u.LastLoginAt, now) + "."
}
