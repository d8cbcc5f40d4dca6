package api

import (
	"crypto/sha256"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/scrape"
)

const (
	maxScrapes      = 16 // that run or wait at once; those that want the same share an answer
	maxTokenScrapes = maxScrapes / 2
	scraperWait     = 2 * time.Second // for the look at a token; scrapers wait for 10 s by default
	maxScrapers     = 64              // tokens that are remembered
)

// ServeScrapes adds /metrics, for Prometheus; it is called before anything is served. It wants a token with the right read, unless it is open; one that
// is limited to queues gets the samples of these and none of the program.
func (s *Server) ServeScrapes(h *scrape.Handler, open bool) {
	known := &scrapers{tokens: map[[sha256.Size]byte]auth.Token{}}
	places := newRoom("scrapes", maxScrapes, maxTokenScrapes)
	s.echo.Match(getOrHead, "/metrics", func(c echo.Context) error {
		r := c.Request()
		var token auth.Token
		if !open {
			var err error
			if token, err = known.admit(s, r); err != nil {
				return err
			}
		}
		leave, err := places.enter(r.Context(), token.ID)
		if err != nil {
			return err
		}
		defer leave()
		view := scrape.View{}
		if token.Queues != nil {
			view = scrape.View{Key: strings.Join(token.Queues, ","), Sees: token.Sees}
		}
		return h.Serve(c.Response(), r, view)
	})
}

// scrapers remembers who scraped while the database was there: while it is away nobody can look at a token, and that is when its
// scraper wants to know how the program is. There are no queues to see then.
type scrapers struct {
	mu     sync.Mutex
	tokens map[[sha256.Size]byte]auth.Token // by the hash of their texts
}

// admit returns the token of a scrape. Errors: Unauthenticated, Forbidden, Throttled, Overloaded, Unavailable.
func (k *scrapers) admit(s *Server, r *http.Request) (auth.Token, error) {
	type found struct {
		token auth.Token
		err   error
	}
	looked := make(chan found, 1)
	go func() {
		token, err := s.bearer(r)
		looked <- found{token, err}
	}()
	f := found{err: errs.New(errs.Unavailable, "the database is away, and with it the tokens")}
	select {
	case f = <-looked:
	case <-time.After(scraperWait):
	}
	if f.err == nil && !f.token.May(auth.See) {
		f.err = errs.New(errs.Forbidden, "the token lacks the right %s", auth.RightFor(auth.See))
	}
	key := sha256.Sum256([]byte(bearerText(r)))
	k.mu.Lock()
	defer k.mu.Unlock()
	switch errs.Of(f.err) {
	case "":
		if len(k.tokens) >= maxScrapers {
			clear(k.tokens)
		}
		k.tokens[key] = f.token
	case errs.Unavailable, errs.Overloaded, errs.Internal:
		if token, was := k.tokens[key]; was {
			return token, nil
		}
	default:
		delete(k.tokens, key)
	}
	return f.token, f.err
}
