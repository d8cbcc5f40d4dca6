package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/test/bench/serve"
)

// server is the program under load.
type server struct {
	*serve.Server
	browser *serve.Browser
}

func startServer(ctx context.Context) (*server, error) {
	started, browser, err := serve.StartSignedIn(ctx, *program)
	if err != nil {
		return nil, err
	}
	return &server{started, browser}, nil
}

// shared is a subject that stands in several queues.
const shared = "https://shared.example/"

// name is that of a queue; the first is the largest.
func name(i int) string { return fmt.Sprintf("queue_%03d", i) }

// seed makes the queues and their documents, one half due and one half planned, and lets some workers fail. It returns when
// the counters have been folded and nothing is left to vacuum.
func (s *server) seed(ctx context.Context) error {
	each := *documents / 2 / (*queues - 1)
	for i := range *queues {
		if _, err := s.DB.Exec(ctx, `select fetchq.queue_create($1)`, name(i)); err != nil {
			return fmt.Errorf("make queue %d: %w", i, err)
		}
		n := each
		if i == 0 {
			n = *documents - each*(*queues-1)
		}
		for from := 0; from < n; from += 10_000 {
			_, err := s.DB.Exec(ctx, `
				select count(*) from fetchq.doc_push_many($1,
					array(select 'https://' || replace($1, '_', '-') || '.example/articles/' || g from generate_series($2::int, $3::int) g),
					array(select jsonb_build_object('depth', g % 7, 'title', 'article ' || g) from generate_series($2::int, $3::int) g),
					p_dates => array(select now() + case when g % 2 = 0 then interval '-1 minute' else interval '2 days' end from generate_series($2::int, $3::int) g))`,
				name(i), from, min(from+10_000, n)-1)
			if err != nil {
				return fmt.Errorf("push to queue %d: %w", i, err)
			}
		}
		if i%40 == 0 {
			if _, err := s.DB.Exec(ctx, `select fetchq.doc_push($1, $2)`, name(i), shared); err != nil {
				return fmt.Errorf("push to queue %d: %w", i, err)
			}
		}
		if i%10 == 0 {
			if err := s.work(ctx, name(i), 60, 20); err != nil {
				return err
			}
		}
	}
	for {
		var folded int64
		err := s.DB.QueryRow(ctx, `select coalesce(sum(planned + pending + active + completed + killed), 0)::bigint from fetchq.counters`).Scan(&folded)
		if err != nil {
			return err
		}
		if folded >= int64(*documents) {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	_, err := s.DB.Exec(ctx, `vacuum (analyze)`) // else autovacuum does it while something is measured
	return err
}

// work picks documents, completes most, and rejects some with an error.
func (s *server) work(ctx context.Context, queue string, good, bad int) error {
	rows, err := s.DB.Query(ctx, `select subject, lease from fetchq.doc_pick_many($1, 0, $2, '10 minutes', 'bench')`, queue, good+bad)
	if err != nil {
		return err
	}
	type held struct {
		Subject string
		Lease   int64
	}
	picked, err := pgx.CollectRows(rows, pgx.RowToStructByPos[held])
	if err != nil {
		return fmt.Errorf("pick from %s: %w", queue, err)
	}
	subjects, leases := make([]string, len(picked)), make([]int64, len(picked))
	actions, messages := make([]string, len(picked)), make([]*string, len(picked))
	timeout := "timeout after 3000 ms"
	for i, d := range picked {
		subjects[i], leases[i], actions[i] = d.Subject, d.Lease, "complete"
		if i >= good {
			actions[i], messages[i] = "reject", &timeout
		}
	}
	_, err = s.DB.Exec(ctx, `select count(*) from fetchq.doc_resolve_many($1, $2, $3, $4, p_messages => $5)`, queue, subjects, leases, actions, messages)
	return err
}
