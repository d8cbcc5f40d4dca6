// Package errs is the one error type of Fetchq and the table of its codes.
//
// Everything a caller can do something about is an *Error with a Code; any other error is internal. The HTTP status
// of a code stands here, the SQLSTATE of a code in internal/database.
package errs

import (
	"errors"
	"fmt"
	"net/http"
)

// Code is the stable name of an error, as in the "code" member of a problem document.
type Code string

// The codes of the error table in docs/api.md.
const (
	Malformed       Code = "malformed"       // the body is not JSON, or not the type asked for
	Invalid         Code = "invalid"         // a field is outside its limits; Field names it
	Unauthenticated Code = "unauthenticated" // no token, or an unknown, expired or revoked one
	Forbidden       Code = "forbidden"       // the right or the queue is missing
	NotFound        Code = "not_found"       // no such queue, document or log
	Stale           Code = "stale"           // the lease is over
	Exists          Code = "exists"          // a name or subject is taken
	Active          Code = "active"          // the document is held; release it first
	TooLarge        Code = "too_large"       // a body or payload over its limit
	Unsupported     Code = "unsupported"     // a content type that is not read here
	Throttled       Code = "throttled"       // the rate of this token or address is used up
	Overloaded      Code = "overloaded"      // the engine's waiting line is full
	Unavailable     Code = "unavailable"     // the database is away
	Internal        Code = "internal"        // everything else
)

var statuses = map[Code]int{
	Malformed:       http.StatusBadRequest,
	Invalid:         http.StatusUnprocessableEntity,
	Unauthenticated: http.StatusUnauthorized,
	Forbidden:       http.StatusForbidden,
	NotFound:        http.StatusNotFound,
	Stale:           http.StatusConflict,
	Exists:          http.StatusConflict,
	Active:          http.StatusConflict,
	TooLarge:        http.StatusRequestEntityTooLarge,
	Unsupported:     http.StatusUnsupportedMediaType,
	Throttled:       http.StatusTooManyRequests,
	Overloaded:      http.StatusServiceUnavailable,
	Unavailable:     http.StatusServiceUnavailable,
	Internal:        http.StatusInternalServerError,
}

// Status returns the HTTP status of the code; an unknown code is internal.
func (c Code) Status() int {
	if s, ok := statuses[c]; ok {
		return s
	}
	return http.StatusInternalServerError
}

// Error is what a caller can act on.
type Error struct {
	Code    Code
	Message string // for the person: what was wrong and what would be right; never a value from a payload
	Field   string // the field that was wrong, in the caller's words; may be empty
	Err     error  // for the log; never shown
}

// Error returns the message, and the cause behind it where there is one.
func (e *Error) Error() string {
	msg := e.Message
	if e.Field != "" {
		msg = e.Field + ": " + msg
	}
	if e.Err != nil {
		return msg + ": " + e.Err.Error()
	}
	return msg
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// New returns an error with a code and a message for the person.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Field returns an Invalid error that names the field.
func Field(field, format string, args ...any) *Error {
	return &Error{Code: Invalid, Field: field, Message: fmt.Sprintf(format, args...)}
}

// Of returns the code of err: that of the *Error in its chain, else Internal. It is "" for nil.
func Of(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}
