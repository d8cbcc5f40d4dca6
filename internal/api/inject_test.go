package api_test

import (
	"encoding/json"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// injected are texts that mean something to SQL, to its patterns and formats, and bytes that are no text of Postgres.
var injected = []string{`x'"; drop schema fetchq cascade; --\$1$$%_%I{}`, "x\x00\xff\xed\xa0\x80"}

// replaced returns copies of a value of JSON, in each of which another of its texts is replaced, also the names of members.
func replaced(v any, text string) (all []any) {
	switch v := v.(type) {
	case string:
		return []any{text}
	case []any:
		for i, inner := range v {
			for _, other := range replaced(inner, text) {
				list := slices.Clone(v)
				list[i] = other
				all = append(all, list)
			}
		}
	case map[string]any:
		for name, inner := range v {
			for _, other := range replaced(inner, text) {
				object := maps.Clone(v)
				object[name] = other
				all = append(all, object)
			}
			object := maps.Clone(v)
			delete(object, name)
			object[text] = inner
			all = append(all, object)
		}
	}
	return all
}

// TestNoTextOfACallIsReadAsSQL sends hostile texts in each part of a path, each parameter and each text of a body.
func TestNoTextOfACallIsReadAsSQL(t *testing.T) {
	if testing.Short() {
		t.Skip("hundreds of requests")
	}
	t.Parallel()
	w := newWorld(t)
	var doc struct {
		Paths map[string]map[string]struct {
			Parameters []struct {
				Name, In string
			} `json:"parameters"`
			RequestBody struct {
				Content map[string]struct {
					Example json.RawMessage `json:"example"`
				} `json:"content"`
			} `json:"requestBody"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(w.call("GET", "/api/openapi.json", "").body, &doc); err != nil {
		t.Fatal(err)
	}
	sent := 0
	ask := func(method, path, body string, headers ...string) {
		t.Helper()
		sent++
		if a := w.call(method, path, body, headers...); a.status >= 500 || strings.Contains(string(a.body), "SQLSTATE") {
			t.Errorf("%s %s %.300s: %d %s", method, path, body, a.status, a.body)
		}
	}
	w.must(201, "PUT", "/api/v1/queues/pages", `{}`)
	w.must(200, "POST", "/api/v1/queues/pages/documents", `{"documents":[{"subject":"x","payload":{"a":1}}]}`)
	usual := strings.NewReplacer("{queue}", "pages", "{subject}", "x", "{action}", "reschedule", "{destination}", "here", "{schedule}", "nightly", "{backup}", "none",
		"{worker}", "host-1", "{id}", "00000000-0000-0000-0000-000000000000")
	part := regexp.MustCompile(`\{[a-z]+\}`)
	for path, methods := range doc.Paths {
		for method, call := range methods {
			method := strings.ToUpper(method)
			to := usual.Replace(path)
			var example any
			if text := call.RequestBody.Content["application/json"].Example; len(text) > 0 {
				if err := json.Unmarshal(text, &example); err != nil {
					t.Fatal(err)
				}
			}
			if object, ok := example.(map[string]any); ok {
				delete(object, "wait") // a pick that finds nothing
			}
			usualBody := ""
			if example != nil {
				text, _ := json.Marshal(example)
				usualBody = string(text)
			}
			for _, text := range injected {
				for _, name := range part.FindAllString(path, -1) {
					ask(method, usual.Replace(strings.Replace(path, name, url.PathEscape(text), 1)), usualBody)
				}
				for _, p := range call.Parameters {
					if p.In == "query" {
						ask(method, to+"?"+url.Values{p.Name: {text}}.Encode(), usualBody)
					}
				}
				for _, v := range replaced(example, text) {
					body, err := json.Marshal(v) // which writes what is no UTF-8 as U+FFFD
					if err != nil {
						t.Fatal(err)
					}
					ask(method, to, string(body))
					ask(method, to, strings.ReplaceAll(string(body), `\ufffd`, "\xff"))
				}
			}
			ask(method, to, usualBody, "Idempotency-Key", injected[0], "X-Request-Id", injected[0])
		}
	}
	if sent < 500 {
		t.Errorf("only %d calls were made", sent)
	}
	t.Logf("%d calls", sent)
	if a := w.call("GET", "/api/v1/queues", ""); a.status != 200 {
		t.Errorf("the list of queues did not outlive it: %d %s", a.status, a.body)
	}
}
