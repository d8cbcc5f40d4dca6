package operations

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
)

// CSV (RFC 4180): fields between commas, in quotes where they hold commas, quotes (written twice) or ends of lines. An empty field is one
// that is not given.
//
// The first record names the columns: subject, version, priority, next_iteration, and either payload, whose fields are JSON, or payload.NAME for
// single members of an object, whose fields are text, or JSON where the name ends in :json.

// Limits of a header.
const (
	maxColumns = 200
	memberOf   = "payload."
	asJSON     = ":json"
)

var plainColumns = []string{"subject", "payload", "version", "priority", "next_iteration"}

// readHeader reads the names of the columns. Its errors are Invalid and name the field "columns".
func readHeader(record []byte) ([]string, error) {
	columns, err := splitRecord(bytes.TrimPrefix(record, []byte("\ufeff")), nil)
	if err != nil {
		return nil, errs.Field("columns", "the first line does not name the columns: %s", err.Error())
	}
	if len(columns) > maxColumns {
		return nil, errs.Field("columns", "the first line names %d columns; %d are allowed", len(columns), maxColumns)
	}
	seen := map[string]bool{}
	members := 0
	for i, name := range columns {
		name = strings.TrimSpace(name)
		columns[i] = name
		if bad := wire.CheckText("columns", name, queue.MaxSubject); bad != nil {
			return nil, bad
		}
		member := strings.HasPrefix(name, memberOf) && len(strings.TrimSuffix(name, asJSON)) > len(memberOf)
		key := strings.TrimSuffix(name, asJSON)
		switch {
		case !member && !slices.Contains(plainColumns, name):
			return nil, errs.Field("columns", "the first line names the column %.40q; there are %s, and payload.NAME for members of the payload",
				name, strings.Join(plainColumns, ", "))
		case seen[key]:
			return nil, errs.Field("columns", "the first line names the column %.40q twice", key)
		case member:
			members++
		}
		seen[key] = true
	}
	if members > 0 && seen["payload"] {
		return nil, errs.Field("columns", "the first line names payload and members of it; one of both is wanted")
	}
	return columns, nil
}

// splitRecord appends the fields of a record to fields, or says what is wrong with it.
func splitRecord(record []byte, fields []string) ([]string, error) {
	record = bytes.TrimSuffix(bytes.TrimSuffix(record, []byte("\n")), []byte("\r"))
	for {
		if len(record) == 0 || record[0] != '"' {
			i := bytes.IndexByte(record, ',')
			field := record
			if i >= 0 {
				field = record[:i]
			}
			if bytes.IndexByte(field, '"') >= 0 {
				return nil, errors.New("a quote stands within a field that does not begin with one")
			}
			fields = append(fields, string(field))
			if i < 0 {
				return fields, nil
			}
			record = record[i+1:]
			continue
		}
		field, rest, whole := unquote(record[1:])
		switch {
		case !whole:
			return nil, errors.New("a quote is not closed")
		case len(rest) > 0 && rest[0] != ',':
			return nil, errors.New("text stands behind the closing quote of a field")
		}
		fields = append(fields, field)
		if len(rest) == 0 {
			return fields, nil
		}
		record = rest[1:]
	}
}

// unquote reads a field up to its closing quote.
func unquote(text []byte) (field string, rest []byte, whole bool) {
	var b strings.Builder
	for {
		i := bytes.IndexByte(text, '"')
		if i < 0 {
			return "", nil, false
		}
		b.Write(text[:i])
		text = text[i+1:]
		if len(text) == 0 || text[0] != '"' {
			return b.String(), text, true
		}
		b.WriteByte('"')
		text = text[1:]
	}
}

// readCSV reads the document of a record. What is wrong with it is told in words.
func readCSV(columns []string, record []byte) (queue.Push, string) {
	fields, err := splitRecord(record, make([]string, 0, len(columns)))
	if err != nil {
		return queue.Push{}, err.Error()
	}
	if len(fields) != len(columns) {
		return queue.Push{}, "the line has " + strconv.Itoa(len(fields)) + " fields; the first line names " + strconv.Itoa(len(columns)) + " columns"
	}
	var subject, next string
	var version, priority *int
	var payload []byte
	members := 0
	for i, name := range columns {
		v := fields[i]
		if !utf8.ValidString(v) {
			return queue.Push{}, name + " is not valid UTF-8"
		}
		if v == "" {
			continue
		}
		switch name {
		case "subject":
			subject = v
		case "payload":
			payload = []byte(v)
		case "next_iteration":
			next = v
		case "version", "priority":
			n, err := strconv.Atoi(v)
			if err != nil {
				return queue.Push{}, name + " must be a whole number"
			}
			if name == "version" {
				version = &n
			} else {
				priority = &n
			}
		default:
			members++
		}
	}
	if members > 0 {
		var detail string
		if payload, detail = object(columns, fields); detail != "" {
			return queue.Push{}, detail
		}
	}
	return queue.NewPush(subject, payload, version, priority, next)
}

// object makes a payload of the columns of its members.
func object(columns, fields []string) ([]byte, string) {
	b := []byte{'{'}
	for i, column := range columns {
		name, member := strings.CutPrefix(column, memberOf)
		if !member || fields[i] == "" {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		name, raw := strings.CutSuffix(name, asJSON)
		key, _ := json.Marshal(name) // text always can be
		b = append(append(b, key...), ':')
		if raw {
			if detail := queue.BadJSON(column, []byte(fields[i])); detail != "" {
				return nil, detail
			}
			b = append(b, fields[i]...)
			continue
		}
		value, _ := json.Marshal(fields[i])
		b = append(b, value...)
	}
	return append(b, '}'), ""
}
