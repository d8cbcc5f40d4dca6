package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fetchq/server/internal/dbtest"
)

// fetchq runs the program beside a database, and returns what it prints.
func fetchqOn(t *testing.T, url string, args ...string) (out string, err error) {
	t.Helper()
	c := exec.CommandContext(t.Context(), binary, args...)
	c.Env = append(os.Environ(), "DATABASE_URL="+url)
	var said strings.Builder
	c.Stderr = &said
	text, err := c.Output()
	if err != nil {
		t.Logf("fetchq %q: %v: %s", args, err, said.String())
	}
	return strings.TrimSpace(string(text)), err
}

func mustFetchq(t *testing.T, url string, args ...string) string {
	t.Helper()
	out, err := fetchqOn(t, url, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestBackupCommands(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	db := dbtest.Open(t, url)
	fill := func(queue string) {
		t.Helper()
		if _, err := db.Exec(t.Context(), `select fetchq.queue_create($1)`, queue); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(t.Context(), `select count(*) from fetchq.doc_push_many($1, array['x', 'y'])`, queue); err != nil {
			t.Fatal(err)
		}
	}
	fill("a")
	fill("b")
	to := "file://" + filepath.ToSlash(t.TempDir())
	one := mustFetchq(t, url, "backup", "run", "--queue", "a", "--to", to, "--name", "one", "--max-rate", "20MB")
	if one != to+"/one.tar.zst" {
		t.Errorf("the run prints %q", one)
	}
	all := mustFetchq(t, url, "backup", "run", "--to", to)
	if list := mustFetchq(t, url, "backup", "list", "--from", to); strings.Count(list, "complete") != 2 || !strings.Contains(list, "a,b") {
		t.Errorf("the list is %s", list)
	}
	if out := mustFetchq(t, url, "backup", "verify", all, "--load"); !strings.Contains(out, "is whole") {
		t.Errorf("the verification says %s", out)
	}
	if _, err := fetchqOn(t, url, "restore", all); err == nil {
		t.Error("queues with documents are replaced")
	}
	mustFetchq(t, url, "restore", one, "--as", "c")
	mustFetchq(t, url, "restore", all, "--replace", "a", "--replace", "b")
	if out := mustFetchq(t, url, "doctor"); !strings.Contains(out, "agree") {
		t.Errorf("the doctor says %s", out)
	}
	if out := mustFetchq(t, url, "backup", "prune", "--from", to, "--keep-last", "1"); out != "one" {
		t.Errorf("prune says %q", out)
	}
	for _, args := range [][]string{
		{"backup", "run", "--to", "nowhere"}, {"backup", "run", "--to", to, "--name", "../x"}, {"backup", "run", "--to", to, "--max-rate", "fast"},
		{"backup", "run", "--to", to, "--queue", "none"}, {"backup", "prune", "--from", to}, {"restore", to + "/none"}, {"restore", all, "--queue", "none"},
	} {
		if _, err := fetchqOn(t, url, args...); err == nil {
			t.Errorf("fetchq %q succeeds", args)
		}
	}
}

// TestABackupThatIsKilled kills the program while it writes, when it has loaded, and in the middle of the swap.
func TestABackupThatIsKilled(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	db := dbtest.Open(t, url)
	exec1 := func(sql string) {
		t.Helper()
		if _, err := db.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(sql string) (s string) {
		t.Helper()
		if err := db.QueryRow(t.Context(), sql).Scan(&s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	exec1(`select fetchq.queue_create('a')`)
	exec1(`select count(*) from fetchq.doc_push_many('a', (select array_agg('s' || i) from generate_series(1, 2000) i))`)
	dir := t.TempDir()
	to := "file://" + filepath.ToSlash(dir)
	whole := mustFetchq(t, url, "backup", "run", "--to", to, "--name", "whole")
	before := ask(`select md5(string_agg(d::text, '' order by subject)) from q_a.docs d`)

	// held starts the program, waits until it is seen doing something, and kills it.
	held := func(seen string, args ...string) {
		t.Helper()
		c := exec.CommandContext(t.Context(), binary, args...)
		c.Env = append(os.Environ(), "DATABASE_URL="+url)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(time.Minute); ask(seen) != "true"; {
			if time.Now().After(deadline) {
				t.Fatalf("never seen: %s", seen)
			}
		}
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait()
	}
	// gone waits until the connections of a program that was killed have ended.
	gone := func() {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ask(`select (count(*) > 0)::text from pg_stat_activity
			where datname = current_database() and application_name = 'fetchq backup'`) == "true"; {
			if time.Now().After(deadline) {
				t.Fatal("the connections of a program that was killed do not end")
			}
		}
	}
	hold := func(sql string) (free func()) {
		t.Helper()
		tx, err := db.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
		return func() { _ = tx.Rollback(context.Background()) }
	}
	const waits = `select (count(*) > 0)::text from pg_stat_activity where datname = current_database() and application_name = 'fetchq backup'
		and wait_event_type = 'Lock' and query ~ '`

	// While it writes: the last table that it reads is locked.
	free := hold(`lock table fetchq.series_3600 in access exclusive mode`)
	held(waits+`copy'`, "backup", "run", "--to", to, "--name", "killed")
	free()
	gone()
	if list := mustFetchq(t, url, "backup", "list", "--from", to); strings.Contains(list, "killed") {
		t.Errorf("half a backup is listed: %s", list)
	}

	// When it has loaded.
	free = hold(`select pg_advisory_xact_lock(7378413, 1)`) // who makes partitions of series
	held(waits+`restore_partitions'`, "restore", whole, "--replace", "a")
	free()
	gone()
	if got := ask(`select md5(string_agg(d::text, '' order by subject)) from q_a.docs d`); got != before {
		t.Error("the queue has changed by a restore that was killed while it loaded")
	}

	// At the swap: somebody reads the queue that is to go.
	free = hold(`select from q_a.docs`)
	held(`select (count(*) > 0)::text from pg_stat_activity where datname = current_database() and query ~ 'fetchq.restore_swap' and application_name = 'fetchq backup' and state = 'active'`,
		"restore", whole, "--replace", "a")
	free()
	gone()
	if got := ask(`select md5(string_agg(d::text, '' order by subject)) from q_a.docs d`); got != before {
		t.Error("the queue has changed by a restore that was killed at the swap")
	}
	// What they left goes with the next one.
	mustFetchq(t, url, "restore", whole, "--replace", "a")
	if got := ask(`select count(*) || ' ' || (select count(*) from pg_namespace where nspname like 'fetchq\_restore\_%') from q_a.docs`); got != "2000 0" {
		t.Errorf("documents and stages: %s", got)
	}
	if out := mustFetchq(t, url, "doctor"); !strings.Contains(out, "agree") {
		t.Errorf("the doctor says %s", out)
	}
}
