package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"
	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/client"
	"github.com/fetchq/server/internal/errs"
)

// problem is an error as the API answers it (RFC 9457).
type problem struct {
	client.Problem
	cause error // for the log
}

func (p *problem) Error() string { return p.Detail }

// GetStatus is what huma asks an error for.
func (p *problem) GetStatus() int { return p.Status }

// ContentType makes huma name the answer rightly.
func (p *problem) ContentType(string) string { return "application/problem+json" }

// headers returns the headers that come with the problem.
func (p *problem) headers() http.Header {
	h := http.Header{}
	if p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "1")
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	return h
}

// toProblem is the one place where an error becomes an answer. What is not ours to tell is internal, and says nothing else.
func toProblem(err error) *problem {
	var known *problem
	if errors.As(err, &known) {
		return known
	}
	var ours *errs.Error
	p := &problem{cause: err}
	p.Type = "about:blank"
	p.Code = string(errs.Internal)
	p.Detail = "something went wrong here; the log has more under this request_id"
	p.Status = http.StatusInternalServerError
	switch {
	case errors.As(err, &ours):
		p.Code, p.Status, p.Detail, p.Field = string(ours.Code), ours.Code.Status(), ours.Message, ours.Field
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		p.Code, p.Status, p.Detail = string(errs.Unavailable), http.StatusServiceUnavailable, "the call was given up"
	}
	p.Title = http.StatusText(p.Status)
	return p
}

func init() { //nolint:gochecknoinits // huma has this hook for all APIs of a program, and no other
	huma.NewErrorWithContext = func(_ huma.Context, status int, msg string, details ...error) huma.StatusError {
		return humaProblem(status, msg, details)
	}
}

// humaProblem is what huma refuses by itself: a path, a query, a body that it could not read. Values are left out.
func humaProblem(status int, msg string, details []error) *problem {
	e := &errs.Error{Message: msg}
	switch status {
	case http.StatusUnprocessableEntity:
		e.Code = errs.Invalid
	case http.StatusBadRequest:
		e.Code = errs.Malformed
	default:
		e.Code = errs.Internal
		return toProblem(errors.Join(append([]error{errors.New(msg)}, details...)...))
	}
	for _, d := range details {
		var detail *huma.ErrorDetail
		if errors.As(d, &detail) {
			e.Field = detail.Location[strings.LastIndexByte(detail.Location, '.')+1:]
			e.Message = detail.Message
			break
		}
	}
	return toProblem(e)
}

// fillProblem gives a problem that huma answers its request id and headers, and writes to the log what must not be told.
func fillProblem(ctx huma.Context, _ string, v any) (any, error) {
	if p, ok := v.(*problem); ok {
		c := humaecho.Unwrap(ctx)
		p.RequestID = idOf(c)
		for name := range p.headers() {
			ctx.SetHeader(name, p.headers().Get(name))
		}
		if s, ok := c.Get(serverKey).(*Server); ok {
			s.logProblem(c, p)
		}
	}
	return v, nil
}

// fail answers an error of a route that is not huma's: unknown paths, tokens, streams.
func (s *Server) fail(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	var plain *echo.HTTPError
	if errors.As(err, &plain) {
		switch plain.Code {
		case http.StatusNotFound:
			err = errs.New(errs.NotFound, "there is no such path; see /api/docs")
		case http.StatusMethodNotAllowed:
			p := toProblem(errs.New(errs.NotFound, "this path does not take %s; see /api/docs", c.Request().Method))
			p.Status, p.Title = http.StatusMethodNotAllowed, http.StatusText(http.StatusMethodNotAllowed)
			err = p
		}
	}
	p := toProblem(err)
	p.RequestID = idOf(c)
	s.logProblem(c, p)
	p.write(c)
}

// write answers a problem to a call of a route that is not huma's.
func (p *problem) write(c echo.Context) {
	p.RequestID = idOf(c)
	for name, values := range p.headers() {
		c.Response().Header()[name] = values
	}
	c.Response().Header().Set(echo.HeaderContentType, p.ContentType(""))
	c.Response().WriteHeader(p.Status)
	_ = json.NewEncoder(c.Response()).Encode(p.Problem) // a caller that is gone needs no answer
}

func (s *Server) logProblem(c echo.Context, p *problem) {
	gone := errors.Is(p.cause, context.Canceled) // the caller hung up, or the program stops
	if !gone && (p.Code == string(errs.Internal) || p.Code == string(errs.Unavailable)) {
		s.Log.Error("a call failed", "method", c.Request().Method, "route", c.Path(), "request_id", p.RequestID, "error", p.cause)
	}
}
