package embedpg

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/fetchq/server/internal/errs"
)

// Three locks of a data directory, which the system takes back when their process ends, however it ends:
//
//	start.lock  held while a server is made, started or stopped
//	serve.lock  held by the one program that serves from this directory
//	users.lock  shared by all programs that use the server: the last one stops it
const (
	startLock = "start.lock"
	serveLock = "serve.lock"
	usersLock = "users.lock"
)

var errHeld = errors.New("the lock is held")

// take takes a lock, or returns errHeld.
func take(dir, name string, how int) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errHeld
		}
		return nil, err
	}
	return f, nil
}

// takeSoon is take that waits until ctx ends.
func takeSoon(ctx context.Context, dir, name string, how int) (*os.File, error) {
	for {
		f, err := take(dir, name, how)
		if !errors.Is(err, errHeld) {
			return f, err
		}
		select {
		case <-ctx.Done():
			return nil, errHeld
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// takeServe makes this process the one that serves from dir.
func takeServe(dir string) (*os.File, error) {
	f, err := take(dir, serveLock, syscall.LOCK_EX)
	if errors.Is(err, errHeld) {
		text, _ := os.ReadFile(filepath.Join(dir, serveLock))
		return nil, errs.New(errs.Unavailable, "another fetchq (process %s) serves from the data directory %s; stop it, or set FETCHQ_DATA_DIR to another folder",
			strings.TrimSpace(string(text)), dir)
	}
	if err != nil {
		return nil, err
	}
	if err := f.Truncate(0); err != nil {
		return nil, err
	}
	_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return f, err
}
