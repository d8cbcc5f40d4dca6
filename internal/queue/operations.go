package queue

import (
	"context"
	"time"
)

// What package operations shares with the engine: it changes documents by functions of its own.

// Arrays returns the columns of documents as fetchq.doc_append_many takes them: subjects, payloads, versions, priorities, dates
// and delays.
func Arrays(docs []Push) []any {
	subjects, payloads, c := pushed(own(context.Background(), docs))
	return []any{subjects, payloads, c.versions, c.priorities, c.dates, c.delays}
}

// Made is what became pending: so many documents of one version and priority, and the lowest date among them.
type Made struct {
	Version, Priority int
	Date              time.Time
	Count             int
}

// Note takes in what became pending in a queue by other calls than the engine's own, so that its picks find it at once and those
// who wait for it are woken, here and on other nodes.
func (e *Engine) Note(queue string, made []Made) {
	list := make([]pending, len(made))
	for i, m := range made {
		list[i] = pending{m.Version, m.Priority, m.Date, m.Count}
	}
	e.note(queue, list)
}

// Spoiled says whether a statement failed on its data, as Postgres read them.
func Spoiled(err error) bool { return spoiled(err) }

// OperationsAsked holds one value when a node, this one or another, was asked for an operation since it was read last. Without
// Start nothing is heard.
func (e *Engine) OperationsAsked() <-chan struct{} { return e.peers.operations }
