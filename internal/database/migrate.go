package database

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	goosedb "github.com/pressly/goose/v3/database"

	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/migrations"
)

// migrating is the key of the advisory lock under which one process at a time migrates: "fetchq" as a number.
const migrating = 0x666574636871

// Migrate brings the database up to date: the schema fetchq, its tables, and its functions. It is safe when several
// processes run it at once, and does nothing when nothing has changed. A database that a newer Fetchq has migrated is
// refused with errs.Unavailable.
func Migrate(ctx context.Context, url string, log *slog.Logger) error {
	conn, err := Connect(ctx, url, "fetchq migrate")
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, `select pg_advisory_lock($1)`, int64(migrating)); err != nil {
		return Error("take the lock of migrations", err)
	}
	if _, err := conn.Exec(ctx, `create schema if not exists fetchq`); err != nil {
		return Error("create the schema fetchq", err)
	}
	if err := migrateTables(ctx, conn.Config(), log); err != nil {
		return err
	}
	return migrateFunctions(ctx, conn, log)
}

// migrateTables runs the numbered migrations on a connection of its own; the caller holds the lock.
func migrateTables(ctx context.Context, cfg *pgx.ConnConfig, log *slog.Logger) error {
	db := stdlib.OpenDB(*cfg)
	defer db.Close()
	store, err := goosedb.NewStore(goosedb.DialectPostgres, "fetchq.migrations")
	if err != nil {
		return fmt.Errorf("make the store of migrations: %w", err)
	}
	provider, err := goose.NewProvider(goosedb.DialectCustom, db, migrations.Tables, goose.WithStore(store), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	// goose looks for its table where the search path leads, and ours is named in full.
	current, err := provider.GetDBVersion(ctx)
	if err != nil {
		return Error("read the version of the database", err)
	}
	sources := provider.ListSources()
	if newest := sources[len(sources)-1].Version; current > newest {
		return errs.New(errs.Unavailable,
			"the database was migrated by a newer Fetchq (migration %d; this one knows %d); run that one", current, newest)
	}
	done, err := provider.Up(ctx)
	for _, m := range done {
		log.Info("migration applied", "file", m.Source.Path, "duration", m.Duration)
	}
	if err != nil {
		var partial *goose.PartialError
		if errors.As(err, &partial) {
			err = fmt.Errorf("%s: %w", partial.Failed.Source.Path, partial.Err)
		}
		return Error("migrate", err)
	}
	return nil
}

// migrateFunctions re-creates all functions of the schema fetchq in one transaction when their text has changed. A call
// that runs meanwhile ends with the text that it began with.
func migrateFunctions(ctx context.Context, conn *pgx.Conn, log *slog.Logger) error {
	text, err := functions()
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(text))
	want := hex.EncodeToString(sum[:])
	var have string
	err = conn.QueryRow(ctx, `select value from fetchq.meta where key = 'functions'`).Scan(&have)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return Error("read the hash of the functions", err)
	}
	if have == want {
		return nil
	}
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		// All that stand there are dropped first: one that has changed its arguments would else live on beside its heir. Those of triggers are
		// part of their tables, and stand in the numbered migrations.
		const drop = `
			do $$
			declare
				f text;
			begin
				for f in select format('%s %s', case prokind when 'a' then 'aggregate' when 'p' then 'procedure' else 'function' end,
					oid::regprocedure) from pg_proc where pronamespace = 'fetchq'::regnamespace and prorettype <> 'trigger'::regtype
				loop
					execute 'drop ' || f;
				end loop;
			end $$`
		if _, err := tx.Exec(ctx, drop); err != nil {
			return inUse(err)
		}
		// Bodies name functions of files that come later.
		if _, err := tx.Exec(ctx, `set local check_function_bodies = off`); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, text); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `select fetchq.queue_functions(q) from fetchq.queues q`); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `insert into fetchq.meta (key, value) values ('functions', $1)
			on conflict (key) do update set value = excluded.value`, want)
		return err
	})
	if err != nil {
		return Error("create the functions", err)
	}
	log.Info("functions created", "hash", want[:12])
	return nil
}

// inUse names what is built on one of the functions and keeps it from being replaced: a user's view, say.
func inUse(err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Code != "2BP01" {
		return err
	}
	return &errs.Error{Code: errs.Unavailable, Err: err, Message: "the functions of the schema fetchq cannot be replaced: " +
		strings.ReplaceAll(pg.Detail, "\n", "; ") + "; drop it, start Fetchq, and make it again"}
}

// functions returns the text of all function files, in the order of their names.
func functions() (string, error) {
	names, err := fs.Glob(migrations.Functions, "functions/*.sql")
	if err != nil {
		return "", fmt.Errorf("list the functions: %w", err)
	}
	var text strings.Builder
	for _, name := range names {
		file, err := migrations.Functions.ReadFile(name)
		if err != nil {
			return "", fmt.Errorf("read the functions: %w", err)
		}
		text.Write(file)
		text.WriteString("\n")
	}
	return text.String(), nil
}
