package web

import (
	"context"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/operations"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/web/templates"
)

// Bounds of a page that shows a group in several queues.
const (
	groupQueues = 10  // of which it tells how the documents stand: those with the most errors
	groupLooks  = 200 // newest lines of each queue from which it knows that
)

// The course of a group of any time is drawn since its first error, within these.
const (
	shortestCourse = 3 * time.Hour
	longestCourse  = 30 * 24 * time.Hour
)

// groupActions are what can be done to all documents of a group of errors, in the order of their buttons.
var groupActions = []struct{ name, status string }{
	{operations.Retry, "killed"}, {operations.RunNow, ""}, {operations.Kill, ""}, {operations.Drop, ""},
}

// errorGroupPage shows one group: how it went, how its documents stand, what can be done, and its newest lines. Of one queue it knows the documents and
// workers; of several how they stand in each.
func (s *Server) errorGroupPage(c echo.Context, f frame, ask errorsQuery, head *templates.QueueHead, queues []string) error {
	ctx := c.Request().Context()
	filter, err := s.groupFilter(ask, queues)
	if err != nil {
		return err
	}
	filter.Text, filter.Version = "", nil
	found, err := s.oneGroup(ctx, filter, ask.bounded())
	if err != nil {
		return err
	}
	g := found.Groups[0]
	v := ask.view(nil)
	v.Head = head
	page := templates.GroupPage{GroupView: groupView(g, ""), Back: backTo(ask), Within: firstOf(v.Time, "since it was first seen")}
	v.Group = &page
	if err := s.drawCourse(c, ask, queues, queue.ErrorCourse{Step: found.Step, Begins: found.Begins, Counts: g.Counts}, &v); err != nil {
		return err
	}
	if head != nil {
		lately, err := s.Engine.GroupLately(ctx, queues[0], g.Fingerprint, queue.MaxLately)
		if err != nil {
			return err
		}
		setLately(&page, queues[0], lately)
		page.In = []templates.GroupIn{s.groupIn(c, queues[0], g.Fingerprint, lately, queue.MaxLately)}
	} else if err := s.groupEverywhere(c, g, &page); err != nil {
		return err
	}
	if err := s.groupLines(c, ask, &v, queues); err != nil {
		return err
	}
	return s.page(c, f, templates.Errors(v))
}

// oneGroup finds the group that a filter names, with its numbers of a time; where there were none in it, with those of all times beside. Its course
// of all times is that since its first error. Errors: NotFound.
func (s *Server) oneGroup(ctx context.Context, filter queue.GroupFilter, bounded bool) (queue.ErrorGroups, error) {
	ever := filter
	ever.From, ever.To = time.Time{}, time.Time{}
	found, err := s.Engine.ErrorGroups(ctx, filter)
	if err == nil && len(found.Groups) == 0 && bounded {
		if found, err = s.Engine.ErrorGroups(ctx, ever); len(found.Groups) > 0 {
			found.Groups[0].Errors = 0
			clear(found.Groups[0].Counts)
		}
	}
	if err != nil {
		return found, err
	}
	if len(found.Groups) == 0 {
		return found, errs.New(errs.NotFound, "there is no such group of errors any more: groups go with the log's retention")
	}
	first := found.Groups[0].FirstSeen
	if age := s.Now().Sub(first); bounded || age > longestCourse {
		return found, nil
	}
	since := ever
	since.From = first.Truncate(time.Second)
	if least := s.Now().Add(-shortestCourse); least.Before(since.From) {
		since.From = least
	}
	if again, err := s.Engine.ErrorGroups(ctx, since); err != nil || len(again.Groups) > 0 {
		return again, err
	}
	return found, nil
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

// setLately tells whom the newest lines of a group concern.
func setLately(page *templates.GroupPage, name string, l queue.GroupLately) {
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

// groupEverywhere tells how the documents of a group stand in each of its queues.
func (s *Server) groupEverywhere(c echo.Context, g queue.ErrorGroup, page *templates.GroupPage) error {
	page.MoreQueues = max(len(g.Queues)-groupQueues, 0)
	for _, name := range g.Queues[:len(g.Queues)-page.MoreQueues] {
		lately, err := s.Engine.GroupLately(c.Request().Context(), name, g.Fingerprint, groupLooks)
		if errs.Of(err) == errs.NotFound { // dropped meanwhile
			continue
		} else if err != nil {
			return err
		}
		page.In = append(page.In, s.groupIn(c, name, g.Fingerprint, lately, groupLooks))
	}
	return nil
}

// groupIn is how the documents of a group stand in a queue, as its newest lines tell, most of them at most, and what can be done to them.
func (s *Server) groupIn(c echo.Context, name, fingerprint string, l queue.GroupLately, most int) templates.GroupIn {
	in := templates.GroupIn{Queue: name, Href: queueURL(name, "errors") + "?fingerprint=" + fingerprint, Looked: l.Lines, All: l.Lines < most, Documents: int64(l.AllDocuments)}
	killed := false
	for _, n := range l.Standing {
		word := ""
		if n.Status != nil {
			word = n.Status.String()
		}
		killed = killed || word == "killed"
		in.Standing = append(in.Standing, templates.Standing{Status: word, Documents: n.Documents})
	}
	switch {
	case fingerprint == queue.OtherErrors:
		in.Why = "these errors are of different kinds: choose documents in the list of the queue"
	case !may(c, auth.Act):
		in.Why = lacks
	}
	for _, g := range groupActions {
		a := groupAction(name, fingerprint, g.name, g.status)
		if a.Why = in.Why; a.Why == "" && g.status == "killed" && in.All && !killed {
			a.Why = "none of these documents is killed now"
		}
		in.Actions = append(in.Actions, a)
	}
	return in
}

// groupAction is a form for all documents of a group, or for those of them that are of a status.
func groupAction(name, fingerprint, does, status string) templates.BulkAction {
	a, _ := bulkOf(does) // there are all of groupActions
	q := url.Values{"action": {does}, "filter.fingerprint": {fingerprint}}
	word := a.word + " all"
	if status != "" {
		q.Set("filter.status", status)
		word += " " + status
	}
	return templates.BulkAction{Word: word, Icon: a.Icon, Danger: a.danger, Href: queueURL(name, "operations", "new") + "?" + q.Encode()}
}
