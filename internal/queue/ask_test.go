package queue_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
)

// blocked waits until n sessions of a database wait for a lock.
func blocked(t *testing.T, db *pgxpool.Pool, n int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		var waiting int
		err := db.QueryRow(t.Context(), `select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`).Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
		if waiting >= n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d sessions wait for a lock; %d are wanted", waiting, n)
		}
	}
}

func begin(t *testing.T, db *pgxpool.Pool, statements ...string) pgx.Tx {
	t.Helper()
	tx, err := db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
	for _, sql := range statements {
		if _, err := tx.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	return tx
}

func exec(t *testing.T, db *pgxpool.Pool, sql string, args ...any) {
	t.Helper()
	if _, err := db.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func one[T any](t *testing.T, db *pgxpool.Pool, sql string, args ...any) T {
	t.Helper()
	var v T
	if err := db.QueryRow(t.Context(), sql, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

// turnedDown wants an error of a code, about a field.
func turnedDown(t *testing.T, what string, err error, code errs.Code, field string) {
	t.Helper()
	var e *errs.Error
	if !errors.As(database.Error("try", err), &e) || e.Code != code || e.Field != field {
		t.Errorf("%s: %v; %s of %s is wanted", what, err, code, field)
	}
}

func told(results []queue.Result) (lines []string) {
	for _, r := range results {
		lines = append(lines, r.Subject+" "+r.Outcome+" "+r.Detail)
	}
	return lines
}

// years is a span from now.
func years(n int32) wire.Date { return wire.Date{Delay: &wire.Interval{Months: 12 * n}} }
