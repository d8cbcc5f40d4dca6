package archtest

import (
	"fmt"
	"strings"
)

// layers are the packages from the top to the bottom. A package imports only what stands in a lower line.
var layers = [][]string{
	{"test/bench/backup", "test/bench/lists", "test/bench/nodes", "test/bench/pages", "test/bench/start", "test/faults", "test/browser", "test/image", "test/oidc"},
	{"test/bench/serve"},
	{"cmd/web"},
	{"internal/dbtest", "internal/htmlcheck", "internal/archtest"},
	{"internal/app"},
	{"internal/web", "internal/api", "internal/maintenance", "internal/embedpg", "internal/bench"},
	{"internal/catalog"},
	{"internal/operations", "internal/backup"},
	{"internal/charts"},
	{"internal/scrape"},
	{"internal/auth", "internal/queue", "internal/metrics", "internal/provider"},
	{"internal/audit"},
	{"internal/database"},
	{"migrations"},
	{"internal/config"},
	{"internal/wire"},
	{"internal/errs", "internal/clock", "internal/seal"},
}

// testOnly are the packages that only tests and the programs under test import.
var testOnly = map[string]bool{
	"internal/dbtest": true, "internal/htmlcheck": true, "internal/archtest": true,
	"test/bench/backup": true, "test/bench/lists": true, "test/bench/nodes": true, "test/bench/pages": true, "test/bench/serve": true, "test/bench/start": true, "test/faults": true, "test/browser": true, "test/image": true, "test/oidc": true,
}

// alone are folders whose packages take nothing from this module but what is named.
var alone = map[string][]string{
	"client":   nil,
	"examples": {"client"},
	"bench":    {"internal/embedpg"}, // a module of its own, which wants the private Postgres with other settings
	"web":      nil,                  // templates see typed view structs of their own, and can ask nothing
	"docs":     nil,
}

// mayUseClient are the folders whose packages import the public client, which owns the types of the wire.
var mayUseClient = []string{"internal/api", "internal/bench", "cmd", "examples", "test"}

// level returns the line of layers in which a package stands.
func level(pkg string) (int, bool) {
	for n, line := range layers {
		for _, p := range line {
			if p == pkg {
				return n, true
			}
		}
	}
	return 0, false
}

// within says whether a package is a folder or stands below it.
func within(pkg, folder string) bool {
	return pkg == folder || strings.HasPrefix(pkg, folder+"/")
}

func withinAny(pkg string, folders []string) bool {
	for _, f := range folders {
		if within(pkg, f) {
			return true
		}
	}
	return false
}

// checkImports holds the imports of a file of the program against the layers. Tests may import what they like.
func checkImports(s source) []string {
	if s.file == nil || strings.HasSuffix(s.path, "_test.go") || s.dir() == "tools" {
		return nil
	}
	var wrong []string
	for _, spec := range s.file.Imports {
		pkg, ours := strings.CutPrefix(importPath(spec), module+"/")
		if !ours {
			continue
		}
		if why := refuse(s.dir(), pkg); why != "" {
			wrong = append(wrong, why)
		}
	}
	if _, known := level(s.dir()); !known && root(s.dir()) == "" {
		wrong = append(wrong, s.dir()+" has no place in the layers; give it one in internal/archtest and in ARCHITECTURE.md")
	}
	return wrong
}

// root returns the folder of alone in which a package stands.
func root(pkg string) string {
	for folder := range alone {
		if within(pkg, folder) {
			return folder
		}
	}
	return ""
}

// refuse says why one package may not import another, or nothing.
func refuse(from, to string) string {
	if folder := root(from); folder != "" {
		if root(to) == folder || withinAny(to, alone[folder]) {
			return ""
		}
		return fmt.Sprintf("%s imports %s, but what stands in %s imports nothing internal", from, to, folder)
	}
	if testOnly[to] && !testOnly[from] {
		return fmt.Sprintf("%s imports %s, which is for tests only", from, to)
	}
	if within(to, "client") {
		if withinAny(from, mayUseClient) {
			return ""
		}
		return fmt.Sprintf("%s imports %s; below the API there are other types", from, to)
	}
	if within(to, "web") && within(from, "internal/web") || to == "web/static" && from == "internal/app" {
		return ""
	}
	upper, ok1 := level(from)
	lower, ok2 := level(to)
	if ok1 && ok2 && upper < lower {
		return ""
	}
	return fmt.Sprintf("%s imports %s against the direction of the layers", from, to)
}
