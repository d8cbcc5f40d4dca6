package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
)

// Operate asks for something to be done to many documents of a queue, in the background; see WaitOperation. Right: admin, of a move in
// to_queue too. It is repeated after a broken connection: a second try finds the operation of the first.
func (c *Client) Operate(ctx context.Context, queue string, in OperationRequest) (Operation, error) {
	in.DryRun = false
	return c.askOnce(ctx, queuePath(queue, "operations"), in)
}

// CountOperation tells how many documents an operation would be for, without doing anything. Right: admin.
func (c *Client) CountOperation(ctx context.Context, queue string, in OperationRequest) (n OperationCount, err error) {
	in.DryRun = true
	_, err = c.do(ctx, call{method: http.MethodPost, path: queuePath(queue, "operations"), body: in, safe: true}, &n)
	return n, err
}

// Operation returns an operation as it stands. Right: read.
func (c *Client) Operation(ctx context.Context, id string) (o Operation, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: "/operations/" + segment(id), safe: true}, &o)
	return o, err
}

// UndoOperation asks for an operation that puts back what another one did within the last ten minutes: kill, reschedule, set_priority or move of up to
// 100,000 documents. What was changed or picked since is left alone. Right: admin.
func (c *Client) UndoOperation(ctx context.Context, id string) (o Operation, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: "/operations/" + segment(id) + "/undo"}, &o)
	return o, err
}

// CancelOperation ends an operation; what was done stays. Right: admin, of an import push.
func (c *Client) CancelOperation(ctx context.Context, id string) (o Operation, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: "/operations/" + segment(id) + "/cancel", safe: true}, &o)
	return o, err
}

// WaitOperation waits until an operation is over, and returns it. Right: read.
func (c *Client) WaitOperation(ctx context.Context, id string) (Operation, error) {
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		o, err := c.Operation(ctx, id)
		if err != nil || o.Over() {
			return o, err
		}
		if !sleep(ctx, wait) {
			return o, context.Cause(ctx)
		}
	}
}

// Operations lists the operations of a queue ("": of all that the token sees) in a state ("": any), the newest first, page by page as the
// loop goes on. An error ends the loop. Right: read.
func (c *Client) Operations(ctx context.Context, queue, state string) iter.Seq2[Operation, error] {
	return list(ctx, c, "/operations", values("queue", queue, "state", state),
		func(p OperationsResponse) ([]Operation, *string) { return p.Operations, p.NextCursor })
}

// OperationFailures lists what went wrong in an operation, up to 1,000 documents or lines. An error ends the loop. Right: read.
func (c *Client) OperationFailures(ctx context.Context, id string) iter.Seq2[OperationFailure, error] {
	return list(ctx, c, "/operations/"+segment(id)+"/failures", nil,
		func(p FailuresResponse) ([]OperationFailure, *string) { return p.Failures, p.NextCursor })
}

// The content types of an import.
const (
	ImportNDJSON = "application/x-ndjson" // one document a line, as in a push
	ImportCSV    = "text/csv"             // the first line names the columns
)

// Import sends text with one document a line to be pushed in the background, whatever its length, and returns when the server has stored
// it. Subjects that are taken are left alone, or, with onConflict "update", get the new values. Right: push.
//
// It is not repeated, because text may not be. What is wrong with a line is told by OperationFailures, and does not concern the others.
func (c *Client) Import(ctx context.Context, queue, contentType, onConflict string, text io.Reader) (o Operation, err error) {
	in := call{method: http.MethodPost, path: queuePath(queue, "imports"), query: values("on_conflict", onConflict)}
	resp, err := c.send(ctx, in, text, contentType)
	if err == nil {
		defer func() { _ = resp.Body.Close() }()
		err = read(resp, &o)
	}
	if err != nil {
		return o, fmt.Errorf("%s %s: %w", in.method, in.path, err)
	}
	return o, nil
}

// ImportDocuments is Import of documents that docs is asked for as the connection takes them. An error of docs ends the upload, and nothing is
// imported. Right: push.
func (c *Client) ImportDocuments(ctx context.Context, queue, onConflict string, docs iter.Seq2[Push, error]) (o Operation, err error) {
	reader, writer := io.Pipe()
	defer func() { _ = reader.Close() }() // ends the writing where the server answered early
	written := make(chan error, 1)
	go func() {
		err := writeLines(writer, docs)
		_ = writer.CloseWithError(err)
		written <- err
	}()
	o, err = c.Import(ctx, queue, ImportNDJSON, onConflict, reader)
	_ = reader.Close()
	if werr := <-written; werr != nil && !errors.Is(werr, io.ErrClosedPipe) {
		err = werr
	}
	return o, err
}
