package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxAnswer is the largest answer that is read, in bytes: a pick's documents, 16 MiB, with room for what is around them.
const maxAnswer = 64 << 20

// Client calls a Fetchq server. It is safe for use by several goroutines.
type Client struct {
	base     string
	token    string
	http     *http.Client
	patience time.Duration
}

// Option changes a Client.
type Option func(*Client)

// WithHTTPClient makes all calls with h. Its Timeout must leave room for long polls (up to 60 s); better leave it 0 and
// use contexts.
func WithHTTPClient(h *http.Client) Option { return func(c *Client) { c.http = h } }

// WithPatience says for how long a call that is safe to repeat is tried again after a refused or broken connection, or
// an answer that asks to come back later. The default is 30 s; 0 tries once. A context that ends sooner ends it.
func WithPatience(d time.Duration) Option { return func(c *Client) { c.patience = d } }

// New returns a client of the server at baseURL ("http://127.0.0.1:8080", with a path if it is behind one). It does
// not connect; a wrong address is the error of the first call.
func New(baseURL, token string, opts ...Option) *Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 128
	transport.ResponseHeaderTimeout = 2 * time.Minute // twice the longest poll: a dead connection does not hold a call for ever
	c := &Client{
		base:     strings.TrimRight(baseURL, "/") + "/api/v1",
		token:    token,
		http:     &http.Client{Transport: transport},
		patience: 30 * time.Second,
	}
	for _, opt := range opts {
		opt(c)
	}
	return c
}

// call is one call of the API.
type call struct {
	method string
	path   string // escaped, below the base
	query  url.Values
	header http.Header
	body   any  // sent as JSON; nil sends none
	safe   bool // a second try changes nothing that the first one did not
}

// do makes a call, again where that is safe and of use, and reads the answer into out unless that is nil.
func (c *Client) do(ctx context.Context, in call, out any) (status int, err error) {
	var body []byte
	if in.body != nil {
		if body, err = json.Marshal(in.body); err != nil {
			return 0, fmt.Errorf("%s %s: write the request: %w", in.method, in.path, err)
		}
	}
	err = c.retry(ctx, in.safe, func() error {
		status, err = c.once(ctx, in, body, out)
		return err
	})
	if err != nil {
		return status, fmt.Errorf("%s %s: %w", in.method, in.path, err)
	}
	return status, nil
}

func (c *Client) once(ctx context.Context, in call, body []byte, out any) (int, error) {
	var reader io.Reader
	if in.body != nil {
		reader = bytes.NewReader(body)
	}
	resp, err := c.send(ctx, in, reader, "application/json")
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	return resp.StatusCode, read(resp, out)
}

// send makes one HTTP request.
func (c *Client) send(ctx context.Context, in call, body io.Reader, contentType string) (*http.Response, error) {
	address := c.base + in.path
	if len(in.query) > 0 {
		address += "?" + in.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, in.method, address, body)
	if err != nil {
		return nil, err
	}
	for name, values := range in.header {
		req.Header[name] = values
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Accept", "application/json, application/problem+json")
	if body != nil {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, &connectionError{err}
	}
	return resp, nil
}

// read reads an answer into out, or the problem that it tells into an *Error.
func read(resp *http.Response, out any) error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		if ctx := resp.Request.Context(); ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return &connectionError{err}
	case len(body) > maxAnswer:
		return fmt.Errorf("the answer is larger than %d bytes", maxAnswer)
	case resp.StatusCode >= 300:
		return problem(resp, body)
	case out == nil || resp.StatusCode == http.StatusNoContent:
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}

// problem makes the error of an answer. What does not come from Fetchq, a proxy's page for example, keeps its status.
func problem(resp *http.Response, body []byte) error {
	e := &Error{Problem: Problem{Status: resp.StatusCode, Title: http.StatusText(resp.StatusCode), RequestID: resp.Header.Get("X-Request-Id")}}
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind == "application/problem+json" {
		if err := json.Unmarshal(body, &e.Problem); err != nil {
			return fmt.Errorf("read the problem of an answer with status %d: %w", resp.StatusCode, err)
		}
	}
	e.RetryAfter = retryAfter(resp.Header)
	return e
}

// segment escapes s as one segment of a path. A subject of dots alone would be taken for a way up by what lies between.
func segment(s string) string {
	if s == "." || s == ".." {
		return strings.ReplaceAll(s, ".", "%2E")
	}
	return url.PathEscape(s)
}

// workerPath returns the path of what is asked of a worker.
func workerPath(name, rest string) string { return "/workers/" + segment(name) + "/" + rest }

// queuePath returns the path of something in a queue.
func queuePath(queue string, rest ...string) string {
	path := "/queues/" + segment(queue)
	for _, r := range rest {
		path += "/" + segment(r)
	}
	return path
}
