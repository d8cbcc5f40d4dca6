package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/fetchq/server/client"
	"github.com/fetchq/server/internal/auth"
)

const ops = "/api/v1/queues/a/operations"

// works starts the service, and returns a client with a token.
func (w *world) works(token string) *client.Client {
	w.t.Helper()
	if err := w.jobs.Start(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return client.New(w.url, token)
}

func TestTheClientDoesWorkOnManyDocuments(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(201, "PUT", "/api/v1/queues/a", `{}`)
	w.must(201, "PUT", "/api/v1/queues/b", `{}`)
	ctx, c := t.Context(), w.works(w.admin)
	o, err := c.ImportDocuments(ctx, "a", "", func(yield func(client.Push, error) bool) {
		for i := range 2500 {
			if !yield(client.Push{Subject: fmt.Sprintf("s%04d", i)}, nil) {
				return
			}
		}
	})
	if err == nil {
		o, err = c.WaitOperation(ctx, o.ID)
	}
	if err != nil || o.State != client.OperationDone || *o.Created != 2500 || o.Action != client.ActionImport || *o.Progress != 1 {
		t.Fatalf("%+v, error %v", o, err)
	}
	kill := client.OperationRequest{Action: client.ActionKill, Filter: &client.OperationFilter{SubjectPrefix: "s00"}}
	n, err := c.CountOperation(ctx, "a", kill)
	if err != nil || n.Documents == nil || *n.Documents != 100 || n.AtLeast != nil {
		t.Errorf("%+v, error %v", n, err)
	}
	five := 5
	for _, in := range []client.OperationRequest{
		kill,
		{Action: client.ActionSetPriority, Filter: &client.OperationFilter{Status: client.StatusKilled}, Priority: &five},
		{Action: client.ActionMove, Filter: &client.OperationFilter{Status: client.StatusKilled, Priority: &five}, ToQueue: "b"},
		{Action: client.ActionReschedule, Filter: &client.OperationFilter{}, NextIteration: "+1 day"},
		{Action: client.ActionRunNow, Filter: &client.OperationFilter{Status: client.StatusPlanned, DueAfter: "+23 hours", DueBefore: "+25 hours"}},
		{Action: client.ActionDrop, Subjects: []string{"s0100", "s0101", "s0000"}},
	} {
		if o, err = c.Operate(ctx, "a", in); err == nil {
			o, err = c.WaitOperation(ctx, o.ID)
		}
		if err != nil || o.State != client.OperationDone || o.AskedAs != "token" || o.AskedBy != t.Name() || *o.RequestID == "" {
			t.Fatalf("%+v, error %v", o, err)
		}
	}
	if o.Done != 2 || o.Failed != 1 {
		t.Errorf("%+v", o)
	}
	for f, err := range c.OperationFailures(ctx, o.ID) {
		if err != nil || *f.Subject != "s0000" || f.Detail == "" || f.Line != nil {
			t.Errorf("%+v, error %v", f, err)
		}
	}
	a, _ := c.Queue(ctx, "a")
	b, _ := c.Queue(ctx, "b")
	if a.Counts != (client.Counts{Pending: 2398}) || b.Counts != (client.Counts{Killed: 100}) {
		t.Errorf("%+v and %+v", a.Counts, b.Counts)
	}
	all := 0
	for _, err := range c.Operations(ctx, "a", client.OperationDone) {
		if err != nil {
			t.Fatal(err)
		}
		all++
	}
	if all != 7 {
		t.Errorf("%d operations are told", all)
	}
	again, err := c.CancelOperation(ctx, o.ID)
	if err != nil || again.State != client.OperationDone {
		t.Errorf("a cancel of what is done: %+v, error %v", again, err)
	}
}

func TestTenThousandSubjectsAreTakenAndNoMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(201, "PUT", "/api/v1/queues/a", `{}`)
	list := func(n int) string {
		subjects := make([]string, n)
		for i := range subjects {
			subjects[i] = fmt.Sprint("s", i)
		}
		text, _ := json.Marshal(map[string]any{"action": "kill", "subjects": subjects})
		return string(text)
	}
	w.must(202, "POST", ops, list(10_000))
	w.refuses(w.call("POST", ops, list(10_001)), 422, "invalid", "subjects")
	w.refuses(w.call("POST", ops, `{"action":"kill","subjects":[]}`), 422, "invalid", "subjects")
	w.refuses(w.call("POST", ops, `{"action":"kill","subjects":["x",3]}`), 400, "malformed", "subjects[1]")
	w.refuses(w.call("POST", ops, `{"action":"kill"}`), 422, "invalid", "filter")
	w.refuses(w.call("POST", ops, `{"action":"kill","filter":{"status":"gone"}}`), 422, "invalid", "filter.status")
	w.refuses(w.call("POST", ops, `{"action":"kill","filter":{"color":"x"}}`), 422, "invalid", "filter.color")
	w.refuses(w.call("POST", ops, `{"action":"kill","filter":{"status":"planned","due_before":"soon"}}`), 422, "invalid", "filter.due_before")
	w.refuses(w.call("POST", ops, `{"action":"reschedule","filter":{},"next_iteration":"soon"}`), 422, "invalid", "next_iteration")
	w.refuses(w.call("POST", ops, `{"action":"kill","filter":{},"dry_run":true,"priority":3}`), 422, "invalid", "priority")
	w.refuses(w.call("POST", "/api/v1/queues/b/operations", `{"action":"kill","filter":{}}`), 404, "not_found", "queue")
	w.refuses(w.call("GET", "/api/v1/operations?state=gone", ""), 422, "invalid", "state")
	w.refuses(w.call("GET", "/api/v1/operations?cursor=x", ""), 422, "invalid", "cursor")
	id, _ := w.must(202, "POST", ops, `{"action":"kill","filter":{}}`).field("id").(string)
	w.refuses(w.call("GET", "/api/v1/operations/"+id+"/failures?cursor=x", ""), 422, "invalid", "cursor")
	for _, none := range []string{"1", "0199ab12-3c4d-7e5f-8a6b-0c1d2e3f4a5b", "%00", "x%2Fy"} {
		for _, call := range [][2]string{{"GET", ""}, {"GET", "/failures"}, {"POST", "/cancel"}} {
			w.refuses(w.call(call[0], "/api/v1/operations/"+none+call[1], ""), 404, "not_found", "id")
		}
	}
}

func TestTheSameKeyOfATokenIsTheSameOperation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(201, "PUT", "/api/v1/queues/a", `{}`)
	other := w.token("other", []string{auth.Admin}, nil)
	ask := func(path, body, kind, token string) string {
		a := w.call("POST", path, body, "Content-Type", kind, "Idempotency-Key", "k", "Authorization", "Bearer "+token)
		id, _ := a.field("id").(string)
		if a.status != http.StatusAccepted || id == "" {
			t.Fatalf("%d %s", a.status, a.body)
		}
		return id
	}
	kill := func(token string) string { return ask(ops, `{"action":"kill","filter":{}}`, "application/json", token) }
	first := kill(w.admin)
	if kill(w.admin) != first || kill(other) == first {
		t.Error("a key does not belong to its token")
	}
	// A span from now is the same request whenever it comes; another one is not.
	later := `{"action":"drop","filter":{"status":"planned","due_after":"+1 hour"}}`
	third := w.token("third", []string{auth.Admin}, nil)
	if first := ask(ops, later, "application/json", third); ask(ops, later, "application/json", third) != first {
		t.Error("a span from now is another request each time")
	}
	a := w.call("POST", ops, `{"action":"kill","filter":{"version":1}}`, "Idempotency-Key", "k")
	w.refuses(a, 422, "invalid", "idempotency_key")
	a = w.call("POST", "/api/v1/queues/a/imports", "{}\n", "Content-Type", "text/csv", "Idempotency-Key", "k")
	w.refuses(a, 422, "invalid", "columns")
	a = w.call("POST", "/api/v1/queues/a/imports", "{}\n", "Content-Type", "application/x-ndjson", "Idempotency-Key", "k")
	w.refuses(a, 422, "invalid", "idempotency_key")
}

// TestATokenSeesAndEndsWhatIsItsOwn has a token of one queue beside operations of another.
func TestATokenSeesAndEndsWhatIsItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{"a", "b"} {
		w.must(201, "PUT", "/api/v1/queues/"+name, `{}`)
	}
	inA := []string{"Authorization", "Bearer " + w.token("in a", []string{auth.Admin}, []string{"a"})}
	reader := []string{"Authorization", "Bearer " + w.token("reader", []string{auth.Read}, []string{"a"})}
	pusher := []string{"Authorization", "Bearer " + w.token("pusher", []string{auth.Push}, []string{"a"})}
	mine, _ := w.must(202, "POST", ops, `{"action":"kill","filter":{}}`).field("id").(string)
	other, _ := w.must(202, "POST", "/api/v1/queues/b/operations", `{"action":"kill","filter":{}}`).field("id").(string)
	for _, call := range [][2]string{{"GET", ""}, {"GET", "/failures"}, {"POST", "/cancel"}} {
		if a := w.call(call[0], "/api/v1/operations/"+mine+call[1], "", inA...); a.status != 200 {
			t.Errorf("%s: %d %s", call, a.status, a.body)
		}
		w.refuses(w.call(call[0], "/api/v1/operations/"+other+call[1], "", inA...), 404, "not_found", "id")
	}
	a := w.call("GET", "/api/v1/operations", "", inA...)
	if list, _ := a.field("operations").([]any); len(list) != 1 || !strings.Contains(string(a.body), mine) {
		t.Errorf("%s", a.body)
	}
	w.refuses(w.call("GET", "/api/v1/operations?queue=b", "", inA...), 403, "forbidden", "queue")
	w.refuses(w.call("POST", "/api/v1/queues/b/operations", `{"action":"kill","filter":{}}`, inA...), 403, "forbidden", "queue")
	w.refuses(w.call("POST", ops, `{"action":"move","to_queue":"b","filter":{}}`, inA...), 403, "forbidden", "to_queue")
	w.refuses(w.call("POST", ops, `{"action":"move","to_queue":"b","filter":{},"dry_run":true}`, inA...), 403, "forbidden", "to_queue")
	w.refuses(w.call("POST", "/api/v1/queues/b/imports", "{}\n", append(pusher, "Content-Type", "application/x-ndjson")...), 403, "forbidden", "queue")
	// Who pushes may import, and end what was imported; who reads may look.
	imported := w.call("POST", "/api/v1/queues/a/imports", "{}\n", append(pusher, "Content-Type", "application/x-ndjson")...)
	id, _ := imported.field("id").(string)
	if imported.status != 202 || imported.field("asked_by") != "pusher" {
		t.Fatalf("%d %s", imported.status, imported.body)
	}
	second, _ := w.must(202, "POST", ops, `{"action":"kill","filter":{}}`).field("id").(string)
	w.refuses(w.call("POST", "/api/v1/operations/"+second+"/cancel", "", pusher...), 403, "forbidden", "")
	w.refuses(w.call("GET", "/api/v1/operations/"+id, "", pusher...), 403, "forbidden", "")
	w.refuses(w.call("POST", "/api/v1/operations/"+id+"/cancel", "", reader...), 403, "forbidden", "")
	if a := w.call("GET", "/api/v1/operations/"+id, "", reader...); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := w.call("POST", "/api/v1/operations/"+id+"/cancel", "", pusher...); a.status != 200 || a.field("state") != "canceled" || a.field("canceled_by") != "pusher" {
		t.Errorf("%d %s", a.status, a.body)
	}
}
