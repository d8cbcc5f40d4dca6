package operations

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func TestRecordsAreSplitIntoFields(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"":               {""},
		"a":              {"a"},
		"a,b\n":          {"a", "b"},
		"a,b\r\n":        {"a", "b"},
		",,":             {"", "", ""},
		`"a"`:            {"a"},
		`"a,b","c""d"`:   {"a,b", `c"d`},
		"\"a\nb\",c\n":   {"a\nb", "c"},
		`"",""`:          {"", ""},
		`"""",x`:         {`"`, "x"},
		" a , b ":        {" a ", " b "},
		`a"b`:            nil,
		`"a`:             nil,
		`"a"b`:           nil,
		`"a" ,b`:         nil,
		`a,"b`:           nil,
		`x,"a""`:         nil,
		"\"a\r\nb\"\r\n": {"a\r\nb"},
	} {
		got, err := splitRecord([]byte(text), nil)
		if diff := cmp.Diff(want, got); diff != "" || (err != nil) != (want == nil) {
			t.Errorf("%q: %v %s", text, err, diff)
		}
	}
}

// FuzzRecords holds our reading of CSV against that of the standard library, where both take a text, and wants that nothing of a text is lost.
func FuzzRecords(f *testing.F) {
	for _, seed := range []string{"a,b\nc,d\n", "\"a\nb\",c\n\nd", "\"a\"\"b\"\r\nc", "\"", "a\"b\nc", "\"a\nb\nc\n", ",\n\",\"\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var ours [][]string
		whole := true
		for rest := []byte(text); len(rest) > 0; {
			n, ok := endOfRecord(rest, true)
			if n == 0 || countLines(rest[:n]) == 0 {
				t.Fatalf("%q: no record in %q", text, rest)
			}
			if fields, err := splitRecord(rest[:n], nil); len(bytes.Trim(rest[:n], "\r\n")) > 0 {
				ours, whole = append(ours, fields), whole && ok && err == nil
			}
			rest = rest[n:]
		}
		reader := csv.NewReader(strings.NewReader(text))
		reader.FieldsPerRecord = -1
		theirs, err := reader.ReadAll()
		if whole && err == nil && !strings.Contains(text, "\r") { // the library takes returns out of fields
			if diff := cmp.Diff(theirs, ours); diff != "" {
				t.Errorf("%q (-library +ours):\n%s", text, diff)
			}
		}
		if err == nil && !whole && !strings.Contains(text, "\r") {
			t.Errorf("%q is refused", text)
		}
		// An upload reads the same text in whatever pieces it comes, and numbers each line once.
		u := upload{csv: true, lines: newLineReader(iotest.OneByteReader(strings.NewReader(text)), maxCSV)}
		var all []byte
		for {
			from := u.lines.line
			record, err := u.record()
			if errors.Is(err, io.EOF) {
				break
			}
			if errors.Is(err, errOpen) {
				if u.lines.line != from+1 {
					t.Fatalf("%q: one line is refused behind %d, and it is at %d", text, from, u.lines.line)
				}
				all = append(all, bytes.SplitAfterN([]byte(text)[len(all):], []byte("\n"), 2)[0]...)
				continue
			}
			if u.lines.line != from+int64(countLines(record)) {
				t.Fatalf("%q: %q is %d lines, %d are counted", text, record, countLines(record), u.lines.line-from)
			}
			all = append(all, record...)
		}
		if string(all) != text {
			t.Errorf("%q comes as %q", text, all)
		}
	})
}

func TestAPayloadIsMadeOfTheColumnsOfItsMembers(t *testing.T) {
	t.Parallel()
	columns := []string{"subject", "payload.a", `payload.b"c`, "payload.n:json", "payload.x.y"}
	doc, detail := readCSV(columns, []byte("s,<&>,\"q\"\"\",[1e2],\n"))
	var got map[string]any
	if err := json.Unmarshal(doc.Payload, &got); err != nil || detail != "" {
		t.Fatalf("%s: %v %s", doc.Payload, err, detail)
	}
	if diff := cmp.Diff(map[string]any{"a": "<&>", `b"c`: `q"`, "n": []any{100.0}}, got); diff != "" {
		t.Error(diff)
	}
	if doc, _ := readCSV(columns, []byte("s,,,,\n")); doc.Payload != nil {
		t.Errorf("without members the payload is %s", doc.Payload)
	}
	for record, want := range map[string]string{
		"s,\xff,,,\n": "payload.a is not valid UTF-8", "s,,,1 2,\n": "payload.n:json: ", "s,\x00,,,\n": "payload: ", "s,,\n": "the line has 3 fields; the first line names 5 columns",
	} {
		if _, detail := readCSV(columns, []byte(record)); !strings.HasPrefix(detail, want) {
			t.Errorf("%q: %q; %q is wanted", record, detail, want)
		}
	}
}
