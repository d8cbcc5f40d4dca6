package main

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// connect opens a connection to the database of a place; that of a private Postgres after a crash may take some tries.
func (p *place) connect() *pgx.Conn {
	p.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		url, _, code := p.command("db-url")
		if code == 0 {
			conn, err := pgx.Connect(p.t.Context(), url)
			if err == nil {
				p.t.Cleanup(func() { _ = conn.Close(context.Background()) })
				return conn
			}
		}
		if time.Now().After(deadline) {
			p.t.Fatal("the database does not answer")
		}
	}
}

// ask returns the one text that a query answers.
func ask(t *testing.T, conn *pgx.Conn, sql string) (text string) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), sql).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}

// TestALostInstallationComesBackByTwoCommands has one of which nothing is left but a backup.
func TestALostInstallationComesBackByTwoCommands(t *testing.T) {
	if testing.Short() {
		t.Skip("two programs with a Postgres each")
	}
	t.Parallel()
	lost := newPlace(t)
	lost.set("FETCHQ_ADMIN_EMAIL", "ann@example.org")
	lost.set("FETCHQ_ADMIN_PASSWORD", password)
	r := lost.serve()
	token := lost.must("token", "create", "--name", "crawler", "--rights", "read,push,work")
	over := lost.must("token", "create", "--name", "revoked", "--rights", "read")
	lost.must("token", "revoke", "revoked")
	conn := lost.connect()
	for _, sql := range []string{
		`select fetchq.queue_create('a', '{"max_attempts": 9}')`, `select count(*) from fetchq.doc_push_many('a', array['x', 'y'])`, `select fetchq.queue_create('b')`,
	} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	to := "file://" + filepath.ToSlash(t.TempDir())
	object := lost.must("backup", "run", "--installation", "--to", to)
	r.signal(syscall.SIGINT)

	found := newPlace(t)
	found.must("migrate")
	if out := found.must("restore", object, "--installation"); !strings.Contains(out, "the installation is back") || !strings.Contains(out, "a is back with 2 documents") {
		t.Errorf("the restore says %s", out)
	}
	r = found.serve()
	if line := r.next(); strings.Contains(line, "/setup/") {
		t.Error("whoever comes first may be an admin")
	}
	if !found.signIn("ann@example.org", password) {
		t.Error("the admin cannot sign in with the password that was")
	}
	if found.signIn("ann@example.org", "another password") {
		t.Error("the admin can sign in with another password")
	}
	if status, text := found.call(http.MethodGet, "/api/v1/queues/a", token, ""); status != http.StatusOK || !strings.Contains(text, `"max_attempts":9`) {
		t.Errorf("with the token that was, the queue is %d: %s", status, text)
	}
	if status, _ := found.call(http.MethodGet, "/api/v1/queues/a", over, ""); status != http.StatusUnauthorized {
		t.Errorf("a token that was revoked is told %d", status)
	}
	if out := found.must("doctor"); !strings.Contains(out, "agree") {
		t.Errorf("the doctor says %s", out)
	}
	if _, said, code := found.command("restore", object, "--installation", "--queue", "b"); code == 0 || !strings.Contains(said, "has users already") {
		t.Errorf("once more: exit code %d, %s", code, said)
	}
	found.must("restore", object, "--replace-installation", "--queue", "b")
}

// TestABackupOverARestartOfPostgres ends Postgres without a checkpoint while a backup is read, when one was loaded, and at the swap.
func TestABackupOverARestartOfPostgres(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a Postgres twice")
	}
	t.Parallel()
	p := newPlace(t)
	p.serve()
	conn := p.connect()
	for _, sql := range []string{`select fetchq.queue_create('a')`, `select count(*) from fetchq.doc_push_many('a', (select array_agg('s' || i) from generate_series(1, 2000) i))`} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	const digest = `select md5(string_agg(d::text, '' order by subject)) from q_a.docs d`
	before := ask(t, conn, digest)
	dir := t.TempDir()
	to := "file://" + filepath.ToSlash(dir)
	whole := p.must("backup", "run", "--to", to, "--name", "whole")
	const waits = `select (count(*) > 0)::text from pg_stat_activity where application_name = 'fetchq backup' and wait_event_type = 'Lock' and query ~ '`
	for _, c := range []struct {
		what, lock, seen string
		args             []string
	}{
		{"a backup that reads", `lock table fetchq.series_3600 in access exclusive mode`, "copy", []string{"backup", "run", "--to", to, "--name", "cut"}},
		{"a restore that has loaded", `select pg_advisory_xact_lock(7378413, 1)`, "restore_partitions", []string{"restore", whole, "--replace", "a"}},
		{"a swap", `select from q_a.docs`, "restore_swap", []string{"restore", whole, "--replace", "a"}},
	} {
		look, hold := p.connect(), p.connect()
		if _, err := hold.Exec(t.Context(), `begin; `+c.lock); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), binary, c.args...)
		var said strings.Builder
		cmd.Env, cmd.Dir, cmd.Stderr = append(os.Environ(), p.env...), p.dir, &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(time.Minute); ask(t, look, waits+c.seen+`'`) != "true"; {
			if time.Now().After(deadline) {
				t.Fatalf("%s never waits: %s", c.what, &said)
			}
		}
		if err := syscall.Kill(p.postmaster(), syscall.SIGQUIT); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err == nil {
			t.Errorf("%s succeeds", c.what)
		}
		t.Logf("%s: %s", c.what, &said)
		if got := ask(t, p.connect(), digest); got != before {
			t.Errorf("%s: the queue has changed", c.what)
		}
	}
	if names, err := filepath.Glob(filepath.Join(dir, "cut*")); err != nil || len(names) != 0 {
		t.Errorf("of the backup that was cut is left %q, %v", names, err)
	}
	// With Postgres back, all of it goes, and what was loaded before is swept.
	p.must("backup", "run", "--to", to, "--name", "cut")
	p.must("restore", whole, "--replace", "a")
	if got := ask(t, p.connect(), `select count(*) || ' ' || (select count(*) from pg_namespace where nspname like 'fetchq\_restore\_%') from q_a.docs`); got != "2000 0" {
		t.Errorf("documents and stages: %s", got)
	}
	if out := p.must("doctor"); !strings.Contains(out, "agree") {
		t.Errorf("the doctor says %s", out)
	}
}
