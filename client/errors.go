package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// Error is an answer that tells a problem. Code is one of the API's table ("invalid", "stale", ...), or empty where the
// answer came from something else on the way.
type Error struct {
	Problem

	// RetryAfter is how long the server asks to wait before another try; 0 where it does not say.
	RetryAfter time.Duration
}

// Error returns the problem in one line.
func (e *Error) Error() string {
	what := e.Detail
	if what == "" {
		what = e.Title
	}
	if e.Field != "" {
		what = e.Field + ": " + what
	}
	if e.Code == "" {
		return fmt.Sprintf("%s (status %d)", what, e.Status)
	}
	return fmt.Sprintf("%s (%s)", what, e.Code)
}

// CodeOf returns the API's code of err, or "" where err is not an answer of the API.
func CodeOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// connectionError is a call that got no answer, or only a part of one: nobody knows whether it was carried out.
type connectionError struct{ err error }

func (e *connectionError) Error() string { return e.err.Error() }
func (e *connectionError) Unwrap() error { return e.err }

// What a failed call tells about another try.
type verdict int

const (
	final     verdict = iota // the answer would be the same
	undone                   // nothing was carried out: any call may be repeated
	uncertain                // it may have been carried out: only a safe call may be repeated
)

func judge(err error) verdict {
	var conn *connectionError
	if errors.As(err, &conn) {
		return uncertain
	}
	var e *Error
	if !errors.As(err, &e) {
		return final
	}
	switch {
	case e.Status == http.StatusTooManyRequests, e.Code == "overloaded":
		return undone
	case e.Status == http.StatusBadGateway, e.Status == http.StatusServiceUnavailable, e.Status == http.StatusGatewayTimeout:
		return uncertain
	}
	return final
}

// Waits between tries: doubling from the first to the longest, each times a random factor between a half and one, so
// that a fleet does not come back all at once.
const (
	firstWait   = 50 * time.Millisecond
	longestWait = 2 * time.Second
)

// retry calls try until it succeeds, another try is of no use or not safe, the patience is over or ctx ends.
func (c *Client) retry(ctx context.Context, safe bool, try func() error) error {
	until := time.Now().Add(c.patience)
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		err := try()
		if v := judge(err); v == final || v == uncertain && !safe {
			return err
		}
		pause := time.Duration(float64(wait) * (0.5 + rand.Float64()/2)) //nolint:gosec // jitter
		var e *Error
		if errors.As(err, &e) {
			pause = max(pause, e.RetryAfter)
		}
		if time.Now().Add(pause).After(until) {
			return err
		}
		if !sleep(ctx, pause) {
			return context.Cause(ctx)
		}
	}
}

// sleep waits for d and tells whether it did, rather than ctx ending.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// retryAfter reads the header Retry-After in seconds, the form that Fetchq sends.
func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.ParseUint(h.Get("Retry-After"), 10, 16)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
