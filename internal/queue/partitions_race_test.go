package queue_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
)

// TestCallsMeetAtTheSameDocumentsOfAPartitionedQueue makes all calls that change documents by their subjects, many at once
// and all to the same few: each finds rows that changed while it waited for them. (A statement over all partitions that
// locks rows brings Postgres 18 down here.)
func TestCallsMeetAtTheSameDocumentsOfAPartitionedQueue(t *testing.T) {
	t.Parallel()
	e := start(t, dbtest.URL(t), "n")
	put(t, e, "a", `{"partitions":8,"max_attempts":1000000,"backoff":{"kind":"none"}}`)
	rounds := 25
	if testing.Short() {
		rounds = 5
	}
	var callers errgroup.Group
	for i := range 24 {
		callers.Go(func() error {
			r := rand.New(rand.NewPCG(7, uint64(i))) //nolint:gosec // a test
			for range rounds {
				if err := meet(t.Context(), e, r); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := callers.Wait(); err != nil {
		t.Fatal(err)
	}
	if checks, err := e.Doctor(t.Context()); err != nil || !checks[0].OK() {
		t.Errorf("%+v %v", checks, err)
	}
}

// meet makes one call about 20 of 40 subjects, in any order.
func meet(ctx context.Context, e *queue.Engine, r *rand.Rand) error {
	var docs []queue.Push
	var items []queue.Resolution
	action := []string{"run_now", "edit", "reschedule", "complete", "kill", "drop"}[r.IntN(6)]
	for _, i := range r.Perm(40)[:20] {
		subject := fmt.Sprint("document ", i)
		docs = append(docs, queue.Push{Subject: subject, Next: wire.Date{Delay: &wire.Interval{}}})
		item := queue.Resolution{Subject: subject, Action: action}
		switch action {
		case "reschedule":
			item.Next = wire.Date{Delay: &wire.Interval{}}
		case "edit":
			item.Payload = []byte(`{}`)
		}
		items = append(items, item)
	}
	switch r.IntN(3) {
	case 0:
		_, err := e.Push(ctx, "a", docs, queue.Update)
		return err
	case 1:
		_, err := e.Act(ctx, "a", items)
		return err
	}
	picked, err := e.Pick(ctx, "a", queue.PickParams{Limit: 20, Lock: time.Minute})
	if err != nil {
		return err
	}
	var leases []queue.Lease
	var ends []queue.Resolution
	plain := r.IntN(2) == 0
	for _, d := range picked.Documents {
		leases = append(leases, queue.Lease{Subject: d.Subject, Lease: d.Lease})
		end := queue.Resolution{Subject: d.Subject, Lease: d.Lease, Action: "reject"}
		if plain {
			end.Action, end.Next = "reschedule", wire.Date{Delay: &wire.Interval{}}
		}
		ends = append(ends, end)
	}
	if _, _, err := e.Extend(ctx, "a", leases, time.Minute, ""); err != nil {
		return err
	}
	_, err = e.Resolve(ctx, "a", ends)
	return err
}

// TestTheModelKnowsTheLeavesOfItsSubjects holds the table of the property tests against the formula.
func TestTheModelKnowsTheLeavesOfItsSubjects(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	for subject, leaf := range leaves {
		if got := one[int](t, db, `select fetchq.partition_of($1, 3)`, subject); got != leaf {
			t.Errorf("%s stands in leaf %d, not %d", subject, got, leaf)
		}
	}
}

// TestALeafIsFoundAsPostgresFindsIt holds the formula of partition_of against where Postgres put the rows.
func TestALeafIsFoundAsPostgresFindsIt(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	for _, partitions := range []int{1, 2, 7, 8, 256} {
		exec(t, db, fmt.Sprintf(`select fetchq.queue_put('a', '{"partitions": %d}')`, partitions))
		exec(t, db, `select fetchq.doc_push_many('a', array(select 'https://example.org/äöü?' || i from generate_series(1, 3000) i))`)
		wrong := one[int](t, db, `select count(*) from q_a.docs d
			where d.tableoid::regclass::text <> 'q_a.docs' || case when $1 > 1 then '_p' || fetchq.partition_of(subject, $1) else '' end`, partitions)
		leaves := one[int](t, db, `select count(distinct tableoid) from q_a.docs`)
		if wrong > 0 || leaves != partitions {
			t.Errorf("%d partitions: %d documents stand elsewhere, in %d leaves", partitions, wrong, leaves)
		}
		exec(t, db, `select fetchq.queue_drop('a')`)
	}
}
