package queue_test

import (
	"testing"

	"github.com/fetchq/server/internal/dbtest"
)

// TestABoundedScanLeavesToAFullOneWhatLiesBelow makes what a transaction brings to light that was open for long: documents
// whose date passed, and a lease that ran out, before the last scan began.
func TestABoundedScanLeavesToAFullOneWhatLiesBelow(t *testing.T) {
	t.Parallel()
	for name, partitions := range map[string]string{"a": `{}`, "b": `{"partitions": 3}`} {
		db := dbtest.New(t)
		exec(t, db, `select fetchq.queue_create($1, $2)`, name, partitions)
		for call, scan := range map[string]string{
			"mark_due": `select coalesce(sum(items), 0) from fetchq.mnt_mark_due($1, p_since => $2)`,
			"orphans":  `select coalesce(sum(items), 0) from fetchq.mnt_orphans($1, p_since => $2)`,
			"pick":     `select count(*) from fetchq.doc_pick_many($1, p_since => $2)`,
		} {
			exec(t, db, `select fetchq.queue_truncate($1)`, name)
			exec(t, db, `select fetchq.doc_push_many($1, array['old'], p_delays => array[interval '1 minute'], p_now => clock_timestamp() - interval '1 hour')`, name)
			if call == "orphans" {
				exec(t, db, `select fetchq.doc_pick_many($1, 0, 1, '1 second', p_now => clock_timestamp() - interval '30 minutes')`, name)
			}
			exec(t, db, `select fetchq.mnt_fold($1)`, name)
			if n := one[int](t, db, scan, name, "1 second"); n != 0 {
				t.Errorf("%s: a bounded scan for %s finds %d", name, call, n)
			}
			if n := one[int](t, db, scan, name, nil); n != 1 {
				t.Errorf("%s: a full scan for %s finds %d", name, call, n)
			}
		}
	}
}

// TestABoundedFoldReadsTheEndOfTheTable fills two blocks with deltas.
func TestABoundedFoldReadsTheEndOfTheTable(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	exec(t, db, `select fetchq.queue_create('a')`)
	exec(t, db, `insert into q_a.deltas (version, pending) select 0, 1 from generate_series(1, 150)`)
	behind := one[int](t, db, `select count(*) from q_a.deltas where ctid >= '(1,0)'`)
	if behind == 0 || behind == 150 {
		t.Fatalf("%d of 150 rows stand behind the first block", behind)
	}
	if n := one[int](t, db, `select fetchq.mnt_fold('a', p_block => 1)`); n != behind {
		t.Errorf("a fold from the second block on takes %d rows; %d are wanted", n, behind)
	}
	if n := one[int](t, db, `select pending from fetchq.queue_counters('a')`); n != 150 {
		t.Errorf("the counter reads %d", n)
	}
	if n := one[int](t, db, `select fetchq.mnt_fold('a')`); n != 150-behind {
		t.Errorf("a full fold takes %d rows", n)
	}
}
