package queue

import (
	"encoding/json"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/wire"
)

// durations are the settings that are durations, at the top ("") and inside backoff and rate. They travel to SQL as text
// that Postgres reads; all else in a patch goes there as it is, and is checked there.
var durations = map[string]map[string]bool{
	"":        {"lock": true, "logs_retention": true, "completed_retention": true, "killed_retention": true, "series_retention": true},
	"backoff": {"base": true, "cap": true},
	"rate":    {"per": true},
}

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
	for _, name := range []string{"backoff", "rate"} {
		var inner map[string]json.RawMessage
		if json.Unmarshal(settings[name], &inner) != nil || inner == nil {
			continue // missing, null, or refused by SQL
		}
		if err := rewrite(inner, name); err != nil {
			return nil, err
		}
		text, err := json.Marshal(inner)
		if err != nil {
			return nil, err
		}
		settings[name] = text
	}
	return json.Marshal(settings)
}

func rewrite(settings map[string]json.RawMessage, inside string) error {
	for name := range durations[inside] {
		var text string
		if raw, given := settings[name]; !given || json.Unmarshal(raw, &text) != nil || text == "" {
			continue // missing, null, or refused by SQL
		}
		field := name
		if inside != "" {
			field = inside + "." + name
		}
		iv, err := wire.ParseInterval(text)
		if err != nil {
			return errs.Field(field, "%s", err.Error())
		}
		settings[name], err = json.Marshal(postgresText(iv))
		if err != nil {
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
}

// settingsColumns are the columns that targets wants, in its order.
const settingsColumns = `max_attempts, lock, backoff_kind, backoff_base, backoff_cap, backoff_jitter, max_active,
	rate_picks, rate_per, rate_burst, logs_retention, completed_retention, killed_retention, series_retention,
	partitions, tablespace`

func (r *settingsRow) targets() []any {
	return []any{
		&r.s.MaxAttempts, &r.lock, &r.s.Backoff.Kind, &r.base, &r.cap, &r.s.Backoff.Jitter, &r.s.MaxActive,
		&r.ratePicks, &r.ratePer, &r.rateBurst, &r.logs, &r.completed, &r.killed, &r.series, &r.s.Partitions, &r.s.Tablespace,
	}
}

func (r *settingsRow) settings() Settings {
	s := r.s
	s.Lock, s.Backoff.Base, s.Backoff.Cap = fromInterval(r.lock), fromInterval(r.base), fromInterval(r.cap)
	s.LogsRetention, s.CompletedRetention, s.KilledRetention = optionalInterval(r.logs), optionalInterval(r.completed), optionalInterval(r.killed)
	s.SeriesRetention = optionalInterval(r.series)
	if r.ratePicks != nil {
		s.Rate = &Rate{Picks: *r.ratePicks, Per: fromInterval(r.ratePer), Burst: value(r.rateBurst)}
	}
	return s
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
