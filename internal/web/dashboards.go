package web

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/charts"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/web/templates"
)

func (s *Server) dashboardsRoutes() {
	s.guard(http.MethodPost, "/charts/save", auth.Share, s.saveChart)
	s.guard(http.MethodGet, "/dashboards/:id", auth.See, s.dashboardPage)
	s.guard(http.MethodPost, "/dashboards/:id", auth.Share, s.arrangeDashboard)
}

func dashboardURL(id uuid.UUID) string { return "/dashboards/" + id.String() }

// listDashboards links to all of them.
func (s *Server) listDashboards(ctx context.Context, v *templates.ExploreView) error {
	list, err := s.Charts.Dashboards(ctx)
	for _, d := range list {
		v.Dashboards = append(v.Dashboards, templates.Place{Word: d.Name, Href: dashboardURL(d.ID)})
		v.SaveTo = append(v.SaveTo, templates.Option{Value: d.ID.String(), Word: d.Name})
	}
	return err
}

// hidden is a query as the hidden fields of a form, in one order.
func hidden(q url.Values) []templates.Field {
	var list []templates.Field
	for _, name := range slices.Sorted(maps.Keys(q)) {
		for _, value := range q[name] {
			list = append(list, templates.Field{Name: name, Value: value})
		}
	}
	return list
}

// saveChart puts a chart at the end of a dashboard, or of a new one.
func (s *Server) saveChart(c echo.Context) error {
	ctx := c.Request().Context()
	form, err := c.FormParams()
	if err != nil {
		return err
	}
	chart, err := charts.Parse(form)
	if err != nil {
		return err
	}
	if hides(ctx, chart) {
		return errs.Field("queue", "there is no such queue")
	}
	if err := chart.Check(ctx, s.Metrics); err != nil {
		return err
	}
	user, _ := userOf(c)
	var d charts.Dashboard
	if id, failed := uuid.Parse(form.Get("dashboard")); failed == nil {
		d, err = s.Charts.Dashboard(ctx, id)
	} else {
		d, err = s.Charts.Create(ctx, form.Get("name"), user.Email)
	}
	if err != nil {
		return err
	}
	d.Charts = append(d.Charts, chart)
	if err := s.Charts.Save(ctx, d); err != nil {
		return err
	}
	if err := s.say(c, templates.Toast{Text: fmt.Sprintf("The chart stands on %s now.", d.Name)}); err != nil {
		return err
	}
	return leave(c, dashboardURL(d.ID))
}

func (s *Server) dashboardOf(c echo.Context) (charts.Dashboard, error) {
	id, err := uuid.Parse(c.Param("id"))
	if err != nil {
		return charts.Dashboard{}, errs.New(errs.NotFound, "there is no such dashboard")
	}
	return s.Charts.Dashboard(c.Request().Context(), id)
}

func (s *Server) dashboardPage(c echo.Context) error {
	d, err := s.dashboardOf(c)
	if err != nil {
		return err
	}
	return s.showDashboard(c, http.StatusOK, d, "")
}

// hides says whether a chart is of queues that the context does not see, as far as it can be read.
func hides(ctx context.Context, chart charts.Chart) bool {
	return queue.Limited(ctx) && (chart.Wrong != "" || slices.ContainsFunc(chart.Queues, func(name string) bool { return !queue.Sees(ctx, name) }))
}

// shown are the charts of a dashboard as the context sees them.
func shown(ctx context.Context, list []charts.Chart) []charts.Chart {
	list = slices.Clone(list)
	for i, chart := range list {
		if hides(ctx, chart) {
			list[i] = charts.Chart{Wrong: "it is of queues that you do not see"}
		}
	}
	return list
}

func (s *Server) showDashboard(c echo.Context, status int, d charts.Dashboard, problem string) error {
	at, span := s.pageSpan(c)
	v := templates.DashboardView{
		ID: d.ID.String(), Name: d.Name, CreatedBy: d.CreatedBy, Edits: strconv.FormatInt(d.Edits, 10), Span: span,
		Charts: figures(at, shown(c.Request().Context(), d.Charts)...), MaySave: may(c, auth.Share), Wrong: problem,
	}
	f := frame{title: d.Name, section: "Metrics", crumbs: []templates.Crumb{{Word: "Metrics", Href: "/charts"}, {Word: d.Name}}, live: true, charts: true}
	return s.pageAt(c, status, f, templates.Dashboard(v))
}

// arrangeDashboard renames or deletes a dashboard, or moves or removes one of its charts.
func (s *Server) arrangeDashboard(c echo.Context) error {
	ctx := c.Request().Context()
	d, err := s.dashboardOf(c)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(d.Charts, func(chart charts.Chart) bool { return hides(ctx, chart) }) {
		return errs.New(errs.Forbidden, "charts stand there of queues that you do not see; ask somebody who sees them")
	}
	d.Edits, _ = strconv.ParseInt(c.FormValue("edits"), 10, 64) // what is no number is nobody's edit, and stale
	what, number, _ := strings.Cut(c.FormValue("do"), " ")
	n, err := strconv.Atoi(number)
	switch known := err == nil && n >= 0 && n < len(d.Charts); {
	case what == "delete":
		if err := s.Charts.Delete(ctx, d.ID); err != nil {
			return err
		}
		if err := s.say(c, templates.Toast{Text: fmt.Sprintf("The dashboard %s is deleted.", d.Name)}); err != nil {
			return err
		}
		return leave(c, "/charts")
	case what == "rename":
		d.Name = c.FormValue("name")
	case what == "up" && known && n > 0:
		d.Charts[n-1], d.Charts[n] = d.Charts[n], d.Charts[n-1]
	case what == "down" && known && n < len(d.Charts)-1:
		d.Charts[n+1], d.Charts[n] = d.Charts[n], d.Charts[n+1]
	case what == "remove" && known:
		d.Charts = slices.Delete(d.Charts, n, n+1)
	default:
		return errs.Field("do", "one of rename, delete, up, down and remove is wanted, with the number of a chart")
	}
	err = s.Charts.Save(ctx, d)
	if _, said, ok := wrong(err); ok {
		fresh, err := s.dashboardOf(c)
		if err != nil {
			return err
		}
		return s.showDashboard(c, http.StatusUnprocessableEntity, fresh, said)
	}
	if err != nil {
		return err
	}
	return leave(c, dashboardURL(d.ID))
}
