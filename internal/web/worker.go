package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
	"github.com/fetchq/server/web/templates"
)

// What a page shows of what a worker holds.
const (
	heldPerQueue = 100
	heldQueues   = 10
)

// workerPage shows one worker: what it does, and the documents that it holds.
func (s *Server) workerPage(c echo.Context) (frame, templ.Component, error) {
	ctx, name := c.Request().Context(), c.QueryParam("name")
	f := frame{title: short(name), section: "Workers", crumbs: []templates.Crumb{{Word: "Workers", Href: "/workers"}, {Word: short(name)}}, live: true}
	if err := wire.CheckText("name", name, queue.MaxWorker); err != nil {
		return f, nil, err
	}
	all, err := s.crews.all(ctx)
	if err != nil {
		return f, nil, err
	}
	i := slices.IndexFunc(all.List, func(w queue.Worker) bool { return w.Name == name })
	if i < 0 {
		return f, nil, errs.New(errs.NotFound, "no worker of this name was seen in the last day, and none holds a document")
	}
	w := all.List[i]
	v := templates.WorkerView{
		Name: name, State: string(w.State), Reason: workerReason(w, all.AsOf), Quiet: w.Quiet != nil, Here: c.Request().URL.RequestURI(), Tiles: workerTiles(w, all.AsOf),
		Notes: workerNotes(queue.Workers{Whole: all.Whole, Partial: all.Partial}), MayAct: may(c, auth.Act),
	}
	if !may(c, auth.Halt) {
		v.WhyNoHalt = lacks
	} else if limited(c) {
		v.WhyNoHalt = "it would hold in all queues, and you see some"
	}
	shown := 0
	for _, p := range w.Posts {
		row := templates.PostRow{
			Queue: p.Queue, Active: p.Holds.Documents, Picks: templates.Rate(p.Did.PerMin()), Ended: p.Did.Ended, Errors: failedWords(p.Did), P95: p95Words(p.Did), SeenAt: p.SeenAt,
		}
		if here := w.In(func(queue string) bool { return queue == p.Queue }, all.AsOf); stale(here, all.AsOf) {
			row.Picks, row.Last = "–", lastWords(here, all.AsOf)
		}
		v.Posts = append(v.Posts, row)
		if p.Holds.Documents == 0 {
			continue
		}
		held := templates.HeldView{Queue: p.Queue, Documents: p.Holds.Documents, Href: queueURL(p.Queue, "documents") + "?" + url.Values{"status": {"active"}, "worker": {name}}.Encode()}
		if shown++; shown <= heldQueues {
			docs, err := s.Engine.HeldBy(ctx, p.Queue, name, heldPerQueue)
			if err != nil && errs.Of(err) != errs.NotFound { // dropped meanwhile
				return f, nil, err
			}
			for _, d := range docs {
				held.Rows = append(held.Rows, templates.HeldRow{
					Subject: d.Subject, Href: documentURL(p.Queue, d.Subject), Version: d.Version, Attempts: d.Attempts, PickedAt: d.PickedAt, LeaseEnd: d.LeaseEnd, Lease: d.Lease,
				})
			}
		}
		v.Held = append(v.Held, held)
	}
	return f, templates.Worker(v), nil
}

// heldLeases returns the leases that a form names.
func heldLeases(c echo.Context) ([]queue.Lease, error) {
	form, err := c.FormParams()
	if err != nil {
		return nil, err
	}
	var leases []queue.Lease
	for _, text := range form["lease"] {
		number, escaped, _ := strings.Cut(text, " ")
		lease, failed := strconv.ParseInt(number, 10, 64)
		subject, err := url.QueryUnescape(escaped)
		if err != nil || failed != nil {
			return nil, errs.Field("lease", "a lease of this form is not written as it was")
		}
		leases = append(leases, queue.Lease{Subject: subject, Lease: lease})
	}
	return leases, nil
}

// askRelease asks before documents are taken from a worker, and says which.
func (s *Server) askRelease(c echo.Context) error {
	leases, err := heldLeases(c)
	if err != nil {
		return err
	}
	to, worker, from := back(c, "/workers"), c.FormValue("worker"), c.FormValue("queue")
	form := templates.Confirm{Title: "Release documents", Back: to, Action: "/workers/release"}
	if len(leases) == 0 {
		form.Wrong = "Select documents in the list first."
	} else {
		form.Title, form.Button = "Release "+documentsWord(len(leases)), "Release "+documentsWord(len(leases))
		var subjects []string
		form.Fields = []templates.Field{{Name: "back", Value: to}, {Name: "queue", Value: from}, {Name: "worker", Value: worker}}
		for _, l := range leases {
			subjects = append(subjects, l.Subject)
			form.Fields = append(form.Fields, templates.Field{Name: "lease", Value: heldLease(l)})
		}
		form.Says = []string{
			"Of " + from + ", held by " + short(worker) + ": " + namesOf(subjects),
			"They are pending again at once, and the attempt does not count. Where the worker still works on them, another one may begin the same work beside it; what this one says of them then is refused.",
		}
	}
	f := frame{title: form.Title, section: "Workers", crumbs: []templates.Crumb{{Word: "Workers", Href: "/workers"}, {Word: short(worker), Href: to}, {Word: form.Title}}}
	return s.dialog(c, http.StatusOK, f, templates.ConfirmForm(form))
}

// heldLease writes a lease as forms name it.
func heldLease(l queue.Lease) string {
	return strconv.FormatInt(l.Lease, 10) + " " + url.QueryEscape(l.Subject)
}

// releaseHeld takes documents back from a worker: those whose leases the form names, while they last.
func (s *Server) releaseHeld(c echo.Context) error {
	leases, err := heldLeases(c)
	if err != nil {
		return err
	}
	to := back(c, "/workers")
	if len(leases) == 0 {
		return s.done(c, to, "Nothing was done: no document is selected.", nil)
	}
	results, err := s.Engine.Release(c.Request().Context(), c.FormValue("queue"), leases)
	if err != nil {
		return err
	}
	released := 0
	for _, r := range results {
		if r.Outcome == "ok" {
			released++
		}
	}
	text := "Released " + documentsWord(released) + "."
	if rest := len(results) - released; rest > 0 {
		text += " " + documentsWord(rest) + " ended or changed hands before."
	}
	return s.done(c, to, text, nil)
}

// workerTiles are the numbers of a worker in all queues.
func workerTiles(w queue.Worker, now time.Time) []templates.Tile {
	over := "in the " + templates.Span(w.Did.Over.Round(time.Second)) + " before it was seen last"
	if w.Did.Over == 0 {
		over = "known by what it holds"
	}
	picks, ended := templates.Rate(w.PicksPerMin), " that ended"
	if stale(w, now) {
		picks = "–"
		if w.Did.Over > 0 {
			over, ended = lastWords(w, now), " that ended, "+templates.Ago(w.Seen, now)
		}
	}
	held := templates.Tile{Word: "Longest lease", Value: "–", Note: "it holds nothing"}
	if w.Holds.Documents > 0 {
		held.Since, held.Note = &w.Holds.FirstPick, "held since "+w.Holds.FirstPick.UTC().Format("2 Jan 15:04 UTC")
	}
	seen := templates.Tile{Word: "Not seen for", Value: "–"}
	if !w.Seen.IsZero() {
		seen.Since = &w.Seen
	}
	return []templates.Tile{
		{Word: "Active", Status: "active", Value: templates.Number(w.Holds.Documents), Exact: templates.Exact(w.Holds.Documents), Note: "documents that it holds"},
		{Word: "Picks/min", Value: picks, Note: over},
		{Word: "Error rate", Status: "error", Value: failedWords(w.Did), Note: templates.Number(w.Did.Errors) + " of " + templates.Number(w.Did.Ended) + ended},
		{Word: "Work, p95", Value: p95Words(w.Did), Note: "from the pick to the end"},
		held,
		seen,
	}
}
