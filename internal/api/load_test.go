package api_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/dbtest"
)

// send makes a request whose body comes from a reader, so that its length is not told.
func (w *world) send(ctx context.Context, path, media string, body io.Reader) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url+path, body)
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Authorization", "Bearer "+w.admin)
	req.Header.Set("Content-Type", media)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, text}, err
}

// untold hides what a reader is, so that no length is told.
type untold struct{ io.Reader }

func TestPicksThatWaitTakeNoRoomForBodies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(201, "PUT", "/api/v1/queues/a", `{}`)
	var picks sync.WaitGroup
	for range 40 {
		picks.Go(func() {
			a, err := w.send(t.Context(), "/api/v1/queues/a/pick", "application/json", untold{strings.NewReader(`{"wait":"2s"}`)})
			if err != nil || a.status != http.StatusOK {
				t.Errorf("%d %s %v", a.status, a.body, err)
			}
		})
	}
	picks.Wait()
}

func TestBodiesThatTakeTooMuchMemoryAreHeldBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(201, "PUT", "/api/v1/queues/a", `{}`)
	most := strings.Repeat(" ", 16<<20-1)
	for range 8 { // all but the last byte of 16 MiB: half of the room, which is the share of a token
		if _, err := io.WriteString(w.begin("POST", documents, w.admin, 16<<20), most); err != nil {
			t.Fatal(err)
		}
	}
	push := func() answer { return w.call("POST", documents, `{"documents":[{"subject":"x"}]}`) }
	a := push()
	for deadline := time.Now().Add(20 * time.Second); a.status == http.StatusOK && time.Now().Before(deadline); a = push() {
	}
	w.refuses(a, 503, "overloaded", "")
	a, err := w.send(t.Context(), documents, "application/json", untold{strings.NewReader(`{"documents":[{"subject":"y"}]}`)})
	if err != nil {
		t.Fatal(err)
	}
	w.refuses(a, 503, "overloaded", "")
	w.must(200, "GET", "/api/v1/queues/a", "")
	other := w.token("other", []string{auth.Push}, nil)
	if a := w.call("POST", documents, `{"documents":[{"subject":"z"}]}`, "Authorization", "Bearer "+other); a.status != http.StatusOK {
		t.Errorf("another token is held back too: %d %s", a.status, a.body)
	}
}

// begin sends the beginning of a request whose body has a length, and none of that.
func (w *world) begin(method, path, token string, length int) net.Conn {
	w.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close() })
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", method, path, token, length)
	return conn
}

func TestBodiesThatDoNotComeTakeNoRoom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(201, "PUT", "/api/v1/queues/a", `{}`)
	for range 40 {
		w.begin("POST", documents, w.admin, 16<<20)
	}
	for range 20 { // by the end of these all of those have begun
		w.must(200, "POST", documents, `{"documents":[{"subject":"x"}]}`)
		time.Sleep(10 * time.Millisecond)
	}
}

// TestWhatMayNotBeIsRefusedBeforeItsBody sends none of the bodies.
func TestWhatMayNotBeIsRefusedBeforeItsBody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(201, "PUT", "/api/v1/queues/a", `{}`)
	pusher := w.token("pusher", []string{auth.Push}, []string{"a"})
	for name, tt := range map[string]struct {
		path, token string
		length      int
		want        string
	}{
		"the right":    {"/api/v1/queues/a/pick", pusher, 1 << 20, "403"},
		"the queue":    {"/api/v1/queues/b/documents", pusher, 1 << 20, "403"},
		"large":        {documents, pusher, 16<<20 + 1, "413"},
		"large pause":  {"/api/v1/queues/a/pause", w.admin, 1<<20 + 1, "413"},
		"large stream": {documents, w.token("reader", []string{auth.Read}, nil), 1 << 20, "403"},
	} {
		conn := w.begin("POST", tt.path, tt.token, tt.length)
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "HTTP/1.1 "+tt.want) {
			t.Errorf("%s: %q %v; %s is wanted", name, line, err, tt.want)
		}
	}
}

// padded is the body of a pick that waits, with 15 MiB of space in it.
type padded struct {
	left int
	sent chan struct{}
}

func (b *padded) Read(p []byte) (n int, err error) {
	if b.left == 0 {
		close(b.sent)
		return 0, io.EOF
	}
	for n = 0; n < len(p) && b.left > 0; n++ {
		p[n] = ' '
		if b.left--; b.left < len(longPick) {
			p[n] = longPick[len(longPick)-1-b.left]
		}
	}
	return n, nil
}

func TestAPickThatWaitsHoldsNothingOfItsBody(t *testing.T) {
	if dbtest.Raced {
		t.Skip("megabytes that nobody shares")
	}
	w, h := newCountedWorld(t)
	const picks = 12 // more than a token may send at once
	var all sync.WaitGroup
	for range picks {
		b := &padded{15 << 20, make(chan struct{})}
		all.Go(func() {
			if a, err := w.send(t.Context(), "/api/v1/queues/a/pick", "application/json", b); err != nil || a.status != http.StatusOK {
				t.Errorf("%d %s %v", a.status, a.body, err)
			}
		})
		select {
		case <-b.sent:
		case <-time.After(20 * time.Second):
			t.Fatal("a body is read no further")
		}
	}
	h.until(t, picks)
	var m runtime.MemStats
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		runtime.GC()
		if runtime.ReadMemStats(&m); m.HeapAlloc < 64<<20 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d picks that wait hold %d MiB", picks, m.HeapAlloc>>20)
		}
	}
	w.must(200, "POST", documents, `{"documents":[{"subject":"x"}]}`)
	w.engine.Stop()
	all.Wait()
}

func TestStreamsThatStandStillHoldUpNoOtherCalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(201, "PUT", "/api/v1/queues/a", `{}`)
	var streams sync.WaitGroup
	var feeds []io.Closer
	defer func() {
		for _, f := range feeds {
			_ = f.Close()
		}
		streams.Wait()
	}()
	for range 32 {
		r, feed := io.Pipe()
		feeds = append(feeds, feed)
		streams.Go(func() {
			_, err := w.send(t.Context(), documents, "application/x-ndjson", r)
			_ = feed.CloseWithError(err) // one that was refused is read no further
		})
	}
	var a answer
	for deadline := time.Now().Add(20 * time.Second); a.status != http.StatusServiceUnavailable && time.Now().Before(deadline); {
		_, a = w.stream("{}", "")
	}
	w.refuses(a, 503, "overloaded", "")
	w.must(200, "GET", "/api/v1/queues/a", "")
	w.must(200, "POST", documents, `{"documents":[{"subject":"x"}]}`)
	other := w.token("other", []string{auth.Push}, nil)
	if a := w.call("POST", documents, "{}", "Content-Type", "application/x-ndjson", "Authorization", "Bearer "+other); a.status != http.StatusOK {
		t.Errorf("another token has no place for a stream: %d %s", a.status, a.body)
	}
}
