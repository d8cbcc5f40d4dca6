package api

import (
	"context"
	"sync"

	"github.com/google/uuid"
	"golang.org/x/sync/semaphore"

	"github.com/fetchq/server/internal/errs"
)

// room is what calls share: places, or bytes. A token has a share of it, so that what one does leaves room for the others.
type room struct {
	what  string // is in it, for the refusal
	all   *semaphore.Weighted
	share int64

	mu     sync.Mutex
	tokens map[uuid.UUID]*share // of those that have claims
}

// share is what the claims of one token take together.
type share struct {
	room   *semaphore.Weighted
	claims int
}

func newRoom(what string, size, most int64) *room {
	return &room{what: what, all: semaphore.NewWeighted(size), share: most, tokens: map[uuid.UUID]*share{}}
}

// claim is what one call takes of a room. It is for one goroutine.
type claim struct {
	room  *room
	token uuid.UUID
	mine  *share
	held  int64
}

// claim begins with nothing; release ends it.
func (r *room) claim(token uuid.UUID) *claim {
	r.mu.Lock()
	defer r.mu.Unlock()
	mine := r.tokens[token]
	if mine == nil {
		mine = &share{room: semaphore.NewWeighted(r.share)}
		r.tokens[token] = mine
	}
	mine.claims++
	return &claim{room: r, token: token, mine: mine}
}

// take takes n more, and waits a moment for them: first in the line of the token, then in that of all.
func (c *claim) take(ctx context.Context, n int64) error {
	if c.mine.room.TryAcquire(n) {
		if c.room.all.TryAcquire(n) {
			c.held += n
			return nil
		}
		c.mine.room.Release(n)
	}
	short, cancel := context.WithTimeout(ctx, lineWait)
	defer cancel()
	if c.mine.room.Acquire(short, n) != nil {
		return c.full(ctx, "of this token ")
	}
	if c.room.all.Acquire(short, n) != nil {
		c.mine.room.Release(n)
		return c.full(ctx, "")
	}
	c.held += n
	return nil
}

func (c *claim) full(ctx context.Context, whose string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return errs.New(errs.Overloaded, "too many %s %sare at work; try again", c.room.what, whose)
}

// release gives back what was taken. It may be called more than once.
func (c *claim) release() {
	if c.mine == nil {
		return
	}
	c.room.all.Release(c.held)
	c.mine.room.Release(c.held)
	c.room.mu.Lock()
	defer c.room.mu.Unlock()
	if c.mine.claims--; c.mine.claims == 0 {
		delete(c.room.tokens, c.token)
	}
	c.mine = nil
}

// enter takes one place for a call of a token; leave gives it back.
func (r *room) enter(ctx context.Context, token uuid.UUID) (leave func(), err error) {
	c := r.claim(token)
	if err := c.take(ctx, 1); err != nil {
		c.release()
		return nil, err
	}
	return c.release, nil
}
