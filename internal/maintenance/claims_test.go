package maintenance

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
)

// claimed are the kinds that a node gets at a moment that lies so many seconds ahead.
const claimed = `select coalesce(string_agg(kind, ' ' order by kind), '')
	from fetchq.job_claim($1, 100, 100, clock_timestamp() + $2::float8 * interval '1 second')`

const everyKind = "expire fold mark_due orphans vacuum"

// sleeps is in how many seconds a job runs next.
const sleeps = `select extract(epoch from next_run - clock_timestamp())::float8 from fetchq.jobs where queue = 'a' and kind = $1`

// lull lets the jobs of a queue sleep for 30 seconds, as after a long time without work.
func lull(t *testing.T, db *pgxpool.Pool) {
	t.Helper()
	if _, err := db.Exec(t.Context(), `update fetchq.jobs set next_run = clock_timestamp() + interval '30 seconds', streak = 20`); err != nil {
		t.Fatal(err)
	}
}

func TestClaimsOfANodeThatDiedRunOutAfterTenSeconds(t *testing.T) {
	t.Parallel()
	db, e, l := node(t, dbtest.URL(t), "alive")
	put(t, e, "a", `{}`)
	if got := scan[string](t, db, claimed, "dead", 0); got != everyKind {
		t.Fatalf("claimed %q", got)
	}
	if n := round(t, l); n != 0 {
		t.Errorf("the other node took %d claimed jobs", n)
	}
	if s := scan[float64](t, db, `select fetchq.job_next(p_now => clock_timestamp() + interval '5 seconds')`); s < 3 || s > 5 {
		t.Errorf("5 seconds later the next look is in %.1f s; the claims run out in 5", s)
	}
	if got := scan[string](t, db, claimed, "alive", 9); got != "" {
		t.Errorf("%q are taken after 9 seconds", got)
	}
	if got := scan[string](t, db, claimed, "alive", 11); got != everyKind {
		t.Errorf("%q are taken after 11 seconds", got)
	}
}

func TestALostLeaseComesBackAfterItsNodeDied(t *testing.T) {
	t.Parallel()
	db, e, _ := node(t, dbtest.URL(t), "alive")
	put(t, e, "a", `{"backoff":{"kind":"none"}}`)
	if _, err := e.Push(t.Context(), "a", []queue.Push{{Subject: "x"}}, queue.Ignore); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Pick(t.Context(), "a", queue.PickParams{Lock: time.Second}); err != nil {
		t.Fatal(err)
	}
	scan[string](t, db, claimed, "dead", 0)
	if got := scan[string](t, db, claimed, "alive", 11); got != everyKind {
		t.Fatalf("claimed %q", got)
	}
	if n := scan[int](t, db, `select sum(items) from fetchq.mnt_orphans('a', p_now => clock_timestamp() + interval '11 seconds')`); n != 1 {
		t.Errorf("%d documents came back", n)
	}
}

// TestAClaimIsLengthenedWhileItsJobRuns moves this machine's clock, by which a node knows how long a job has run.
func TestAClaimIsLengthenedWhileItsJobRuns(t *testing.T) {
	t.Parallel()
	db, e, l := node(t, dbtest.URL(t), "n1")
	put(t, e, "a", `{}`)
	busy := newBlock(l, "fold", "a")
	defer busy.end()
	clock := newClock()
	l.now = clock.now
	if _, err := l.runOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-busy.began
	const ends = `select extract(epoch from claimed_until - clock_timestamp())::float8 from fetchq.jobs where kind = 'fold'`
	if _, err := db.Exec(t.Context(), `update fetchq.jobs set claimed_until = clock_timestamp() + interval '20 seconds' where kind = 'fold'`); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		after    time.Duration
		from, to float64
	}{{2 * time.Second, 15, 20}, {2 * time.Second, 5, 10}} {
		clock.move(step.after)
		if _, err := l.runOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s := scan[float64](t, db, ends); s < step.from || s > step.to {
			t.Errorf("%s later the claim ends in %.1f s; %.0f to %.0f are wanted", step.after, s, step.from, step.to)
		}
	}
}

// TestTransactionsThatStayOpenHoldNoJob pushes, picks, extends and writes logs in a transaction that is not committed:
// every job may be claimed and finished meanwhile, and what the transaction has for it is seen when it is committed.
func TestTransactionsThatStayOpenHoldNoJob(t *testing.T) {
	t.Parallel()
	db, e, _ := node(t, dbtest.URL(t), "n1")
	ctx := t.Context()
	put(t, e, "a", `{}`)
	if _, err := e.Push(ctx, "a", []queue.Push{{Subject: "x"}}, queue.Ignore); err != nil {
		t.Fatal(err)
	}
	lull(t, db)
	scan[string](t, db, claimed, "n0", 0) // takes in the wakes of the push
	lull(t, db)
	tx, err := db.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(ctx) }()
	if _, err := tx.Exec(ctx, `
		select fetchq.doc_push('a', 'y', p_next_iteration => clock_timestamp() + interval '2 seconds');
		select fetchq.doc_pick('a', p_lock => '2 seconds');
		select fetchq.doc_extend_many('a', array['x'], array[(select lease from q_a.docs where subject = 'x')], '3 seconds', 'half');
		select fetchq.log_add_many('a', 0, null, array['noted'])`); err != nil {
		t.Fatal(err)
	}
	if got := scan[string](t, db, claimed, "n1", 40); got != everyKind {
		t.Errorf("%q can be claimed meanwhile", got)
	}
	if _, err := db.Exec(ctx, `set lock_timeout = '2s'; select fetchq.job_done('a', k, 'n1', 1, 0, null, '30 s', '30 s') from unnest(fetchq.job_kinds()) k`); err != nil {
		t.Errorf("a job cannot be finished meanwhile: %v", err)
	}
	if s := scan[float64](t, db, `select fetchq.job_next()`); s < 20 {
		t.Errorf("the next job is due in %.1f s, for what is not committed", s)
	}
	if err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if s := scan[float64](t, db, `select fetchq.job_next()`); s > 1 {
		t.Errorf("the next job is due in %.1f s after the commit", s)
	}
	scan[string](t, db, claimed, "n1", -100)
	for kind, most := range map[string]float64{"fold": 1, "mark_due": 2, "orphans": 2} {
		if s := scan[float64](t, db, sleeps, kind); s > most {
			t.Errorf("%s runs in %.1f s after the commit; %.0f is wanted", kind, s, most)
		}
	}
}

// TestAJobThatRunsBeforeACommitRunsAgainAfterIt lets the job of an idle queue run by itself while a push is not committed:
// it finds nothing and would sleep for long.
func TestAJobThatRunsBeforeACommitRunsAgainAfterIt(t *testing.T) {
	t.Parallel()
	db, e, _ := node(t, dbtest.URL(t), "n1")
	put(t, e, "a", `{}`)
	lull(t, db)
	if _, err := db.Exec(t.Context(), `update fetchq.jobs set next_run = clock_timestamp()`); err != nil {
		t.Fatal(err)
	}
	tx, err := db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	if _, err := tx.Exec(t.Context(), `select fetchq.doc_push('a', 'x')`); err != nil {
		t.Fatal(err)
	}
	scan[string](t, db, claimed, "n1", 0)
	if s := scan[float64](t, db, `select fetchq.job_done('a', 'fold', 'n1', 1, 0, null, '1 s', '30 s')`); s < 24 {
		t.Fatalf("fold sleeps for %.1f s", s)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := scan[float64](t, db, `select fetchq.job_next()`); s > 1 {
		t.Errorf("fold runs in %.1f s after the commit", s)
	}
}

// TestAWakeDuringARunIsNotLost writes while a job runs: the run may not have seen it, so it runs again.
func TestAWakeDuringARunIsNotLost(t *testing.T) {
	t.Parallel()
	for name, taken := range map[string]bool{"left for job_done": false, "taken by another node meanwhile": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, e, _ := node(t, dbtest.URL(t), "n1")
			put(t, e, "a", `{}`)
			lull(t, db)
			scan[string](t, db, claimed, "n1", 31)
			if _, err := e.Push(t.Context(), "a", []queue.Push{{Subject: "x"}}, queue.Ignore); err != nil {
				t.Fatal(err)
			}
			if taken {
				scan[string](t, db, claimed, "n2", 0)
			}
			scan[float64](t, db, `select fetchq.job_done('a', 'fold', 'n1', 1, 0, null, '30 s', '30 s')`)
			scan[string](t, db, claimed, "n2", -100)
			if s := scan[float64](t, db, sleeps, "fold"); s > 1 {
				t.Errorf("fold runs in %.1f s", s)
			}
		})
	}
}

func TestABusyQueueWritesNoWakes(t *testing.T) {
	t.Parallel()
	db, e, _ := node(t, dbtest.URL(t), "n1")
	put(t, e, "a", `{}`)
	lull(t, db)
	for range 50 {
		if _, err := e.Push(t.Context(), "a", []queue.Push{{Next: wire.Date{Delay: &wire.Interval{Micros: 5e6}}, Subject: "x"}}, queue.Update); err != nil {
			t.Fatal(err)
		}
	}
	if n := scan[int](t, db, `select count(*) from fetchq.wakes`); n != 2 {
		t.Errorf("50 pushes wrote %d wakes; one for each of fold and mark_due is wanted", n)
	}
	scan[string](t, db, claimed, "n1", -100)
	if _, err := db.Exec(t.Context(), `update fetchq.jobs set streak = 0`); err != nil { // a job that finds something at each run
		t.Fatal(err)
	}
	if _, err := e.Push(t.Context(), "a", []queue.Push{{Subject: "y"}}, queue.Ignore); err != nil {
		t.Fatal(err)
	}
	if n := scan[int](t, db, `select count(*) from fetchq.wakes`); n != 0 {
		t.Errorf("a push whose jobs run in time wrote %d wakes", n)
	}
}

func TestADropTakesTheWakesAndAJobWithoutAQueueIsRemoved(t *testing.T) {
	t.Parallel()
	db, e, l := node(t, dbtest.URL(t), "n1")
	put(t, e, "a", `{}`)
	put(t, e, "b", `{}`)
	lull(t, db)
	if _, err := e.Push(t.Context(), "a", []queue.Push{{Subject: "x"}}, queue.Ignore); err != nil {
		t.Fatal(err)
	}
	if err := e.Drop(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if n := scan[int](t, db, `select count(*) from fetchq.wakes`); n != 0 {
		t.Errorf("%d wakes are left", n)
	}
	if _, err := db.Exec(t.Context(), `delete from fetchq.queues where name = 'b'; update fetchq.jobs set next_run = clock_timestamp()`); err != nil {
		t.Fatal(err)
	}
	round(t, l)
	if n := scan[int](t, db, `select count(*) from fetchq.jobs`); n != 0 {
		t.Errorf("%d jobs of a queue that is not there are left", n)
	}
}
