package queue

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// hub is where picks wait for documents, in line by queue and payload version. A wait costs no database connection.
//
// It also remembers where a look found nothing a moment ago: whoever comes back to wait there need not look, for all that is told
// since, and the tick, wakes him as it wakes the others.
type hub struct {
	now   func() time.Time
	mu    sync.Mutex
	lines map[spot]*list.List // of *waiter, the longest waiting first
	empty map[spot]time.Time  // when the last look that found nothing began
	told  map[spot]time.Time  // when a line was woken last; both are kept for pollEvery
	rests map[spot]time.Time  // until when what is pushed wakes nobody
	bells map[spot]bell       // when a line is to be woken
}

// bell wakes a line at some time.
type bell struct {
	at    time.Time
	timer *time.Timer
}

// waiter is one pick in line.
type waiter struct {
	spot  spot
	woken chan struct{} // holds one wake until it is taken
	place *list.Element
}

func newHub(now func() time.Time) *hub {
	return &hub{
		now: now, lines: map[spot]*list.List{}, empty: map[spot]time.Time{}, told: map[spot]time.Time{}, rests: map[spot]time.Time{},
		bells: map[spot]bell{},
	}
}

// foundNothing notes a look that began at some time.
func (h *hub) foundNothing(s spot, began time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if told, known := h.told[s]; !known || told.Before(began) {
		h.empty[s] = began
	}
}

// isEmpty says whether somebody found nothing within the last second, and nobody has been woken since.
func (h *hub) isEmpty(s spot) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	at, known := h.empty[s]
	return known && h.now().Sub(at) < pollEvery
}

// clear forgets what is older than pollEvery.
func (h *hub) clear() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, known := range []map[spot]time.Time{h.empty, h.told} {
		for s, at := range known {
			if h.now().Sub(at) >= pollEvery {
				delete(known, s)
			}
		}
	}
	for s, until := range h.rests {
		if h.now().After(until) {
			delete(h.rests, s)
		}
	}
}

// wakeIn wakes one pick of a line in some time; an earlier bell stands.
func (h *hub) wakeIn(s spot, d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	at := h.now().Add(d)
	if b, set := h.bells[s]; h.lines[s] == nil || set && !b.at.After(at) {
		return
	} else if set {
		b.timer.Stop()
	}
	var timer *time.Timer
	timer = time.AfterFunc(d, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.bells[s].timer == timer {
			delete(h.bells, s)
		}
		h.wakeLine(s, 1)
	})
	h.bells[s] = bell{at, timer}
}

// rest lets what is pushed wake nobody of a line for some time; then one is woken.
func (h *hub) rest(s spot, d time.Duration) {
	h.mu.Lock()
	h.rests[s] = h.now().Add(d)
	h.mu.Unlock()
	h.wakeIn(s, d)
}

// freed lets up to n picks of each line of a queue look again, for leases of it ended and it has limits. It returns how many look.
func (h *hub) freed(queue string, n int) (looks int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s, line := range h.lines {
		if s.queue == queue {
			looks += min(n, line.Len())
			h.wakeLine(s, n)
		}
	}
	return looks
}

// join puts a pick at the end of its line.
func (h *hub) join(s spot) *waiter {
	h.mu.Lock()
	defer h.mu.Unlock()
	line := h.lines[s]
	if line == nil {
		line = list.New()
		h.lines[s] = line
	}
	w := &waiter{spot: s, woken: make(chan struct{}, 1)}
	w.place = line.PushBack(w)
	return w
}

// leave takes a pick out of its line; a wake that it did not use goes to the next.
func (h *hub) leave(w *waiter) {
	h.mu.Lock()
	line := h.lines[w.spot]
	line.Remove(w.place)
	if line.Len() == 0 {
		delete(h.lines, w.spot)
	}
	h.mu.Unlock()
	select {
	case <-w.woken:
		h.wake(w.spot, 1)
	default:
	}
}

// wake lets up to n picks of a line look again. Those woken go to its end, so that each gets its turn.
func (h *hub) wake(s spot, n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wakeLine(s, n)
}

// pushed is wake for what is new in a line, which may rest.
func (h *hub) pushed(s spot, n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if until, rests := h.rests[s]; !rests || !h.now().Before(until) {
		h.wakeLine(s, n)
	}
}

// wakeLine is wake for who holds the lock.
func (h *hub) wakeLine(s spot, n int) {
	delete(h.empty, s)
	h.told[s] = h.now()
	line := h.lines[s]
	if line == nil {
		return
	}
	for range min(n, line.Len()) {
		front := line.Front()
		line.MoveToBack(front)
		select {
		case front.Value.(*waiter).woken <- struct{}{}:
		default: // woken already, and about to look
		}
	}
}

// wakeQueue lets all picks of a queue look again.
func (h *hub) wakeQueue(queue string) {
	for _, s := range h.known() {
		if queue == "" || s.queue == queue {
			h.wake(s, int(^uint(0)>>1))
		}
	}
}

// known returns the lines that somebody stands in, and those where somebody found nothing.
func (h *hub) known() []spot {
	spots := h.waiting()
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.empty {
		if h.lines[s] == nil {
			spots = append(spots, s)
		}
	}
	return spots
}

// waiting returns the lines that somebody stands in.
func (h *hub) waiting() []spot {
	h.mu.Lock()
	defer h.mu.Unlock()
	spots := make([]spot, 0, len(h.lines))
	for s := range h.lines {
		spots = append(spots, s)
	}
	return spots
}

// pollEvery is how often one pick of each line looks again, whether or not it was told to.
const pollEvery = time.Second

// tick wakes one pick of each line every second, until ctx ends: the backstop for documents that became due where no
// node was told, or that were pushed by SQL.
func (h *hub) tick(ctx context.Context) {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			h.clear()
			for _, s := range h.waiting() {
				h.wake(s, 1)
			}
		}
	}
}
