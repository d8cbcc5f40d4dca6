package operations

import (
	"cmp"
	"slices"

	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
)

// PreviewMost is how much of a file a preview looks at, in bytes, and PreviewLines how many of its documents.
const (
	PreviewMost  = 64 << 10
	PreviewLines = 20
)

// PreviewLine is a document of a file as an import would push it, or what is wrong with it.
type PreviewLine struct {
	Line  int64
	Doc   queue.Push
	Wrong string // "": nothing
}

// Preview reads the first documents of a file, as an import would. head is its beginning, whole says that it is all of it. Errors: Invalid (format; columns:
// what CSV names in its first line).
func Preview(format string, head []byte, whole bool) ([]PreviewLine, error) {
	if format != NDJSON && format != CSV {
		return nil, errs.Field("format", "%.40q is no format; there are ndjson and csv", format)
	}
	f := file{format: format, line: 1, text: records(head, format == CSV, whole)}
	if format == CSV {
		end, _ := endOfRecord(f.text, true)
		columns, err := readHeader(f.text[:end])
		if err != nil {
			return nil, err
		}
		f.columns, f.place, f.line = columns, end, int64(1+countLines(f.text[:end]))
	}
	p := f.parse(PreviewLines)
	var lines []PreviewLine
	for i, d := range p.docs {
		lines = append(lines, PreviewLine{Line: p.lines[i], Doc: d})
	}
	for i, detail := range p.details {
		lines = append(lines, PreviewLine{Line: p.bad[i], Wrong: detail})
	}
	slices.SortFunc(lines, func(a, b PreviewLine) int { return cmp.Compare(a.Line, b.Line) })
	return lines, nil
}

// records leaves out the last record of the beginning of a file, which may not be all of it.
func records(head []byte, csv, whole bool) []byte {
	if whole {
		return head
	}
	for at := 0; ; {
		end, complete := endOfRecord(head[at:], csv)
		if !complete || at+end == len(head) {
			if at == 0 {
				return head
			}
			return head[:at]
		}
		at += end
	}
}
