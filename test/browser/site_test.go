package browser_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/dbtest"
)

// site is a running program with a database of its own.
type site struct {
	t        *testing.T
	url      string // of the site, without a slash at the end
	database string
	env      []string
	db       *pgxpool.Pool
	users    *auth.Users
	sessions *auth.Sessions
	token    string // of the API, with all rights

	cmd       *exec.Cmd
	said      *lines
	ended     chan struct{}
	operation string   // the id of one of its filled world
	dashboard string   // the path of one of it
	backup    string   // the path of one of it
	poisoned  []string // the paths of those that somebody poisoned
}

// newSite starts a program whose database has no users and no queues.
func newSite(t *testing.T, env ...string) *site {
	t.Helper()
	needBrowser(t)
	database := dbtest.URL(t)
	db := dbtest.Open(t, database)
	s := &site{
		t: t, url: "http://" + freeAddress(t), database: database, env: env, db: db,
		users: auth.NewUsers(db, time.Now), sessions: auth.NewSessions(db, false),
	}
	var err error
	if _, s.token, err = auth.NewTokens(db, time.Now).Create(t.Context(), "browser tests", []string{"admin"}, nil, nil, ""); err != nil {
		t.Fatal(err)
	}
	s.start()
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("the program said:\n%s", s.said)
		}
	})
	return s
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

// start runs the program, at the same address each time, and waits until it serves.
func (s *site) start() {
	s.t.Helper()
	binary, err := program()
	if err != nil {
		s.t.Fatal(err)
	}
	s.cmd = exec.CommandContext(context.Background(), binary, "serve")
	s.cmd.Env = append(os.Environ(), append([]string{
		"FETCHQ_LISTEN=" + strings.TrimPrefix(s.url, "http://"), "DATABASE_URL=" + s.database, "FETCHQ_BASE_URL=", "FETCHQ_ENV=test", "FETCHQ_POOL_SIZE=8",
	}, s.env...)...)
	s.said, s.ended = &lines{}, make(chan struct{})
	s.cmd.Stderr = s.said
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	text := bufio.NewReader(io.TeeReader(out, s.said))
	if line, err := text.ReadString('\n'); err != nil || !strings.Contains(line, "ready") {
		s.t.Fatalf("the program does not start: %q %v\n%s", line, err, s.said)
	}
	go func() {
		_, _ = io.Copy(io.Discard, text)
		_ = s.cmd.Wait()
		close(s.ended)
	}()
}

// kill ends the program at once, as a crash does.
func (s *site) kill() {
	_ = s.cmd.Process.Kill()
	<-s.ended
}

// lines is what the program says.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// find waits for a line with a text and returns it.
func (l *lines) find(t *testing.T, text string) string {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(pollEvery) {
		for line := range strings.Lines(l.String()) {
			if strings.Contains(line, text) {
				return strings.TrimSpace(line)
			}
		}
	}
	t.Fatalf("the program does not say %q; it said:\n%s", text, l)
	return ""
}

// api calls the worker API with all rights, and wants success.
func (s *site) api(method, path, body string) string {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		s.t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, text)
	}
	return string(text)
}

// queue makes a queue with documents that are due.
func (s *site) queue(name string, subjects ...string) {
	s.t.Helper()
	s.api("PUT", "/queues/"+name, `{}`)
	for _, subject := range subjects {
		s.push(name, subject)
	}
}

func (s *site) push(queue, subject string) {
	s.t.Helper()
	s.api("POST", "/queues/"+queue+"/documents", `{"documents":[{"subject":`+quote(subject)+`,"payload":{"depth":1}}]}`)
}

// user makes a user without a password, who is signed in by session.
func (s *site) user(email, name string, role auth.Role) auth.User {
	s.t.Helper()
	user, err := s.users.Create(s.t.Context(), email, name, role)
	if err != nil {
		s.t.Fatal(err)
	}
	return user
}

// firefox is a browser of somebody else.
const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"

// session begins a session of a user, in a browser that names itself so, and returns its cookie.
func (s *site) session(user auth.User, agent string) *http.Cookie {
	s.t.Helper()
	answer, request := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, s.url+"/login", nil).WithContext(s.t.Context())
	request.Header.Set("User-Agent", agent)
	if err := s.sessions.SignIn(answer, request, user, "127.0.0.1"); err != nil {
		s.t.Fatal(err)
	}
	for _, c := range answer.Result().Cookies() {
		if c.Name == auth.SessionName {
			return c
		}
	}
	s.t.Fatal("no cookie was set")
	return nil
}
