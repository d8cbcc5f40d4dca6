package queue

import (
	"context"
	"errors"
)

// exportPage is how many documents of an export are read at once; of large ones it is as many as take 16 MiB.
const exportPage = 1000

// Export gives all documents of a queue that fit a filter, in the order of their subjects, a page at a time; a page may be empty. Each page is a
// statement of its own: no snapshot is held while give takes its time, and nothing but the page is kept. A document that fits all the while is given
// once, for its subject never changes; what comes, goes or changes meanwhile is given as it is when its turn comes, or not. Limit, Order and the
// cursors of the filter have no meaning here. Errors: as Docs, and those of give.
func (e *Engine) Export(ctx context.Context, queue string, f DocFilter, give func([]Document) error) error {
	f.Limit, f.Order, f.Cursor, f.Before, f.Brief = exportPage, BySubject, "", "", false
	if err := errors.Join(find(ctx, queue), f.choose()); err != nil {
		return err
	}
	if err := e.exists(ctx, queue); err != nil {
		return err
	}
	if err := e.MayFilter(ctx, queue, "payload", f.Payload); err != nil {
		return err
	}
	for {
		page, err := e.docsBySubject(ctx, queue, f)
		if err == nil { // what is hidden may change while the export runs
			err = e.redactDocs(ctx, []string{queue}, page.Documents)
		}
		if err == nil {
			err = give(page.Documents)
		}
		if err != nil || page.Next == "" {
			return err
		}
		f.Cursor = page.Next
	}
}
