package api

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/errs"
)

// base is where the calls of the API stand.
const base = "/api/v1"

// Keys of what the middleware leaves for the handlers.
const (
	serverKey = "api.server"
	idKey     = "api.request_id"
)

// tokenKey is the key of the token in a request's context.
type tokenKey struct{}

// tokenOf returns the token of a call; that of a call without one can nothing.
func tokenOf(ctx context.Context) auth.Token {
	t, _ := ctx.Value(tokenKey{}).(auth.Token)
	return t
}

// escapedPath makes the router match the path as it was sent, so that a subject may hold any character; handlers decode
// it once. (The router would do so by itself only for some paths.)
func escapedPath(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		u := c.Request().URL
		u.RawPath = u.EscapedPath()
		return next(c)
	}
}

var sane = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// requestID names each call, by the caller's own X-Request-Id where it is short and plain.
func requestID(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		id := c.Request().Header.Get(echo.HeaderXRequestID)
		if !sane.MatchString(id) {
			id = uuid.NewString()
		}
		c.Set(idKey, id)
		c.Response().Header().Set(echo.HeaderXRequestID, id)
		return next(c)
	}
}

func idOf(c echo.Context) string {
	id, _ := c.Get(idKey).(string)
	return id
}

func (s *Server) recoverPanic(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		c.Set(serverKey, s)
		defer func() {
			if r := recover(); r != nil {
				if r == http.ErrAbortHandler { //nolint:errorlint // it is compared as net/http does
					panic(r) //nolint:forbidigo // net/http wants it back
				}
				err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
			}
		}()
		return next(c)
	}
}

// authenticate refuses calls without a good token. Guessing is slow: an address that has sent many bad ones is told to
// wait, its good ones go on.
func (s *Server) authenticate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if !strings.HasPrefix(r.URL.Path, base+"/") {
			return next(c)
		}
		scheme, text, _ := strings.Cut(r.Header.Get(echo.HeaderAuthorization), " ")
		if !strings.EqualFold(scheme, "bearer") || text == "" {
			return errs.New(errs.Unauthenticated, "a token is missing; send the header Authorization: Bearer fq_…")
		}
		token, err := s.Tokens.Authenticate(r.Context(), strings.TrimSpace(text))
		if err != nil {
			if errs.Of(err) == errs.Unauthenticated && !s.throws.Allow(address(r)) {
				return errs.New(errs.Throttled, "too many bad tokens came from this address; wait")
			}
			return err
		}
		c.SetRequest(r.WithContext(context.WithValue(r.Context(), tokenKey{}, token)))
		return next(c)
	}
}

func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// enter waits for a place among the calls that run; leave gives it back.
func enter(ctx context.Context, line chan struct{}) (leave func(), err error) {
	select {
	case line <- struct{}{}:
		return func() { <-line }, nil
	default:
	}
	timer := time.NewTimer(lineWait)
	defer timer.Stop()
	select {
	case line <- struct{}{}:
		return func() { <-line }, nil
	case <-timer.C:
		return nil, errs.New(errs.Overloaded, "%d calls run already; try again", cap(line))
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
