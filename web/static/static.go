// Package static holds what browsers get beside the pages: the style sheet, scripts and icons that scripts/assets.mjs
// builds into dist.
package static

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// The whole folder is embedded, so that the package compiles before dist is built.
//
//go:embed *
var files embed.FS

// Prefix is the path below which the assets are served.
const Prefix = "/assets/"

// Assets are the built files. The zero value has none.
type Assets struct {
	names map[string]string // by the name without the digest
}

// Load reads what was built. It fails where nothing was.
func Load() (Assets, error) {
	text, err := files.ReadFile("dist/manifest.json")
	if errors.Is(err, fs.ErrNotExist) {
		return Assets{}, errors.New("the style sheet and scripts are not built into this program; make build does that")
	}
	if err != nil {
		return Assets{}, fmt.Errorf("read the assets: %w", err)
	}
	var a Assets
	if err := json.Unmarshal(text, &a.names); err != nil {
		return Assets{}, fmt.Errorf("read the list of assets: %w", err)
	}
	return a, nil
}

// URL returns the path of a file, such as app.css, with its digest; of one that was not built, the path that answers 404.
func (a Assets) URL(name string) string {
	if hashed := a.names[name]; hashed != "" {
		name = hashed
	}
	return Prefix + name
}

var types = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

// ServeHTTP serves the built files, compressed where the browser reads that. A name changes with its text, so browsers may
// keep what they have for ever.
func (a Assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, Prefix)
	kind := types[path.Ext(name)]
	file := "dist/" + name
	if kind == "" || strings.Contains(name, "/") {
		http.NotFound(w, r)
		return
	}
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		file += ".gz"
		w.Header().Set("Content-Encoding", "gzip")
	}
	body, err := files.ReadFile(file)
	if err != nil {
		w.Header().Del("Content-Encoding")
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Vary", "Accept-Encoding")
	_, _ = w.Write(body) //nolint:gosec // our own files
}
