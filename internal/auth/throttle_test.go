package auth

import (
	"fmt"
	"testing"
	"time"
)

func TestAThrottleFillsUpAgain(t *testing.T) {
	t.Parallel()
	c := &clock{time.Now()}
	th := NewThrottle(c.now, 0.5, 3)
	for n, want := range []bool{true, true, true, false, false} {
		if got := th.Allow("a"); got != want {
			t.Errorf("try %d: %v", n, got)
		}
	}
	if !th.Allow("b") {
		t.Error("another name is held back")
	}
	c.at = c.at.Add(2 * time.Second)
	if !th.Allow("a") || th.Allow("a") {
		t.Error("after 2 s one try is wanted")
	}
	th.Forget("a")
	if !th.Allow("a") {
		t.Error("a forgotten name is held back")
	}
}

func TestManyNamesDoNotEmptyAThrottle(t *testing.T) {
	t.Parallel()
	c := &clock{time.Now()}
	th := NewThrottle(c.now, 1, 2)
	for range 3 {
		th.Allow("guesser")
	}
	for n := range namesMost - 1 {
		th.Allow(fmt.Sprintf("old %d", n))
	}
	c.at = c.at.Add(1500 * time.Millisecond) // the old ones are full again, the guesser's is not
	th.Allow("guesser")
	for n := range namesMost / 2 {
		th.Allow(fmt.Sprintf("new %d", n))
	}
	if th.Allow("guesser") {
		t.Error("the guesser begins anew")
	}
	for n := range 3 * namesMost {
		th.Allow(fmt.Sprintf("more %d", n))
	}
	if len(th.buckets) > namesMost {
		t.Errorf("%d names are kept", len(th.buckets))
	}
}

func TestNeighbourhood(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "2001:db8:1:2::1": "2001:db8:1:2::/64", "2001:db8:1:3::1": "2001:db8:1:3::/64",
		"fe80::1%eth0": "fe80::/64", "::ffff:192.0.2.1": "::ffff:192.0.2.1", "": "", "@": "@",
	} {
		if got := neighbourhood(address); got != want {
			t.Errorf("%q: %q; %q is wanted", address, got, want)
		}
	}
}
