package queue_test

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/fetchq/server/internal/dbtest"
)

// documents is how many the queue has in which plans are looked at; make bench-long gives it ten million.
var documents = flag.Int("documents", 200_000, "documents of the queue in TestThePlansOfHotStatements, 200000 to 20000000")

func TestThePlansOfHotStatements(t *testing.T) {
	if testing.Short() {
		t.Skip("fills a queue with 200,000 documents")
	}
	t.Parallel()
	for _, partitions := range []int{1, 8} {
		t.Run(fmt.Sprintf("%d partitions", partitions), func(t *testing.T) {
			t.Parallel()
			w := watch(t, dbtest.URL(t))
			fill(w, partitions)
			pkey := []string{"docs_pkey"}
			none := []string{}
			w.uses("push", none, `select fetchq.doc_push_many('a', array['new 1', 'new 2', 's 1'])`)
			w.uses("push with update", pkey, `select fetchq.doc_push_many('a', array['new 3', 's 1'], p_on_conflict => 'update')`)
			w.uses("pick", []string{"docs_due", "docs_pkey"}, `select fetchq.doc_pick_many('a', 0, 100, p_partition => 0)`)
			w.uses("pick from a mark", []string{"docs_due", "docs_pkey"}, `select fetchq.doc_pick_many('a', 0, 100, p_mark_partitions => array[0],
				p_mark_priorities => array[0], p_mark_dates => array['2020-01-01'::timestamptz], p_mark_seqs => array[0], p_partition => 0)`)
			w.uses("pick that comes back short", []string{"docs_due", "docs_planned", "docs_pkey"},
				`select fetchq.doc_pick_many('a', 1, 100, p_now => clock_timestamp() + interval '1 day')`)
			w.exec(`select fetchq.doc_pick_many('a', 0, 10, '1 hour', p_key => 'again')`)
			w.uses("pick again under a key", pkey, `select fetchq.doc_pick_many('a', 0, 10, '1 hour', p_key => 'again')`)
			for _, action := range []string{"complete", "reject", "kill", "drop"} {
				w.uses("resolve: "+action, pkey, `select fetchq.doc_resolve_many('a', array['s 150000', 's 150001'], array[1, 2], array[$1, $1])`, action)
			}
			w.uses("admin", pkey, `select fetchq.doc_act_many('a', array['s 150000', 's 5'], array['run_now', 'run_now'])`)
			w.uses("extend", pkey, `select fetchq.doc_extend_many('a', array['s 150000', 's 150001'], array[1, 2])`)
			w.uses("mark due", []string{"docs_planned", "docs_pkey"}, `select fetchq.mnt_mark_due('a', 1000, clock_timestamp() + interval '2 days')`)
			w.uses("next due", []string{"docs_planned"}, `select fetchq.mnt_next_due('a')`)
			w.uses("orphans", []string{"docs_active", "docs_pkey", "docs_planned"}, `select fetchq.mnt_orphans('a', 1000, clock_timestamp() + interval '1 day')`)
			w.uses("next orphan", []string{"docs_active"}, `select fetchq.mnt_next_orphan('a')`)
			w.exec(`select fetchq.queue_set('a', '{"completed_retention": "1 hour"}')`)
			w.uses("expire", []string{"docs_finished", "docs_pkey"}, `select fetchq.mnt_expire('a', 1000, clock_timestamp() + interval '1 day')`)
			w.uses("oldest due", []string{"docs_due"}, `select fetchq.queue_oldest_due('a')`)
			w.uses("list planned", []string{"docs_planned"}, `select fetchq.docs_by_next('a', 0, p_version => null, p_priority => null, p_date => '2020-01-01', p_seq => 0, p_limit => 50)`)
			w.uses("list pending", []string{"docs_due"}, `select fetchq.docs_by_next('a', 1, p_version => null, p_priority => null, p_date => '2020-01-01', p_seq => 0, p_limit => 50)`)
			w.uses("list planned back", []string{"docs_planned"}, `select fetchq.docs_by_next('a', 0, p_version => null, p_priority => null, p_date => now() + interval '1 day', p_seq => 0, p_limit => 50, p_back => true)`)
			w.uses("list pending back", []string{"docs_due"}, `select fetchq.docs_by_next('a', 1, p_version => null, p_priority => null, p_date => now(), p_seq => 0, p_limit => 50, p_back => true)`)
			w.exec(`select fetchq.mnt_fold('a')`)
			w.uses("what workers hold", []string{"docs_active"}, `select fetchq.worker_holds()`)
			w.uses("what a worker holds", []string{"docs_active"}, `select fetchq.worker_docs('a', 'w', 200)`)
			w.uses("search", pkey, `select fetchq.subject_search('s 1', 's 2')`)
			w.uses("search to the end", pkey, `select fetchq.subject_search('s 1', null, p_limit => 1)`)
			w.uses("trace", pkey, `select fetchq.trace('s 5')`)
		})
	}
}

func TestThePlansOfSearchesInLogs(t *testing.T) {
	if testing.Short() {
		t.Skip("fills a log with 200,000 lines")
	}
	t.Parallel()
	w := watch(t, dbtest.URL(t))
	w.table = "logs"
	w.exec(`set auto_explain.log_min_duration = -1`)
	w.exec(`select fetchq.queue_put('a')`)
	w.exec(`insert into q_a.logs (created_at, kind, subject, message)
		select now() - i * interval '1 second', (i % 20000 = 0)::integer, 's ' || i % 1000, 'boom' from generate_series(1, 200000) i`)
	w.exec(`analyze q_a.logs`)
	w.exec(`select fetchq.queue_recount('a')`)
	w.exec(`set auto_explain.log_min_duration = 0`)
	key, subject := []string{"logs_pkey"}, []string{"logs_subject", "logs_pkey"}
	const search = `select fetchq.log_search($1, null, $2, $3, $4, null, $5, 'a', 1, 51)`
	ago := func(d time.Duration) time.Time { return time.Now().Add(-d) }
	w.uses("notes", key, search, 0, nil, nil, nil, nil)
	w.uses("errors behind many notes", key, search, 1, nil, "OO", nil, nil)
	w.uses("notes of some time", key, search, 0, nil, nil, ago(time.Hour), ago(time.Minute))
	w.uses("a subject", subject, search, 0, "s 7", nil, nil, ago(time.Minute))
	w.uses("last error", key, `select fetchq.log_last_error('a')`)
	// The newest lines are of other groups: by the dates of all lines a look at the old one would pass them all.
	w.exec(`update q_a.logs set kind = 1, fingerprint = case when created_at > now() - interval '100000 seconds' then 1 else 2 end`)
	w.exec(`analyze q_a.logs`)
	w.exec(`select fetchq.queue_recount('a')`)
	group := []string{"logs_fingerprint"}
	w.uses("a group", group, `select * from fetchq.log_visit('a', 1, $1, $1, '-infinity', $2, 'infinity', 1, 51, 10000, 2)`, nil, nil)
	w.uses("a group of some time", group, `select * from fetchq.log_visit('a', 1, null, 'boom', $1, $2, 'infinity', 1, 51, 10000, 2)`, ago(50*time.Hour), ago(40*time.Hour))
	w.uses("whom a group concerns", group, `select * from fetchq.error_lately('a', 2)`)
	w.uses("documents of a group", []string{"logs_fingerprint", "logs_subject"}, `select * from fetchq.operation_count('a', 'drop', '{"fingerprint":"0000000000000002"}')`)
}

// fill makes a queue of so many documents: pending, planned, active and completed ones, and dead rows of picks.
func fill(w *watcher, partitions int) {
	w.t.Helper()
	w.exec(`set auto_explain.log_min_duration = -1`)
	w.exec(fmt.Sprintf(`select fetchq.queue_put('a', '{"partitions": %d}')`, partitions))
	for from := 0; from < *documents; from += 10_000 {
		w.exec(fmt.Sprintf(`select count(*) from (
			select array_agg('s ' || i) as s, array_agg(case when i %% 4 = 0 then interval '1 hour' end) as d, array_agg((i %% 8 = 0)::integer) as v,
				array_agg(i %% 3) as p
			from generate_series(%d, %d) i
		) g cross join lateral fetchq.doc_push_many('a', g.s, null, g.v, g.p, null, g.d)`, from, from+9999))
	}
	w.exec(`select count(*) from generate_series(1, 20) i cross join lateral fetchq.doc_pick_many('a', 0, 1000, '1 hour', i::text)`)
	w.exec(`select count(*) from (
			select array_agg(subject) as s, array_agg(lease) as l, array_agg('complete'::text) as a
			from (select subject, lease, row_number() over () as n from q_a.docs where status = 2 limit 15000) d group by n / 1000
		) g cross join lateral fetchq.doc_resolve_many('a', g.s, g.l, g.a)`)
	w.exec(`analyze q_a.docs`)
	w.exec(`set auto_explain.log_min_duration = 0`)
}
