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
)

// searchPage finds pages, queues and workers by a part of their names, and documents by the begin of their subjects.
func (s *Server) searchPage(c echo.Context) error {
	ctx := c.Request().Context()
	v := templates.SearchView{Text: strings.TrimSpace(c.QueryParam("q"))}
	f := frame{title: "Search", crumbs: []templates.Crumb{{Word: "Search"}}, query: v.Text}
	if v.Text == "" {
		return s.page(c, f, templates.Search(v))
	}
	user, _ := userOf(c)
	lower := strings.ToLower(v.Text)
	for _, p := range s.rail(c, user, "") {
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
	return s.page(c, f, templates.Search(v))
}

func hitView(h queue.Hit) templates.HitView {
	return templates.HitView{
		Queue: h.Queue, Subject: h.Subject, Status: h.Status.String(), Exact: h.Exact,
		Href: queueURL(h.Queue, "document") + "?subject=" + url.QueryEscape(h.Subject),
	}
}
