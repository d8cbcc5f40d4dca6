package web

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/catalog"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/web/templates"
)

const schedulesTab = backupsURL + "?tab=schedules"

func (s *Server) scheduleRoutes() {
	s.whole(http.MethodGet, "/backups/schedules/new", auth.Backup, s.newSchedulePage)
	s.whole(http.MethodPost, "/backups/schedules/new", auth.Backup, s.createSchedule)
	s.whole(http.MethodGet, "/backups/schedules/:name/edit", auth.Backup, s.editSchedulePage)
	s.whole(http.MethodPost, "/backups/schedules/:name/edit", auth.Backup, s.editSchedule)
	s.whole(http.MethodGet, "/backups/schedules/:name/delete", auth.Backup, s.deleteSchedulePage)
	s.whole(http.MethodPost, "/backups/schedules/:name/delete", auth.Backup, s.deleteSchedule)
	s.whole(http.MethodPost, "/backups/schedules/:name/run", auth.Backup, s.runSchedule)
}

func (s *Server) fillSchedules(c echo.Context, v *templates.BackupsView) error {
	list, err := s.Catalog.Schedules(c.Request().Context())
	for _, k := range list {
		below := backupsURL + "/schedules/" + url.PathEscape(k.Name)
		row := templates.ScheduleRow{
			Name: k.Name, Cron: k.Cron, Zone: k.Zone, Destination: k.Destination, Queues: queueWords(k.Queues), Problem: text(k.Error), Next: k.NextRun, Good: k.GoodAt,
			Paused: k.Paused, Verify: k.Verify, Run: below + "/run", Edit: below + "/edit", Delete: below + "/delete",
		}
		if next := k.Next(1 + laterRuns); len(next) > 1 {
			row.Later = next[1:]
		}
		v.Schedules = append(v.Schedules, row)
	}
	return err
}

// scheduleForm is the form of a schedule as it was sent.
type scheduleForm struct {
	backupForm
	name, cron, zone string
	paused           bool
}

func (s *Server) newSchedulePage(c echo.Context) error {
	return s.askSchedule(c, http.StatusOK, scheduleForm{cron: "30 2 * * *", zone: "UTC", backupForm: backupForm{verify: true}}, true, "", "")
}

func (s *Server) askSchedule(c echo.Context, status int, f scheduleForm, fresh bool, field, said string) error {
	place, err := s.placeInput(c, f.destination, at(field, "destination", said))
	if err != nil {
		return err
	}
	queues, err := s.queueChoices(c, f.queues, at(field, "queues", said))
	if err != nil {
		return err
	}
	queues.Help = "None chosen: all that there are when it runs."
	v := templates.AskForm{
		Title: "New schedule", Action: backupsURL + "/schedules/new", Back: schedulesTab, Button: "Make the schedule",
		Wrong: besides(field, said, "name", "destination", "queues", "cron", "zone", "max_rate"),
		Boxes: []templates.Boxes{queues, verifyChoice(f.verify), {Name: "paused", Legend: "For now", List: []templates.Box{{Value: "yes", Word: "Paused", Note: "no run begins by itself", Chosen: f.paused}}}},
	}
	if fresh {
		v.Inputs = append(v.Inputs, templates.Input{
			Name: "name", Label: "Name", Value: f.name, Required: true, Autofocus: true, Max: 40, Autocomplete: "off", Placeholder: "nightly", Wrong: at(field, "name", said),
			Help: "1 to 40 of a-z, 0-9, - and _, beginning with a letter.",
		})
	} else {
		v.Title, v.Action, v.Button = "The schedule "+f.name, backupsURL+"/schedules/"+f.name+"/edit", "Save"
	}
	v.Inputs = append(v.Inputs,
		templates.Input{
			Name: "cron", Label: "When", Value: f.cron, Required: true, Max: 100, Autocomplete: "off", Wrong: at(field, "cron", said),
			Help: "Minute, hour, day of the month, month and weekday, as in 30 2 * * * for every night at half past two; or @hourly, @daily, @weekly, @monthly.",
		},
		templates.Input{Name: "zone", Label: "Time zone", Value: f.zone, Required: true, Max: 64, Autocomplete: "off", Wrong: at(field, "zone", said), Help: "As in Europe/Berlin, or UTC."},
		place, rateInput(f.rate, at(field, "max_rate", said)))
	return s.dialog(c, status, backupsFrame(v.Title), templates.Ask(v))
}

func readScheduleForm(c echo.Context) (f scheduleForm, err error) {
	form, err := c.FormParams()
	f = scheduleForm{
		name: strings.TrimSpace(form.Get("name")), cron: strings.TrimSpace(form.Get("cron")), zone: strings.TrimSpace(form.Get("zone")), paused: form.Get("paused") != "",
		backupForm: backupForm{destination: form.Get("destination"), rate: form.Get("max_rate"), queues: form["queue"], verify: form.Get("verify") != ""},
	}
	return f, err
}

func (s *Server) createSchedule(c echo.Context) error {
	f, err := readScheduleForm(c)
	if err != nil {
		return err
	}
	_, err = s.Catalog.Schedule(c.Request().Context(), f.name)
	if err == nil {
		return s.askSchedule(c, http.StatusUnprocessableEntity, f, true, "name", "There is a schedule of this name.")
	}
	if errs.Of(err) != errs.NotFound {
		return err
	}
	return s.keepSchedule(c, f, true)
}

func (s *Server) keepSchedule(c echo.Context, f scheduleForm, fresh bool) error {
	rate, err := readRate(f.rate)
	if err == nil {
		me, _ := userOf(c)
		_, err = s.Catalog.PutSchedule(c.Request().Context(), catalog.Schedule{
			Name: f.name, Destination: f.destination, Queues: f.queues, Cron: f.cron, Zone: f.zone, Verify: f.verify, MaxRate: rate, Paused: f.paused,
		}, me.Email)
	}
	if field, said, ok := wrongOrMissing(err); ok {
		return s.askSchedule(c, http.StatusUnprocessableEntity, f, fresh, field, capitalized(said)+".")
	}
	if err != nil {
		return err
	}
	return s.done(c, schedulesTab, "Saved the schedule "+f.name+".", nil)
}

func (s *Server) editSchedulePage(c echo.Context) error {
	k, err := s.Catalog.Schedule(c.Request().Context(), c.Param("name"))
	if err != nil {
		return err
	}
	f := scheduleForm{name: k.Name, cron: k.Cron, zone: k.Zone, paused: k.Paused, backupForm: backupForm{destination: k.Destination, queues: k.Queues, verify: k.Verify}}
	if k.MaxRate > 0 {
		f.rate = strconv.FormatFloat(float64(k.MaxRate)/1e6, 'f', -1, 64)
	}
	return s.askSchedule(c, http.StatusOK, f, false, "", "")
}

func (s *Server) editSchedule(c echo.Context) error {
	k, err := s.Catalog.Schedule(c.Request().Context(), c.Param("name"))
	if err != nil {
		return err
	}
	f, err := readScheduleForm(c)
	if err != nil {
		return err
	}
	f.name = k.Name
	return s.keepSchedule(c, f, false)
}

func (s *Server) deleteSchedulePage(c echo.Context) error {
	k, err := s.Catalog.Schedule(c.Request().Context(), c.Param("name"))
	if err != nil {
		return err
	}
	return s.dialog(c, http.StatusOK, backupsFrame("Delete"), templates.ConfirmForm(templates.Confirm{
		Title: "Delete the schedule " + k.Name, Action: backupsURL + "/schedules/" + url.PathEscape(k.Name) + "/delete", Back: schedulesTab, Button: "Delete", Danger: true,
		Says: []string{"No backup is made by it any more. Those that it made stay, until the retention of " + k.Destination + " removes them."},
	}))
}

func (s *Server) deleteSchedule(c echo.Context) error {
	if err := s.Catalog.DeleteSchedule(c.Request().Context(), c.Param("name")); err != nil {
		return err
	}
	return s.done(c, schedulesTab, "Deleted the schedule "+c.Param("name")+".", nil)
}

// runSchedule asks now for what the schedule would ask for. Its own runs come as they would.
func (s *Server) runSchedule(c echo.Context) error {
	ctx := c.Request().Context()
	k, err := s.Catalog.Schedule(ctx, c.Param("name"))
	if err != nil {
		return err
	}
	o, err := s.Catalog.Run(ctx, catalog.Asks{Destination: k.Destination, Queues: k.Queues, MaxRate: k.MaxRate, Verify: k.Verify}, s.askedBy(c), catalog.Repeat{})
	if _, said, ok := wrongOrMissing(err); ok {
		return s.done(c, schedulesTab, "It cannot be asked for: "+said+".", nil)
	}
	if err != nil {
		return err
	}
	return s.done(c, operationURL(o, ""), "The backup is asked for.", nil)
}
