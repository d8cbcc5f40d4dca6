package web

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fetchq/server/internal/queue"
)

// gallery is a shared whose time and changes move by hand, and whose parts are numbered.
type gallery struct {
	*shared
	at     time.Time
	change int
	drawn  atomic.Int64
}

func newGallery() *gallery {
	g := &gallery{at: time.Unix(1_800_000_000, 0)}
	g.shared = newShared(func() time.Time { return g.at }, func() int { return g.change }, partLasts)
	return g
}

func (g *gallery) draw() ([]byte, error) { return fmt.Append(nil, "part ", g.drawn.Add(1)), nil }

func (g *gallery) shows(t *testing.T, key, want string) {
	t.Helper()
	p, err := g.get(key, g.draw)
	if err != nil || string(p.plain) != want {
		t.Errorf("%s shows %q, %v; %q is wanted", key, p.plain, err, want)
	}
	r, err := gzip.NewReader(bytes.NewReader(p.zipped))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(r); err != nil || string(text) != want {
		t.Errorf("%s shows %q compressed, %v; %q is wanted", key, text, err, want)
	}
}

func TestAPartIsKeptForASecondAndNotPastAChange(t *testing.T) {
	t.Parallel()
	g := newGallery()
	g.shows(t, "viewer /", "part 1")
	g.shows(t, "admin /", "part 2")
	g.at = g.at.Add(partLasts - time.Millisecond)
	g.shows(t, "viewer /", "part 1")
	g.at = g.at.Add(time.Millisecond)
	g.shows(t, "viewer /", "part 3")
	g.change++
	g.shows(t, "viewer /", "part 4")
	if len(g.parts) != 1 {
		t.Errorf("%d parts are kept; those that nobody may see are thrown away", len(g.parts))
	}
	for i := range 2 * mostParts {
		g.shows(t, fmt.Sprint("viewer /?x=", i), fmt.Sprint("part ", 5+i))
	}
	if len(g.parts) != mostParts {
		t.Errorf("%d parts are kept", len(g.parts))
	}
}

func TestManyWhoAskAtOnceShareOnePart(t *testing.T) {
	t.Parallel()
	g := newGallery()
	begun, finish := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	ask := func() {
		p, err := g.get("viewer /", func() ([]byte, error) {
			close(begun) // a second time panics
			<-finish
			return g.draw()
		})
		if err != nil || string(p.plain) != "part 1" {
			t.Errorf("%q, %v", p.plain, err)
		}
	}
	all.Go(ask)
	<-begun
	for range 50 {
		all.Go(ask) // joins the first, or finds what it kept
	}
	close(finish)
	all.Wait()
}

func TestAPartThatWasBegunBeforeAChangeIsNotShownAfterIt(t *testing.T) {
	t.Parallel()
	g := newGallery()
	p, err := g.get("viewer /", func() ([]byte, error) {
		old, err := g.draw()
		g.change++                       // somebody changes something while this is made,
		g.shows(t, "viewer /", "part 2") // and looks
		return old, err
	})
	if err != nil || string(p.plain) != "part 1" {
		t.Errorf("%q, %v", p.plain, err)
	}
	g.shows(t, "viewer /", "part 3")
	g.shows(t, "viewer /", "part 3")
}

func TestFewPartsAreMadeAtOnceAndSlowOnesHoldUpNobody(t *testing.T) {
	t.Parallel()
	for takes, third := range map[time.Duration]time.Duration{10 * time.Millisecond: 10 * time.Millisecond, time.Second: turnWait} {
		synctest.Test(t, func(t *testing.T) {
			g, began := newGallery(), time.Now()
			starts := make(chan time.Duration, 3)
			var all sync.WaitGroup
			for i := range 3 {
				all.Go(func() {
					_, err := g.get(fmt.Sprint(i), func() ([]byte, error) {
						starts <- time.Since(began)
						time.Sleep(takes)
						return g.draw()
					})
					if err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			if got := [...]time.Duration{<-starts, <-starts, <-starts}; got != [...]time.Duration{0, 0, third} {
				t.Errorf("parts that take %s were begun after %s", takes, got)
			}
		})
	}
}

func TestAPartThatFailsIsMadeAnew(t *testing.T) {
	t.Parallel()
	g := newGallery()
	away := errors.New("away")
	if _, err := g.get("viewer /", func() ([]byte, error) { return nil, away }); !errors.Is(err, away) {
		t.Errorf("%v", err)
	}
	g.shows(t, "viewer /", "part 1")
}

func TestSummariesThatAreOlderThanAChangeAreNotKept(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	b := newBoard(nil, func() time.Time { return now })
	b.take([]queue.Summary{{Name: "a"}}, now, b.age())
	asked := b.age()
	b.forget() // the queue is paused here while others read
	b.take([]queue.Summary{{Name: "a", Counts: queue.Counts{Pending: 7}}}, now, asked)
	if !b.at.IsZero() || b.latest[0].Counts.Pending != 0 {
		t.Errorf("what was asked for before the change is kept: %+v of %v", b.latest, b.at)
	}
	b.take([]queue.Summary{{Name: "a", Paused: true}}, now, b.age())
	if list, err := b.summaries(t.Context()); err != nil || !list[0].Paused {
		t.Errorf("%+v, %v", list, err)
	}
	quiet := b.age()
	b.take([]queue.Summary{{Name: "a", Paused: true, AsOf: now}}, now, quiet)
	if b.age() != quiet {
		t.Error("nothing changed, and the parts of pages are thrown away")
	}
	b.take([]queue.Summary{{Name: "a"}}, now, quiet)
	if b.age() == quiet {
		t.Error("a queue changed, and the parts of pages that show it are kept")
	}
}

func TestTheFirstLookTellsThatAnythingMayHaveChanged(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	b := newBoard(nil, func() time.Time { return now })
	gone, stop := context.WithCancel(t.Context())
	stop()
	w, leave := b.watch(gone) // a page that was made without the board, by this program's predecessor say
	defer leave()
	first := b.version()
	b.take([]queue.Summary{{Name: "a"}, {Name: "b"}}, now, b.age())
	b.tell()
	select {
	case <-w.woken:
	default:
		t.Fatal("of the first look nobody is told")
	}
	if names, _ := b.taken(t.Context(), w); len(names) != 0 || b.version() == first {
		t.Errorf("it tells %q at version %s after %s", names, b.version(), first)
	}
	b.take([]queue.Summary{{Name: "a"}, {Name: "b", Paused: true}}, now, b.age())
	if names, _ := b.taken(t.Context(), w); !slices.Equal(names, []string{"b"}) {
		t.Errorf("the second tells %q", names)
	}
}
