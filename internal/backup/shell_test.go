package backup_test

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fetchq/server/internal/backup"
	"github.com/fetchq/server/internal/dbtest"
)

// tools are those that the shell lines want.
var tools = []string{"tar", "zstd", "psql"}

// TestTheShellLinesOfTheDocumentation reads a backup back as docs/backup-format.md says, into an empty database, and then into one of Fetchq.
func TestTheShellLinesOfTheDocumentation(t *testing.T) {
	t.Parallel()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is missing, and CI=true wants the shell lines tried; Debian has zstd, and psql in postgresql-client", tool)
			}
			t.Skipf("NOT TESTED: %s is missing; Debian has zstd, and psql in postgresql-client", tool)
		}
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "backup-format.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```sh\n")
	lines, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("the documentation has no shell lines")
	}
	w := newWorld(t)
	to, dir := folder(t)
	for _, q := range queues() {
		w.fill(q.name, q.settings, 300)
	}
	m := mustRun(t, w, to, backup.RunParams{Volume: 20_000})
	read := func(address string) {
		t.Helper()
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		scratch := t.TempDir()
		for _, object := range objects(t, dir) {
			if err := os.Link(filepath.Join(dir, object), filepath.Join(scratch, object)); err != nil {
				t.Fatal(err)
			}
		}
		shell := exec.CommandContext(t.Context(), "sh", "-eu", "-c", lines)
		shell.Dir = scratch
		shell.Env = append(os.Environ(), "backup="+m.Name, "PGHOST="+u.Hostname(), "PGPORT="+u.Port(), "PGUSER="+u.User.Username(), "PGDATABASE="+u.Path[1:])
		if out, err := shell.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	empty := &world{t: t, url: dbtest.Empty(t)}
	empty.db = dbtest.Open(t, empty.url)
	read(empty.url)
	into := newWorld(t)
	read(into.url)
	for _, q := range queues() {
		const docs = `select count(*) || md5(string_agg((subject, seq, lease, next_iteration, status, ended, attempts, payload::text, requeue::text)::text, '' order by subject)) from `
		if want, got := w.text(docs+"q_"+q.name+".docs"), empty.text(docs+"q_"+q.name+".docs"); want != got {
			t.Errorf("the documents of %s are %s, want %s", q.name, got, want)
		}
		want := w.digests(q.name)
		into.exec(`select fetchq.queue_attach($1)`, q.name)
		got := into.digests(q.name)
		if want["logs"] != got["logs"] {
			t.Errorf("the logs of %s are %s, want %s", q.name, got["logs"], want["logs"])
		}
		if n := into.text(`select count(*)::text from fetchq.doc_pick_many($1, 0, 10)`, q.name); n != "0" {
			t.Errorf("the queue %s hands out %s documents while it is paused", q.name, n)
		}
		into.exec(`select fetchq.queue_resume($1)`, q.name)
		if n := into.text(`select count(*)::text from fetchq.doc_pick_many($1, 0, 10)`, q.name); n != "10" {
			t.Errorf("the queue %s hands out %s documents of 10", q.name, n)
		}
	}
}
