package embedpg

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/fetchq/server/internal/errs"
)

// What root writes for the owner stands in folders that the owner can change meanwhile: a name there may be a link to any
// file of the system. So root writes in the data directory, under a name that did not exist, and moves the file to its place,
// which replaces a link and does not follow it; os.Root keeps the way there inside the data directory.

// tempFile is what a file is written as.
const tempFile = "file.new"

// write writes a file of the data directory that belongs to the owner. The caller holds start.lock.
func (c cluster) write(name string, text []byte) error {
	return c.place(name, text, c.owner.giveFile)
}

// keep is write for a file that stays this program's.
func (c cluster) keep(name string, text []byte) error {
	return c.place(name, text, func(*os.File) error { return nil })
}

func (c cluster) place(name string, text []byte, give func(*os.File) error) error {
	root, err := os.OpenRoot(c.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.Remove(tempFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := root.OpenFile(tempFile, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err := errors.Join(err, give(f), f.Close()); err != nil {
		return err
	}
	return root.Rename(tempFile, name)
}

// add writes at the end of a file that the owner has made.
func (c cluster) add(name, text string) error {
	f, err := os.OpenFile(filepath.Join(c.dir, name), os.O_APPEND|os.O_WRONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return errs.New(errs.Unavailable, "%s cannot be written: %s", filepath.Join(c.dir, name), reason(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || !c.owner.owns(info) {
		return errs.New(errs.Unavailable, "%s is not the file that Postgres made", filepath.Join(c.dir, name))
	}
	_, err = f.WriteString(text)
	return err
}
