package queue

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/wire"
)

// ReadPush reads a document that stands in a line of NDJSON. What is wrong with it is told in words; "" is nothing. The
// document points into the line.
func ReadPush(line []byte) (Push, string) {
	var doc struct {
		Subject       string          `json:"subject"`
		Payload       json.RawMessage `json:"payload"`
		Version       *int            `json:"version"`
		Priority      *int            `json:"priority"`
		NextIteration string          `json:"next_iteration"`
	}
	if err := wire.Decode(line, &doc); err != nil {
		var e *errs.Error
		if errors.As(err, &e) && e.Field != "" {
			return Push{}, e.Field + " " + e.Message
		}
		return Push{}, words(err)
	}
	return NewPush(doc.Subject, doc.Payload, doc.Version, doc.Priority, doc.NextIteration)
}

// NewPush checks the text of a document's fields; "" and nil stand for those that are not given. What is wrong is told in
// words that begin with the field; "" is nothing.
func NewPush(subject string, payload []byte, version, priority *int, next string) (Push, string) {
	d := Push{Subject: subject, Payload: payload, Version: version, Priority: priority}
	if subject != "" {
		if err := wire.CheckSubject(subject); err != nil {
			return d, "subject " + words(err)
		}
	}
	if detail := BadJSON("payload", payload); detail != "" {
		return d, detail
	}
	if next == "" {
		return d, ""
	}
	date, err := wire.ParseDate(next)
	if err != nil {
		return d, "next_iteration: " + words(err)
	}
	d.Next = date
	return d, ""
}

// BadJSON says why a value cannot be stored as jsonb, in words that begin with its field; "" where it can. Nil can.
func BadJSON(field string, b []byte) string {
	if len(b) > wire.MaxPayload {
		return fmt.Sprintf("%s has %d bytes; %d are allowed", field, len(b), wire.MaxPayload)
	}
	if b == nil {
		return ""
	}
	if err := wire.CheckJSON(b); err != nil {
		return field + ": " + words(err)
	}
	return ""
}

// words is what an error of package wire tells a person, without its field.
func words(err error) string {
	var e *errs.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return err.Error()
}
