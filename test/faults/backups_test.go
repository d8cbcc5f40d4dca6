package faults_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fetchq/server/client"
)

// backedUp is how many documents the queue of these tests has: a second's work for a restore.
const backedUp = 60_000

// TestBackupsAndRestoresAfterAKill kills the program in the middle of a backup and of restores. Nothing half-written lists as a backup, the queue is as it
// was before or as the backup has it, what was asked for is done by the next start, and nothing is left in the database or in the folder.
func TestBackupsAndRestoresAfterAKill(t *testing.T) {
	if testing.Short() {
		t.Skip("kills processes for half a minute")
	}
	t.Parallel()
	p := newProgram(t, folder(t))
	p.start()
	p.findPostgres()
	p.pgURL = p.command("db-url")
	ctx, c := t.Context(), client.New(p.url, p.command("token", "create", "--name", "faults", "--rights", "admin"))
	dir := filepath.Join(t.TempDir(), "backups")
	at := (&url.URL{Scheme: "file", Path: filepath.ToSlash(dir)}).String()
	if _, err := c.PutBackupDestination(ctx, "here", client.BackupDestinationRequest{URL: at}); err != nil {
		t.Fatal(err)
	}
	p.sql(`select fetchq.queue_put('kept')`)
	p.sql(fmt.Sprintf(`select count(*) from (
			select array_agg('s' || i) as s, array_agg(jsonb_build_object('text', repeat(md5(i::text), 6))) as p from generate_series(1, %d) i group by i / 5000) g
		cross join lateral fetchq.doc_push_many('kept', g.s, g.p)`, backedUp))
	whole := p.digest()

	o, err := c.RunBackup(ctx, client.BackupRequest{Destination: "here", MaxRate: 4_000_000})
	if err != nil {
		t.Fatal(err)
	}
	p.until(`select coalesce((told ->> 'bytes')::bigint, 0) > 1000000 and finished_at is null from fetchq.operations where id = '` + o.ID + `'`)
	p.kill()
	if list := p.command("backup", "list", "--from", at); strings.Contains(list, "fetchq-") || len(files(t, dir)) == 0 {
		t.Errorf("while it was half written, the list has\n%s\nof %v", list, files(t, dir))
	}
	p.takeUp(o, `asks = asks - 'max_rate'`)
	o = p.over(c, o)
	name := o.Backup.Name
	if list := p.command("backup", "list", "--from", at); strings.Count(list, "fetchq-") != 1 || !strings.Contains(list, name) {
		t.Errorf("the list has\n%s", list)
	}
	if left := files(t, dir); !slices.Equal(left, []string{name + ".manifest.json", name + ".tar.zst"}) {
		t.Errorf("the folder has %v", left)
	}

	p.sql(`select count(*) from fetchq.doc_push_many('kept', array['new 1', 'new 2'])`)
	before := p.digest()
	const loading = `select exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where starts_with(n.nspname, 'fetchq_restore_') and c.relname = 'docs' and pg_relation_size(c.oid) > 100000)`
	restore := func() client.Operation {
		t.Helper()
		o, err := c.RestoreBackup(ctx, "here", name, client.RestoreRequest{Replace: []string{"kept"}})
		if err != nil {
			t.Fatal(err)
		}
		return o
	}

	// Killed while it loads, and canceled before anybody took it up: all of it goes.
	o = restore()
	p.until(loading)
	p.kill()
	p.sql(`update fetchq.operations set claimed_until = clock_timestamp() + interval '1 hour' where id = '` + o.ID + `'`)
	p.start()
	if o, err = c.CancelOperation(ctx, o.ID); err != nil || o.State != client.OperationCanceled {
		t.Fatalf("%+v, %v", o, err)
	}
	p.until(`select not exists (select from pg_namespace where starts_with(nspname, 'fetchq_restore_'))`)
	if got := p.digest(); got != before {
		t.Errorf("a canceled restore has changed the queue")
	}

	// Killed while it loads, and taken up.
	o = restore()
	p.until(loading)
	p.kill()
	if got := p.digest(); got != before {
		t.Errorf("half a restore has changed the queue")
	}
	p.takeUp(o, "")
	p.restored(p.over(c, o), whole)

	// Killed in the transaction that swaps: it waits for somebody who reads the queue, as late as it can.
	p.sql(`select count(*) from fetchq.doc_push_many('kept', array['new 1', 'new 2'])`)
	before = p.digest()
	reader := p.connect()
	if _, err := reader.Exec(ctx, `begin; lock table q_kept.docs in access share mode`); err != nil {
		t.Fatal(err)
	}
	o = restore()
	p.until(`select exists (select from pg_locks where not granted and relation = 'q_kept.docs'::regclass)`)
	p.kill()
	if err := reader.Close(ctx); err != nil {
		t.Fatal(err)
	}
	p.until(`select not exists (select from pg_stat_activity where application_name = 'fetchq backup')`)
	if got := p.digest(); got != before {
		t.Errorf("a swap that was cut off has changed the queue")
	}
	p.takeUp(o, "")
	p.restored(p.over(c, o), whole)
	t.Logf("doctor: %s", p.command("doctor"))
	p.stop()
}

// restored wants the queue of a backup in place, and nothing beside it.
func (p *program) restored(o client.Operation, whole string) {
	p.t.Helper()
	if len(o.Backup.Restored) != 1 || o.Backup.Restored[0].Documents != backedUp {
		p.t.Errorf("%+v", o.Backup)
	}
	if got := p.digest(); got != whole {
		p.t.Error("the queue is not what was backed up")
	}
	if n := p.count(`select count(*) from fetchq.queues where name = 'kept' and paused`); n != 1 {
		p.t.Error("the queue is not paused")
	}
	p.until(`select not exists (select from pg_namespace where starts_with(nspname, 'fetchq_restore_'))`)
}

// digest stands for the documents of the queue, and that its counters know them.
func (p *program) digest() (text string) {
	p.t.Helper()
	conn := p.connect()
	defer func() { _ = conn.Close(context.WithoutCancel(p.t.Context())) }()
	err := conn.QueryRow(p.t.Context(), `select count(*) || ' ' || md5(string_agg(subject || payload, ',' order by subject)) || ' ' || fetchq.metric_get('kept', 'docs_pending') from q_kept.docs`).Scan(&text)
	if err != nil {
		p.t.Fatal(err)
	}
	return text
}

// until waits for a query to say true.
func (p *program) until(query string) {
	p.t.Helper()
	conn := p.connect()
	defer func() { _ = conn.Close(context.WithoutCancel(p.t.Context())) }()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		var so bool
		if err := conn.QueryRow(p.t.Context(), query).Scan(&so); err != nil || time.Now().After(deadline) {
			p.t.Fatalf("%s: %v, %v\n%s", query, so, err, p.tail())
		}
		if so {
			return
		}
	}
}

// takeUp starts the program again, for which the claim of the one that was killed is over.
func (p *program) takeUp(o client.Operation, change string) {
	p.t.Helper()
	if change != "" {
		change += ", "
	}
	p.sql(`update fetchq.operations set ` + change + `claimed_until = clock_timestamp() where id = '` + o.ID + `' and state = 'running'`)
	p.start()
}

// files are the names of what stands in a folder.
func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		names = append(names, f.Name())
	}
	return names
}
