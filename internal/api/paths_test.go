package api_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

// odd are subjects that a path spoils easily.
var odd = []string{
	"https://a.example/b?c=d#e", "a/b", "/", "//", ".", "..", "../x", "a%2Fb", "%", "%25", "100%", "a+b", "a b", " ", "?", "#", ";x=1", "&", "ä€😀",
	`"quoted"`, `back\slash`, "a\tb\n", "run_now", "documents", "<script>", ":queue", "*", "a:b@c",
}

// escape writes a subject as one segment of a path. Dots alone would be taken for a step up by clients and proxies.
func escape(s string) string {
	if s == "." || s == ".." {
		return strings.ReplaceAll(s, ".", "%2E")
	}
	return url.PathEscape(s)
}

func TestAnySubjectIsFoundByPathAndByQuery(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(201, "PUT", "/api/v1/queues/a", `{}`)
	for _, s := range odd {
		w.finds(s)
	}
}

// finds pushes a document and finds it in every way that a path leads to it.
func (w *world) finds(s string) {
	w.t.Helper()
	subject, err := json.Marshal(s)
	if err != nil {
		w.t.Fatal(err)
	}
	w.must(200, "POST", documents, `{"documents":[{"subject":`+string(subject)+`}]}`)
	for _, path := range []string{documents + "/" + escape(s), documents + "?subject=" + url.QueryEscape(s)} {
		if a := w.call("GET", path, ""); a.status != http.StatusOK || a.field("subject") != s {
			w.t.Errorf("%q by %s: %d %s", s, path, a.status, a.body)
		}
	}
	for _, path := range []string{documents + "/" + escape(s) + "/run_now", documents + "/run_now?subject=" + url.QueryEscape(s)} {
		if a := w.call("POST", path, ""); a.status != http.StatusOK || a.field("subject") != s {
			w.t.Errorf("%q by %s: %d %s", s, path, a.status, a.body)
		}
	}
	if a := w.call("GET", "/api/v1/trace/"+escape(s), ""); !strings.Contains(string(a.body), `"status":"pending"`) {
		w.t.Errorf("%q is not traced: %s", s, a.body)
	}
}

func TestAListIsFilteredByNumbers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(201, "PUT", "/api/v1/queues/a", `{}`)
	w.must(200, "POST", documents, `{"documents":[{"subject":"plain"},{"subject":"new","version":3},{"subject":"low","priority":-5}]}`)
	for query, want := range map[string]string{
		"": "low new plain", "?version=0": "low plain", "?version=3": "new", "?priority=-5": "low", "?priority=0": "new plain", "?version=3&priority=-5": "",
		"?attempts_min=1": "",
	} {
		var got []string
		for _, d := range w.must(200, "GET", documents+query, "").field("documents").([]any) {
			got = append(got, d.(map[string]any)["subject"].(string))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q lists %v; %s is wanted", query, got, want)
		}
	}
}

func FuzzSubjectInPath(f *testing.F) {
	for _, s := range odd {
		f.Add(s)
	}
	w := newWorldFor(f)
	w.must(201, "PUT", "/api/v1/queues/a", `{}`)
	f.Fuzz(func(t *testing.T, s string) {
		if s == "" || len(s) > 255 || !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
			t.Skip("no subject")
		}
		here := *w
		here.t = t
		here.finds(s)
	})
}

// FuzzRawPath sends what no client would: the answer is never a defect of ours.
func FuzzRawPath(f *testing.F) {
	for _, s := range []string{"%2", "%zz", "%00", "%C3%28", "a//b", "%2F%2F", "..%2f..", "x/complete/y", "%ff/run_now", "?subject=%00", "?limit=-1&cursor=A"} {
		f.Add(s)
	}
	w := newWorldFor(f)
	w.must(201, "PUT", "/api/v1/queues/a", `{}`)
	f.Fuzz(func(t *testing.T, path string) {
		if _, err := http.NewRequest(http.MethodGet, w.url+documents+"/"+path, nil); err != nil {
			t.Skip("no request")
		}
		here := *w
		here.t = t
		for _, method := range []string{"GET", "POST"} {
			if a := here.call(method, documents+"/"+path, ""); a.status >= 500 {
				t.Errorf("%s %q: %d %s", method, path, a.status, a.body)
			}
		}
	})
}
