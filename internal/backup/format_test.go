package backup_test

import (
	"encoding/json"
	"flag"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/fetchq/server/internal/backup"
)

var update = flag.Bool("update", false, "write the backup of the present format into testdata anew")

// oldest is a backup of format 1 as the first program wrote it. It is never written anew once another format is there: then that gets a
// folder of its own beside it.
const oldest = "format-1"

// kept is what a queue of the oldest backup has, in words that do not change with the tables.
func (w *world) kept(queue string) map[string]string {
	s := "q_" + queue
	all := w.digests(queue)
	return map[string]string{
		"documents": all["documents"], "counters": all["counters"], "marks": all["marks"],
		"logs": w.text(`select count(*) || ' ' || md5(string_agg((created_at, id, kind, attempt, subject, message, ref_id, worker, details)::text, e'\n' order by created_at, id)) from ` + s + `.logs`),
		"settings": w.text(`select jsonb_build_object('max_attempts', max_attempts, 'backoff', backoff_kind, 'journal', journal, 'partitions', partitions)::text
			from fetchq.queues where name = $1`, queue),
		"metrics": w.text(`select string_agg(name || ' ' || value, ',' order by name) from fetchq.metrics where queue = $1 and type in (1, 2)`, queue),
	}
}

// TestABackupOfTheOldestFormatComesBack restores what stands in testdata: a change of tables or of the format must leave old backups what they were.
func TestABackupOfTheOldestFormatComesBack(t *testing.T) {
	t.Parallel()
	dir, err := filepath.Abs(filepath.Join("testdata", oldest))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "want.json")
	w := newWorld(t)
	if *update {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(dir, 0o750); err != nil {
			t.Fatal(err)
		}
		want := map[string]map[string]string{}
		for _, q := range queues() {
			w.fill(q.name, q.settings, 120)
			want[q.name] = w.kept(q.name)
		}
		w.team()
		mustRun(t, w, open(t, address(dir)), backup.RunParams{Name: "old", Installation: true})
		text, err := json.MarshalIndent(want, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(text, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
		w = newWorld(t)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]map[string]string
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	from := open(t, address(dir))
	if _, err := w.b.Verify(t.Context(), from, "old", backup.VerifyParams{Load: true}); err != nil {
		t.Errorf("verify: %v", err)
	}
	if done, err := w.b.Restore(t.Context(), from, "old", backup.RestoreParams{Installation: true}); err != nil || len(done) != len(want) {
		t.Fatalf("restored %+v, %v", done, err)
	}
	for queue := range want {
		w.same(queue, want[queue], w.kept(queue))
	}
	if got := w.text(`select (select count(*) from fetchq.users) || ' ' || (select count(*) from fetchq.tokens) || ' ' || (select count(*) from fetchq.dashboards)`); got != "2 1 1" {
		t.Errorf("users, tokens and dashboards: %s", got)
	}
}

// address is the URL of a folder.
func address(dir string) string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(dir)}).String()
}
