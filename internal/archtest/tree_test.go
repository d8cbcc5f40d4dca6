package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/fetchq/server/internal/dbtest"
)

const module = "github.com/fetchq/server"

// source is a file of the tree. Its path has slashes and starts at the module's root.
type source struct {
	path, text string
	file       *ast.File // nil unless it is Go
	names      map[string]string
}

// parse makes a source and, for Go, its syntax; names has the import path of each name that an import declares.
func parse(t *testing.T, name, text string) source {
	t.Helper()
	s := source{path: name, text: text}
	if path.Ext(name) != ".go" {
		return s
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatalf("parse: %v", err)
	}
	s.file, s.names = file, map[string]string{}
	for _, spec := range file.Imports {
		imported := importPath(spec)
		local := path.Base(imported)
		if spec.Name != nil {
			local = spec.Name.Name
		}
		s.names[local] = imported
	}
	return s
}

func importPath(spec *ast.ImportSpec) string {
	imported, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		return spec.Path.Value
	}
	return imported
}

// dir is the folder of the source, which for Go is its package, from the module's root.
func (s source) dir() string { return path.Dir(s.path) }

// isTest says whether the source is no part of the program.
func (s source) isTest() bool {
	return strings.HasSuffix(s.path, "_test.go") || testOnly[s.dir()]
}

// program says whether the source is Go of the program itself.
func (s source) program() bool { return s.file != nil && !s.isTest() }

// used returns what the source takes from imported packages, as "import/path.Name", in the order of the text.
func (s source) used() []string {
	var found []string
	ast.Inspect(s.file, func(n ast.Node) bool {
		if selector, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := selector.X.(*ast.Ident); ok && s.names[x.Name] != "" {
				found = append(found, s.names[x.Name]+"."+selector.Sel.Name)
			}
		}
		return true
	})
	return found
}

// load reads what git holds or would take in: build output and data are not looked at.
func load(t *testing.T) []source {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	list := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	var said strings.Builder
	list.Dir, list.Stderr = root, &said
	out, err := list.Output()
	if err != nil {
		t.Fatalf("list the files with git, which this test needs: %v: %s", err, &said)
	}
	var all []source
	seen := map[string]bool{}
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if os.IsNotExist(err) {
			continue // removed, and git has not been told
		}
		if err != nil {
			t.Fatal(err)
		}
		if utf8.Valid(text) {
			all = append(all, parse(t, name, string(text)))
		}
		// go test keeps a result while the files and folders that the test itself read are the same; git's reading does
		// not count, and without this a new file would not be looked at.
		for dir := path.Dir(name); !seen[dir]; dir = path.Dir(dir) {
			seen[dir] = true
			if _, err := os.ReadDir(filepath.Join(root, filepath.FromSlash(dir))); err != nil {
				t.Fatal(err)
			}
		}
	}
	return all
}

// rules are asked about every file; each answers with what is wrong and what would be right, or with nothing.
var rules = []struct {
	name  string
	check func(source) []string
}{
	{"imports point one way", checkImports},
	{"only config reads the environment", checkEnvironment},
	{"no clock below app", checkClock},
	{"only app constructs", checkConstructors},
	{"SQL stands with its owner", checkSQL},
	{"files stay short", checkLength},
	{"nothing is left to do", checkMarkers},
	{"no path of a machine", checkMachine},
	{"no host of a registry", checkRegistry},
	{"templates escape", checkEscaping},
}

// TestTree holds every file of the tree against every rule.
func TestTree(t *testing.T) {
	if dbtest.Raced {
		t.Skip("one goroutine reads files")
	}
	all := load(t)
	for _, rule := range rules {
		t.Run(rule.name, func(t *testing.T) {
			for _, s := range all {
				for _, wrong := range rule.check(s) {
					t.Errorf("%s: %s", s.path, wrong)
				}
			}
		})
	}
}

// TestExceptionsAreNeeded wants every file that a rule excuses to exist, so that the lists do not outlive their reasons.
func TestExceptionsAreNeeded(t *testing.T) {
	stands := map[string]bool{}
	for _, s := range load(t) {
		stands[s.path] = true
	}
	for _, list := range []map[string]string{long, clocks} {
		for name := range list {
			if !stands[name] {
				t.Errorf("%s is excused from a rule but does not exist; take it off the list", name)
			}
		}
	}
}
