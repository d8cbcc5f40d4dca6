package web

import (
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/fetchq/server/internal/queue"
)

// board keeps the summaries of all queues for a second, so that many open pages cost one query, and tells who watches which
// queues have changed.
type board struct {
	engine *queue.Engine
	now    func() time.Time
	calls  singleflight.Group

	boot     string // differs from one start of the program to the next
	mu       sync.Mutex
	latest   []queue.Summary
	at       time.Time
	changes  int // how often something changed, as far as is known here
	watchers map[*watcher]struct{}
	polling  bool
}

// watcher is one stream of events.
type watcher struct {
	changed map[string]struct{} // queues since the last look
	any     bool                // more changed than those
	woken   chan struct{}       // holds one
}

const (
	boardLasts = time.Second
	boardEvery = time.Second
	// Those who show the same are told at one moment, ask at once, and share the answer. The more watch, the more seldom they are told,
	// so that however many pages are open, they cost about the same.
	tellLeast = 2  // seconds
	tellMost  = 10 // seconds
	tellFor   = 15 // watchers for each second
	boardWait = 5 * time.Second
)

func newBoard(engine *queue.Engine, now func() time.Time) *board {
	return &board{engine: engine, now: now, boot: rand.Text(), watchers: map[*watcher]struct{}{}}
}

// summaries returns all queues that the context sees, by name, a second old at most beside what the fold has not seen yet.
func (b *board) summaries(ctx context.Context) ([]queue.Summary, error) {
	list, err := b.all(queue.WithinAll(ctx))
	return queue.SeenSummaries(ctx, list), err
}

func (b *board) all(ctx context.Context) ([]queue.Summary, error) {
	b.mu.Lock()
	latest, at, changes := b.latest, b.at, b.changes
	b.mu.Unlock()
	if latest != nil && b.now().Sub(at) < boardLasts {
		return latest, nil
	}
	found, err, _ := b.calls.Do(strconv.Itoa(changes), func() (any, error) {
		// The first of several callers may go away; what it asked serves the others.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), boardWait)
		defer cancel()
		now := b.now()
		list, err := b.engine.Summaries(ctx)
		if err != nil {
			return nil, err
		}
		b.take(list, now, changes)
		return list, nil
	})
	if err != nil {
		return nil, err
	}
	return found.([]queue.Summary), nil
}

// take keeps new summaries, and notes for each watcher which queues differ from those before. Those that were asked for before
// the last change are left out: they may not have it.
func (b *board) take(list []queue.Summary, now time.Time, changes int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.changes != changes {
		return
	}
	changed := differences(b.latest, list)
	if len(changed) > 0 {
		b.changes++
	}
	for w := range b.watchers {
		if len(changed) == 0 {
			break
		}
		w.any = w.any || b.latest == nil // at the first look nobody knows what a page showed before it
		for _, name := range changed {
			w.changed[name] = struct{}{}
		}
	}
	b.latest, b.at = slices.Clip(list), now
	if b.latest == nil {
		b.latest = []queue.Summary{}
	}
}

// differences returns the names of queues that came, went or changed between two lists in the order of names.
func differences(before, after []queue.Summary) []string {
	known := make(map[string]queue.Summary, len(before))
	for _, s := range before {
		known[s.Name] = s
	}
	var changed []string
	for _, s := range after {
		was, there := known[s.Name]
		delete(known, s.Name)
		if !there || !same(was, s) {
			changed = append(changed, s.Name)
		}
	}
	for name := range known {
		changed = append(changed, name)
	}
	return changed
}

// same says whether nothing that a page shows differs; AsOf moves on by itself.
func same(a, b queue.Summary) bool {
	return a.Counts == b.Counts && a.Events == b.Events && a.Paused == b.Paused && a.PauseKind == b.PauseKind && a.MaxAttempts == b.MaxAttempts &&
		equal(a.OldestDueAt, b.OldestDueAt) && equal(a.PausedUntil, b.PausedUntil) && text(a.PauseReason) == text(b.PauseReason)
}

func equal(a, b *time.Time) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Equal(*b)
}

func text(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

// tell wakes those for whom something changed.
func (b *board) tell() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for w := range b.watchers {
		if !w.any && len(w.changed) == 0 {
			continue
		}
		select {
		case w.woken <- struct{}{}:
		default: // it is awake
		}
	}
}

// tellEvery returns after how many seconds so many watchers are told what changed.
func tellEvery(watchers int) int {
	return min(max((watchers+tellFor-1)/tellFor, tellLeast), tellMost)
}

// watch begins to tell what changes, until leave is called. While somebody watches, the board looks at the moment at which it tells, and
// once between.
func (b *board) watch(stop context.Context) (w *watcher, leave func()) {
	w = &watcher{changed: map[string]struct{}{}, woken: make(chan struct{}, 1)}
	b.mu.Lock()
	b.watchers[w] = struct{}{}
	start := !b.polling
	b.polling = true
	b.mu.Unlock()
	if start {
		go b.poll(stop)
	}
	return w, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.watchers, w)
	}
}

// poll looks and tells, until nobody watches.
func (b *board) poll(stop context.Context) {
	ticker := time.NewTicker(boardEvery)
	defer ticker.Stop()
	for since := 1; ; since++ {
		select {
		case <-stop.Done():
			return
		case <-ticker.C:
		}
		b.mu.Lock()
		if len(b.watchers) == 0 {
			b.polling = false
			b.mu.Unlock()
			return
		}
		every := tellEvery(len(b.watchers))
		b.mu.Unlock()
		if since == every/2 || since >= every {
			_, _ = b.summaries(stop) // one that fails is made up for by the next
		}
		if since >= every {
			b.tell()
			since = 0
		}
	}
}

// taken returns the names of the queues that changed since the last call and that the context sees, sorted; none where nobody knows which, or where they
// are more than mostNames. some says whether there is anything to tell.
func (b *board) taken(ctx context.Context, w *watcher) (names []string, some bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	names = slices.AppendSeq(make([]string, 0, len(w.changed)), maps.Keys(w.changed))
	names = slices.DeleteFunc(names, func(name string) bool { return !queue.Sees(ctx, name) })
	some = w.any || len(names) > 0
	if w.any || len(names) > mostNames {
		names = names[:0]
	}
	clear(w.changed)
	w.any = false
	slices.Sort(names)
	return names, some
}

// forget makes the next look a new one: something was changed here.
func (b *board) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.at = time.Time{}
	b.changes++
}

// version names what is known here of all queues. A page that was made at this version, or after, has all that was told before it.
func (b *board) version() string { return b.boot + "." + strconv.Itoa(b.age()) }

// age says how often something changed, as far as is known here.
func (b *board) age() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changes
}
