package queue

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/wire"
)

// Limits of a search.
const (
	MaxHits     = 50    // that one search returns
	MaxSearched = 1_000 // queues that it visits
)

// Hit is a document that a search has found.
type Hit struct {
	Queue, Subject string
	Status         Status
	Exact          bool // its subject is the text that was looked for, and not only begins with it
}

// SearchSubjects finds documents whose subject is text or begins with it, in all queues or in those of only (nil: all). The exact
// ones of all queues come first, then the others, both in the order of queue and subject, up to limit (1 to MaxHits). It visits
// MaxSearched queues, the first by name, and reads a small range of the primary key of each, however many documents there are.
// Errors: Invalid (text: 1 to MaxSubject bytes; limit).
func (e *Engine) SearchSubjects(ctx context.Context, text string, only []string, limit int) ([]Hit, error) {
	if text == "" {
		return nil, errs.Field("text", "is empty; a search wants 1 to %d bytes", MaxSubject)
	}
	if err := wire.CheckText("text", text, MaxSubject); err != nil {
		return nil, err
	}
	if limit < 1 || limit > MaxHits {
		return nil, errs.Field("limit", "limit is %d; 1 to %d are allowed", limit, MaxHits)
	}
	only, err := e.Only(ctx, only)
	if err != nil {
		return nil, err
	}
	var end *string
	if v, open := prefixEnd(text); !open {
		end = &v
	}
	return query(ctx, e, "search subjects", pgx.RowToStructByPos[Hit],
		`select queue, subject, status, exact from fetchq.subject_search($1, $2, $3, $4, $5)`, text, end, only, limit, MaxSearched)
}
