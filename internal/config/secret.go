package config

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/fetchq/server/internal/errs"
)

// MostSecret is how many bytes a file of secrets may have.
const MostSecret = 8192

// Secret is the value of a variable that something else names, such as a destination of backups; false where it is not set.
func Secret(name string) (string, bool) { return os.LookupEnv(name) }

// SecretFile returns a file in the folder of secrets, by its name there. Links may not lead out of it. Errors: Invalid (there is no such folder, no
// such file, or it is none).
func (c Config) SecretFile(name string) (string, error) {
	if c.SecretsDir == "" {
		return "", errs.New(errs.Invalid, "the server has no folder of secrets; FETCHQ_SECRETS_DIR names one")
	}
	root, err := os.OpenRoot(c.SecretsDir)
	if err != nil {
		return "", errs.New(errs.Invalid, "the folder that FETCHQ_SECRETS_DIR names cannot be opened")
	}
	defer root.Close()
	// Looked at before it is opened: a pipe would wait for somebody who writes.
	info, err := root.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", errs.New(errs.Invalid, "there is no file %.100q in the folder of secrets", name)
	}
	if err != nil || !info.Mode().IsRegular() || info.Size() > MostSecret {
		return "", errs.New(errs.Invalid, "%.100q in the folder of secrets is no file of at most %d bytes that the server may read", name, MostSecret)
	}
	f, err := root.Open(name)
	if err != nil {
		return "", errs.New(errs.Invalid, "the file %.100q in the folder of secrets cannot be read by the server's user", name)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MostSecret))
	if err != nil {
		return "", errs.New(errs.Invalid, "the file %.100q in the folder of secrets cannot be read", name)
	}
	return string(text), nil
}
