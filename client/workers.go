package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
)

// WorkerInfo is a worker as the server sees it: who picks with this name.
type WorkerInfo struct {
	Name   string `json:"name"`
	State  string `json:"state" enum:"silent,quiet,working,waiting,gone" doc:"silent: it holds documents and was not seen for 2 minutes, or for half of the time that it has them for, if that is longer; quiet: it is asked to go quiet; working: it holds documents; waiting: it holds none, and was seen in the last 2 minutes; gone: not seen since."`
	SeenAt *Time  `json:"seen_at" doc:"When it picked, extended or resolved last."`
	WorkerDoes
	Quiet  *Quiet        `json:"quiet" doc:"null: it is not asked to go quiet."`
	Queues []WorkerQueue `json:"queues"`
}

// WorkerQueue is a worker in one queue.
type WorkerQueue struct {
	Queue  string `json:"queue"`
	SeenAt *Time  `json:"seen_at"`
	WorkerDoes
}

// WorkerDoes is what a worker does: what it holds now, and what it did in the 5 minutes before it was seen last. A nil is not known.
type WorkerDoes struct {
	Active         int64    `json:"active" doc:"Documents that it holds."`
	PicksPerMin    float64  `json:"picks_per_min"`
	ErrorRate      *float64 `json:"error_rate" doc:"Of the leases that it ended, the share that it rejected."`
	WorkP95        *float64 `json:"work_p95_ms" doc:"How long it held what it ended, in milliseconds, within 1 %."`
	HeldSince      *Time    `json:"held_since" doc:"Since when it holds the document that it holds longest."`
	LeaseExpiresAt *Time    `json:"lease_expires_at" doc:"When the first of its leases ends."`
}

// Quiet tells since when a worker is asked to go quiet, and by whom.
type Quiet struct {
	Since Time   `json:"since"`
	By    string `json:"by" doc:"token:name, user:address, or role:name where it was done by SQL."`
}

// WorkerQuiet is the answer to a call that asks a worker to go quiet, or wakes it.
type WorkerQuiet struct {
	Name  string `json:"name"`
	Quiet *Quiet `json:"quiet"`
}

// WorkersResponse is a page of workers.
type WorkersResponse struct {
	Workers    []WorkerInfo `json:"workers"`
	Unnamed    *int64       `json:"unnamed" doc:"Documents that are held by workers that gave no name; null: the token does not see all queues."`
	Partial    []string     `json:"partial" doc:"Queues of which 10,000 active documents were looked at, and there are more, or that are locked: what is held there is not all told."`
	Whole      bool         `json:"whole" doc:"false: what workers hold could not be read in time, and is left out."`
	NextCursor *string      `json:"next_cursor"`
}

// WorkersQuery chooses workers. Zero fields mean any.
type WorkersQuery struct {
	Queue, State string
	Limit        int // up to 200; default 50
	Cursor       string
}

// Workers lists workers by name: those that were seen in the last day, or hold documents. Right: read.
func (c *Client) Workers(ctx context.Context, q WorkersQuery) (out WorkersResponse, err error) {
	v := url.Values{}
	for name, text := range map[string]string{"queue": q.Queue, "state": q.State, "cursor": q.Cursor} {
		if text != "" {
			v.Set(name, text)
		}
	}
	if q.Limit > 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	_, err = c.do(ctx, call{method: http.MethodGet, path: "/workers", query: v, safe: true}, &out)
	return out, err
}

// QuietWorker asks a worker to go quiet: it is handed nothing more, in any queue, and told so with the answers to its picks and
// extensions; a pick of it that waits is answered at once. What it holds it may finish. Right: admin.
func (c *Client) QuietWorker(ctx context.Context, name string) (out WorkerQuiet, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: workerPath(name, "quiet"), safe: true}, &out)
	return out, err
}

// WakeWorker lets a quiet worker go on. Right: admin.
func (c *Client) WakeWorker(ctx context.Context, name string) (out WorkerQuiet, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: workerPath(name, "wake"), safe: true}, &out)
	return out, err
}
