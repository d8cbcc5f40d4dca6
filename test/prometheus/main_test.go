// Package prometheus_test has a real Prometheus scrape the program, and holds what stands in deploy against what it then knows: the
// queries of the dashboards, the alerts, and the files that the compose file names.
package prometheus_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// root is the module's folder, from that of this package.
var root = filepath.Join("..", "..")

// deployed is the path of a file in deploy.
func deployed(path ...string) string {
	return filepath.Join(append([]string{root, "deploy"}, path...)...)
}

const how = "make prometheus fetches Debian's, or set FETCHQ_PROMETHEUS_BIN to the folder of prometheus and promtool"

// program returns the path of prometheus or promtool, from where scripts/with-prometheus looks. Where they are missing the test is
// left out, or fails if CI=true.
func program(t *testing.T, name string) string {
	t.Helper()
	folders := []string{os.Getenv("FETCHQ_PROMETHEUS_BIN"), filepath.Join(root, "tmp", "prometheus", "usr", "bin"), "/usr/bin"}
	if path, err := exec.LookPath("promtool"); err == nil {
		folders = slices.Insert(folders, 1, filepath.Dir(path))
	}
	for _, folder := range folders {
		if folder == "" {
			continue
		}
		if path, err := filepath.Abs(filepath.Join(folder, name)); err == nil {
			if _, err := exec.LookPath(path); err == nil {
				return path
			}
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("there is no %s, and CI=true wants it; %s", name, how)
	}
	t.Skipf("NOT TESTED: there is no %s; %s", name, how)
	return ""
}

// promtool runs a check and returns what it says; the test fails where the check does.
func promtool(t *testing.T, dir, input string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program(t, "promtool"), args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// server is a Prometheus that runs.
type server struct {
	t   *testing.T
	url string
}

// start starts a Prometheus with the configuration of deploy, that scrapes address with the token in a file every 250 ms.
func start(t *testing.T, address, tokenFile string, flags ...string) *server {
	t.Helper()
	path := program(t, "prometheus")
	dir := t.TempDir()
	text, err := os.ReadFile(deployed("prometheus", "prometheus.yml"))
	if err != nil {
		t.Fatal(err)
	}
	rules, err := filepath.Abs(deployed("prometheus", "alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "prometheus.yml")
	own := replaceOnce(t, string(text), "fetchq:8080", address, "/run/fetchq/token", tokenFile, "scrape_interval: 15s", "scrape_interval: 250ms",
		"evaluation_interval: 15s", "evaluation_interval: 1s", "- alerts.yml", "- "+rules)
	if err := os.WriteFile(file, []byte(own), 0o600); err != nil { //nolint:gosec // a folder of the test's own
		t.Fatal(err)
	}
	promtool(t, dir, "", "check", "config", file)
	listen := freeAddress(t)
	var said bytes.Buffer
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), path, append([]string{
		"--config.file=" + file, "--storage.tsdb.path=" + filepath.Join(dir, "data"), "--web.listen-address=" + listen,
	}, flags...)...)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
		if t.Failed() {
			t.Logf("Prometheus said:\n%s", &said)
		}
	})
	s := &server{t, "http://" + listen}
	s.until("Prometheus is ready", func() error {
		status, _, err := get(t, s.url+"/-/ready", "")
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("it answers %d", status)
		}
		return err
	})
	return s
}

func replaceOnce(t *testing.T, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i+1 < len(pairs); i += 2 {
		if n := strings.Count(text, pairs[i]); n != 1 {
			t.Fatalf("%q stands %d times; once is wanted", pairs[i], n)
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	return text
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// until asks until there is no error, for a minute at most.
func (s *server) until(what string, ask func() error) {
	s.t.Helper()
	var err error
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if err = ask(); err == nil {
			return
		}
	}
	s.t.Fatalf("%s: not within a minute: %v", what, err)
}

// series is one series of an answer, with its last value.
type series struct {
	Metric map[string]string `json:"metric"`
	Value  [2]any            `json:"value"`
}

func (v series) number() float64 {
	text, _ := v.Value[1].(string)
	var f float64
	_, _ = fmt.Sscan(text, &f)
	return f
}

// query runs an expression.
func (s *server) query(expr string) ([]series, error) {
	s.t.Helper()
	_, body, err := get(s.t, s.url+"/api/v1/query?query="+url.QueryEscape(expr), "")
	if err != nil {
		return nil, err
	}
	var a struct {
		Status, Error string
		Data          struct {
			ResultType string
			Result     []series
		}
	}
	if err := json.Unmarshal([]byte(body), &a); err != nil {
		return nil, fmt.Errorf("%w in %.200s", err, body)
	}
	if a.Status != "success" {
		return nil, errors.New(a.Error)
	}
	return a.Data.Result, nil
}

// wait runs an expression until it has one series that is as wanted.
func (s *server) wait(expr string, good func(v float64) bool) float64 {
	s.t.Helper()
	var got float64
	s.until(expr, func() error {
		list, err := s.query(expr)
		if err != nil {
			return err
		}
		if len(list) != 1 {
			return fmt.Errorf("%d series", len(list))
		}
		if got = list[0].number(); !good(got) {
			return fmt.Errorf("it is %v", got)
		}
		return nil
	})
	return got
}

func get(t *testing.T, address, token string) (status int, body string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return 0, "", err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	_, err = b.ReadFrom(resp.Body)
	return resp.StatusCode, b.String(), err
}
