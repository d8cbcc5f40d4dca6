package database

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Privileges returns what the role of a pool may do and this program never needs, in words that follow "can"; none: nothing of it. Whoever gets
// hold of the role's password wins that too.
func Privileges(ctx context.Context, pool *pgxpool.Pool) ([]string, error) {
	rows, err := pool.Query(ctx, `
		select w.words
		from pg_roles r cross join lateral (values
			(r.rolsuper, 'do everything in every database of the cluster, and run programs as its user (superuser)'),
			(not r.rolsuper and r.rolcreaterole, 'make and change other roles (createrole)'),
			(not r.rolsuper and r.rolcreatedb, 'make databases (createdb)'),
			(not r.rolsuper and r.rolreplication, 'read what all databases write (replication)'),
			(not r.rolsuper and r.rolbypassrls, 'read past row security (bypassrls)'),
			(not r.rolsuper and pg_has_role(r.oid, 'pg_execute_server_program', 'member'), 'run programs as the user of Postgres (pg_execute_server_program)'),
			(not r.rolsuper and pg_has_role(r.oid, 'pg_read_server_files', 'member'), 'read files of the server (pg_read_server_files)'),
			(not r.rolsuper and pg_has_role(r.oid, 'pg_write_server_files', 'member'), 'write files of the server (pg_write_server_files)'),
			(not r.rolsuper and pg_has_role(r.oid, 'pg_read_all_data', 'member'), 'read all tables of the database (pg_read_all_data)'),
			(not r.rolsuper and pg_has_role(r.oid, 'pg_write_all_data', 'member'), 'write to all tables of the database (pg_write_all_data)')
		) w (can, words)
		where r.rolname = current_user and w.can`)
	if err != nil {
		return nil, Error("read what the role may do", err)
	}
	words, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return words, Error("read what the role may do", err)
}
