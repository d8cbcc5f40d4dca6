package embedpg

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
)

const (
	clusterDir   = "postgres"
	unfinished   = "postgres.new"
	passwordFile = "password"
	givenFile    = "password.new" // for initdb
	portFile     = "port"
	// KeyFile is where the program keeps a key beside the cluster, and keyTemp what it is written as.
	KeyFile      = "secret.key"
	keyTemp      = KeyFile + ".new"
	markFile     = "fetchq.json" // in the cluster: it is ours
	role         = "fetchq"
	databaseName = "fetchq"
)

// ours are the names that may stand in a data directory.
var ours = []string{clusterDir, unfinished, passwordFile, givenFile, tempFile, portFile, KeyFile, keyTemp, startLock, serveLock, usersLock}

// cluster is the data directory of a private Postgres.
type cluster struct {
	dir   string // the data directory; the cluster is below it
	owner owner
	note  string // what a person should know about where it is
}

// openDir makes the data directory if it is missing, and refuses one that is not a folder, cannot be written, or holds
// what is not ours. With existing it also refuses one where there is no cluster and nobody is making one. It changes nothing in
// a folder that it refuses.
func openDir(path string, existing bool) (cluster, error) {
	dir, err := filepath.Abs(path)
	if err != nil {
		return cluster{}, err
	}
	who, err := findOwner()
	if err != nil {
		return cluster{}, err
	}
	c := cluster{dir: dir, owner: who}
	if !who.reaches(filepath.Dir(dir)) {
		c.dir = moved(dir, "data")
		c.note = fmt.Sprintf("the user %s cannot reach %s", who.name, dir)
	}
	if existing && !there(c.path()) && !there(filepath.Join(c.dir, startLock)) {
		return cluster{}, c.absent()
	}
	if err := os.MkdirAll(c.dir, 0o755); err != nil { //nolint:gosec // the owner searches it
		return cluster{}, errs.New(errs.Unavailable, "the data directory %s cannot be made: %s", c.dir, reason(err))
	}
	if err := who.trusts(c.dir); err != nil {
		return cluster{}, err
	}
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return cluster{}, errs.New(errs.Unavailable, "the data directory %s cannot be read: %s", c.dir, reason(err))
	}
	for _, e := range entries {
		if !slices.Contains(ours, e.Name()) {
			return cluster{}, errs.New(errs.Unavailable, "the data directory %s holds %s, which is not Fetchq's; choose an empty folder", c.dir, e.Name())
		}
	}
	if _, err := os.Stat(c.path()); err == nil {
		if _, err := os.Stat(filepath.Join(c.path(), markFile)); err != nil {
			return cluster{}, errs.New(errs.Unavailable, "%s was not made by Fetchq; choose another data directory, or set DATABASE_URL to use that Postgres", c.path())
		}
	}
	lock, err := os.OpenFile(filepath.Join(c.dir, startLock), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return cluster{}, errs.New(errs.Unavailable, "the data directory %s cannot be written: %s", c.dir, reason(err))
	}
	return c, lock.Close()
}

// there says whether something stands at a path; what cannot be looked at may.
func there(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

func (c cluster) absent() error {
	return errs.New(errs.Unavailable, "there is no data directory at %s: no %s is in it; name the right one with --data-dir or FETCHQ_DATA_DIR, or a Postgres with DATABASE_URL",
		c.dir, filepath.Join(clusterDir, "PG_VERSION"))
}

func (c cluster) path() string { return filepath.Join(c.dir, clusterDir) }

// major returns which Postgres made the cluster; 0 where there is none yet.
func (c cluster) major() (int, error) {
	text, err := os.ReadFile(filepath.Join(c.path(), "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, errs.New(errs.Unavailable, "the data directory %s cannot be read: %s", c.dir, reason(err))
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, errs.New(errs.Unavailable, "%s is damaged: its PG_VERSION is no number", c.path())
	}
	if n > database.NewestPostgres {
		return 0, errs.New(errs.Unavailable, "the data directory %s was made by Postgres %d; this Fetchq knows %d to %d, use a newer one",
			c.dir, n, database.OldestPostgres, database.NewestPostgres)
	}
	return n, nil
}

// password returns the password of the role, and makes one for a new cluster.
func (c cluster) password() (string, error) {
	path := filepath.Join(c.dir, passwordFile)
	text, err := os.ReadFile(path)
	if err == nil && len(text) > 0 {
		return strings.TrimSpace(string(text)), nil
	}
	if _, made := os.Stat(c.path()); made == nil {
		return "", errs.New(errs.Unavailable, "the file %s is missing; without it the cluster beside it cannot be used", path)
	}
	secret := rand.Text()
	return secret, c.keep(passwordFile, []byte(secret+"\n"))
}

// init makes the cluster beside its place and moves it there when it is whole.
func (c cluster) init(ctx context.Context, b Binaries, password string, log *slog.Logger) error {
	temp := filepath.Join(c.dir, unfinished)
	if err := os.RemoveAll(temp); err != nil {
		return err
	}
	if err := os.Mkdir(temp, 0o700); err != nil {
		return err
	}
	if err := c.owner.give(temp); err != nil {
		return err
	}
	log.Info("making a private Postgres", "version", b.Version, "folder", c.path())
	// A copy that the owner can read, for as long as initdb runs.
	given := filepath.Join(c.dir, givenFile)
	if err := c.write(givenFile, []byte(password+"\n")); err != nil {
		return err
	}
	defer os.Remove(given)
	args := []string{"-D", temp, "-U", role, "--pwfile=" + given, "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--data-checksums"}
	if b.Major >= 17 {
		// The same rules for letters on every system, and no damage when a system changes its own.
		args = append(args, "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
	}
	initdb := exec.CommandContext(ctx, filepath.Join(b.Dir, "initdb"), args...)
	initdb.Dir = temp
	initdb.SysProcAttr = c.owner.process()
	initdb.Env = environment()
	if out, err := initdb.CombinedOutput(); err != nil {
		return errs.New(errs.Unavailable, "Postgres cannot make its cluster in %s: %s", c.dir, lastLine(out))
	}
	if err := c.add(filepath.Join(unfinished, "postgresql.conf"), "\ninclude_if_exists = 'fetchq.conf' # written anew at each start\n"); err != nil {
		return err
	}
	mark, err := json.Marshal(map[string]any{"format": 1, "postgres": b.Version})
	if err != nil {
		return err
	}
	if err := c.write(filepath.Join(unfinished, markFile), mark); err != nil {
		return err
	}
	return os.Rename(temp, c.path())
}

// configure writes the settings that come with this version of Fetchq, and those that the caller adds.
func (c cluster) configure(more map[string]string) error {
	settings := map[string]string{
		"listen_addresses":         "127.0.0.1",
		"unix_socket_directories":  "",
		"max_connections":          "200",
		"shared_buffers":           fmt.Sprintf("%dMB", min(memoryMB()/4, 2048)),
		"max_wal_size":             "4GB",
		"checkpoint_timeout":       "15min",
		"wal_compression":          "on",
		"jit":                      "off", // our statements are short; compiling one takes longer than running it
		"logging_collector":        "on",
		"log_directory":            "log",
		"log_filename":             "postgresql-%a.log", // a week of them
		"log_truncate_on_rotation": "on",
		"log_rotation_size":        "100MB",
		"timezone":                 "UTC",
		"log_timezone":             "UTC",
		"cluster_name":             "fetchq",
	}
	for name, value := range more {
		settings[name] = value
	}
	var text strings.Builder
	text.WriteString("# Written by Fetchq at each start; settings of your own go into postgresql.auto.conf by ALTER SYSTEM.\n")
	names := make([]string, 0, len(settings))
	for name := range settings {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&text, "%s = '%s'\n", name, strings.ReplaceAll(settings[name], "'", "''"))
	}
	return c.write(filepath.Join(clusterDir, "fetchq.conf"), []byte(text.String()))
}

// environment is what a program of Postgres gets: ours without what would point it elsewhere.
func environment() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "PG") {
			env = append(env, v)
		}
	}
	return append(env, "LC_ALL=C", "TZ=UTC")
}

// memoryMB is the memory of this machine; 4 GB where the system does not say.
func memoryMB() int {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 4096
	}
	var kb int
	if _, err := fmt.Sscanf(string(text), "MemTotal: %d kB", &kb); err != nil || kb < 1024 {
		return 4096
	}
	return kb / 1024
}

// reason is the system's word for what went wrong, without the path.
func reason(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

// lastLine is where a program of Postgres says what went wrong.
func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	for _, l := range slices.Backward(lines) {
		if strings.Contains(l, "FATAL") || strings.Contains(l, "error") || strings.Contains(l, "could not") {
			return strings.TrimSpace(l)
		}
	}
	return strings.TrimSpace(lines[len(lines)-1])
}
