package web

import (
	"errors"
	"strconv"
	"strings"

	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/wire"
)

// parseDate reads a date of a form; empty is none.
func parseDate(field, text string) (wire.Date, error) {
	if text == "" {
		return wire.Date{}, nil
	}
	d, err := wire.ParseDate(text)
	return d, named(field, err)
}

// named gives an error of ours the field that it is about.
func named(field string, err error) error {
	var e *errs.Error
	if errors.As(err, &e) {
		return &errs.Error{Code: e.Code, Field: field, Message: e.Message, Err: e.Err}
	}
	return err
}

// parseWhole reads a whole number of a form; empty is none.
func parseWhole(field, text string) (*int, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, nil //nolint:nilnil // none is a value here
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return nil, errs.Field(field, "%.40q is no whole number", text)
	}
	return &n, nil
}
