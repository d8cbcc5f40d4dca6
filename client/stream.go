package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
)

// PushStream pushes any number of documents in one call as NDJSON, in constant memory here and on the server: docs is
// asked for the next one as the connection takes them. Subjects that are taken are left alone (policy ignore).
// Right: push.
//
// An error of docs ends the stream and is returned. What the server accepted before it, or before the connection broke,
// stays; the call is not repeated, because docs may not be.
func (c *Client) PushStream(ctx context.Context, queue string, docs iter.Seq2[Push, error]) (out StreamResponse, err error) {
	in := call{method: http.MethodPost, path: queuePath(queue, "documents")}
	reader, writer := io.Pipe()
	defer func() { _ = reader.Close() }() // ends the writing where the server answered early
	written := make(chan error, 1)
	go func() {
		err := writeLines(writer, docs)
		_ = writer.CloseWithError(err)
		written <- err
	}()
	resp, err := c.send(ctx, in, reader, "application/x-ndjson")
	if err == nil {
		defer func() { _ = resp.Body.Close() }()
		err = read(resp, &out)
	}
	_ = reader.Close()
	if werr := <-written; werr != nil && !errors.Is(werr, io.ErrClosedPipe) {
		err = werr
	}
	if err != nil {
		return out, fmt.Errorf("%s %s as a stream: %w", in.method, in.path, err)
	}
	return out, nil
}

func writeLines(w io.Writer, docs iter.Seq2[Push, error]) error {
	enc := json.NewEncoder(w) // ends each value with a new line
	for doc, err := range docs {
		if err != nil {
			return err
		}
		if err := enc.Encode(doc); err != nil {
			return err
		}
	}
	return nil
}
