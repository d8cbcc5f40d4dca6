package queue

import (
	"context"
	"sync"
	"time"

	"github.com/fetchq/server/internal/errs"
)

// Limits of merging.
const (
	mergeItems   = 256  // a call with more items goes by itself
	mergePushes  = 16   // so does a push with more documents: their payloads are sent as one message
	mergePlaces  = 4    // calls of one line that may run at the same time
	mergeWaiting = 2000 // calls that wait in one line; more are told to come again
	mergeTime    = 30 * time.Second

	// One call of a line at a time is the fastest, for the more wait the more goes at once; but one may stand before a lock.
	mergePatience = 100 * time.Millisecond
)

// merger makes one call of the engine out of small calls that wait at the same time (group commit), for a commit costs the same
// for one document as for a hundred. It adds no delay: a call that finds nobody under way goes at once, and those that come meanwhile
// go together when it is back. Each line has places of its own, so that a busy queue does not hold up
// another.
type merger[I, O any] struct {
	key    func(I) string // items of one key never go in one call; they keep their order
	weight func(I) int    // those of one call have MaxBatch together, unless one alone has more
	lost   func(line string, items []I, results []O)

	patience time.Duration // how long a call waits for the one before it until it takes another place

	mu    sync.Mutex
	lines map[string]*mergeLine[I, O]
}

// mergeLine are the calls that may go together: those of one kind, for one queue.
type mergeLine[I, O any] struct {
	waiting []*mergeCall[I, O]
	items   int // of those that wait
	running int
}

type mergeCall[I, O any] struct {
	items   []I
	done    chan struct{} // closed when results and err are written
	results []O
	err     error
	gone    bool // its caller does not wait any more
}

// newMerger returns a merger. lost is told what came of items whose caller has gone away meanwhile; it may be nil.
func newMerger[I, O any](key func(I) string, weight func(I) int, lost func(line string, items []I, results []O)) *merger[I, O] {
	return &merger[I, O]{key: key, weight: weight, lost: lost, patience: mergePatience, lines: map[string]*mergeLine[I, O]{}}
}

// each is the weight of items that all count the same.
func each[I any](I) int { return 1 }

// do carries out a call together with others of its line. run makes a call for many items and returns a result for each, in
// their order; where it fails for several calls, each is made by itself, so that nobody fails for a neighbour. A call whose
// context ends while it waits was not made. Errors: those of run, and Overloaded.
func (m *merger[I, O]) do(ctx context.Context, name string, items []I, run func(context.Context, []I) ([]O, error)) ([]O, error) {
	c := &mergeCall[I, O]{items: items, done: make(chan struct{})}
	m.mu.Lock()
	l := m.lines[name]
	if l == nil {
		l = &mergeLine[I, O]{}
		m.lines[name] = l
	}
	if len(l.waiting) >= mergeWaiting {
		m.mu.Unlock()
		return nil, errs.New(errs.Overloaded, "%d calls wait for this queue already; try again", mergeWaiting)
	}
	l.waiting = append(l.waiting, c)
	l.items += len(items)
	if l.running == 0 {
		l.running++
		go m.work(context.WithoutCancel(ctx), name, l, run)
	}
	m.mu.Unlock()
	patience := time.NewTimer(m.patience)
	defer patience.Stop()
	for {
		select {
		case <-c.done:
			return c.results, c.err
		case <-ctx.Done():
			return m.leave(ctx, name, l, c)
		case <-patience.C:
			m.mu.Lock()
			if len(l.waiting) > 0 && l.running > 0 && l.running < mergePlaces {
				l.running++
				go m.work(context.WithoutCancel(ctx), name, l, run)
			}
			m.mu.Unlock()
		}
	}
}

// leave takes a call out of its line; one that is under way already is answered to lost.
func (m *merger[I, O]) leave(ctx context.Context, name string, l *mergeLine[I, O], c *mergeCall[I, O]) ([]O, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c.gone = true
	for i, w := range l.waiting {
		if w == c {
			l.waiting = append(l.waiting[:i], l.waiting[i+1:]...)
			l.items -= len(c.items)
			return nil, ctx.Err()
		}
	}
	select {
	case <-c.done: // in this very moment
		if c.err == nil && m.lost != nil {
			go m.lost(name, c.items, c.results)
		}
	default:
	}
	return nil, ctx.Err()
}

// work makes calls for a line until nobody waits there.
func (m *merger[I, O]) work(ctx context.Context, name string, l *mergeLine[I, O], run func(context.Context, []I) ([]O, error)) {
	for {
		calls, items := m.take(name, l)
		if calls == nil {
			return
		}
		results, err := within(ctx, items, run)
		for _, c := range calls {
			n := len(c.items)
			switch {
			case err == nil:
				m.answer(name, c, results[:n:n], nil)
				results = results[n:]
			case len(calls) > 1 && ofOne(err):
				results, err := within(ctx, c.items, run)
				m.answer(name, c, results, err)
			default:
				m.answer(name, c, nil, err)
			}
		}
	}
}

// within makes a call that has a limit in time, for nobody's context bounds what is done for several.
func within[I, O any](ctx context.Context, items []I, run func(context.Context, []I) ([]O, error)) ([]O, error) {
	ctx, cancel := context.WithTimeout(ctx, mergeTime)
	defer cancel()
	return run(ctx, items)
}

// ofOne says whether an error may be due to one call among several.
func ofOne(err error) bool {
	code := errs.Of(err)
	return code != errs.Unavailable && code != errs.Overloaded && code != errs.NotFound
}

// take takes the calls that go next: from the first on, as many as fit, without two items of one key. Where nobody waits it
// gives the place back.
func (m *merger[I, O]) take(name string, l *mergeLine[I, O]) (calls []*mergeCall[I, O], items []I) {
	m.mu.Lock()
	defer m.mu.Unlock()
	keys := make(map[string]struct{}, l.items)
	var stay []*mergeCall[I, O]
	room := MaxBatch
	for _, c := range l.waiting {
		weight := 0
		for _, i := range c.items {
			weight += m.weight(i)
		}
		if calls != nil && weight > room || m.meets(keys, c.items) {
			stay = append(stay, c)
		} else {
			calls, items = append(calls, c), append(items, c.items...)
			room -= weight
		}
		for _, i := range c.items {
			keys[m.key(i)] = struct{}{} // of those that stay too: who comes later must not go before them
		}
	}
	l.waiting = stay
	l.items -= len(items)
	if calls == nil {
		l.running--
		if l.running == 0 {
			delete(m.lines, name)
		}
	}
	return calls, items
}

// meets says whether an item has a key that is taken. The key "" is no key.
func (m *merger[I, O]) meets(keys map[string]struct{}, items []I) bool {
	for _, i := range items {
		if k := m.key(i); k != "" {
			if _, taken := keys[k]; taken {
				return true
			}
		}
	}
	return false
}

// answer gives a call its results.
func (m *merger[I, O]) answer(name string, c *mergeCall[I, O], results []O, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c.results, c.err = results, err
	close(c.done)
	if c.gone && err == nil && m.lost != nil {
		go m.lost(name, c.items, results)
	}
}
