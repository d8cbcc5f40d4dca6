package web

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/web/templates"
)

func (s *Server) searchRoutes() {
	s.guard(http.MethodGet, "/search", auth.See, s.searchPage)
}

// Most that a search shows.
const (
	searchQueues   = 20
	searchWorkers  = 20
	searchSubjects = 50
	searchErrors   = 5   // groups, or lines that differ in their message
	searchLines    = 50  // in which the latter are looked for
	searchLooks    = 200 // of the newest lines of each queue that are looked at
)

// searchPage finds pages, queues and workers by a part of their names, documents by the begin of their subjects, and errors by a part of
// their messages.
func (s *Server) searchPage(c echo.Context) error {
	ctx := c.Request().Context()
	v := templates.SearchView{Text: strings.TrimSpace(c.QueryParam("q"))}
	f := frame{title: "Search", crumbs: []templates.Crumb{{Word: "Search"}}, query: v.Text}
	if v.Text == "" {
		return s.page(c, f, templates.Search(v))
	}
	user, _ := userOf(c)
	lower := strings.ToLower(v.Text)
	places, err := s.places(c, user)
	if err != nil {
		return err
	}
	for _, p := range places {
		if strings.Contains(strings.ToLower(p.Word), lower) {
			v.Pages = append(v.Pages, p)
		}
	}
	names, err := s.Engine.Names(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.Contains(name, lower) && len(v.Queues) < searchQueues {
			v.Queues = append(v.Queues, name)
		}
	}
	workers, err := s.crews.all(ctx)
	if err != nil {
		return err
	}
	for _, w := range workers.List {
		if strings.Contains(strings.ToLower(w.Name), lower) && len(v.Workers) < searchWorkers {
			v.Workers = append(v.Workers, templates.Link{Word: w.Name, Href: workerURL(w.Name)})
		}
	}
	hits, err := s.Engine.SearchSubjects(ctx, v.Text, nil, searchSubjects)
	if v.Wrong, err = s.filterProblem(err); err != nil {
		return err
	}
	for _, h := range hits {
		v.Hits = append(v.Hits, hitView(h))
	}
	v.More = len(hits) == searchSubjects
	if v.Wrong == "" {
		if err := s.searchErrors(c, &v); err != nil {
			return err
		}
	}
	return s.page(c, f, templates.Search(v))
}

// searchErrors finds groups of errors by their pattern or sample, the last seen first, and, where there are none, single errors among the newest
// lines: a text that changes from error to error, such as an id, stands in no pattern.
func (s *Server) searchErrors(c echo.Context, v *templates.SearchView) error {
	ctx := c.Request().Context()
	v.AllErrors = errorsURL(v.Text)
	groups, err := s.Engine.ErrorGroups(ctx, queue.GroupFilter{Text: v.Text, Order: "last_seen", Limit: searchErrors})
	if err != nil {
		return err
	}
	for _, g := range groups.Groups {
		v.Groups = append(v.Groups, groupView(g, "/errors?fingerprint="+g.Fingerprint))
	}
	if len(v.Groups) > 0 {
		return nil
	}
	lines, _, err := s.Engine.AllLogs(ctx, queue.ErrorFilter{Text: v.Text, Limit: searchLines, Looks: searchLooks})
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, l := range lines {
		if !seen[l.Message] && len(v.Errors) < searchErrors {
			seen[l.Message] = true
			v.Errors = append(v.Errors, lineView(l))
		}
	}
	v.AllErrors += "&show=lines"
	return nil
}

// places are all pages that have a name of their own, as far as somebody may see them.
func (s *Server) places(c echo.Context, user auth.User) ([]templates.Place, error) {
	places := append(s.rail(c, user, ""), templates.Place{Word: "Account and sessions", Href: "/account", Icon: "user"})
	if user.May(auth.Govern) {
		places = append(places, templates.Place{Word: "Tokens", Href: "/team?tab=tokens", Icon: "key-round"}, templates.Place{Word: "Sessions of the team", Href: "/team?tab=sessions", Icon: "users"})
	}
	if user.May(auth.Manage) {
		places = append(places, templates.Place{Word: "New queue", Href: "/queues/new", Icon: "plus"})
	}
	boards, err := s.Charts.Dashboards(c.Request().Context())
	for _, b := range boards {
		places = append(places, templates.Place{Word: b.Name, Href: "/dashboards/" + b.ID.String(), Icon: "chart-line"})
	}
	return places, err
}

func hitView(h queue.Hit) templates.HitView {
	return templates.HitView{
		Queue: h.Queue, Subject: h.Subject, Status: h.Status.String(), Exact: h.Exact,
		Href: queueURL(h.Queue, "document") + "?subject=" + url.QueryEscape(h.Subject),
	}
}
