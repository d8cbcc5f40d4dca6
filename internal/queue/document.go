package queue

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/errs"
)

// documentColumns are the columns of a queue's docs that scanDocument reads, in its order. briefColumns leave out payloads
// over BriefPayload: their size is known without reading them.
const (
	documentColumns = `subject, seq, status, payload, ` + otherColumns
	briefColumns    = `subject, seq, status, case when pg_column_size(payload) <= 8192 then payload end as payload, ` + otherColumns
	otherColumns    = `version, priority, attempts, iterations, next_iteration, created_at, last_iteration, picked_at, worker`
)

// Doc returns one document. Errors: NotFound (no such queue or document).
func (e *Engine) Doc(ctx context.Context, queue, subject string) (Document, error) {
	if err := find(ctx, queue); err != nil {
		return Document{}, err
	}
	docs, err := query(ctx, e, "read a document of "+queue, scanWhole(queue),
		`select `+documentColumns+`, requeue from `+table(queue, "docs")+` where subject = $1`, subject)
	if err != nil {
		return Document{}, err
	}
	if len(docs) == 0 {
		return Document{}, &errs.Error{Code: errs.NotFound, Field: "subject", Message: "there is no such document in this queue"}
	}
	if err := e.redactDocs(ctx, []string{queue}, docs); err != nil {
		return Document{}, err
	}
	return docs[0], nil
}

func scanDocument(queue string) pgx.RowToFunc[Document] {
	return func(row pgx.CollectableRow) (Document, error) {
		d := Document{Queue: queue}
		err := row.Scan(d.targets()...)
		return d, err
	}
}

// scanWhole is scanDocument with requeue behind the columns.
func scanWhole(queue string) pgx.RowToFunc[Document] {
	return func(row pgx.CollectableRow) (Document, error) {
		d := Document{Queue: queue}
		err := row.Scan(append(d.targets(), &d.Requeue)...)
		return d, err
	}
}

func (d *Document) targets() []any {
	return []any{
		&d.Subject, &d.Seq, &d.Status, &d.Payload, &d.Version, &d.Priority, &d.Attempts, &d.Iterations, &d.Next,
		&d.CreatedAt, &d.LastIteration, &d.PickedAt, &d.Worker,
	}
}
