package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fetchq/server/internal/dbtest"
)

func TestServeRestartAndCtrlC(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	r := p.serve()
	if !strings.HasPrefix(r.line, "fetchq is ready at http://"+p.addr+" (private Postgres "+dbtest.Major()+".") {
		t.Errorf("the first line is %q", r.line)
	}
	token := p.must("token", "create", "--name", "me", "--rights", "admin")
	if !strings.HasPrefix(token, "fq_") || strings.ContainsAny(token, " \n") {
		t.Fatalf("token create printed %q", token)
	}
	if code, text := p.call("PUT", "/api/v1/queues/a", token, `{}`); code != http.StatusCreated {
		t.Fatal(code, text)
	}
	p.call("POST", "/api/v1/queues/a/documents", token, `{"documents":[{"subject":"x"}]}`)
	postgres, port := p.postmaster(), p.must("db-url")
	waiting := make(chan int)
	go func() {
		code, _ := p.call("POST", "/api/v1/queues/a/pick", token, `{"version":7,"wait":"60s"}`)
		waiting <- code
	}()
	time.Sleep(200 * time.Millisecond) // the pick waits by then; if not, the drain is tested less
	began := time.Now()
	r.signal(syscall.SIGINT)
	if r.err != nil {
		t.Errorf("Ctrl-C ends with %v\n%s", r.err, r.stderr)
	}
	if code := <-waiting; code != http.StatusOK {
		t.Errorf("the waiting pick was answered with %d", code)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the drain took %s, with one pick waiting", took)
	}
	if alive(postgres) {
		t.Error("Postgres runs on after Ctrl-C")
	}
	r = p.serve()
	if _, text := p.call("GET", "/api/v1/queues/a/documents/x", token, ""); !strings.Contains(text, `"subject":"x"`) {
		t.Errorf("after a restart: %s", text)
	}
	if again := p.must("db-url"); again != port {
		t.Errorf("the database was at another address before the restart")
	}
	r.signal(syscall.SIGTERM)
}

func TestALivePostgresOfAKilledProgramIsAdopted(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	r := p.serve()
	postgres := p.postmaster()
	r.signal(syscall.SIGKILL)
	if !alive(postgres) {
		t.Fatal("Postgres ended with the program")
	}
	r = p.serve()
	if p.postmaster() != postgres {
		t.Error("another Postgres was started")
	}
	if err := syscall.Kill(postgres, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	// The program starts it again by itself.
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		resp, err := http.Get("http://" + p.addr + "/readyz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK && p.postmaster() != postgres {
				break
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("Postgres did not come back\n%s", r.stderr)
		}
	}
	r.signal(syscall.SIGINT)
}

func TestCommandsWorkWithoutAServer(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.must("migrate")
	if pid := p.postmaster(); pid != 0 {
		t.Errorf("migrate left Postgres running as process %d", pid)
	}
	p.must("token", "create", "--name", "w", "--rights", "work,push", "--queues", "a,b_*", "--expires", "90d")
	if out := p.must("token", "list"); !strings.Contains(out, "push,work") || !strings.Contains(out, "a,b_*") {
		t.Errorf("token list: %s", out)
	}
	p.must("token", "revoke", "w")
	if out := p.must("doctor"); !strings.Contains(out, "agree") {
		t.Errorf("doctor: %s", out)
	}
	if out := p.must("version"); out == "" {
		t.Error("no version")
	}
	for _, tt := range []struct {
		args []string
		says string
	}{
		{[]string{"token", "revoke", "w"}, "no token of this name"}, {[]string{"token", "create", "--name", "x", "--rights", "root"}, "no right"},
		{[]string{"explode"}, "unexpected argument"},
	} {
		if _, said, code := p.command(tt.args...); code == 0 || !strings.Contains(said, tt.says) {
			t.Errorf("%v: exit code %d, %s", tt.args, code, said)
		}
	}
}

func TestOnlyServeAndMigrateMakeAPrivatePostgres(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for _, args := range [][]string{
		{"token", "create", "--name", "w", "--rights", "work"}, {"token", "list"}, {"token", "revoke", "w"}, {"doctor"}, {"db-url"}, {"psql"},
		{"user", "list"}, {"user", "create", "--email", "ann@example.org", "--role", "viewer"}, {"user", "reset", "ann@example.org"}, {"user", "setup"},
	} {
		for _, prepare := range []func() error{func() error { return nil }, func() error { return os.Mkdir(p.data(), 0o755) }} {
			if err := prepare(); err != nil {
				t.Fatal(err)
			}
			out, said, code := p.command(args...)
			if args[0] == "psql" && strings.Contains(said, "psql is not installed") {
				continue
			}
			if code != 1 || out != "" || strings.Count(said, "\n") != 1 || !strings.Contains(said, "there is no data directory at "+p.data()+":") ||
				!strings.Contains(said, "--data-dir") || !strings.Contains(said, "FETCHQ_DATA_DIR") || !strings.Contains(said, "DATABASE_URL") {
				t.Errorf("%v: exit code %d, %q, %s", args, code, out, said)
			}
			if list, err := filepath.Glob(p.data("*")); err != nil || len(list) != 0 {
				t.Errorf("%v leaves %v, %v", args, list, err)
			}
		}
		if err := os.RemoveAll(p.data()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDoctorSaysWhenCountersDiffer(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	url := dbtest.URL(t)
	p.set("DATABASE_URL", url)
	p.sql(url, `select fetchq.queue_create('a'); select fetchq.doc_push('a', 'x'); insert into q_a.deltas (version, killed) values (0, 1)`)
	out, said, code := p.command("doctor")
	if code != 1 || !strings.Contains(out, "counted") || !strings.Contains(said, "differ") {
		t.Errorf("exit code %d\n%s\n%s", code, out, said)
	}
	p.sql(url, `select fetchq.queue_recount('a')`)
	p.must("doctor")
}

func TestAnInterruptedFirstStartIsMadeAnew(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	if err := os.MkdirAll(p.data("postgres.new", "base"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.data("postgres.new", "PG_VERSION"), []byte("12\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.must("migrate")
}

func TestTwoProgramsOnOneDatabaseMigrateAtTheSameMoment(t *testing.T) {
	t.Parallel()
	url := dbtest.Empty(t)
	var all sync.WaitGroup
	for range 2 {
		p := newPlace(t)
		p.set("DATABASE_URL", url)
		all.Go(func() {
			r := p.begin()
			if !strings.Contains(r.line, "ready") {
				<-r.ended
				t.Errorf("%v\n%s", r.err, r.stderr)
				return
			}
			r.signal(syscall.SIGINT)
		})
	}
	all.Wait()
}

// TestRefusals wants one clear sentence each, and an exit code that is not 0.
func TestRefusals(t *testing.T) {
	t.Parallel()
	given := dbtest.URL(t)
	for name, tt := range map[string]struct {
		prepare func(p *place)
		says    string
	}{
		"port taken": {func(p *place) {
			l, err := net.Listen("tcp", p.addr)
			if err != nil {
				p.t.Fatal(err)
			}
			p.t.Cleanup(func() { _ = l.Close() })
		}, "a Fetchq that runs already, listens on"},
		"no address":       {func(p *place) { p.set("FETCHQ_LISTEN", "nowhere:x") }, "is no address to listen on"},
		"data is a file":   {func(p *place) { write(p.t, p.data(), "x") }, "cannot be made"},
		"foreign folder":   {func(p *place) { write(p.t, p.data("letters.txt"), "x") }, "letters.txt, which is not Fetchq's"},
		"foreign Postgres": {func(p *place) { write(p.t, p.data("postgres", "PG_VERSION"), "15\n") }, "was not made by Fetchq"},
		"raw Postgres":     {func(p *place) { write(p.t, p.data("PG_VERSION"), "15\n") }, "PG_VERSION, which is not Fetchq's"},
		"newer Postgres": {func(p *place) {
			write(p.t, p.data("postgres", "fetchq.json"), "{}")
			write(p.t, p.data("postgres", "PG_VERSION"), "99\n")
		}, "was made by Postgres 99"},
		"Postgres that is not there": {func(p *place) {
			write(p.t, p.data("postgres", "fetchq.json"), "{}")
			write(p.t, p.data("postgres", "PG_VERSION"), "16\n")
		}, "install Postgres 16 or set FETCHQ_PG_BIN"},
		"no binaries":              {func(p *place) { p.set("FETCHQ_PG_BIN", p.dir) }, "there is none"},
		"no server":                {func(p *place) { p.set("DATABASE_URL", "postgres://u:secret@"+freeAddress(p.t)+"/d") }, "connection refused"},
		"no database":              {func(p *place) { p.set("DATABASE_URL", strings.Replace(given, "/t", "/none_t", 1)) }, "does not exist"},
		"no address of a database": {func(p *place) { p.set("DATABASE_URL", "postgres://u:secret@h:port/d") }, "cannot be read"},
		"newer Fetchq": {func(p *place) {
			url := dbtest.URL(p.t)
			p.sql(url, `insert into fetchq.migrations (version_id, is_applied) values (99999, true)`)
			p.set("DATABASE_URL", url)
		}, "migrated by a newer Fetchq"},
		"pool size": {func(p *place) { p.set("FETCHQ_POOL_SIZE", "1") }, "FETCHQ_POOL_SIZE is 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			tt.prepare(p)
			_, said, code := p.command("serve")
			lines := strings.Split(strings.TrimSpace(said), "\n")
			if last := lines[len(lines)-1]; code == 0 || !strings.HasPrefix(last, "fetchq: ") || !strings.Contains(last, tt.says) {
				t.Errorf("exit code %d\n%s", code, said)
			}
			if strings.Contains(said, "secret") {
				t.Errorf("a password is told: %s", said)
			}
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestASecondProgramOnOneDataDirectoryIsRefused(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	r := p.serve()
	defer r.signal(syscall.SIGINT)
	p.set("FETCHQ_LISTEN", freeAddress(t))
	_, said, code := p.command("serve")
	if code == 0 || !strings.Contains(said, fmt.Sprintf("another fetchq (process %d) serves from the data directory", r.cmd.Process.Pid)) {
		t.Errorf("exit code %d\n%s", code, said)
	}
}

func TestAFolderThatPostgresCannotReachIsMoved(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root hands over to another user")
	}
	t.Parallel()
	p := newPlace(t)
	if err := os.Chmod(p.dir, 0o700); err != nil { //nolint:gosec // what the test is about
		t.Fatal(err)
	}
	r := p.serve()
	said := regexp.MustCompile(`private Postgres [0-9.]+ in (/var/lib/fetchq/data-[0-9a-f]+): the user \w+ cannot reach (\S+),`).FindStringSubmatch(r.line)
	if len(said) != 3 || said[2] != p.data() {
		t.Fatalf("the first line is %q", r.line)
	}
	r.signal(syscall.SIGINT)
	if err := os.RemoveAll(said[1]); err != nil {
		t.Error(err)
	}
}
