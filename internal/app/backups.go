package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/backup"
	"github.com/fetchq/server/internal/catalog"
	"github.com/fetchq/server/internal/config"
	"github.com/fetchq/server/internal/database"
)

// newBackups writes and restores queues of the database of a source, for a program of some version.
func newBackups(source *Source, version string, log *slog.Logger) *backup.Backups {
	return backup.New(backup.Options{Program: version, Log: log, Connect: func(ctx context.Context) (*pgx.Conn, error) {
		return database.Connect(ctx, source.MigrateURL, "fetchq backup") // past a pooler: its locks are those of a session
	}})
}

// Access is where the settings let destinations lead.
func Access(cfg config.Config) backup.Access { return backup.Access{Anywhere: cfg.Anywhere} }

// keepBackups begins to look after destinations, schedules and runs.
func (a *App) keepBackups(ctx context.Context, node string) error {
	a.catalog = catalog.New(catalog.Options{
		DB: a.pool, Backups: newBackups(a.source, a.version, a.log), Operations: a.operations, Engine: a.engine, Log: a.log, Node: node, Now: time.Now,
		Secret: config.Secret, SecretFile: a.cfg.SecretFile, Access: Access(a.cfg),
	})
	if a.key != "" {
		if err := a.catalog.UseKey(a.key); err != nil {
			return err
		}
	}
	return a.catalog.Start(ctx)
}
