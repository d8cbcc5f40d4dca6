package queue_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
)

// TestARenamedQueueGoesOnUnderItsNewName renames a queue with everything that a queue can have, and sees that all of it is there under the
// new name, that nothing is left under the old one, and that who asks for that is told.
func TestARenamedQueueGoesOnUnderItsNewName(t *testing.T) {
	t.Parallel()
	for _, partitions := range []int{1, 3} {
		url := dbtest.URL(t)
		db, e := dbtest.Open(t, url), start(t, url, "n")
		put(t, e, "a", fmt.Sprintf(`{"partitions":%d,"journal":"all","key":{"subject":"host"},"key_limits":{"max_active":2}}`, partitions))
		push(t, e, queue.Push{Subject: "https://x.example/1"}, queue.Push{Subject: "https://x.example/2"}, queue.Push{Subject: "https://y.example/1"})
		held := pick(t, e, queue.PickParams{Limit: 2, Worker: "w"})
		exec(t, db, `insert into fetchq.tokens (id, name, hash, rights, queues) values
			(gen_random_uuid(), 'one', 'x', '{work}', '{a,other,a*}'), (gen_random_uuid(), 'all', 'y', '{work}', null)`)
		user := one[string](t, db, `insert into fetchq.users (id, email, name, role) values (gen_random_uuid(), 'u@x.example', 'u', 'admin') returning id::text`)
		exec(t, db, `insert into fetchq.stars (user_id, queue) values ($1, 'a'), ($1, 'b')`, user)
		exec(t, db, `insert into fetchq.dashboards (id, name, charts, created_by) values
			(gen_random_uuid(), 'ours', '{m=picked%3Arate&queue=a&queue=ab&stack=1,m=picked%3Arate&queue=aa,queue=a}', 'u')`)
		exec(t, db, `insert into fetchq.marks (at, text, queue, created_by) values (now(), 'v1', 'a', 'u'), (now(), 'v2', null, 'u')`)
		exec(t, db, `select fetchq.metric_increment('a', 'visits')`)
		before, err := e.Standing(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}

		q, err := e.Rename(queue.By(t.Context(), "user:u@x.example"), "a", "b")
		if err != nil || q.Name != "b" || q.Counts != before.Counts {
			t.Fatalf("renamed: %+v, %v", q, err)
		}
		if now, err := e.Standing(t.Context(), "b"); err != nil || now.Events != before.Events {
			t.Errorf("events %+v before, %+v after: %v", before.Events, now.Events, err)
		}
		for _, table := range []string{"queues where name", "counters where queue", "queue_states where queue", "jobs where queue", "wakes where queue", "asks where queue", "stars where queue", "marks where queue", "metrics where queue"} {
			if n := one[int](t, db, `select count(*) from fetchq.`+table+` = 'a'`); n > 0 {
				t.Errorf("%d rows are left of %s = a", n, table)
			}
		}
		if kinds := one[int](t, db, `select count(*) from fetchq.jobs where queue = 'b' and claimed_by is null`); kinds != 5 {
			t.Errorf("%d jobs", kinds)
		}
		if list := one[string](t, db, `select array_to_string(queues, ' ') from fetchq.tokens where name = 'one'`); list != "b other a*" {
			t.Errorf("the token is for %q", list)
		}
		if list := one[string](t, db, `select array_to_string(charts, ' ') from fetchq.dashboards`); list != "m=picked%3Arate&queue=b&queue=ab&stack=1 m=picked%3Arate&queue=aa queue=b" {
			t.Errorf("the charts are %q", list)
		}
		if text := one[string](t, db, `select coalesce(string_agg(proname, ' '), '') from pg_proc
			where pronamespace = 'q_b'::regnamespace and prosrc ~ 'q_a\M|''a'''`); text != "" {
			t.Errorf("the old name stands in %s", text)
		}
		// Leases live on, and all goes on.
		results, err := e.Resolve(t.Context(), "b", []queue.Resolution{{Subject: held[0].Subject, Lease: held[0].Lease, Action: "complete"}})
		if err != nil || results[0].Outcome != "ok" {
			t.Errorf("a lease from before: %+v, %v", results, err)
		}
		if rest, err := e.Pick(t.Context(), "b", queue.PickParams{Limit: 5}); err != nil || len(rest.Documents) != 1 {
			t.Errorf("picked %+v, %v", rest, err)
		}
		for _, job := range []func(context.Context, string) (queue.Upkeep, error){e.MarkDue, e.Orphans, e.Fold, e.Expire, e.Index} {
			if _, err := job(t.Context(), "b"); err != nil {
				t.Error(err)
			}
		}
		journal, err := e.Journal(t.Context(), "b", held[0].Subject, 10, 0)
		if err != nil || len(journal) != 4 || journal[0].Action != "complete" || journal[1].Action != "rename" || *journal[1].By != "user:u@x.example" {
			t.Errorf("journal %+v, %v", journal, err)
		}

		_, err = e.Pick(t.Context(), "a", queue.PickParams{})
		if errs.Of(err) != errs.NotFound || !strings.Contains(err.Error(), "it is b now") {
			t.Errorf("a pick from the old name: %v", err)
		}
		if _, err := e.Rename(t.Context(), "b", "c"); err != nil {
			t.Fatal(err)
		}
		if _, err = e.Get(t.Context(), "a"); err == nil || !strings.Contains(err.Error(), "it is c now") {
			t.Errorf("twice renamed: %v", err)
		}
		put(t, e, "a", `{}`) // the name is free
		if checks, err := e.Doctor(t.Context()); err != nil || !checks[0].OK() {
			t.Errorf("%+v, %v", checks, err)
		}
		if _, err := e.Rename(t.Context(), "c", "a"); errs.Of(err) != errs.Exists {
			t.Errorf("to a name that is taken: %v", err)
		}
		if _, err := e.Rename(t.Context(), "c", "C"); errs.Of(err) != errs.Invalid {
			t.Errorf("to no name: %v", err)
		}
	}
}

// TestARenameWhileWorkersWorkLosesNothing renames a queue to and fro while others push, pick and complete. A call either does all of its work or is
// told that there is no such queue, and no document is lost, done twice, or counted wrong.
func TestARenameWhileWorkersWorkLosesNothing(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	e := start(t, url, "n")
	put(t, e, "a", `{"journal":"all"}`)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var pushed, completed, missed atomic.Int64
	var workers errgroup.Group
	for i := range 8 {
		workers.Go(func() error {
			for n := 0; ctx.Err() == nil; n++ {
				name := []string{"a", "b"}[n%2]
				results, err := e.Push(t.Context(), name, []queue.Push{{Subject: fmt.Sprint(i, " ", n)}}, queue.Ignore)
				if err == nil && results[0].Outcome == "created" {
					pushed.Add(1)
				}
				var picked queue.Picked
				if err == nil {
					picked, err = e.Pick(t.Context(), name, queue.PickParams{Limit: 2})
				}
				for _, d := range picked.Documents {
					var done []queue.Result
					for err = errs.New(errs.NotFound, ""); errs.Of(err) == errs.NotFound; { // wherever the queue is by now
						for _, name := range []string{"a", "b"} {
							if done, err = e.Resolve(t.Context(), name, []queue.Resolution{{Subject: d.Subject, Lease: d.Lease, Action: "complete"}}); err == nil {
								break
							}
						}
					}
					if err == nil && done[0].Outcome == "ok" {
						completed.Add(1)
					}
				}
				if errs.Of(err) == errs.NotFound {
					missed.Add(1)
				} else if err != nil {
					return err
				}
			}
			return nil
		})
	}
	name := "a"
	for range 20 {
		to := map[string]string{"a": "b", "b": "a"}[name]
		if _, err := e.Rename(t.Context(), name, to); err != nil {
			t.Fatal(err)
		}
		name = to
		time.Sleep(20 * time.Millisecond)
	}
	stop()
	if err := workers.Wait(); err != nil {
		t.Fatal(err)
	}
	q, err := e.Get(t.Context(), name)
	total := q.Counts.Pending + q.Counts.Completed + q.Counts.Active
	if err != nil || total != pushed.Load() || q.Counts.Completed != completed.Load() || q.Counts.Active != 0 || missed.Load() == 0 {
		t.Errorf("%d pushed, %d completed, %d missed; counted %+v, %v", pushed.Load(), completed.Load(), missed.Load(), q.Counts, err)
	}
	if checks, err := e.Doctor(t.Context()); err != nil || !checks[0].OK() {
		t.Errorf("%+v, %v", checks, err)
	}
}

// TestARenameGivesUpBehindACallThatStaysOpen waits for a transaction for a while and then changes nothing; meanwhile others work.
func TestARenameGivesUpBehindACallThatStaysOpen(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	db, e := dbtest.Open(t, url), start(t, url, "n")
	put(t, e, "a", `{}`)
	tx := begin(t, db, `select fetchq.doc_push('a', 'open')`)
	renamed := make(chan error, 1)
	go func() {
		_, err := e.Rename(t.Context(), "a", "b")
		renamed <- err
	}()
	slowest := time.Duration(0)
	for n := 0; ; n++ {
		select {
		case err := <-renamed:
			if errs.Of(err) != errs.Overloaded {
				t.Errorf("the rename answers %v", err)
			}
			if err := tx.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			if q, err := e.Get(t.Context(), "a"); err != nil || q.Counts.Pending != int64(n)+1 || n < 10 || slowest > 2*time.Second {
				t.Errorf("%d pushes beside it, the slowest took %s: %+v %v", n, slowest, q.Counts, err)
			}
			return
		default:
		}
		began := time.Now()
		push(t, e, queue.Push{Subject: fmt.Sprint(n)})
		slowest = max(slowest, time.Since(began))
	}
}

// TestARenameWaitsForANewMetric renames a queue while a call brings a metric that it did not have yet: the name and what was measured go along.
func TestARenameWaitsForANewMetric(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	db, e := dbtest.Open(t, url), start(t, url, "n")
	put(t, e, "a", `{}`)
	tx := begin(t, db, `select fetchq.metric_increment('a', 'visits', 3)`)
	renamed := make(chan error, 1)
	go func() {
		_, err := e.Rename(t.Context(), "a", "b")
		renamed <- err
	}()
	select {
	case err := <-renamed:
		t.Errorf("it did not wait for a call under way: %v", err)
		renamed <- err
	case <-time.After(500 * time.Millisecond):
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-renamed; err != nil {
		t.Fatal(err)
	}
	if at := one[string](t, db, `select string_agg(queue, ' ') from fetchq.metrics where name = 'visits'`); at != "b" {
		t.Errorf("the name stands at %q", at)
	}
	if sum := one[float64](t, db, `select sum(value) from fetchq.metric_totals('b') where name = 'visits'`); sum != 3 {
		t.Errorf("%v visits; 3 is right", sum)
	}
}

// TestACloneHasTheSettingsAndNothingElse clones a queue of which every setting is another than at first.
func TestACloneHasTheSettingsAndNothingElse(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	db, e := dbtest.Open(t, url), start(t, url, "n")
	put(t, e, "a", `{"max_attempts":7,"lock":"90s","backoff":{"kind":"fixed","base":"3s","cap":"1 week","jitter":0.123456},"max_active":9,
		"rate":{"picks":5,"per":"1h30m","burst":8},"key":{"subject":"prefix","until":"/","nth":3},
		"key_limits":{"max_active":2,"rate":{"picks":1,"per":"10s","burst":4}},"journal":"all","journal_retention":"2 weeks","logs_retention":null,"logs_rows":5000,
		"completed_retention":"1 month","killed_retention":"1 year","series_retention":"90 days","payload_index":true,"redact":["$.a"],"viewer_payloads":"hidden","partitions":3}`)
	push(t, e, queue.Push{Subject: "x"})
	if _, err := e.Pause(t.Context(), "a", queue.PauseParams{Reason: "why"}); err != nil {
		t.Fatal(err)
	}
	b, err := e.Clone(t.Context(), "a", "b")
	if err != nil || b.Paused || b.Counts != (queue.Counts{}) {
		t.Fatalf("cloned %+v, %v", b, err)
	}
	// Whatever setting there will be: all columns but those that are a queue's own.
	const settings = `select (to_jsonb(q) - '{name,created_at,paused,pause_reason,paused_until,pause_kind,version_pauses,key_ready,limits_since,move_began,move_halt}'::text[])::text
		from fetchq.queues q where name = $1`
	if was, is := one[string](t, db, settings, "a"), one[string](t, db, settings, "b"); was != is {
		t.Errorf("settings\n%s\nof the clone\n%s", was, is)
	}
	if same := one[int](t, db, `select count(*) from (select to_jsonb(q) as s from fetchq.queues q where name = 'b') b
		cross join lateral jsonb_each(b.s) e join lateral (select to_jsonb(d) as s from (
			select * from fetchq.queue_create('d')) d) d on d.s -> e.key = e.value
		where e.key not in ('paused','pause_reason','paused_until','pause_kind','version_pauses','move_began','move_halt','tablespace')`); same > 0 {
		t.Errorf("%d settings of the test are as at first", same)
	}
	if _, err := e.Clone(t.Context(), "a", "b"); errs.Of(err) != errs.Exists {
		t.Errorf("cloned twice: %v", err)
	}
	if _, err := e.Clone(t.Context(), "nowhere", "c"); errs.Of(err) != errs.NotFound {
		t.Errorf("cloned from nowhere: %v", err)
	}
}
