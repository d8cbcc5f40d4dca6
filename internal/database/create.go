package database

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Ping connects once and says whether the server answers.
func Ping(ctx context.Context, url string) error {
	conn, err := Connect(ctx, url, "fetchq ping")
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	return Error("ping", conn.Ping(ctx))
}

// Create makes a database on a server of our own, if it is not there. url leads to another one of the same server.
func Create(ctx context.Context, url, name string) error {
	conn, err := Connect(ctx, url, "fetchq create")
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	var there bool
	if err := conn.QueryRow(ctx, `select exists (select from pg_database where datname = $1)`, name).Scan(&there); err != nil || there {
		return Error("look for the database "+name, err)
	}
	_, err = conn.Exec(ctx, `create database `+pgx.Identifier{name}.Sanitize()+` template template0`)
	return Error("create the database "+name, err)
}
