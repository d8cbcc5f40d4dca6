package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fetchq/server/internal/errs"
)

func TestAFileOfSecretsIsReadInItsFolderAlone(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	dir := filepath.Join(top, "secrets")
	write := func(file, text string) {
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(top, "outside"), "of others")
	write(filepath.Join(dir, "..data", "s3"), "a secret\n")
	write(filepath.Join(dir, "large"), strings.Repeat("x", MostSecret+1))
	for name, to := range map[string]string{"s3": filepath.Join("..data", "s3"), "out": filepath.Join("..", "outside"), "far": filepath.Join(top, "outside")} { // as Kubernetes has them
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	c := Config{SecretsDir: dir}
	if text, err := c.SecretFile("s3"); err != nil || text != "a secret\n" {
		t.Errorf("%q, %v", text, err)
	}
	for _, name := range []string{"none", "out", "far", "../outside", filepath.Join(top, "outside"), "large", "..data", "."} {
		if text, err := c.SecretFile(name); errs.Of(err) != errs.Invalid || text != "" || strings.Contains(err.Error(), "of others") {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	if text, err := (Config{}).SecretFile(filepath.Join(dir, "large")); err == nil || !strings.Contains(err.Error(), "FETCHQ_SECRETS_DIR") {
		t.Errorf("without a folder: %q, %v", text, err)
	}
}
