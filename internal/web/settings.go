package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/audit"
	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
	"github.com/fetchq/server/web/templates"
)

// values are the settings of a queue as the fields of a form, by the names of the API; a part of one has a dot. key.of is payload, or
// what key.subject says.
type values map[string]string

// settingNames are the settings in the order of the form. Those made at creation only stand at the end.
var settingNames = []string{
	"max_attempts", "lock", "backoff.kind", "backoff.base", "backoff.cap", "backoff.jitter", "max_active", "rate.picks", "rate.per", "rate.burst",
	"key.of", "key.payload", "key.until", "key.nth", "key_limits.max_active", "key_limits.rate.picks", "key_limits.rate.per", "key_limits.rate.burst",
	"payload_index", "redact", "viewer_payloads", "journal", "journal_retention", "logs_retention", "logs_rows", "completed_retention", "killed_retention", "series_retention",
	"partitions", "tablespace",
}

// defaults are what a new queue has.
var defaults = values{
	"max_attempts": "5", "lock": "5m", "backoff.kind": "exponential", "backoff.base": "10s", "backoff.cap": "1h", "backoff.jitter": "0.2",
	"payload_index": "false", "viewer_payloads": "shown", "journal": "errors", "journal_retention": "30 days", "logs_retention": "30 days", "partitions": "1",
}

func valuesOf(s queue.Settings) values {
	v := values{
		"max_attempts": strconv.Itoa(s.MaxAttempts), "lock": s.Lock.String(),
		"backoff.kind": s.Backoff.Kind, "backoff.base": s.Backoff.Base.String(), "backoff.cap": s.Backoff.Cap.String(),
		"backoff.jitter":      strconv.FormatFloat(s.Backoff.Jitter, 'f', -1, 64),
		"journal":             s.Journal,
		"payload_index":       strconv.FormatBool(s.PayloadIndex),
		"redact":              strings.Join(s.Redact, "\n"),
		"viewer_payloads":     s.ViewerPayloads,
		"journal_retention":   retention(s.JournalRetention),
		"logs_retention":      retention(s.LogsRetention),
		"completed_retention": retention(s.CompletedRetention), "killed_retention": retention(s.KilledRetention), "series_retention": retention(s.SeriesRetention),
		"partitions": strconv.Itoa(s.Partitions), "tablespace": text(s.Tablespace),
	}
	if s.MaxActive != nil {
		v["max_active"] = strconv.Itoa(*s.MaxActive)
	}
	if s.LogsRows != nil {
		v["logs_rows"] = strconv.Itoa(*s.LogsRows)
	}
	v.setRate("rate", s.Rate)
	if k := s.Key; k != nil {
		v["key.of"], v["key.payload"], v["key.until"] = firstOf(k.Subject, "payload"), k.Payload, k.Until
		if k.Nth > 0 {
			v["key.nth"] = strconv.Itoa(k.Nth)
		}
	}
	if l := s.KeyLimits; l != nil {
		if l.MaxActive != nil {
			v["key_limits.max_active"] = strconv.Itoa(*l.MaxActive)
		}
		v.setRate("key_limits.rate", l.Rate)
	}
	return v
}

func (v values) setRate(name string, r *queue.Rate) {
	if r != nil {
		v[name+".picks"], v[name+".per"], v[name+".burst"] = strconv.Itoa(r.Picks), r.Per.String(), strconv.Itoa(r.Burst)
	}
}

// rate is a rate as the API takes it; nil: there is none. Errors: Invalid, with the field.
func (v values) rate(name string) (any, error) {
	if v[name+".picks"] == "" && v[name+".burst"] == "" {
		return nil, nil //nolint:nilnil // none is a value here
	}
	rate := map[string]any{"per": firstOf(v[name+".per"], "1s")} // what the empty field shows
	for _, part := range []string{"picks", "burst"} {
		n, err := parseWhole(name+"."+part, v[name+"."+part])
		if err != nil {
			return nil, err
		}
		if n != nil {
			rate[part] = n
		}
	}
	return rate, nil
}

// key is what the key of a document is, and the limits by it, as the API takes them. Errors: Invalid, with the field.
func (v values) key() (key, limits any, err error) {
	switch of := v["key.of"]; of {
	case "":
	case "payload":
		key = map[string]any{"payload": v["key.payload"]}
	default:
		k := map[string]any{"subject": of}
		if of == "prefix" {
			k["until"] = v["key.until"]
			n, err := parseWhole("key.nth", v["key.nth"])
			if err != nil {
				return nil, nil, err
			}
			if n != nil {
				k["nth"] = n
			}
		}
		key = k
	}
	active, err := parseWhole("key_limits.max_active", v["key_limits.max_active"])
	if err != nil {
		return nil, nil, err
	}
	rate, err := v.rate("key_limits.rate")
	if err != nil {
		return nil, nil, err
	}
	if active != nil || rate != nil {
		limits = map[string]any{"max_active": active, "rate": rate}
	}
	if limits != nil && key == nil {
		return nil, nil, errs.Field("key.of", "limits by key want a key")
	}
	return key, limits, nil
}

func retention(iv *wire.Interval) string {
	if iv == nil {
		return ""
	}
	return iv.String()
}

// formValues are the fields as they were sent.
func formValues(c echo.Context) values {
	v := values{}
	for _, name := range settingNames {
		v[name] = strings.TrimSpace(c.FormValue(name))
	}
	return v
}

// patch is the settings as the API takes them. Errors: Invalid, with the field.
func (v values) patch(creating bool) (json.RawMessage, error) {
	p := map[string]any{}
	backoff := map[string]any{"kind": v["backoff.kind"]}
	if v["backoff.kind"] != "none" {
		backoff["base"], backoff["cap"] = v["backoff.base"], v["backoff.cap"]
		jitter, err := strconv.ParseFloat(v["backoff.jitter"], 64)
		if err != nil {
			return nil, errs.Field("backoff.jitter", "%.40q is no number", v["backoff.jitter"])
		}
		backoff["jitter"] = jitter
	}
	p["backoff"], p["lock"] = backoff, v["lock"]
	if v["journal"] != "" {
		p["journal"] = v["journal"]
	}
	v.hidden(p)
	if v["payload_index"] != "" {
		p["payload_index"] = v["payload_index"] == "true"
	}
	for _, name := range []string{"journal_retention", "logs_retention", "completed_retention", "killed_retention", "series_retention"} {
		p[name] = orNull(v[name])
	}
	for _, name := range []string{"max_attempts", "max_active", "logs_rows"} {
		n, err := parseWhole(name, v[name])
		if err != nil {
			return nil, err
		}
		p[name] = n
	}
	if p["max_attempts"].(*int) == nil {
		return nil, errs.Field("max_attempts", "a whole number from 1 to 1000000 is wanted")
	}
	var err error
	if p["rate"], err = v.rate("rate"); err != nil {
		return nil, err
	}
	if p["key"], p["key_limits"], err = v.key(); err != nil {
		return nil, err
	}
	if creating {
		n, err := parseWhole("partitions", v["partitions"])
		if err != nil {
			return nil, err
		}
		if n != nil {
			p["partitions"] = n
		}
		p["tablespace"] = orNull(v["tablespace"])
	}
	return json.Marshal(p)
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// settingsFacts are the settings in words, for those who look.
func settingsFacts(s queue.Settings) []templates.Fact {
	backoff := s.Backoff.Kind
	switch s.Backoff.Kind {
	case "fixed":
		backoff = fmt.Sprintf("%s, ± %.0f %%", s.Backoff.Base, s.Backoff.Jitter*100)
	case "exponential":
		backoff = fmt.Sprintf("%s, doubling, at most %s, ± %.0f %%", s.Backoff.Base, s.Backoff.Cap, s.Backoff.Jitter*100)
	}
	limit := func(active *int, r *queue.Rate) (string, string) {
		most, rate := "no limit", "no limit"
		if active != nil {
			most = templates.Exact(int64(*active))
		}
		if r != nil {
			rate = fmt.Sprintf("%d each %s, %d at once", r.Picks, r.Per, r.Burst)
		}
		return most, rate
	}
	active, rate := limit(s.MaxActive, s.Rate)
	keep := func(iv *wire.Interval) string {
		if iv == nil {
			return "for ever"
		}
		return iv.String()
	}
	facts := []templates.Fact{
		{Word: "Attempts", Value: templates.Exact(int64(s.MaxAttempts))}, {Word: "Lease", Value: s.Lock.String()}, {Word: "Backoff", Value: backoff},
		{Word: "Active at once", Value: active}, {Word: "Rate", Value: rate},
		{Word: "Index of payloads", Value: map[bool]string{false: "off", true: "on"}[s.PayloadIndex]},
		{Word: "Hidden of payloads", Value: hiddenWords(s)},
		{Word: "Journal", Value: journalWords(s)}, {Word: "Log lines kept", Value: keep(s.LogsRetention)},
		{Word: "Completed kept", Value: keep(s.CompletedRetention)}, {Word: "Killed kept", Value: keep(s.KilledRetention)},
		{Word: "Partitions", Value: strconv.Itoa(s.Partitions)}, {Word: "Tablespace", Value: firstOf(text(s.Tablespace), "default")},
	}
	if s.Key != nil && s.KeyLimits != nil {
		active, rate := limit(s.KeyLimits.MaxActive, s.KeyLimits.Rate)
		facts = append(facts, templates.Fact{Word: "Key", Value: keyWords(*s.Key)}, templates.Fact{Word: "Active at once of a key", Value: active},
			templates.Fact{Word: "Rate of a key", Value: rate})
	}
	return facts
}

func journalWords(s queue.Settings) string {
	keep := "for ever"
	if s.JournalRetention != nil {
		keep = s.JournalRetention.String()
	}
	switch s.Journal {
	case queue.JournalAll:
		return "every transition, for " + strings.TrimPrefix(keep, "for ")
	case queue.JournalErrors:
		return "what failed and what admins did, for " + strings.TrimPrefix(keep, "for ")
	}
	return "off"
}

func keyWords(k queue.Key) string {
	switch {
	case k.Payload != "":
		return k.Payload + " in the payload"
	case k.Subject == "host":
		return "the host of the subject"
	}
	return fmt.Sprintf("the subject up to %q no. %d", k.Until, k.Nth)
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (s *Server) settingsPage(c echo.Context) error {
	q, err := s.Engine.Get(c.Request().Context(), c.Param("queue"))
	if err != nil {
		return err
	}
	return s.showSettings(c, http.StatusOK, q, valuesOf(q.Settings), "", "")
}

func (s *Server) showSettings(c echo.Context, status int, q queue.Queue, v values, field, wrong string) error {
	view := templates.SettingsView{
		Head: s.queueHead(c, q, "Settings"), Inputs: templates.SettingInputs(v, defaults, field, wrong, false), Facts: settingsFacts(q.Settings),
		MayManage: may(c, auth.Manage), Wrong: elsewhere(field, wrong), Move: moveWords(q),
	}
	f := queueFrame(q.Name, "Settings")
	f.live = false // a form must not change under somebody's hands
	return s.pageAt(c, status, f, templates.Settings(view))
}

// elsewhere is what was wrong with a form where it is not about a field that the form has.
func elsewhere(field, wrong string) string {
	for _, name := range settingNames {
		if name == field {
			return ""
		}
	}
	if field == "queue" {
		return ""
	}
	return wrong
}

func (s *Server) saveSettings(c echo.Context) error {
	ctx, name := c.Request().Context(), c.Param("queue")
	v := formValues(c)
	patch, err := v.patch(false)
	if err == nil {
		err = s.patch(ctx, name, patch)
	}
	if err == nil {
		return s.done(c, queueURL(name, "settings"), "Saved the settings of "+name+".", nil)
	}
	field, said, ok := wrong(err)
	if !ok {
		return err
	}
	q, err := s.Engine.Get(ctx, name)
	if err != nil {
		return err
	}
	return s.showSettings(c, http.StatusUnprocessableEntity, q, v, field, said)
}

// patch changes settings, and tells the audit log which.
func (s *Server) patch(ctx context.Context, name string, patch json.RawMessage) error {
	was, err := s.Engine.Get(ctx, name)
	if err != nil {
		return err
	}
	is, err := s.Engine.Patch(ctx, name, patch)
	if err == nil {
		audit.From(ctx).Note("settings", audit.Changes(valuesOf(was.Settings), valuesOf(is.Settings)))
	}
	return err
}

var newQueueFrame = frame{title: "New queue", section: "Queues", crumbs: []templates.Crumb{{Word: "Queues", Href: "/queues"}, {Word: "New"}}}

func (s *Server) newQueuePage(c echo.Context) error {
	return s.dialog(c, http.StatusOK, newQueueFrame, templates.NewQueue(templates.NewQueueView{
		Inputs: templates.SettingInputs(defaults, defaults, "", "", true),
	}))
}

func (s *Server) createQueue(c echo.Context) error {
	name, v := strings.TrimSpace(c.FormValue("name")), formValues(c)
	patch, err := v.patch(true)
	if err == nil {
		err = s.create(c, name, patch)
	}
	if err == nil {
		return s.done(c, queueURL(name), "Made the queue "+name+".", nil)
	}
	field, said, ok := wrong(err)
	if !ok {
		return err
	}
	return s.dialog(c, http.StatusUnprocessableEntity, newQueueFrame, templates.NewQueue(templates.NewQueueView{
		Name: name, WrongName: at(field, "queue", said), Wrong: elsewhere(field, said), Inputs: templates.SettingInputs(v, defaults, field, said, true),
	}))
}

// create makes a queue; one that exists is an error here.
func (s *Server) create(c echo.Context, name string, patch json.RawMessage) error {
	ctx := c.Request().Context()
	if _, err := s.Engine.Get(ctx, name); err == nil {
		return &errs.Error{Code: errs.Exists, Field: "queue", Message: "a queue of this name exists"}
	}
	_, _, err := s.Engine.Put(ctx, name, patch)
	return err
}
