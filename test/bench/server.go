package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/client"
)

// server is the program under load, in a folder of its own.
type server struct {
	dir   string
	env   []string
	url   string
	cmd   *exec.Cmd
	db    *pgxpool.Pool
	http  *client.Client
	token string
}

// startServer makes a folder and a cluster in it, and says how long the first start took.
func startServer(ctx context.Context) (*server, time.Duration, error) {
	dir, err := os.MkdirTemp("", "fetchq-bench-")
	if err != nil {
		return nil, 0, err
	}
	s := &server{dir: dir}
	fail := func(err error) (*server, time.Duration, error) {
		s.remove()
		return nil, 0, err
	}
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // the user of Postgres searches it
		return fail(err)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fail(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return fail(err)
	}
	s.url = "http://" + address
	s.env = append(os.Environ(), "DATABASE_URL=", "FETCHQ_LISTEN="+address, "FETCHQ_DATA_DIR="+filepath.Join(dir, "data"))
	cold, err := s.start(ctx)
	if err != nil {
		return fail(err)
	}
	if s.token, err = s.command(ctx, "token", "create", "--name", "bench", "--rights", "admin"); err != nil {
		return fail(err)
	}
	err = s.connect(ctx)
	return s, cold, err
}

// start starts the program and waits for the line that says it is ready.
func (s *server) start(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	s.cmd = exec.CommandContext(context.WithoutCancel(ctx), *program, "serve")
	s.cmd.Env, s.cmd.Stderr = s.env, os.Stderr
	s.cmd.Env = append(s.cmd.Env, "FETCHQ_LOG_LEVEL=warn")
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := s.cmd.Start(); err != nil {
		return 0, fmt.Errorf("start %s (make build makes it): %w", *program, err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.Contains(line, "ready") {
		return 0, errors.Join(errors.New("the server did not become ready"), s.cmd.Wait())
	}
	return time.Since(began), nil
}

func (s *server) connect(ctx context.Context) error {
	url, err := s.command(ctx, "db-url")
	if err != nil {
		return err
	}
	if s.db, err = pgxpool.New(ctx, url+"&pool_max_conns=64"); err != nil {
		return err
	}
	s.http = client.New(s.url, s.token)
	return nil
}

// restart stops the server and says how long a start on an existing cluster takes.
func (s *server) restart(ctx context.Context) (time.Duration, error) {
	s.db.Close()
	if err := s.stop(); err != nil {
		return 0, err
	}
	warm, err := s.start(ctx)
	if err != nil {
		return 0, err
	}
	return warm, s.connect(ctx)
}

func (s *server) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return s.cmd.Wait()
}

func (s *server) command(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, *program, args...)
	cmd.Env = s.env
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("fetchq %s: %w", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}

// remove stops the server and removes its folder.
func (s *server) remove() {
	if s.db != nil {
		s.db.Close()
	}
	if s.cmd != nil && s.cmd.Process != nil && s.cmd.ProcessState == nil {
		if err := s.stop(); err != nil {
			fmt.Fprintln(os.Stderr, "bench: stop the server:", err)
		}
	}
	if err := os.RemoveAll(s.dir); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
}

// describe prints the machine and the server.
func (s *server) describe(ctx context.Context) error {
	var version, commit, buffers string
	err := s.db.QueryRow(ctx, `select current_setting('server_version'), current_setting('synchronous_commit'), current_setting('shared_buffers')`).
		Scan(&version, &commit, &buffers)
	fmt.Printf("Machine: %s. Postgres %s, synchronous_commit %s, shared_buffers %s. Payload %d bytes.\n\n", machine(), version, commit, buffers, *payload)
	return err
}
