package database

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/fetchq/server/internal/errs"
)

// ours are the SQLSTATEs that the functions raise, with the message meant for the caller.
var ours = map[string]errs.Code{
	"FQ001": errs.Invalid,
	"FQ003": errs.Forbidden,
	"FQ004": errs.NotFound,
	"FQ005": errs.Stale,
	"FQ006": errs.Exists,
	"FQ007": errs.Active,
}

// Error turns an error of Postgres or of the way to it into ours. op says what was tried, for the log. nil stays nil,
// and an *errs.Error stays what it is.
//
// The table: FQ001 invalid (its column is the field), FQ003 forbidden, FQ004 not_found, FQ005 stale, FQ006 exists,
// FQ007 active; 22021 and 22P05 (no text) invalid; what fails to connect, class 08 and 57P, 53300 (too many connections), 25006
// (a standby) and a broken network are unavailable;
// a queue's schema or table that is gone (3F000, 42P01) is not_found, for it was dropped in this moment; 55P03 (a lock
// was not had in time) and what is Retryable are overloaded; anything else is internal.
func Error(op string, err error) error {
	if err == nil {
		return nil
	}
	var known *errs.Error
	if errors.As(err, &known) {
		return err
	}
	wrapped := &opError{op, err}
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) && !errors.Is(err, context.Canceled) {
		return away(wrapped) // whatever the server said: there is no connection to it
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		if code, ok := ours[pg.Code]; ok {
			return &errs.Error{Code: code, Message: pg.Message, Field: pg.ColumnName, Err: wrapped}
		}
		switch {
		case unreachable(pg.Code):
			return away(wrapped)
		case gone(pg):
			return &errs.Error{Code: errs.NotFound, Field: "queue", Message: "the queue is not there any more", Err: wrapped}
		case pg.Code == "22021", pg.Code == "22P05":
			return &errs.Error{Code: errs.Invalid, Message: "a text has a zero byte, or is not UTF-8; Postgres holds neither", Err: wrapped}
		case pg.Code == "55P03":
			return &errs.Error{Code: errs.Overloaded, Message: "the queue is locked by other work; try again", Err: wrapped}
		case Retryable(err):
			return &errs.Error{Code: errs.Overloaded, Message: "other calls about the same documents stand in the way; try again", Err: wrapped}
		}
		return wrapped
	}
	var network net.Error
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return wrapped
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, net.ErrClosed), strings.Contains(err.Error(), "conn closed"):
		return away(wrapped)
	case errors.Is(err, pgx.ErrNoRows):
		return &errs.Error{Code: errs.NotFound, Message: "there is no such row", Err: wrapped}
	}
	return wrapped
}

func away(cause error) error {
	return &errs.Error{Code: errs.Unavailable, Message: "the database is away; try again", Err: cause}
}

// unreachable are the states of a server that is away, starting, stopping, full or a standby.
func unreachable(state string) bool {
	return strings.HasPrefix(state, "08") || strings.HasPrefix(state, "57P") || state == "53300" || state == "25006"
}

// gone says whether a statement met a queue's schema or table that was dropped after its call had found the queue.
// Tables of the schema fetchq are never dropped, so that a missing one of these is a defect, not a missing queue.
func gone(pg *pgconn.PgError) bool {
	return (pg.Code == "3F000" || pg.Code == "42P01") && strings.Contains(pg.Message, `"q_`)
}

// Retryable says whether the same call may be tried again at once: a deadlock, a serialisation failure, or a function that was made
// anew, as a rename and an upgrade do, after the call had found it and before it began it. Postgres locks no functions.
func Retryable(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	return pg.Code == "40P01" || pg.Code == "40001" || pg.Code == "XX000" && strings.HasPrefix(pg.Message, "cache lookup failed for function ")
}

// opError keeps what was tried beside the cause.
type opError struct {
	op  string
	err error
}

func (e *opError) Error() string { return e.op + ": " + e.err.Error() }
func (e *opError) Unwrap() error { return e.err }
