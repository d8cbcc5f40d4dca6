package backup_test

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/internal/backup"
	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/metrics"
)

var documents = flag.Int("documents", 6000, "how many documents the full circle has, in three queues")

// world is a database with its backups.
type world struct {
	t   *testing.T
	db  *pgxpool.Pool
	url string
	b   *backup.Backups

	snapshots int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, url: dbtest.URL(t)}
	w.db = dbtest.Open(t, w.url)
	w.b = backup.New(backup.Options{Program: "test", Log: slog.New(slog.DiscardHandler), Connect: func(ctx context.Context) (*pgx.Conn, error) {
		return database.Connect(ctx, w.url, "backup test")
	}})
	return w
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.db.Exec(w.t.Context(), sql, args...); err != nil {
		w.t.Fatalf("%v, in: %.300s", err, sql)
	}
}

func (w *world) text(sql string, args ...any) string {
	w.t.Helper()
	var s *string
	if err := w.db.QueryRow(w.t.Context(), sql, args...).Scan(&s); err != nil {
		w.t.Fatalf("%v, in: %.300s", err, sql)
	}
	if s == nil {
		return "null"
	}
	return *s
}

// folder is a destination in a folder of the test's own.
func folder(t *testing.T) (*backup.Store, string) {
	t.Helper()
	dir := t.TempDir()
	return open(t, address(dir)), dir
}

func open(t *testing.T, address string) *backup.Store {
	t.Helper()
	s, err := backup.OpenStore(t.Context(), address, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// oddities are payloads in which some part of the way may lose something.
var oddities = []string{
	`null`, `true`, `""`, `[]`, `{}`, `{"": {"": [null, [[]]]}}`, `0`, `-0.0`, `1e-300`, `123456789012345678901234567890.123456789012345678901234567890`,
	`1e400`, `0.10`, `1.0`, `"\\N"`, `"\\."`, `"\t\n\r\b\f\\ \" \u0001\u007f"`, `"\\t\\n"`, `"é€😀  "`, `{"a\tb\nc\\d": 1, "a": 1}`,
	`"` + strings.Repeat("x", 3000) + `"`, `[` + strings.Repeat(`{"a":`, 40) + `1` + strings.Repeat(`}`, 40) + `]`,
}

// fill makes a queue with documents in all states, logs, a journal, and custom metrics.
func (w *world) fill(queue, settings string, n int) {
	w.t.Helper()
	w.exec(`select fetchq.queue_create($1, $2)`, queue, settings)
	for from := 0; from < n; from += 10_000 {
		w.exec(`select count(*) from fetchq.doc_push_many($1,
			(select array_agg('s' || i || e'\t\\N\n' || $1 order by i) from generate_series($2::int, $3::int) i),
			(select array_agg(case when i % 3 = 0 then ($4::text[])[1 + i % cardinality($4::text[])]::jsonb
				else jsonb_build_object('i', i, 'url', 'https://example.org/' || md5(i::text), 'text', repeat('word ', i % 40)) end order by i) from generate_series($2::int, $3::int) i),
			(select array_agg(i % 3 order by i) from generate_series($2::int, $3::int) i),
			(select array_agg(i % 7 - 3 order by i) from generate_series($2::int, $3::int) i),
			(select array_agg(now() + make_interval(secs => i % 1000 - 700) order by i) from generate_series($2::int, $3::int) i))`,
			queue, from, min(from+10_000, n)-1, oddities)
	}
	w.exec(`select fetchq.mnt_fold($1)`, queue)
	// Some of them are worked on: completed, rejected, killed, logged, and a fifth stays active, of which one is to be requeued.
	for turn := range 3 * (1 + n/20_000) { // a call takes a thousand
		v := turn % 3
		w.exec(`
			with p as materialized (
				select subject, lease, row_number() over () % 5 as n from fetchq.doc_pick_many($1, $2, $3, p_worker => 'host-1')
			), a as materialized (
				select array_agg(subject) as subjects, array_agg(lease) as leases,
					array_agg((array['complete', 'reject', 'kill', 'reschedule'])[n]) as actions,
					array_agg(case when n = 4 then now() + interval '1 hour' end) as dates,
					array_agg(case when n = 2 then e'it\tbroke\\ \n' end) as messages, array_agg(case when n = 2 then '{"status": 5.10}'::jsonb end) as details
				from p where n > 0
			)
			select count(*) from a cross join lateral fetchq.doc_resolve_many($1, subjects, leases, actions, dates, p_messages => messages, p_details => details)`, queue, v, min(max(n/20, 5), 1000))
	}
	w.exec(`select count(*) from fetchq.doc_push_many($1, (select array_agg(subject) from (select subject from `+pgx.Identifier{"q_" + queue, "docs"}.Sanitize()+`
		where status = 2 order by subject limit 3) d), array['{"again": 1}', '[2]', 'null']::jsonb[], p_on_conflict => 'requeue')`, queue)
	w.exec(`select fetchq.metric_push_many($1, array['bytes', 'depth', 'fetch', 'late'], array['counter', 'gauge', 'timing', 'counter'], array[5, 2.5, 120, 1])`, queue)
	w.exec(`select fetchq.mnt_fold($1)`, queue)
	// Of most errors the log has no line any more; others came after the last fold.
	w.exec(`update fetchq.error_groups set errors = errors + 1000, first_seen = first_seen - interval '50 days', versions = versions || 9::smallint where queue = $1`, queue)
	w.exec(`insert into fetchq.error_counts (queue, fingerprint, step, slot, errors)
		select queue, fingerprint, 21600, date_bin('6 hours', first_seen, 'epoch'), 1000 from fetchq.error_groups where queue = $1`, queue)
	w.exec(`select count(*) from fetchq.log_add_many($1, 1, array['s1', 's2', null], array['it broke', e'timeout after 7\tms', e'the \\ disk "is" full'])`, queue)
	w.exec(`update fetchq.measures set at = at - interval '1 hour'`) // a snapshot takes what is older than its steps
	w.snapshots++
	at := time.Now().Add(-10*time.Minute + time.Duration(w.snapshots)*20*time.Second)
	w.exec(`select fetchq.series_partitions($1)`, at)
	if n, err := metrics.NewStore(w.db, slog.New(slog.DiscardHandler)).Snapshot(w.t.Context(), at); err != nil || n == 0 {
		w.t.Fatalf("a snapshot of %d steps: %v", n, err)
	}
	w.exec(`select count(*) from fetchq.doc_push_many($1, array['last'])`, queue)
	w.exec(`select count(*) from fetchq.doc_pick_many($1, 0, 2)`, queue)
	w.exec(`select fetchq.metric_increment($1, 'bytes', 7)`, queue) // not folded
	w.exec(`insert into fetchq.marks (at, text, queue, created_by) values (now(), e'v1\t"quoted"', $1, 'somebody')`, queue)
}

// settled is what a queue's document is when its lease has ended, as a row of text.
const settled = `(subject, seq, case when status = 2 then coalesce((requeue ->> 'date')::timestamptz, picked_at) else next_iteration end, created_at, last_iteration, picked_at,
	attempts, iterations, case when requeue ? 'payload' then pg_column_size(requeue -> 'payload') else size end,
	coalesce((requeue -> 'version')::int, version), coalesce((requeue -> 'priority')::int, priority), case when status = 2 then 1 else status end,
	coalesce(requeue -> 'payload', payload)::text, worker)`

// digests are of everything that a backup has to bring back.
func (w *world) digests(queue string) map[string]string {
	w.t.Helper()
	s := pgx.Identifier{"q_" + queue}.Sanitize()
	all := map[string]string{}
	for name, sql := range map[string]string{
		"documents": `select count(*) || ' ' || md5(string_agg(` + settled + `::text, e'\n' order by subject)) from ` + s + `.docs`,
		"logs":      `select count(*) || ' ' || md5(string_agg(l::text, e'\n' order by created_at, id)) from ` + s + `.logs l`,
		"journal":   `select count(*) || ' ' || md5(string_agg(j::text, e'\n' order by id)) from ` + s + `.journal j where action <> 'restore'`,
		"counters": `select string_agg((version, planned, pending + active, completed, killed, ev_entered, ev_picked, ev_completed, ev_rescheduled, ev_rejected,
			ev_orphaned, ev_killed, ev_dropped, ev_forwarded, ev_errors, ev_logs)::text, e'\n' order by version) from fetchq.queue_counters('` + queue + `')`,
		"settings": `select fetchq.queue_settings(q)::text from fetchq.queues q where name = '` + queue + `'`,
		"metrics": `select string_agg((name, type, sum, n, h)::text, e'\n' order by name) from (select name, type, sum(value) as sum, sum(count) as n,
			max(encode(histogram, 'hex')) as h from fetchq.metric_totals('` + queue + `') where name !~ '^docs_' and name not in ('wait', 'work') group by name, type) m`,
		"timings": `select string_agg((name, type, round(sum::numeric, 3), n)::text, e'\n' order by name) from (select name, type, sum(value) as sum, sum(count) as n
			from fetchq.metric_totals('` + queue + `') where name in ('wait', 'work') group by name, type) m`,
		"series": `select string_agg(slot::text, ',' order by slot) from fetchq.series_10 where queue = (select id from fetchq.series_queues where queue = '` + queue + `')`,
		"marks":  `select string_agg((at, text, created_by)::text, e'\n' order by id) from fetchq.marks where queue = '` + queue + `'`,
		"indexes": `select string_agg(replace(pg_get_indexdef(indexrelid), 'q_` + queue + `', 'q'), e'\n' order by pg_get_indexdef(indexrelid)) from pg_index i
			join pg_class c on c.oid = indrelid where relnamespace = 'q_` + queue + `'::regnamespace`,
		"constraints": `select string_agg(conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid), e'\n' order by conrelid::regclass::text, conname) from pg_constraint
			where connamespace = 'q_` + queue + `'::regnamespace and contype in ('p', 'c')`,
		"functions": `select string_agg(proname, ',' order by proname) from pg_proc where pronamespace = 'q_` + queue + `'::regnamespace`,
		"tables": `select string_agg(relname || ' ' || coalesce((select string_agg(attname || ' ' || attnotnull || format_type(atttypid, atttypmod) || coalesce(pg_get_expr(adbin, adrelid), ''), ',' order by attname)
			from pg_attribute a left join pg_attrdef d on adrelid = attrelid and adnum = attnum where attrelid = c.oid and attnum > 0 and not attisdropped), ''), e'\n' order by relname)
			from pg_class c where relnamespace = 'q_` + queue + `'::regnamespace and relkind in ('r', 'p', 'S')`,
	} {
		all[name] = strings.ReplaceAll(w.text(sql), "q_"+queue, "q")
	}
	all["errors"] = w.errors(queue)
	return all
}

// errors are the groups and counts of a queue's errors as its next fold leaves them, which is undone.
func (w *world) errors(queue string) (all string) {
	w.t.Helper()
	err := pgx.BeginFunc(w.t.Context(), w.db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(w.t.Context(), `select fetchq.mnt_fold($1)`, queue); err != nil {
			return err
		}
		err := tx.QueryRow(w.t.Context(), `
			select concat_ws(e'\n\n', (select string_agg((fingerprint, first_seen, last_seen, errors, versions, documents, pattern, sample)::text, e'\n' order by fingerprint)
				from fetchq.error_groups where queue = $1), (select string_agg((fingerprint, step, slot, errors)::text, e'\n' order by fingerprint, step, slot)
				from fetchq.error_counts where queue = $1))`, queue).Scan(&all)
		return errors.Join(err, errUndo)
	})
	if !errors.Is(err, errUndo) {
		w.t.Fatal(err)
	}
	return all
}

var errUndo = errors.New("undo it")

func (w *world) same(what string, want, got map[string]string) {
	w.t.Helper()
	for name := range want {
		if want[name] != got[name] {
			w.t.Errorf("%s: the %s differ:\nbefore %.1500s\nafter  %.1500s", what, name, want[name], got[name])
		}
	}
}

// objects are the files of a folder.
func objects(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range list {
		names = append(names, f.Name())
	}
	return names
}

// stages counts what restores have left in the database.
func (w *world) stages() string {
	return w.text(`select count(*)::text from pg_namespace where nspname like 'fetchq\_restore\_%'`)
}

func mustRun(t *testing.T, w *world, to *backup.Store, p backup.RunParams) backup.Manifest {
	t.Helper()
	m, err := w.b.Run(t.Context(), to, p)
	if err != nil {
		t.Fatalf("run: %v", err)
	}
	return m
}

func queues() []struct{ name, settings string } {
	return []struct{ name, settings string }{
		{"plain", `{"max_attempts": 7, "backoff": {"kind": "fixed", "base": "3 seconds"}, "journal": "all", "payload_index": true}`},
		{"parted", `{"partitions": 4, "journal": "errors", "payload_index": true}`},
		{"keyed", `{"key": {"subject": "host"}, "key_limits": {"max_active": 1000000}, "logs_retention": "90 days", "logs_rows": 100000}`},
	}
}
