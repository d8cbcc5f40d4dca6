package operations

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// lineReader reads lines, each with its end, and numbers them. What was read may be put back.
type lineReader struct {
	from  *bufio.Reader
	back  []byte // is read first
	most  int    // bytes of a line
	line  int64  // the number of the line that was read last, from 1
	bytes int64  // read from the source
}

func newLineReader(r io.Reader, most int) *lineReader {
	return &lineReader{from: bufio.NewReaderSize(r, 64<<10), most: most}
}

var errLong = errors.New("the line is too long")

// next returns the next line, a copy; io.EOF comes behind the last one, which may lack its end. errLong stands for a line over the limit,
// which was read to its end.
func (l *lineReader) next() ([]byte, error) {
	l.line++
	if i := bytes.IndexByte(l.back, '\n'); i >= 0 {
		line := l.back[:i+1]
		l.back = l.back[i+1:]
		return line, nil
	}
	line := l.back
	l.back = nil
	for long := len(line) > l.most; ; {
		part, err := l.from.ReadSlice('\n')
		l.bytes += int64(len(part))
		if !long {
			line = append(line, part...)
			long = len(line) > l.most
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case err != nil && !errors.Is(err, io.EOF):
			return nil, err
		case long:
			return nil, errLong
		case err != nil && len(line) == 0:
			l.line--
			return nil, io.EOF
		default:
			return line, nil
		}
	}
}

// putBack makes lines that were read come again.
func (l *lineReader) putBack(text []byte) {
	l.line -= int64(countLines(text))
	l.back = append(bytes.Clone(text), l.back...)
}

// countLines is how many lines a text has; the last one may lack its end.
func countLines(text []byte) int {
	n := bytes.Count(text, []byte{'\n'})
	if len(text) > 0 && text[len(text)-1] != '\n' {
		n++
	}
	return n
}

// A record is what one document stands in: a line, or in CSV as many lines as its quotes hold together.

// endOfRecord returns where the first record of a text ends, and whether it is whole: in CSV the text may end within quotes.
func endOfRecord(text []byte, csv bool) (end int, whole bool) {
	if !csv {
		if i := bytes.IndexByte(text, '\n'); i >= 0 {
			return i + 1, true
		}
		return len(text), true
	}
	quoted := false
	for i, c := range text {
		switch {
		case c == '"':
			quoted = !quoted // a quote within quotes is written twice
		case c == '\n' && !quoted:
			return i + 1, true
		}
	}
	return len(text), !quoted
}
