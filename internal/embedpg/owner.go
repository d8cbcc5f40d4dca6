package embedpg

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/fetchq/server/internal/errs"
)

// home is where a private Postgres lives whose user cannot reach the folders that were asked for.
const home = "/var/lib/fetchq"

// owner is whom the server runs as.
type owner struct {
	name     string
	uid, gid int
	root     bool // this program is root, and hands over to the owner
}

// findOwner returns this user, or for root an unprivileged one: Postgres refuses to run as root.
func findOwner() (owner, error) {
	if os.Getuid() != 0 {
		return owner{uid: os.Getuid(), gid: os.Getgid()}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err1 == nil && err2 == nil && uid > 0 {
			return owner{name: name, uid: uid, gid: gid, root: true}, nil
		}
	}
	return owner{}, errs.New(errs.Unavailable, "Postgres does not run as root, and there is neither a user postgres nor nobody; start fetchq as another user")
}

// process returns how a program of Postgres is started: as the owner, in a session of its own, so that Ctrl-C at the
// terminal does not reach it before the drain.
func (o owner) process() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setsid: true}
	if o.root {
		attr.Credential = &syscall.Credential{Uid: uint32(o.uid), Gid: uint32(o.gid)} //nolint:gosec // as the system gave them
	}
	return attr
}

// give hands a folder to the owner.
func (o owner) give(path string) error {
	if !o.root {
		return nil
	}
	return os.Lchown(path, o.uid, o.gid)
}

// giveFile is give for a file that is open: no other can have taken its name.
func (o owner) giveFile(f *os.File) error {
	if !o.root {
		return nil
	}
	return f.Chown(o.uid, o.gid)
}

// owns says whether a file is the owner's. Where the system does not tell, it is.
func (o owner) owns(info os.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return !ok || int(stat.Uid) == o.uid
}

// trusts refuses a data directory whose user could change what root writes there, and is neither root nor the owner.
func (o owner) trusts(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !o.root || !ok || stat.Uid == 0 || int(stat.Uid) == o.uid {
		return nil
	}
	return errs.New(errs.Unavailable, "the data directory %s belongs to another user (number %d), and this is root: start fetchq as that user, or choose a folder of root's",
		dir, stat.Uid)
}

// reaches says whether the owner can search a folder and all above it.
func (o owner) reaches(dir string) bool {
	if !o.root {
		return true
	}
	for {
		info, err := os.Stat(dir)
		if err == nil && !o.searches(info) {
			return false
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return true
		}
		dir = parent
	}
}

func (o owner) searches(info os.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok:
		return true
	case int(stat.Uid) == o.uid:
		return info.Mode()&0o100 != 0
	case int(stat.Gid) == o.gid:
		return info.Mode()&0o010 != 0
	}
	return info.Mode()&0o001 != 0
}

// moved returns the place below home that stands for a folder which the owner cannot reach.
func moved(dir, kind string) string {
	sum := sha256.Sum256([]byte(dir))
	return filepath.Join(home, kind+"-"+hex.EncodeToString(sum[:4]))
}

// reachable returns a folder of programs that the owner can run: the one given, or a copy below home, made once.
func (o owner) reachable(dir string) (string, error) {
	if o.reaches(dir) {
		return dir, nil
	}
	info, err := os.Stat(filepath.Join(dir, "postgres"))
	if err != nil {
		return "", err
	}
	// Programs that were replaced meanwhile are others.
	to := moved(fmt.Sprint(dir, info.Size(), info.ModTime().UnixNano()), "postgres")
	copied := filepath.Join(to, filepath.Base(dir))
	if _, err := os.Stat(copied); err == nil {
		return copied, nil
	}
	if err := os.MkdirAll(home, 0o755); err != nil { //nolint:gosec // the owner searches it
		return "", err
	}
	temp, err := os.MkdirTemp(home, "copy-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temp)
	// cp keeps links and modes; the folder that holds bin, lib and share is the whole installation.
	if out, err := exec.CommandContext(context.Background(), "cp", "-a", filepath.Dir(dir)+"/.", temp).CombinedOutput(); err != nil {
		return "", errs.New(errs.Unavailable, "the programs of Postgres cannot be copied to %s: %s", to, out)
	}
	if err := os.Chmod(temp, 0o755); err != nil { //nolint:gosec // the owner searches it
		return "", err
	}
	if err := os.Rename(temp, to); err != nil && !os.IsExist(err) {
		if _, there := os.Stat(copied); there != nil {
			return "", err
		}
	}
	return copied, nil
}
