package backup_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/fetchq/server/internal/backup"
)

// leftOut are the tables about a queue that a backup has nothing of. docs/backup-format.md says why.
var leftOut = []string{
	"q.deltas", // the manifest's counters have what is in them
	"q.requests", "q.gate", "q.keys",
	"fetchq.counters", "fetchq.series_queues", // the manifest has what they say
	"fetchq.queue_states", "fetchq.jobs", "fetchq.wakes", "fetchq.asks", "fetchq.workers", "fetchq.series_partial", "fetchq.views", "fetchq.stars", "fetchq.operations",
}

// TestABackupKnowsEveryTableOfAQueue fails when a table or a column comes to a queue of which nobody has said whether a backup keeps it.
func TestABackupKnowsEveryTableOfAQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	to, _ := folder(t)
	w.fill("a", `{"key": {"subject": "host"}, "key_limits": {"max_active": 5}}`, 30)
	m := mustRun(t, w, to, backup.RunParams{})
	kept := map[string][]string{}
	for _, table := range m.Queues[0].Tables {
		name := "fetchq." + table.Name
		switch table.Name {
		case "docs", "logs", "journal", "measures", "error_deltas":
			name = "q." + table.Name
		case "folded":
			name = "fetchq.measures"
		}
		kept[name] = table.Columns
	}
	list := w.text(`
		select string_agg(name || ' ' || columns, e'\n' order by name) from (
			select case when n.nspname = 'fetchq' then n.nspname else 'q' end || '.' || c.relname as name,
				string_agg(a.attname, ',' order by a.attname) filter (where not (n.nspname = 'fetchq' and (attname = 'queue' or relname = 'marks' and attname = 'id'))) as columns
			from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
			where n.nspname in ('fetchq', 'q_a') and c.relkind in ('r', 'p') and not exists (select from pg_inherits where inhrelid = c.oid)
			group by n.nspname, c.relname
			having n.nspname = 'q_a' or bool_or(attname = 'queue')
		) t`)
	var seen int
	for line := range strings.Lines(list) {
		name, columns, _ := strings.Cut(strings.TrimSpace(line), " ")
		have, known := kept[name]
		if !known {
			if !slices.Contains(leftOut, name) {
				t.Errorf("a backup has nothing of %s, and leftOut does not name it", name)
			}
			continue
		}
		seen++
		have = slices.Sorted(slices.Values(have))
		if got := strings.Join(have, ","); got != columns {
			t.Errorf("of %s a backup has the columns %s, and the table has %s", name, got, columns)
		}
	}
	if seen != len(kept) {
		t.Errorf("%d tables of %d in the manifest were found among\n%s", seen, len(kept), list)
	}
}

// TestAReplacedQueueKeepsTheViewsOfPeople has a view that somebody saved of the queue that goes.
func TestAReplacedQueueKeepsTheViewsOfPeople(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	to, _ := folder(t)
	w.fill("a", `{}`, 30)
	m := mustRun(t, w, to, backup.RunParams{})
	w.exec(`insert into fetchq.users (id, email, name, role) values (gen_random_uuid(), 'a@example.org', 'A', 'admin')`)
	w.exec(`insert into fetchq.views (id, queue, user_id, name, query) select gen_random_uuid(), 'a', id, 'mine', 'status=killed' from fetchq.users`)
	want := w.text(`select v::text from fetchq.views v`)
	if _, err := w.b.Restore(t.Context(), to, m.Name, backup.RestoreParams{Replace: []string{"a"}}); err != nil {
		t.Fatal(err)
	}
	if got := w.text(`select v::text from fetchq.views v`); got != want {
		t.Errorf("the view is %s, want %s", got, want)
	}
}

// TestErrorsFromBeforeTheyHadGroupsGetThemBehindARestore has lines that were read before the job index came to them.
func TestErrorsFromBeforeTheyHadGroupsGetThemBehindARestore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	to, _ := folder(t)
	w.fill("a", `{}`, 30)
	for _, sql := range []string{`update q_a.logs set fingerprint = null`, `truncate q_a.error_deltas`, `select fetchq.errors_forget('a')`} {
		w.exec(sql)
	}
	m := mustRun(t, w, to, backup.RunParams{})
	if _, err := w.b.Restore(t.Context(), to, m.Name, backup.RestoreParams{As: "b"}); err != nil {
		t.Fatal(err)
	}
	if got := w.text(`select count(*)::text from fetchq.jobs where queue = 'b' and kind = 'index' and next_run <= clock_timestamp()`); got != "1" {
		t.Errorf("%s jobs are to give them", got)
	}
	w.exec(`select fetchq.errors_fill('b')`) // as the job does
	if got := w.text(`select (count(*) > 0 and count(*) = count(fingerprint) and count(*) = (select sum(errors) from fetchq.error_groups where queue = 'b'))::text
		from q_b.logs where kind = 1`); got != "true" {
		t.Error("not every line is in a group")
	}
}
