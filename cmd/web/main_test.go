package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
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

	"github.com/fetchq/server/internal/dbtest"
)

// binary is the program that the tests run.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "fetchq-test-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "fetchq")
		if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
			panic(fmt.Sprintf("build: %v\n%s", err, out))
		}
		return m.Run()
	}())
}

// place is where a program under test lives: its settings, and a data directory that the user of Postgres can reach.
type place struct {
	t    *testing.T
	dir  string
	env  []string
	addr string
}

func newPlace(t *testing.T) *place {
	t.Helper()
	bin, err := dbtest.Binaries()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "fetchq-test-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // the user of Postgres searches it
		t.Fatal(err)
	}
	p := &place{t: t, dir: dir, addr: freeAddress(t)}
	p.set("FETCHQ_DATA_DIR", filepath.Join(dir, "data"))
	p.set("FETCHQ_LISTEN", p.addr)
	p.set("FETCHQ_PG_BIN", bin)
	p.set("DATABASE_URL", "")
	t.Cleanup(func() {
		p.endPostgres()
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return p
}

func (p *place) set(name, value string) { p.env = append(p.env, name+"="+value) }

func (p *place) data(names ...string) string {
	return filepath.Join(append([]string{p.dir, "data"}, names...)...)
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// postmaster returns the process of the private Postgres; 0 where none runs.
func (p *place) postmaster() int {
	text, err := os.ReadFile(p.data("postgres", "postmaster.pid"))
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, _ := strconv.Atoi(line)
	if pid == 0 || !alive(pid) {
		return 0
	}
	return pid
}

func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || !bytes.Contains(stat, []byte(") Z "))
}

// endPostgres leaves no server behind when a test fails.
func (p *place) endPostgres() {
	pid := p.postmaster()
	if pid == 0 {
		return
	}
	_ = syscall.Kill(pid, syscall.SIGQUIT)
	for deadline := time.Now().Add(10 * time.Second); alive(pid) && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
}

// running is a serving program.
type running struct {
	*place
	cmd    *exec.Cmd
	line   string      // its first line on standard output
	more   chan string // further ones
	stderr *bytes.Buffer
	ended  chan struct{}
	err    error
}

// serve starts the program and waits for the line that says where it serves. It leads a process group of its own, as one
// that a shell starts.
func (p *place) serve() *running {
	p.t.Helper()
	r := p.begin()
	if r.line == "" {
		<-r.ended
		p.t.Fatalf("serve: %v\n%s", r.err, r.stderr)
	}
	return r
}

// begin is serve that may fail.
func (p *place) begin() *running {
	p.t.Helper()
	r := &running{place: p, cmd: exec.Command(binary, "serve"), stderr: &bytes.Buffer{}, more: make(chan string, 100), ended: make(chan struct{})}
	r.cmd.Env, r.cmd.Dir, r.cmd.Stderr = append(os.Environ(), p.env...), p.dir, r.stderr
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	r.line, _ = lines.ReadString('\n')
	go func() {
		for text, err := lines.ReadString('\n'); err == nil; text, err = lines.ReadString('\n') {
			r.more <- text
		}
		r.err = r.cmd.Wait()
		close(r.ended)
	}()
	p.t.Cleanup(func() {
		_ = r.cmd.Process.Kill()
		<-r.ended
	})
	return r
}

// next is the next line on standard output; "" where none comes soon.
func (r *running) next() string {
	select {
	case text := <-r.more:
		return text
	case <-time.After(5 * time.Second):
		return ""
	}
}

// signal sends a signal to the program's whole process group, as Ctrl-C does, and waits for its end.
func (r *running) signal(sig syscall.Signal) {
	r.t.Helper()
	if err := syscall.Kill(-r.cmd.Process.Pid, sig); err != nil {
		r.t.Fatal(err)
	}
	select {
	case <-r.ended:
	case <-time.After(30 * time.Second):
		r.t.Fatalf("the program did not end after %s\n%s", sig, r.stderr)
	}
}

// command runs one command and returns what it printed, what it said on standard error, and its exit code.
func (p *place) command(args ...string) (out, said string, code int) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	var stderr strings.Builder
	cmd.Env, cmd.Dir, cmd.Stderr = append(os.Environ(), p.env...), p.dir, &stderr
	text, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	return strings.TrimSpace(string(text)), stderr.String(), cmd.ProcessState.ExitCode()
}

// must is command that wants success.
func (p *place) must(args ...string) string {
	p.t.Helper()
	out, said, code := p.command(args...)
	if code != 0 {
		p.t.Fatalf("fetchq %s: exit code %d\n%s", strings.Join(args, " "), code, said)
	}
	return out
}

// get asks the running program with a token.
func (p *place) call(method, path, token, body string) (int, string) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, "http://"+p.addr+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// sql runs a statement on the database of a place.
func (p *place) sql(url, statement string) {
	p.t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		p.t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(context.Background(), statement); err != nil {
		p.t.Fatal(err)
	}
}
