package database_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/errs"
)

// TestEachStateHasOneCode raises each SQLSTATE in a real server.
func TestEachStateHasOneCode(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	for state, want := range map[string]errs.Code{
		"FQ001": errs.Invalid, "FQ003": errs.Forbidden, "FQ004": errs.NotFound, "FQ005": errs.Stale, "FQ006": errs.Exists, "FQ007": errs.Active,
		"08006": errs.Unavailable, "08P01": errs.Unavailable, "57P01": errs.Unavailable, "57P03": errs.Unavailable, "53300": errs.Unavailable,
		"25006": errs.Unavailable, "55P03": errs.Overloaded, "XX000": errs.Internal, "22012": errs.Internal, "57014": errs.Internal,
	} {
		_, err := db.Exec(t.Context(), `do $$ begin raise exception using errcode = '`+state+`', column = 'lock', message = 'said'; end $$`)
		err = database.Error("try", err)
		if got := errs.Of(err); got != want {
			t.Errorf("%s is %s; %s is wanted", state, got, want)
		}
		var e *errs.Error
		if errors.As(err, &e) && state[:2] == "FQ" && (e.Field != "lock" || e.Message != "said") {
			t.Errorf("%s: field %q, message %q", state, e.Field, e.Message)
		}
	}
}

func TestErrorsOfTheWayToTheServerAreUnavailable(t *testing.T) {
	t.Parallel()
	_, dial := net.Dial("tcp", "127.0.0.1:1")
	for name, err := range map[string]error{"dial": dial, "end": io.ErrUnexpectedEOF, "closed": net.ErrClosed} {
		if got := errs.Of(database.Error("try", err)); got != errs.Unavailable {
			t.Errorf("%s is %s", name, got)
		}
	}
	if database.Error("try", nil) != nil {
		t.Error("no error became one")
	}
	ours := errs.Field("x", "y")
	if got := database.Error("try", ours); !errors.Is(got, ours) {
		t.Errorf("an error of ours became %v", got)
	}
}

// TestAQueueThatIsGoneIsNotFound tells a queue that was dropped in this moment from a missing table of our own.
func TestAQueueThatIsGoneIsNotFound(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	for sql, want := range map[string]errs.Code{
		`select from q_gone.docs`:    errs.NotFound,
		`select from fetchq.missing`: errs.Internal,
	} {
		_, err := db.Exec(t.Context(), sql)
		if got := errs.Of(database.Error("try", err)); got != want {
			t.Errorf("%s is %s; %s is wanted", sql, got, want)
		}
	}
}

func TestOnlyWhatDidNothingAndMayDoBetterIsRetried(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		state, message string
		want           bool
	}{
		{"40P01", "", true}, {"40001", "", true}, {"FQ005", "", false}, {"08006", "", false},
		{"XX000", "cache lookup failed for function 42751", true}, {"XX000", "cache lookup failed for type 42751", false},
	} {
		if got := database.Retryable(database.Error("try", &pgconn.PgError{Code: tt.state, Message: tt.message})); got != tt.want {
			t.Errorf("%s %s: %v", tt.state, tt.message, got)
		}
	}
}

func TestMigrateDoesNothingTwiceAndReplacesFunctionsThatChanged(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	log := slog.New(slog.DiscardHandler)
	url := dbtest.Empty(t)
	if err := database.Migrate(ctx, url, log); err != nil {
		t.Fatal(err)
	}
	db := dbtest.Open(t, url)
	oid := func() (oid uint32) {
		t.Helper()
		if err := db.QueryRow(ctx, `select oid from pg_proc where pronamespace = 'fetchq'::regnamespace and proname = 'micros'`).Scan(&oid); err != nil {
			t.Fatal(err)
		}
		return oid
	}
	first := oid()
	if err := database.Migrate(ctx, url, log); err != nil {
		t.Fatal(err)
	}
	if oid() != first {
		t.Error("functions that did not change were made anew")
	}
	// As an older version left it: another hash, and functions that are there no more, or not yet.
	if _, err := db.Exec(ctx, `update fetchq.meta set value = 'old' where key = 'functions';
		create function fetchq.of_old(integer) returns integer language sql as 'select 1';
		select fetchq.queue_create('a');
		drop function q_a.mark_0;
		create function q_a.of_old(integer) returns integer language sql as 'select 1'`); err != nil {
		t.Fatal(err)
	}
	if err := database.Migrate(ctx, url, log); err != nil {
		t.Fatal(err)
	}
	var left int
	if err := db.QueryRow(ctx, `select count(*) from pg_proc where proname = 'of_old'`).Scan(&left); err != nil || left != 0 || oid() == first {
		t.Errorf("%d old functions are left, error %v", left, err)
	}
	if _, err := db.Exec(ctx, `select fetchq.mnt_mark_due('a')`); err != nil {
		t.Error("the functions of a queue were not made anew:", err)
	}
}

func TestWhatIsBuiltOnAFunctionIsNamedWhenItStopsAnUpgrade(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	db := dbtest.Open(t, url)
	if _, err := db.Exec(t.Context(), `create view public.totals as select * from fetchq.metric_get('a'); update fetchq.meta set value = 'old'`); err != nil {
		t.Fatal(err)
	}
	err := database.Migrate(t.Context(), url, slog.New(slog.DiscardHandler))
	if errs.Of(err) != errs.Unavailable || !strings.Contains(err.Error(), "view public.totals depends on function fetchq.metric_get(text)") {
		t.Errorf("%v", err)
	}
}

// TestConnectionsAreNotSwayedByTheDatabase sets other defaults, and puts a function of its own before one of Postgres's.
func TestConnectionsAreNotSwayedByTheDatabase(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	db := dbtest.Open(t, url)
	if _, err := db.Exec(t.Context(), `
		do $$ begin execute format('alter database %I set default_transaction_isolation = ''serializable''', current_database()); end $$;
		do $$ begin execute format('alter database %I set search_path = public, pg_catalog', current_database()); end $$;
		create function public.cardinality(text[]) returns integer language plpgsql as $$ begin raise exception 'hijacked'; end $$;
		select fetchq.queue_create('a')`); err != nil {
		t.Fatal(err)
	}
	again := dbtest.Open(t, url)
	var isolation string
	if err := again.QueryRow(t.Context(), `select current_setting('transaction_isolation')`).Scan(&isolation); err != nil || isolation != "read committed" {
		t.Errorf("transactions are %s, error %v", isolation, err)
	}
	if _, err := again.Exec(t.Context(), `select * from fetchq.doc_push_many('a', array['x'])`); err != nil {
		t.Error(err)
	}
	if err := database.Migrate(t.Context(), url, slog.New(slog.DiscardHandler)); err != nil {
		t.Error(err)
	}
}

// TestEveryFunctionIsSound lets the server check the bodies, which are not looked at while they are created: they name
// each other.
func TestEveryFunctionIsSound(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	if _, err := db.Exec(t.Context(), `select fetchq.queue_create('a', '{"partitions": 2}')`); err != nil {
		t.Fatal(err)
	}
	rows, err := db.Query(t.Context(), `select pg_get_functiondef(oid) from pg_proc where pronamespace in ('fetchq'::regnamespace, 'q_a'::regnamespace)`)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		all = append(all, text)
	}
	if rows.Err() != nil || len(all) < 40 {
		t.Fatalf("%d functions, error %v", len(all), rows.Err())
	}
	for _, text := range all {
		if _, err := db.Exec(t.Context(), text); err != nil {
			t.Errorf("%v\n%.200s", err, text)
		}
	}
}
