package client_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fetchq/server/client"
)

// serve starts a server whose answers are h's, and a client of it.
func serve(t *testing.T, h http.HandlerFunc, opts ...client.Option) *client.Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return client.New(server.URL+"/", "fq_token", opts...)
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, p client.Problem) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}

func TestEachCallAsksWhatTheAPISays(t *testing.T) {
	five := 5
	for _, c := range []struct {
		want string
		do   func(context.Context, *client.Client) error
	}{
		{`PUT /queues/pages {"max_active":null,"max_attempts":3}`, func(ctx context.Context, c *client.Client) error {
			_, created, err := c.PutQueue(ctx, "pages", client.Patch{"max_attempts": 3, "max_active": nil})
			if !created {
				return errors.New("201 does not count as created")
			}
			return err
		}},
		{`PUT /queues/pages {}`, func(ctx context.Context, c *client.Client) error {
			_, _, err := c.PutQueue(ctx, "pages", nil)
			return err
		}},
		{`PATCH /queues/pages {"lock":"1m"}`, func(ctx context.Context, c *client.Client) error {
			_, err := c.PatchQueue(ctx, "pages", client.Patch{"lock": "1m"})
			return err
		}},
		{`GET /queues/pages`, func(ctx context.Context, c *client.Client) error { _, err := c.Queue(ctx, "pages"); return err }},
		{`DELETE /queues/pages?confirm=pages`, func(ctx context.Context, c *client.Client) error { return c.DropQueue(ctx, "pages") }},
		{`POST /queues/pages/truncate {"confirm":"pages","logs":true}`, func(ctx context.Context, c *client.Client) error {
			_, err := c.TruncateQueue(ctx, "pages", true)
			return err
		}},
		{`POST /queues/pages/pause {"reason":"why","until":"+1h"}`, func(ctx context.Context, c *client.Client) error {
			_, err := c.PauseQueue(ctx, "pages", client.PauseRequest{Reason: "why", Until: "+1h"})
			return err
		}},
		{`POST /queues/pages/resume {}`, func(ctx context.Context, c *client.Client) error {
			_, err := c.ResumeQueue(ctx, "pages", client.ResumeRequest{})
			return err
		}},
		{`POST /queues/pages/documents {"documents":[{"subject":"a","payload":{"x":1},"priority":5}]}`, func(ctx context.Context, c *client.Client) error {
			_, err := c.Push(ctx, "pages", client.PushRequest{Documents: []client.Push{{Subject: "a", Payload: json.RawMessage(`{"x":1}`), Priority: &five}}})
			return err
		}},
		{`POST /queues/pages/documents key {"documents":[{"subject":"a"},{}],"on_conflict":"ignore"}`, func(ctx context.Context, c *client.Client) error {
			_, err := c.Push(ctx, "pages", client.PushRequest{Documents: []client.Push{{Subject: "a"}, {}}, OnConflict: "ignore"})
			return err
		}},
		{`POST /queues/pages/pick {"limit":10,"lock":"1m","worker":"w"}`, func(ctx context.Context, c *client.Client) error {
			_, err := c.Pick(ctx, "pages", client.PickRequest{Limit: 10, Lock: "1m", Worker: "w"})
			return err
		}},
		{`POST /queues/pages/resolve {"resolutions":[{"subject":"a","lease":7,"action":"complete"}]}`, func(ctx context.Context, c *client.Client) error {
			_, err := c.Resolve(ctx, "pages", client.Resolution{Subject: "a", Lease: 7, Action: client.ActionComplete})
			return err
		}},
		{`POST /queues/pages/extend {"leases":[{"subject":"a","lease":7}],"lock":"1m"}`, func(ctx context.Context, c *client.Client) error {
			_, err := c.Extend(ctx, "pages", client.ExtendRequest{Leases: []client.LeaseRef{{Subject: "a", Lease: 7}}, Lock: "1m"})
			return err
		}},
		{`POST /queues/pages/documents/https:%2F%2Fa.example%2Fb%3Fc%23d%20%25/complete {"lease":7}`, func(ctx context.Context, c *client.Client) error {
			_, err := c.Act(ctx, "pages", client.Resolution{Subject: "https://a.example/b?c#d %", Lease: 7, Action: client.ActionComplete})
			return err
		}},
		{`POST /queues/pages/documents/%2E%2E/run_now {}`, func(ctx context.Context, c *client.Client) error {
			_, err := c.Act(ctx, "pages", client.Resolution{Subject: "..", Action: "run_now"})
			return err
		}},
		{`GET /queues/pages/documents/a%2F..%2F+?logs=3`, func(ctx context.Context, c *client.Client) error {
			_, err := c.Document(ctx, "pages", "a/../+", 3)
			return err
		}},
		{`GET /trace/é`, func(ctx context.Context, c *client.Client) error { _, err := c.Trace(ctx, "é"); return err }},
		{`POST /queues/pages/logs {"logs":[{"subject":"a","message":"m"}]}`, func(ctx context.Context, c *client.Client) error {
			return c.AddLogs(ctx, "pages", client.LogEntry{Subject: "a", Message: "m"})
		}},
		{`GET /errors?from=2026-11-24T09%3A00%3A00.000000Z&limit=200&queue=pages`, func(ctx context.Context, c *client.Client) error {
			_, err := c.Errors(ctx, "pages", time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC))
			return err
		}},
		{`GET /queues/pages/logs?fingerprint=90272dda245ae1fb&limit=200`, func(ctx context.Context, c *client.Client) error {
			for _, err := range c.Logs(ctx, "pages", client.LogFilter{Fingerprint: "90272dda245ae1fb"}) {
				return err
			}
			return nil
		}},
		{`GET /queues?limit=200`, func(ctx context.Context, c *client.Client) error {
			for _, err := range c.Queues(ctx) {
				return err
			}
			return nil
		}},
		{`GET /queues/pages/documents?attempts_min=2&limit=200&order=subject&priority=5&status=killed&subject_prefix=a%2F&version=5&worker=w`,
			func(ctx context.Context, c *client.Client) error {
				f := client.DocumentFilter{Status: "killed", SubjectPrefix: "a/", Version: &five, Priority: &five, AttemptsMin: 2, Worker: "w", Order: "subject"}
				for _, err := range c.Documents(ctx, "pages", f) {
					return err
				}
				return nil
			}},
		{`GET /queues/pages/logs?from=2026-11-24T09%3A00%3A00.000000Z&kind=error&limit=200&q=boom&subject=a&to=2026-11-24T10%3A00%3A00.000000Z`,
			func(ctx context.Context, c *client.Client) error {
				from := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
				for _, err := range c.Logs(ctx, "pages", client.LogFilter{Kind: "error", Subject: "a", Text: "boom", From: from, To: from.Add(time.Hour)}) {
					return err
				}
				return nil
			}},
	} {
		var got string
		cl := serve(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			uri, _ := strings.CutPrefix(r.RequestURI, "/api/v1")
			got = r.Method + " " + strings.ReplaceAll(uri, "%C3%A9", "é")
			if r.Header.Get("Idempotency-Key") != "" {
				got += " key"
			}
			got = strings.TrimSpace(got + " " + string(body))
			if r.Header.Get("Authorization") != "Bearer fq_token" {
				t.Errorf("%s has the authorization %q", got, r.Header.Get("Authorization"))
			}
			if len(body) > 0 && r.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%s has the type %q", got, r.Header.Get("Content-Type"))
			}
			answer(w, http.StatusCreated, struct{}{})
		})
		if err := c.do(t.Context(), cl); err != nil {
			t.Errorf("%s: %v", c.want, err)
		}
		if got != c.want {
			t.Errorf("asked %s\nwant  %s", got, c.want)
		}
	}
}

func TestAProblemIsATypedError(t *testing.T) {
	want := client.Problem{Type: "about:blank", Title: "Invalid", Status: 422, Detail: "is over the limit of 1,000", Code: "invalid", Field: "limit", RequestID: "r1"}
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { refuse(w, want) })
	_, err := c.Queue(t.Context(), "pages")
	var e *client.Error
	if !errors.As(err, &e) || e.Problem != want || client.CodeOf(err) != "invalid" {
		t.Errorf("error %#v; want the problem %+v", err, want)
	}
	if text := "GET /queues/pages: limit: is over the limit of 1,000 (invalid)"; err.Error() != text {
		t.Errorf("error %q; want %q", err, text)
	}
}

func TestAnAnswerThatIsNotFromTheAPIKeepsItsStatus(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<h1>go away</h1>", http.StatusTeapot) })
	_, err := c.Queue(t.Context(), "pages")
	var e *client.Error
	if !errors.As(err, &e) || e.Status != http.StatusTeapot || e.Code != "" || strings.Contains(err.Error(), "<h1>") {
		t.Errorf("error %v", err)
	}
}

func TestListsGoOverAllPages(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		page := map[string]any{"documents": []client.Document{{Subject: "a"}, {Subject: "b"}}, "next_cursor": "c1"}
		switch r.URL.Query().Get("cursor") {
		case "c1":
			page = map[string]any{"documents": []client.Document{}, "next_cursor": "c2"} // a page may be short
		case "c2":
			page = map[string]any{"documents": []client.Document{{Subject: "c"}}, "next_cursor": nil}
		}
		answer(w, http.StatusOK, page)
	})
	var got []string
	for doc, err := range c.Documents(t.Context(), "pages", client.DocumentFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, doc.Subject)
	}
	if !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("listed %q", got)
	}
}

func TestPushStreamSendsLinesAsTheyCome(t *testing.T) {
	const n = 10_000
	var pulled atomic.Int64
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if kind := r.Header.Get("Content-Type"); kind != "application/x-ndjson" {
			t.Errorf("type %q", kind)
		}
		lines := bufio.NewScanner(r.Body)
		out := client.StreamResponse{}
		for lines.Scan() {
			if out.Created == 0 && pulled.Load() == n {
				t.Error("all was read before the first line was sent")
			}
			var doc client.Push
			if err := json.Unmarshal(lines.Bytes(), &doc); err != nil || doc.Subject != fmt.Sprint(out.Created) {
				t.Errorf("line %d is %s", out.Created, lines.Bytes())
			}
			out.Created++
		}
		answer(w, http.StatusOK, out)
	})
	out, err := c.PushStream(t.Context(), "pages", func(yield func(client.Push, error) bool) {
		for i := range n {
			pulled.Add(1)
			if !yield(client.Push{Subject: fmt.Sprint(i), Payload: json.RawMessage(`"` + strings.Repeat("x", 1000) + `"`)}, nil) {
				return
			}
		}
	})
	if err != nil || out.Created != n {
		t.Errorf("answer %+v, %v", out, err)
	}
}

func TestPushStreamEndsWithTheErrorOfItsDocuments(t *testing.T) {
	boom := errors.New("boom")
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		answer(w, http.StatusOK, client.StreamResponse{Created: 1})
	})
	_, err := c.PushStream(t.Context(), "pages", func(yield func(client.Push, error) bool) {
		_ = yield(client.Push{Subject: "a"}, nil) && yield(client.Push{}, boom)
	})
	if !errors.Is(err, boom) {
		t.Errorf("error %v", err)
	}
}

func TestPushStreamEndsWhereTheServerRefusesEarly(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, client.Problem{Status: http.StatusForbidden, Code: "forbidden"})
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err := c.PushStream(ctx, "pages", func(yield func(client.Push, error) bool) {
		for yield(client.Push{Subject: "a", Payload: json.RawMessage(`"` + strings.Repeat("x", 1000) + `"`)}, nil) {
		}
	})
	if err == nil || ctx.Err() != nil {
		t.Errorf("error %v, context %v", err, ctx.Err())
	}
}
