package api

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/fetchq/server/client"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
)

// What travels is the client's, what the engine takes is the engine's: this file leads from one to the other.

func clientTime(t time.Time) client.Time { return client.Time{Time: t} }

func optionalTime(t *time.Time) *client.Time {
	if t == nil {
		return nil
	}
	return &client.Time{Time: *t}
}

func optionalInterval(iv *wire.Interval) *string {
	if iv == nil {
		return nil
	}
	text := iv.String()
	return &text
}

func clientQueue(q queue.Queue) client.Queue {
	s := q.Settings
	out := client.Queue{
		Name: q.Name, CreatedAt: clientTime(q.CreatedAt), Paused: q.Paused, PauseReason: q.PauseReason, PausedUntil: optionalTime(q.PausedUntil),
		Settings: client.Settings{
			MaxAttempts: s.MaxAttempts, Lock: s.Lock.String(),
			Backoff:   client.Backoff{Kind: s.Backoff.Kind, Base: s.Backoff.Base.String(), Cap: s.Backoff.Cap.String(), Jitter: s.Backoff.Jitter},
			MaxActive: s.MaxActive, LogsRetention: optionalInterval(s.LogsRetention),
			CompletedRetention: optionalInterval(s.CompletedRetention), KilledRetention: optionalInterval(s.KilledRetention),
			SeriesRetention: optionalInterval(s.SeriesRetention), Partitions: s.Partitions, Tablespace: s.Tablespace,
		},
		Counts:      client.Counts(q.Counts),
		OldestDueAt: optionalTime(q.OldestDueAt), AsOf: clientTime(q.AsOf),
	}
	if s.Rate != nil {
		out.Settings.Rate = &client.Rate{Picks: s.Rate.Picks, Per: s.Rate.Per.String(), Burst: s.Rate.Burst}
	}
	return out
}

func clientDocument(d queue.Document) client.Document {
	out := client.Document{
		Subject: d.Subject, Queue: d.Queue, Status: d.Status.String(), Payload: d.Payload, Version: d.Version, Priority: d.Priority,
		Attempts: d.Attempts, Iterations: d.Iterations, NextIteration: clientTime(d.Next), CreatedAt: clientTime(d.CreatedAt),
		LastIteration: optionalTime(d.LastIteration), PickedAt: optionalTime(d.PickedAt), Worker: d.Worker,
	}
	if d.Status == queue.Active {
		out.LeaseExpiresAt = &client.Time{Time: d.Next}
	}
	return out
}

func clientLeased(d queue.Leased) client.Leased {
	return client.Leased{
		Subject: d.Subject, Payload: d.Payload, Version: d.Version, Priority: d.Priority, Attempts: d.Attempts, Iterations: d.Iterations,
		CreatedAt: clientTime(d.CreatedAt), LastIteration: optionalTime(d.LastIteration), Lease: d.Lease, LeaseExpiresAt: clientTime(d.ExpiresAt),
	}
}

func clientLog(l queue.Log) client.Log {
	out := client.Log{
		ID: l.ID, CreatedAt: clientTime(l.CreatedAt), Kind: l.Kind, Queue: l.Queue, Subject: l.Subject, Message: l.Message,
		RefID: l.RefID, Worker: l.Worker, Attempt: l.Attempt,
	}
	if l.Details != nil {
		out.Details = l.Details
	}
	return out
}

func clientResults(results []queue.Result) []client.Result {
	out := make([]client.Result, len(results))
	for i, r := range results {
		out[i] = client.Result{Subject: r.Subject, Outcome: r.Outcome, Detail: r.Detail}
	}
	return out
}

// each turns a list of one sort into one of another; an empty one stays a list.
func each[A, B any](list []A, f func(A) B) []B {
	out := make([]B, len(list))
	for i, v := range list {
		out[i] = f(v)
	}
	return out
}

// lockOf reads the time of a lease; "" is 0, the queue's own.
func lockOf(text string) (time.Duration, error) { return durationOf("lock", text) }

func durationOf(field, text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	iv, err := wire.ParseInterval(text)
	if err != nil {
		return 0, within(field, err)
	}
	d := iv.Approx()
	if d == 0 && field == "lock" {
		d = time.Nanosecond // below every limit, and not "the queue's own"
	}
	return d, nil
}

// dateOf reads a date; "" is none.
func dateOf(text string) (wire.Date, error) {
	if text == "" {
		return wire.Date{}, nil
	}
	d, err := wire.ParseDate(text)
	if err != nil {
		return wire.Date{}, within("next_iteration", err)
	}
	return d, nil
}

// within names the field of a refusal.
func within(field string, err error) error {
	return &errs.Error{Code: errs.Invalid, Field: field, Message: message(err)}
}

// message is what an error tells a person, without its field and cause.
func message(err error) string { return toProblem(err).Detail }

// document checks one document of a push. What is wrong with it is a detail of its own result, not of the call.
func document(p client.Push) (queue.Push, string) {
	d := queue.Push{Subject: p.Subject, Payload: p.Payload, Version: p.Version, Priority: p.Priority}
	if p.Subject != "" {
		if err := wire.CheckSubject(p.Subject); err != nil {
			return d, "subject " + message(err)
		}
	}
	if detail := badJSON("payload", p.Payload); detail != "" {
		return d, detail
	}
	next, err := dateOf(p.NextIteration)
	if err != nil {
		return d, "next_iteration: " + message(err)
	}
	d.Next = next
	return d, ""
}

// badJSON says why a document cannot be stored; "" where it can.
func badJSON(field string, b json.RawMessage) string {
	if len(b) > maxPayload {
		return fmt.Sprintf("%s has %d bytes; %d are allowed", field, len(b), maxPayload)
	}
	if b == nil {
		return ""
	}
	if err := wire.CheckJSON(b); err != nil {
		return field + ": " + message(err)
	}
	return ""
}

// resolution checks one item of a resolve; what is wrong with it is a detail of its own result.
func resolution(r client.Resolution) (queue.Resolution, string) {
	item := queue.Resolution{
		Subject: r.Subject, Lease: r.Lease, Action: r.Action, Payload: r.Payload, Priority: r.Priority, Version: r.Version,
		Message: r.Message, Details: r.Details, RefID: r.RefID, Retry: r.Retry, ToQueue: r.ToQueue, Then: r.Then,
	}
	for _, text := range []struct{ field, value string }{
		{"subject", r.Subject}, {"message", r.Message}, {"ref_id", r.RefID}, {"action", r.Action}, {"to_queue", r.ToQueue}, {"then", r.Then},
	} {
		if err := wire.CheckText(text.field, text.value, maxPayload); err != nil {
			return item, text.field + " " + message(err)
		}
	}
	if r.Subject == "" {
		return item, "subject is missing"
	}
	var detail string
	for _, detail = range []string{badJSON("payload", r.Payload), badJSON("details", r.Details)} {
		if detail != "" {
			return item, detail
		}
	}
	next, err := dateOf(r.NextIteration)
	if err != nil {
		return item, "next_iteration: " + message(err)
	}
	item.Next = next
	item.Metrics, detail = measures(r.Metrics)
	return item, detail
}

// sift calls act for the good ones of a batch and returns the results of all, in their order.
func sift[A, B any](items []A, check func(A) (B, string), subject func(A) string, act func([]B) ([]queue.Result, error)) ([]queue.Result, error) {
	results := make([]queue.Result, len(items))
	good := make([]B, 0, len(items))
	at := make([]int, 0, len(items))
	for i, item := range items {
		v, detail := check(item)
		if detail != "" {
			results[i] = queue.Result{Subject: subject(item), Outcome: client.OutcomeInvalid, Detail: detail}
			continue
		}
		good, at = append(good, v), append(at, i)
	}
	done, err := act(good)
	if err != nil {
		return nil, err
	}
	for i, r := range done {
		results[at[i]] = r
	}
	return results, nil
}
