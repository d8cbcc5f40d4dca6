package backup

import (
	"bytes"
	"context"
	"fmt"
)

// chunk is a piece of a table's text on its way from a connection into the archive, or from there to a connection.
type chunk struct {
	queue int    // of the manifest, or installation
	table string // of the archive: a partition has a text of its own
	part  int    // its number in the table, from 1
	rows  int64  // that end in it
	text  []byte // of chunkBytes at most
}

func (c *chunk) name(folder string) string {
	return fmt.Sprintf("%s/%s.%06d.copy", folder, c.table, c.part)
}

// cutter is where a connection writes the rows of a table to. It makes chunks of them, which end with a row unless one is larger than a
// chunk, and hands each on; free has empty ones, so that there are never more than these.
type cutter struct {
	ctx   context.Context //nolint:containedctx // of this one table
	queue int
	table string
	free  <-chan []byte
	full  chan<- *chunk
	seen  func(row []byte)

	now  *chunk
	part int
}

// Write takes a row. Postgres sends each by itself, with its end.
func (c *cutter) Write(row []byte) (int, error) {
	if c.seen != nil {
		c.seen(row)
	}
	if c.now != nil && len(c.now.text)+len(row) > chunkBytes {
		if err := c.flush(); err != nil {
			return 0, err
		}
	}
	for rest := row; len(rest) > 0; {
		if c.now != nil && len(c.now.text) == chunkBytes {
			if err := c.flush(); err != nil {
				return 0, err
			}
		}
		if c.now == nil {
			select {
			case text := <-c.free:
				c.part++
				c.now = &chunk{queue: c.queue, table: c.table, part: c.part, text: text[:0]}
			case <-c.ctx.Done():
				return 0, context.Cause(c.ctx)
			}
		}
		n := min(len(rest), chunkBytes-len(c.now.text))
		c.now.text = append(c.now.text, rest[:n]...)
		rest = rest[n:]
	}
	c.now.rows++
	return len(row), nil
}

// flush hands on what there is.
func (c *cutter) flush() error {
	if c.now == nil {
		return nil
	}
	select {
	case c.full <- c.now:
		c.now = nil
		return nil
	case <-c.ctx.Done():
		return context.Cause(c.ctx)
	}
}

// withoutColumns takes the first n columns off each row of a text, in place, and returns the highest number in the first one. In COPY
// text a tab or an end of a line stands for itself nowhere else.
func withoutColumns(text []byte, n int) (rest []byte, highest int64) {
	rest = text[:0]
	for len(text) > 0 {
		end := bytes.IndexByte(text, '\n') + 1
		if end == 0 {
			end = len(text)
		}
		row := text[:end]
		text = text[end:]
		for i := range n {
			tab := bytes.IndexByte(row, '\t')
			if tab < 0 {
				break
			}
			if i == 0 {
				highest = max(highest, number(row[:tab]))
			}
			row = row[tab+1:]
		}
		rest = append(rest, row...)
	}
	return rest, highest
}

// number reads the digits at the beginning of a text; 0 where there are none.
func number(text []byte) (n int64) {
	for _, c := range text {
		if c < '0' || c > '9' || n > 1<<58 {
			break
		}
		n = n*10 + int64(c-'0')
	}
	return n
}
