package faults_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// program is a Fetchq server with a data directory, a port and a private Postgres of its own.
type program struct {
	t      *testing.T
	binary string
	dir    string // of the checkout, where the program finds Postgres
	env    []string
	url    string
	log    *os.File
	pgData string // the data directory of its Postgres, once that is known
	pgURL  string // where its Postgres is; "": a command is asked, which stops one that a program which was killed has left

	running *exec.Cmd
	ended   chan error
}

// build builds a command of this module into dir.
func build(t *testing.T, dir, name, pkg string) string {
	t.Helper()
	binary := filepath.Join(dir, name)
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", binary, pkg)
	cmd.Dir = root(t)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
	return binary
}

// root returns the checkout's folder.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// folder makes a folder that the unprivileged user of Postgres can search, which t.TempDir's parent is not for root.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "fetchq-faults-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // see above
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("logs and data stay in %s", dir)
			return
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// newProgram prepares a server in dir. It is stopped, with its Postgres, at the end of the test.
func newProgram(t *testing.T, dir string) *program {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "fetchq.log"))
	if err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, binary: build(t, dir, "fetchq", "./cmd/web"), dir: root(t), url: "http://" + address, log: log}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "DATABASE_URL=") && !strings.HasPrefix(v, "FETCHQ_LISTEN=") && !strings.HasPrefix(v, "FETCHQ_DATA_DIR=") {
			p.env = append(p.env, v)
		}
	}
	p.env = append(p.env, "FETCHQ_LISTEN="+address, "FETCHQ_DATA_DIR="+filepath.Join(dir, "data"))
	t.Cleanup(p.close)
	return p
}

// start starts the server and waits until it is ready.
func (p *program) start() {
	p.t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(p.t.Context()), p.binary, "serve")
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = p.dir, p.env, p.log, p.log
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.running, p.ended = cmd, make(chan error, 1)
	go func() { p.ended <- cmd.Wait() }()
	p.ready()
}

// ready waits until the server answers that it is ready.
func (p *program) ready() {
	p.t.Helper()
	deadline := time.Now().Add(time.Minute)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if resp, err := http.Get(p.url + "/readyz"); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case err := <-p.ended:
			p.ended <- err
			p.t.Fatalf("the server ended before it was ready: %v\n%s", err, p.tail())
		case <-tick.C:
			if time.Now().After(deadline) {
				p.t.Fatalf("the server is not ready after a minute\n%s", p.tail())
			}
		}
	}
}

// command runs one of the program's commands beside the server and returns what it prints.
func (p *program) command(args ...string) string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.binary, args...)
	cmd.Dir, cmd.Env = p.dir, p.env
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		p.t.Fatalf("fetchq %s: %v\n%s%s", args[0], err, out, &stderr)
	}
	return strings.TrimSpace(string(out))
}

// findPostgres asks the database where its data is, so that its process can be found by number.
func (p *program) findPostgres() {
	p.t.Helper()
	conn, err := pgx.Connect(p.t.Context(), p.command("db-url"))
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(p.t.Context())) }()
	if err := conn.QueryRow(p.t.Context(), `show data_directory`).Scan(&p.pgData); err != nil {
		p.t.Fatal(err)
	}
}

// loseNode is a node that takes every maintenance job and dies, while a worker dies with a document: others take the document
// back when its lease has run out, and the node's claims.
func (p *program) loseNode() {
	p.t.Helper()
	ctx := p.t.Context()
	conn, err := pgx.Connect(ctx, p.command("db-url"))
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, `update fetchq.jobs set next_run = clock_timestamp() where claimed_by is null`); err != nil {
		p.t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		var jobs, documents int
		err := conn.QueryRow(ctx, `select count(*) from fetchq.job_claim('a node that died', 1000, 1000)`).Scan(&jobs)
		if err == nil {
			err = conn.QueryRow(ctx, `select count(*) from fetchq.doc_pick_many('demo_crawl', p_lock => '1 second', p_worker => 'who died')`).Scan(&documents)
		}
		if documents > 0 {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("no document was picked: %v", err)
		}
	}
}

// postgres returns the process of Postgres, or 0 if it does not run.
func (p *program) postgres() int {
	b, err := os.ReadFile(filepath.Join(p.pgData, "postmaster.pid"))
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(b), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || !alive(pid) {
		return 0
	}
	return pid
}

// alive tells whether a process runs. One that ended and that nobody has waited for, as an orphan's in a container
// whose first process does not, counts as gone; that can be seen on Linux only.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || !bytes.Contains(stat, []byte(") Z "))
}

// killPostgres kills Postgres and returns which process that was.
func (p *program) killPostgres() int {
	p.t.Helper()
	pid := p.postgres()
	if pid == 0 {
		p.t.Fatalf("Postgres does not run\n%s", p.tail())
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		p.t.Fatalf("kill Postgres: %v", err)
	}
	return pid
}

// recover waits until the program has started another Postgres than the one that was killed, and is ready.
func (p *program) recover(killed int) {
	p.t.Helper()
	deadline := time.Now().Add(time.Minute)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for pid := p.postgres(); pid == 0 || pid == killed; pid = p.postgres() {
		if <-tick.C; time.Now().After(deadline) {
			p.t.Fatalf("Postgres is not started again after a minute\n%s", p.tail())
		}
	}
	p.ready()
}

// kill kills the program, not its Postgres, and waits for its end.
func (p *program) kill() {
	p.t.Helper()
	if err := p.running.Process.Kill(); err != nil {
		p.t.Fatalf("kill the program: %v", err)
	}
	<-p.ended
	p.running = nil
}

// stop ends the program as Ctrl-C does, and wants it to leave in good order with its Postgres.
func (p *program) stop() {
	p.t.Helper()
	running := p.running
	p.running = nil
	if err := running.Process.Signal(os.Interrupt); err != nil {
		p.t.Fatal(err)
	}
	select {
	case err := <-p.ended:
		if err != nil {
			p.t.Errorf("the program ended with %v\n%s", err, p.tail())
		}
	case <-time.After(time.Minute):
		_ = running.Process.Kill()
		p.t.Fatalf("the program does not end\n%s", p.tail())
	}
	if pid := p.postgres(); pid != 0 {
		p.t.Errorf("the program left Postgres running as process %d", pid)
	}
}

// close leaves no process behind, whatever happened.
func (p *program) close() {
	if p.running != nil {
		_ = p.running.Process.Kill()
		<-p.ended
	}
	if pid := p.postgres(); p.pgData != "" && pid != 0 {
		if err := syscall.Kill(pid, syscall.SIGINT); err != nil && !errors.Is(err, syscall.ESRCH) {
			p.t.Error(err)
		}
	}
	_ = p.log.Close()
}

// tail returns the end of the program's log.
func (p *program) tail() string {
	b, err := os.ReadFile(p.log.Name())
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("the end of its log:\n%s", b[max(0, len(b)-4000):])
}
