package app

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/fetchq/server/internal/config"
	"github.com/fetchq/server/internal/embedpg"
	"github.com/fetchq/server/internal/seal"
)

const (
	keyFile = embedpg.KeyFile
	keyMost = 4096 // bytes that are read of it
)

// installationKey is the key under which secrets are kept in the database: that of the settings, else one in a file beside the data
// of a private Postgres, which is made where there is none. A Postgres of somebody else's has no such place that all nodes share,
// and a key in the database itself would protect nothing from who reads that: then there is none, "". dir is the data directory of a
// private Postgres.
func installationKey(cfg config.Config, dir string) (string, error) {
	if cfg.SecretKey != "" || dir == "" {
		return cfg.SecretKey, nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", err
	}
	defer root.Close()
	f, err := root.Open(keyFile)
	if errors.Is(err, fs.ErrNotExist) {
		return makeKey(root)
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, keyMost))
	if err != nil {
		return "", err
	}
	key := strings.TrimSpace(string(text))
	if len(key) < seal.MinKey {
		// Another one would make what is sealed unreadable for good.
		return "", fmt.Errorf("%s in the data directory holds no key; put back the one that was there, or remove it: then second factors and secrets of destinations have to be set up anew", keyFile)
	}
	return key, nil
}

// makeKey writes a key whole or not at all. Only one program serves from a data directory.
func makeKey(root *os.Root) (string, error) {
	const temp = keyFile + ".new"
	if err := root.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	f, err := root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	key := seal.NewKey()
	_, err = f.WriteString(key + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", err
	}
	return key, root.Rename(temp, keyFile)
}
