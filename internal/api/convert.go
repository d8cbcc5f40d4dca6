package api

import (
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

// dateText is a date in the words of a request; "" is none.
func dateText(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
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
		Pauses: []client.Pause{},
		Settings: client.Settings{
			MaxAttempts: s.MaxAttempts, Lock: s.Lock.String(),
			Backoff:   client.Backoff{Kind: s.Backoff.Kind, Base: s.Backoff.Base.String(), Cap: s.Backoff.Cap.String(), Jitter: s.Backoff.Jitter},
			MaxActive: s.MaxActive, Rate: clientRate(s.Rate), LogsRetention: optionalInterval(s.LogsRetention), LogsRows: s.LogsRows,
			Redact: append([]string{}, s.Redact...), ViewerPayloads: s.ViewerPayloads,
			PayloadIndex: s.PayloadIndex, Journal: s.Journal, JournalRetention: optionalInterval(s.JournalRetention),
			CompletedRetention: optionalInterval(s.CompletedRetention), KilledRetention: optionalInterval(s.KilledRetention),
			SeriesRetention: optionalInterval(s.SeriesRetention), Partitions: s.Partitions, Tablespace: s.Tablespace,
		},
		Counts:      client.Counts(q.Counts),
		OldestDueAt: optionalTime(q.OldestDueAt), AsOf: clientTime(q.AsOf),
	}
	if s.Key != nil {
		out.Settings.Key = &client.Key{Payload: s.Key.Payload, Subject: s.Key.Subject, Until: s.Key.Until, Nth: s.Key.Nth}
	}
	if l := s.KeyLimits; l != nil {
		out.Settings.KeyLimits = &client.KeyLimits{MaxActive: l.MaxActive, Rate: clientRate(l.Rate)}
	}
	if s.Key != nil && s.KeyLimits != nil {
		out.KeyIndex = new(map[bool]string{false: "building", true: "ready"}[q.KeysReady])
	}
	if m := q.Move; m != nil {
		out.Move = &client.Move{BeganAt: clientTime(m.BeganAt), Relations: m.Relations, Bytes: m.Bytes, Halt: m.Halt}
	}
	for _, p := range q.Pauses {
		if p.Version == nil {
			out.PauseKind = new(string(p.Kind))
		} else {
			out.Pauses = append(out.Pauses, *clientPause(&p))
		}
	}
	return out
}

func clientRate(r *queue.Rate) *client.Rate {
	if r == nil {
		return nil
	}
	return &client.Rate{Picks: r.Picks, Per: r.Per.String(), Burst: r.Burst}
}

// clientPause is a pause of one version; nil where there is none.
func clientPause(p *queue.Pause) *client.Pause {
	if p == nil {
		return nil
	}
	return &client.Pause{Version: *p.Version, Kind: string(p.Kind), Reason: p.Reason, Until: optionalTime(p.Until)}
}

// clientControl is what an answer tells a worker beside it.
func clientControl(t queue.Told) client.Control {
	p := t.Pause
	if p == nil {
		return client.Control{Quiet: t.Quiet}
	}
	return client.Control{Paused: true, Kind: string(p.Kind), Reason: p.Reason, Until: optionalTime(p.Until), Quiet: t.Quiet}
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
	if r := d.Requeue; r != nil {
		out.Requeue = &client.Requeue{NextIteration: clientTime(r.Next), Payload: r.Payload, Version: r.Version, Priority: r.Priority}
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
		RefID: l.RefID, Worker: l.Worker, Attempt: l.Attempt, Fingerprint: l.Fingerprint,
	}
	if l.Details != nil {
		out.Details = l.Details
	}
	return out
}

func clientTransition(t queue.Transition) client.Transition {
	out := client.Transition{
		ID: t.ID, At: clientTime(t.At), Queue: t.Queue, Subject: t.Subject, Action: t.Action, Admin: t.Admin, Attempt: t.Attempt, Lease: t.Lease,
		NextIteration: optionalTime(t.Next), WaitMS: milliseconds(t.Wait), WorkMS: milliseconds(t.Work), Worker: t.Worker, By: t.By,
	}
	for _, s := range []struct {
		from *queue.Status
		to   **string
	}{{t.From, &out.From}, {t.To, &out.To}} {
		if s.from != nil {
			word := s.from.String()
			*s.to = &word
		}
	}
	return out
}

func milliseconds(d *time.Duration) *float64 {
	if d == nil {
		return nil
	}
	ms := float64(d.Microseconds()) / 1000
	return &ms
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
	return queue.NewPush(p.Subject, p.Payload, p.Version, p.Priority, p.NextIteration)
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
	for _, detail = range []string{queue.BadJSON("payload", r.Payload), queue.BadJSON("details", r.Details)} {
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
