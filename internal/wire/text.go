package wire

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"github.com/fetchq/server/internal/errs"
)

// MaxSubject is the longest subject in bytes.
const MaxSubject = 255

// CheckSubject tells whether s can name a document: 1 to 255 bytes of UTF-8 without NUL, which Postgres cannot hold.
// The error is an *errs.Error (Invalid) with the field "subject".
func CheckSubject(s string) error {
	if s == "" {
		return errs.Field("subject", "is empty; a subject has 1 to %d bytes", MaxSubject)
	}
	return CheckText("subject", s, MaxSubject)
}

// CheckText tells whether Postgres can hold s as text of up to most bytes: UTF-8 without NUL.
// The error is an *errs.Error (Invalid) that names the field.
func CheckText(field, s string, most int) error {
	switch {
	case len(s) > most:
		return errs.Field(field, "has %d bytes; the limit is %d", len(s), most)
	case !utf8.ValidString(s):
		return errs.Field(field, "is not valid UTF-8")
	case strings.IndexByte(s, 0) >= 0:
		return errs.Field(field, "has a NUL character, which Postgres cannot store")
	}
	return nil
}

// A cursor is a version byte, then each part after its length as a uvarint, in base64url. Nobody signs it: what a
// caller puts into one it could ask for without one.
const (
	cursorVersion = 1
	maxCursor     = 2048 // bytes as text
)

// EncodeCursor makes the cursor of a list from the key of its last row. The parts together are far below 1,500 bytes.
func EncodeCursor(parts ...string) string {
	b := []byte{cursorVersion}
	for _, p := range parts {
		b = binary.AppendUvarint(b, uint64(len(p)))
		b = append(b, p...)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// DecodeCursor reads a cursor of n parts. The parts are text that Postgres can hold; what else they are is the
// caller's to check. The error is an *errs.Error (Invalid) with the field "cursor".
func DecodeCursor(s string, n int) ([]string, error) {
	bad := errs.Field("cursor", "is not one that this list gave; ask again without it")
	if len(s) > maxCursor {
		return nil, bad
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) == 0 || b[0] != cursorVersion || strings.ContainsAny(s, "\r\n") {
		return nil, bad
	}
	b = b[1:]
	parts := make([]string, 0, min(n, maxCursor))
	for range n {
		size, used := binary.Uvarint(b)
		if used <= 0 || size > uint64(len(b)-used) { //nolint:gosec // used is at most len(b)
			return nil, bad
		}
		end := used + int(size) //nolint:gosec // at most len(b)
		part := string(b[used:end])
		if CheckText("cursor", part, maxCursor) != nil {
			return nil, bad
		}
		parts = append(parts, part)
		b = b[end:]
	}
	if len(b) > 0 {
		return nil, bad
	}
	return parts, nil
}
