package web

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/catalog"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/operations"
	"github.com/fetchq/server/web/templates"
)

func (s *Server) backupsRoutes() {
	s.shareAs(Route{Method: http.MethodGet, Path: "/backups", Needs: auth.See, Whole: true}, s.backupsPage)
	s.whole(http.MethodGet, "/backups/run", auth.Backup, s.newBackupPage)
	s.whole(http.MethodPost, "/backups/run", auth.Backup, s.createBackup)
	s.whole(http.MethodGet, "/backups/destinations/new", auth.Backup, s.newDestinationPage)
	s.whole(http.MethodPost, "/backups/destinations/new", auth.Backup, s.createDestination)
	s.whole(http.MethodGet, "/backups/destinations/:name/edit", auth.Backup, s.editDestinationPage)
	s.whole(http.MethodPost, "/backups/destinations/:name/edit", auth.Backup, s.editDestination)
	s.whole(http.MethodGet, "/backups/destinations/:name/delete", auth.Backup, s.deleteDestinationPage)
	s.whole(http.MethodPost, "/backups/destinations/:name/delete", auth.Backup, s.deleteDestination)
	s.whole(http.MethodPost, "/backups/destinations/:name/test", auth.Backup, s.testDestination)
	s.scheduleRoutes()
	s.backupRoutes()
}

const (
	backupsPerPage = 25
	runsShown      = 5
	listPatience   = 400 * time.Millisecond // for a destination; who is slower is shown when he has answered
	laterRuns      = 2
)

const backupsURL = "/backups"

// backupsPage shows what destinations have, and what makes it: runs, destinations, schedules.
func (s *Server) backupsPage(c echo.Context) (frame, templ.Component, error) {
	ctx := c.Request().Context()
	v := templates.BackupsView{Tab: c.QueryParam("tab")}
	if !may(c, auth.Backup) {
		v.WhyNot = lacks
	}
	for _, t := range []struct{ name, word string }{{"", "Backups"}, {"schedules", "Schedules"}, {"destinations", "Destinations"}, {"queues", "By queue"}} {
		tab := templates.Tab{Word: t.word, Href: backupsURL, Here: t.name == v.Tab}
		if t.name != "" {
			tab.Href += "?tab=" + t.name
		}
		v.Tabs = append(v.Tabs, tab)
	}
	places, err := s.Catalog.Destinations(ctx)
	if err != nil {
		return frame{}, nil, err
	}
	for _, d := range places {
		v.Destinations = append(v.Destinations, destinationRow(d))
	}
	troubles, err := s.Catalog.Troubles(ctx)
	if err != nil {
		return frame{}, nil, err
	}
	for _, t := range troubles {
		v.Troubles = append(v.Troubles, "The schedule "+t.Schedule.Name+": "+t.Words)
	}
	switch v.Tab {
	case "schedules":
		err = s.fillSchedules(c, &v)
	case "queues":
		err = s.fillQueues(c, &v)
	case "destinations":
	default:
		err = s.fillBackups(c, &v, places)
	}
	f := frame{title: "Backups", section: "Backups", crumbs: []templates.Crumb{{Word: "Backups"}}, live: true}
	return f, templates.Backups(v), err
}

func (s *Server) fillQueues(c echo.Context, v *templates.BackupsView) error {
	list, err := s.Catalog.Queues(c.Request().Context())
	for _, q := range list {
		v.Queues = append(v.Queues, templates.BackedUpQueue{Name: q.Queue, Good: q.Good, Verified: q.Verified, Restored: q.Restored})
	}
	return err
}

// fillBackups adds the latest runs, and what one destination has.
func (s *Server) fillBackups(c echo.Context, v *templates.BackupsView, places []catalog.Destination) error {
	ctx := c.Request().Context()
	runs, _, err := s.Operations.List(ctx, operations.ListParams{Queues: []string{""}, Limit: runsShown})
	if err != nil || len(places) == 0 {
		return err
	}
	for _, o := range runs {
		v.Runs = append(v.Runs, s.runRow(c, o))
	}
	l := &v.List
	l.Destination = firstOf(c.QueryParam("destination"), places[0].Name)
	for _, d := range places {
		l.Choices = append(l.Choices, templates.Tab{Word: d.Name, Href: placeURL(d.Name), Here: d.Name == l.Destination})
	}
	before := c.QueryParam("before")
	p, ready, err := s.Catalog.Look(ctx, l.Destination, before, backupsPerPage, listPatience)
	if errs.Of(err) == errs.NotFound && !hasPlace(places, l.Destination) {
		return err
	}
	l.Waiting, l.At, l.Paged = !ready && err == nil, p.At, before != ""
	if err != nil {
		s.Log.Warn("a destination cannot be listed", "destination", l.Destination, "error", err)
		l.Problem = messageOf(err)
		return nil
	}
	for _, e := range p.Entries {
		l.Rows = append(l.Rows, backupRow(l.Destination, e))
	}
	if p.Next != "" {
		l.Pager.Next = placeURL(l.Destination) + "&before=" + url.QueryEscape(p.Next)
	}
	if before != "" {
		l.Pager.Previous, l.Pager.PreviousWord = placeURL(l.Destination), "Newest"
	}
	return nil
}

func hasPlace(places []catalog.Destination, name string) bool {
	for _, d := range places {
		if d.Name == name {
			return true
		}
	}
	return false
}

// messageOf is what a person is told of an error that is no reason for the page not to be shown.
func messageOf(err error) string {
	var e *errs.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return "something went wrong; the log of the server has more"
}

func placeURL(destination string) string {
	return backupsURL + "?destination=" + url.QueryEscape(destination)
}

func backupURL(destination, name, below string) string {
	return backupsURL + "/at/" + url.PathEscape(destination) + "/" + url.PathEscape(name) + below
}

func backupRow(destination string, e catalog.Entry) templates.BackupRow {
	m := e.Manifest
	r := templates.BackupRow{
		Name: e.Name, Href: backupURL(destination, e.Name, ""), Problem: e.Problem, At: m.SnapshotAt, Took: m.Duration(), Stored: m.Stored(), Encrypted: m.Encryption != "",
	}
	names := make([]string, len(m.Queues))
	for i, q := range m.Queues {
		names[i] = q.Name
		r.Documents += q.Documents()
	}
	r.Queues, r.Titles = fewNames(names), strings.Join(names, ", ")
	if k := e.Known; k != nil {
		r.Verified, r.Restored, r.VerifyProblem = k.VerifiedAt, k.RestoredAt, text(k.Problem)
	}
	return r
}

// fewNames names up to three queues, and says how many more there are.
func fewNames(names []string) string {
	if len(names) <= 4 {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:3], ", ") + " and " + strconv.Itoa(len(names)-3) + " more"
}

func queueWords(names []string) string {
	if len(names) == 0 {
		return "all queues"
	}
	return fewNames(names)
}

func destinationRow(d catalog.Destination) templates.DestinationRow {
	below := backupsURL + "/destinations/" + url.PathEscape(d.Name)
	r := templates.DestinationRow{
		Name: d.Name, URL: d.URL, Keeps: keepWords(d), Tested: d.TestedAt, Problem: text(d.TestError), PruneProblem: text(d.PruneError),
		Test: below + "/test", Edit: below + "/edit", Delete: below + "/delete", Show: placeURL(d.Name),
	}
	if n := len(d.Recipients); n == 1 {
		r.Sealed = "encrypted to 1 key"
	} else if n > 1 {
		r.Sealed = "encrypted to " + strconv.Itoa(n) + " keys"
	}
	if d.AccessKey != "" {
		r.Key = "key " + d.AccessKey + ", " + secretWords(d)
	}
	return r
}

// keepWords say what stays at a destination.
func keepWords(d catalog.Destination) string {
	var parts []string
	for _, k := range []struct {
		n    int
		word string
	}{{d.Keep.Last, "newest"}, {d.Keep.Daily, "days"}, {d.Keep.Weekly, "weeks"}, {d.Keep.Monthly, "months"}} {
		switch {
		case k.n > 0 && k.word == "newest":
			parts = append(parts, "the newest "+strconv.Itoa(k.n))
		case k.n > 0:
			parts = append(parts, "one of each of "+strconv.Itoa(k.n)+" "+k.word)
		}
	}
	if parts == nil {
		return "everything"
	}
	return strings.Join(parts, ", ")
}
