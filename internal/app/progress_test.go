package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

const (
	patience = 400 * time.Millisecond
	large    = 64 << 20 // more than any buffer on the way
)

// ask sends a request and returns the connection, whose answer nobody has read yet.
func ask(t *testing.T, server *httptest.Server) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	return conn
}

func TestAnAnswerThatNobodyReadsEnds(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	server := httptest.NewServer(progressing(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, err := w.Write(make([]byte, large))
		ended <- err
	}), patience))
	t.Cleanup(server.Close)
	ask(t, server)
	select {
	case err := <-ended:
		if err == nil {
			t.Error("all of it was written, although nobody reads")
		}
	case <-time.After(20 * time.Second):
		t.Error("the answer stands still for ever")
	}
}

func TestAnAnswerThatIsReadSlowlyIsReadToItsEnd(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(progressing(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, large))
	}), patience))
	t.Cleanup(server.Close)
	conn := ask(t, server)
	total := int64(0)
	for began := time.Now(); time.Since(began) < 3*patience; time.Sleep(patience / 8) {
		n, err := io.CopyN(io.Discard, conn, 2<<20)
		if total += n; err != nil {
			t.Fatalf("after %d bytes: %v", total, err)
		}
	}
	rest, err := io.Copy(io.Discard, conn)
	if total += rest; err != nil || total < large {
		t.Errorf("%d bytes came, error %v", total, err)
	}
}

// TestAnswersWithoutBodyEndToo sends requests until their answers, which nobody reads, fill all buffers on the way.
func TestAnswersWithoutBodyEndToo(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(progressing(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("x", 100_000))
		w.WriteHeader(http.StatusNoContent)
	}), patience))
	t.Cleanup(server.Close)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	requests := strings.Repeat("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 2000)
	_ = conn.SetWriteDeadline(time.Now().Add(20 * time.Second))
	for err == nil {
		_, err = io.WriteString(conn, requests)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the answers stand still for ever")
	}
}

func TestAHandlerReachesTheConnectionThroughIt(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(progressing(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		control := http.NewResponseController(w)
		if err := control.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Error(err)
		}
		if err := control.Flush(); err != nil {
			t.Error(err)
		}
	}), patience))
	t.Cleanup(server.Close)
	if _, err := io.ReadAll(ask(t, server)); err != nil {
		t.Error(err)
	}
}

// TestTheServerHasLimitsForReading wants a connection to end whose body does not come, whoever it is from.
func TestTheServerHasLimitsForReading(t *testing.T) {
	t.Parallel()
	s := newServer(context.Background(), http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	if s.ReadTimeout <= 0 || s.ReadTimeout > time.Minute {
		t.Fatalf("a request may take %s to come", s.ReadTimeout)
	}
	s.ReadTimeout = patience
	server := httptest.NewUnstartedServer(nil)
	server.Config = s
	server.Start()
	t.Cleanup(server.Close)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	if text, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 404") {
		t.Errorf("%.40q %v", text, err)
	}
}
