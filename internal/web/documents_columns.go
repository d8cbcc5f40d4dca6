package web

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
	"github.com/fetchq/server/web/templates"
)

// Columns of the list beside status and subject. A path into the payload is one too: a JSON pointer, such as /meta/host.
const (
	mostPaths     = 8
	mostPathSteps = 16
)

// readColumns are the columns that a URL names, in the order of the table, each once; nil: it names none. An empty one stands for no column at all.
// What is typed as paths may have dots between the steps, and commas or spaces between the paths.
func readColumns(v url.Values) []string {
	if !v.Has("column") && !v.Has("paths") {
		return nil
	}
	var paths []string
	typed := strings.FieldsFunc(v.Get("paths"), func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
	for _, text := range append(slices.DeleteFunc(slices.Clone(v["column"]), func(name string) bool { return !isPath(name) }), typed...) {
		steps, ok := readPath(text)
		if path := pointer(steps); ok && !slices.Contains(paths, path) && len(paths) < mostPaths {
			paths = append(paths, path)
		}
	}
	columns := []string{}
	for _, c := range templates.DocumentColumns {
		if slices.Contains(v["column"], c.Name) {
			columns = append(columns, c.Name)
		}
	}
	return append(columns, paths...)
}

// isPath says whether a column is a path, in the form in which a URL has it.
func isPath(column string) bool { return strings.HasPrefix(column, "/") }

// readPath reads a path into a payload: a JSON pointer, or steps with dots between them. false: it is none.
func readPath(text string) (steps []string, ok bool) {
	text = strings.TrimSpace(text)
	if text == "" || wire.CheckText("path", text, queue.MaxSubject) != nil {
		return nil, false
	}
	if rest, pointed := strings.CutPrefix(text, "/"); pointed {
		for step := range strings.SplitSeq(rest, "/") {
			steps = append(steps, strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~"))
		}
	} else {
		steps = strings.Split(text, ".")
	}
	return steps, len(steps) <= mostPathSteps
}

// pointer writes a path as a JSON pointer (RFC 6901).
func pointer(steps []string) string {
	var b strings.Builder
	for _, step := range steps {
		b.WriteString("/" + strings.ReplaceAll(strings.ReplaceAll(step, "~", "~0"), "/", "~1"))
	}
	return b.String()
}

// valueAt is what stands at a path of a payload: a text as it is, anything else as JSON; "" where nothing stands there.
func valueAt(payload []byte, steps []string) string {
	at := json.RawMessage(payload)
	for _, step := range steps {
		var object map[string]json.RawMessage
		var list []json.RawMessage
		switch {
		case json.Unmarshal(at, &object) == nil:
			at = object[step]
		case json.Unmarshal(at, &list) == nil:
			n, err := strconv.Atoi(step)
			if err != nil || n < 0 || n >= len(list) {
				return ""
			}
			at = list[n]
		default:
			return ""
		}
		if at == nil {
			return ""
		}
	}
	var text string
	if at[0] == '"' && json.Unmarshal(at, &text) == nil {
		return preview([]byte(text))
	}
	return preview(at)
}

// parseContained reads what payloads are to contain: a JSON object, or "path = value", where the value is JSON or else a text. nil: nothing. The
// errors do not have it. Errors: Invalid.
func parseContained(field, text string) ([]byte, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, nil
	}
	object := []byte(text)
	if text[0] != '{' {
		path, value, found := strings.Cut(text, "=")
		steps, ok := readPath(path)
		if !found || !ok {
			return nil, errs.Field(field, "write a path and a value, such as meta.host = a.example, or a JSON object that the payload contains")
		}
		object = []byte(strings.TrimSpace(value))
		if wire.CheckJSON(object) != nil {
			object, _ = json.Marshal(string(object)) // never fails for a text
		}
		for _, step := range slices.Backward(steps) {
			key, _ := json.Marshal(step)
			object = slices.Concat([]byte("{"), key, []byte(":"), object, []byte("}"))
		}
	}
	return object, queue.CheckContained(field, object)
}
