package main

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestPsqlGetsThePasswordWhereNobodySeesIt(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	const shell = "#!/bin/sh\necho \"arguments $*\"\necho \"password $PGPASSWORD\"\n"
	if err := os.WriteFile(filepath.Join(p.dir, "psql"), []byte(shell), 0o755); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	p.set("PATH", p.dir+":"+os.Getenv("PATH"))
	p.must("migrate")
	u, err := url.Parse(p.must("db-url"))
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	arguments, secret, _ := strings.Cut(p.must("psql", "--", "-c", "select 1"), "\n")
	if strings.Contains(arguments, password) || !strings.HasPrefix(arguments, "arguments postgres://fetchq@127.0.0.1:") ||
		!strings.HasSuffix(arguments, "-c select 1") || secret != "password "+password {
		t.Errorf("psql got %q and %q", arguments, secret)
	}
	if strings.Contains(u.RawQuery, "require_auth") {
		t.Errorf("db-url prints %s, which not every client reads", u.RawQuery)
	}
}

// TestWhoeverTakesThePortIsNotToldThePassword listens where the program's Postgres was, and asks for the password.
func TestWhoeverTakesThePortIsNotToldThePassword(t *testing.T) {
	if testing.Short() {
		t.Skip("a program with a Postgres of its own")
	}
	t.Parallel()
	p := newPlace(t)
	r := p.serve()
	u, err := url.Parse(p.must("db-url"))
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	if err := syscall.Kill(p.postmaster(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	var l net.Listener
	for deadline := time.Now().Add(10 * time.Second); l == nil; {
		if l, err = net.Listen("tcp", u.Host); err != nil && time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	defer l.Close()
	heard := make(chan string, 100)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { heard <- askForPassword(conn) }()
		}
	}()
	for range 3 {
		resp, err := http.Get("http://" + p.addr + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		select {
		case got := <-heard:
			if strings.Contains(got, password) {
				t.Fatalf("whoever listens there hears %q", got)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("nobody came")
		}
		time.Sleep(1100 * time.Millisecond) // as long as readyz keeps its answer
	}
	_ = l.Close()
	r.signal(syscall.SIGINT)
}

// askForPassword does what a server does that wants a password in clear text, and returns what it hears.
func askForPassword(conn net.Conn) string {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	var head [4]byte // its length, which is small
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return ""
	}
	_, _ = io.CopyN(io.Discard, conn, int64(head[2])<<8+int64(head[3])-4)
	_, _ = conn.Write([]byte{'R', 0, 0, 0, 8, 0, 0, 0, 3})
	text, _ := io.ReadAll(conn)
	return string(text)
}

func TestASecondSignalEndsTheProgramAtOnceAndPostgresIsAdopted(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	r := p.serve()
	token := p.must("token", "create", "--name", "me", "--rights", "admin")
	if code, text := p.call("PUT", "/api/v1/queues/a", token, `{}`); code != http.StatusCreated {
		t.Fatal(code, text)
	}
	postgres := p.postmaster()
	body, feed := io.Pipe() // a stream that the drain waits for
	defer feed.Close()
	req, err := http.NewRequest(http.MethodPost, "http://"+p.addr+"/api/v1/queues/a/documents", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/x-ndjson")
	go func() {
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
		}
	}()
	if _, err := io.WriteString(feed, strings.Repeat("{}\n", 20_000)); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) { // the server reads it once it has kept a batch of it
		_, text := p.call("GET", "/api/v1/queues/a", token, "")
		if !strings.Contains(text, `"pending":0,`) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the stream is not read: " + text)
		}
	}
	began := time.Now()
	for ended := false; !ended; {
		_ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGINT)
		select {
		case <-r.ended:
			ended = true
		case <-time.After(500 * time.Millisecond):
		}
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the program ended %s after the first signal: it drained", took)
	}
	if !alive(postgres) {
		t.Fatal("Postgres ended with the program")
	}
	r = p.serve()
	if p.postmaster() != postgres {
		t.Error("another Postgres was started")
	}
	r.signal(syscall.SIGINT)
}
