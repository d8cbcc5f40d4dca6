package prometheus_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v2"

	"github.com/fetchq/server/internal/scrape"
)

// dashboard is what the tests read of one.
type dashboard struct {
	UID    string
	Title  string
	Panels []struct {
		Title      string
		Datasource struct{ Type, UID string }
		Targets    []struct{ Expr string }
	}
	Templating struct {
		List []struct{ Name, Definition string }
	}
}

// dashboards are those of deploy by their files.
func dashboards(t *testing.T) map[string]dashboard {
	t.Helper()
	files, err := filepath.Glob(deployed("grafana", "dashboards", "*.json"))
	if err != nil || len(files) != 3 {
		t.Fatalf("%d dashboards, %v; 3 are wanted", len(files), err)
	}
	all := map[string]dashboard{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var d dashboard
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[filepath.Base(file)] = d
	}
	return all
}

// word is a name in an expression that is no label, function or keyword of ours: all families that we use begin like that.
var word = regexp.MustCompile(`\b(fetchq_|go_|process_|up\b)[a-z0-9_]*`)

// families are the names that expressions may use. Those of Go and of the process are looked at by Prometheus: it answers nothing to others.
func families() map[string]bool {
	known := map[string]bool{"up": true}
	for _, f := range scrape.Families() {
		if f.Type == "histogram" {
			for _, end := range []string{"_bucket", "_sum", "_count"} {
				known[f.Name+end] = true
			}
			continue
		}
		known[f.Name] = true
	}
	return known
}

func unknown(expr string) []string {
	known := families()
	var out []string
	// What stands in quotes is the value of a label.
	for _, name := range word.FindAllString(regexp.MustCompile(`"[^"]*"`).ReplaceAllString(expr, ""), -1) {
		if !known[name] && !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") {
			out = append(out, name)
		}
	}
	return out
}

func TestDashboardsAskForWhatIsOffered(t *testing.T) {
	t.Parallel()
	var source struct {
		Datasources []struct{ UID string }
	}
	readYAML(t, deployed("grafana", "provisioning", "datasources", "prometheus.yml"), &source)
	seen := map[string]bool{}
	for file, d := range dashboards(t) {
		if seen[d.UID] || d.UID == "" || d.Title == "" {
			t.Errorf("%s: its uid %q is another's, or a name is missing", file, d.UID)
		}
		seen[d.UID] = true
		for _, p := range d.Panels {
			if p.Datasource.UID != source.Datasources[0].UID {
				t.Errorf("%s, %s: the data source is %q", file, p.Title, p.Datasource.UID)
			}
			if len(p.Targets) == 0 {
				t.Errorf("%s, %s asks nothing", file, p.Title)
			}
			for _, target := range p.Targets {
				if word.FindString(target.Expr) == "" {
					t.Errorf("%s, %s asks for nothing of Fetchq: %s", file, p.Title, target.Expr)
				}
				for _, name := range unknown(target.Expr) {
					t.Errorf("%s, %s asks for %s, which is not offered", file, p.Title, name)
				}
			}
		}
		for _, v := range d.Templating.List {
			for _, name := range unknown(v.Definition) {
				t.Errorf("%s: the variable %s asks for %s, which is not offered", file, v.Name, name)
			}
		}
	}
}

// TestAnUnknownFamilyIsFound tries the checks themselves.
func TestAnUnknownFamilyIsFound(t *testing.T) {
	t.Parallel()
	if got := unknown(`rate(fetchq_wait_seconds[5m]) + fetchq_nothing{queue="fetchq_value"} + up`); !slices.Equal(got, []string{"fetchq_wait_seconds", "fetchq_nothing"}) {
		t.Errorf("%q are found", got)
	}
}

// tryDashboards has Prometheus run every query of the dashboards: each is answered, with at least one series.
func tryDashboards(t *testing.T, p *server) {
	fill := strings.NewReplacer("$__rate_interval", "1m", "$job", "fetchq", "$queue", "pages")
	for file, d := range dashboards(t) {
		for _, panel := range d.Panels {
			for _, target := range panel.Targets {
				expr := fill.Replace(target.Expr)
				if strings.Contains(expr, "$") {
					t.Errorf("%s, %s: a variable is left in %s", file, panel.Title, expr)
				}
				list, err := p.query(expr)
				if err != nil || len(list) == 0 {
					t.Errorf("%s, %s: %d series, %v, of %s", file, panel.Title, len(list), err, expr)
				}
			}
		}
	}
}

// alerts are the rules of deploy.
func alerts(t *testing.T) map[string]string {
	t.Helper()
	var file struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	readYAML(t, deployed("prometheus", "alerts.yml"), &file)
	out := map[string]string{}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			out[r.Alert] = r.Expr
		}
	}
	return out
}

// TestAlerts checks the rules, runs their own tests, and wants each rule to be in these and in the documentation.
func TestAlerts(t *testing.T) {
	t.Parallel()
	promtool(t, deployed("prometheus"), "", "check", "rules", "alerts.yml")
	promtool(t, deployed("prometheus"), "", "test", "rules", "alerts_test.yml")
	promtool(t, deployed("prometheus"), "", "check", "config", "--syntax-only", "prometheus.yml")
	var tests struct {
		Tests []struct {
			AlertRuleTest []struct {
				Alertname string
				ExpAlerts []any `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	readYAML(t, deployed("prometheus", "alerts_test.yml"), &tests)
	fires, quiet := map[string]bool{}, map[string]bool{}
	for _, one := range tests.Tests {
		for _, r := range one.AlertRuleTest {
			if len(r.ExpAlerts) > 0 {
				fires[r.Alertname] = true
			} else {
				quiet[r.Alertname] = true
			}
		}
	}
	text, err := os.ReadFile(filepath.Join(root, "docs", "prometheus.md"))
	if err != nil {
		t.Fatal(err)
	}
	rules := alerts(t)
	for name, expr := range rules {
		if !fires[name] || !quiet[name] {
			t.Errorf("no test sees %s fire and be quiet", name)
		}
		if !strings.Contains(string(text), "| "+name+" | ") {
			t.Errorf("docs/prometheus.md does not tell %s", name)
		}
		for _, missing := range unknown(expr) {
			t.Errorf("%s asks for %s, which is not offered", name, missing)
		}
	}
	if len(rules) == 0 {
		t.Error("there are no rules")
	}
}

// tryAlerts has Prometheus run each rule; of a program that is well none fires but for what the test did to its queue.
func tryAlerts(t *testing.T, p *server) {
	for _, name := range slices.Sorted(maps.Keys(alerts(t))) {
		list, err := p.query(alerts(t)[name])
		if err != nil || len(list) != 0 && name != "FetchqKillsRise" {
			t.Errorf("%s: %d series, %v", name, len(list), err)
		}
	}
}

// TestTheComposeFile wants valid YAML, files that exist, pinned images, ports of this machine alone, and no password.
func TestTheComposeFile(t *testing.T) {
	t.Parallel()
	type service struct {
		Image       string
		Build       struct{ Context string }
		Environment map[string]string
		Volumes     []string
		Ports       []string
		DependsOn   any `yaml:"depends_on"`
	}
	var file struct {
		Services map[string]service
		Volumes  map[string]any
	}
	readYAML(t, deployed("compose.yml"), &file)
	if got := slices.Sorted(maps.Keys(file.Services)); !slices.Equal(got, []string{"fetchq", "grafana", "postgres", "prometheus", "token"}) {
		t.Errorf("the services are %v", got)
	}
	pinned := regexp.MustCompile(`^[a-z/]+:v?[0-9]+\.[0-9]+(\.[0-9]+)?(-[a-z]+)?$`)
	for name, s := range file.Services {
		if s.Build.Context == "" && !pinned.MatchString(s.Image) {
			t.Errorf("%s: the image %q is not pinned", name, s.Image)
		}
		if s.Build.Context != "" {
			if _, err := os.Stat(deployed(s.Build.Context, "Dockerfile")); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, v := range s.Volumes {
			from, _, _ := strings.Cut(v, ":")
			if _, named := file.Volumes[from]; named {
				continue
			}
			if _, err := os.Stat(deployed(from)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("%s: the port %s is the world's", name, p)
			}
		}
		for key, value := range s.Environment {
			if strings.HasSuffix(key, "PASSWORD") && !regexp.MustCompile(`^\$\{[A-Z_]+:(\?[^}]+|-)\}$`).MatchString(value) {
				t.Errorf("%s: %s has a value", name, key)
			}
		}
	}
	text, err := os.ReadFile(deployed("compose.yml"))
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile(deployed(".env.example"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`\$\{([A-Z_]+)`).FindAllStringSubmatch(string(text), -1) {
		if !regexp.MustCompile(`(?m)^` + m[1] + `=`).Match(example) {
			t.Errorf(".env.example does not have %s", m[1])
		}
	}
	if m := regexp.MustCompile(`(?m)^\w*PASSWORD=.+`).Find(example); m != nil {
		t.Errorf(".env.example has a password: %s", m)
	}
	var providers struct {
		Providers []struct{ Options struct{ Path string } }
	}
	readYAML(t, deployed("grafana", "provisioning", "dashboards", "fetchq.yml"), &providers)
	if v := "./grafana/dashboards:" + providers.Providers[0].Options.Path + ":ro"; !slices.Contains(file.Services["grafana"].Volumes, v) {
		t.Errorf("Grafana looks for dashboards where none are; the volume %s is missing", v)
	}
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
