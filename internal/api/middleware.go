package api

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"runtime/debug"
	"strings"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/audit"
	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
)

// base is where the calls of the API stand.
const base = "/api/v1"

// Keys of what the middleware leaves for the handlers.
const (
	serverKey = "api.server"
	idKey     = "api.request_id"
)

// call is what a request's context knows about it.
type call struct {
	token auth.Token
	echo  echo.Context
}

type callKey struct{}

// callOf returns what is known about a call; without a token it can nothing.
func callOf(ctx context.Context) call {
	c, _ := ctx.Value(callKey{}).(call)
	return c
}

func tokenOf(ctx context.Context) auth.Token { return callOf(ctx).token }

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
		token, err := s.bearer(r)
		if err != nil {
			return err
		}
		audit.From(r.Context()).By(audit.Actor{Kind: audit.Token, Name: token.Name})
		ctx := queue.By(context.WithValue(r.Context(), callKey{}, call{token, c}), "token:"+token.Name)
		c.SetRequest(r.WithContext(ctx))
		return next(c)
	}
}

// bearer returns the token that a request sends.
func (s *Server) bearer(r *http.Request) (auth.Token, error) {
	text := bearerText(r)
	if text == "" {
		return auth.Token{}, errs.New(errs.Unauthenticated, "a token is missing; send the header Authorization: Bearer fq_…")
	}
	token, err := s.Tokens.Authenticate(r.Context(), text, s.Proxies.Address(r))
	if err != nil && errs.Of(err) == errs.Unauthenticated && !s.throws.Allow(s.Proxies.Address(r)) {
		return auth.Token{}, errs.New(errs.Throttled, "too many bad tokens came from this address; wait")
	}
	return token, err
}

// bearerText is the text of the token that a request sends; "" where it sends none.
func bearerText(r *http.Request) string {
	scheme, text, _ := strings.Cut(r.Header.Get(echo.HeaderAuthorization), " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(text)
}

// wholeQuery refuses a query that cannot be read in full: what is wrong with it would be left out, and a filter with it.
func wholeQuery(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		u := c.Request().URL
		if _, err := url.ParseQuery(u.RawQuery); err != nil && strings.HasPrefix(u.Path, base+"/") {
			return errs.Field("query", "the query cannot be read: write name=value&name=value, with %% and two hexadecimal digits for what is no letter or digit")
		}
		return next(c)
	}
}
