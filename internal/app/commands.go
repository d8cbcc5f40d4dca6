package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/internal/audit"
	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/backup"
	"github.com/fetchq/server/internal/charts"
	"github.com/fetchq/server/internal/config"
	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/queue"
)

// Tools are what the commands beside serve work with.
type Tools struct {
	Tokens *auth.Tokens
	Users  *auth.Users
	Charts *charts.Store
	Audit  *audit.Log    // not started
	Engine *queue.Engine // not started: it answers, but hears no other nodes
	log    *slog.Logger
	pool   *pgxpool.Pool
	source *Source
}

// Migrate makes the database where there is none, and brings it up to date.
func Migrate(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	source, err := OpenSource(ctx, cfg, Make, log)
	if err != nil {
		return err
	}
	defer source.Close(context.WithoutCancel(ctx))
	return database.Migrate(ctx, source.MigrateURL, log)
}

// OpenTools brings the database up to date and connects to it, beside a running server or without one. A private Postgres must
// have been made before. Close ends it.
func OpenTools(ctx context.Context, cfg config.Config, log *slog.Logger) (*Tools, error) {
	source, err := OpenSource(ctx, cfg, Look, log)
	if err != nil {
		return nil, err
	}
	t := &Tools{source: source, log: log}
	if err := database.Migrate(ctx, source.MigrateURL, log); err != nil {
		t.Close(ctx)
		return nil, err
	}
	if t.pool, err = database.Open(ctx, source.URL, database.Options{MaxConns: 2, Name: "fetchq command"}); err != nil {
		t.Close(ctx)
		return nil, err
	}
	t.Tokens, t.Users, t.Charts = auth.NewTokens(t.pool, time.Now), auth.NewUsers(t.pool, time.Now), charts.NewStore(t.pool)
	t.Audit = audit.New(t.pool, audit.Options{Log: log, Now: time.Now})
	t.Engine = queue.New(t.pool, queue.Options{Log: log, Node: "command", Now: time.Now})
	return t, nil
}

// Privileges says what the role of the database may do more than the program needs.
func (t *Tools) Privileges(ctx context.Context) ([]string, error) {
	return database.Privileges(ctx, t.pool)
}

// AuditProtection says what the role of the database could do to the lines of the audit log.
func (t *Tools) AuditProtection(ctx context.Context) (audit.Protection, error) {
	return audit.Protected(ctx, t.pool)
}

// Backups writes and restores queues of the database, for a program of some version.
func (t *Tools) Backups(version string) *backup.Backups {
	return newBackups(t.source, version, t.log)
}

// OfflineBackups looks at backups without a database.
func OfflineBackups(log *slog.Logger) *backup.Backups { return backup.New(backup.Options{Log: log}) }

// URL is the address of the database, with its password.
func (t *Tools) URL() string { return t.source.TellURL }

// ShellURL is URL without the password, and the password: what stands among a program's arguments everybody on the machine
// can read.
func (t *Tools) ShellURL() (bare, password string, err error) {
	return database.WithoutPassword(t.source.TellURL)
}

// Node starts one more node of the program on the same database, beside the servers that run there, on a free port of loopback.
// The caller stops it before Close.
func (t *Tools) Node(ctx context.Context, cfg config.Config, version string, log *slog.Logger) (*App, error) {
	cfg.DatabaseURL, cfg.ListenURL = t.source.URL, t.source.MigrateURL
	cfg.Listen, cfg.BaseURL, cfg.AdminEmail, cfg.AdminPassword, cfg.TLSCert, cfg.TLSKey = "127.0.0.1:0", "", "", "", "", ""
	a := New(cfg, version, log)
	if err := a.Start(ctx); err != nil {
		return nil, err
	}
	return a, nil
}

// Settle closes the connections to the database that nothing uses at present: Postgres counts what they did as they end.
func (a *App) Settle() { a.pool.Reset() }

// DialURL is the address of the database for this program, which may say what other programs do not understand.
func (t *Tools) DialURL() string { return t.source.URL }

// Close ends what OpenTools began.
func (t *Tools) Close(ctx context.Context) {
	if t.pool != nil {
		t.pool.Close()
	}
	t.source.Close(context.WithoutCancel(ctx))
}
