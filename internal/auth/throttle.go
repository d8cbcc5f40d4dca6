package auth

import (
	"net/netip"
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

const namesMost = 10_000

// NewThrottle returns a throttle that lets each name try burst times at once, and so many times a second from then on.
func NewThrottle(now func() time.Time, perSecond float64, burst int) *Throttle {
	return &Throttle{now: now, every: rate.Limit(perSecond), burst: burst, buckets: map[string]*rate.Limiter{}}
}

// Allow takes one from the bucket of a name, and says whether there was one.
func (t *Throttle) Allow(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.bucket(name).AllowN(t.now(), 1)
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
			t.sweep()
		}
		b = rate.NewLimiter(t.every, t.burst)
		t.buckets[name] = b
	}
	return b
}

// sweep makes room: buckets that have filled up again say nothing. Where all are in use, any eighth of them goes: who could
// empty them all by many names would guess as he likes, and to look through all for each new name would be a load of its own.
func (t *Throttle) sweep() {
	now := t.now()
	for name, b := range t.buckets {
		if b.TokensAt(now) >= float64(t.burst) {
			delete(t.buckets, name)
		}
	}
	for name := range t.buckets {
		if len(t.buckets) < namesMost-namesMost/8 {
			return
		}
		delete(t.buckets, name)
	}
}

// neighbourhood is what an address counts as where guesses are counted: a customer of the internet has one IPv4 address, but
// 2^64 of IPv6.
func neighbourhood(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil || a.Unmap().Is4() {
		return address
	}
	p, _ := a.WithZone("").Prefix(64) // there are 128 bits
	return p.String()
}
