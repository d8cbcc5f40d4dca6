package backup

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/errs"
)

// part is a table of the schema fetchq that is of the whole installation, and of no queue.
type part struct {
	table  string
	rest   string // of the query that reads it
	beside bool   // its rows may come to others that are there
}

// parts are the member of a backup that is of the whole installation, in the order in which their rows refer to each other. A table that
// is to be kept too is one more line. Of passwords and tokens there are hashes. Left out are sessions and links, which are over when an
// installation is lost; operations, which tell of documents as they were; and what nodes and workers say of themselves.
var parts = []part{
	{table: "users"},
	{table: "second_factors"},
	{table: "recovery_codes"},
	{table: "identities"},
	{table: "passkeys"},
	{table: "tokens"},
	{table: "dashboards"},
	{table: "views"},
	{table: "stars"},
	{table: "backup_destinations"},
	{table: "backup_schedules"},
	{table: "marks", rest: " where queue is null order by id", beside: true},
}

// installation stands for the number of a queue where a text is of none.
const installation = -1

// folder is where the members of a queue stand, or those of the installation.
func (m *Manifest) folder(queue int) string {
	if queue == installation {
		return "installation"
	}
	return "q_" + m.Queues[queue].Name
}

// tables are those of a queue, or of the installation.
func (m *Manifest) tables(queue int) []Table {
	if queue == installation {
		return m.Installation
	}
	return m.Queues[queue].Tables
}

// describeInstallation reads what a manifest says of the installation, and which texts are to be read.
func (s *snapshot) describeInstallation(ctx context.Context) error {
	for _, p := range parts {
		columns, err := givenColumns(ctx, s.conn, p.table)
		if err != nil {
			return err
		}
		s.installation = append(s.installation, Table{Name: p.table, Columns: columns})
		s.sources = append(s.sources, reading{queue: installation, table: p.table,
			query: "select " + list(columns) + " from " + quoted("fetchq", p.table) + p.rest})
	}
	return nil
}

// givenColumns are the columns of a table of the schema fetchq but those that Postgres numbers by itself.
func givenColumns(ctx context.Context, conn *pgx.Conn, table string) ([]string, error) {
	rows, err := conn.Query(ctx, `select attname::text from pg_attribute where attrelid = to_regclass(format('fetchq.%I', $1::text))
		and attnum > 0 and not attisdropped and attidentity <> 'a' and attgenerated = '' order by attnum`, table)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// list is names of columns in SQL.
func list(columns []string) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = quoted(c)
	}
	return strings.Join(names, ", ")
}

// chooseInstallation is the installation of a backup on its way back.
func chooseInstallation(m Manifest, p RestoreParams) (*target, error) {
	if p.SettingsOnly {
		return nil, errs.New(errs.Invalid, "the installation has no settings of queues; restore it without saying that only these are wanted")
	}
	if m.Installation == nil {
		return nil, errs.New(errs.NotFound, "the backup has queues only; one of the installation is written by fetchq backup run --installation")
	}
	return &target{Queue: Queue{Tables: m.Installation}, installation: true, open: map[string][]byte{}}, nil
}

// claimInstallation keeps other restores of the installation out, and refuses one that is in use.
func claimInstallation(ctx context.Context, conn *pgx.Conn, p RestoreParams) error {
	var free bool
	if err := conn.QueryRow(ctx, `select pg_try_advisory_lock($1, 0)`, lockName).Scan(&free); err != nil {
		return err
	}
	if !free {
		return errs.New(errs.Overloaded, "another restore of the installation is under way")
	}
	return vacant(ctx, conn, p)
}

// vacant refuses an installation that has rows which those of a backup would meet.
func vacant(ctx context.Context, db interface {
	QueryRow(context.Context, string, ...any) pgx.Row
}, p RestoreParams) error {
	for _, part := range parts {
		if part.beside || p.ReplaceInstallation {
			continue
		}
		var filled bool
		if err := db.QueryRow(ctx, `select exists (select from `+quoted("fetchq", part.table)+`)`).Scan(&filled); err != nil {
			return err
		}
		if filled {
			return errs.New(errs.Exists, "this installation has %s already; restore into an empty one, or say that all of it is to be replaced", part.table)
		}
	}
	return nil
}

// makeInstallationStage makes empty tables for the rows of the installation.
func makeInstallationStage(ctx context.Context, conn *pgx.Conn, t *target) error {
	if _, err := conn.Exec(ctx, `select pg_advisory_lock($1, hashtext($2))`, lockStage, t.stage); err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `create schema `+quoted(t.stage)); err != nil {
			return err
		}
		for _, table := range t.Tables {
			if !slices.ContainsFunc(parts, func(p part) bool { return p.table == table.Name }) {
				return errs.New(errs.Unsupported, "the backup has a table %s of the installation, which this Fetchq does not know; restore it with the one that wrote it", table.Name)
			}
			have, err := givenColumns(ctx, conn, table.Name)
			if err != nil {
				return err
			}
			if left := without(table.Columns, have); left != nil {
				return errs.New(errs.Unsupported, "the backup has a column %s of %s, which this Fetchq does not know; restore it with the one that wrote it", left[0], table.Name)
			}
			_, err = tx.Exec(ctx, fmt.Sprintf(`create table %s as select %s from %s with no data`,
				quoted(t.stage, table.Name), list(table.Columns), quoted("fetchq", table.Name)))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// putInstallation makes the rows of a stage those of the installation. Whoever would make the first admin meanwhile waits, and finds users.
func putInstallation(ctx context.Context, tx pgx.Tx, t *target, p RestoreParams) error {
	if _, err := tx.Exec(ctx, `lock table fetchq.users, fetchq.tokens, fetchq.dashboards in share row exclusive mode`); err != nil {
		return err
	}
	if err := vacant(ctx, tx, p); err != nil {
		return err
	}
	if p.ReplaceInstallation {
		for _, part := range slices.Backward(parts) {
			if part.beside {
				continue
			}
			if _, err := tx.Exec(ctx, `delete from `+quoted("fetchq", part.table)); err != nil {
				return err
			}
		}
	}
	for _, part := range parts {
		for _, table := range t.Tables {
			if table.Name != part.table {
				continue
			}
			columns := list(table.Columns)
			_, err := tx.Exec(ctx, fmt.Sprintf(`insert into %s (%s) select %s from %s`, quoted("fetchq", table.Name), columns, columns, quoted(t.stage, table.Name)))
			if err != nil {
				return err
			}
		}
	}
	// What was missed would be made at once, and older backups removed beside it.
	if _, err := tx.Exec(ctx, `update fetchq.backup_schedules set paused = true`); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `delete from fetchq.links where kind = 'setup'`); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `drop schema `+quoted(t.stage)+` cascade`)
	return err
}
