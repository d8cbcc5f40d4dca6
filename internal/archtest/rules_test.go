package archtest

import (
	"strings"
	"testing"
)

// goFile is a file of a package with imports and the body of a function.
func goFile(imports, body string) string {
	text := "package p\n"
	for name := range strings.FieldsSeq(imports) {
		text += "import \"" + name + "\"\n"
	}
	return text + "func f() {\n" + body + "\n}\n"
}

// TestRulesFindWhatBreaksThem tries each rule on files that break it, and on ones beside them that do not.
func TestRulesFindWhatBreaksThem(t *testing.T) {
	const (
		us     = module + "/"
		left   = "T" + "ODO"
		npm    = "registry.npmjs" + ".org"
		clone  = "/ho" + "me/ann/fetchq"
		layers = "imports point one way"
		env    = "only config reads the environment"
		clock  = "no clock below app"
		made   = "only app constructs"
		sql    = "SQL stands with its owner"
		length = "files stay short"
		todo   = "nothing is left to do"
		paths  = "no path of a machine"
		hosts  = "no host of a registry"
		escape = "templates escape"
	)
	tests := []struct {
		rule, path, text string
		want             string // part of what is found; "" for nothing
	}{
		{layers, "internal/queue/a.go", goFile(us+"internal/database", ""), ""},
		{layers, "internal/queue/a.go", goFile(us+"internal/api", ""), "against the direction"},
		{layers, "internal/queue/a_test.go", goFile(us+"internal/app", ""), ""},
		{layers, "internal/api/a.go", goFile(us+"internal/maintenance", ""), "against the direction"},
		{layers, "internal/errs/a.go", goFile(us+"internal/wire", ""), "against the direction"},
		{layers, "migrations/a.go", goFile(us+"internal/database", ""), "against the direction"},
		{layers, "internal/app/a.go", goFile(us+"cmd/web", ""), "against the direction"},
		{layers, "internal/app/a.go", goFile(us+"internal/dbtest", ""), "for tests only"},
		{layers, "internal/dbtest/a.go", goFile(us+"internal/embedpg "+us+"internal/database", ""), ""},
		{layers, "internal/api/a.go", goFile(us+"client", ""), ""},
		{layers, "internal/queue/a.go", goFile(us+"client", ""), "other types"},
		{layers, "client/a.go", goFile("net/http "+us+"internal/errs", ""), "imports nothing internal"},
		{layers, "examples/x/a.go", goFile(us+"client", ""), ""},
		{layers, "examples/x/a.go", goFile(us+"internal/queue", ""), "imports nothing internal"},
		{layers, "web/templates/a.go", goFile(us+"internal/queue", ""), "imports nothing internal"},
		{layers, "internal/web/a.go", goFile(us+"web/templates", ""), ""},
		{layers, "internal/new/a.go", goFile("", ""), "no place in the layers"},

		{env, "internal/config/a.go", goFile("os", `os.Getenv("A")`), ""},
		{env, "internal/embedpg/a.go", goFile("os", `os.Getenv("A")`), "os.Getenv reads"},
		{env, "cmd/web/a.go", goFile("os", `os.LookupEnv("A")`), "os.LookupEnv reads"},
		{env, "cmd/web/a.go", "package p\nimport sys \"os\"\nvar a = sys.Getenv(\"A\")\n", "os.Getenv reads"},
		{env, "cmd/web/a.go", goFile("os", `use(os.Environ())`), ""},
		{env, "cmd/web/a_test.go", goFile("os", `os.Getenv("A")`), ""},

		{clock, "internal/queue/a.go", goFile("time", `time.Now()`), "time.Now below app"},
		{clock, "internal/api/a.go", goFile("time", `time.Since(t)`), "time.Since below app"},
		{clock, "internal/queue/a.go", goFile("", `clock.Now()`), ""},
		{clock, "internal/clock/a.go", goFile("time", `time.Now()`), ""},
		{clock, "internal/app/a.go", goFile("time", `time.Now()`), ""},
		{clock, "client/a.go", goFile("time", `time.Now()`), ""},
		{clock, "internal/queue/a_test.go", goFile("time", `time.Now()`), ""},

		{made, "internal/app/a.go", goFile(us+"internal/queue", `queue.New(nil)`), ""},
		{made, "internal/api/a.go", goFile(us+"internal/queue", `queue.New(nil)`), "internal/queue.New is called"},
		{made, "cmd/web/a.go", goFile(us+"internal/maintenance", `maintenance.New(nil)`), "internal/maintenance.New is called"},
		{made, "internal/api/a.go", goFile(us+"internal/metrics", `metrics.New(nil, nil, nil)`), "internal/metrics.New is called"},
		{made, "internal/api/a_test.go", goFile(us+"internal/queue", `queue.New(nil)`), ""},

		{sql, "internal/queue/a.go", goFile("", "q(`select * from docs`)"), ""},
		{sql, "internal/api/a.go", goFile("", "q(`\n\tselect *\n\tfrom docs`)"), "is SQL"},
		{sql, "internal/api/a.go", goFile("", `q("select fetchq.doc_pick($1)")`), "is SQL"},
		{sql, "internal/app/a.go", goFile("", `q("Select 1")`), "is SQL"},
		{sql, "cmd/web/a.go", goFile("", `q("insert into a values (1)")`), "is SQL"},
		{sql, "cmd/web/a.go", goFile("", `q("with a as (select 1) delete from b")`), "is SQL"},
		{sql, "internal/embedpg/a.go", goFile("", `q("create database fetchq")`), "is SQL"},
		{sql, "internal/app/a.go", goFile("", `q("vacuum")`), "is SQL"},
		{sql, "internal/app/a.go", goFile("", `m("create database: %w"); m("listen on a port"); m("update the queue"); m("select one from")`), ""},
		{sql, "internal/api/a_test.go", goFile("", `q("delete from a")`), ""},

		{length, "internal/queue/a.go", goFile("", strings.Repeat("f()\n", mostLines)), "lines, at most 400"},
		{length, "migrations/functions/a.sql", strings.Repeat("--\n", mostLines+1), "lines, at most 400"},
		{length, "migrations/functions/a.sql", strings.Repeat("--\n", mostLines), ""},
		{length, "Makefile", strings.Repeat("\n", mostLines+1), "lines, at most 400"},
		{length, "ARCHITECTURE.md", strings.Repeat("\n", 201), "lines, at most 200"},
		{length, "go.sum", strings.Repeat("\n", mostLines+1), ""},
		{length, "client/worker_test.go", goFile("", strings.Repeat("f()\n", mostLines)), ""},

		{todo, "internal/queue/a.go", goFile("", "// "+left+": more"), "left to do"},
		{todo, "docs/a.md", "FIX" + "ME later", "line 1"},
		{todo, "docs/a.md", "A" + left + "B", ""},
		{todo, "go.sum", "h1:+" + left + "/=", ""},

		{paths, "docs/a.md", "cd " + clone, "one machine only"},
		{paths, "a.json", `{"at":"` + clone + `"}`, "one machine only"},
		{paths, "docs/a.md", "GET https://a.example" + clone, ""},
		{paths, "docs/a.md", "/var/lib/fetchq and /usr/lib/postgresql", ""},

		{hosts, "package-lock.json", `"x": "https://` + npm + `/y"`, "package registry"},
		{hosts, "package-lock.json", `"reso` + `lved": "file:x"`, "package registry"},
		{hosts, ".npmrc", "registry=https://" + npm, "line 1"},
		{hosts, "docs/a.md", "https://go.dev/dl and resolved", ""},
		{escape, "web/templates/a.templ", "<a href={ templ.Safe" + "URL(x) }>", "past the escaping"},
		{escape, "web/templates/a.templ", "<a href={ x }>", ""},
		{escape, "internal/web/a.go", goFile("", "templ.R"+"aw(x)"), "past the escaping"},
		{escape, "web/templates/a_test.go", goFile("", "templ.R"+"aw(x)"), ""},
	}
	tried := map[string]bool{}
	for _, test := range tests {
		found := strings.Join(findings(t, test.rule, parse(t, test.path, test.text)), "\n")
		switch {
		case test.want == "" && found != "":
			t.Errorf("%s: %s: found %q, want nothing, in:\n%.300s", test.rule, test.path, found, test.text)
		case !strings.Contains(found, test.want):
			t.Errorf("%s: %s: found %q, want %q, in:\n%.300s", test.rule, test.path, found, test.want, test.text)
		case test.want != "":
			tried[test.rule] = true
		}
	}
	for _, rule := range rules {
		if !tried[rule.name] {
			t.Errorf("no file here breaks the rule %q", rule.name)
		}
	}
}

// findings asks one rule about one file.
func findings(t *testing.T, name string, s source) []string {
	t.Helper()
	for _, rule := range rules {
		if rule.name == name {
			return rule.check(s)
		}
	}
	t.Fatalf("there is no rule %q", name)
	return nil
}
