package maintenance

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
)

func node(t *testing.T, url, name string) (*pgxpool.Pool, *queue.Engine, *Loop) {
	t.Helper()
	db := dbtest.Open(t, url)
	log := slog.New(slog.DiscardHandler)
	e := queue.New(db, queue.Options{Log: log, Node: name, Now: time.Now})
	t.Cleanup(e.Stop)
	return db, e, New(db, e, Options{Log: log, Node: name, Now: time.Now})
}

func put(t *testing.T, e *queue.Engine, name, settings string) {
	t.Helper()
	if _, _, err := e.Put(t.Context(), name, json.RawMessage(settings)); err != nil {
		t.Fatal(err)
	}
}

// round lets a loop claim once, waits for the jobs that it began, and returns how many there were.
func round(t *testing.T, l *Loop) int {
	t.Helper()
	n, err := l.runOnce(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l.jobs.Wait()
	return n
}

// eventually polls until what is true or the time is up.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 20 seconds", what)
		}
	}
}

func scan[T any](t *testing.T, db *pgxpool.Pool, sql string, args ...any) T {
	t.Helper()
	var v T
	if err := db.QueryRow(context.Background(), sql, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

func TestTheLoopDoesEveryJobOfAQueue(t *testing.T) {
	t.Parallel()
	db, e, l := node(t, dbtest.URL(t), "n1")
	ctx := t.Context()
	put(t, e, "a", `{"backoff":{"kind":"none"},"completed_retention":"1h"}`)
	if _, err := e.Push(ctx, "a", []queue.Push{
		{Subject: "lost"}, {Subject: "soon", Next: wire.Date{Delay: &wire.Interval{Micros: 300_000}}}, {Subject: "done"},
	}, queue.Ignore); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Pick(ctx, "a", queue.PickParams{Limit: 1, Lock: time.Second, Worker: "w"}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(ctx, `select fetchq.doc_complete('a', 'done');
		update q_a.docs set last_iteration = now() - interval '2 hours' where subject = 'done'`); err != nil {
		t.Fatal(err)
	}
	if err := l.Start(ctx); err != nil {
		t.Fatal(err)
	}
	defer l.Stop()
	eventually(t, "the lost lease comes back", func() bool {
		d, err := e.Doc(ctx, "a", "lost")
		return err == nil && d.Status == queue.Pending && d.Attempts == 1
	})
	eventually(t, "the planned document is marked", func() bool {
		d, err := e.Doc(ctx, "a", "soon")
		return err == nil && d.Status == queue.Pending
	})
	eventually(t, "the finished document is removed", func() bool {
		return scan[int](t, db, `select count(*) from q_a.docs where subject = 'done'`) == 0
	})
	eventually(t, "the counters are folded", func() bool {
		return scan[int](t, db, `select count(*) from q_a.deltas`) == 0 &&
			scan[int](t, db, `select pending from fetchq.counters where queue = 'a'`) == 2
	})
	put(t, e, "a", `{"key":{"subject":"host"},"key_limits":{"max_active":1}}`)
	eventually(t, "the indexes by key are there and used", func() bool {
		q, err := e.Get(ctx, "a")
		return err == nil && q.KeysReady
	})
	if _, err := e.Pause(ctx, "a", queue.PauseParams{}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Relocate(ctx, "a", nil); err != nil { // to where it is: there is nothing to copy
		t.Fatal(err)
	}
	eventually(t, "the move is over", func() bool {
		q, err := e.Get(ctx, "a")
		return err == nil && q.Move == nil
	})
	eventually(t, "every job ran and said ok", func() bool {
		return scan[int](t, db, `select count(*) from fetchq.jobs where last_outcome = 'ok'`) == len(kinds)-1 // that of the move went with it
	})
}

func TestAFailingJobIsTriedAgainAndShown(t *testing.T) {
	t.Parallel()
	db, e, l := node(t, dbtest.URL(t), "n1")
	put(t, e, "a", `{}`)
	dbtest.Replace(t, db, "mnt_fold", "select count(*), coalesce", "select 1/0, coalesce")
	if _, err := db.Exec(t.Context(), `insert into q_a.deltas (version, pending) values (0, 0)`); err != nil {
		t.Fatal(err)
	}
	for run := 1; run <= 2; run++ {
		if _, err := db.Exec(t.Context(), `select fetchq.job_run_now('a', 'fold')`); err != nil {
			t.Fatal(err)
		}
		round(t, l)
		if n := scan[int](t, db, `select failures from fetchq.jobs where kind = 'fold' and last_error like '%division by zero%'
			and last_outcome = 'failed' and failing_since is not null and streak = 0 - $1::int and next_run > now()`, run); n != run {
			t.Errorf("run %d: %d failures are counted", run, n)
		}
	}
	dbtest.Replace(t, db, "mnt_fold", "select 1/0, coalesce", "select count(*), coalesce")
	if _, err := db.Exec(t.Context(), `select fetchq.job_run_now('a', 'fold')`); err != nil {
		t.Fatal(err)
	}
	round(t, l)
	if outcome := scan[string](t, db, `select last_outcome from fetchq.jobs where kind = 'fold' and failing_since is null`); outcome != "ok" {
		t.Errorf("the job says %s after it worked", outcome)
	}
}

func TestAnIdleQueueSleepsAndAPushWakesIt(t *testing.T) {
	t.Parallel()
	db, e, l := node(t, dbtest.URL(t), "n1")
	put(t, e, "a", `{}`)
	const sleeps = `select extract(epoch from next_run - clock_timestamp())::float8 from fetchq.jobs where kind = $1`
	awake := func() (list []string) {
		for kind, want := range map[string]float64{"mark_due": 30, "orphans": 30, "fold": 900} {
			if s := scan[float64](t, db, sleeps, kind); s < want*0.8 || s > want*1.2 {
				list = append(list, fmt.Sprintf("%s runs next in %.1f s and not in %.0f: %s", kind, s, want, scan[string](t, db, `select to_jsonb(j)::text from fetchq.jobs j where kind = $1`, kind)))
			}
		}
		return list
	}
	// Where the look for what is next was slow, which it is on a busy machine, it is made seldom, and the job runs again in a second.
	for n := 1; n <= 12 || len(awake()) > 0; n++ {
		if n > 60 {
			t.Fatalf("an idle queue does not sleep: %s", awake())
		}
		if _, err := db.Exec(t.Context(), `update fetchq.jobs set next_run = clock_timestamp()`); err != nil {
			t.Fatal(err)
		}
		round(t, l)
	}
	if _, err := e.Push(t.Context(), "a", []queue.Push{{Subject: "x", Next: wire.Date{Delay: &wire.Interval{Micros: 5e6}}}}, queue.Ignore); err != nil {
		t.Fatal(err)
	}
	if s := scan[float64](t, db, `select fetchq.job_next()`); s > 1.1 {
		t.Errorf("the next job is due in %.1f s after a push; 1 s is wanted", s)
	}
	scan[int](t, db, `select count(*) from fetchq.job_claim('nobody', 0, 0)`) // it takes the wakes in
	if s := scan[float64](t, db, sleeps, "fold"); s > 1.1 {
		t.Errorf("fold runs in %.1f s after a push; 1 s is wanted", s)
	}
	if s := scan[float64](t, db, sleeps, "mark_due"); s > 5.1 || s < 3 {
		t.Errorf("mark_due runs in %.1f s after a push with a date 5 s ahead", s)
	}
}

// TestJobsOfAQuietQueueArePutOff puts one off, and then changes what it was put off for.
func TestJobsOfAQuietQueueArePutOff(t *testing.T) {
	t.Parallel()
	db, e, l := node(t, dbtest.URL(t), "n1")
	put(t, e, "a", `{}`)
	exec := func(sql string) {
		t.Helper()
		if _, err := db.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	const asked = `select exists (select from fetchq.jobs where kind in ('mark_due', 'orphans') and again < clock_timestamp() + interval '10 seconds')`
	for n := 1; n <= 5 || scan[bool](t, db, asked); n++ { // one whose look for what is next was slow runs again in a second
		if n > 60 {
			t.Fatal("an idle queue does not sleep")
		}
		exec(`update fetchq.jobs set next_run = clock_timestamp()`)
		round(t, l)
	}
	claimed := func() string {
		t.Helper()
		text := scan[*string](t, db, `select string_agg(kind, ' ' order by kind) from fetchq.job_claim('n2', 10, 0)`)
		exec(`update fetchq.jobs set claimed_by = null, claimed_until = null, next_run = clock_timestamp() + interval '10 minutes'`)
		exec(`update fetchq.jobs set next_run = clock_timestamp() - interval '1 second' where kind in ('mark_due', 'orphans')`)
		if text == nil {
			return ""
		}
		return *text
	}
	claimed()
	if got := claimed(); got != "" {
		t.Errorf("%q are claimed", got)
	}
	for change, undo := range map[string]string{
		`update fetchq.jobs set again = clock_timestamp() where kind = 'mark_due'`:                              `update fetchq.jobs set again = null`,
		`insert into fetchq.wakes values ('a', 'fold', clock_timestamp() + interval '1 second')`:                `delete from fetchq.wakes`,
		`update fetchq.jobs set last_found = clock_timestamp() where kind = 'fold'`:                             `update fetchq.jobs set last_found = null`,
		`update fetchq.jobs set next_run = clock_timestamp() + interval '500 milliseconds' where kind = 'fold'`: `select`,
		`update fetchq.jobs set streak = 0 where kind = 'fold'`:                                                 `update fetchq.jobs set streak = 5`,
		`update fetchq.jobs set claimed_by = 'n3', claimed_until = 'infinity' where kind = 'fold'`:              `select`,
		`update fetchq.jobs set last_run = clock_timestamp() - interval '16 minutes'`:                           `update fetchq.jobs set last_run = clock_timestamp()`,
	} {
		exec(change)
		if got := claimed(); !strings.Contains(got, "mark_due") {
			t.Errorf("after %q %q are claimed", change, got)
		}
		exec(undo)
		if got := claimed(); got != "" {
			t.Errorf("after %q %q are claimed", undo, got)
		}
	}
}

func TestStopWithoutStartAndTwice(t *testing.T) {
	t.Parallel()
	_, _, l := node(t, dbtest.URL(t), "n1")
	l.Stop()
	l.Stop()
}

func TestWhatIsKeptNoLongerGoes(t *testing.T) {
	t.Parallel()
	db, e, _ := node(t, dbtest.URL(t), "n1")
	ctx := t.Context()
	put(t, e, "a", `{"logs_retention":"2h","killed_retention":"1h"}`)
	if _, err := e.Append(ctx, "a", "key", []queue.Push{{}}, queue.Ignore); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Push(ctx, "a", []queue.Push{{Subject: "old"}, {Subject: "young"}, {Subject: "done"}}, queue.Ignore); err != nil {
		t.Fatal(err)
	}
	if err := e.AddLogs(ctx, "a", "", []queue.NewLog{{Message: "old"}, {Message: "young"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(ctx, `
		select fetchq.doc_kill('a', 'old'), fetchq.doc_kill('a', 'young'), fetchq.doc_complete('a', 'done');
		update q_a.docs set last_iteration = clock_timestamp() - interval '61 minutes' where subject in ('old', 'done');
		update q_a.logs set created_at = clock_timestamp() - interval '121 minutes' where message = 'old';
		update q_a.requests set expires_at = clock_timestamp() - interval '1 s'`); err != nil {
		t.Fatal(err)
	}
	u, err := e.Expire(ctx, "a")
	if err != nil || u.Items != 3 {
		t.Errorf("%d rows went, error %v; a killed document, a line and a key are wanted", u.Items, err)
	}
	left := scan[string](t, db, `select string_agg(subject, ' ' order by subject) from q_a.docs where subject in ('old', 'young', 'done')`)
	lines := scan[string](t, db, `select string_agg(message, ' ') from q_a.logs`)
	if left != "done young" || lines != "young" {
		t.Errorf("documents %q and lines %q are left", left, lines)
	}
	checks, err := e.Doctor(ctx)
	if err != nil || !checks[0].OK() {
		t.Errorf("%+v %v", checks, err)
	}
}
