package database

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/internal/errs"
)

// The major versions of Postgres that Fetchq is tested with.
const (
	OldestPostgres = 15
	NewestPostgres = 18
)

// Options of a pool.
type Options struct {
	MaxConns int    // 0: pgxpool's default
	Name     string // application_name, as pg_stat_activity shows it; "" is "fetchq"
}

// Open connects to the database and returns a pool that has answered once. Its errors are Unavailable and say in one
// sentence what refused.
func Open(ctx context.Context, url string, opt Options) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, unreadable()
	}
	if opt.MaxConns > 0 {
		cfg.MaxConns = int32(min(opt.MaxConns, 10_000))
	}
	prepare(cfg.ConnConfig, opt.Name)
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, refusal(cfg.ConnConfig, err)
	}
	if err := check(ctx, pool); err != nil {
		pool.Close()
		return nil, refusal(cfg.ConnConfig, err)
	}
	return pool, nil
}

// unreadable leaves the cause out: it repeats the address, which holds the password.
func unreadable() error {
	return errs.New(errs.Invalid, "the database's address cannot be read; it looks like postgres://user:password@host:5432/name")
}

// prepare sets what every connection of ours has in common.
func prepare(cfg *pgx.ConnConfig, name string) {
	if name == "" {
		name = "fetchq"
	}
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = name
	}
	cfg.RuntimeParams["timezone"] = "UTC"
	// Whatever the role or the database has set: the functions are written for it.
	cfg.RuntimeParams["default_transaction_isolation"] = "read committed"
	// Our names are qualified, and nobody else's may come before those of Postgres itself: a function public.cardinality(text[])
	// would run with the rights of this connection.
	cfg.RuntimeParams["search_path"] = "pg_catalog"
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = 10 * time.Second
	}
}

// Connect opens one connection outside any pool, for what needs a session of its own: LISTEN, migrations.
func Connect(ctx context.Context, url, name string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, unreadable()
	}
	prepare(cfg, name)
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, refusal(cfg, err)
	}
	return conn, nil
}

// check refuses a server that Fetchq is not made for.
func check(ctx context.Context, pool *pgxpool.Pool) error {
	var number int
	var encoding string
	err := pool.QueryRow(ctx, `select current_setting('server_version_num')::int, current_setting('server_encoding')`).Scan(&number, &encoding)
	if err != nil {
		return err
	}
	if major := number / 10_000; major < OldestPostgres {
		return errs.New(errs.Unavailable, "the server is Postgres %d; Fetchq needs %d to %d", major, OldestPostgres, NewestPostgres)
	}
	if encoding != "UTF8" {
		return errs.New(errs.Unavailable, "the database is encoded in %s; Fetchq needs UTF8", encoding)
	}
	return nil
}

// refusal says in one sentence who refused a connection and why, without the password.
func refusal(cfg *pgx.ConnConfig, err error) error {
	var ours *errs.Error
	if errors.As(err, &ours) {
		return ours
	}
	where := fmt.Sprintf("%s on %s", cfg.Database, net.JoinHostPort(cfg.Host, fmt.Sprint(cfg.Port)))
	why := "cannot be reached"
	var pg *pgconn.PgError
	var name *net.DNSError
	var network *net.OpError
	switch {
	case errors.As(err, &pg):
		why = "refuses: " + pg.Message
	case errors.As(err, &name) && name.IsNotFound:
		why = fmt.Sprintf("cannot be reached: there is no machine named %s", name.Name)
	case errors.As(err, &name):
		why = fmt.Sprintf("cannot be reached: the name %s is not resolved", name.Name)
	case errors.Is(err, context.DeadlineExceeded):
		why = "did not answer in time"
	case errors.As(err, &network):
		why = "cannot be reached: " + network.Err.Error()
	}
	return &errs.Error{Code: errs.Unavailable, Message: fmt.Sprintf("the database %s %s", where, why)}
}
