package database_test

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/dbtest"
)

// TestPrivilegesTellWhatARoleMayDoMoreThanItNeeds asks for a role with nothing, with some of it, and for the superuser of the tests.
func TestPrivilegesTellWhatARoleMayDoMoreThanItNeeds(t *testing.T) {
	t.Parallel()
	address := dbtest.URL(t)
	admin := dbtest.Open(t, address)
	told, err := database.Privileges(t.Context(), admin)
	if err != nil || len(told) != 1 || !strings.Contains(told[0], "superuser") {
		t.Errorf("of a superuser: %q, %v", told, err)
	}
	var role string // roles are of the cluster, which other tests share
	if err := admin.QueryRow(t.Context(), `select 'plain_' || current_database()`).Scan(&role); err != nil {
		t.Fatal(err)
	}
	exec := func(sql string) {
		t.Helper()
		if _, err := admin.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	exec(`create role ` + role + ` login password 'secret'`)
	t.Cleanup(func() { _, _ = admin.Exec(context.Background(), `drop role `+role) })
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(role, "secret")
	plain := dbtest.Open(t, u.String())
	if told, err := database.Privileges(t.Context(), plain); err != nil || len(told) != 0 {
		t.Errorf("of a role with nothing: %q, %v", told, err)
	}
	exec(`alter role ` + role + ` createdb createrole`)
	exec(`grant pg_read_server_files to ` + role)
	told, err = database.Privileges(t.Context(), plain)
	if text := strings.Join(told, " "); err != nil || len(told) != 3 || !strings.Contains(text, "createdb") || !strings.Contains(text, "createrole") || !strings.Contains(text, "pg_read_server_files") {
		t.Errorf("of a role with more: %q, %v", told, err)
	}
}
