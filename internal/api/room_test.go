package api

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/fetchq/server/internal/errs"
)

func TestATokenTakesItsShareOfARoomAndWaitsForMore(t *testing.T) {
	t.Parallel()
	one, other := uuid.New(), uuid.New()
	r := newRoom("calls", 4, 3)
	var leave []func()
	for range 3 {
		out, err := r.enter(t.Context(), one)
		if err != nil {
			t.Fatal(err)
		}
		leave = append(leave, out)
	}
	began := time.Now()
	if _, err := r.enter(t.Context(), one); errs.Of(err) != errs.Overloaded || time.Since(began) < lineWait {
		t.Errorf("beyond its share: %v after %s", err, time.Since(began))
	}
	last, err := r.enter(t.Context(), other)
	if err != nil {
		t.Fatalf("another token: %v", err)
	}
	if _, err := r.enter(t.Context(), uuid.New()); errs.Of(err) != errs.Overloaded {
		t.Errorf("beyond the room: %v", err)
	}
	last()
	time.AfterFunc(50*time.Millisecond, leave[0])
	again, err := r.enter(t.Context(), one)
	if err != nil {
		t.Fatalf("in line when one leaves: %v", err)
	}
	for _, out := range append(leave[1:], again) {
		out()
		out() // gives nothing back twice
	}
	if len(r.tokens) != 0 || !r.all.TryAcquire(4) || r.all.TryAcquire(1) {
		t.Errorf("%d tokens are remembered, or the room is not as it was", len(r.tokens))
	}
}

func TestWaitingForRoomEndsWithTheCall(t *testing.T) {
	t.Parallel()
	r := newRoom("calls", 1, 1)
	if _, err := r.enter(t.Context(), uuid.New()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := r.enter(ctx, uuid.New()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
