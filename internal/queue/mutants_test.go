package queue_test

import (
	"context"
	"errors"
	"flag"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/queue"
)

// plantBugs is set by make bugs. Nothing that the bugs are about depends on the race detector or on a version of Postgres: make test looks
// for them once.
var plantBugs = flag.Bool("bugs", false, "plant bugs, and see that TestPropertiesFindPlantedBugs finds each: minutes")

// maxScripts is how many scripts may pass before a planted bug is found.
const maxScripts = 200

// bug is one that can be planted.
type bug struct {
	name  string
	plant func(t *testing.T, db *pgxpool.Pool)
	theme *theme // of the scripts that are to find it; nil: everything
}

// replaced is a bug by dbtest.Replace.
func replaced(name, function string, pairs ...string) bug {
	return bug{name: name, plant: func(t *testing.T, db *pgxpool.Pool) { dbtest.Replace(t, db, function, pairs...) }}
}

// TestPropertiesFindPlantedBugs plants bugs that an engine like this one had or could have, and sees that the scripts of
// the property tests find each: the model and the engine must differ, a call that fails does not count.
func TestPropertiesFindPlantedBugs(t *testing.T) {
	if !*plantBugs {
		t.Skip("make bugs plants them")
	}
	t.Parallel()
	bugs := slices.Concat([]bug{
		{name: "stale check off", plant: func(t *testing.T, db *pgxpool.Pool) {
			dbtest.Replace(t, db, "settle", `when k.lease <> h.d_lease then 'stale'`, ``)
		}},
		{name: "stale check off where most resolutions go", plant: func(t *testing.T, db *pgxpool.Pool) {
			dbtest.Replace(t, db, "settle_text", `and d.lease = i.lease`, ``)
		}},
		{name: "a lease that ran out resolves", plant: func(t *testing.T, db *pgxpool.Pool) {
			dbtest.Replace(t, db, "settle_text", `and d.next_iteration > p_now`, ``)
		}},
		{name: "stale check off where most drops go", theme: &dropping, plant: func(t *testing.T, db *pgxpool.Pool) {
			dbtest.Replace(t, db, "drop_text", `and d.lease = i.lease`, ``)
		}},
		{name: "a lease that ran out drops", theme: &dropping, plant: func(t *testing.T, db *pgxpool.Pool) {
			dbtest.Replace(t, db, "drop_text", `and d.next_iteration > p_now`, ``)
		}},
		{name: "lease base restarted after drop", plant: func(t *testing.T, db *pgxpool.Pool) {
			// The base of a queue's documents is the moment when the queue was made.
			dbtest.Replace(t, db, "push_text", `fetchq.micros()`, `(select (date_part('epoch', created_at) * 1000000)::bigint
				from fetchq.queues where name = substr('%1$s', 3))`)
		}},
		{name: "double fold", plant: func(t *testing.T, db *pgxpool.Pool) {
			dbtest.Replace(t, db, "mnt_fold", `delete from %I.deltas where ctid >= $2 returning *`, `select * from %I.deltas where ctid >= $2`)
		}},
		{name: "id ≤ n fold", plant: plantFoldByNumber},
		{name: "attempts not kept", plant: func(t *testing.T, db *pgxpool.Pool) {
			dbtest.Replace(t, db, "settle", `when action in ('complete', 'reschedule', 'run_now', 'retry', 'forward') then 0`,
				`when action in ('complete', 'reschedule', 'reject', 'run_now', 'retry', 'forward') then 0`)
		}},
		{name: "append pushes again", plant: func(t *testing.T, db *pgxpool.Pool) {
			// It gives the same subjects to a repeated call, and takes those that are taken for its own.
			dbtest.Replace(t, db, "doc_append_many",
				`return query select * from unnest(v_rows);
            return;`, `v_subjects := array(select subject from unnest(v_rows) order by ord);`,
				`select r from fetchq.doc_push_many(`, `select (r.ord, r.subject, case r.outcome when 'ignored' then 'created' else r.outcome end,
					r.detail, r.status, r.version, r.priority, r.next_iteration)::fetchq.result from fetchq.doc_push_many(`)
		}},
		{name: "an operation leaves leases alive", plant: func(t *testing.T, db *pgxpool.Pool) {
			dbtest.Replace(t, db, "operation_change", `lease = d.lease + (not $7 or o.status <> 2)::integer,`, ``)
		}},
		{name: "an operation passes by what its batch has no room for", plant: func(t *testing.T, db *pgxpool.Pool) {
			dbtest.Replace(t, db, "operation_look", `when (select count(*) from fit) < (select count(*) from looked where fits) then (select max(nth) from fit)`,
				`when false then 0`)
		}},
		{name: "an operation takes what it has made itself", plant: func(t *testing.T, db *pgxpool.Pool) {
			dbtest.Replace(t, db, "operation_condition", `when 'set_priority' then d.priority <> ($2).priority`, ``)
		}},
		{name: "a move keeps the attempt of a worker", plant: func(t *testing.T, db *pgxpool.Pool) {
			dbtest.Replace(t, db, "operation_move", `case when status = 2 then greatest(attempts - 1, 0) else attempts end`, `attempts`)
		}},
		{name: "join on ctid", plant: func(t *testing.T, db *pgxpool.Pool) {
			dbtest.Replace(t, db, "settle",
				`select lease as d_lease,`, `select ctid as place, lease as d_lease,`,
				`h.worker, h.own, case`, `h.worker, h.own, h.place, case`,
				`d.subject = s.subject and s.wins and not s.gone`, `d.ctid = s.place and s.wins and not s.gone`)
		}},
	}, about(&limiting, limitBugs), about(&requeueing, requeueBugs), about(&pausing, pauseBugs), about(&noting, journalBugs))
	for _, bug := range bugs {
		t.Run(bug.name, func(t *testing.T) {
			t.Parallel()
			db := dbtest.New(t)
			bug.plant(t, db)
			mustFind(t, bug.theme, func(n int, s script) error { return playOnFunctions(t.Context(), db, n, s) })
		})
	}
	t.Run("mark lost", func(t *testing.T) {
		t.Parallel()
		db := dbtest.New(t)
		to := forgetful{engineCalls{stoppedClock(t, db), db}}
		mustFind(t, nil, func(n int, s script) error { return playOnEngine(t.Context(), db, to, n, s.inRealTime()) })
	})
}

// about says what the scripts are about that are to find some bugs.
func about(th *theme, bugs []bug) []bug {
	for i := range bugs {
		bugs[i].theme = th
	}
	return bugs
}

// mustFind plays scripts until one finds a difference.
func mustFind(t *testing.T, th *theme, play func(n int, s script) error) {
	t.Helper()
	if th == nil {
		th = &everything
	}
	scripts := th.script()
	for n := range maxScripts {
		err := play(n, scripts.Example(n))
		var found difference
		if errors.As(err, &found) {
			t.Logf("found by script %d: %v", n, found)
			return
		}
		var pg *pgconn.PgError
		if errors.As(err, &pg) && (pg.Code == "55P03" || pg.Code == "40001") {
			continue // the bug made a call wait for a row of a call that is kept open, or its second look differ: errors, not differences
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Fatalf("%d scripts passed", maxScripts)
}

// plantFoldByNumber numbers the deltas, and folds those between the last number that was folded and the highest one: the
// row of a transaction that was open meanwhile has a lower number, and is lost.
func plantFoldByNumber(t *testing.T, db *pgxpool.Pool) {
	t.Helper()
	if _, err := db.Exec(t.Context(), `create table fetchq.folded (schema oid primary key, id bigint not null)`); err != nil {
		t.Fatal(err)
	}
	dbtest.Replace(t, db, "queue_build", `create table %I.deltas (`, `create table %I.deltas (id bigint generated always as identity,`)
	dbtest.Replace(t, db, "mnt_fold", `), total as (`, `), noted as (
		insert into fetchq.folded select (select oid from pg_namespace where nspname = 'q_' || $1), max(id) from gone having count(*) > 0
		on conflict (schema) do update set id = greatest(folded.id, excluded.id)
	), total as (`, `from gone group by version order by version`, `from gone where id > coalesce((
		select f.id from fetchq.folded f join pg_namespace on oid = f.schema where nspname = 'q_' || $1), 0)
		group by version order by version`)
}

// forgetful is an engine whose marks are not lowered by what a call makes pending.
type forgetful struct{ engineCalls }

func (f forgetful) push(ctx context.Context, q string, docs []queue.Push, policy queue.OnConflict) (results []queue.Result, err error) {
	f.e.LoseMarks(func() { results, err = f.engineCalls.push(ctx, q, docs, policy) })
	return results, err
}

func (f forgetful) settle(ctx context.Context, q string, items []queue.Resolution, leased bool) (results []queue.Result, err error) {
	f.e.LoseMarks(func() { results, err = f.engineCalls.settle(ctx, q, items, leased) })
	return results, err
}

func (f forgetful) upkeep(ctx context.Context, q, job string) (err error) {
	f.e.LoseMarks(func() { err = f.engineCalls.upkeep(ctx, q, job) })
	return err
}
