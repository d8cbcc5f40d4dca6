package main

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// hold begins a transaction that has taken its snapshot and does nothing more.
func hold(ctx context.Context, url string) (release func(), err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	for _, sql := range []string{`begin isolation level repeatable read`, `select count(*) from pg_class`} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			_ = conn.Close(ctx)
			return nil, err
		}
	}
	return func() { _ = conn.Close(context.WithoutCancel(ctx)) }, nil
}
