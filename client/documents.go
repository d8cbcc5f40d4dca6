package client

import (
	"context"
	"crypto/rand"
	"net/http"
)

// Push pushes up to 1,000 documents (16 MiB) into a queue; the results stand in their order. Right: push.
//
// It is repeated after a broken connection unless OnConflict is "update", where a repeat could undo what another did
// meanwhile. After a repeat a document that the first try created counts as ignored.
func (c *Client) Push(ctx context.Context, queue string, in PushRequest) (out PushResponse, err error) {
	push := call{method: http.MethodPost, path: queuePath(queue, "documents"), body: in, safe: in.OnConflict != "update"}
	for _, doc := range in.Documents {
		if doc.Subject == "" { // the key makes the server choose the same subjects at each try
			push.header = http.Header{"Idempotency-Key": {rand.Text()}}
			break
		}
	}
	_, err = c.do(ctx, push, &out)
	return out, err
}

// Pick leases due documents, after carrying out the resolutions in the request. Right: work.
//
// It is repeated after a broken connection only with an IdempotencyKey: then the same documents come again.
func (c *Client) Pick(ctx context.Context, queue string, in PickRequest) (out PickResponse, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: queuePath(queue, "pick"), body: in, safe: in.IdempotencyKey != ""}, &out)
	return out, err
}

// Resolve ends up to 1,000 leases (16 MiB); the results stand in their order. Right: work.
//
// It is repeated after a broken connection: what the first try did comes back as "already".
func (c *Client) Resolve(ctx context.Context, queue string, in ...Resolution) (out []Result, err error) {
	return c.resolve(ctx, queue, "", in)
}

// resolve is Resolve for a worker that says who it is.
func (c *Client) resolve(ctx context.Context, queue, worker string, in []Resolution) (out []Result, err error) {
	var answer ResolveResponse
	body := ResolveRequest{Worker: worker, Resolutions: in}
	_, err = c.do(ctx, call{method: http.MethodPost, path: queuePath(queue, "resolve"), body: body, safe: true}, &answer)
	return answer.Results, err
}

// Extend keeps up to 1,000 leases for another Lock from now; the results stand in their order. Right: work.
func (c *Client) Extend(ctx context.Context, queue string, in ExtendRequest) (out ExtendResponse, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: queuePath(queue, "extend"), body: in, safe: true}, &out)
	return out, err
}

// Act carries out the action of in on one document: with a lease what a worker does (right: work; the error's code is
// stale where the lease is over), without one what an admin does (right: admin), whose actions are run_now, retry,
// release and edit too. It returns the document after the action.
func (c *Client) Act(ctx context.Context, queue string, in Resolution) (doc Document, err error) {
	path := queuePath(queue, "documents", in.Subject, in.Action)
	safe := in.Lease != 0 // an admin's repeat could undo what another did meanwhile
	in.Subject, in.Action = "", ""
	_, err = c.do(ctx, call{method: http.MethodPost, path: path, body: in, safe: safe}, &doc)
	return doc, err
}

// AddLogs writes up to 1,000 lines to the log of a queue as notes. Right: work.
func (c *Client) AddLogs(ctx context.Context, queue string, logs ...LogEntry) error {
	_, err := c.do(ctx, call{method: http.MethodPost, path: queuePath(queue, "logs"), body: LogsRequest{Logs: logs}}, nil)
	return err
}
