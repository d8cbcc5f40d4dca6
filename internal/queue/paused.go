package queue

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// pauseCache remembers for a second whether a queue is paused, for workers that are told so with every answer.
type pauseCache struct {
	mu    sync.Mutex
	now   func() time.Time
	known map[string]pauseState
}

type pauseState struct {
	paused bool
	at     time.Time
}

const pauseLasts = time.Second

func newPauseCache(now func() time.Time) *pauseCache {
	return &pauseCache{now: now, known: map[string]pauseState{}}
}

func (c *pauseCache) get(queue string) (paused, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, known := c.known[queue]
	return s.paused, known && c.now().Sub(s.at) < pauseLasts
}

func (c *pauseCache) set(queue string, paused bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known[queue] = pauseState{paused, c.now()}
}

func (c *pauseCache) forget(queue string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.known, queue)
}

// isPaused tells whether a queue hands out nothing; it may be a second old. NotFound: no such queue.
func (e *Engine) isPaused(ctx context.Context, queue string) (bool, error) {
	if paused, known := e.paused.get(queue); known {
		return paused, nil
	}
	paused, err := queryRow(ctx, e, "read the pause of "+queue, pgx.RowTo[bool],
		`select fetchq.is_paused(fetchq.queue_find($1), clock_timestamp())`, queue)
	if err == nil {
		e.paused.set(queue, paused)
	}
	return paused, err
}

// forget drops what this node knows about a queue, and lets those who wait for it look again.
func (e *Engine) forget(queue string) {
	e.marks.forget(queue)
	e.paused.forget(queue)
	e.hub.wakeQueue(queue)
}

// wakeQueue lets those who wait for a queue look again, here and on other nodes.
func (e *Engine) wakeQueue(queue string) {
	e.forget(queue)
	e.peers.changed(queue)
}
