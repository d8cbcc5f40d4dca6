package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/web/templates"
)

func viewsURL(name string, below ...string) string {
	return queueURL(name, append([]string{"views"}, below...)...)
}

// viewLinks are the views that lead to lists of a queue.
func (s *Server) viewLinks(c echo.Context, at documentsQuery) ([]templates.ViewLink, error) {
	me, _ := userOf(c)
	views, err := s.Users.Views(c.Request().Context(), me.ID, at.queue)
	if err != nil {
		return nil, err
	}
	here := at.url("", "")
	var links []templates.ViewLink
	for _, v := range views {
		query, _ := url.ParseQuery(v.Query) // what cannot be read is left out
		list := parseDocumentsQuery(at.queue, query)
		f, err := list.filter(s.Now())
		if err == nil && v.Owner != me.ID && s.Engine.MayFilter(c.Request().Context(), at.queue, "payload", f.Payload) != nil {
			continue // its address would tell what is hidden
		}
		link := templates.ViewLink{Word: v.Name, Href: list.url("", "")}
		link.Here = link.Href == here
		if v.Shared {
			link.By = v.OwnerName
		}
		if v.Owner == me.ID || v.Shared && may(c, auth.Manage) {
			link.Delete = viewsURL(at.queue, "delete") + "?id=" + v.ID.String()
		}
		links = append(links, link)
	}
	return links, nil
}

// newViewPage asks under which name the list is to be saved.
func (s *Server) newViewPage(c echo.Context) error {
	if _, err := s.Engine.Get(c.Request().Context(), c.Param("queue")); err != nil {
		return err
	}
	return s.askView(c, http.StatusOK, "", "")
}

func (s *Server) askView(c echo.Context, status int, field, said string) error {
	list := savedList(c)
	shared := templates.Input{
		Name: "shared", Label: "Who sees it", Type: "select", Value: c.FormValue("shared"),
		Options: []templates.Option{{Value: "", Word: "only me"}, {Value: "yes", Word: "everybody who signs in"}}, Help: "It stands under Views of this queue.",
	}
	if !may(c, auth.Act) {
		shared.Options, shared.Help = shared.Options[:1], "It stands under Views of this queue. Operators and admins can share views."
	}
	form := templates.Confirm{
		Title: "Save this view of " + list.queue, Action: viewsURL(list.queue, "new"), Back: list.url("", ""), Button: "Save the view", Wrong: besides(field, said, "name"),
		Says:   savedWords(list),
		Fields: []templates.Field{{Name: "list", Value: list.query().Encode()}},
		Inputs: []templates.Input{
			{Name: "name", Label: "Name", Value: c.FormValue("name"), Required: true, Autofocus: true, Max: 60, Autocomplete: "off", Wrong: at(field, "name", said)}, shared,
		},
	}
	return s.dialog(c, status, queueFrame(list.queue, "Save a view"), templates.ConfirmForm(form))
}

// savedWords say what a view holds.
func savedWords(list documentsQuery) []string {
	var filters []string
	if status := list.filters["status"]; status != "" {
		filters = append(filters, "status "+status)
	}
	for _, name := range filterNames {
		if value := list.filters[name]; value != "" {
			word := templates.FilterWord(name)
			filters = append(filters, strings.ToLower(word[:1])+word[1:]+" "+short(value))
		}
	}
	columns := list.columns
	if columns == nil {
		columns = templates.UsualColumns
	}
	words := []string{"Status", "Subject"}
	for _, c := range templates.DocumentColumns {
		if slices.Contains(columns, c.Name) {
			words = append(words, c.Word)
		}
	}
	words = append(words, pathsOf(columns)...)
	order := list.order
	if all := orders(list); order == "" && len(all) > 0 {
		order = all[0].Value
	}
	return []string{
		"Filters: " + firstOf(strings.Join(filters, "; "), "none, it is all documents") + ".", "Columns: " + strings.Join(words, ", ") + ".",
		fmt.Sprintf("Order: %s, %d rows a page.", firstOf(orderWords[order], order), list.size), "A view of yours with the same name is replaced.",
	}
}

// savedList is the list that a form names.
func savedList(c echo.Context) documentsQuery {
	query, _ := url.ParseQuery(c.FormValue("list")) // what cannot be read is left out
	return parseDocumentsQuery(c.Param("queue"), query)
}

func (s *Server) saveView(c echo.Context) error {
	name := c.Param("queue")
	if _, err := s.Engine.Get(c.Request().Context(), name); err != nil {
		return err
	}
	me, _ := userOf(c)
	list := savedList(c)
	v := auth.View{Queue: name, Name: c.FormValue("name"), Query: list.query().Encode(), Shared: c.FormValue("shared") != "", Owner: me.ID}
	if v.Shared && !may(c, auth.Act) {
		return errs.New(errs.Forbidden, "%s", lacks)
	}
	err := s.Users.SaveView(c.Request().Context(), v)
	if field, said, ok := wrong(err); ok {
		return s.askView(c, http.StatusUnprocessableEntity, field, said)
	} else if err != nil {
		return err
	}
	return s.done(c, list.url("", ""), "Saved the view "+strings.TrimSpace(v.Name)+".", nil)
}

func (s *Server) deleteView(c echo.Context) error {
	id, err := uuid.Parse(c.QueryParam("id"))
	if err != nil {
		return errs.New(errs.NotFound, "there is no such view")
	}
	me, _ := userOf(c)
	if err := s.Users.DeleteView(c.Request().Context(), id, me.ID, may(c, auth.Manage)); err != nil {
		return err
	}
	return s.done(c, back(c, queueURL(c.Param("queue"), "documents")), "Deleted the view.", nil)
}
