package backup

import (
	"bytes"
	"encoding/json"
	"errors"
)

// A destination is not trusted: who may write there may put manifests there that no program wrote. What is here keeps the memory that reading one
// takes in proportion to its size.

const (
	mostDepth   = 64  // of lists and objects in each other
	mostColumns = 200 // of a table
	leastBytes  = 40  // of an object in a list of a manifest, as it was written
)

var (
	errShort   = errors.New("an object of a list is none that was written")
	errColumns = errors.New("a table has more columns than any")
)

// shallow refuses JSON that is nested deeper than any manifest. What is no JSON is found by who reads it.
func shallow(text []byte) error {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			if depth++; depth > mostDepth {
				return damaged("its manifest is nested too deep")
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return nil
}

// many is a list of objects that is read one by one, up to the first that is too short to be one: of a list of {} a thousand would else take the memory
// of a thousand, and a manifest has room for a hundred million.
type many[T any] []T

// UnmarshalJSON reads the list.
func (l *many[T]) UnmarshalJSON(text []byte) error {
	*l = nil
	if string(text) == "null" {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		var one T
		at := d.InputOffset()
		if err := d.Decode(&one); err != nil {
			return err
		}
		if d.InputOffset()-at < leastBytes {
			return errShort
		}
		*l = append(*l, one)
	}
	return nil
}

// UnmarshalJSON reads a table, with as many columns as one may have.
func (t *Table) UnmarshalJSON(text []byte) error {
	if bytes.Count(text, []byte{','}) > mostColumns+len("name, columns, rows, bytes") {
		return errColumns
	}
	type plain Table
	return json.Unmarshal(text, (*plain)(t))
}

// counts says whether something can have been counted.
func counts(n int64) bool { return n >= 0 && n < 1<<60 }
