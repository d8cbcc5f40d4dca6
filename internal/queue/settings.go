package queue

import (
	"encoding/json"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/wire"
)

// durations are the settings that are durations, at the top ("") and inside others. They travel to SQL as text
// that Postgres reads; all else in a patch goes there as it is, and is checked there.
var durations = map[string]map[string]bool{
	"":                {"lock": true, "logs_retention": true, "completed_retention": true, "killed_retention": true, "journal_retention": true, "series_retention": true},
	"backoff":         {"base": true, "cap": true},
	"rate":            {"per": true},
	"key_limits.rate": {"per": true},
}

// nested are the settings with settings inside, by where they stand.
var nested = map[string][]string{"": {"backoff", "rate", "key_limits"}, "key_limits": {"rate"}}

// sqlSettings rewrites the durations of a patch from the API's words to ISO 8601, which Postgres reads.
func sqlSettings(patch json.RawMessage) ([]byte, error) {
	if len(patch) == 0 {
		return []byte(`{}`), nil
	}
	var settings map[string]json.RawMessage
	if err := json.Unmarshal(patch, &settings); err != nil || settings == nil {
		return nil, errs.New(errs.Malformed, "an object of settings is wanted")
	}
	if err := rewrite(settings, ""); err != nil {
		return nil, err
	}
	return json.Marshal(settings)
}

// rewrite rewrites the durations of settings that stand at inside, and of those inside them.
func rewrite(settings map[string]json.RawMessage, inside string) (err error) {
	path := func(name string) string { return strings.TrimPrefix(inside+"."+name, ".") }
	for name := range durations[inside] {
		var text string
		if raw, given := settings[name]; !given || json.Unmarshal(raw, &text) != nil || text == "" {
			continue // missing, null, or refused by SQL
		}
		iv, err := wire.ParseInterval(text)
		if err != nil {
			return errs.Field(path(name), "%s", err.Error())
		}
		if settings[name], err = json.Marshal(postgresText(iv)); err != nil {
			return err
		}
	}
	for _, name := range nested[inside] {
		var inner map[string]json.RawMessage
		if json.Unmarshal(settings[name], &inner) != nil || inner == nil {
			continue // missing, null, or refused by SQL
		}
		if err := rewrite(inner, path(name)); err != nil {
			return err
		}
		if settings[name], err = json.Marshal(inner); err != nil {
			return err
		}
	}
	return nil
}

// postgresText writes an interval in the words that every setting of Postgres reads.
func postgresText(iv wire.Interval) string {
	text, _ := interval(iv).Value() // never fails for a valid interval
	s, _ := text.(string)
	return s
}

// settingsRow reads the settings of a row of fetchq.queues.
type settingsRow struct {
	s                                Settings
	lock, base, cap                  pgtype.Interval
	ratePer, logs, completed, killed pgtype.Interval
	series                           pgtype.Interval
	ratePicks, rateBurst             *int
	journal                          pgtype.Interval

	pauses                        []byte // pausesColumn
	key                           *Key
	keyRatePer                    pgtype.Interval
	keyActive, keyPicks, keyBurst *int
}

// settingsColumns are the columns that targets wants, in its order.
const settingsColumns = `max_attempts, lock, backoff_kind, backoff_base, backoff_cap, backoff_jitter, max_active,
	rate_picks, rate_per, rate_burst, logs_retention, completed_retention, killed_retention, series_retention, partitions, tablespace,
	key, key_max_active, key_rate_picks, key_rate_per, key_rate_burst, journal, journal_retention, logs_rows, payload_index,
	redact, viewer_payloads`

func (r *settingsRow) targets() []any {
	return []any{
		&r.s.MaxAttempts, &r.lock, &r.s.Backoff.Kind, &r.base, &r.cap, &r.s.Backoff.Jitter, &r.s.MaxActive,
		&r.ratePicks, &r.ratePer, &r.rateBurst, &r.logs, &r.completed, &r.killed, &r.series, &r.s.Partitions, &r.s.Tablespace,
		&r.key, &r.keyActive, &r.keyPicks, &r.keyRatePer, &r.keyBurst, &r.s.Journal, &r.journal, &r.s.LogsRows, &r.s.PayloadIndex,
		&r.s.Redact, &r.s.ViewerPayloads,
	}
}

func (r *settingsRow) settings() Settings {
	s := r.s
	s.Lock, s.Backoff.Base, s.Backoff.Cap = fromInterval(r.lock), fromInterval(r.base), fromInterval(r.cap)
	s.LogsRetention, s.CompletedRetention, s.KilledRetention = optionalInterval(r.logs), optionalInterval(r.completed), optionalInterval(r.killed)
	s.SeriesRetention = optionalInterval(r.series)
	s.JournalRetention = optionalInterval(r.journal)
	s.Rate = rate(r.ratePicks, r.ratePer, r.rateBurst)
	s.Key = r.key
	if limits := (KeyLimits{r.keyActive, rate(r.keyPicks, r.keyRatePer, r.keyBurst)}); limits != (KeyLimits{}) {
		s.KeyLimits = &limits
	}
	return s
}

// rate is nil where there are no picks.
func rate(picks *int, per pgtype.Interval, burst *int) *Rate {
	if picks == nil {
		return nil
	}
	return &Rate{Picks: *picks, Per: fromInterval(per), Burst: value(burst)}
}

func fromInterval(iv pgtype.Interval) wire.Interval {
	return wire.Interval{Months: iv.Months, Days: iv.Days, Micros: iv.Microseconds}
}

func optionalInterval(iv pgtype.Interval) *wire.Interval {
	if !iv.Valid {
		return nil
	}
	v := fromInterval(iv)
	return &v
}
