package api_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
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
	for range 16 { // of 16 MiB each, of which little comes
		conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n{", documents, w.admin, 16<<20)
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
}
