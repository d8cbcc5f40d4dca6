package api

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/errs"
)

// onlyJSON refuses bodies that are not JSON.
func onlyJSON(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if r.ContentLength == 0 || !strings.HasPrefix(r.URL.Path, base+"/") || isStream(c) || importFormat(c) != "" {
			return next(c)
		}
		media, _, err := mime.ParseMediaType(r.Header.Get(echo.HeaderContentType))
		if err != nil || media != echo.MIMEApplicationJSON {
			return errs.New(errs.Unsupported, "the content type is not application/json, which is wanted here; documents may also come as application/x-ndjson")
		}
		return next(c)
	}
}

// body is what a request sent, with the room that it takes among all bodies: what has come, not what its sender announced.
type body struct {
	bytes []byte
	room  *claim
}

// release gives back the bytes and their room. It may be called more than once.
func (b *body) release() {
	b.bytes = nil
	b.room.release()
}

// firstRead is how many bytes are made room for before any has come.
const firstRead = 4 << 10

// read reads the body of a call, of up to most bytes, when it is known that the call may be made.
func (s *Server) read(ctx context.Context, most int64) (_ *body, err error) {
	c := callOf(ctx).echo
	r := c.Request()
	if r.ContentLength > most {
		return nil, errs.New(errs.TooLarge, "the body has %d bytes; %d are allowed", r.ContentLength, most)
	}
	b := &body{room: s.bodies.claim(tokenOf(ctx).ID)}
	defer func() {
		if err != nil {
			b.release()
		}
	}()
	if r.ContentLength == 0 {
		return b, nil
	}
	allowRead(c, s.Now().Add(bodyTimeout))
	for {
		if len(b.bytes) == cap(b.bytes) {
			b.bytes = slices.Grow(b.bytes, max(firstRead, len(b.bytes)))
		}
		n, err := r.Body.Read(b.bytes[len(b.bytes):cap(b.bytes)])
		b.bytes = b.bytes[:len(b.bytes)+n]
		if int64(len(b.bytes)) > most {
			return nil, errs.New(errs.TooLarge, "the body is too large; %d bytes are allowed", most)
		}
		if err := b.room.take(ctx, int64(n)); err != nil {
			return nil, err
		}
		switch {
		case errors.Is(err, io.EOF):
			return b, nil
		case err != nil:
			return nil, errs.New(errs.Malformed, "the body ended in the middle, or came too slowly")
		}
	}
}

// allowRead sets until when the request may be read, over the server's own limit. net/http lifts it when the body has come.
// (A connection that knows no limits has none.)
func allowRead(c echo.Context, until time.Time) {
	_ = http.NewResponseController(c.Response()).SetReadDeadline(until)
}

// ownKey makes an idempotency key that belongs to the token of a call: two programs that count from 1 do not take each
// other's answers. It has 43 bytes; "" stays none.
func ownKey(ctx context.Context, key string) string {
	if key == "" {
		return ""
	}
	id := tokenOf(ctx).ID
	sum := sha256.Sum256(append(id[:], key...))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
