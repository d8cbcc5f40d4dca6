package web

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/web/templates"
)

// queuesPerPage bounds the page of the queues, whatever there are.
const queuesPerPage = 50

func (s *Server) queuesRoutes() {
	s.guard(http.MethodGet, "/queues", auth.See, s.queuesPage)
	s.guard(http.MethodGet, "/queues/new", auth.Manage, s.newQueuePage)
	s.guard(http.MethodPost, "/queues/new", auth.Manage, s.createQueue)
	s.guard(http.MethodPost, "/queues/star", auth.See, s.starQueue)
	s.guard(http.MethodGet, "/queues/pause", auth.Halt, s.pausePage)
	s.guard(http.MethodPost, "/queues/pause", auth.Halt, s.pauseQueues)
	s.guard(http.MethodPost, "/queues/resume", auth.Halt, s.resumeQueues)
}

var queuesFrame = frame{title: "Queues", section: "Queues", crumbs: []templates.Crumb{{Word: "Queues"}}, live: true}

// queuesQuery is what the URL of the page says.
type queuesQuery struct {
	filter, sort, state string
	desc                bool
	page                int
}

func readQueuesQuery(c echo.Context) queuesQuery {
	q := queuesQuery{filter: c.QueryParam("q"), sort: c.QueryParam("sort"), state: c.QueryParam("state"), desc: c.QueryParam("desc") == "1"}
	q.page, _ = strconv.Atoi(c.QueryParam("page"))
	q.page = max(q.page, 1)
	if byColumn[q.sort] == nil {
		q.sort = "name"
	}
	return q
}

func (q queuesQuery) url() string {
	v := url.Values{}
	set := func(name, value, none string) {
		if value != none {
			v.Set(name, value)
		}
	}
	set("q", q.filter, "")
	set("state", q.state, "")
	set("sort", q.sort, "name")
	if q.desc {
		v.Set("desc", "1")
	}
	set("page", strconv.Itoa(q.page), "1")
	if len(v) == 0 {
		return "/queues"
	}
	return "/queues?" + v.Encode()
}

// byColumn are the orders of the table.
var byColumn = map[string]func(a, b queueRow) int{
	"status":  func(a, b queueRow) int { return cmp.Compare(rank[a.health.word], rank[b.health.word]) },
	"name":    func(a, b queueRow) int { return strings.Compare(a.Name, b.Name) },
	"pending": func(a, b queueRow) int { return cmp.Compare(a.Counts.Pending, b.Counts.Pending) },
	"planned": func(a, b queueRow) int { return cmp.Compare(a.Counts.Planned, b.Counts.Planned) },
	"active":  func(a, b queueRow) int { return cmp.Compare(a.Counts.Active, b.Counts.Active) },
	"killed":  func(a, b queueRow) int { return cmp.Compare(a.Counts.Killed, b.Counts.Killed) },
	"in":      func(a, b queueRow) int { return cmp.Compare(a.trend.EnteredPerMin, b.trend.EnteredPerMin) },
	"workers": func(a, b queueRow) int { return cmp.Compare(a.workers.Seen, b.workers.Seen) },
	"out":     func(a, b queueRow) int { return cmp.Compare(a.trend.ProcessedPerMin, b.trend.ProcessedPerMin) },
	"errors":  func(a, b queueRow) int { return cmp.Compare(a.trend.ErrorsPerMin, b.trend.ErrorsPerMin) },
	"oldest": func(a, b queueRow) int { // the one that waits longest is the largest; none is the smallest
		switch {
		case a.OldestDueAt == nil || b.OldestDueAt == nil:
			return cmp.Compare(btoi(a.OldestDueAt != nil), btoi(b.OldestDueAt != nil))
		default:
			return b.OldestDueAt.Compare(*a.OldestDueAt)
		}
	},
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// queuesPage lists the queues, those with a star first, filtered and sorted as its URL says.
func (s *Server) queuesPage(c echo.Context) error {
	ctx := c.Request().Context()
	user, _ := userOf(c)
	stars, err := s.Users.Stars(ctx, user.ID)
	if err != nil {
		return err
	}
	all, err := s.queueRows(ctx, stars)
	if err != nil {
		return err
	}
	q := readQueuesQuery(c)
	rows := slices.DeleteFunc(slices.Clone(all), func(r queueRow) bool {
		return !strings.Contains(r.Name, strings.ToLower(q.filter)) || q.state != "" && r.health.word != q.state
	})
	slices.SortStableFunc(rows, func(a, b queueRow) int {
		order := byColumn[q.sort](a, b)
		if q.desc {
			order = -order
		}
		return cmp.Or(cmp.Compare(btoi(b.starred), btoi(a.starred)), order)
	})
	v := templates.QueuesView{
		API:    s.apiURL("pages"),
		Filter: q.filter, State: q.state, All: len(all), Matching: len(rows), MayManage: may(c, auth.Manage), MayHalt: may(c, auth.Halt), Here: q.url(),
	}
	pages := max((len(rows)+queuesPerPage-1)/queuesPerPage, 1)
	q.page = min(q.page, pages)
	first := (q.page - 1) * queuesPerPage
	for _, r := range rows[first:min(first+queuesPerPage, len(rows))] {
		v.Rows = append(v.Rows, r.view(s.Now()))
	}
	v.Pager = templates.Pager{Note: fmt.Sprintf("%d to %d of %d queues", min(first+1, len(rows)), first+len(v.Rows), len(rows))}
	turn := func(by int) string { p := q; p.page += by; return p.url() }
	if q.page > 1 {
		v.Pager.Previous = turn(-1)
	}
	if q.page < pages {
		v.Pager.Next = turn(1)
	}
	v.Sort = func(column string) (string, string) {
		p, direction := q, "none"
		p.sort, p.desc, p.page = column, column != "name", 1
		if column == q.sort {
			p.desc = !q.desc
			direction = map[bool]string{false: "ascending", true: "descending"}[q.desc]
		}
		return p.url(), direction
	}
	return s.page(c, queuesFrame, templates.Queues(v))
}

func (s *Server) starQueue(c echo.Context) error {
	user, _ := userOf(c)
	stars, err := s.Users.Stars(c.Request().Context(), user.ID)
	if err != nil {
		return err
	}
	name := c.FormValue("queue")
	if _, err := s.Engine.Get(c.Request().Context(), name); err != nil {
		return err
	}
	if err := s.Users.Star(c.Request().Context(), user.ID, name, !stars[name]); err != nil {
		return err
	}
	return leave(c, back(c, "/queues"))
}

// names returns the queues that a form names, each of which exists, 200 at most.
func (s *Server) names(c echo.Context) ([]string, error) {
	form, err := c.FormParams()
	if err != nil {
		return nil, err
	}
	names := slices.Compact(slices.Sorted(slices.Values(form["queue"])))
	names = names[:min(len(names), 200)]
	for _, name := range names {
		if _, err := s.Engine.Get(c.Request().Context(), name); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// pausePage asks why and for how long.
func (s *Server) pausePage(c echo.Context) error {
	names, err := s.names(c)
	if err != nil {
		return err
	}
	v := values{"version": c.QueryParam("version")}
	return s.dialog(c, http.StatusOK, queuesFrame, templates.ConfirmForm(pauseForm(names, back(c, "/queues"), v, "", "")))
}

// pauseFields are the fields of the form that pauses queues.
var pauseFields = []string{"kind", "reason", "until", "version"}

func pauseForm(names []string, to string, v values, field, text string) templates.Confirm {
	f := templates.Confirm{
		Title: "Pause " + strings.Join(names, ", "), Action: "/queues/pause", Button: "Pause", Back: to,
		Says: []string{"Nothing more is handed out. Pushes go on."},
		Inputs: []templates.Input{
			{
				Name: "kind", Label: "What workers hold", Type: "select", Value: v["kind"], Wrong: at(field, "kind", text),
				Options: []templates.Option{{Value: "drain", Word: "drain: they finish it"}, {Value: "at_once", Word: "at once: it is taken back, and waits again"}},
				Help:    "What is taken back loses no attempt, and what its worker says of it then is refused. With drain nothing is taken back.",
			},
			{Name: "reason", Label: "Reason", Value: v["reason"], Help: "Told to workers, and to everybody who looks at the queue.", Max: 1000, Autofocus: true, Wrong: at(field, "reason", text)},
			{Name: "until", Label: "Until", Value: v["until"], Placeholder: "+2h", Help: "A date, or a span from now with a sign. Empty: until somebody resumes it.", Max: 64, Wrong: at(field, "until", text)},
			{Name: "version", Label: "Payload version", Value: v["version"], Placeholder: "all", Help: "Pause this one only.", Max: 5, Wrong: at(field, "version", text)},
		},
		Fields: []templates.Field{{Name: "back", Value: to}},
	}
	if len(names) == 0 {
		f.Title, f.Wrong = "Pause queues", "Select queues in the list first."
	}
	if text != "" && !slices.Contains(pauseFields, field) {
		f.Wrong = text
	}
	for _, name := range names {
		f.Fields = append(f.Fields, templates.Field{Name: "queue", Value: name})
	}
	return f
}

// at returns a text where a field is the wrong one.
func at(wrong, field, text string) string {
	if wrong == field {
		return text
	}
	return ""
}

func (s *Server) pauseQueues(c echo.Context) error {
	names, err := s.names(c)
	if err != nil {
		return err
	}
	to, v := back(c, "/queues"), values{}
	for _, name := range pauseFields {
		v[name] = strings.TrimSpace(c.FormValue(name))
	}
	p, err := v.pause()
	for _, name := range names {
		if err == nil {
			_, err = s.Engine.Pause(c.Request().Context(), name, p)
		}
	}
	if field, text, ok := wrong(err); ok || len(names) == 0 {
		return s.dialog(c, http.StatusUnprocessableEntity, queuesFrame, templates.ConfirmForm(pauseForm(names, to, v, field, text)))
	}
	if err != nil {
		return err
	}
	return s.done(c, to, "Paused "+ofVersion(p.Version)+strings.Join(names, ", ")+".", undo("/queues/resume", names, to, p.Version))
}

// pause is what the form that pauses queues says. Errors: Invalid, with the field.
func (v values) pause() (p queue.PauseParams, err error) {
	p.Reason, p.Kind = v["reason"], queue.PauseKind(v["kind"])
	if p.Until, err = parseDate("until", v["until"]); err != nil {
		return p, err
	}
	p.Version, err = parseWithin("version", v["version"], 0, queue.MaxVersion)
	return p, err
}

// ofVersion names a version before its queue; nil is all of them.
func ofVersion(version *int) string {
	if version == nil {
		return ""
	}
	return fmt.Sprintf("version %d of ", *version)
}

// undo is a form that takes a change of queues back, or of one payload version of them.
func undo(action string, names []string, to string, version *int) *templates.Undo {
	u := &templates.Undo{Action: action, Fields: []templates.Field{{Name: "back", Value: to}}}
	if version != nil {
		u.Fields = append(u.Fields, templates.Field{Name: "version", Value: strconv.Itoa(*version)})
	}
	for _, name := range names {
		u.Fields = append(u.Fields, templates.Field{Name: "queue", Value: name})
	}
	return u
}

func (s *Server) resumeQueues(c echo.Context) error {
	names, err := s.names(c)
	if err != nil {
		return err
	}
	version, err := parseWithin("version", c.FormValue("version"), 0, queue.MaxVersion)
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, err := s.Engine.Resume(c.Request().Context(), name, version); err != nil {
			return err
		}
	}
	to := back(c, "/queues")
	if len(names) == 0 {
		return leave(c, to)
	}
	return s.done(c, to, "Resumed "+ofVersion(version)+strings.Join(names, ", ")+".", undo("/queues/pause", names, to, version))
}

// done confirms a change with a toast on the page that is shown next; what is on the board is old.
func (s *Server) done(c echo.Context, to, text string, u *templates.Undo) error {
	s.board.forget()
	s.crews.forget()
	if err := s.say(c, templates.Toast{Text: text, Undo: u}); err != nil {
		return err
	}
	return leave(c, to)
}
