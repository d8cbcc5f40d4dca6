package api

import (
	"context"
	"io"
	"mime"
	"strings"

	"github.com/labstack/echo/v4"
	"golang.org/x/sync/semaphore"

	"github.com/fetchq/server/internal/errs"
)

// bodyStep is how much room a body of unknown length takes at a time, in bytes.
const bodyStep = 256 << 10

// limitBody refuses bodies that are not JSON, and holds back large ones while the bodies at work take too much memory.
func (s *Server) limitBody(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if r.ContentLength == 0 || !strings.HasPrefix(r.URL.Path, base+"/") || isStream(c) {
			return next(c)
		}
		media, _, err := mime.ParseMediaType(r.Header.Get(echo.HeaderContentType))
		if err != nil || media != echo.MIMEApplicationJSON {
			return errs.New(errs.Unsupported, "the content type is not application/json, which is wanted here; documents may also come as application/x-ndjson")
		}
		if r.ContentLength > maxBody {
			return errs.New(errs.TooLarge, "the body has %d bytes; %d are allowed", r.ContentLength, maxBody)
		}
		b := &body{ReadCloser: r.Body, ctx: r.Context(), memory: s.bytes}
		defer func() { s.bytes.Release(b.held) }()
		if err := b.hold(max(r.ContentLength, 0)); err != nil { // below 0: not told
			return err
		}
		r.Body = b
		return next(c)
	}
}

// body is the body of a request with the room that it takes in the memory for all of them: what its sender announced, or,
// where that is not told, what has come so far. A pick that waits holds what it sent and no more.
type body struct {
	io.ReadCloser
	ctx        context.Context //nolint:containedctx // io.Reader has none, and a read may wait for room
	memory     *semaphore.Weighted
	held, read int64 // bytes
}

func (b *body) Read(p []byte) (int, error) {
	if b.read == b.held {
		if err := b.hold(bodyStep); err != nil {
			return 0, err
		}
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.held-b.read)])
	b.read += int64(n)
	if err != nil { // the end: what was too much goes back
		b.memory.Release(b.held - b.read)
		b.held = b.read
	}
	return n, err
}

// hold takes room for more bytes. It waits a moment for it.
func (b *body) hold(more int64) error {
	ctx, cancel := context.WithTimeout(b.ctx, lineWait)
	defer cancel()
	if b.memory.Acquire(ctx, more) != nil {
		return errs.New(errs.Overloaded, "too many large bodies are being worked on; try again")
	}
	b.held += more
	return nil
}
