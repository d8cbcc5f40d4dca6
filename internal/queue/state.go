package queue

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// queueState is what every pick wants to know about its queue.
type queueState struct {
	pauses  []Pause // those that last, that of the whole queue first
	limited bool    // it has max_active, rate or limits by key
	quiets  int64   // how often it changed which workers are quiet
	at      time.Time
}

// states remembers for a second how queues stand, for workers that are told so with every answer.
type states struct {
	mu    sync.Mutex
	now   func() time.Time
	known map[string]queueState
}

const stateLasts = time.Second

func newStates(now func() time.Time) *states {
	return &states{now: now, known: map[string]queueState{}}
}

func (c *states) get(queue string) (queueState, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, known := c.known[queue]
	return s, known && c.now().Sub(s.at) < stateLasts
}

func (c *states) set(queue string, s queueState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known[queue] = s
}

func (c *states) forget(queue string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.known, queue)
}

// state tells how a queue stands; it may be a second old. With it the node learns which workers are quiet. NotFound: no such queue.
func (e *Engine) state(ctx context.Context, queue string) (queueState, error) {
	if s, known := e.states.get(queue); known {
		return s, nil
	}
	s, err := queryRow(ctx, e, "read the state of "+queue, func(row pgx.CollectableRow) (s queueState, err error) {
		var pauses []byte
		if err = row.Scan(&pauses, &s.limited, &s.quiets); err == nil {
			s.pauses, err = readPauses(pauses)
		}
		return s, err
	}, `select `+pausesColumn+`, q.max_active is not null or q.rate_picks is not null or fetchq.is_keyed(q),
			(select changes from fetchq.quiet_state)
		from fetchq.queue_find($1) q`, queue)
	if err != nil {
		return s, err
	}
	s.at = e.now()
	e.states.set(queue, s)
	if e.quiets.old(s.quiets) {
		err = e.readQuiets(ctx)
	}
	return s, err
}

// forget drops what this node knows about a queue, and lets those who wait for it look again.
func (e *Engine) forget(queue string) {
	e.marks.forget(queue)
	e.sweeps.forget(queue)
	e.states.forget(queue)
	e.hub.wakeQueue(queue)
}

// wakeQueue lets those who wait for a queue look again, here and on other nodes.
func (e *Engine) wakeQueue(queue string) {
	e.forget(queue)
	e.peers.changed(queue)
}
