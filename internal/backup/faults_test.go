package backup_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fetchq/server/internal/backup"
	"github.com/fetchq/server/internal/errs"
)

// TestADamagedBackupChangesNothing flips a bit in every region of an object, cuts it, lengthens it, takes it away, and lies in its manifest.
func TestADamagedBackupChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	to, dir := folder(t)
	w.fill("a", `{"journal": "all"}`, 900)
	m := mustRun(t, w, to, backup.RunParams{})
	archive, list := filepath.Join(dir, m.Volumes[0].Object), filepath.Join(dir, m.Name+".manifest.json")
	before := w.text(`select md5(string_agg(d::text, '' order by subject)) from q_a.docs d`)
	whole, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	said, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	refuse := func(what string, code errs.Code) {
		t.Helper()
		_, err := w.b.Restore(t.Context(), to, m.Name, backup.RestoreParams{Replace: []string{"a"}})
		if errs.Of(err) != code {
			t.Errorf("%s: the restore says %v", what, err)
		}
		if _, err := w.b.Verify(t.Context(), to, m.Name, backup.VerifyParams{}); errs.Of(err) != code {
			t.Errorf("%s: the verification says %v", what, err)
		}
		if got := w.text(`select md5(string_agg(d::text, '' order by subject)) from q_a.docs d`); got != before {
			t.Fatalf("%s: the queue has changed", what)
		}
	}
	put := func(file string, text []byte) {
		t.Helper()
		if err := os.WriteFile(file, text, 0o600); err != nil { //nolint:gosec // a folder of this test
			t.Fatal(err)
		}
	}
	for i := range 12 {
		flipped := bytes.Clone(whole)
		flipped[i*(len(whole)-1)/11] ^= 1 << (i % 8)
		put(archive, flipped)
		refuse("a flipped bit", errs.Invalid)
	}
	put(archive, whole[:len(whole)/2])
	refuse("cut in the middle", errs.Invalid)
	put(archive, whole[:len(whole)-1])
	refuse("cut at the end", errs.Invalid)
	put(archive, append(bytes.Clone(whole), 0))
	refuse("longer than it was", errs.Invalid)
	if err := os.Remove(archive); err != nil {
		t.Fatal(err)
	}
	refuse("gone", errs.Invalid)
	put(archive, whole)
	lies := map[string]errs.Code{
		`"format":1|"format":2`:                              errs.Unsupported,
		`"format":1|"format":0`:                              errs.Invalid,
		`"q_a/docs.000001.copy"|"q_a/../docs.000001.copy"`:   errs.Invalid,
		`"q_a/docs.000001.copy"|"q_b/docs.000001.copy"`:      errs.Invalid,
		`"object":"fetchq|"object":"../fetchq`:               errs.Invalid,
		`"columns":["lease","ended",|"columns":["lease\";",`: errs.Invalid,
		`"name":"a"|"name":"a\"; drop"`:                      errs.Invalid,
		`"bytes":|"bytes":9`:                                 errs.Invalid,
		`"rows":|"rows":1`:                                   errs.Invalid,
		`{|[`:                                                errs.Invalid,
	}
	for lie, code := range lies {
		from, into, _ := strings.Cut(lie, "|")
		if !bytes.Contains(said, []byte(from)) {
			t.Fatalf("the manifest has no %s", from)
		}
		put(list, bytes.Replace(said, []byte(from), []byte(into), 1))
		refuse(lie, code)
		if all, err := to.List(t.Context(), "", 0); err != nil || len(all) != 1 || all[0].Problem == "" {
			t.Errorf("%s: the list has %+v, %v", lie, all, err)
		}
	}
	// Digests of the manifest that are not those of what stands there: of the first member, and of the volume.
	for what, at := range map[string]int{"of a member": bytes.Index(said, []byte(`"sha256":"`)), "of a volume": bytes.LastIndex(said, []byte(`"sha256":"`))} {
		lie := bytes.Clone(said)
		digit := &lie[at+len(`"sha256":"`)]
		*digit = map[bool]byte{true: '1', false: '0'}[*digit == '0']
		put(list, lie)
		refuse("another digest "+what, errs.Invalid)
	}
	put(list, said)
	if _, err := w.b.Restore(t.Context(), to, m.Name, backup.RestoreParams{Replace: []string{"a"}}); err != nil {
		t.Errorf("the whole one: %v", err)
	}
	if n := w.stages(); n != "0" {
		t.Errorf("%s stages are left", n)
	}
}

// TestAnArchiveThatHoldsMoreThanItsManifestSays leaves the last member out of the manifest.
func TestAnArchiveThatHoldsMoreThanItsManifestSays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	to, dir := folder(t)
	w.fill("a", `{}`, 300)
	m := mustRun(t, w, to, backup.RunParams{})
	file := filepath.Join(dir, m.Name+".manifest.json")
	var said map[string]json.RawMessage
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &said); err != nil {
		t.Fatal(err)
	}
	// Of the members it leaves out the last: what stands there is more than it says.
	var members []json.RawMessage
	if err := json.Unmarshal(said["members"], &members); err != nil {
		t.Fatal(err)
	}
	said["members"], _ = json.Marshal(members[:len(members)-1])
	text, _ = json.Marshal(said)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := w.b.Verify(t.Context(), to, m.Name, backup.VerifyParams{}); errs.Of(err) != errs.Invalid {
		t.Errorf("the verification says %v", err)
	}
}

// TestARunThatIsCanceledLeavesNothing cancels it when a volume stands there.
func TestARunThatIsCanceledLeavesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	to, dir := folder(t)
	w.fill("a", `{"partitions": 3}`, 3000)
	ctx, cancel := context.WithCancel(t.Context())
	var finished []string
	_, err := w.b.Run(ctx, to, backup.RunParams{Volume: 10_000, Progress: func(backup.Progress) {
		if finished, _ = filepath.Glob(filepath.Join(dir, "*.tar.zst")); len(finished) > 0 {
			cancel()
		}
	}})
	if len(finished) == 0 {
		t.Error("no volume was finished before")
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the run says %v", err)
	}
	if names := objects(t, dir); len(names) != 0 {
		t.Errorf("the folder has %q", names)
	}
	for deadline := time.Now().Add(time.Minute); ; {
		n := w.text(`select count(*)::text from pg_stat_activity where datname = current_database() and application_name = 'backup test'`)
		if n == "0" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s connections are left", n)
		}
	}
}

// TestADestinationThatIsFull has a file system with less room than the backup takes. Only root can mount one.
func TestADestinationThatIsFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=64k", "none", dir).CombinedOutput(); err != nil {
		t.Skipf("NOT TESTED: no small file system can be mounted here: %v: %s", err, out)
	}
	defer func() {
		if out, err := exec.CommandContext(context.Background(), "umount", dir).CombinedOutput(); err != nil {
			t.Errorf("unmount: %v: %s", err, out)
		}
	}()
	w := newWorld(t)
	w.fill("a", `{}`, 6000)
	to := open(t, address(dir))
	_, err := w.b.Run(t.Context(), to, backup.RunParams{})
	if errs.Of(err) != errs.Unavailable || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("the run says %v", err)
	}
	if names := objects(t, dir); len(names) != 0 {
		t.Errorf("the folder has %q", names)
	}
}

func TestTwoRestoresAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	to, _ := folder(t)
	w.fill("a", `{}`, 300)
	m := mustRun(t, w, to, backup.RunParams{})
	var second error
	once := false
	_, err := w.b.Restore(t.Context(), to, m.Name, backup.RestoreParams{As: "b", Progress: func(so backup.Progress) {
		if so.Phase == "index" && !once {
			once = true
			_, second = w.b.Restore(t.Context(), to, m.Name, backup.RestoreParams{As: "b"})
			if _, err := w.b.Restore(t.Context(), to, m.Name, backup.RestoreParams{As: "c"}); err != nil {
				t.Errorf("one into another queue: %v", err)
			}
		}
	}})
	if err != nil || errs.Of(second) != errs.Overloaded {
		t.Errorf("the first says %v, the second %v", err, second)
	}
}

// TestARestoreThatFindsTheQueueFilled has a queue that got documents while the backup was loaded, and one that somebody holds.
func TestARestoreThatFindsTheQueueFilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	to, _ := folder(t)
	w.fill("a", `{}`, 300)
	m := mustRun(t, w, to, backup.RunParams{})
	w.exec(`select fetchq.queue_create('b')`)
	_, err := w.b.Restore(t.Context(), to, m.Name, backup.RestoreParams{As: "b", Progress: func(so backup.Progress) {
		if so.Phase == "swap" {
			w.exec(`select count(*) from fetchq.doc_push_many('b', array['new'])`)
		}
	}})
	if errs.Of(err) != errs.Exists {
		t.Errorf("the restore says %v", err)
	}
	if got := w.text(`select string_agg(subject, ',') from q_b.docs`) + w.stages(); got != "new0" {
		t.Errorf("the queue has %s", got)
	}
	tx, err := w.db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.Background()) //nolint:errcheck // a test
	if _, err := tx.Exec(t.Context(), `select from q_b.docs`); err != nil {
		t.Fatal(err)
	}
	if _, err := w.b.Restore(t.Context(), to, m.Name, backup.RestoreParams{As: "b", Replace: []string{"b"}}); errs.Of(err) != errs.Overloaded {
		t.Errorf("while somebody reads it, the restore says %v", err)
	}
	if got := w.stages(); got != "0" {
		t.Errorf("%s stages are left", got)
	}
}

// TestASwapHoldsNobodyUpForLong has somebody who holds the register's row of a queue, not the queue: the swap has locked that by then, and gives it back
// until he is done.
func TestASwapHoldsNobodyUpForLong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	to, _ := folder(t)
	w.fill("a", `{}`, 300)
	m := mustRun(t, w, to, backup.RunParams{})
	tx, err := w.db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.Background()) //nolint:errcheck // a test
	if _, err := tx.Exec(t.Context(), `select from fetchq.queues where name = 'a' for update`); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := w.b.Restore(t.Context(), to, m.Name, backup.RestoreParams{Replace: []string{"a"}})
		done <- err
	}()
	for deadline := time.Now().Add(time.Minute); w.text(`select (count(*) > 0)::text from pg_locks l join pg_stat_activity a on a.pid = l.pid
		where l.relation = 'q_a.docs'::regclass and l.mode = 'AccessExclusiveLock' and l.granted and a.application_name = 'backup test'
			and a.wait_event_type = 'Lock'`) != "true"; {
		if time.Now().After(deadline) {
			t.Fatal("the swap never came to the row")
		}
	}
	look, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := w.db.Exec(look, `select from q_a.docs`); err != nil {
		t.Fatalf("the queue is not given back: %v", err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("when the row is free, the restore says %v", err)
	}
}

func TestPruneKeepsWhatIsAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	to, dir := folder(t)
	w.exec(`select fetchq.queue_create('a')`)
	for _, day := range []string{"01", "02", "03", "03b", "10"} {
		m := mustRun(t, w, to, backup.RunParams{Name: "b-" + day})
		file := filepath.Join(dir, m.Name+".manifest.json")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		at, _ := json.Marshal(m.SnapshotAt)
		text = bytes.Replace(text, at, []byte(`"2026-11-`+day[:2]+`T1`+map[bool]string{true: "2", false: "1"}[len(day) > 2]+`:00:00Z"`), 1)
		if err := os.WriteFile(file, text, 0o600); err != nil { //nolint:gosec // a folder of this test
			t.Fatal(err)
		}
	}
	orphan := filepath.Join(dir, "b-99.tar.zst")
	if err := os.WriteFile(orphan, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	// Of this one a run may still be writing the third volume.
	for volume, age := range map[string]time.Duration{"b-98.tar.zst": 240 * time.Hour, "b-98.002.tar.zst": 0} {
		file := filepath.Join(dir, volume)
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, time.Time{}, time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	prune := func(keep backup.Keep, at time.Time, dry bool, want ...string) {
		t.Helper()
		gone, err := to.Prune(t.Context(), keep, at, dry)
		if err != nil || !slices.Equal(gone, want) {
			t.Errorf("prune %+v takes %q, %v; want %q", keep, gone, err, want)
		}
	}
	if _, err := to.Prune(t.Context(), backup.Keep{}, now, false); errs.Of(err) != errs.Invalid {
		t.Errorf("with nothing to keep: %v", err)
	}
	prune(backup.Keep{Last: 2}, now, true, "b-01", "b-02", "b-03")
	prune(backup.Keep{Daily: 3}, now, true, "b-01", "b-03")
	prune(backup.Keep{Weekly: 2}, now, true, "b-01", "b-02", "b-03")
	prune(backup.Keep{Monthly: 9}, now.Add(200*time.Hour), true, "b-01", "b-02", "b-03", "b-03b", "b-98.002.tar.zst", "b-98.tar.zst", "b-99.tar.zst")
	prune(backup.Keep{Last: 1, Daily: 2}, now.Add(200*time.Hour), false, "b-01", "b-02", "b-03", "b-98.002.tar.zst", "b-98.tar.zst", "b-99.tar.zst")
	for _, name := range []string{"b-03b", "b-10"} {
		if _, err := w.b.Verify(t.Context(), to, name, backup.VerifyParams{}); err != nil {
			t.Errorf("%s, which stays: %v", name, err)
		}
	}
	list, err := to.List(t.Context(), "b-03b", 1)
	if err != nil || len(list) != 1 || list[0].Name != "b-10" {
		t.Errorf("behind b-03b the list has %+v, %v", list, err)
	}
	if names := objects(t, dir); len(names) != 4 {
		t.Errorf("the folder has %q", names)
	}
}
