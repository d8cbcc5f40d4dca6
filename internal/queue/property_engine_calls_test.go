package queue_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
)

// engineCalls calls the Go engine, whose clock is the database's.
type engineCalls struct {
	e  *queue.Engine
	db querier // for what the engine has no method for
}

func (c engineCalls) push(ctx context.Context, q string, docs []queue.Push, policy queue.OnConflict) ([]queue.Result, error) {
	results, err := c.e.Push(named(ctx), q, docs, policy)
	return plain(results), err
}

func (c engineCalls) add(ctx context.Context, q, key string, docs []queue.Push, policy queue.OnConflict) ([]queue.Result, error) {
	results, err := c.e.Append(named(ctx), q, key, docs, policy)
	return plain(results), err
}

func (c engineCalls) pick(ctx context.Context, q string, p queue.PickParams) ([]queue.Leased, error) {
	picked, err := c.e.Pick(named(ctx), q, p)
	return picked.Documents, err
}

func (c engineCalls) settle(ctx context.Context, q string, items []queue.Resolution, leased bool) ([]queue.Result, error) {
	if leased {
		results, err := c.e.Resolve(named(ctx), q, items)
		return plain(results), err
	}
	items = slices.Clone(items)
	for i := range items {
		items[i].Retry = nil // a field that an admin's call does not have
	}
	results, err := c.e.Act(named(ctx), q, items)
	return plain(results), err
}

func (c engineCalls) once(ctx context.Context, q, key string, item queue.Resolution) ([]queue.Result, error) {
	item.Retry = nil
	results, err := c.e.ActOnce(named(ctx), q, key, item)
	return plain(results), err
}

func (c engineCalls) extend(ctx context.Context, q string, leases []queue.Lease, lock time.Duration, progress string) ([]queue.ExtendResult, error) {
	results, _, err := c.e.Extend(named(ctx), q, leases, lock, progress)
	for i := range results {
		results[i].Detail = ""
	}
	return results, err
}

func (c engineCalls) note(ctx context.Context, q string, lines []queue.NewLog, worker string) error {
	return c.e.AddLogs(ctx, q, worker, lines)
}

func (c engineCalls) upkeep(ctx context.Context, q, job string) (err error) {
	switch job {
	case "mark_due":
		_, err = c.e.MarkDue(ctx, q)
	case "orphans":
		_, err = c.e.Orphans(ctx, q)
	case "fold":
		_, err = c.e.Fold(ctx, q)
	case "expire":
		_, err = c.e.Expire(ctx, q)
	case "index":
		_, err = c.e.Index(ctx, q)
	default:
		err = fmt.Errorf("the engine has no job %s", job)
	}
	return err
}

func (c engineCalls) put(ctx context.Context, q string, settings json.RawMessage) error {
	_, _, err := c.e.Put(ctx, q, settings)
	return err
}

func (c engineCalls) drop(ctx context.Context, q string) error { return c.e.Drop(ctx, q) }

func (c engineCalls) truncate(ctx context.Context, q string, logs bool) error {
	_, err := c.e.Truncate(named(ctx), q, logs)
	return err
}

func (c engineCalls) pause(ctx context.Context, q string, p pause, version int) error {
	_, err := c.e.Pause(ctx, q, queue.PauseParams{Reason: "a test", Until: wire.Date{At: p.until}, Kind: p.kind(), Version: orAll(version)})
	return err
}

func (c engineCalls) resume(ctx context.Context, q string, version int) error {
	_, err := c.e.Resume(ctx, q, orAll(version))
	return err
}

// named makes calls in somebody's name.
func named(ctx context.Context) context.Context { return queue.By(ctx, caller) }

// plain takes out what the model has no words for.
func plain(results []queue.Result) []queue.Result {
	for i := range results {
		results[i].Detail = ""
	}
	return results
}
