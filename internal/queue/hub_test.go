package queue

import (
	"testing"
	"time"
)

func TestTheHubKnowsWhereSomebodyFoundNothing(t *testing.T) {
	t.Parallel()
	c := &clockwork{time.Unix(1e9, 0)}
	h := newHub(c.now)
	a, b := spot{"a", 0}, spot{"b", 0}
	if h.isEmpty(a) {
		t.Error("nobody has looked yet")
	}
	look := func(s spot) {
		began := c.at
		c.pass(time.Millisecond)
		h.foundNothing(s, began)
	}
	look(a)
	look(b)
	if !h.isEmpty(a) || !h.isEmpty(b) {
		t.Error("what was found is forgotten")
	}
	c.pass(time.Millisecond)
	h.wake(a, 1)
	if h.isEmpty(a) || !h.isEmpty(b) {
		t.Error("a push to a is not seen there alone")
	}
	h.foundNothing(a, c.at) // it began when the push came, and may have missed it
	if h.isEmpty(a) {
		t.Error("a look that began before a push hides it")
	}
	c.pass(time.Millisecond)
	look(a)
	h.wakeQueue("b")
	if !h.isEmpty(a) || h.isEmpty(b) {
		t.Error("a change of b is not seen there alone")
	}
	c.pass(pollEvery)
	if h.isEmpty(a) {
		t.Error("a second later it is still believed")
	}
	h.clear()
	if len(h.empty)+len(h.told) != 0 {
		t.Errorf("%v and %v are kept", h.empty, h.told)
	}
}
