package queue_test

import (
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/internal/dbtest"
)

// stateBugs change what becomes of a document.
var stateBugs = []bug{
	replaced("stale check off", "settle", `when k.lease <> h.d_lease then 'stale'`, ``),
	replaced("stale check off where most resolutions go", "settle_text", `and d.lease = i.lease`, ``),
	replaced("a lease that ran out resolves", "settle_text", `and d.next_iteration > p_now`, ``),
	// The base of a queue's documents is the moment when the queue was made.
	replaced("lease base restarted after drop", "push_text", `fetchq.micros()`, `(select (date_part('epoch', created_at) * 1000000)::bigint
		from fetchq.queues where name = substr('%1$s', 3))`),
	replaced("attempts not kept", "settle", `when action in ('complete', 'reschedule', 'run_now', 'retry', 'forward') then 0`,
		`when action in ('complete', 'reschedule', 'reject', 'run_now', 'retry', 'forward') then 0`),
	// It gives the same subjects to a repeated call, and takes those that are taken for its own.
	replaced("append pushes again", "doc_append_many",
		`return query select * from unnest(v_rows);
            return;`, `v_subjects := array(select subject from unnest(v_rows) order by ord);`,
		`select r from fetchq.doc_push_many(`, `select (r.ord, r.subject, case r.outcome when 'ignored' then 'created' else r.outcome end,
			r.detail, r.status, r.version, r.priority, r.next_iteration)::fetchq.result from fetchq.doc_push_many(`),
}

// dropBugs are those of resolutions that drop and say no more.
var dropBugs = []bug{
	replaced("stale check off where most drops go", "drop_text", `and d.lease = i.lease`, ``),
	replaced("a lease that ran out drops", "drop_text", `and d.next_iteration > p_now`, ``),
	replaced("journal: nothing of most drops", "drop_text", `from gone g cross join numbered n`, `from gone g cross join numbered n where false`),
	replaced("journal: the first holder dropped all", "drop_text", `coalesce(p_by[g.ord], p_by[1])`, `p_by[1]`),
}

// operationBugs break operations.
var operationBugs = []bug{
	replaced("an operation leaves leases alive", "operation_change", `lease = d.lease + (not $7 or o.status <> 2)::integer,`, ``),
	replaced("an operation passes by what its batch has no room for", "operation_look",
		`when (select count(*) from fit) < (select count(*) from looked where fits) then (select max(nth) from fit)`, `when false then 0`),
	replaced("an operation takes what it has made itself", "operation_condition", `when 'set_priority' then d.priority <> ($2).priority`, ``),
	replaced("journal: nothing of an operation", "operation_change", `from changed $t$, '$2')`, `from changed where false $t$, '$2')`),
	replaced("journal: an operation drops in silence", "operation_drop", `from gone $t$, '$2')`, `from gone where false $t$, '$2')`),
}

// moveBugs break moves.
var moveBugs = []bug{
	replaced("a move keeps the attempt of a worker", "operation_move", `case when status = 2 then greatest(attempts - 1, 0) else attempts end`, `attempts`),
	replaced("journal: a move is nobody's", "operation_move", `fetchq.operation_actor($4)`, `null::text`),
	replaced("requeue: a move forgets it", "operation_move", `coalesce((requeue -> 'priority')::integer, priority)`, `priority`),
}

// partBugs take a place in one partition for that in another.
var partBugs = []bug{
	replaced("join on ctid", "settle",
		`select lease as d_lease,`, `select ctid as place, lease as d_lease,`,
		`h.worker, h.own, case`, `h.worker, h.own, h.place, case`,
		`d.subject = s.subject and s.wins and not s.gone`, `d.ctid = s.place and s.wins and not s.gone`),
}

// foldBugs count a delta twice, or lose it.
var foldBugs = []bug{
	replaced("double fold", "mnt_fold", `delete from %I.deltas where ctid >= $2 returning *`, `select * from %I.deltas where ctid >= $2`),
	{name: "id ≤ n fold", plant: plantFoldByNumber},
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
