package audit

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/fetchq/server/internal/database"
)

// Entry is a line that is to be written. What is empty is taken from the trail.
type Entry struct {
	Actor     Actor
	Action    Action
	Target    string // a queue, a person's address, the name of a token, an operation's id
	Refused   string // the code of the refusal; "": it was done
	Times     int    // 0: once
	Address   string
	RequestID string
	Details   map[string]any
}

// Limits of a line, in bytes; what is longer is cut.
const (
	maxName    = 300
	maxShort   = 100
	maxDetails = 8000
)

// execer is a pool or a transaction.
type execer interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// Write writes a line of what is done, in the transaction that does it: either both stand, or neither.
func Write(ctx context.Context, tx execer, e Entry) error {
	t := From(ctx)
	if err := insert(ctx, tx, t.fill(e)); err != nil {
		return err
	}
	t.setWritten()
	return nil
}

func insert(ctx context.Context, db execer, e Entry) error {
	outcome := "done"
	if e.Refused != "" {
		outcome = "refused"
	}
	_, err := db.Exec(ctx, `insert into fetchq_audit.lines (actor_kind, actor, action, target, outcome, code, times, address, request_id, details)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		e.Actor.Kind, clean(e.Actor.Name, maxName), e.Action, clean(e.Target, maxName), outcome, e.Refused, max(e.Times, 1),
		clean(e.Address, maxShort), clean(e.RequestID, maxShort), details(e.Details))
	return database.Error("write a line of the audit log", err)
}

// clean makes a text that stands in one line and is not too long.
func clean(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return '�'
		}
		return r
	}, text)
	if len(text) <= most {
		return text
	}
	end := most - len("…")
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}

// details is the JSON of a line's details. What is too long is left out, and the line says that it was: the line itself is written.
func details(all map[string]any) json.RawMessage {
	if len(all) == 0 {
		return json.RawMessage(`{}`)
	}
	text, err := json.Marshal(all)
	// As jsonb writes it there is a space behind each : and ,.
	if err == nil && len(text)+strings.Count(string(text), ",")+strings.Count(string(text), ":") <= maxDetails && !strings.Contains(string(text), `\u0000`) {
		return text
	}
	kept := map[string]any{"left_out": "the details are too long"}
	for name, value := range all {
		switch v := value.(type) {
		case string:
			kept[name] = clean(v, maxShort)
		case bool, int, int64, *int64:
			kept[name] = v
		}
	}
	text, err = json.Marshal(kept)
	if err != nil || len(text) > maxDetails/2 {
		return json.RawMessage(`{"left_out": "the details are too long"}`)
	}
	return text
}

// Changes are the settings that differ between two values of one type, each with what it was and what it is, as they are in JSON.
func Changes(was, is any) map[string]any {
	before, after := members(was), members(is)
	changed := map[string]any{}
	for name, value := range after {
		if string(before[name]) != string(value) {
			changed[name] = map[string]json.RawMessage{"was": cmpRaw(before[name]), "is": value}
		}
	}
	for name, value := range before {
		if _, still := after[name]; !still {
			changed[name] = map[string]json.RawMessage{"was": value, "is": json.RawMessage("null")}
		}
	}
	return changed
}

func members(v any) (m map[string]json.RawMessage) {
	text, err := json.Marshal(v)
	if err == nil {
		_ = json.Unmarshal(text, &m) // what is no object has no members
	}
	return m
}

func cmpRaw(v json.RawMessage) json.RawMessage {
	return json.RawMessage(cmp.Or(string(v), "null"))
}
