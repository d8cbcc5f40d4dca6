package embedpg

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// link makes the links of an npm package, which npm leaves out where it may not run the package's own script. native is
// the package's folder of that name; a folder without the list of links is none, and nothing is done. Two programs may do
// this at once.
func link(native string) error {
	text, err := os.ReadFile(filepath.Join(native, "pg-symlinks.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var links []struct { // paths from the package's folder
		Source string `json:"source"`
		Target string `json:"target"`
	}
	if err := json.Unmarshal(text, &links); err != nil {
		return fmt.Errorf("read the links of %s: %w", native, err)
	}
	pkg := filepath.Dir(native)
	root, err := os.OpenRoot(pkg) // a folder of the package may be a link to elsewhere
	if err != nil {
		return err
	}
	defer root.Close()
	for _, l := range links {
		if !filepath.IsLocal(l.Source) || !filepath.IsLocal(l.Target) {
			return fmt.Errorf("a link of %s leads out of it: %s", native, l.Target)
		}
		target := filepath.Join(pkg, l.Target)
		source, err := filepath.Rel(filepath.Dir(target), filepath.Join(pkg, l.Source))
		if err != nil {
			return err
		}
		if err := root.Symlink(source, l.Target); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("make the links of %s: %w", native, err)
		}
	}
	return nil
}
