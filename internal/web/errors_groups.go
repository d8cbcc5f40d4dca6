package web

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/operations"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/web/templates"
)

// groupsPerPage is how many groups a page shows.
const groupsPerPage = 100

// groupActions are what can be done to all documents of a group of errors, in the order of their buttons.
var groupActions = []struct{ name, status string }{
	{operations.Retry, "killed"}, {operations.RunNow, ""}, {operations.Kill, ""}, {operations.Drop, ""},
}

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

// errorGroupPage shows one group: how it went, whom it concerns, what can be done, and its newest lines. Of one queue it knows the documents and
// workers; of several it leads to the group in each.
func (s *Server) errorGroupPage(c echo.Context, f frame, ask errorsQuery, head *templates.QueueHead, queues []string) error {
	ctx := c.Request().Context()
	filter, err := s.groupFilter(ask, queues)
	if err != nil {
		return err
	}
	filter.Text, filter.Version = "", nil
	found, err := s.Engine.ErrorGroups(ctx, filter)
	if err == nil && len(found.Groups) == 0 && ask.within+ask.from+ask.to != "" { // none in this time: its numbers of all times
		all := ask
		all.within, all.from, all.to = "", "", ""
		if filter, err = s.groupFilter(all, queues); err == nil {
			found, err = s.Engine.ErrorGroups(ctx, filter)
		}
		if len(found.Groups) > 0 {
			found.Groups[0].Errors = 0
			clear(found.Groups[0].Counts)
		}
	}
	if err != nil {
		return err
	}
	if len(found.Groups) == 0 {
		return errs.New(errs.NotFound, "there is no such group of errors any more: groups go with the log's retention")
	}
	g := found.Groups[0]
	v := ask.view(nil)
	v.Head = head
	page := templates.GroupPage{GroupView: groupView(g, ""), Back: backTo(ask), Step: templates.Span(found.Step), Within: withinWord(ask)}
	v.Group = &page
	if head != nil {
		lately, err := s.Engine.GroupLately(ctx, queues[0], g.Fingerprint)
		if err != nil {
			return err
		}
		s.setLately(&page, queues[0], lately)
		if may(c, auth.Act) && !page.Other {
			page.Actions = groupMenu(queues[0], g.Fingerprint)
		}
	} else {
		for _, name := range g.Queues {
			page.In = append(page.In, templates.Place{Word: name, Href: queueURL(name, "errors") + "?fingerprint=" + g.Fingerprint})
		}
	}
	if err := s.groupLines(c, ask, &v, queues); err != nil {
		return err
	}
	return s.page(c, f, templates.Errors(v))
}

// groupLines puts the lines of a group on its page.
func (s *Server) groupLines(c echo.Context, ask errorsQuery, v *templates.ErrorsView, queues []string) error {
	from, to, err := ask.span(s.Now())
	if err != nil {
		return err
	}
	lines, next, err := s.Engine.AllLogs(c.Request().Context(), queue.ErrorFilter{
		Queues: queues, From: from, To: to, Fingerprint: ask.fingerprint, Limit: errorsPerPage, Cursor: ask.cursor,
	})
	if err != nil {
		return err
	}
	for _, l := range lines {
		line := lineView(l)
		line.Group = ""
		v.Lines = append(v.Lines, line)
	}
	if next != "" {
		v.Pager.Next = ask.url(next, "")
	}
	if ask.cursor != "" {
		v.Pager.Previous, v.Pager.PreviousWord = ask.url("", ""), "Newest"
	}
	v.Pager.Note = shortNote(len(lines), errorsPerPage, next != "")
	return nil
}

// backTo leads from a group to the list in which it stood.
func backTo(ask errorsQuery) string {
	ask.fingerprint, ask.lines = "", false
	return ask.url("", "")
}

// withinWord says which time the numbers of a group are of.
func withinWord(ask errorsQuery) string {
	switch {
	case ask.within != "":
		return "in the last " + ask.within
	case ask.from+ask.to != "":
		return "in that time"
	}
	return "since it was first seen"
}

// setLately tells whom the newest lines of a group concern.
func (s *Server) setLately(page *templates.GroupPage, name string, l queue.GroupLately) {
	page.Looked, page.LookedAll = l.Lines, l.Lines < queue.MaxLately
	page.Workers, page.MoreWorkers = nil, l.MoreWorkers
	for _, w := range l.Workers {
		page.Workers = append(page.Workers, templates.Fact{Word: w.Worker, Value: templates.Exact(w.Errors)})
	}
	for _, d := range l.Documents {
		row := templates.AffectedRow{
			Subject: d.Subject, Href: queueURL(name, "document") + "?subject=" + url.QueryEscape(d.Subject), Errors: d.Errors, Last: d.Last,
		}
		if d.Status != nil {
			row.Status = d.Status.String()
		}
		page.Affected = append(page.Affected, row)
	}
	page.MoreAffected = l.AllDocuments - len(l.Documents)
}

// groupMenu are the forms for all documents of a group.
func groupMenu(name, fingerprint string) []templates.BulkAction {
	var menu []templates.BulkAction
	for _, g := range groupActions {
		a, err := bulkOf(g.name)
		if err != nil {
			continue
		}
		q := url.Values{"action": {g.name}, "filter.fingerprint": {fingerprint}}
		word := a.word + " all"
		if g.status != "" {
			q.Set("filter.status", g.status)
			word += " " + g.status
		}
		menu = append(menu, templates.BulkAction{Word: word, Icon: a.Icon, Danger: a.danger, Href: queueURL(name, "operations", "new") + "?" + q.Encode()})
	}
	return menu
}
