package queue

import (
	"encoding/json"
	"fmt"
	"time"
)

// PauseKind says what a pause stops beside the handing out of documents.
type PauseKind string

// The two kinds.
const (
	Drain  PauseKind = "drain"   // nothing: what is held is worked on to its end
	AtOnce PauseKind = "at_once" // live leases end, and the documents are pending again without an attempt
)

// Pause is why a queue, or one payload version of it, hands out nothing at present.
type Pause struct {
	Version *int       `json:"version"` // nil: all of the queue
	Kind    PauseKind  `json:"kind"`
	Reason  *string    `json:"reason"`
	Until   *time.Time `json:"until"` // nil: until it is resumed
}

// pausesColumn is the pauses of a row q of fetchq.queues as JSON, that of the whole queue first; null: there are none.
const pausesColumn = `(select jsonb_agg(p) from fetchq.pauses(q, clock_timestamp()) p)`

// readPauses reads pausesColumn.
func readPauses(text []byte) (pauses []Pause, err error) {
	if text == nil {
		return nil, nil
	}
	if err := json.Unmarshal(text, &pauses); err != nil {
		return nil, fmt.Errorf("read the pauses of a queue: %w", err)
	}
	return pauses, nil
}

// pauseOf returns the pause that a version stands under: the queue's, or its own. nil: none.
func pauseOf(pauses []Pause, version int) *Pause {
	for i, p := range pauses {
		if p.Version == nil || *p.Version == version {
			return &pauses[i]
		}
	}
	return nil
}
