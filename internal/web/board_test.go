package web

import (
	"testing"
	"time"

	"github.com/fetchq/server/internal/queue"
)

// TestWhatChangesIsToldToAllAtOneMoment has two who watch: what a look finds wakes nobody, however many looks there are, and the
// telling wakes both, once, with all that was found.
func TestWhatChangesIsToldToAllAtOneMoment(t *testing.T) {
	t.Parallel()
	b := newBoard(nil, time.Now)
	b.polling = true // by this test
	one, leave := b.watch(t.Context())
	defer leave()
	other, leaveToo := b.watch(t.Context())
	defer leaveToo()
	list := func(pending ...int64) []queue.Summary {
		return []queue.Summary{{Name: "images", Counts: queue.Counts{Pending: pending[0]}}, {Name: "pages", Counts: queue.Counts{Pending: pending[1]}}}
	}
	woken := func(w *watcher) bool {
		select {
		case <-w.woken:
			return true
		default:
			return false
		}
	}
	names := func(w *watcher) []string {
		list, _ := b.taken(t.Context(), w)
		return list
	}
	b.take(list(1, 1), time.Now(), b.age())
	b.tell() // of the first look nobody knows what changed
	if !woken(one) || !woken(other) || len(names(one)) != 0 || len(names(other)) != 0 {
		t.Error("the first look is told as what it is not")
	}
	for _, next := range [][]queue.Summary{list(2, 1), list(2, 5), list(3, 5)} {
		b.take(next, time.Now(), b.age())
		if woken(one) || woken(other) {
			t.Error("a look wakes who watches")
		}
	}
	b.tell()
	for _, w := range []*watcher{one, other} {
		if !woken(w) {
			t.Error("one of those who watch is not told")
		}
		if names := names(w); len(names) != 2 || names[0] != "images" || names[1] != "pages" {
			t.Errorf("%v is told; images and pages are wanted", names)
		}
	}
	if b.tell(); woken(one) || woken(other) {
		t.Error("what was told is told again")
	}
}

// TestTheMoreWatchTheMoreSeldomTheyAreTold wants two seconds for a few, and for very many a time that a person still calls live.
func TestTheMoreWatchTheMoreSeldomTheyAreTold(t *testing.T) {
	t.Parallel()
	for watchers, want := range map[int]int{1: 2, 30: 2, 31: 3, 50: 4, 90: 6, 150: 10, 5000: 10} {
		if got := tellEvery(watchers); got != want {
			t.Errorf("%d are told every %d s; %d are wanted", watchers, got, want)
		}
	}
}
