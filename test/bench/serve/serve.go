// Package serve starts the program for benchmarks, in processes of their own, on a private Postgres in a temporary folder.
package serve

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Server is the program with its Postgres, in a folder of its own.
type Server struct {
	*Node
	DB       *pgxpool.Pool // beside the program
	Postgres int           // the number of its first process

	dir string
}

// Node is one process of the program.
type Node struct {
	URL     string
	Process *os.Process

	program string
	env     []string
	cmd     *exec.Cmd
}

// Start starts a program with settings beside the environment's. Stop ends it and removes what it made.
func Start(ctx context.Context, program string, settings ...string) (*Server, error) {
	dir, err := os.MkdirTemp("", "fetchq-bench-")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir}
	if err := s.start(ctx, program, settings); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, program string, settings []string) (err error) {
	if err := os.Chmod(s.dir, 0o755); err != nil { //nolint:gosec // the user of Postgres searches it
		return err
	}
	if s.Node, err = startNode(ctx, program, append(settings, "DATABASE_URL=", "FETCHQ_DATA_DIR="+filepath.Join(s.dir, "data"))); err != nil {
		return err
	}
	url, err := s.Run(ctx, "db-url")
	if err != nil {
		return err
	}
	if s.DB, err = pgxpool.New(ctx, url+"&pool_max_conns=8"); err != nil {
		return err
	}
	var data string
	if err := s.DB.QueryRow(ctx, `show data_directory`).Scan(&data); err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		return err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	s.Postgres, err = strconv.Atoi(strings.TrimSpace(line))
	return err
}

// Another starts a second node on the same database.
func (s *Server) Another(ctx context.Context) (*Node, error) {
	url, err := s.Run(ctx, "db-url")
	if err != nil {
		return nil, err
	}
	return startNode(ctx, s.program, append(s.env, "DATABASE_URL="+url))
}

func startNode(ctx context.Context, program string, settings []string) (*Node, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, err
	}
	n := &Node{URL: "http://" + address, program: program}
	n.env = append(append(os.Environ(), "FETCHQ_LOG_LEVEL=warn"), settings...)
	n.env = append(n.env, "FETCHQ_LISTEN="+address)
	n.cmd = exec.CommandContext(context.WithoutCancel(ctx), program, "serve")
	n.cmd.Env, n.cmd.Stderr = n.env, os.Stderr
	out, err := n.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := n.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s (make build makes it): %w", program, err)
	}
	n.Process = n.cmd.Process
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.Contains(line, "ready") {
		return nil, errors.Join(errors.New("the server did not become ready"), n.cmd.Wait())
	}
	return n, nil
}

// Run runs a command of the program beside it, and returns what it prints.
func (n *Node) Run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, n.program, args...)
	cmd.Env, cmd.Stderr = n.env, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("fetchq %s: %w", args[0], err)
	}
	return strings.TrimSpace(string(out)), nil
}

// Memory returns how many bytes the process has in memory, and the most that it ever had.
func (n *Node) Memory() (now, most int64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.Process.Pid))
	for line := range strings.Lines(string(text)) {
		var kb int64
		if _, failed := fmt.Sscanf(line, "VmRSS: %d kB", &kb); failed == nil {
			now = kb << 10
		}
		if _, failed := fmt.Sscanf(line, "VmHWM: %d kB", &kb); failed == nil {
			most = kb << 10
		}
	}
	return now, most, err
}

// Stop ends the process.
func (n *Node) Stop() {
	if err := n.cmd.Process.Signal(syscall.SIGTERM); err == nil {
		_ = n.cmd.Wait()
	}
}

// Stop ends the program and its Postgres and removes their folder.
func (s *Server) Stop() {
	if s.DB != nil {
		s.DB.Close()
	}
	if s.Node != nil {
		s.Node.Stop()
	}
	if err := os.RemoveAll(s.dir); err != nil {
		fmt.Fprintln(os.Stderr, "remove", s.dir+":", err)
	}
}
