package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fetchq/server/internal/errs"
)

// bank is a call that tests hold up: each waits until it is let through.
type bank struct {
	mu      sync.Mutex
	calls   []string // the items of each call
	through chan error
	began   chan struct{}
}

func newBank() *bank { return &bank{through: make(chan error), began: make(chan struct{}, 1000)} }

func (b *bank) run(_ context.Context, items []string) ([]string, error) {
	b.mu.Lock()
	b.calls = append(b.calls, strings.Join(items, ","))
	b.mu.Unlock()
	b.began <- struct{}{}
	if err := <-b.through; err != nil {
		return nil, err
	}
	results := make([]string, len(items))
	for i, item := range items {
		results[i] = "r" + item
	}
	return results, nil
}

func (b *bank) made() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.calls)
}

// asked is one call that a test makes.
type asked struct {
	results []string
	err     error
}

// ask makes a call in the background; it returns when the call is in line, or under way.
func ask(t *testing.T, m *merger[string, string], b *bank, ctx context.Context, line string, items ...string) chan asked { //nolint:revive // as tests have it
	t.Helper()
	answer := make(chan asked, 1)
	inLine := func() (n int) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if l := m.lines[line]; l != nil {
			n = len(l.waiting)
		}
		return n + len(b.made())
	}
	before := inLine()
	go func() {
		results, err := m.do(ctx, line, items, b.run)
		answer <- asked{results, err}
	}()
	for deadline := time.Now().Add(5 * time.Second); inLine() <= before; {
		if time.Now().After(deadline) {
			t.Fatal("the call does not get into its line")
		}
		time.Sleep(time.Millisecond)
	}
	return answer
}

// busy begins a call of a line that lasts until it is let through. The others wait for it.
func busy(t *testing.T, m *merger[string, string], b *bank, line string) {
	t.Helper()
	m.patience = time.Hour
	ask(t, m, b, t.Context(), line, "first")
	<-b.began
}

func itself(s string) string { return s }

func TestCallsThatWaitGoTogetherAndGetTheirOwnResults(t *testing.T) {
	t.Parallel()
	m, b := newMerger[string, string](itself, each, nil), newBank()
	busy(t, m, b, "q")
	one, two := ask(t, m, b, t.Context(), "q", "a", "b"), ask(t, m, b, t.Context(), "q", "c")
	b.through <- nil
	<-b.began
	b.through <- nil
	if got := <-one; fmt.Sprint(got.results) != "[ra rb]" || got.err != nil {
		t.Errorf("the first gets %v", got)
	}
	if got := <-two; fmt.Sprint(got.results) != "[rc]" || got.err != nil {
		t.Errorf("the second gets %v", got)
	}
	if got := fmt.Sprint(b.made()); got != "[first a,b,c]" {
		t.Errorf("the calls are %s", got)
	}
}

func TestItemsOfOneKeyGoOneAfterTheOther(t *testing.T) {
	t.Parallel()
	m, b := newMerger[string, string](itself, each, nil), newBank()
	busy(t, m, b, "q")
	var all []chan asked
	for _, items := range [][]string{{"a"}, {"a", "b"}, {"b"}, {"c"}} {
		all = append(all, ask(t, m, b, t.Context(), "q", items...))
	}
	b.through <- nil
	<-b.began // a and c; "a b" must wait, and so must b, which came behind it
	b.through <- nil
	<-b.began
	b.through <- nil
	<-b.began
	close(b.through)
	for _, c := range all {
		<-c
	}
	if got := b.made()[1:]; got[0] != "a,c" || !slices.Contains(got, "a,b") || !slices.Contains(got, "b") {
		t.Errorf("the calls are %q", got)
	}
}

func TestWhoWaitsForLongTakesAnotherPlace(t *testing.T) {
	t.Parallel()
	m, b := newMerger[string, string](itself, each, nil), newBank()
	m.patience = time.Millisecond
	ask(t, m, b, t.Context(), "q", "first")
	<-b.began
	answer := ask(t, m, b, t.Context(), "q", "a")
	<-b.began // though the first is not back
	b.through <- nil
	b.through <- nil
	if got := <-answer; got.err != nil {
		t.Error(got.err)
	}
}

func TestLinesDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	m, b := newMerger[string, string](itself, each, nil), newBank()
	busy(t, m, b, "q")
	other := newBank()
	answer := ask(t, m, other, t.Context(), "other", "a")
	other.through <- nil
	if got := <-answer; got.err != nil {
		t.Error(got.err)
	}
	close(b.through)
}

func TestNobodyFailsForANeighbour(t *testing.T) {
	t.Parallel()
	m, b := newMerger[string, string](itself, each, nil), newBank()
	busy(t, m, b, "q")
	one, two := ask(t, m, b, t.Context(), "q", "a"), ask(t, m, b, t.Context(), "q", "b")
	b.through <- nil
	<-b.began
	b.through <- errors.New("one of you") // a and b together
	<-b.began
	b.through <- errors.New("it was me") // a alone
	<-b.began
	b.through <- nil // b alone
	if got := <-one; got.err == nil || got.err.Error() != "it was me" {
		t.Errorf("the first gets %v", got)
	}
	if got := <-two; got.err != nil || fmt.Sprint(got.results) != "[rb]" {
		t.Errorf("the second gets %v", got)
	}
}

func TestACallerWhoGoesWhileItWaitsHasAskedForNothing(t *testing.T) {
	t.Parallel()
	m, b := newMerger[string, string](itself, each, nil), newBank()
	busy(t, m, b, "q")
	ctx, cancel := context.WithCancel(t.Context())
	gone := ask(t, m, b, ctx, "q", "gone")
	stays := ask(t, m, b, t.Context(), "q", "stays")
	cancel()
	if got := <-gone; !errors.Is(got.err, context.Canceled) {
		t.Errorf("who goes gets %v", got)
	}
	close(b.through)
	<-stays
	if got := b.made(); slices.ContainsFunc(got, func(c string) bool { return strings.Contains(c, "gone") }) {
		t.Errorf("the calls are %q", got)
	}
}

func TestWhatIsDoneForACallerWhoHasGoneIsTold(t *testing.T) {
	t.Parallel()
	told := make(chan string, 1)
	b := newBank()
	m := newMerger(itself, each, func(line string, items, results []string) { told <- line + " " + items[0] + " " + results[0] })
	ctx, cancel := context.WithCancel(t.Context())
	gone := ask(t, m, b, ctx, "q", "a")
	<-b.began
	cancel()
	<-gone
	b.through <- nil
	if got := <-told; got != "q a ra" {
		t.Errorf("it is told %q", got)
	}
}

func TestALineThatIsFullTellsToComeAgain(t *testing.T) {
	t.Parallel()
	m, b := newMerger[string, string](func(string) string { return "" }, each, nil), newBank()
	busy(t, m, b, "q")
	var all sync.WaitGroup
	for range mergeWaiting {
		all.Go(func() { _, _ = m.do(t.Context(), "q", []string{"a"}, b.run) })
	}
	waiting := func() int {
		m.mu.Lock()
		defer m.mu.Unlock()
		return len(m.lines["q"].waiting)
	}
	for waiting() < mergeWaiting {
		time.Sleep(time.Millisecond)
	}
	if _, err := m.do(t.Context(), "q", []string{"b"}, b.run); errs.Of(err) != errs.Overloaded {
		t.Errorf("one more gets %v", err)
	}
	close(b.through)
	all.Wait()
	if n := len(b.made()); n > 1+mergeWaiting/MaxBatch+2 {
		t.Errorf("%d calls were made for %d", n, mergeWaiting)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.lines) != 0 {
		t.Errorf("%d lines are left", len(m.lines))
	}
}
