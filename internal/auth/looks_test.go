package auth

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/errs"
)

func TestThoseWhoGuessTakeFewConnections(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	s := NewTokens(db, time.Now)
	tx, err := db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.Background()) //nolint:errcheck // it locks, and writes nothing
	if _, err := tx.Exec(t.Context(), `lock table fetchq.tokens in access exclusive mode`); err != nil {
		t.Fatal(err)
	}
	var guesses sync.WaitGroup
	for range 30 {
		guesses.Go(func() {
			if _, err := s.Authenticate(t.Context(), mint(), "192.0.2.1"); errs.Of(err) != errs.Overloaded && errs.Of(err) != errs.Unauthenticated {
				t.Errorf("a guess: %v", err)
			}
		})
	}
	busy := int32(0)
	for began := time.Now(); time.Since(began) < lookWait; time.Sleep(10 * time.Millisecond) {
		busy = max(busy, db.Stat().AcquiredConns())
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	guesses.Wait()
	if busy != looksMost+1 {
		t.Errorf("%d connections were busy at most; %d look-ups beside the one that locks are wanted", busy, looksMost)
	}
}

func TestATokenThatWasGoodDoesNotWaitForThoseWhoGuess(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	c := &clock{time.Now()}
	s := NewTokens(db, c.now)
	_, text, err := s.Create(t.Context(), "worker", []string{Work}, nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Authenticate(t.Context(), text, "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	for range looksMost {
		s.looks <- struct{}{}
	}
	c.at = c.at.Add(cacheLasts)
	if _, err := s.Authenticate(t.Context(), text, "192.0.2.1"); err != nil {
		t.Errorf("when its second is over: %v", err)
	}
	if _, err := s.Authenticate(t.Context(), mint(), "192.0.2.1"); errs.Of(err) != errs.Overloaded {
		t.Errorf("a guess: %v", err)
	}
}
