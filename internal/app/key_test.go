package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fetchq/server/internal/config"
	"github.com/fetchq/server/internal/seal"
)

func TestTheKeyStandsBesideAPrivatePostgresOrInTheSettings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "secret.key")
	set := strings.Repeat("k", 32)
	for name, tt := range map[string]struct {
		key, dir, want string
	}{
		"settings": {set, dir, set}, "settings and a database": {set, "", set}, "a database alone": {"", "", ""},
	} {
		if got, err := installationKey(config.Config{SecretKey: tt.key}, tt.dir); err != nil || got != tt.want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := os.Stat(file); err == nil {
		t.Fatal("a key was made that nobody uses")
	}
	if err := os.WriteFile(file+".new", []byte("half"), 0o600); err != nil { // of a start that was cut off
		t.Fatal(err)
	}
	made, err := installationKey(config.Config{}, dir)
	if err != nil || len(made) < seal.MinKey {
		t.Fatalf("%q, %v", made, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}
	if again, err := installationKey(config.Config{}, dir); err != nil || again != made {
		t.Errorf("the next start has %q, %v", again, err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if key, err := installationKey(config.Config{}, dir); err == nil {
		t.Errorf("an empty file is the key %q", key)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", file); err != nil {
		t.Fatal(err)
	}
	if key, err := installationKey(config.Config{}, dir); err == nil {
		t.Errorf("a link out of the folder is the key %q", key)
	}
}
