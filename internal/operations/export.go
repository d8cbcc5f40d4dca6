package operations

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
)

// ExportRequest says which documents of a queue are written, and how.
type ExportRequest struct {
	Queue  string
	Filter queue.DocFilter
	Format string // NDJSON or CSV
	Bare   bool   // only what an import takes: subject, payload, version, priority and date
}

// exported is a document as a line of NDJSON.
type exported struct {
	Subject       string          `json:"subject"`
	Status        string          `json:"status,omitempty"`
	Payload       json.RawMessage `json:"payload"`
	Version       int             `json:"version"`
	Priority      int             `json:"priority"`
	Attempts      *int            `json:"attempts,omitempty"`
	Iterations    *int            `json:"iterations,omitempty"`
	NextIteration string          `json:"next_iteration"`
	CreatedAt     string          `json:"created_at,omitempty"`
	LastIteration string          `json:"last_iteration,omitempty"`
	PickedAt      string          `json:"picked_at,omitempty"`
	Worker        *string         `json:"worker,omitempty"`
}

// exportColumns are those of CSV; the bare ones are plainColumns, in another order.
var (
	exportColumns = []string{"subject", "status", "payload", "version", "priority", "attempts", "iterations", "next_iteration", "created_at", "last_iteration", "picked_at", "worker"}
	bareColumns   = []string{"subject", "payload", "version", "priority", "next_iteration"}
)

// Export writes the documents that fit a filter, one a line, as fast as w takes them. It keeps 1,000 documents in memory at most, of large ones
// 16 MiB, and holds no snapshot; see queue.Engine.Export. flush is called behind each page. Errors: NotFound, Invalid before anything is written;
// later ones leave a part behind.
func (s *Service) Export(ctx context.Context, r ExportRequest, w io.Writer, flush func() error) error {
	var lines bytes.Buffer
	var write func(queue.Document) error
	switch r.Format {
	case NDJSON:
		enc := json.NewEncoder(&lines)
		enc.SetEscapeHTML(false)
		write = func(d queue.Document) error { return enc.Encode(exportOf(d, r.Bare)) }
	case CSV:
		table := csv.NewWriter(&lines)
		columns := exportColumns
		if r.Bare {
			columns = bareColumns
		}
		_ = table.Write(columns) // into memory
		write = func(d queue.Document) error {
			err := table.Write(record(exportOf(d, r.Bare), r.Bare))
			table.Flush()
			return err
		}
		table.Flush()
	default:
		return errs.Field("format", "%.40q is no format; there are ndjson and csv", r.Format)
	}
	return s.engine.Export(ctx, r.Queue, r.Filter, func(docs []queue.Document) error {
		for _, d := range docs {
			if err := write(d); err != nil {
				return err
			}
			if lines.Len() >= exportChunk {
				if _, err := lines.WriteTo(w); err != nil {
					return err
				}
			}
		}
		if lines.Len() == 0 {
			return nil // nothing to flush: an answer without a body is not compressed
		}
		if _, err := lines.WriteTo(w); err != nil {
			return err
		}
		return flush()
	})
}

const exportChunk = 64 << 10 // bytes that are written at once

func exportOf(d queue.Document, bare bool) exported {
	e := exported{Subject: d.Subject, Payload: d.Payload, Version: d.Version, Priority: d.Priority, NextIteration: moment(&d.Next)}
	if !bare {
		e.Status, e.Attempts, e.Iterations, e.Worker = d.Status.String(), &d.Attempts, &d.Iterations, d.Worker
		e.CreatedAt, e.LastIteration, e.PickedAt = moment(&d.CreatedAt), moment(d.LastIteration), moment(d.PickedAt)
	}
	return e
}

// moment writes a date as the API does; "" is none.
func moment(at *time.Time) string {
	if at == nil {
		return ""
	}
	return at.UTC().Format("2006-01-02T15:04:05.000000Z")
}

// record is a document as a record of CSV.
func record(e exported, bare bool) []string {
	version, priority := strconv.Itoa(e.Version), strconv.Itoa(e.Priority)
	if bare {
		return []string{harmless(e.Subject), string(e.Payload), version, priority, e.NextIteration}
	}
	worker := ""
	if e.Worker != nil {
		worker = harmless(*e.Worker)
	}
	return []string{
		harmless(e.Subject), e.Status, string(e.Payload), version, priority, strconv.Itoa(*e.Attempts), strconv.Itoa(*e.Iterations), e.NextIteration,
		e.CreatedAt, e.LastIteration, e.PickedAt, worker,
	}
}

// harmless puts an apostrophe before a text that a spreadsheet would take for a formula. JSON needs none: what of it begins so is a number.
func harmless(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r\n", rune(text[0])) {
		return "'" + text
	}
	return text
}
