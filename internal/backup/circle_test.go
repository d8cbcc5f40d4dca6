package backup_test

import (
	"bytes"
	"path/filepath"
	"slices"
	"testing"

	"filippo.io/age"

	"github.com/fetchq/server/internal/backup"
	"github.com/fetchq/server/internal/errs"
)

// circle backs up three queues of one database, restores them in another one, and wants them to be equal there.
func circle(t *testing.T, to *backup.Store, p backup.RunParams, keys string) {
	from, into := newWorld(t), newWorld(t)
	into.exec(`select fetchq.queue_create('other')`)
	into.exec(`select fetchq.metric_push_many('other', array['first', 'second'], array['counter', 'counter'], array[1, 1])`) // their numbers are taken
	want := map[string]map[string]string{}
	for _, q := range queues() {
		from.fill(q.name, q.settings, *documents/3)
	}
	for _, q := range queues() {
		want[q.name] = from.digests(q.name) // a snapshot of series that is taken for one may be one of the others too
	}
	var last backup.Progress
	p.Progress = func(so backup.Progress) { last = so }
	m := mustRun(t, from, to, p)
	if last.Rows != m.Rows() || last.Bytes == 0 {
		t.Errorf("the last progress is %+v of %d rows", last, m.Rows())
	}
	list, err := to.List(t.Context(), "", 0)
	if err != nil || !slices.ContainsFunc(list, func(e backup.Entry) bool { return e.Name == m.Name && e.Problem == "" }) {
		t.Fatalf("the list is %+v, %v", list, err)
	}
	if _, err := from.b.Verify(t.Context(), to, m.Name, backup.VerifyParams{Keys: keys, Load: true}); err != nil {
		t.Fatalf("verify: %v", err)
	}
	done, err := into.b.Restore(t.Context(), to, m.Name, backup.RestoreParams{Keys: keys, Workers: 3})
	if err != nil {
		t.Fatalf("restore: %v", err)
	}
	if len(done) != 3 || from.stages() != "0" || into.stages() != "0" {
		t.Errorf("restored %+v; %s and %s stages are left", done, from.stages(), into.stages())
	}
	for _, q := range queues() {
		into.same(q.name, want[q.name], into.digests(q.name))
		if got := into.text(`select (select count(*) from ` + "q_" + q.name + `.docs where status = 2 or requeue is not null) || ' ' || sum(active)
			from fetchq.queue_counters('` + q.name + `')`); got != "0 0" {
			t.Errorf("%s has leases that nobody holds: %s documents and counted", q.name, got)
		}
		if got := into.text(`select paused || ' ' || pause_reason from fetchq.queues where name = $1`, q.name); got != "true restored from "+m.Name+"; look at its dates, then resume it" {
			t.Errorf("%s is %s", q.name, got)
		}
		// It works on: what is there can be picked, and what is pushed comes behind it.
		into.exec(`select fetchq.queue_resume($1)`, q.name)
		into.exec(`select count(*) from fetchq.doc_push_many($1, array['fresh'])`, q.name)
		if got := into.text(`select count(*)::text from fetchq.doc_pick_many($1, 0, 50)`, q.name); got != "50" {
			t.Errorf("%s hands out %s documents of 50", q.name, got)
		}
		if got := into.text(`select (max(seq) filter (where subject = 'fresh') > max(seq) filter (where subject <> 'fresh'))::text from ` + "q_" + q.name + `.docs`); got != "true" {
			t.Errorf("the numbers of %s go back", q.name)
		}
		if got := into.text(`select (max(ctid::text) is not null)::text from fetchq.counters where queue = $1`, q.name); got != "true" {
			t.Errorf("%s has no counters", q.name)
		}
	}
	if got := into.text(`select count(*)::text from (select id from fetchq.metrics where id >= 64 group by id having count(*) > 1) m`); got != "0" {
		t.Errorf("%s metrics share their numbers", got)
	}
}

func TestWhatIsRestoredFromAFolderIsEqual(t *testing.T) {
	t.Parallel()
	to, dir := folder(t)
	circle(t, to, backup.RunParams{}, "")
	if names := objects(t, dir); len(names) != 2 {
		t.Errorf("the folder has %q", names)
	}
}

func TestWhatIsEncryptedAndInVolumesIsEqual(t *testing.T) {
	t.Parallel()
	to, dir := folder(t)
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	circle(t, to, backup.RunParams{Recipients: []string{key.Recipient().String()}, Volume: 100_000, Readers: 4, MaxRate: 1 << 30}, key.String())
	if names := objects(t, dir); len(names) < 3 {
		t.Errorf("the folder has %q; more than one volume is wanted", names)
	}
	m, err := to.List(t.Context(), "", 0)
	if err != nil {
		t.Fatal(err)
	}
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	if _, err := w.b.Verify(t.Context(), to, m[0].Name, backup.VerifyParams{}); errs.Of(err) != errs.Invalid {
		t.Errorf("without a key: %v", err)
	}
	if _, err := w.b.Verify(t.Context(), to, m[0].Name, backup.VerifyParams{Keys: other.String()}); errs.Of(err) != errs.Forbidden {
		t.Errorf("with another key: %v", err)
	}
}

// TestARowLargerThanAMemberIsEqual has rows that go over several members, between small ones.
func TestARowLargerThanAMemberIsEqual(t *testing.T) {
	if testing.Short() {
		t.Skip("a document of many megabytes")
	}
	t.Parallel()
	w := newWorld(t)
	to, _ := folder(t)
	w.exec(`select fetchq.queue_create('large')`)
	for range 2 {
		w.exec(`select count(*) from fetchq.doc_push_many('large', array['a', 'b', 'c' || random(), 'd'],
			array['1', to_jsonb(repeat(e'\u0001', 3000000)), to_jsonb(repeat(e'\t\\', 2000000)), '2']::jsonb[])`)
	}
	want := w.digests("large")
	m := mustRun(t, w, to, backup.RunParams{Queues: []string{"large"}})
	most := slices.MaxFunc(m.Members, func(a, b backup.Member) int { return int(a.Bytes - b.Bytes) })
	if most.Bytes != 8<<20 {
		t.Errorf("the largest member is %+v; a row of 21 MB fills one of 8 MiB", most)
	}
	if _, err := w.b.Restore(t.Context(), to, m.Name, backup.RestoreParams{As: "again"}); err != nil {
		t.Fatal(err)
	}
	w.same("large", want, w.digests("again"))
}

// TestLeasesFromBeforeARestoreAreStale has a worker that holds a document while its queue is replaced, and one whose document is not in the backup.
func TestLeasesFromBeforeARestoreAreStale(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	to, _ := folder(t)
	w.exec(`select fetchq.queue_create('a')`)
	w.exec(`select count(*) from fetchq.doc_push_many('a', array['held', 'due'])`)
	lease := w.text(`select lease::text from fetchq.doc_pick('a')`)
	m := mustRun(t, w, to, backup.RunParams{})
	// The clock was set back: numbers are ahead of it.
	w.exec(`update q_a.docs set lease = lease + 1000000000000 where subject = 'due'`)
	ahead := w.text(`select lease::text from q_a.docs where subject = 'due'`)
	if _, err := w.b.Restore(t.Context(), to, m.Name, backup.RestoreParams{}); errs.Of(err) != errs.Exists {
		t.Fatalf("a queue with documents is replaced: %v", err)
	}
	if _, err := w.b.Restore(t.Context(), to, m.Name, backup.RestoreParams{Replace: []string{"a"}}); err != nil {
		t.Fatal(err)
	}
	if got := w.text(`select string_agg(status || ' ' || attempts || ' ' || ended || ' ' || (lease > $1::bigint), ',' order by subject) from q_a.docs`, ahead); got != "1 0 0 true,1 1 0 true" {
		t.Errorf("the documents are %s", got)
	}
	for range 2 {
		if got := w.text(`select outcome from fetchq.doc_resolve_many('a', array['held'], array[$1::bigint], array['complete'])`, lease); got != "stale" {
			t.Errorf("the lease from before is %s", got)
		}
		w.exec(`select fetchq.queue_resume('a')`)
		w.exec(`select count(*) from fetchq.doc_pick('a', 0, 2)`)
	}
}

// TestABackupIsOfOneMoment has a queue that goes on while it is read: documents, counters and logs of the backup agree.
func TestABackupIsOfOneMoment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	to, _ := folder(t)
	w.fill("busy", `{"partitions": 2}`, 3000)
	want := w.digests("busy")
	calls := 0
	m := mustRun(t, w, to, backup.RunParams{Readers: 1, Progress: func(backup.Progress) {
		if calls++; calls <= 2 { // when nothing is read, and when something is
			w.exec(`select count(*) from fetchq.doc_push_many('busy', (select array_agg('late' || $1::int || i) from generate_series(1, 500) i))`, calls)
			w.exec(`select count(*) from fetchq.doc_pick_many('busy', 0, 500)`)
			w.exec(`select fetchq.mnt_fold('busy')`)
			w.exec(`select fetchq.journal_close(q, now()) from fetchq.queues q where name = 'busy'`)
		}
	}})
	if _, err := w.b.Restore(t.Context(), to, m.Name, backup.RestoreParams{As: "was"}); err != nil {
		t.Fatal(err)
	}
	delete(want, "tables")
	w.same("busy", want, w.digests("was"))
}

func TestOnlySettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	to, _ := folder(t)
	w.fill("a", `{"max_attempts": 9, "partitions": 2}`, 30)
	m := mustRun(t, w, to, backup.RunParams{})
	before := w.digests("a")
	w.exec(`select fetchq.queue_set('a', '{"max_attempts": 3}')`)
	if _, err := w.b.Restore(t.Context(), to, m.Name, backup.RestoreParams{SettingsOnly: true}); err != nil {
		t.Fatal(err)
	}
	w.same("a", before, w.digests("a"))
	if _, err := w.b.Restore(t.Context(), to, m.Name, backup.RestoreParams{SettingsOnly: true, As: "b"}); err != nil {
		t.Fatal(err)
	}
	if got := w.text(`select max_attempts || ' ' || partitions || ' ' || (select count(*) from q_b.docs) from fetchq.queues where name = 'b'`); got != "9 2 0" {
		t.Errorf("the new queue is %s", got)
	}
}

func TestMarkOfSecretsInURLs(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{ //nolint:gosec // they look like secrets, which is what is tried
		"s3://user:word@bucket/a?region=eu&session_token=word": "s3://hidden@bucket/a?region=eu&session_token=hidden",
		"azblob://c?sig=word&storage_account=x":                "azblob://c?sig=hidden&storage_account=x",
		"s3://%zz word":                                        "s3:(hidden)",
		"file:///a":                                            "file:///a",
	} {
		if got := backup.Redacted(address); got != want || bytes.Contains([]byte(got), []byte("word")) {
			t.Errorf("%s is shown as %s, want %s", address, got, want)
		}
	}
}

// TestAFolderIsMadeByWhoWritesAlone has a name that was mistyped.
func TestAFolderIsMadeByWhoWritesAlone(t *testing.T) {
	t.Parallel()
	address := "file://" + filepath.ToSlash(filepath.Join(t.TempDir(), "new", "folder"))
	if _, err := backup.OpenStore(t.Context(), address, false); errs.Of(err) != errs.NotFound {
		t.Errorf("a folder that is not there: %v", err)
	}
	to, err := backup.OpenStore(t.Context(), address, true)
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	if err := to.Probe(t.Context()); err != nil {
		t.Error(err)
	}
}
