package database_test

import (
	"strings"
	"testing"

	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
)

func TestAnAddressLosesItsPasswordAndNothingElse(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"postgres://u:hunter2@h:5432/d?sslmode=disable":         "postgres://u@h:5432/d?sslmode=disable",
		"postgresql://u@h/d?password=hunter2&sslmode=disable":   "postgresql://u@h/d?sslmode=disable",
		"postgres://u:hunter2@h1:1,h2:2/d":                      "postgres://u@h1:1,h2:2/d",
		"host=h user=u password=hunter2 dbname=d":               "host=h user=u dbname=d",
		`user='a b' password = 'hunter2' application_name='x='`: `user='a b' application_name='x='`,
	} {
		bare, password, err := database.WithoutPassword(address)
		if err != nil || bare != want || password != "hunter2" {
			t.Errorf("%s: %q and %q, error %v; %q is wanted", address, bare, password, err, want)
		}
	}
	if bare, password, err := database.WithoutPassword("postgres://u@h/d"); err != nil || bare != "postgres://u@h/d" || password != "" {
		t.Errorf("without a password: %q and %q, error %v", bare, password, err)
	}
	_, _, err := database.WithoutPassword("postgres://u:hunter2@h:port/d")
	if errs.Of(err) != errs.Invalid || strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
}
