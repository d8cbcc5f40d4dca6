package api_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/fetchq/server/client"
	"github.com/fetchq/server/internal/auth"
)

// listed asks for workers.
func (w *world) listed(query string, headers ...string) (list client.WorkersResponse) {
	w.t.Helper()
	a := w.call("GET", "/api/v1/workers?"+query, "", headers...)
	if err := json.Unmarshal(a.body, &list); err != nil || a.status != 200 {
		w.t.Fatalf("workers: %d %s", a.status, a.body)
	}
	return list
}

// names of workers with their states, in the order of the list.
func workerNames(list client.WorkersResponse) string {
	var names []string
	for _, w := range list.Workers {
		names = append(names, w.Name+" "+w.State)
	}
	return strings.Join(names, ", ")
}

func TestWorkersAreListedByNameAsATokenSeesThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, q := range []string{"a", "b"} {
		w.must(201, "PUT", "/api/v1/queues/"+q, `{}`)
		w.must(200, "POST", "/api/v1/queues/"+q+"/documents", `{"documents":[{"subject":"1"},{"subject":"2"},{"subject":"3"}]}`)
	}
	w.must(200, "POST", "/api/v1/queues/a/pick", `{"worker":"both"}`)
	w.must(200, "POST", "/api/v1/queues/b/pick", `{"worker":"both"}`)
	w.must(200, "POST", "/api/v1/queues/b/pick", `{"worker":"an other"}`)
	w.must(200, "POST", "/api/v1/queues/b/pick", `{"version":7,"worker":"zzz"}`)
	w.must(200, "POST", "/api/v1/queues/a/pick", `{}`)
	w.folded()
	limited := []string{"Authorization", "Bearer " + w.token("limited", []string{auth.Read}, []string{"a"})}
	for query, want := range map[string]string{
		"": "an other working, both working, zzz waiting", "queue=a": "both working", "state=waiting": "zzz waiting", "queue=b&state=working": "an other working, both working",
		"limit=1": "an other working",
	} {
		if got := workerNames(w.listed(query)); got != want {
			t.Errorf("?%s lists %s; %s is wanted", query, got, want)
		}
	}
	all := w.listed("")
	if b := all.Workers[1]; b.Active != 2 || len(b.Queues) != 2 || *all.Unnamed != 1 || !all.Whole || b.ErrorRate != nil || b.WorkP95 != nil || b.HeldSince == nil {
		t.Errorf("%+v, %+v", all, b)
	}
	if one := w.listed("", limited...); workerNames(one) != "both working" || one.Workers[0].Active != 1 || len(one.Workers[0].Queues) != 1 || one.Unnamed != nil {
		t.Errorf("a token that is limited to a queue sees %+v", one)
	}
	next := w.listed("limit=2").NextCursor
	if next == nil || workerNames(w.listed("limit=2&cursor="+url.QueryEscape(*next))) != "zzz waiting" {
		t.Errorf("behind the first page (%v) is not the second", next)
	}
	w.refuses(w.call("GET", "/api/v1/workers?cursor=x", ""), 422, "invalid", "cursor")
	w.refuses(w.call("GET", "/api/v1/workers?state=dead", ""), 422, "invalid", "state")
	w.refuses(w.call("GET", "/api/v1/workers?queue=none", ""), 404, "not_found", "queue")
	w.refuses(w.call("GET", "/api/v1/workers?queue=b", "", limited...), 403, "forbidden", "queue")
}

func TestAnyWorkerIsAskedToGoQuietAndWoken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(201, "PUT", "/api/v1/queues/a", `{}`)
	for _, name := range append([]string{strings.Repeat("w", 255)}, odd...) {
		w.must(200, "POST", documents, `{"documents":[{}]}`)
		body, err := json.Marshal(map[string]any{"worker": name})
		if err != nil {
			t.Fatal(err)
		}
		held := w.must(200, "POST", "/api/v1/queues/a/pick", string(body))
		if a := w.must(200, "POST", "/api/v1/workers/"+escape(name)+"/quiet", ""); a.field("name") != name {
			t.Errorf("%q: %s", name, a.body)
		}
		picked := w.must(200, "POST", "/api/v1/queues/a/pick", string(body))
		if control := picked.field("control").(map[string]any); control["quiet"] != true || control["paused"] != false {
			t.Errorf("%q: a pick says %s", name, picked.body)
		}
		doc := held.field("documents").([]any)[0].(map[string]any)
		lease, err := json.Marshal(map[string]any{"leases": []any{map[string]any{"subject": doc["subject"], "lease": doc["lease"]}}})
		if err != nil {
			t.Fatal(err)
		}
		extended := w.must(200, "POST", "/api/v1/queues/a/extend", string(lease))
		if control := extended.field("control").(map[string]any); control["quiet"] != true {
			t.Errorf("%q: an extension says %s", name, extended.body)
		}
		if a := w.must(200, "POST", "/api/v1/workers/"+escape(name)+"/wake", ""); a.field("quiet") != nil {
			t.Errorf("%q: %s", name, a.body)
		}
		if picked = w.must(200, "POST", "/api/v1/queues/a/pick", string(body)); picked.field("control").(map[string]any)["quiet"] != false {
			t.Errorf("%q: woken, a pick says %s", name, picked.body)
		}
	}
	limited := "Bearer " + w.token("limited", []string{auth.Admin}, []string{"a"})
	w.refuses(w.call("POST", "/api/v1/workers/x/quiet", "", "Authorization", limited), 403, "forbidden", "")
	w.refuses(w.call("POST", "/api/v1/workers/x/wake", "", "Authorization", limited), 403, "forbidden", "")
	w.refuses(w.call("POST", "/api/v1/workers/nobody/quiet", ""), 404, "not_found", "worker")
	w.refuses(w.call("POST", "/api/v1/workers/"+strings.Repeat("w", 256)+"/quiet", ""), 422, "invalid", "worker")
	w.refuses(w.call("POST", "/api/v1/workers/%00/wake", ""), 422, "invalid", "worker")
	w.refuses(w.call("POST", "/api/v1/queues/a/resolve", `{"worker":"`+strings.Repeat("w", 256)+`","resolutions":[{"subject":"x","lease":1,"action":"drop"}]}`), 422, "invalid", "worker")
}
