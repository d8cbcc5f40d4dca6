package api_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// cutter stands before the API and breaks the connection of a call whose answer it has: what the call did is committed, and the caller
// does not know.
type cutter struct {
	*world
	cuts   atomic.Bool
	caller *http.Client
}

func newCutter(t *testing.T) *cutter {
	t.Helper()
	c := &cutter{world: newWorld(t)}
	// Without connections that stay open: Go's client sends a call again by itself where an open one breaks.
	c.caller = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	to := c.url
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, err := http.NewRequestWithContext(r.Context(), r.Method, to+r.URL.RequestURI(), r.Body) //nolint:gosec // our own server
		if err != nil {
			t.Error(err)
			return
		}
		req.Header = r.Header
		resp, err := http.DefaultClient.Do(req) //nolint:gosec // our own server
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Error(err)
		}
		if c.cuts.Load() {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(resp.StatusCode)
		_, _ = w.Write(text)
	}))
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

// again makes a call, loses its answer, and returns what the same call answers then.
func (c *cutter) again(method, path, body string, headers ...string) answer {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.admin)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	c.cuts.Store(true)
	resp, err := c.caller.Do(req)
	c.cuts.Store(false)
	if err == nil {
		resp.Body.Close()
		c.t.Fatalf("%s %s: the answer came, %d", method, path, resp.StatusCode)
	}
	return c.call(method, path, body, headers...)
}

// standing is all that calls leave in a queue: documents, events, log and journal.
func (c *cutter) standing(queue string) (text string) {
	c.t.Helper()
	sql := strings.ReplaceAll(`select jsonb_pretty(jsonb_build_object(
		'documents', (select jsonb_agg(jsonb_build_array(subject, status, attempts, iterations, payload, version, priority, requeue) order by seq) from q_$.docs),
		'log', (select jsonb_agg(jsonb_build_array(subject, kind, message) order by id) from q_$.logs),
		'journal', (select jsonb_agg(jsonb_build_array(subject, action, old_status, new_status, attempt, actor) order by id) from q_$.journal),
		'events', (select jsonb_build_array(sum(ev_entered), sum(ev_picked), sum(ev_completed), sum(ev_rescheduled), sum(ev_rejected), sum(ev_killed),
			sum(ev_dropped), sum(ev_forwarded), sum(ev_errors), sum(ev_logs)) from (
				select * from q_$.deltas) d),
		'settings', (select to_jsonb(q) - array['name', 'created_at', 'limits_since', 'paused_until', 'move_began'] from fetchq.queues q where name = '$')))`, "$", queue)
	if err := c.db.QueryRow(c.t.Context(), sql).Scan(&text); err != nil {
		c.t.Fatal(err)
	}
	return same(text)
}

// varying are what differs between two calls that do the same: numbers of leases and lines, moments, made subjects.
var varying = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}|"20[0-9]{2}-[^"]*"|"(lease|id|work_ms|wait_ms)": ?[0-9.]+|"request_id":"[^"]*"`)

func same(text string) string { return varying.ReplaceAllString(text, "…") }

// TestACallWhoseAnswerWasLostIsMadeAgain makes each call that changes something once in one queue, and in another loses its answer and
// makes it again: both stand as the other then.
func TestACallWhoseAnswerWasLostIsMadeAgain(t *testing.T) {
	t.Parallel()
	c := newCutter(t)
	key := []string{"Idempotency-Key", "k"}
	stream := []string{"Idempotency-Key", "s", "Content-Type", "application/x-ndjson"}
	tests := []struct {
		name, path, body string // % in them is the lease of the document "held"
		method           string // "": POST
		headers          []string
		differs          string // what the repeated call answers, where that is another answer, in part; with its status
		twice            string // an action of the journal that may stand twice
	}{
		{name: "push", path: "/documents", body: `{"documents":[{"subject":"n"},{"subject":"free"}]}`, differs: `200 {"created":0,"updated":0,"ignored":2`},
		{name: "push under a key", path: "/documents", body: `{"documents":[{"subject":"n"},{"subject":"free"}]}`, headers: key},
		{name: "append", path: "/documents", body: `{"documents":[{},{"payload":7}]}`, headers: key},
		{name: "update", path: "/documents", body: `{"documents":[{"subject":"free","payload":1},{"subject":"n"}],"on_conflict":"update"}`, headers: key},
		{name: "requeue", path: "/documents", body: `{"documents":[{"subject":"held","payload":1}],"on_conflict":"update","then":"requeue"}`, headers: key},
		{name: "stream", path: "/documents?on_conflict=update", body: "{\"subject\":\"free\"}\n{\"subject\":\"n\"}\n{}\n3", headers: stream},
		{name: "pick", path: "/pick", body: `{"limit":5,"worker":"w","idempotency_key":"p"}`},
		{name: "pick with resolutions", path: "/pick", body: `{"idempotency_key":"p","resolutions":[{"subject":"held","lease":%,"action":"complete"}]}`, differs: `200 {"documents":[{"subject":"free"`},
		{name: "complete", path: "/resolve", body: `{"resolutions":[{"subject":"held","lease":%,"action":"complete","message":"m"}]}`, differs: `200 {"results":[{"subject":"held","outcome":"already"}]}`},
		{name: "reject", path: "/resolve", body: `{"resolutions":[{"subject":"held","lease":%,"action":"reject","message":"m"}]}`, differs: `200 {"results":[{"subject":"held","outcome":"already"}]}`},
		{name: "reschedule", path: "/resolve", body: `{"resolutions":[{"subject":"held","lease":%,"action":"reschedule","next_iteration":"+1h"}]}`, differs: `200 {"results":[{"subject":"held","outcome":"already"}]}`},
		{name: "kill", path: "/resolve", body: `{"resolutions":[{"subject":"held","lease":%,"action":"kill"}]}`, differs: `200 {"results":[{"subject":"held","outcome":"already"}]}`},
		{name: "drop", path: "/resolve", body: `{"resolutions":[{"subject":"held","lease":%,"action":"drop"}]}`, differs: `200 {"results":[{"subject":"held","outcome":"not_found"}]}`},
		{name: "forward", path: "/resolve", body: `{"resolutions":[{"subject":"held","lease":%,"action":"forward","to_queue":"other"}]}`, differs: `200 {"results":[{"subject":"held","outcome":"already"}]}`},
		{name: "extend", path: "/extend", body: `{"leases":[{"subject":"held","lease":%}],"lock":"9m"}`, twice: "extend"},
		{name: "one action with a lease", path: "/documents/held/complete", body: `{"lease":%}`},
		{name: "run_now", path: "/documents/free/run_now", body: `{}`, headers: key},
		{name: "edit", path: "/documents/free/edit", body: `{"payload":{"n":3}}`, headers: key},
		{name: "kill by an admin", path: "/documents/free/kill", body: `{"message":"m"}`, headers: key},
		{name: "drop by an admin", path: "/documents/free/drop", body: `{}`, headers: key, differs: "204 "},
		{name: "settings", method: http.MethodPatch, body: `{"rate":{"picks":5,"per":"1s"},"journal":"all"}`},
		{name: "put", method: http.MethodPut, body: `{"max_attempts":9}`},
		{name: "pause at once", path: "/pause", body: `{"kind":"at_once","reason":"r"}`},
		{name: "pause of a version", path: "/pause", body: `{"version":3,"until":"+1h"}`},
		{name: "resume", path: "/resume", body: `{}`},
		{name: "clone", path: "/clone", body: `{"to":"$_2"}`, differs: "409 "},
	}
	c.must(http.StatusCreated, http.MethodPut, "/api/v1/queues/other", `{"journal":"all"}`)
	for i, test := range tests {
		var answers [2]answer
		var stand [2]string
		for j, name := range []string{fmt.Sprintf("once_%d", i), fmt.Sprintf("cut_%d", i)} {
			base := "/api/v1/queues/" + name
			c.must(http.StatusCreated, http.MethodPut, base, `{"journal":"all"}`)
			c.must(http.StatusOK, http.MethodPost, base+"/documents", `{"documents":[{"subject":"held","priority":9},{"subject":"free"}]}`)
			c.must(http.StatusOK, http.MethodPost, base+"/pick", `{"worker":"w"}`)
			var lease int64
			if err := c.db.QueryRow(t.Context(), `select lease from q_`+name+`.docs where subject = 'held'`).Scan(&lease); err != nil {
				t.Fatal(err)
			}
			method, body := test.method, strings.ReplaceAll(strings.ReplaceAll(test.body, "%", fmt.Sprint(lease)), "$", name)
			if method == "" {
				method = http.MethodPost
			}
			if test.name == "forward" {
				c.must(http.StatusOK, http.MethodPost, "/api/v1/queues/other/truncate", `{"confirm":"other"}`)
			}
			if j == 0 {
				answers[j] = c.call(method, base+test.path, body, test.headers...)
			} else {
				answers[j] = c.again(method, base+test.path, body, test.headers...)
			}
			stand[j] = c.standing(name)
		}
		said := func(a answer) string {
			return strings.ReplaceAll(fmt.Sprint(a.status, " ", same(string(a.body))), fmt.Sprintf("cut_%d", i), fmt.Sprintf("once_%d", i))
		}
		if answers[0].status >= 300 {
			t.Errorf("%s: %s", test.name, said(answers[0]))
		}
		if once, again := said(answers[0]), said(answers[1]); test.differs == "" && once != again || !strings.HasPrefix(again, test.differs) {
			t.Errorf("%s: the answer is\n%s\nat first, and\n%s\nagain", test.name, once, again)
		}
		if test.twice != "" {
			line := regexp.MustCompile(`\[\s*"[^\]]*"` + test.twice + `"[^\]]*\],?\s*`)
			stand = [2]string{line.ReplaceAllString(stand[0], ""), line.ReplaceAllString(stand[1], "")}
		}
		if diff := cmp.Diff(stand[0], stand[1]); diff != "" {
			t.Errorf("%s: made again, it left (-once +again)\n%s", test.name, diff)
		}
	}
}

// TestAQueueThatIsRenamedOrDroppedTwiceAnswersSo has calls after which the queue of that name is gone.
func TestAQueueThatIsRenamedOrDroppedTwiceAnswersSo(t *testing.T) {
	t.Parallel()
	c := newCutter(t)
	c.must(http.StatusCreated, http.MethodPut, "/api/v1/queues/a", `{}`)
	c.must(http.StatusOK, http.MethodPost, "/api/v1/queues/a/documents", `{"documents":[{"subject":"x"}]}`)
	if a := c.again(http.MethodPost, "/api/v1/queues/a/rename", `{"to":"b"}`); a.status != http.StatusNotFound || !strings.Contains(string(a.body), "it is b now") {
		t.Errorf("renamed again: %d %s", a.status, a.body)
	}
	if a := c.again(http.MethodPost, "/api/v1/queues/b/truncate", `{"confirm":"b"}`); a.status != http.StatusOK {
		t.Errorf("emptied again: %d %s", a.status, a.body)
	}
	if a := c.again(http.MethodDelete, "/api/v1/queues/b?confirm=b", ""); a.status != http.StatusNotFound {
		t.Errorf("dropped again: %d %s", a.status, a.body)
	}
}
