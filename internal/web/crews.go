package web

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/fetchq/server/internal/queue"
)

// crews keeps the list of workers, and how many each queue has, for a moment: many open pages cost one look at them.
type crews struct {
	engine *queue.Engine
	now    func() time.Time
	calls  singleflight.Group

	mu      sync.Mutex
	list    queue.Workers
	lists   time.Time // until when it is good
	counts  queue.WorkerCounts
	counted time.Time // until when they are good
}

const (
	crewLasts   = 2 * time.Second
	crewShare   = 20 // a list that took long is good for so many times as long
	countsLast  = 5 * time.Second
	countsAgain = time.Second // after a failure
)

func newCrews(engine *queue.Engine, now func() time.Time) *crews {
	return &crews{engine: engine, now: now}
}

// all returns all workers as the context sees them, 2 s old at most where what they hold is read quickly.
func (c *crews) all(ctx context.Context) (queue.Workers, error) {
	list, err := c.everywhere(queue.WithinAll(ctx))
	return list.Seen(ctx), err
}

func (c *crews) everywhere(ctx context.Context) (queue.Workers, error) {
	c.mu.Lock()
	list, good := c.list, c.now().Before(c.lists)
	c.mu.Unlock()
	if good {
		return list, nil
	}
	found, err, _ := c.calls.Do("list", func() (any, error) {
		// The first of several callers may go away; what it asked serves the others.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), boardWait)
		defer cancel()
		began := c.now()
		list, err := c.engine.Workers(ctx)
		if err != nil {
			return nil, err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.list, c.lists = list, began.Add(max(crewLasts, crewShare*c.now().Sub(began)))
		return list, nil
	})
	if err != nil {
		return queue.Workers{}, err
	}
	return found.(queue.Workers), nil //nolint:forcetypeassert // made above
}

// seen returns how many workers there are that the context sees, and of each queue; see count.
func (c *crews) seen(ctx context.Context) queue.WorkerCounts {
	counts := c.count(ctx)
	if !queue.Limited(ctx) || counts.ByQueue == nil {
		return counts
	}
	counts.Seen = 0
	all, _ := c.all(ctx) // none where they cannot be read
	for _, w := range all.List {
		if all.AsOf.Sub(w.Seen) <= queue.Unseen {
			counts.Seen++
		}
	}
	return counts
}

// count returns how many workers there are in each queue and in all, 5 s old at most; while the database does not answer, as far as was known before.
func (c *crews) count(ctx context.Context) queue.WorkerCounts {
	c.mu.Lock()
	counts, good := c.counts, c.now().Before(c.counted)
	c.mu.Unlock()
	if good {
		return counts
	}
	found, _, _ := c.calls.Do("count", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), boardWait)
		defer cancel()
		counts, err := c.engine.WorkerCounts(ctx)
		c.mu.Lock()
		defer c.mu.Unlock()
		if err != nil {
			c.counted = c.now().Add(countsAgain)
			return c.counts, nil
		}
		c.counts, c.counted = counts, c.now().Add(countsLast)
		return counts, nil
	})
	return found.(queue.WorkerCounts) //nolint:forcetypeassert // made above
}

// forget makes the next look a new one: a worker was asked something, or lost something.
func (c *crews) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lists, c.counted = time.Time{}, time.Time{}
}
