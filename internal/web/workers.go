package web

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/metrics"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/web/templates"
)

func (s *Server) workersRoutes() {
	s.share("/workers", s.workersPage)
	s.share("/worker", s.workerPage)
	// A worker that goes quiet does so in all queues.
	s.whole(http.MethodPost, "/workers/ask", auth.Halt, s.askOfWorkers)
	s.whole(http.MethodPost, "/workers/quiet", auth.Halt, s.quietWorkers)
	s.whole(http.MethodPost, "/workers/wake", auth.Halt, s.wakeWorkers)
	s.guard(http.MethodPost, "/workers/release/ask", auth.Act, s.askRelease)
	s.guard(http.MethodPost, "/workers/release", auth.Act, s.releaseHeld)
}

const workersPerPage = 50

// workerURL is the path of a worker's page.
func workerURL(name string) string { return "/worker?name=" + url.QueryEscape(name) }

// workersURL is the path of the list of workers, with one filter.
func workersURL(filter, value string) string {
	return "/workers?" + url.Values{filter: {value}}.Encode()
}

// workersQuery is what the URL of the list says.
type workersQuery struct {
	filter, state, queue, sort string
	desc                       bool
	page                       int
}

func readWorkersQuery(c echo.Context) workersQuery {
	q := workersQuery{filter: strings.TrimSpace(c.QueryParam("q")), state: c.QueryParam("state"), queue: c.QueryParam("queue"), sort: c.QueryParam("sort"), desc: c.QueryParam("desc") == "1"}
	q.page, _ = strconv.Atoi(c.QueryParam("page"))
	q.page = max(q.page, 1)
	if workerColumns[q.sort] == nil {
		q.sort = "state"
	}
	return q
}

func (q workersQuery) url() string {
	v := url.Values{}
	for _, f := range []struct{ name, value, none string }{
		{"q", q.filter, ""}, {"state", q.state, ""}, {"queue", q.queue, ""}, {"sort", q.sort, "state"}, {"page", strconv.Itoa(q.page), "1"},
	} {
		if f.value != f.none {
			v.Set(f.name, f.value)
		}
	}
	if q.desc {
		v.Set("desc", "1")
	}
	if len(v) == 0 {
		return "/workers"
	}
	return "/workers?" + v.Encode()
}

// stateRank orders the states, those that need somebody first.
func stateRank(s queue.WorkerState) int { return slices.Index(queue.WorkerStates, s) }

// workerColumns are the orders of the list.
var workerColumns = map[string]func(a, b queue.Worker) int{
	"state":  func(a, b queue.Worker) int { return cmp.Compare(stateRank(a.State), stateRank(b.State)) },
	"name":   func(a, b queue.Worker) int { return strings.Compare(a.Name, b.Name) },
	"active": func(a, b queue.Worker) int { return cmp.Compare(a.Holds.Documents, b.Holds.Documents) },
	"picks":  func(a, b queue.Worker) int { return cmp.Compare(a.PicksPerMin, b.PicksPerMin) },
	"errors": func(a, b queue.Worker) int { return cmp.Compare(failedShare(a.Did), failedShare(b.Did)) },
	"p95":    func(a, b queue.Worker) int { return cmp.Compare(workP95(a.Did), workP95(b.Did)) },
	"seen":   func(a, b queue.Worker) int { return b.Seen.Compare(a.Seen) }, // who was not seen for longest is the largest
	"longest": func(a, b queue.Worker) int {
		if a.Holds.Documents == 0 || b.Holds.Documents == 0 {
			return cmp.Compare(btoi(a.Holds.Documents > 0), btoi(b.Holds.Documents > 0))
		}
		return b.Holds.FirstPick.Compare(a.Holds.FirstPick)
	},
}

// rated are the orders by what a worker does: who was not seen for long does nothing that is known, and stands below all others.
var rated = map[string]bool{"picks": true, "errors": true, "p95": true}

// stale says whether the rates of a worker are those of another time: it was not seen for so long that it may do nothing any more.
func stale(w queue.Worker, now time.Time) bool {
	return w.Seen.IsZero() || now.Sub(w.Seen) > queue.Unseen
}

// lastWords say what a worker did before it was seen last, where that is long ago; "": it is not, or nothing is known.
func lastWords(w queue.Worker, now time.Time) string {
	if !stale(w, now) || w.Did.Over == 0 {
		return ""
	}
	return fmt.Sprintf("last %s/min, %s", templates.Rate(w.PicksPerMin), templates.Ago(w.Seen, now))
}

// failedShare is below any share where nothing ended.
func failedShare(d queue.Did) float64 {
	if share, known := d.ErrorShare(); known {
		return share
	}
	return -1
}

// workP95 is in milliseconds; below any where nothing ended.
func workP95(d queue.Did) float64 {
	var works metrics.Histogram
	works.AddBuckets(d.Buckets, d.Counts, d.Sum, d.Low, d.High)
	if works.Count == 0 {
		return -1
	}
	return works.Quantile(0.95)
}

func failedWords(d queue.Did) string {
	if share := failedShare(d); share >= 0 {
		return strconv.FormatFloat(100*share, 'f', 1, 64) + " %"
	}
	return "–"
}

func p95Words(d queue.Did) string {
	if ms := workP95(d); ms >= 0 {
		return templates.Span(time.Duration(ms * float64(time.Millisecond)))
	}
	return "–"
}

// workersPage lists the workers, those that need somebody first.
func (s *Server) workersPage(c echo.Context) (frame, templ.Component, error) {
	ctx := c.Request().Context()
	f := frame{title: "Workers", section: "Workers", crumbs: []templates.Crumb{{Word: "Workers"}}, live: true}
	all, err := s.crews.all(ctx)
	if err != nil {
		return f, nil, err
	}
	q := readWorkersQuery(c)
	v := templates.WorkersView{
		Filter: q.filter, State: q.state, Queue: q.queue, All: len(all.List), MayHalt: may(c, auth.Halt) && !limited(c), Here: q.url(), API: s.apiURL("pages"), Notes: workerNotes(all),
	}
	if v.Queues, err = s.Engine.Names(ctx); err != nil {
		return f, nil, err
	}
	var rows []queue.Worker
	counts := map[queue.WorkerState]int64{}
	total := int64(0)
	for _, w := range all.List {
		if q.queue != "" {
			if w = w.In(func(name string) bool { return name == q.queue }, all.AsOf); len(w.Posts) == 0 {
				continue
			}
		}
		if !strings.Contains(strings.ToLower(w.Name), strings.ToLower(q.filter)) {
			continue
		}
		counts[w.State]++
		total++
		if q.state == "" || string(w.State) == q.state {
			rows = append(rows, w)
		}
	}
	tab := func(word, state string, n int64) templates.Tab {
		to := q
		to.state, to.page = state, 1
		return templates.Tab{Word: word, Href: to.url(), Here: q.state == state, Count: &n, Status: state}
	}
	v.Tabs = []templates.Tab{tab("All", "", total)}
	for _, state := range queue.WorkerStates {
		v.Tabs = append(v.Tabs, tab(string(state), string(state), counts[state]))
	}
	slices.SortStableFunc(rows, func(a, b queue.Worker) int {
		order := workerColumns[q.sort](a, b)
		if rated[q.sort] {
			order = cmp.Or(cmp.Compare(btoi(!stale(a, all.AsOf)), btoi(!stale(b, all.AsOf))), order)
		}
		if q.desc {
			return -order
		}
		return order
	})
	v.Matching = len(rows)
	pages := max((len(rows)+workersPerPage-1)/workersPerPage, 1)
	q.page = min(q.page, pages)
	first := (q.page - 1) * workersPerPage
	for _, w := range rows[first:min(first+workersPerPage, len(rows))] {
		v.Rows = append(v.Rows, workerRow(w, all.AsOf))
	}
	v.Pager = templates.Pager{Note: fmt.Sprintf("%d to %d of %d workers", min(first+1, len(rows)), first+len(v.Rows), len(rows))}
	turn := func(by int) string { p := q; p.page += by; return p.url() }
	if q.page > 1 {
		v.Pager.Previous = turn(-1)
	}
	if q.page < pages {
		v.Pager.Next = turn(1)
	}
	v.Sort = func(column string) (string, string) {
		p, direction := q, "none"
		p.sort, p.desc, p.page = column, column != "name" && column != "state", 1
		if column == q.sort {
			p.desc = !q.desc
			direction = map[bool]string{false: "ascending", true: "descending"}[q.desc]
		}
		return p.url(), direction
	}
	return f, templates.Workers(v), nil
}

// workerNotes say what the list does not tell.
func workerNotes(all queue.Workers) (notes []string) {
	if !all.Whole {
		notes = append(notes, "What workers hold could not be read in time: the documents that they hold are left out, and so is who is silent.")
	}
	if len(all.Partial) > 0 {
		notes = append(notes, "What is held is not all counted in "+strings.Join(all.Partial, ", ")+": more than 10,000 documents are active there, or the queue is locked.")
	}
	if all.Unnamed > 0 {
		notes = append(notes, documentsWord(int(all.Unnamed))+" held by workers that gave no name: with \"worker\" in their picks they stand here.")
	}
	return notes
}

func workerRow(w queue.Worker, now time.Time) templates.WorkerRow {
	r := templates.WorkerRow{
		Name: w.Name, Href: workerURL(w.Name), State: string(w.State), Reason: workerReason(w, now), Active: w.Holds.Documents, Quiet: w.Quiet != nil,
		Picks: templates.Rate(w.PicksPerMin), Errors: failedWords(w.Did), P95: p95Words(w.Did),
	}
	if stale(w, now) {
		r.Picks, r.Errors, r.P95, r.Last = "–", "–", "–", lastWords(w, now)
	}
	if !w.Seen.IsZero() {
		r.SeenAt = &w.Seen
	}
	if w.Holds.Documents > 0 {
		r.HeldSince = &w.Holds.FirstPick
	}
	for _, p := range w.Posts {
		r.Queues = append(r.Queues, p.Queue)
	}
	return r
}

// workerReason says in words why a worker needs somebody, or what it was asked.
func workerReason(w queue.Worker, now time.Time) string {
	holds := "it holds nothing any more, and can be stopped"
	if n := w.Holds.Documents; n > 0 {
		holds = "it holds " + documentsWord(int(n))
	}
	switch w.State {
	case queue.WorkerSilent:
		ends := "the first of its leases ends in " + templates.Span(w.Holds.FirstEnd.Sub(now))
		if !w.Holds.FirstEnd.After(now) {
			ends = "the first of its leases is over"
		}
		return fmt.Sprintf("holds %s and was not seen for %s; %s", documentsWord(int(w.Holds.Documents)), templates.Span(now.Sub(w.Seen)), ends)
	case queue.WorkerQuiet:
		return fmt.Sprintf("%s asked it to go quiet %s; %s", byWords(w.Quiet.By), templates.Ago(w.Quiet.Since, now), holds)
	case queue.WorkerGone, queue.WorkerWorking, queue.WorkerWaiting:
	}
	return ""
}

// byWords names who did something.
func byWords(by string) string {
	kind, name, _ := strings.Cut(by, ":")
	switch kind {
	case "token":
		return "the token " + name
	case "role":
		return name + ", by SQL,"
	}
	return name
}
