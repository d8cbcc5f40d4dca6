package api_test

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// calls are the calls of the API, as docs/api.md tells them.
var calls = []string{
	"GET /queues", "GET /queues/{queue}", "PUT /queues/{queue}", "PATCH /queues/{queue}", "DELETE /queues/{queue}",
	"POST /queues/{queue}/truncate", "POST /queues/{queue}/pause", "POST /queues/{queue}/resume", "GET /queues/{queue}/versions",
	"POST /queues/{queue}/clone", "POST /queues/{queue}/rename", "POST /queues/{queue}/move",
	"GET /queues/{queue}/documents", "POST /queues/{queue}/documents", "GET /queues/{queue}/documents/{subject}",
	"POST /queues/{queue}/documents/{action}", "POST /queues/{queue}/documents/{subject}/{action}",
	"POST /queues/{queue}/pick", "POST /queues/{queue}/resolve", "POST /queues/{queue}/extend",
	"GET /queues/{queue}/logs", "POST /queues/{queue}/logs", "GET /trace", "GET /trace/{subject}",
	"GET /queues/{queue}/metrics", "POST /queues/{queue}/metrics", "GET /series", "POST /marks", "GET /errors",
	"POST /queues/{queue}/operations", "POST /queues/{queue}/imports", "GET /operations", "GET /operations/{id}", "GET /operations/{id}/failures",
	"POST /operations/{id}/cancel", "POST /operations/{id}/undo",
	"GET /backups", "POST /backups", "GET /backups/{destination}/{backup}", "POST /backups/{destination}/{backup}/verify",
	"POST /backups/{destination}/{backup}/preview", "POST /backups/{destination}/{backup}/restore",
	"GET /backup-destinations", "PUT /backup-destinations/{destination}", "DELETE /backup-destinations/{destination}", "POST /backup-destinations/{destination}/test",
	"GET /backup-schedules", "PUT /backup-schedules/{schedule}", "DELETE /backup-schedules/{schedule}",
	"GET /workers", "POST /workers/{worker}/quiet", "POST /workers/{worker}/wake",
}

// bodies are the calls that take one: what its type is called, and what the example of it is answered with.
var bodies = map[string]struct {
	name   string
	status int
}{
	"PUT /queues/{queue}":                               {"SettingsBody", 200},
	"PATCH /queues/{queue}":                             {"SettingsBody", 200},
	"POST /queues/{queue}/truncate":                     {"TruncateRequest", 200},
	"POST /queues/{queue}/pause":                        {"PauseRequest", 200},
	"POST /queues/{queue}/resume":                       {"ResumeRequest", 200},
	"POST /queues/{queue}/clone":                        {"ToRequest", 201},
	"POST /queues/{queue}/rename":                       {"ToRequest", 200},
	"POST /queues/{queue}/move":                         {"MoveRequest", 202},
	"POST /queues/{queue}/documents":                    {"PushRequest", 200},
	"POST /queues/{queue}/documents/{action}":           {"Resolution", 409},
	"POST /queues/{queue}/documents/{subject}/{action}": {"Resolution", 409},
	"POST /queues/{queue}/pick":                         {"PickRequest", 200},
	"POST /queues/{queue}/resolve":                      {"ResolveRequest", 200},
	"POST /queues/{queue}/extend":                       {"ExtendRequest", 200},
	"POST /queues/{queue}/logs":                         {"LogsRequest", 202},
	"POST /queues/{queue}/metrics":                      {"MetricsRequest", 202},
	"POST /marks":                                       {"MarkRequest", 201},
	"POST /queues/{queue}/operations":                   {"OperationRequest", 202},
	"PUT /backup-destinations/{destination}":            {"BackupDestinationRequest", 200},
	"PUT /backup-schedules/{schedule}":                  {"BackupScheduleRequest", 404}, // there is no destination
	"POST /backups":                                     {"BackupRequest", 404},
	"POST /backups/{destination}/{backup}/verify":       {"VerifyRequest", 404},
	"POST /backups/{destination}/{backup}/preview":      {"RestoreRequest", 404},
	"POST /backups/{destination}/{backup}/restore":      {"RestoreRequest", 404},
}

// told is the OpenAPI document.
type told struct {
	OpenAPI string `json:"openapi"`
	Paths   map[string]map[string]struct {
		Summary     string `json:"summary"`
		RequestBody *struct {
			Content map[string]struct {
				Schema  toldType        `json:"schema"`
				Example json.RawMessage `json:"example"`
			} `json:"content"`
		} `json:"requestBody"`
	} `json:"paths"`
	Components struct {
		Schemas         map[string]toldType `json:"schemas"`
		SecuritySchemes map[string]any      `json:"securitySchemes"`
	} `json:"components"`
}

type toldType struct {
	Ref         string              `json:"$ref"`
	Type        any                 `json:"type"`
	Description string              `json:"description"`
	Properties  map[string]toldType `json:"properties"`
	Items       *toldType           `json:"items"`
}

func description(t *testing.T, w *world) (doc told, text string) {
	t.Helper()
	a := w.call("GET", "/api/openapi.json", "", "Authorization", "")
	if err := json.Unmarshal(a.body, &doc); err != nil || !strings.HasPrefix(doc.OpenAPI, "3.1") || doc.Components.SecuritySchemes["token"] == nil {
		t.Fatalf("%d %.200s: %v", a.status, a.body, err)
	}
	return doc, string(a.body)
}

func TestTheDescriptionTellsEveryCall(t *testing.T) {
	t.Parallel()
	doc, text := description(t, newWorld(t))
	n := 0
	for _, methods := range doc.Paths {
		n += len(methods)
	}
	if n != len(calls) {
		t.Errorf("%d calls are told, %d are there", n, len(calls))
	}
	for _, c := range calls {
		method, path, _ := strings.Cut(c, " ")
		op, ok := doc.Paths["/api/v1"+path][strings.ToLower(method)]
		if !ok || !strings.Contains(op.Summary, "[") && !strings.Contains(op.Summary, "The same") {
			t.Errorf("%s is not told, or not its right: %q", c, op.Summary)
		}
		if strings.HasSuffix(c, "/imports") {
			if op.RequestBody.Content["application/x-ndjson"].Schema.Ref != "#/components/schemas/Push" || len(op.RequestBody.Content["text/csv"].Example) < 10 {
				t.Errorf("the bodies of %s are %v", c, op.RequestBody.Content)
			}
			continue
		}
		if want := bodies[c].name; (op.RequestBody != nil) != (want != "") {
			t.Errorf("%s takes a body: %v; %q is wanted", c, op.RequestBody != nil, want)
		} else if want != "" && op.RequestBody.Content["application/json"].Schema.Ref != "#/components/schemas/"+want {
			t.Errorf("the body of %s is %q; %s is wanted", c, op.RequestBody.Content["application/json"].Schema.Ref, want)
		}
	}
	push := doc.Paths["/api/v1/queues/{queue}/documents"]["post"]
	if push.RequestBody.Content["application/x-ndjson"].Schema.Ref == "" {
		t.Error("the push as NDJSON is not told")
	}
	for _, name := range []string{"PushRequest", "PickResponse", "Leased", "Document", "Queue", "Resolution", "Log"} {
		if doc.Components.Schemas[name].Properties == nil {
			t.Errorf("the type %s is not told", name)
		}
	}
	if strings.Contains(text, "$schema") {
		t.Error("there are links to schemas")
	}
}

func TestEveryFieldOfABodyIsDescribed(t *testing.T) {
	t.Parallel()
	doc, _ := description(t, newWorld(t))
	seen := map[string]bool{}
	var walk func(name string)
	walk = func(name string) {
		if seen[name] {
			return
		}
		seen[name] = true
		if len(doc.Components.Schemas[name].Properties) == 0 {
			t.Errorf("%s has no fields", name)
		}
		for field, f := range doc.Components.Schemas[name].Properties {
			if f.Description == "" {
				t.Errorf("%s.%s is not described", name, field)
			}
			anything := field == "payload" || field == "details"
			if f.Type == nil && f.Ref == "" && !anything {
				t.Errorf("%s.%s has no type", name, field)
			}
			for _, inner := range []*toldType{&f, f.Items} {
				if inner != nil && inner.Ref != "" {
					walk(strings.TrimPrefix(inner.Ref, "#/components/schemas/"))
				}
			}
		}
	}
	for _, b := range bodies {
		walk(b.name)
	}
	for _, name := range []string{"Push", "Resolution", "LeaseRef", "LogEntry", "Backoff", "Rate", "OperationFilter"} {
		if !seen[name] {
			t.Errorf("nothing leads to %s", name)
		}
	}
}

func TestTheExamplesOfBodiesAreTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	doc, _ := description(t, w)
	for c, want := range bodies {
		method, path, _ := strings.Cut(c, " ")
		example := doc.Paths["/api/v1"+path][strings.ToLower(method)].RequestBody.Content["application/json"].Example
		if len(example) < 10 {
			t.Errorf("%s has no example: %s", c, example)
			continue
		}
		for _, name := range []string{"pages", "pages_2"} {
			w.call("DELETE", "/api/v1/queues/"+name+"?confirm="+name, "")
		}
		w.must(201, "PUT", "/api/v1/queues/pages", `{}`)
		subject := url.QueryEscape("https://a.example/b?c")
		w.must(200, "POST", "/api/v1/queues/pages/documents", `{"documents":[{"subject":"https://a.example/b?c"}]}`)
		to := strings.NewReplacer("{queue}", "pages", "{subject}", subject, "{action}", "reschedule", "{destination}", "here", "{schedule}", "nightly", "{backup}", "none").Replace("/api/v1" + path)
		if strings.HasSuffix(path, "/move") {
			w.must(200, "POST", "/api/v1/queues/pages/pause", `{}`)
		}
		if strings.HasSuffix(path, "/documents/{action}") {
			to += "?subject=" + subject
		}
		if a := w.call(method, to, string(example)); a.status != want.status || strings.Contains(string(a.body), `"invalid"`) {
			t.Errorf("%s with %s: %d %s; %d is wanted", c, example, a.status, a.body, want.status)
		}
	}
}

func TestThePageOfCallsNeedsNoScriptAndNothingFromElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.call("GET", "/api/docs", "", "Authorization", "")
	page := string(a.body)
	if a.status != 200 || strings.Contains(page, "<script") || regexp.MustCompile(`(src|href)="[^/#]`).MatchString(page) || !strings.Contains(page, "/queues/{queue}/pick") {
		t.Errorf("%d %.500s", a.status, page)
	}
	for _, want := range []string{"list of Push</a>; 1 to 1000 items", "ignore, update", "-32767 to 32767", "1 to 255 bytes", "integer or null", "any JSON", `href="#type-Resolution"`, `id="type-Resolution"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if !strings.Contains(a.header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("the policy is %q", a.header.Get("Content-Security-Policy"))
	}
}
