package web

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"
	"golang.org/x/sync/singleflight"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/queue"
)

// shared keeps the live parts of pages for a moment, so that what many look at is read and rendered once. What is kept, or being
// made, is not shown any more when something has changed: age counts that.
type shared struct {
	now   func() time.Time
	age   func() int
	lasts time.Duration // a part
	calls singleflight.Group
	turns chan struct{} // one for each part that is being made

	mu    sync.Mutex
	parts map[string]part
}

// part is the live part of a page, as it is and compressed.
type part struct {
	plain, zipped []byte
	at            time.Time
	age           int
}

const (
	partLasts  = time.Second
	chartLasts = 3 * time.Second // steps are ten seconds long
	mostParts  = 500             // that are kept at once; the URLs that somebody makes up have no end

	// All pages ask at one moment. What is made one after the other goes over few connections, which have planned its statements already;
	// all at once it would take each page another one. Whoever waits in vain behind a slow one goes ahead.
	partTurns = 2
	turnWait  = 50 * time.Millisecond
)

func newShared(now func() time.Time, age func() int, lasts time.Duration) *shared {
	return &shared{now: now, age: age, lasts: lasts, turns: make(chan struct{}, partTurns), parts: map[string]part{}}
}

// get returns the part of a key, which draw makes where none is kept.
func (p *shared) get(key string, draw func() ([]byte, error)) (part, error) {
	age := p.age()
	if kept, good := p.kept(key, age); good {
		return kept, nil
	}
	found, err, _ := p.calls.Do(fmt.Sprintf("%d %s", age, key), func() (any, error) {
		if kept, good := p.kept(key, age); good {
			return kept, nil // somebody else was quicker
		}
		defer p.turn()()
		made := part{at: p.now(), age: age}
		var err error
		if made.plain, err = draw(); err != nil {
			return nil, err
		}
		if made.zipped, err = zip(made.plain); err != nil {
			return nil, err
		}
		p.keep(key, made)
		return made, nil
	})
	if err != nil {
		return part{}, err
	}
	return found.(part), nil //nolint:forcetypeassert // made above
}

// turn waits until few parts are being made, though not for long, and returns what to call when this one is.
func (p *shared) turn() (done func()) {
	late := time.NewTimer(turnWait)
	defer late.Stop()
	select {
	case p.turns <- struct{}{}:
		return func() { <-p.turns }
	case <-late.C:
		return func() {}
	}
}

// kept returns the part of a key if it is still good.
func (p *shared) kept(key string, age int) (part, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept, known := p.parts[key]
	return kept, known && kept.age == age && p.now().Sub(kept.at) < p.lasts
}

// keep takes a part in, and throws away those that are too old.
func (p *shared) keep(key string, made part) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for other, kept := range p.parts {
		if kept.age != made.age || made.at.Sub(kept.at) >= p.lasts {
			delete(p.parts, other)
		}
	}
	if len(p.parts) < mostParts {
		p.parts[key] = made
	}
}

// zippers are taken in turns: what a compressor needs to begin with is larger than most parts.
var zippers = sync.Pool{New: func() any {
	w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // fails for levels that there are not
	return w
}}

func zip(plain []byte) ([]byte, error) {
	var text bytes.Buffer
	w := zippers.Get().(*gzip.Writer) //nolint:forcetypeassert // made above
	defer zippers.Put(w)
	w.Reset(&text)
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	err := w.Close()
	return text.Bytes(), err
}

// share adds a page for all who may see, whose live part follows from its URL, and from the role of who asks and the queues that he sees,
// and from nothing else.
func (s *Server) share(path string, view func(echo.Context) (frame, templ.Component, error)) {
	s.shareAs(Route{Method: http.MethodGet, Path: path, Needs: auth.See}, view)
}

func (s *Server) shareAs(r Route, view func(echo.Context) (frame, templ.Component, error)) {
	s.compressed[r.Path] = false
	s.add(r, func(c echo.Context) error {
		if !isLive(c.Request()) {
			f, body, err := view(c)
			if err != nil {
				return err
			}
			return s.page(c, f, body)
		}
		user, _ := userOf(c)
		found, err := s.shared.get(string(user.Role)+" "+queue.ScopeKey(c.Request().Context())+" "+c.Request().URL.RequestURI(), func() ([]byte, error) { return s.livePart(c, view) })
		if err != nil {
			return err
		}
		return c.HTMLBlob(http.StatusOK, packed(c, found))
	})
}

// livePart renders the live part of a page. Who asked for it first may go away; what he asked serves the others.
func (s *Server) livePart(c echo.Context, view func(echo.Context) (frame, templ.Component, error)) ([]byte, error) {
	r := c.Request()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), pageWait)
	defer cancel()
	c.SetRequest(r.WithContext(ctx))
	defer c.SetRequest(r)
	_, body, err := view(c)
	if err != nil {
		return nil, err
	}
	return s.rendered(ctx, body)
}

// packed is the form of a part that the browser takes.
func packed(c echo.Context, p part) []byte {
	h := c.Response().Header()
	h.Add(echo.HeaderVary, echo.HeaderAcceptEncoding)
	if !strings.Contains(c.Request().Header.Get(echo.HeaderAcceptEncoding), "gzip") {
		return p.plain
	}
	h.Set(echo.HeaderContentEncoding, "gzip")
	return p.zipped
}
