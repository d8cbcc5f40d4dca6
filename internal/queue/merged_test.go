package queue_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/queue"
)

// TestPicksThatComeTogetherKeepTheirOwnWorkersAndLocks lets 40 pick at once: whoever shares a scan with others gets as many
// documents as it asked for, under its own name and for its own time.
func TestPicksThatComeTogetherKeepTheirOwnWorkersAndLocks(t *testing.T) {
	t.Parallel()
	_, e := engine(t)
	docs := make([]queue.Push, 400)
	for i := range docs {
		docs[i] = queue.Push{Subject: fmt.Sprintf("d%03d", i)}
	}
	if _, err := e.Push(t.Context(), "a", docs, queue.Ignore); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	seen := map[string]int{}
	for i := range 40 {
		all.Go(func() {
			lock := time.Duration(i+1) * time.Minute
			began := time.Now()
			p, err := e.Pick(t.Context(), "a", queue.PickParams{Limit: 1 + i%7, Worker: fmt.Sprintf("w%d", i), Lock: lock})
			if err != nil || len(p.Documents) != 1+i%7 {
				t.Errorf("worker %d gets %d documents, %v", i, len(p.Documents), err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			for _, d := range p.Documents {
				seen[d.Subject]++
				if end := d.ExpiresAt.Sub(began); end < lock-time.Minute/2 || end > lock+time.Minute/2 {
					t.Errorf("the lease of worker %d lasts %s; %s is wanted", i, end, lock)
				}
				stored, err := e.Doc(t.Context(), "a", d.Subject)
				if err != nil || *stored.Worker != fmt.Sprintf("w%d", i) {
					t.Errorf("%s is held by %v, not by worker %d: %v", d.Subject, stored.Worker, i, err)
				}
			}
		})
	}
	all.Wait()
	for subject, n := range seen {
		if n > 1 {
			t.Errorf("%s was handed out %d times", subject, n)
		}
	}
}

// TestAPickOfACallerWhoWentAwayIsPutBack holds the pick up by a lock until its caller has gone.
func TestAPickOfACallerWhoWentAwayIsPutBack(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	e, db := start(t, url, "node-1"), dbtest.Open(t, url)
	put(t, e, "a", `{}`)
	if _, err := e.Push(t.Context(), "a", []queue.Push{{Subject: "x"}}, queue.Ignore); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Pick(t.Context(), "a", queue.PickParams{Version: 7}); err != nil { // the engine knows the queue
		t.Fatal(err)
	}
	tx, err := db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `lock table q_a.deltas in access exclusive mode`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if p, err := e.Pick(ctx, "a", queue.PickParams{}); err == nil {
		t.Fatalf("the pick got %v", p)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		d, err := e.Doc(t.Context(), "a", "x")
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("the document is %v, %v", d, err)
		}
		if d.PickedAt != nil && d.Status == queue.Pending {
			if d.Attempts != 0 {
				t.Errorf("it has %d attempts", d.Attempts)
			}
			break
		}
	}
	if p, err := e.Pick(t.Context(), "a", queue.PickParams{}); err != nil || len(p.Documents) != 1 {
		t.Errorf("the next gets %v, %v", p, err)
	}
}

func TestOneSubjectThatManyPushAtOnceIsCreatedOnce(t *testing.T) {
	t.Parallel()
	_, e := engine(t)
	var all sync.WaitGroup
	var mu sync.Mutex
	outcomes := map[string]int{}
	for range 50 {
		all.Go(func() {
			r, err := e.Push(t.Context(), "a", []queue.Push{{Subject: "x"}}, queue.Ignore)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			outcomes[r[0].Outcome]++
		})
	}
	all.Wait()
	if outcomes["created"] != 1 || outcomes["ignored"] != 49 {
		t.Errorf("the outcomes are %v", outcomes)
	}
}

// TestPicksThatShareAFullAnswerAllGetSomething makes six pick together what is more than one answer holds.
func TestPicksThatShareAFullAnswerAllGetSomething(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	e, db := start(t, url, "node-1"), dbtest.Open(t, url)
	put(t, e, "a", `{}`)
	payload := []byte(`"` + strings.Repeat("x", 6<<20) + `"`)
	for i := range 12 {
		if _, err := e.Push(t.Context(), "a", []queue.Push{{Subject: fmt.Sprint(i), Payload: payload}}, queue.Ignore); err != nil {
			t.Fatal(err)
		}
	}
	tx, err := db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `lock table q_a.deltas in access exclusive mode`); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() {
			p, err := e.Pick(t.Context(), "a", queue.PickParams{Limit: 2})
			if err != nil || len(p.Documents) == 0 {
				t.Errorf("worker %d gets %d documents, %v", i, len(p.Documents), err)
			}
		})
	}
	time.Sleep(300 * time.Millisecond) // one is under way, and the others in line
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	all.Wait()
}
