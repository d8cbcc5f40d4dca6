package api_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// calls are the calls of the API, as docs/api.md tells them.
var calls = []string{
	"GET /queues", "GET /queues/{queue}", "PUT /queues/{queue}", "PATCH /queues/{queue}", "DELETE /queues/{queue}",
	"POST /queues/{queue}/truncate", "POST /queues/{queue}/pause", "POST /queues/{queue}/resume",
	"GET /queues/{queue}/documents", "POST /queues/{queue}/documents", "GET /queues/{queue}/documents/{subject}",
	"POST /queues/{queue}/documents/{action}", "POST /queues/{queue}/documents/{subject}/{action}",
	"POST /queues/{queue}/pick", "POST /queues/{queue}/resolve", "POST /queues/{queue}/extend",
	"GET /queues/{queue}/logs", "POST /queues/{queue}/logs", "GET /trace", "GET /trace/{subject}",
}

func TestTheDescriptionTellsEveryCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.call("GET", "/api/openapi.json", "", "Authorization", "")
	var doc struct {
		OpenAPI string `json:"openapi"`
		Paths   map[string]map[string]struct {
			Summary     string `json:"summary"`
			RequestBody *struct {
				Content map[string]struct {
					Schema map[string]any `json:"schema"`
				} `json:"content"`
			} `json:"requestBody"`
		} `json:"paths"`
		Components struct {
			Schemas         map[string]map[string]any `json:"schemas"`
			SecuritySchemes map[string]any            `json:"securitySchemes"`
		} `json:"components"`
	}
	if err := json.Unmarshal(a.body, &doc); err != nil || !strings.HasPrefix(doc.OpenAPI, "3.1") || doc.Components.SecuritySchemes["token"] == nil {
		t.Fatalf("%d %.200s: %v", a.status, a.body, err)
	}
	told := 0
	for _, methods := range doc.Paths {
		told += len(methods)
	}
	if told != len(calls) {
		t.Errorf("%d calls are told, %d are there", told, len(calls))
	}
	for _, c := range calls {
		method, path, _ := strings.Cut(c, " ")
		op, ok := doc.Paths["/api/v1"+path][strings.ToLower(method)]
		if !ok || !strings.Contains(op.Summary, "[") && !strings.Contains(op.Summary, "The same") {
			t.Errorf("%s is not told, or not its right: %q", c, op.Summary)
		}
		if op.RequestBody != nil && op.RequestBody.Content["application/json"].Schema["$ref"] == nil {
			t.Errorf("%s has a body without a type", c)
		}
	}
	push := doc.Paths["/api/v1/queues/{queue}/documents"]["post"]
	if push.RequestBody.Content["application/x-ndjson"].Schema == nil {
		t.Error("the push as NDJSON is not told")
	}
	for _, name := range []string{"PushRequest", "PickResponse", "Leased", "Document", "Queue", "Resolution", "Log"} {
		if doc.Components.Schemas[name]["properties"] == nil {
			t.Errorf("the type %s is not told", name)
		}
	}
	if strings.Contains(string(a.body), "$schema") {
		t.Error("there are links to schemas")
	}
}

func TestThePageOfCallsNeedsNoScriptAndNothingFromElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.call("GET", "/api/docs", "", "Authorization", "")
	page := string(a.body)
	if a.status != 200 || strings.Contains(page, "<script") || strings.Contains(page, "://") || !strings.Contains(page, "/queues/{queue}/pick") {
		t.Errorf("%d %.500s", a.status, page)
	}
	if !strings.Contains(a.header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("the policy is %q", a.header.Get("Content-Security-Policy"))
	}
}
