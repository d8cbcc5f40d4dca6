package operations

import (
	"testing"
	"time"
)

func TestBatchesFindTheSizeThatTakesAsLongAsIsWanted(t *testing.T) {
	t.Parallel()
	for name, each := range map[string]time.Duration{"quick": 10 * time.Microsecond, "usual": 30 * time.Microsecond, "slow": time.Millisecond} {
		p := newPace()
		for range 20 {
			p.next(time.Duration(p.size)*each, batch{items: p.size, did: p.size}, false)
		}
		took := time.Duration(p.size) * each
		if p.size < mostSize && (took < wanted/2 || took > wanted*3/2) && p.size > leastSize {
			t.Errorf("%s: batches of %d take %s", name, p.size, took)
		}
	}
	p := newPace()
	p.next(10*time.Second, batch{items: 1, did: 1}, false)
	if p.size != firstSize/2 {
		t.Errorf("behind one slow batch the size is %d", p.size)
	}
}

func TestAnOperationRestsWhileWorkersWork(t *testing.T) {
	t.Parallel()
	const took = 80 * time.Millisecond
	for name, tt := range map[string]struct {
		b    batch
		busy bool
		want time.Duration
	}{
		"nobody works":             {batch{items: 5000, did: 5000}, false, 0},
		"too fast":                 {batch{items: 5000, did: 5000}, true, 120 * time.Millisecond}, // 5,000 in 200 ms
		"slow":                     {batch{items: 1000, did: 1000}, true, took / 20},
		"nothing fits":             {batch{items: 20_000}, true, took / 20},
		"much too fast":            {batch{items: 50_000, did: 50_000}, true, 2 * took},
		"all that is left is held": {batch{}, false, lockWait},
	} {
		if got := newPace().next(took, tt.b, tt.busy); got.Round(time.Millisecond) != tt.want {
			t.Errorf("%s: it rests for %s; %s is wanted", name, got, tt.want)
		}
	}
	if got := newPace().next(time.Minute, batch{items: 1, did: 1}, true); got != mostWait {
		t.Errorf("behind a minute it rests for %s", got)
	}
}

// TestWorkersAreSeenByWhatTheyPick moves this machine's clock: whether workers work is looked at once a second.
func TestWorkersAreSeenByWhatTheyPick(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a", "b")
	now := time.Now()
	w.load.now = func() time.Time { return now }
	busy := func() bool {
		now = now.Add(loadLasts)
		return w.busy(t.Context())
	}
	if !busy() {
		t.Error("what is not known yet counts as work")
	}
	if busy() {
		t.Error("nobody works")
	}
	w.fill("b", "active", 0, 3)
	w.exec(`select fetchq.mnt_fold('b')`)
	if w.busy(t.Context()) {
		t.Error("it is looked at more than once a second")
	}
	for i := range 5 {
		if !busy() {
			t.Errorf("three documents were picked %d s ago: a fold may be late", i)
		}
	}
	if busy() {
		t.Error("no more were picked for five seconds")
	}
}
