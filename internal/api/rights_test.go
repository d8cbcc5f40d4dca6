package api_test

import (
	"strings"
	"testing"

	"github.com/fetchq/server/internal/auth"
)

func TestTheRightComesBeforeWhatElseIsWrong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(201, "PUT", "/api/v1/queues/a", `{}`)
	reader := w.token("reader", []string{auth.Read}, nil)
	worker := w.token("worker", []string{auth.Work}, nil)
	elsewhere := w.token("elsewhere", []string{auth.Admin}, []string{"b"})
	for name, tt := range map[string]struct {
		token, method, path string
		field               string // of the refusal
	}{
		"a parameter is missing":          {worker, "GET", "/api/v1/trace", ""},
		"the subject is missing":          {reader, "POST", documents + "/complete", ""},
		"there is no such action":         {reader, "POST", documents + "/x/explode", ""},
		"a parameter is outside":          {worker, "GET", "/api/v1/queues?limit=0", ""},
		"a parameter is no number":        {worker, "GET", documents + "?version=x", ""},
		"the confirmation is missing":     {reader, "DELETE", "/api/v1/queues/a", ""},
		"outside, of another queue":       {elsewhere, "GET", documents + "?limit=0", "queue"},
		"no subject, of another queue":    {elsewhere, "POST", documents + "/complete", "queue"},
		"a word that is none, of another": {elsewhere, "GET", "/api/v1/queues/a/logs?kind=all", "queue"},
	} {
		a := w.call(tt.method, tt.path, "", "Authorization", "Bearer "+tt.token)
		if a.status != 403 {
			t.Errorf("%s: %d %s; the right is missing", name, a.status, a.body)
			continue
		}
		w.refuses(a, 403, "forbidden", tt.field)
	}
	long := strings.Repeat("k", 256)
	w.refuses(w.call("POST", documents, `{"documents":[{}]}`, "Authorization", "Bearer "+reader, "Idempotency-Key", long), 403, "forbidden", "")
	// With the right, the rest is told.
	w.refuses(w.call("GET", "/api/v1/trace", "", "Authorization", "Bearer "+reader), 422, "invalid", "subject")
	w.refuses(w.call("POST", documents+"/complete", "", "Authorization", "Bearer "+worker), 422, "invalid", "subject")
}
