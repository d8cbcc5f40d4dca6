package queue_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/queue"
)

// TestPagesGoForwardAndBackWhileEightWorkersChangeTheQueue turns pages of lists while workers push, pick, resolve and drop other documents as fast as they can.
// No document that stays where it stands is skipped or shown twice.
func TestPagesGoForwardAndBackWhileEightWorkersChangeTheQueue(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	e := start(t, url, "n")
	put(t, e, "a", `{"max_attempts":2}`)
	exec(t, e.DB(), scatterInto, "s", queue.Planned, 2) // all 60: none of them is due, or picked
	exec(t, e.DB(), `update q_a.docs set next_iteration = next_iteration + interval '1 hour', subject = 'still ' || subject, version = 5`)
	exec(t, e.DB(), `insert into q_a.docs (subject, seq, lease, next_iteration, created_at, last_iteration, size, version, status, payload)
		select 'still killed ' || to_char(i, 'FM000'), nextval('q_a.seq'), 1, now(), clock_timestamp(), now() - i % 7 * interval '1 minute', 2, 5, -1, '{}' from generate_series(1, 60) i`)
	exec(t, e.DB(), `select fetchq.queue_recount('a')`)

	ctx, cancel := context.WithCancel(t.Context())
	var workers errgroup.Group
	changes := make(chan struct{}, 1)
	for n := range 8 {
		workers.Go(func() error {
			for i := 0; ctx.Err() == nil; i++ {
				if err := stirAsWorker(ctx, e, n, i); err != nil && ctx.Err() == nil {
					return err
				}
				select {
				case changes <- struct{}{}:
				default:
				}
			}
			return nil
		})
	}
	stir := func() error { // some change comes between two pages
		select {
		case <-changes:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	rng := dice(t)
	for name, tt := range map[string]struct {
		f   queue.DocFilter
		sql string
	}{
		"all":                  {queue.DocFilter{}, `order by subject`},
		"a version":            {queue.DocFilter{Version: ptr(5)}, `order by subject`},
		"planned":              {queue.DocFilter{Status: ptr(queue.Planned)}, `and status = 0 order by next_iteration, seq`},
		"planned by subject":   {queue.DocFilter{Status: ptr(queue.Planned), Order: queue.BySubject}, `and status = 0 order by subject`},
		"killed":               {queue.DocFilter{Status: ptr(queue.Killed)}, `and status = -1 order by last_iteration desc, seq desc`},
		"killed, with payload": {queue.DocFilter{Status: ptr(queue.Killed), Payload: []byte(`{}`)}, `and status = -1 order by last_iteration desc, seq desc`},
	} {
		still := names(t, e.DB(), `select subject from q_a.docs where subject like 'still %' and version = 5 `+tt.sql)
		if err := wander(rng, turns(), still, docPager(ctx, e, "a", tt.f), stir); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	cancel()
	if err := workers.Wait(); err != nil {
		t.Error(err)
	}
	if n := one[int](t, e.DB(), `select fetchq.metric_get('a', 'picked')::int`); n < 100 {
		t.Errorf("only %d documents were picked meanwhile", n)
	}
}

// stirAsWorker pushes some documents, picks some, ends them in all ways, and drops some.
func stirAsWorker(ctx context.Context, e *queue.Engine, n, i int) error {
	var docs []queue.Push
	for range 5 {
		docs = append(docs, queue.Push{Subject: fmt.Sprintf("%s %d %d", []string{"a", "still0", "still killed0", "z"}[rand.IntN(4)], n, rand.IntN(40)), Version: ptr(i % 2)}) //nolint:gosec // a test's choice
	}
	if _, err := e.Push(ctx, "a", docs, queue.Update); err != nil {
		return err
	}
	picked, err := e.Pick(ctx, "a", queue.PickParams{Limit: 5, Version: i % 2, Worker: fmt.Sprint("w", n)})
	if err != nil || len(picked.Documents) == 0 {
		return err
	}
	var ends []queue.Resolution
	for j, d := range picked.Documents {
		ends = append(ends, queue.Resolution{Subject: d.Subject, Lease: d.Lease, Action: []string{"complete", "reject", "kill", "drop", "complete"}[j%5]})
	}
	_, err = e.Resolve(ctx, "a", ends)
	return err
}
