package bench

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fetchq/server/client"
)

// idle makes queues and then does nothing: what is measured is what the server does for them.
func idle(ctx context.Context, r *run) (load, error) {
	for n := 1; n < r.o.Queues; n++ {
		name := newName()
		r.note(name)
		if err := r.make(ctx, name, r.o); err != nil {
			return load{}, err
		}
	}
	return load{rest: func(ctx context.Context, m *measured) error {
		return r.watch(ctx, m, func(ctx context.Context) error { return r.sleep(ctx, r.o.Duration) })
	}}, nil
}

// pollWait is how long a poll waits before it asks again.
const pollWait = 5 * time.Second

// polls lets workers wait for documents that nobody pushes. They begin one after the other, as workers do.
func polls(_ context.Context, r *run) (load, error) {
	poll := load{workers: r.o.Connections, turn: func(ctx context.Context, worker, turn int) (step, error) {
		if turn == 0 {
			if err := r.sleep(ctx, pollWait*time.Duration(worker)/time.Duration(r.o.Connections)); err != nil {
				return step{}, err
			}
		}
		at := r.Now()
		picked, err := r.http.Pick(ctx, r.queue, client.PickRequest{Wait: pollWait.String(), Worker: "bench"})
		return step{documents: len(picked.Documents), took: r.Now().Sub(at)}, err
	}}
	return load{rest: func(ctx context.Context, m *measured) error {
		return r.watch(ctx, m, func(ctx context.Context) error {
			did, err := r.repeat(ctx, poll)
			m.documents, m.times = did.documents, did.times
			return err
		})
	}}, nil
}

// watch measures what the server does while something else goes on: transactions, time of the processors, connections.
func (r *run) watch(ctx context.Context, m *measured, meanwhile func(context.Context) error) error {
	before, err := r.counters(ctx)
	if err != nil {
		return err
	}
	program, postgres := ownSeconds(), r.postgresSeconds(ctx)
	var group errgroup.Group
	group.Go(func() error { return meanwhile(ctx) })
	most := 0
	group.Go(func() error {
		// In the first half connections may still be open that only the beginning needed.
		if err := r.sleep(ctx, r.o.Duration/2); err != nil {
			return err
		}
		if r.Settle != nil {
			r.Settle()
		}
		for end := before.at.Add(r.o.Duration); r.Now().Before(end); {
			var n int
			err := r.Bench.db.QueryRow(ctx, `select count(*) from pg_stat_activity where datname = current_database() and backend_type = 'client backend'
				and application_name not like 'fetchq bench%' and application_name <> 'fetchq command'`).Scan(&n)
			if err != nil {
				return fmt.Errorf("count the connections of the server: %w", err)
			}
			most = max(most, n)
			if err := r.sleep(ctx, 200*time.Millisecond); err != nil {
				return err
			}
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return err
	}
	later, laterPostgres := ownSeconds(), r.postgresSeconds(ctx)
	after, err := r.counters(ctx)
	if err != nil {
		return err
	}
	m.took = after.at.Sub(before.at)
	m.extra.connections = &most
	// The samples of the connections above are no work of the server's.
	commits := max(after.commits-before.commits-r.o.Duration.Seconds()/2/0.2, 0) / m.took.Seconds()
	m.extra.commits = &commits
	m.extra.program = share(program, later, m.took, r.Local)
	m.extra.postgres = share(postgres, laterPostgres, m.took, true)
	return nil
}

// share is how much of one core was taken; nil where that is not known.
func share(before, after *float64, took time.Duration, known bool) *float64 {
	if !known || before == nil || after == nil {
		return nil
	}
	part := (*after - *before) / took.Seconds()
	return &part
}
