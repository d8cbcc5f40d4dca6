package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/fetchq/server/client"
	"github.com/fetchq/server/internal/dbtest"
)

func (w *world) stream(lines, query string) (client.StreamResponse, answer) {
	w.t.Helper()
	a := w.call("POST", documents+query, lines, "Content-Type", "application/x-ndjson")
	var r client.StreamResponse
	_ = json.Unmarshal(a.body, &r)
	return r, a
}

func TestAStreamCountsAndTellsTheFirstHundredErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(201, "PUT", "/api/v1/queues/a", `{}`)
	var lines strings.Builder
	for i := range 2500 {
		fmt.Fprintf(&lines, "{\"subject\":\"s%d\",\"payload\":{\"n\":%d}}\r\n", i%2400, i)
	}
	lines.WriteString("\n\n")
	for range 150 {
		lines.WriteString("{\"subject\":}\n")
	}
	lines.WriteString(`{"subject":"last"}`) // without a line's end
	r, a := w.stream(lines.String(), "")
	if r.Created != 2401 || r.Ignored != 100 || r.Invalid != 150 || len(r.Errors) != 100 || r.Errors[0].Line != 2503 {
		t.Errorf("%d %.300s", a.status, a.body)
	}
	r, a = w.stream(`{"subject":"s1","priority":3}`, "?on_conflict=update")
	if r.Updated != 1 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestAStreamRefusesWhatAPushRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, a := w.stream(`{"subject":"x"}`, "")
	w.refuses(a, 404, "not_found", "queue")
	w.must(201, "PUT", "/api/v1/queues/a", `{}`)
	_, a = w.stream(`{"subject":"x"}`, "?on_conflict=replace")
	w.refuses(a, 422, "invalid", "on_conflict")
	long := `{"subject":"long","payload":"` + strings.Repeat("x", 1<<21) + `"}` + "\n" + `{"subject":"after"}` + "\n" + `{"subject":"` + strings.Repeat("y", 1<<21)
	r, a := w.stream(long, "")
	if r.Created != 1 || r.Invalid != 2 || r.Errors[0].Line != 1 || r.Errors[1].Line != 3 {
		t.Errorf("%d %.500s", a.status, a.body)
	}
}

func TestWhatWasTakenBeforeAStreamBrokeStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(201, "PUT", "/api/v1/queues/a", `{}`)
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n", documents, w.admin)
	body := bufio.NewWriter(conn)
	for i := range 1500 {
		line := fmt.Sprintf("{\"subject\":\"s%d\"}\n", i)
		fmt.Fprintf(body, "%x\r\n%s\r\n", len(line), line)
	}
	if err := body.Flush(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if a := w.call("GET", documents+"/s999", ""); a.status == http.StatusOK {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the first thousand lines were not taken")
		}
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAStreamTakesConstantMemory(t *testing.T) {
	if dbtest.Raced {
		t.Skip("megabytes that nobody shares")
	}
	w := newWorld(t)
	w.must(201, "PUT", "/api/v1/queues/a", `{}`)
	payload := strings.Repeat("p", 10_000)
	const lines = 8000 // 80 MB
	r, feed := io.Pipe()
	go func() {
		for i := range lines {
			fmt.Fprintf(feed, "{\"subject\":\"s%d\",\"payload\":\"%s\"}\n", i, payload)
		}
		feed.Close()
	}()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, w.url+documents, r)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.admin)
	req.Header.Set("Content-Type", "application/x-ndjson")
	// What is alive, whatever has become garbage since it was last collected.
	alive := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, most := alive(), uint64(0)
	done := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for {
			select {
			case <-done:
				return
			case <-time.After(50 * time.Millisecond):
				most = max(most, alive())
			}
		}
	}()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	close(done)
	<-watched
	if !strings.Contains(string(text), fmt.Sprintf(`"created":%d`, lines)) {
		t.Fatalf("%s", text)
	}
	if most > before+40<<20 {
		t.Errorf("80 MB of lines took %d MB", (most-before)>>20)
	}
}

func FuzzStream(f *testing.F) {
	for _, s := range []string{
		"", "\n", "{}", "{}\n{}", `{"subject":"a"}` + "\r\n", `{"subject":"a"`, "[]", "null", `{"subject":null}`, `{"payload":1e1000}`, `{"payload":"\ud800"}`,
		`{"version":1.5}`, `{"priority":"1"}`, `{"next_iteration":"+1 day"}`, `{"next_iteration":5}`, "\x00", "\xff\n{}", `{"a":1}`, `{"subject":"a","subject":"b"}`,
	} {
		f.Add(s)
	}
	w := newWorldFor(f)
	w.must(201, "PUT", "/api/v1/queues/a", `{}`)
	f.Fuzz(func(t *testing.T, lines string) {
		here := *w
		here.t = t
		r, a := here.stream(lines, "")
		if lines == "" {
			return
		}
		if a.status != http.StatusOK {
			t.Fatalf("%q: %d %s", lines, a.status, a.body)
		}
		told := r.Created + r.Updated + r.Ignored + r.Invalid
		sent := 0
		for _, line := range strings.Split(lines, "\n") {
			if strings.TrimSpace(line) != "" {
				sent++
			}
		}
		if told != sent {
			t.Errorf("%q: %d lines were sent, %d are told in %s", lines, sent, told, a.body)
		}
	})
}
