package auth

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Throttle slows down those who guess: a token bucket for each name, which may be an address or an account.
type Throttle struct {
	mu      sync.Mutex
	now     func() time.Time
	every   rate.Limit
	burst   int
	buckets map[string]*rate.Limiter
}

const namesMost = 10_000 // then it begins anew

// NewThrottle returns a throttle that lets each name fail burst times at once, and so many times a second from then on.
func NewThrottle(now func() time.Time, perSecond float64, burst int) *Throttle {
	return &Throttle{now: now, every: rate.Limit(perSecond), burst: burst, buckets: map[string]*rate.Limiter{}}
}

// Allow takes one from the bucket of a name, and says whether there was one.
func (t *Throttle) Allow(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.bucket(name).AllowN(t.now(), 1)
}

// Full says whether the bucket of a name has nothing left to take.
func (t *Throttle) Full(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.buckets[name]
	return b != nil && b.TokensAt(t.now()) < 1
}

// Forget gives a name a new bucket.
func (t *Throttle) Forget(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.buckets, name)
}

// bucket returns the bucket of a name. The caller holds the lock.
func (t *Throttle) bucket(name string) *rate.Limiter {
	b := t.buckets[name]
	if b == nil {
		if len(t.buckets) >= namesMost {
			clear(t.buckets)
		}
		b = rate.NewLimiter(t.every, t.burst)
		t.buckets[name] = b
	}
	return b
}
