package web

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/charts"
	"github.com/fetchq/server/internal/metrics"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/web/templates"
)

// overviewQueues is how many queues the overview shows; all are on the page of the queues.
const overviewQueues = 25

func (s *Server) overviewRoutes() {
	s.share("/", s.overview)
}

// overview shows all queues at once: sums, what is in trouble and why, and the busiest.
func (s *Server) overview(c echo.Context) (frame, templ.Component, error) {
	rows, err := s.queueRows(c.Request().Context(), nil)
	if err != nil {
		return frame{}, nil, err
	}
	ctx := c.Request().Context()
	total, counts := s.Recent.Total(), s.crews.seen(ctx)
	if queue.Limited(ctx) {
		names := make([]string, len(rows))
		for i, r := range rows {
			names[i] = r.Name
		}
		total = s.Recent.Sum(names)
	}
	v := templates.OverviewView{Tiles: totalTiles(rows, total, counts, s.Now()), All: len(rows), API: s.apiURL("pages"), MayManage: may(c, auth.Manage)}
	slices.SortStableFunc(rows, func(a, b queueRow) int {
		return cmp.Or(cmp.Compare(rank[a.health.word], rank[b.health.word]), -cmp.Compare(a.Counts.Pending+a.Counts.Active, b.Counts.Pending+b.Counts.Active))
	})
	for _, r := range rows {
		if r.health.trouble() && len(v.Trouble) < overviewQueues {
			v.Trouble = append(v.Trouble, templates.TroubleView{Name: r.Name, Word: r.health.word, Reasons: r.health.reasons})
		}
	}
	at, span := s.pageSpan(c)
	v.Span, v.Charts = span, figures(at, overviewCharts(rows)...)
	v.Calendar = s.calendarView(calendarKey(ctx))
	for _, r := range rows[:min(len(rows), overviewQueues)] {
		v.Queues = append(v.Queues, r.view(s.Now()))
	}
	return frame{title: "Overview", section: "Overview", crumbs: []templates.Crumb{{Word: "Overview"}}, live: true, charts: true}, templates.Overview(v), nil
}

// overviewLines is how many queues have a line of their own in the charts of the overview; the others share one.
const overviewLines = 6

// overviewCharts show the queues with the most work, by name so that their colours stay while they change places.
func overviewCharts(rows []queueRow) []charts.Chart {
	busy := slices.Clone(rows)
	slices.SortStableFunc(busy, func(a, b queueRow) int {
		return -cmp.Compare(a.Events.Completed+a.Events.Rescheduled, b.Events.Completed+b.Events.Rescheduled)
	})
	busy = busy[:min(len(busy), overviewLines)]
	names := make([]string, len(busy))
	for i, r := range busy {
		names[i] = r.Name
	}
	slices.Sort(names)
	list := []charts.Chart{
		charts.Of("Throughput", names, "processed:rate").Stacked(), charts.Of("Pending", names, "docs_pending:avg"), charts.Of("Errors", names, "errors:rate"),
	}
	for i := range list {
		list[i].Rest = len(rows) > len(names)
	}
	return list
}

// queueRow is a queue with what pages over many say of it.
type queueRow struct {
	queue.Summary
	trend   metrics.Trend
	health  health
	workers queue.WorkersOf
	starred bool
}

// queueRows returns all queues by name. stars are those that have one.
func (s *Server) queueRows(ctx context.Context, stars map[string]bool) ([]queueRow, error) {
	list, err := s.board.summaries(ctx)
	if err != nil {
		return nil, err
	}
	counts, missing := s.crews.count(ctx), s.troubledBackups(ctx)
	rows := make([]queueRow, len(list))
	for i, q := range list {
		t, workers := s.Recent.Of(q.Name), counts.Of(q.Name)
		rows[i] = queueRow{Summary: q, trend: t, health: judge(q, t, workers, s.Now()).beside(q.Name, missing), starred: stars[q.Name]}
		if workers != nil {
			rows[i].workers = *workers
		}
	}
	return rows, nil
}

func (r queueRow) view(now time.Time) templates.QueueRow {
	v := templates.QueueRow{
		Name: r.Name, Word: r.health.word, Reasons: r.health.reasons, Starred: r.starred, Paused: r.Paused,
		Planned: r.Counts.Planned, Pending: r.Counts.Pending, Active: r.Counts.Active, Completed: r.Counts.Completed, Killed: r.Counts.Killed,
		Workers: int64(r.workers.Seen),
		In:      "–", Out: "–", Errors: "–", Processed: r.trend.Processed, Drain: "–",
	}
	if r.trend.Known {
		v.In, v.Out, v.Errors = templates.Rate(r.trend.EnteredPerMin), templates.Rate(r.trend.ProcessedPerMin), templates.Rate(r.trend.ErrorsPerMin)
	}
	if r.OldestDueAt != nil && r.OldestDueAt.Before(now) {
		v.OldestDueAt = r.OldestDueAt
	}
	if d, known := drain(r.Summary, r.trend); known && r.Counts.Pending > 0 {
		v.Drain = templates.Span(d)
	} else if r.trend.Known && r.Counts.Pending > 0 {
		v.Drain = "never"
	}
	return v
}

// totalTiles are the sums over all queues.
func totalTiles(rows []queueRow, t metrics.Trend, workers queue.WorkerCounts, now time.Time) []templates.Tile {
	var sum queue.Counts
	var oldest *time.Time
	for _, r := range rows {
		sum.Planned += r.Counts.Planned
		sum.Pending += r.Counts.Pending
		sum.Active += r.Counts.Active
		sum.Killed += r.Counts.Killed
		if r.OldestDueAt != nil && (oldest == nil || r.OldestDueAt.Before(*oldest)) {
			oldest = r.OldestDueAt
		}
	}
	var all *queue.WorkersOf
	if workers.ByQueue != nil {
		all = &queue.WorkersOf{Seen: workers.Seen}
	}
	return tiles(sum, t, oldest, now, func(status string) string { return "/queues?sort=" + status + "&desc=1" }, "/errors", workersTile(all, "/workers"))
}

// workersTile is how many workers were seen; nil: that is not known.
func workersTile(workers *queue.WorkersOf, href string) templates.Tile {
	tile := templates.Tile{Word: "Workers", Value: "–", Status: "working", Href: href, Note: "seen in the last " + templates.Span(queue.Unseen)}
	if workers != nil {
		tile.Value, tile.Exact = templates.Number(int64(workers.Seen)), templates.Exact(int64(workers.Seen))
	}
	return tile
}

// tiles are the numbers that pages begin with. href leads from a status to where its number comes from.
func tiles(n queue.Counts, t metrics.Trend, oldest *time.Time, now time.Time, href func(status string) string, errorsHref string, workers templates.Tile) []templates.Tile {
	due := templates.Tile{Word: "Oldest due", Value: "–", Note: "nothing is due", Status: "behind"}
	if oldest != nil && oldest.Before(now) {
		due.Since, due.Note = oldest, "since "+oldest.UTC().Format("2 Jan 15:04 UTC")
	}
	in, out, bad, over := "–", "–", "–", ""
	if t.Known {
		in, out, bad = templates.Rate(t.EnteredPerMin), templates.Rate(t.ProcessedPerMin), templates.Rate(t.ErrorsPerMin)
		over = "per minute, over the last " + templates.Span(t.Over.Round(time.Second))
	}
	return []templates.Tile{
		countTile("Pending", "pending", n.Pending, href, t.Pending),
		countTile("Active", "active", n.Active, href, t.Active),
		{Word: "Processed/min", Value: out, Exact: over, Note: in + " entered/min", Status: "completed", Values: t.Processed, Color: "text-completed"},
		{Word: "Errors/min", Value: bad, Exact: over, Status: "error", Values: t.Errors, Color: "text-errors", Href: errorsHref},
		due,
		workers,
		countTile("Killed", "killed", n.Killed, href, t.Killed),
	}
}

func countTile(word, status string, n int64, href func(string) string, values []float64) templates.Tile {
	return templates.Tile{
		Word: word, Status: status, Value: templates.Number(n), Exact: templates.Exact(n), Href: href(status), Values: values, Color: "text-" + status,
	}
}
