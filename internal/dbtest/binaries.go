package dbtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/fetchq/server/internal/embedpg"
)

// Binaries returns the folder of Postgres's programs of the major version that the tests run on, from the places where
// scripts/on-postgres looks for them.
func Binaries() (string, error) {
	major, err := strconv.Atoi(Major())
	if err != nil {
		return "", fmt.Errorf("FETCHQ_TEST_PG is %q; a major version of Postgres is wanted", Major())
	}
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	if given := os.Getenv("FETCHQ_PG_BIN"); given != "" {
		if b, err := embedpg.Find(given, major); err == nil {
			return b.Dir, nil
		}
	}
	b, err := embedpg.Find("", major, root)
	if err != nil {
		return "", fmt.Errorf("there is no Postgres %d for the tests; run make test, which installs it or says how", major)
	}
	return b.Dir, nil
}

func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("no go.mod stands above the working directory")
}
