package catalog

import (
	"context"
	"sync"
	"time"
)

// listings keeps what destinations had the last time, so that pages wait for none: one that is slow is asked in the background, and what it
// says is shown when it has.
type listings struct {
	ask func(ctx context.Context, d Destination, before string, limit int) (Page, error)
	now func() time.Time

	mu   sync.Mutex
	kept map[listingKey]*listing
}

type listingKey struct {
	destination, before string
	limit               int
}

type listing struct {
	page  Page
	err   error
	at    time.Time
	ready chan struct{} // closed when it has been asked
}

const (
	listingLasts = 30 * time.Second
	mostListings = 200
)

func newListings(ask func(context.Context, Destination, string, int) (Page, error), now func() time.Time) *listings {
	return &listings{ask: ask, now: now, kept: map[listingKey]*listing{}}
}

// get returns what a destination said up to 30 s ago, or says when it is asked now and answers within wait; else ready is false.
func (l *listings) get(ctx context.Context, d Destination, before string, limit int, wait time.Duration) (p Page, ready bool, err error) {
	key := listingKey{d.Name, before, limit}
	l.mu.Lock()
	kept := l.kept[key]
	if kept == nil || !kept.at.IsZero() && l.now().Sub(kept.at) >= listingLasts {
		kept = &listing{ready: make(chan struct{})}
		if len(l.kept) >= mostListings {
			clear(l.kept)
		}
		l.kept[key] = kept
		go l.fill(context.WithoutCancel(ctx), kept, d, before, limit)
	}
	l.mu.Unlock()
	late := time.NewTimer(wait)
	defer late.Stop()
	select {
	case <-kept.ready:
		return kept.page, true, kept.err
	case <-late.C:
		return Page{}, false, nil
	case <-ctx.Done():
		return Page{}, false, ctx.Err()
	}
}

func (l *listings) fill(ctx context.Context, kept *listing, d Destination, before string, limit int) {
	page, err := l.ask(ctx, d, before, limit)
	l.mu.Lock()
	defer l.mu.Unlock()
	kept.page, kept.err, kept.at = page, err, l.now()
	close(kept.ready)
}

// forget lets a destination be asked anew: something was changed there.
func (l *listings) forget(destination string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key := range l.kept {
		if key.destination == destination {
			delete(l.kept, key)
		}
	}
}

// Look is List for a page that must not wait: ready is false while the destination has not answered yet, and after wait at the latest. What it
// returns is up to 30 s old, but for what was done here meanwhile.
func (s *Service) Look(ctx context.Context, destination, before string, limit int, wait time.Duration) (p Page, ready bool, err error) {
	d, err := s.Destination(ctx, destination)
	if err != nil {
		return Page{}, false, err
	}
	p, ready, err = s.listings.get(ctx, d, before, limit, wait)
	if err != nil || !ready {
		return p, ready, err
	}
	entries := make([]Entry, len(p.Entries))
	copy(entries, p.Entries)
	p.Entries = entries
	return p, true, s.join(ctx, d.Name, p.Entries) // who verified one, is told at once
}
