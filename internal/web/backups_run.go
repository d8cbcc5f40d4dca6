package web

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/catalog"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/operations"
	"github.com/fetchq/server/web/templates"
)

// runTitle says what an operation on backups does.
func runTitle(o operations.Operation) string {
	a := catalog.AsksOf(o)
	switch o.Action {
	case operations.Backup:
		return "Backup of " + queueWords(a.Queues) + " to " + a.Destination
	case operations.Verify:
		return "Verify " + a.Name
	}
	what := "Restore of " + queueWords(a.Queues)
	if len(a.Queues) == 0 {
		what = "Restore of all"
	}
	if a.SettingsOnly {
		what = strings.Replace(what, "Restore of", "Restore the settings of", 1)
	}
	if a.As != "" {
		what += " as " + a.As
	}
	return what + " from " + a.Name
}

// runFigures say how far an operation on backups is, or what came of it.
func runFigures(o operations.Operation) string {
	t := catalog.ToldOf(o)
	took := time.Duration(t.Millis) * time.Millisecond
	switch {
	case o.State == operations.Waiting:
		return "in line behind another one"
	case o.State == operations.Done && t.Stored > 0 && t.Bytes > 0:
		words := fmt.Sprintf("%s, %s from %s (%.1f : 1) in %s", rows(t.Rows), templates.Bytes(t.Bytes), templates.Bytes(t.Stored), float64(t.Bytes)/float64(t.Stored), templates.Span(took))
		if o.Action == operations.Backup {
			words = strings.Replace(words, " from ", " packed to ", 1)
		}
		return words
	case o.State == operations.Done:
		return "done in " + templates.Span(took)
	case o.State == operations.Canceled && o.Action == operations.Backup:
		return "what was written of it is removed"
	case o.Over():
		return ""
	case t.Rows == 0:
		return firstOf(t.Phase, "it begins")
	}
	words := fmt.Sprintf("%s: %s of about %s, %s, %s packed", t.Phase, templates.Exact(t.Rows), rows(t.Total), templates.Bytes(t.Bytes), templates.Bytes(t.Stored))
	if left, known := t.Left(); known {
		words += ", " + templates.Span(left) + " left"
	}
	return words
}

func rows(n int64) string {
	if n == 1 {
		return "1 row"
	}
	return templates.Exact(n) + " rows"
}

// runRow is what lists and the page of an operation on backups say of it.
func (s *Server) runRow(c echo.Context, o operations.Operation) templates.RunRow {
	r := templates.RunRow{OperationRow: operationRow(o), Figures: runFigures(o), Error: text(o.Error)}
	if !o.Over() {
		r.Cancel, r.WhyNot = operationURL(o, "/cancel"), s.whyNoCancel(c, o)
	}
	return r
}

// runPage shows how far a backup, its verification or a restore is, and what came of it.
func (s *Server) runPage(c echo.Context, o operations.Operation) (frame, templ.Component, error) {
	a, t := catalog.AsksOf(o), catalog.ToldOf(o)
	v := templates.BackupRunView{
		RunRow: s.runRow(c, o), ID: o.ID.String(), As: o.AskedAs, From: text(o.AskedFrom), CanceledBy: text(o.CanceledBy), Started: o.StartedAt,
		Destination: a.Destination, Where: placeURL(a.Destination), Backup: firstOf(a.Name, t.Name), Queues: queueWords(a.Queues), Schedule: a.Schedule,
	}
	if v.Backup != "" && (o.State == operations.Done || o.Action != operations.Backup) {
		v.BackupHref = backupURL(a.Destination, v.Backup, "")
	}
	switch {
	case a.Load:
		v.Also = "loaded into a scratch schema too, and counted"
	case a.SettingsOnly:
		v.Also = "only the settings"
	case len(a.Replace) > 0:
		v.Also = "in place of " + strings.Join(a.Replace, ", ")
	case a.MaxRate > 0:
		v.Also = "at most " + templates.Bytes(a.MaxRate) + " a second"
	}
	for _, q := range t.Restored {
		v.Restored = append(v.Restored, templates.BackupPart{Name: q.As, Documents: q.Documents, There: !a.SettingsOnly})
	}
	if o.State == operations.Done {
		for _, w := range t.Objects {
			v.Objects = append(v.Objects, templates.BackupObject{Name: w.Name, SHA256: w.SHA256, Bytes: w.Bytes})
		}
	}
	v.Tiles = runTiles(o, t)
	return operationFrame(o, ""), templates.BackupRun(v), nil
}

func runTiles(o operations.Operation, t catalog.Told) []templates.Tile {
	took := time.Duration(t.Millis) * time.Millisecond
	tiles := []templates.Tile{
		{Word: "Rows", Value: templates.Number(t.Rows), Exact: templates.Exact(t.Rows)},
		{Word: "Read", Value: templates.Bytes(t.Bytes), Exact: templates.Exact(t.Bytes) + " bytes"},
		{Word: "Packed", Value: templates.Bytes(t.Stored), Exact: templates.Exact(t.Stored) + " bytes"},
		{Word: "Took", Value: templates.Span(took)},
	}
	if t.Total > t.Rows {
		tiles[0].Note = "of about " + templates.Number(t.Total)
	}
	if t.Stored > 0 && t.Bytes > 0 {
		tiles[2].Note = strconv.FormatFloat(float64(t.Bytes)/float64(t.Stored), 'f', 1, 64) + " : 1"
	}
	if t.Millis > 0 && t.Bytes > 0 {
		tiles[1].Note = templates.Bytes(int64(float64(t.Bytes)/took.Seconds())) + " a second"
	}
	if left, known := t.Left(); known && !o.Over() {
		tiles = append(tiles, templates.Tile{Word: "Left", Value: templates.Span(left)})
	}
	return tiles
}

// backupForm is the form of a backup that is asked for by hand.
type backupForm struct {
	destination, rate string
	queues            []string
	verify            bool
}

func (s *Server) newBackupPage(c echo.Context) error {
	return s.askBackup(c, http.StatusOK, backupForm{destination: c.QueryParam("destination")}, "", "")
}

func backupsFrame(word string) frame {
	return frame{title: word, section: "Backups", crumbs: []templates.Crumb{{Word: "Backups", Href: backupsURL}, {Word: word}}}
}

func (s *Server) askBackup(c echo.Context, status int, f backupForm, field, said string) error {
	place, err := s.placeInput(c, f.destination, at(field, "destination", said))
	if err != nil {
		return err
	}
	queues, err := s.queueChoices(c, f.queues, at(field, "queues", said))
	if err != nil {
		return err
	}
	v := templates.AskForm{
		Title: "Back up now", Action: backupsURL + "/run", Back: backupsURL, Button: "Back up", Wrong: besides(field, said, "destination", "queues", "max_rate"),
		Says:   []string{"All chosen queues are written as they are at one moment. They go on meanwhile, and so may you: the run survives a closed tab and a restart."},
		Inputs: []templates.Input{place, rateInput(f.rate, at(field, "max_rate", said))},
		Boxes:  []templates.Boxes{queues, verifyChoice(f.verify)},
	}
	if place.Options == nil {
		v.Wrong = "There is no destination yet. Make one first."
	}
	return s.dialog(c, status, backupsFrame("Back up now"), templates.Ask(v))
}

func rateInput(value, wrong string) templates.Input {
	return templates.Input{
		Name: "max_rate", Label: "MB a second at most", Value: value, Placeholder: "no limit", Max: 12, Autocomplete: "off", Wrong: wrong,
		Help: "How fast queues are read. Empty: as fast as it goes, which is felt where both cores are busy.",
	}
}

func verifyChoice(chosen bool) templates.Boxes {
	return templates.Boxes{Name: "verify", Legend: "When it is made", List: []templates.Box{
		{Value: "yes", Word: "Read it back", Note: "and hold it against its digests", Chosen: chosen},
	}}
}

// placeInput is the field that chooses a destination.
func (s *Server) placeInput(c echo.Context, value, wrong string) (templates.Input, error) {
	list, err := s.Catalog.Destinations(c.Request().Context())
	f := templates.Input{Name: "destination", Label: "To", Type: "select", Value: value, Wrong: wrong}
	for _, d := range list {
		f.Options = append(f.Options, templates.Option{Value: d.Name, Word: d.Name + ": " + d.URL})
	}
	return f, err
}

// queueChoices are boxes for all queues.
func (s *Server) queueChoices(c echo.Context, chosen []string, wrong string) (templates.Boxes, error) {
	list, err := s.board.summaries(c.Request().Context())
	v := templates.Boxes{Name: "queue", Legend: "Queues", Help: "None chosen: all of them.", Wrong: wrong}
	for _, q := range list {
		v.List = append(v.List, templates.Box{Value: q.Name, Word: q.Name, Note: templates.Number(total(q.Counts)) + " documents", Chosen: slices.Contains(chosen, q.Name)})
	}
	return v, err
}

// readRate reads megabytes a second; empty is 0.
func readRate(text string) (int64, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return 0, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f*1e6 < 1 || f > 1e6 {
		return 0, errs.Field("max_rate", "%.20q is no number of megabytes; one such as 20 is wanted", text)
	}
	return int64(f * 1e6), nil
}

func (s *Server) createBackup(c echo.Context) error {
	form, err := c.FormParams()
	if err != nil {
		return err
	}
	f := backupForm{destination: form.Get("destination"), rate: form.Get("max_rate"), queues: form["queue"], verify: form.Get("verify") != ""}
	o, err := s.runNow(c, f)
	if field, said, ok := wrongOrMissing(err); ok {
		return s.askBackup(c, http.StatusUnprocessableEntity, f, field, capitalized(said)+".")
	}
	if err != nil {
		return err
	}
	return s.done(c, operationURL(o, ""), "The backup is asked for.", nil)
}

func (s *Server) runNow(c echo.Context, f backupForm) (operations.Operation, error) {
	rate, err := readRate(f.rate)
	if err != nil {
		return operations.Operation{}, err
	}
	a := catalog.Asks{Destination: f.destination, Queues: f.queues, MaxRate: rate, Verify: f.verify}
	return s.Catalog.Run(c.Request().Context(), a, s.askedBy(c), catalog.Repeat{})
}

// wrongOrMissing is wrong, for forms that choose among things that may be gone, at places that may be away.
func wrongOrMissing(err error) (field, said string, ok bool) {
	if field, said, ok := wrong(err); ok {
		return field, said, ok
	}
	if code := errs.Of(err); code == errs.NotFound || code == errs.Unavailable || code == errs.Forbidden || code == errs.Unsupported {
		return fieldOf(err), messageOf(err), true
	}
	return "", "", false
}
