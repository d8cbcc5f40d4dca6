package client

import (
	"encoding/json"
	"strings"
	"time"
)

// Complete says that the document is finished.
func Complete() Resolution { return Resolution{Action: ActionComplete} }

// Reschedule says that the work is done and comes again at a date: RFC 3339 or relative ("+2 days"), as in a push.
func Reschedule(when string) Resolution {
	return Resolution{Action: ActionReschedule, NextIteration: when}
}

// RescheduleAt is Reschedule at a moment.
func RescheduleAt(when time.Time) Resolution { return Reschedule(when.UTC().Format(timeLayout)) }

// Reject says that the work failed. The document comes back after the queue's backoff, or is killed when it has used up
// its attempts; err becomes a line of its log.
func Reject(err error) Resolution { return Resolution{Action: ActionReject, Message: message(err)} }

// RejectForGood says that the work failed and another try would fail too: the document is killed.
func RejectForGood(err error) Resolution {
	retry := false
	r := Reject(err)
	r.Retry = &retry
	return r
}

// Kill sets the document aside; why becomes a note in its log.
func Kill(why string) Resolution { return Resolution{Action: ActionKill, Message: why} }

// Drop removes the document.
func Drop() Resolution { return Resolution{Action: ActionDrop} }

// Forward pushes the document to another queue, where its subject is left alone if it stands there, and completes it
// here, in one transaction.
func Forward(queue string) Resolution { return Resolution{Action: ActionForward, ToQueue: queue} }

// WithPayload returns the resolution with a payload that replaces the document's.
func (r Resolution) WithPayload(payload json.RawMessage) Resolution {
	r.Payload = payload
	return r
}

// WithMessage returns the resolution with a line for the document's log: an error for a reject, else a note.
func (r Resolution) WithMessage(text string) Resolution {
	r.Message = text
	return r
}

// WithPriority returns the resolution with a priority for what comes after it.
func (r Resolution) WithPriority(priority int) Resolution {
	r.Priority = &priority
	return r
}

// maxMessage keeps an error that quotes what it stumbled over from filling the log, in bytes.
const maxMessage = 8_000

// message returns the text of an error as a log takes it.
func message(err error) string {
	if err == nil || err.Error() == "" {
		return "failed without a message"
	}
	text := strings.ReplaceAll(err.Error(), "\x00", "\ufffd")
	if len(text) > maxMessage {
		text = text[:maxMessage] + "…"
	}
	return strings.ToValidUTF8(text, "\ufffd")
}
