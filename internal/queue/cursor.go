package queue

import (
	"slices"
	"strconv"
	"time"

	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/wire"
)

// place is where a page of a list begins: behind a row, or, on the way back, before it. A list goes on from a key and not
// from a number of rows, so that what comes and goes meanwhile neither hides a row nor shows one twice.
type place struct {
	key      []string // of the row, a text for each column of the order; nil: the list begins here
	included bool     // the row itself belongs to the page
	back     bool
}

// withRow is the part behind the key in a cursor whose row belongs to the page: one that an empty page gave, where the page
// that it came from may begin or end with that row.
const withRow = "="

// placeOf reads the cursors of a list whose order has so many columns.
func placeOf(cursor, before string, columns int) (p place, err error) {
	text, field := cursor, "cursor"
	if before != "" {
		if cursor != "" {
			return p, errs.Field("before", "goes without cursor: a page begins behind one row, or ends before one")
		}
		text, field, p.back = before, "before", true
	}
	if text == "" {
		return p, nil
	}
	if p.key, err = wire.DecodeCursor(text, columns); err == nil {
		return p, nil
	}
	parts, err := wire.DecodeCursor(text, columns+1)
	if err != nil || parts[columns] != withRow {
		return p, foreign(field)
	}
	p.key, p.included = parts[:columns], true
	return p, nil
}

func foreign(field string) error {
	return errs.Field(field, "is not one that this list gave; ask again without it")
}

// moment reads the key of a list by date: a moment and a number. They are zero where the list begins.
func (p place) moment() (at time.Time, n int64, err error) {
	if p.key == nil {
		return at, 0, nil
	}
	micros, err1 := strconv.ParseInt(p.key[0], 10, 64)
	n, err2 := strconv.ParseInt(p.key[1], 10, 64)
	if err1 != nil || err2 != nil {
		if p.back {
			return at, 0, foreign("before")
		}
		return at, 0, foreign("cursor")
	}
	return time.UnixMicro(micros), n, nil
}

// cursor is the place beside a row: behind it, or before it.
func (p place) cursor() string {
	if p.included {
		return wire.EncodeCursor(append(slices.Clone(p.key), withRow)...)
	}
	return wire.EncodeCursor(p.key...)
}

// cut takes the row over the limit off what fetch returned for a place, puts the rows into the order of the list, and makes
// the cursors of the pages beside them.
func cut[T any](from place, rows []T, limit int, edge []string, key func(T) []string) (_ []T, next, previous string) {
	var ahead, behind string
	switch {
	case len(rows) > limit:
		rows = rows[:limit]
		ahead = place{key: key(rows[limit-1])}.cursor()
	case edge != nil:
		ahead = place{key: edge}.cursor()
	}
	switch {
	case from.key == nil: // nothing is known before the beginning
	case len(rows) > 0:
		behind = place{key: key(rows[0])}.cursor()
	default: // the other side of the same place
		behind = place{key: from.key, included: !from.included}.cursor()
	}
	if from.back {
		slices.Reverse(rows)
		return rows, behind, ahead
	}
	return rows, ahead, behind
}

// momentKey is the key of a row in a list by date.
func momentKey(at time.Time, n int64) []string {
	return []string{strconv.FormatInt(at.UnixMicro(), 10), strconv.FormatInt(n, 10)}
}
