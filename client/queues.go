package client

import (
	"context"
	"net/http"
	"net/url"
)

// Patch holds settings of a queue by their names in the API: what is named is set (nil takes a limit or a retention
// away), what is not stays as it is.
//
//	client.Patch{"max_attempts": 3, "backoff": client.Backoff{Kind: "fixed", Base: "10s"}, "max_active": nil}
type Patch map[string]any

// PutQueue makes a queue with the settings of patch, or sets them where the queue stands. Right: admin.
func (c *Client) PutQueue(ctx context.Context, queue string, patch Patch) (q Queue, created bool, err error) {
	if patch == nil {
		patch = Patch{}
	}
	status, err := c.do(ctx, call{method: http.MethodPut, path: queuePath(queue), body: patch, safe: true}, &q)
	return q, status == http.StatusCreated, err
}

// PatchQueue sets settings of a queue; not_found where there is none. Right: admin.
func (c *Client) PatchQueue(ctx context.Context, queue string, patch Patch) (q Queue, err error) {
	_, err = c.do(ctx, call{method: http.MethodPatch, path: queuePath(queue), body: patch, safe: true}, &q)
	return q, err
}

// Queue returns a queue with its exact counts. Right: read.
func (c *Client) Queue(ctx context.Context, queue string) (q Queue, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: queuePath(queue), safe: true}, &q)
	return q, err
}

// DropQueue removes a queue with all its documents and logs. Right: admin.
func (c *Client) DropQueue(ctx context.Context, queue string) error {
	_, err := c.do(ctx, call{method: http.MethodDelete, path: queuePath(queue), query: url.Values{"confirm": {queue}}}, nil)
	return err
}

// TruncateQueue removes all documents of a queue, and its logs if asked to. Right: admin.
func (c *Client) TruncateQueue(ctx context.Context, queue string, logs bool) (q Queue, err error) {
	body := TruncateRequest{Confirm: queue, Logs: logs}
	_, err = c.do(ctx, call{method: http.MethodPost, path: queuePath(queue, "truncate"), body: body}, &q)
	return q, err
}

// PauseQueue stops handing out documents of a queue, or of one payload version, until a date (as in a push) or, with "", until
// ResumeQueue. Right: admin.
func (c *Client) PauseQueue(ctx context.Context, queue string, in PauseRequest) (q Queue, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: queuePath(queue, "pause"), body: in, safe: true}, &q)
	return q, err
}

// ResumeQueue ends the pause of a queue, or that of one payload version. Right: admin.
func (c *Client) ResumeQueue(ctx context.Context, queue string, in ResumeRequest) (q Queue, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: queuePath(queue, "resume"), body: in, safe: true}, &q)
	return q, err
}

// RenameQueue gives a queue another name, under which everything of it goes on. It is not repeated after a broken connection: the old
// name is not_found then, and the message says the new one. Right: admin.
func (c *Client) RenameQueue(ctx context.Context, queue, to string) (q Queue, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: queuePath(queue, "rename"), body: ToRequest{To: to}}, &q)
	return q, err
}

// CloneQueue makes a queue with the settings of another one, and nothing else of it. Right: admin.
func (c *Client) CloneQueue(ctx context.Context, queue, to string) (q Queue, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: queuePath(queue, "clone"), body: ToRequest{To: to}}, &q)
	return q, err
}

// MoveQueue begins to move a paused queue to another tablespace; nil is the default of the database. Queue.Move says how far it is.
// Right: admin.
func (c *Client) MoveQueue(ctx context.Context, queue string, tablespace *string) (q Queue, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: queuePath(queue, "move"), body: MoveRequest{Tablespace: tablespace}, safe: true}, &q)
	return q, err
}

// Versions returns how the payload versions of a queue stand, and who asked for each last. Right: read.
func (c *Client) Versions(ctx context.Context, queue string) (versions []Version, err error) {
	var answer VersionsResponse
	_, err = c.do(ctx, call{method: http.MethodGet, path: queuePath(queue, "versions"), safe: true}, &answer)
	return answer.Versions, err
}
