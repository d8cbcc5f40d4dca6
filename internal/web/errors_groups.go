package web

import (
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/web/templates"
)

// groupsPerPage is how many groups a page shows.
const groupsPerPage = 100

// groupFilter is what a page of groups asks for. Errors: Invalid.
func (s *Server) groupFilter(ask errorsQuery, queues []string) (f queue.GroupFilter, err error) {
	f = queue.GroupFilter{Queues: queues, Text: ask.text, Fingerprint: ask.fingerprint, Order: ask.order, Limit: groupsPerPage}
	if f.From, f.To, err = ask.span(s.Now()); err != nil {
		return f, err
	}
	if err := ask.check(); err != nil {
		return f, err
	}
	f.Version, err = parseWithin("version", ask.version, 0, queue.MaxVersion)
	return f, err
}

// errorGroupsPage lists groups of errors: of one queue under its head, or of some or all.
func (s *Server) errorGroupsPage(c echo.Context, f frame, ask errorsQuery, head *templates.QueueHead, queues []string) error {
	ctx := c.Request().Context()
	filter, err := s.groupFilter(ask, queues)
	var found queue.ErrorGroups
	if err == nil {
		found, err = s.Engine.ErrorGroups(ctx, filter)
	}
	said, err := s.filterProblem(err)
	if err != nil {
		return err
	}
	v := ask.view(nil)
	v.Head, v.Wrong = head, said
	if head == nil {
		if v.Queues, err = s.Engine.Names(ctx); err != nil {
			return err
		}
	}
	for _, o := range []struct{ order, word string }{{"errors", "most errors"}, {"last_seen", "last seen"}, {"first_seen", "newest kind"}} {
		to := ask
		to.order = strings.TrimPrefix(o.order, "errors")
		v.Orders = append(v.Orders, templates.Place{Word: o.word, Href: to.url("", ""), Here: v.Order == o.order})
	}
	for _, g := range found.Groups {
		to := ask
		to.fingerprint, to.text, to.order, to.version = g.Fingerprint, "", "", ""
		v.Groups = append(v.Groups, groupView(g, to.url("", "")))
	}
	if v.Wrong == "" {
		if err := s.addCourse(c, ask, filter, found, &v); err != nil {
			return err
		}
	}
	switch {
	case found.Capped:
		v.Note = "The 5,000 groups of the queues that failed last were looked at; choose a queue to see all of it."
	case found.All > len(found.Groups):
		v.Note = templates.Exact(int64(len(found.Groups))) + " of " + templates.Exact(int64(found.All)) + " groups"
	}
	return s.page(c, f, templates.Errors(v))
}

func groupView(g queue.ErrorGroup, href string) templates.GroupView {
	v := templates.GroupView{
		Fingerprint: g.Fingerprint, Href: href, Pattern: g.Pattern, Sample: g.Sample, Queues: g.Queues, First: g.FirstSeen, Last: g.LastSeen, Errors: g.Errors,
		Documents: g.Documents, Exact: g.Exact, Other: g.Fingerprint == queue.OtherErrors,
	}
	for _, n := range g.Versions {
		v.Versions = append(v.Versions, strconv.Itoa(n))
	}
	for _, n := range g.Counts {
		v.Values = append(v.Values, float64(n))
	}
	return v
}
