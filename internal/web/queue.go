package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/charts"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/web/templates"
)

func (s *Server) queueRoutes() {
	s.share("/queues/:queue", s.queuePage)
	s.guard(http.MethodGet, "/queues/:queue/settings", auth.See, s.settingsPage)
	s.guard(http.MethodPost, "/queues/:queue/settings", auth.Manage, s.saveSettings)
	s.guard(http.MethodGet, "/queues/:queue/drop", auth.Manage, s.dropPage)
	s.guard(http.MethodPost, "/queues/:queue/drop", auth.Manage, s.dropQueue)
	s.guard(http.MethodGet, "/queues/:queue/truncate", auth.Manage, s.truncatePage)
	s.guard(http.MethodPost, "/queues/:queue/truncate", auth.Manage, s.truncateQueue)
	s.relocateRoutes()
}

// queueURL is the path of a queue's page, or of one below it.
func queueURL(name string, below ...string) string {
	return "/" + strings.Join(append([]string{"queues", url.PathEscape(name)}, below...), "/")
}

// queueFrame is the frame of a page about a queue; word says which, "" is the first of them.
func queueFrame(name, word string) frame {
	f := frame{title: name, section: "Queues", live: true, queue: name, crumbs: []templates.Crumb{{Word: "Queues", Href: "/queues"}, {Word: name}}}
	if word != "" {
		f.title = word + " of " + name
		f.crumbs[1].Href = queueURL(name)
		f.crumbs = append(f.crumbs, templates.Crumb{Word: word})
	}
	return f
}

// lacks is why an action is not for somebody.
const lacks = "your role may not do this"

// queueHead is what stands above all pages of a queue: its name, how it stands, its tabs and actions.
func (s *Server) queueHead(c echo.Context, q queue.Queue, here string) templates.QueueHead {
	t := s.Recent.Of(q.Name)
	summary := queue.Summary{
		Name: q.Name, Paused: q.Paused, PauseReason: q.PauseReason, PausedUntil: q.PausedUntil, Counts: q.Counts, OldestDueAt: q.OldestDueAt,
	}
	if len(q.Pauses) > 0 && q.Pauses[0].Version == nil {
		summary.PauseKind = q.Pauses[0].Kind
	}
	workers := s.crews.count(c.Request().Context()).Of(q.Name)
	h := judge(summary, t, workers, s.Now()).beside(q.Name, s.troubledBackups(c.Request().Context()))
	for _, p := range q.Pauses {
		if p.Version != nil {
			h.reasons = append(h.reasons, templates.Reason{
				Text: fmt.Sprintf("version %d is paused: %s", *p.Version, pauseWords(p.Kind, p.Until, p.Reason, s.Now())),
			})
		}
	}
	documents := total(q.Counts)
	tab := func(word, below string, count *int64) templates.Tab {
		to := queueURL(q.Name)
		if below != "" {
			to = queueURL(q.Name, below)
		}
		return templates.Tab{Word: word, Href: to, Here: word == here, Count: count}
	}
	v := templates.QueueHead{
		Name: q.Name, Word: h.word, Reasons: h.reasons, Paused: q.Paused, Here: c.Request().URL.RequestURI(),
		Tabs: []templates.Tab{
			tab("Dashboard", "", nil), tab("Documents", "documents", &documents), tab("Errors", "errors", nil), tab("Settings", "settings", nil),
			{Word: "Metrics", Href: "/charts?queue=" + url.QueryEscape(q.Name)}, {Word: "Operations", Href: "/operations?queue=" + url.QueryEscape(q.Name)},
		},
	}
	if !may(c, auth.Halt) {
		v.WhyNoHalt = lacks
	}
	if !may(c, auth.Add) {
		v.WhyNoAdd = lacks
	}
	return v
}

// queuePage shows one queue's dashboard.
func (s *Server) queuePage(c echo.Context) (frame, templ.Component, error) {
	q, err := s.Engine.Standing(c.Request().Context(), c.Param("queue"))
	if err != nil {
		return frame{}, nil, err
	}
	at, span := s.pageSpan(c)
	shown, more, err := s.queueCharts(c.Request().Context(), q.Name)
	if err != nil {
		return frame{}, nil, err
	}
	href := func(status string) string { return queueURL(q.Name, "documents") + "?status=" + status }
	v := templates.QueueView{
		Head:  s.queueHead(c, q.Queue, "Dashboard"),
		Tiles: tiles(q.Counts, s.Recent.Of(q.Name), q.OldestDueAt, s.Now(), href, queueURL(q.Name, "errors"), workersTile(s.crews.count(c.Request().Context()).Of(q.Name), workersURL("queue", q.Name))),
		AsOf:  q.AsOf, Created: q.CreatedAt, Settings: settingsFacts(q.Settings),
		Population: population(q.Counts, href), Events: eventFacts(q.Events), Span: span, Charts: figures(at, shown...), MoreMetrics: more,
		Calendar: s.calendarView(q.Name),
	}
	for _, n := range q.Versions {
		v.Versions = append(v.Versions, templates.VersionRow{
			Version: n.Version, Planned: n.Counts.Planned, Pending: n.Counts.Pending, Active: n.Counts.Active,
			Completed: n.Counts.Completed, Killed: n.Counts.Killed,
			Href:    fmt.Sprintf("%s?version=%d", queueURL(q.Name, "documents"), n.Version),
			AskedAt: n.AskedAt, AskedBy: text(n.AskedBy), Unasked: n.Unasked, Paused: n.Pause != nil,
		})
		if n.Unasked {
			v.Head.Reasons = append(v.Head.Reasons, templates.Reason{
				Href: fmt.Sprintf("%s?status=pending&version=%d", queueURL(q.Name, "documents"), n.Version),
				Text: fmt.Sprintf("%s of version %d wait, and for %s no worker has asked for them",
					documentsWord(int(n.Counts.Pending)), n.Version, templates.Span(queue.Unasked)),
			})
		}
	}
	if !q.KeysReady {
		reason := "limits by key are kept, and picks are slower until the index for them is made"
		if share, runs, err := s.Engine.Indexing(c.Request().Context(), q.Name); err == nil && runs {
			reason += fmt.Sprintf(": %.0f %% are done", share*100)
		}
		v.Head.Reasons = append(v.Head.Reasons, templates.Reason{Text: reason})
	}
	f := queueFrame(q.Name, "")
	f.charts = true
	return f, templates.Queue(v), nil
}

// customCharts is how many metrics of its own a queue's dashboard shows; the others are explored.
const customCharts = 12

// queueCharts are the charts of a queue's dashboard: the same for every queue, then one for each metric of its own, as far as those fit;
// and how many more of them there are.
func (s *Server) queueCharts(ctx context.Context, name string) (list []charts.Chart, more int, err error) {
	of := func(title string, measures ...string) charts.Chart {
		return charts.Of(title, []string{name}, measures...)
	}
	list = []charts.Chart{
		of("Flow", "entered:rate", "processed:rate"), of("Pending", "docs_pending:avg"),
		of("Errors", "rejected:rate", "orphaned:rate", "killed:rate"),
		of("Population", "docs_planned:avg", "docs_pending:avg", "docs_active:avg", "docs_completed:avg", "docs_killed:avg").Stacked(),
		of("Wait, from due to picked", "wait:p50", "wait:p95", "wait:p99"), of("Work, from picked to resolved", "work:p50", "work:p95", "work:p99"),
	}
	own, err := s.Metrics.Names(ctx, []string{name})
	for _, m := range own[:min(len(own), customCharts)] {
		list = append(list, of(m.Name, m.Usual()...))
	}
	return list, max(len(own)-customCharts, 0), err
}

// population are the documents of a queue by status.
func population(n queue.Counts, href func(string) string) []templates.Share {
	shares := []templates.Share{
		{Status: "planned", Count: n.Planned}, {Status: "pending", Count: n.Pending}, {Status: "active", Count: n.Active},
		{Status: "completed", Count: n.Completed}, {Status: "killed", Count: n.Killed},
	}
	var total int64
	for _, p := range shares {
		total += p.Count
	}
	for i := range shares {
		shares[i].Href = href(shares[i].Status)
		if total > 0 {
			shares[i].Percent = float64(shares[i].Count) * 100 / float64(total)
		}
	}
	return shares
}

func eventFacts(e queue.Events) []templates.Fact {
	fact := func(word string, n int64) templates.Fact {
		return templates.Fact{Word: word, Value: templates.Number(n), Title: templates.Exact(n)}
	}
	return []templates.Fact{
		fact("Entered", e.Entered), fact("Picked", e.Picked), fact("Completed", e.Completed), fact("Rescheduled", e.Rescheduled),
		fact("Rejected", e.Rejected), fact("Leases run out", e.Orphaned), fact("Killed", e.Killed), fact("Dropped", e.Dropped),
		fact("Forwarded", e.Forwarded), fact("Errors", e.Errors), fact("Log lines", e.Logs),
	}
}

// total is how many documents a queue has.
func total(n queue.Counts) int64 { return n.Planned + n.Pending + n.Active + n.Completed + n.Killed }

func (s *Server) dropPage(c echo.Context) error { return s.askDrop(c, http.StatusOK, "") }

// askDrop asks for the name of a queue before it is dropped.
func (s *Server) askDrop(c echo.Context, status int, wrong string) error {
	q, err := s.Engine.Get(c.Request().Context(), c.Param("queue"))
	if err != nil {
		return err
	}
	return s.dialog(c, status, queueFrame(q.Name, "Drop"), templates.ConfirmForm(templates.Confirm{
		Title: "Drop " + q.Name, Action: queueURL(q.Name, "drop"), Back: queueURL(q.Name, "settings"), Button: "Drop the queue", Danger: true, Typed: q.Name,
		Wrong: wrong,
		Says: []string{fmt.Sprintf("The queue goes, with its %s documents, its log lines, journal and counters. Workers that hold one can no longer resolve it. This cannot be undone.",
			templates.Exact(total(q.Counts)))},
	}))
}

func (s *Server) dropQueue(c echo.Context) error {
	name := c.Param("queue")
	if c.FormValue("confirm") != name {
		return s.askDrop(c, http.StatusUnprocessableEntity, "The name that you typed is not that of the queue. Nothing was dropped.")
	}
	if err := s.Engine.Drop(c.Request().Context(), name); err != nil {
		return err
	}
	return s.done(c, "/queues", "Dropped "+name+".", nil)
}

func (s *Server) truncatePage(c echo.Context) error { return s.askTruncate(c, http.StatusOK, "") }

func (s *Server) askTruncate(c echo.Context, status int, wrong string) error {
	q, err := s.Engine.Get(c.Request().Context(), c.Param("queue"))
	if err != nil {
		return err
	}
	return s.dialog(c, status, queueFrame(q.Name, "Empty"), templates.ConfirmForm(templates.Confirm{
		Title: "Empty " + q.Name, Action: queueURL(q.Name, "truncate"), Back: queueURL(q.Name, "settings"), Button: "Remove all documents", Danger: true, Typed: q.Name,
		Wrong: wrong,
		Says: []string{fmt.Sprintf("All %s documents go, those that workers hold too. The queue and its settings stay. This cannot be undone.",
			templates.Exact(total(q.Counts)))},
		Inputs: []templates.Input{{Name: "logs", Label: "Log lines", Type: "select", Options: []templates.Option{{Value: "", Word: "keep them"}, {Value: "1", Word: "remove them too, and the journal"}}}},
	}))
}

func (s *Server) truncateQueue(c echo.Context) error {
	name := c.Param("queue")
	if c.FormValue("confirm") != name {
		return s.askTruncate(c, http.StatusUnprocessableEntity, "The name that you typed is not that of the queue. Nothing was removed.")
	}
	_, err := s.Engine.Truncate(c.Request().Context(), name, c.FormValue("logs") == "1")
	if errs.Of(err) == errs.Overloaded {
		return s.askTruncate(c, http.StatusServiceUnavailable, "The queue is locked by other work. Nothing was removed; try again in a moment.")
	}
	if err != nil {
		return err
	}
	return s.done(c, queueURL(name), "Removed all documents of "+name+".", nil)
}
