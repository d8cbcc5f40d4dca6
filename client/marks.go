package client

import (
	"context"
	"net/http"
)

// MarkRequest asks for an event to be noted.
type MarkRequest struct {
	Text  string `json:"text" maxLength:"200" example:"v1.2.3" doc:"What happened, in 1 to 200 bytes."`
	Queue string `json:"queue,omitempty" doc:"The queue whose charts show it; none: those of all queues."`
	At    string `json:"at,omitempty" example:"2026-11-25T09:00:00Z" doc:"When it happened: a date, or a span from now with a sign. At first: now."`
}

// Mark is an event that charts show as a line, such as a deploy.
type Mark struct {
	At    int64  `json:"at" doc:"Seconds since 1970."`
	Text  string `json:"text"`
	Queue string `json:"queue,omitempty"`
}

// AddMark notes an event that charts show. Right: metrics.
func (c *Client) AddMark(ctx context.Context, m MarkRequest) (out Mark, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: "/marks", body: m}, &out)
	return out, err
}
