package queue_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
)

// tablespace makes a tablespace inside the data directory, as tests of Postgres itself do.
func tablespace(t *testing.T, db *pgxpool.Pool, name string) string {
	t.Helper()
	name = fmt.Sprint(name, "_", one[string](t, db, `select current_database()`))
	conn, err := db.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	for _, sql := range []string{`set allow_in_place_tablespaces = on`, `create tablespace ` + name + ` location ''`} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { // before the database goes; what stands in a tablespace keeps it
		for _, sql := range []string{`drop schema if exists q_a cascade`, `drop tablespace ` + name} {
			if _, err := db.Exec(context.WithoutCancel(t.Context()), sql); err != nil {
				t.Error(err)
			}
		}
	})
	return name
}

// TestAQueueMovesToAnotherTablespace moves a queue with all that it can have, one table or index at a time, and back.
func TestAQueueMovesToAnotherTablespace(t *testing.T) {
	t.Parallel()
	for _, partitions := range []int{1, 3} {
		url := dbtest.URL(t)
		db, e := dbtest.Open(t, url), start(t, url, "n")
		fast := tablespace(t, db, "fast")
		put(t, e, "a", fmt.Sprintf(`{"partitions":%d,"journal":"all","key":{"subject":"host"},"key_limits":{"max_active":2}}`, partitions))
		push(t, e, queue.Push{Subject: "x"}, queue.Push{Subject: "y"})
		elsewhere := func(space string) int {
			return one[int](t, db, `select count(*) from pg_class c left join pg_tablespace s on s.oid = c.reltablespace
				where relnamespace = 'q_a'::regnamespace and relkind in ('r', 'p', 'i', 'I') and coalesce(spcname, '') <> $1`, space)
		}
		all := elsewhere("nowhere")
		if _, err := e.Relocate(t.Context(), "a", &fast); errs.Of(err) != errs.Invalid || !strings.Contains(err.Error(), "pause it first") {
			t.Errorf("a queue that is not paused: %v", err)
		}
		if _, err := e.Pause(t.Context(), "a", queue.PauseParams{}); err != nil {
			t.Fatal(err)
		}
		for _, wrong := range []string{"pg_global", "no_such"} {
			if _, err := e.Relocate(t.Context(), "a", &wrong); errs.Of(err) != errs.Invalid {
				t.Errorf("to %s: %v", wrong, err)
			}
		}
		q, err := e.Relocate(t.Context(), "a", &fast)
		if err != nil || q.Move == nil || q.Move.Relations != int64(all) || q.Move.Bytes == 0 || *q.Settings.Tablespace != fast {
			t.Fatalf("begun: %+v, %v", q.Move, err)
		}
		// One call, one table; who resumes the queue stops it, and a pause lets it go on.
		if moved := one[string](t, db, `select moved from fetchq.mnt_move('a')`); moved == "" || elsewhere(fast) != all-1 {
			t.Errorf("%s was moved; %d of %d are left", moved, elsewhere(fast), all)
		}
		if _, err := e.Resume(t.Context(), "a", nil); err != nil {
			t.Fatal(err)
		}
		if u, err := e.MoveOn(t.Context(), "a"); err != nil || u.Items != 0 || u.Again.IsZero() {
			t.Errorf("of a queue that was resumed: %+v, %v", u, err)
		}
		if q, _ = e.Get(t.Context(), "a"); q.Move == nil || !strings.Contains(*q.Move.Halt, "pause it") {
			t.Errorf("resumed: %+v", q.Move)
		}
		if _, err := e.Pause(t.Context(), "a", queue.PauseParams{}); err != nil {
			t.Fatal(err)
		}
		tx := begin(t, db, `select count(*) from q_a.logs`)
		for range 2 * all {
			if _, err := e.MoveOn(t.Context(), "a"); err != nil {
				t.Fatal(err)
			}
			if q, _ = e.Get(t.Context(), "a"); q.Move.Halt != nil {
				break
			}
		}
		if q.Move == nil || q.Move.Halt == nil || !strings.Contains(*q.Move.Halt, "in use") {
			t.Errorf("behind a transaction that reads: %+v", q.Move)
		}
		if err := tx.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
		u, err := e.MoveOn(t.Context(), "a")
		if err != nil || elsewhere(fast) != 0 {
			t.Errorf("moved on: %+v, %v; %d are left", u, err, elsewhere(fast))
		}
		if q, _ = e.Get(t.Context(), "a"); q.Move != nil || q.Counts.Pending != 2 {
			t.Errorf("at its end: %+v", q)
		}
		if n := one[int](t, db, `select count(*) from fetchq.jobs where queue = 'a' and kind = 'move'`); n != 0 {
			t.Error("the job is still there")
		}
		if _, err := e.Relocate(t.Context(), "a", nil); err != nil {
			t.Fatal(err)
		}
		if _, err := e.MoveOn(t.Context(), "a"); err != nil || elsewhere("") != 0 {
			t.Errorf("back: %v; %d are left", err, elsewhere(""))
		}
		if _, err := e.Resume(t.Context(), "a", nil); err != nil {
			t.Fatal(err)
		}
		if docs := pick(t, e, queue.PickParams{Limit: 5}); len(docs) != 2 {
			t.Errorf("picked %+v", docs)
		}
	}
}

// TestAQueueIsMadeInItsTablespace makes queues with every part in a tablespace, also what comes later.
func TestAQueueIsMadeInItsTablespace(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	db, e := dbtest.Open(t, url), start(t, url, "n")
	fast := tablespace(t, db, "made")
	put(t, e, "a", fmt.Sprintf(`{"partitions":3,"tablespace":%q}`, fast))
	put(t, e, "a", `{"key":{"subject":"host"},"key_limits":{"rate":{"picks":1,"per":"1s"}}}`)
	if _, err := e.Index(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	exec(t, db, `select fetchq.journal_close(q, clock_timestamp()) from fetchq.queues q`)
	if left := one[string](t, db, `select coalesce(string_agg(l.name, ' '), '') from fetchq.queues q, fetchq.move_left(q) l`); left != "" {
		t.Errorf("elsewhere stand %s", left)
	}
}
