package backup_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fetchq/server/internal/backup"
	"github.com/fetchq/server/internal/errs"
)

// s3 is the server of all tests of this package: versitygw on a folder, on loopback.
var s3 struct {
	once    sync.Once
	address string
	dir     string // its buckets are folders
	problem string
	stop    func()
}

func TestMain(m *testing.M) {
	os.Exit(func() int { //nolint:forbidigo // as a TestMain does
		dir, err := os.MkdirTemp("", "fetchq-s3-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		s3.dir = filepath.Join(dir, "buckets")
		//nolint:gosec // those of a server that lives as long as the tests
		credentials := "[default]\naws_access_key_id = fetchq\naws_secret_access_key = fetchq-secret\n[wrong]\naws_access_key_id = fetchq\naws_secret_access_key = other\n"
		if err := os.WriteFile(filepath.Join(dir, "credentials"), []byte(credentials), 0o600); err != nil {
			panic(err)
		}
		for name, value := range map[string]string{"AWS_SHARED_CREDENTIALS_FILE": filepath.Join(dir, "credentials"), "AWS_EC2_METADATA_DISABLED": "true"} {
			if err := os.Setenv(name, value); err != nil {
				panic(err)
			}
		}
		defer func() {
			if s3.stop != nil {
				s3.stop()
			}
		}()
		return m.Run()
	}())
}

// startS3 builds and starts the server. It says what is missing where that cannot be done.
func startS3() string {
	if err := os.MkdirAll(s3.dir, 0o700); err != nil {
		return err.Error()
	}
	program := filepath.Join(filepath.Dir(s3.dir), "versitygw")
	build := exec.CommandContext(context.Background(), "go", "build", "-modfile=go.mod", "-o", program, "github.com/versity/versitygw/cmd/versitygw")
	build.Dir = filepath.Join("..", "..", "test", "s3")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Sprintf("the S3 server cannot be built: %v: %s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err.Error()
	}
	s3.address = l.Addr().String()
	l.Close()
	iam := filepath.Join(filepath.Dir(s3.dir), "iam")
	if err := os.MkdirAll(iam, 0o700); err != nil {
		return err.Error()
	}
	const users = `{"accessAccounts":{"second":{"access":"second","secret":"second-secret","role":"admin"},"stranger":{"access":"stranger","secret":"stranger-secret","role":"user"}}}`
	if err := os.WriteFile(filepath.Join(iam, "users.json"), []byte(users), 0o600); err != nil {
		return err.Error()
	}
	server := exec.CommandContext(context.Background(), program, "--port", s3.address, "--access", "fetchq", "--secret", "fetchq-secret", "--iam-dir", iam, "--quiet", "posix", s3.dir)
	var said strings.Builder
	server.Stderr = &said
	if err := server.Start(); err != nil {
		return err.Error()
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	s3.stop = func() {
		_ = server.Process.Kill()
		<-ended
	}
	for {
		conn, err := net.DialTimeout("tcp", s3.address, time.Second)
		if err == nil {
			conn.Close()
			return ""
		}
		select {
		case err := <-ended:
			s3.stop = nil
			return fmt.Sprintf("the S3 server ended: %v: %s", err, &said)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// bucket makes a bucket of the test's own, and returns its URL by way of an address. It is left out where there is no server, but not in silence.
func bucket(t *testing.T, address string) (destination, dir string) {
	t.Helper()
	if testing.Short() {
		t.Skip("builds an S3 server, which takes minutes the first time")
	}
	s3.once.Do(func() { s3.problem = startS3() })
	if s3.problem != "" {
		if os.Getenv("CI") == "true" {
			t.Fatal(s3.problem)
		}
		t.Skip("NOT TESTED on S3: " + s3.problem)
	}
	if address == "" {
		address = "http://" + s3.address
	}
	name := strings.ToLower(strings.ReplaceAll(t.Name(), "_", "-"))
	name = fmt.Sprintf("b%x", name)[:min(60, 2*len(name)+1)]
	dir = filepath.Join(s3.dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return "s3://" + name + "/some/where?" + url.Values{"endpoint": {address}, "region": {"us-east-1"}, "use_path_style": {"true"}}.Encode(), filepath.Join(dir, "some", "where")
}

// proxy stands before the S3 server and does to a request what a test wants: true says that it was answered.
func proxy(t *testing.T, do func(w http.ResponseWriter, r *http.Request) bool) string {
	t.Helper()
	return between(t, func(pass http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !do(w, r) {
				pass.ServeHTTP(w, r)
			}
		})
	})
}

// between puts a handler before the S3 server, and returns its address.
func between(t *testing.T, handler func(pass http.Handler) http.Handler) string {
	t.Helper()
	pass := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = "http", s3.address
		r.Out.Host = r.In.Host // it is part of what is signed
	}, ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }}
	server := httptest.NewServer(handler(pass))
	t.Cleanup(server.Close)
	return server.URL
}

func TestWhatIsRestoredFromS3IsEqual(t *testing.T) {
	t.Parallel()
	address, dir := bucket(t, "")
	to := open(t, address)
	if err := to.Probe(t.Context()); err != nil {
		t.Fatalf("probe: %v", err)
	}
	circle(t, to, backup.RunParams{}, "")
	if names := objects(t, dir); len(names) != 2 {
		t.Errorf("the bucket has %q", names)
	}
}

// TestS3ThatFailsNowAndThen answers every third request with an error, and cuts what is read in the middle.
func TestS3ThatFailsNowAndThen(t *testing.T) {
	t.Parallel()
	_, _ = bucket(t, "")
	var n atomic.Int64
	address := proxy(t, func(w http.ResponseWriter, r *http.Request) bool {
		switch i := n.Add(1); {
		case i%3 == 0:
			w.WriteHeader([]int{500, 503}[i%2])
			return true
		case i%5 == 0 && r.Method == http.MethodGet && strings.Contains(r.URL.Path, ".tar"):
			w.Header().Set("Content-Length", "1000000")
			w.WriteHeader(http.StatusOK)
			panic(http.ErrAbortHandler)
		}
		return false
	})
	at, dir := bucket(t, address)
	to := open(t, at)
	w := newWorld(t)
	w.exec(`select fetchq.queue_create('a')`)
	// 30 MB that no packing makes smaller: an upload in parts.
	for range 3 {
		w.exec(`select count(*) from fetchq.doc_push_many('a', (select array_agg(gen_random_uuid()::text) from generate_series(1, 1000)),
			(select array_agg((select to_jsonb(string_agg(gen_random_uuid()::text, '')) from generate_series(1, 300 + i * 0))) from generate_series(1, 1000) i))`)
	}
	want := w.digests("a")
	m := mustRun(t, w, to, backup.RunParams{})
	if m.Stored() < 12_000_000 {
		t.Fatalf("the object has %d bytes; more than one part is wanted", m.Stored())
	}
	if _, err := w.b.Restore(t.Context(), to, m.Name, backup.RestoreParams{As: "b"}); err != nil {
		t.Fatal(err)
	}
	w.same("a", want, w.digests("b"))
	if names := objects(t, dir); len(names) != 2 {
		t.Errorf("the bucket has %q", names)
	}
}

// TestS3ThatRefusesHalfWay takes uploads for some time and then none, with what a server says that has no more room, one that failed, and one
// whose credentials were taken away.
func TestS3ThatRefusesHalfWay(t *testing.T) {
	t.Parallel()
	_, _ = bucket(t, "")
	for status, want := range map[int]errs.Code{500: errs.Unavailable, 503: errs.Unavailable, 507: errs.Unavailable, 403: errs.Forbidden} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			var puts atomic.Int64
			address := proxy(t, func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodPut || puts.Add(1) < 2 {
					return false
				}
				_, _ = io.Copy(io.Discard, r.Body)
				w.Header().Set("Content-Type", "application/xml")
				w.WriteHeader(status)
				fmt.Fprintf(w, `<Error><Code>%s</Code><Message>no</Message></Error>`, map[int]string{500: "InternalError", 503: "SlowDown", 507: "XNoRoom", 403: "AccessDenied"}[status])
				return true
			})
			at, dir := bucket(t, address)
			to := open(t, at)
			w := newWorld(t)
			w.exec(`select fetchq.queue_create('a')`)
			w.exec(`select count(*) from fetchq.doc_push_many('a', (select array_agg(gen_random_uuid()::text) from generate_series(1, 3000)),
				(select array_agg((select to_jsonb(string_agg(gen_random_uuid()::text, '')) from generate_series(1, 300 + i * 0))) from generate_series(1, 3000) i))`)
			_, err := w.b.Run(t.Context(), to, backup.RunParams{})
			if errs.Of(err) != want {
				t.Errorf("the run says %v", err)
			}
			if list, err := to.List(t.Context(), "", 0); err != nil || len(list) != 0 {
				t.Errorf("the list has %v, %v", list, err)
			}
			if files, err := os.ReadDir(dir); err == nil && len(files) != 0 {
				t.Errorf("%d objects are left", len(files))
			}
		})
	}
}

func TestS3WithWrongCredentials(t *testing.T) {
	t.Parallel()
	address, _ := bucket(t, "")
	err := open(t, address+"&profile=wrong").Probe(t.Context())
	if errs.Of(err) != errs.Forbidden || strings.Contains(err.Error(), "fetchq-secret") {
		t.Errorf("the probe says %v", err)
	}
}

// TestS3WithAKeyOfTheDestination has keys beside the one that the machine has.
func TestS3WithAKeyOfTheDestination(t *testing.T) {
	t.Parallel()
	_, _ = bucket(t, "")
	var mu sync.Mutex
	seen := map[string]bool{}
	address, _ := bucket(t, proxy(t, func(_ http.ResponseWriter, r *http.Request) bool {
		_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
		mu.Lock()
		defer mu.Unlock()
		key, _, _ := strings.Cut(credential, "/")
		seen[key] = true
		return false
	}))
	probe := func(c *backup.Credentials) error {
		to, err := backup.Access{Credentials: c}.Open(t.Context(), address, false)
		if err != nil {
			t.Fatal(err)
		}
		defer to.Close()
		return to.Probe(t.Context())
	}
	if err := probe(&backup.Credentials{AccessKey: "second", Secret: "second-secret"}); err != nil || len(seen) != 1 || !seen["second"] {
		t.Errorf("%v, by the keys %v", err, seen)
	}
	if err := probe(nil); err != nil || !seen["fetchq"] {
		t.Errorf("with what the machine has: %v, by the keys %v", err, seen)
	}
	for says, c := range map[string]backup.Credentials{
		"the credentials are wrong":       {AccessKey: "second", Secret: "fetchq-secret"},
		"the credentials are wrong ":      {AccessKey: "nobody", Secret: "second-secret"},
		"the credentials do not allow it": {AccessKey: "stranger", Secret: "stranger-secret"},
	} {
		err := probe(&c)
		if errs.Of(err) != errs.Forbidden || !strings.Contains(err.Error(), strings.TrimSpace(says)) || strings.Contains(err.Error(), c.Secret) {
			t.Errorf("%s: %v", c.AccessKey, err)
		}
	}
}
