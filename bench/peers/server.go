package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/embedpg"
)

// settings are those under which everybody is measured; the rest are Postgres's defaults.
var settings = map[string]string{
	"shared_buffers": "2GB", "max_wal_size": "8GB", "checkpoint_timeout": "15min", "max_connections": "200", "synchronous_commit": "on", "fsync": "on",
}

// server is the Postgres of a run, in a folder that goes with it.
type server struct {
	dir string
	pg  *embedpg.Server
}

func startServer(ctx context.Context) (*server, error) {
	dir, err := os.MkdirTemp("", "fetchq-peers-")
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir}
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s.pg, err = embedpg.Start(ctx, embedpg.Options{
		Dir: filepath.Join(dir, "data"), PgBin: *pgBin, Roots: []string{filepath.Join("..", "..")}, Serve: true, Settings: settings, Log: log,
	})
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return s, nil
}

// remove stops Postgres and removes its folder.
func (s *server) remove() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s.pg.Stop(ctx)
	if err := os.RemoveAll(s.dir); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
	}
}

// database makes an empty database, and returns its address.
func (s *server) database(ctx context.Context, name string) (string, error) {
	if err := s.exec(ctx, "create database "+pgx.Identifier{name}.Sanitize()); err != nil {
		return "", err
	}
	u, err := url.Parse(s.pg.URL())
	if err != nil {
		return "", err
	}
	u.Path = "/" + name
	return u.String(), nil
}

// drop removes a database with what it holds, so that the next one does not pay for its vacuums.
func (s *server) drop(ctx context.Context, name string) error {
	return s.exec(ctx, "drop database "+pgx.Identifier{name}.Sanitize()+" with (force)")
}

func (s *server) exec(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, s.pg.URL())
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}

// describe says on what all of it ran.
func (s *server) describe(context.Context) (string, error) {
	return fmt.Sprintf(`%s; %d cores that the server and the load share, %s/%s, Postgres %s with shared_buffers 2 GB, max_wal_size 8 GB,
checkpoint_timeout 15 min, synchronous_commit and fsync on. %s jobs wait before a drain; payloads of %d bytes; River %s,
graphile-worker %s, pg-boss %s on Node.js %s, Fetchq %s by its SQL functions. In brackets: how good that is beside the raw limit and beside the best of the three
others, 1 being as good; of times the lower is the better.
`, time.Now().UTC().Format("2006-01-02"), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, s.pg.Version, thousands(float64(*documents)), *payload,
		riverVersion(), version(graphile), version(boss), nodeVersion(), version("fetchq")), nil
}
