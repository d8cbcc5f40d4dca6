package dbtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/database"
)

// settings make the server quick to start and careless of a crash of the machine; nothing that a test may depend on.
var settings = []string{
	"listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "full_page_writes=off", "synchronous_commit=off",
	"shared_buffers=256MB", "max_connections=300", "max_wal_size=1GB", "autovacuum_naptime=5s", "timezone=UTC",
}

// server is the one server of this process.
type server struct {
	address string // of its database postgres
	port    int
	err     error
}

var (
	once   sync.Once
	shared server
)

// start returns the server of this process, and starts it for the first test that asks.
func start() server {
	once.Do(func() { shared = launch() })
	return shared
}

// launch makes a cluster, runs a server on it, and migrates the template.
func launch() server {
	bin, err := Binaries()
	if err != nil {
		return server{err: err}
	}
	dir, err := os.MkdirTemp(folder(), "fetchq-dbtest-")
	if err != nil {
		return server{err: err}
	}
	who, err := owner(dir)
	if err != nil {
		return server{err: err}
	}
	data := filepath.Join(dir, "data")
	initdb := exec.CommandContext(context.Background(), filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = &syscall.SysProcAttr{Credential: who}, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return server{err: fmt.Errorf("initdb: %w: %s", err, out)}
	}
	port, err := freePort()
	if err != nil {
		return server{err: err}
	}
	if err := run(bin, dir, data, port, who); err != nil {
		return server{err: err}
	}
	s := server{port: port, address: fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port)}
	s.err = s.template()
	return s
}

// folder returns where the clusters stand: in memory where the system offers enough of it, since a database a test is
// hundreds of small files, which a slow disk is long about.
func folder() string {
	const memory, enough = "/dev/shm", 6 << 30
	var fs syscall.Statfs_t
	if err := syscall.Statfs(memory, &fs); err != nil || fs.Bavail*uint64(fs.Bsize) < enough || available() < enough { //nolint:gosec // blocks have a size
		return os.TempDir()
	}
	return memory
}

// available returns the bytes that the system can give without swapping; 0 where it does not say.
func available() (bytes uint64) {
	info, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(info), "MemAvailable:")
	if _, err := fmt.Sscanf(rest, "%d kB", &bytes); err != nil {
		return 0
	}
	return bytes << 10
}

// run starts the server below a shell that reads from a pipe of this process: when this process ends, however it ends,
// the shell reads the end of the pipe, stops the server at once and removes its folder.
func run(bin, dir, data string, port int, who *syscall.Credential) error {
	const script = `dir=$1; shift; "$@" >"$dir/log" 2>&1 & server=$!; read -r _; kill -QUIT $server; wait $server; cd /; rm -rf "$dir"`
	args := []string{"-c", script, "sh", dir, filepath.Join(bin, "postgres"), "-D", data, "-p", strconv.Itoa(port)}
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	shell := exec.CommandContext(context.Background(), "sh", args...)
	shell.Dir = dir
	shell.SysProcAttr = &syscall.SysProcAttr{Credential: who, Setsid: true}
	pipe, err := shell.StdinPipe()
	if err != nil {
		return err
	}
	if err := shell.Start(); err != nil {
		return fmt.Errorf("start Postgres: %w", err)
	}
	alive = append(alive, pipe)
	address := fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port)
	deadline := time.Now().Add(time.Minute)
	for {
		conn, err := pgx.Connect(context.Background(), address)
		if err == nil {
			return conn.Close(context.Background())
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			return fmt.Errorf("the test server does not answer: %w: %s", err, log)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// alive holds the pipes whose closing ends the servers; the end of the process closes them.
var alive []io.Closer

// template makes the migrated database that tests clone.
func (s server) template() error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, s.address)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, `create database template_fetchq`); err != nil {
		return err
	}
	return database.Migrate(ctx, s.database("template_fetchq"), slog.New(slog.DiscardHandler))
}

// database returns the address of one database of the server.
func (s server) database(name string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", s.port, name)
}

// Major is the version of Postgres that the tests run on, as FETCHQ_TEST_PG says; 18 where it is empty.
func Major() string {
	if v := os.Getenv("FETCHQ_TEST_PG"); v != "" {
		return v
	}
	return "18"
}

// owner returns whom the server runs as, and gives him the folder: Postgres refuses to run as root.
func owner(dir string) (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil //nolint:nilnil // no credential: the server runs as this user
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, _ := strconv.ParseUint(u.Uid, 10, 32)
		gid, _ := strconv.ParseUint(u.Gid, 10, 32)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, os.Chown(dir, int(uid), int(gid))
	}
	return nil, errors.New("postgres does not run as root, and there is neither a user postgres nor nobody to run it as")
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
