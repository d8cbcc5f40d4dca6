package api

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// throttle slows down addresses that send bad tokens: a token bucket each.
type throttle struct {
	mu      sync.Mutex
	now     func() time.Time
	buckets map[string]*rate.Limiter
}

const (
	badTokensASecond = 1
	badTokensAtOnce  = 20
	addressesMost    = 10_000 // then it begins anew
)

func newThrottle(now func() time.Time) *throttle {
	return &throttle{now: now, buckets: map[string]*rate.Limiter{}}
}

// allow takes one from the bucket of an address, and says whether there was one.
func (t *throttle) allow(address string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.buckets[address]
	if b == nil {
		if len(t.buckets) >= addressesMost {
			clear(t.buckets)
		}
		b = rate.NewLimiter(badTokensASecond, badTokensAtOnce)
		t.buckets[address] = b
	}
	return b.AllowN(t.now(), 1)
}
