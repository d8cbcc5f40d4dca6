package api_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fetchq/server/internal/api"
	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/queue"
)

// refuses wants one line of the error table.
func (w *world) refuses(a answer, status int, code, field string) {
	w.t.Helper()
	want := "application/problem+json"
	if a.status != status || a.field("code") != code || a.header.Get("Content-Type") != want {
		w.t.Errorf("%d %s %s; %d %s as %s is wanted", a.status, a.header.Get("Content-Type"), a.body, status, code, want)
	}
	got, _ := a.field("field").(string)
	if got != field {
		w.t.Errorf("the field is %q in %s; %q is wanted", got, a.body, field)
	}
	if id := a.field("request_id"); id == "" || id != a.header.Get("X-Request-Id") {
		w.t.Errorf("the request id is %v in the body and %s in the header", id, a.header.Get("X-Request-Id"))
	}
	if retry := a.header.Get("Retry-After") != ""; retry != (status == 429 || status == 503) {
		w.t.Errorf("%d with Retry-After %q", status, a.header.Get("Retry-After"))
	}
}

const documents = "/api/v1/queues/a/documents"

func TestEachLineOfTheErrorTable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(201, "PUT", "/api/v1/queues/a", `{}`)
	w.must(201, "PUT", "/api/v1/queues/b", `{}`)
	w.must(200, "POST", documents, `{"documents":[{"subject":"x"},{"subject":"held","priority":9}]}`)
	w.must(200, "POST", "/api/v1/queues/b/documents", `{"documents":[{"subject":"x"}]}`)
	w.must(200, "POST", "/api/v1/queues/a/pick", `{}`)
	big := strings.Repeat("x", 1<<20)
	reader := w.token("reader", []string{auth.Read}, []string{"b"})
	for name, tt := range map[string]struct {
		a           answer
		status      int
		code, field string
	}{
		"malformed: no JSON":         {w.call("POST", documents, `{"documents":`), 400, "malformed", ""},
		"malformed: another type":    {w.call("POST", documents, `{"documents":{}}`), 400, "malformed", "documents"},
		"malformed: no object":       {w.call("PUT", "/api/v1/queues/c", `[]`), 400, "malformed", ""},
		"malformed: empty":           {w.call("POST", documents, ""), 400, "malformed", ""},
		"invalid: unknown member":    {w.call("POST", documents, `{"documents":[{"subject":"a","colour":1}]}`), 422, "invalid", "documents[0].colour"},
		"invalid: setting":           {w.call("PUT", "/api/v1/queues/c", `{"lock":"25h"}`), 422, "invalid", "lock"},
		"invalid: name":              {w.call("PUT", "/api/v1/queues/Big", `{}`), 422, "invalid", "queue"},
		"invalid: policy":            {w.call("POST", documents, `{"documents":[{}],"on_conflict":"replace"}`), 422, "invalid", "on_conflict"},
		"invalid: none":              {w.call("POST", documents, `{"documents":[]}`), 422, "invalid", "documents"},
		"invalid: lock":              {w.call("POST", "/api/v1/queues/a/pick", `{"lock":"1ms"}`), 422, "invalid", "lock"},
		"invalid: no lock":           {w.call("POST", "/api/v1/queues/a/pick", `{"lock":"0s"}`), 422, "invalid", "lock"},
		"invalid: wait":              {w.call("POST", "/api/v1/queues/a/pick", `{"wait":"61s"}`), 422, "invalid", "wait"},
		"invalid: version":           {w.call("POST", "/api/v1/queues/a/pick", `{"version":40000}`), 422, "invalid", "version"},
		"invalid: limit of a list":   {w.call("GET", documents+"?limit=201", ""), 422, "invalid", "limit"},
		"invalid: limit as text":     {w.call("GET", documents+"?limit=many", ""), 422, "invalid", "limit"},
		"invalid: version of a list": {w.call("GET", documents+"?version=-1", ""), 422, "invalid", "version"},
		"invalid: priority":          {w.call("GET", documents+"?priority=-32768", ""), 422, "invalid", "priority"},
		"invalid: nothing to edit":   {w.call("POST", documents+"/x/edit", `{}`), 422, "invalid", "payload"},
		"invalid: status":            {w.call("GET", documents+"?status=gone", ""), 422, "invalid", "status"},
		"invalid: cursor":            {w.call("GET", documents+"?cursor=x", ""), 422, "invalid", "cursor"},
		"invalid: escape":            {w.call("GET", documents+"/%C3%28", ""), 422, "invalid", "subject"},
		"invalid: date":              {w.call("POST", documents+"/x/edit", `{"next_iteration":"soon"}`), 422, "invalid", "next_iteration"},
		"invalid: action":            {w.call("POST", documents+"/x/explode", `{}`), 422, "invalid", "action"},
		"invalid: confirm":           {w.call("DELETE", "/api/v1/queues/a?confirm=b", ""), 422, "invalid", "confirm"},
		"invalid: too many":          {w.call("POST", documents, `{"documents":[`+strings.Repeat("{},", 1000)+`{}]}`), 422, "invalid", "documents"},
		"invalid: too many leases":   {w.call("POST", "/api/v1/queues/a/extend", `{"leases":[`+strings.Repeat("{},", 1000)+`{}]}`), 422, "invalid", "leases"},
		"invalid: base twice":        {w.call("PUT", "/api/v1/queues/c", `{"backoff":{"base":"1s","base":"2s"}}`), 422, "invalid", "backoff.base"},
		"invalid: part of a rate":    {w.call("PUT", "/api/v1/queues/c", `{"rate":{"picks":1,"per":"1s","colour":1}}`), 422, "invalid", "rate.colour"},
		"invalid: a bad escape":      {w.call("GET", documents+"?status=%zz", ""), 422, "invalid", "query"},
		"invalid: a semicolon":       {w.call("GET", documents+"?limit=1;status=killed", ""), 422, "invalid", "query"},
		"unauthenticated: none":      {w.call("GET", "/api/v1/queues", "", "Authorization", ""), 401, "unauthenticated", ""},
		"unauthenticated: unknown":   {w.call("GET", "/api/v1/queues", "", "Authorization", "Bearer fq_x"), 401, "unauthenticated", ""},
		"forbidden: the right":       {w.call("PUT", "/api/v1/queues/b", `{}`, "Authorization", "Bearer "+reader), 403, "forbidden", ""},
		"forbidden: the queue":       {w.call("GET", "/api/v1/queues/a", "", "Authorization", "Bearer "+reader), 403, "forbidden", "queue"},
		"not_found: queue":           {w.call("GET", "/api/v1/queues/none", ""), 404, "not_found", "queue"},
		"not_found: pick":            {w.call("POST", "/api/v1/queues/none/pick", `{}`), 404, "not_found", "queue"},
		"not_found: patch":           {w.call("PATCH", "/api/v1/queues/none", `{}`), 404, "not_found", "queue"},
		"not_found: document":        {w.call("GET", documents+"/nobody", ""), 404, "not_found", "subject"},
		"not_found: path":            {w.call("GET", "/api/v1/nothing", ""), 404, "not_found", ""},
		"not_found: method":          {w.call("DELETE", "/api/v1/queues", ""), 405, "not_found", ""},
		"stale":                      {w.call("POST", documents+"/held/complete", `{"lease":7}`), 409, "stale", "lease"},
		"exists":                     {w.call("POST", documents+"/x/forward", `{"to_queue":"b"}`), 409, "exists", "subject"},
		"active":                     {w.call("POST", documents+"/held/run_now", ""), 409, "active", ""},
		"too_large: payload":         {w.call("POST", documents+"/x/edit", `{"payload":"`+big+`"}`), 413, "too_large", "payload"},
		"too_large: pushed payload":  {w.call("POST", documents, `{"documents":[{"subject":"p","payload":"`+big+`"}]}`), 413, "too_large", "payload"},
		"too_large: body":            {w.call("POST", documents, `{"documents":"`+strings.Repeat("x", 16<<20)+`"}`), 413, "too_large", ""},
		"too_large: small body":      {w.call("POST", "/api/v1/queues/a/pause", `{"reason":"`+big+`"}`), 413, "too_large", ""},
		"unsupported":                {w.call("POST", documents, `documents=1`, "Content-Type", "application/x-www-form-urlencoded"), 415, "unsupported", ""},
	} {
		t.Run(name, func(t *testing.T) {
			(&world{t: t}).refuses(tt.a, tt.status, tt.code, tt.field)
		})
	}
}

func TestABadItemSpoilsNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(201, "PUT", "/api/v1/queues/a", `{}`)
	deep := strings.Repeat("[", 65) + strings.Repeat("]", 65)
	a := w.must(200, "POST", documents, `{"documents":[{"subject":"good"},{"subject":"deep","payload":`+deep+`},{"subject":"nul","payload":"\u0000"},
		{"subject":"digits","payload":`+strings.Repeat("9", 1001)+`},{"subject":"lone","payload":"\ud800"},{"subject":"when","next_iteration":"soon"},
		{"subject":"`+strings.Repeat("s", 256)+`"},{"subject":"prio","priority":99999},{"subject":"fine","payload":1e999}]}`)
	var outcomes []string
	for _, r := range a.field("results").([]any) {
		outcomes = append(outcomes, r.(map[string]any)["outcome"].(string))
	}
	want := append(append([]string{"created"}, slices.Repeat([]string{"invalid"}, 7)...), "created")
	if !slices.Equal(outcomes, want) {
		t.Errorf("%v; %v is wanted in %s", outcomes, want, a.body)
	}
}

func TestGuessingTokensIsSlowAndDisturbsNobodyElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var last answer
	for range 40 {
		last = w.call("GET", "/api/v1/queues", "", "Authorization", "Bearer fq_guess")
	}
	w.refuses(last, 429, "throttled", "")
	w.must(200, "GET", "/api/v1/queues", "")
}

func TestTheLineOfCallsHasAnEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(201, "PUT", "/api/v1/queues/a", `{}`)
	tx, err := w.db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.Background()) //nolint:errcheck // it locks, and writes nothing
	if _, err := tx.Exec(t.Context(), `lock table q_a.docs in access exclusive mode`); err != nil {
		t.Fatal(err)
	}
	answers := make(chan answer, 300)
	var calls sync.WaitGroup
	for range cap(answers) {
		calls.Go(func() { answers <- w.call("GET", documents+"/x", "") })
	}
	w.refuses(<-answers, 503, "overloaded", "")
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	calls.Wait()
}

func TestADatabaseThatIsAwayIsUnavailable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(200, "GET", "/readyz", "")
	w.must(201, "PUT", "/api/v1/queues/a", `{}`)
	name := w.db.Config().ConnConfig.Database
	other := dbtest.New(t)
	if _, err := other.Exec(t.Context(), `drop database `+name+` with (force)`); err != nil {
		t.Fatal(err)
	}
	w.refuses(w.call("GET", "/api/v1/queues/a", ""), 503, "unavailable", "")
	for deadline := time.Now().Add(10 * time.Second); w.call("GET", "/readyz", "").status == http.StatusOK && time.Now().Before(deadline); {
		time.Sleep(50 * time.Millisecond)
	}
	w.refuses(w.call("GET", "/readyz", ""), 503, "unavailable", "")
	w.must(200, "GET", "/healthz", "")
	if _, err := other.Exec(t.Context(), `create database `+name); err != nil { // for the end of the test
		t.Fatal(err)
	}
}

func TestADefectTellsNothingButItsRequestID(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	var log bytes.Buffer
	var mu sync.Mutex
	w := &world{t: t, db: db, tokens: auth.NewTokens(db, time.Now)}
	logger := slog.New(slog.NewTextHandler(locked{&mu, &log}, nil))
	w.engine = queue.New(db, queue.Options{Log: logger, Node: "test", Now: time.Now})
	server := httptest.NewServer(api.New(api.Options{Engine: w.engine, Tokens: w.tokens, Log: logger, Now: time.Now,
		Ready: func(ctx context.Context) error { return database.Error("ping", db.Ping(ctx)) }}))
	defer server.Close()
	w.url, w.admin = server.URL, w.token("admin", []string{auth.Admin}, nil)
	w.must(201, "PUT", "/api/v1/queues/a", `{}`)
	dbtest.Replace(t, db, "queue_oldest_due", "return v;", "return 'secret'::timestamptz;")
	a := w.call("GET", "/api/v1/queues/a", "", "X-Request-Id", "mine-1")
	w.refuses(a, 500, "internal", "")
	mu.Lock()
	defer mu.Unlock()
	if strings.Contains(string(a.body), "secret") || !strings.Contains(log.String(), "secret") || !strings.Contains(log.String(), "request_id=mine-1") {
		t.Errorf("the answer is %s, the log %s", a.body, log.String())
	}
}

func TestAPanicIsADefectWhoseTraceIsLogged(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	w := &world{t: t, db: dbtest.New(t)}
	w.tokens = auth.NewTokens(w.db, time.Now)
	server := httptest.NewServer(api.New(api.Options{Tokens: w.tokens, Log: logger, Now: time.Now})) // an engine is missing
	w.url, w.admin = server.URL, w.token("admin", []string{auth.Admin}, nil)
	a := w.call("GET", "/api/v1/queues", "")
	server.Close()
	w.refuses(a, 500, "internal", "")
	if !strings.Contains(log.String(), "listQueues") {
		t.Errorf("the log does not say where: %s", log.String())
	}
}

// locked writes for several goroutines.
type locked struct {
	mu *sync.Mutex
	to *bytes.Buffer
}

func (l locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to.Write(p)
}

func TestARequestIDThatIsNotPlainIsReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, id := range []string{"a b", strings.Repeat("x", 65), "<script>"} {
		if got := w.call("GET", "/healthz", "", "X-Request-Id", id).header.Get("X-Request-Id"); got == id || got == "" {
			t.Errorf("%q came back as %q", id, got)
		}
	}
}

// TestRights walks every route with a token of each right alone.
func TestRights(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(201, "PUT", "/api/v1/queues/a", `{}`)
	w.must(201, "PUT", "/api/v1/queues/other", `{}`)
	w.must(200, "POST", documents, `{"documents":[{"subject":"x"}]}`)
	tokens := map[string]string{}
	for _, right := range auth.Rights {
		tokens[right] = w.token("only "+right, []string{right}, []string{"a"})
	}
	tokens["work+push"] = w.token("both", []string{auth.Work, auth.Push}, []string{"a"})
	const forward = `{"resolutions":[{"subject":"x","lease":7,"action":"forward","to_queue":"%s"}]}`
	for _, tt := range []struct{ method, path, body, may string }{
		{"GET", "/queues", "", "read admin"},
		{"GET", "/queues/a", "", "read admin"},
		{"GET", "/queues/a/documents", "", "read admin"},
		{"GET", "/queues/a/documents?subject=x", "", "read admin"},
		{"GET", "/queues/a/documents/x", "", "read admin"},
		{"GET", "/queues/a/logs", "", "read admin"},
		{"GET", "/trace/x", "", "read admin"},
		{"GET", "/trace?subject=x", "", "read admin"},
		{"POST", "/queues/a/documents", `{"documents":[{"subject":"x"}]}`, "push admin work+push"},
		{"POST", "/queues/a/pick", `{"version":1}`, "work admin work+push"},
		{"POST", "/queues/a/resolve", `{"resolutions":[{"subject":"x","lease":7,"action":"complete"}]}`, "work admin work+push"},
		{"POST", "/queues/a/resolve", fmt.Sprintf(forward, "a"), "admin work+push"},
		{"POST", "/queues/a/resolve", fmt.Sprintf(forward, "other"), ""},
		{"POST", "/queues/a/pick", `{"resolutions":[{"subject":"x","lease":7,"action":"forward","to_queue":"other"}]}`, ""},
		{"POST", "/queues/a/extend", `{"leases":[{"subject":"x","lease":7}]}`, "work admin work+push"},
		{"POST", "/queues/a/logs", `{"logs":[{"message":"m"}]}`, "work admin work+push"},
		{"POST", "/queues/a/documents/x/complete", `{"lease":7}`, "work admin work+push"},
		{"POST", "/queues/a/documents/complete?subject=x", `{"lease":7}`, "work admin work+push"},
		{"POST", "/queues/a/documents/x/run_now", "", "admin"},
		{"POST", "/queues/a/documents/x/kill", "", "admin"},
		{"POST", "/queues/a/documents/x/forward", `{"to_queue":"other"}`, ""},
		{"PUT", "/queues/a", `{}`, "admin"},
		{"PATCH", "/queues/a", `{}`, "admin"},
		{"POST", "/queues/a/pause", `{}`, "admin"},
		{"POST", "/queues/a/resume", "", "admin"},
		{"POST", "/queues/a/truncate", `{"confirm":"a"}`, "admin"},
		{"GET", "/queues/other", "", ""},
		{"GET", "/queues/other/logs", "", ""},
		{"POST", "/queues/other/documents", `{"documents":[{"subject":"x"}]}`, ""},
		{"POST", "/queues/other/pick", `{}`, ""},
		{"DELETE", "/queues/other?confirm=other", "", ""},
		{"PUT", "/queues/new", `{}`, ""},
	} {
		for right, token := range tokens {
			a := w.call(tt.method, "/api/v1"+tt.path, tt.body, "Authorization", "Bearer "+token)
			may := strings.Contains(" "+tt.may+" ", " "+right+" ")
			if may == (a.status == http.StatusForbidden) || a.status == http.StatusUnauthorized || a.status >= 500 {
				t.Errorf("%s %s with %s: %d %s", tt.method, tt.path, right, a.status, a.body)
			}
		}
	}
	a := w.call("POST", documents, `{"subject":"l"}`, "Content-Type", "application/x-ndjson", "Authorization", "Bearer "+tokens[auth.Read])
	w.refuses(a, 403, "forbidden", "")
	// Lists and traces show what the token sees, and nothing else.
	w.must(200, "POST", "/api/v1/queues/other/documents", `{"documents":[{"subject":"x"}]}`)
	for _, path := range []string{"/api/v1/queues", "/api/v1/trace/x"} {
		a := w.call("GET", path, "", "Authorization", "Bearer "+tokens[auth.Read])
		if strings.Contains(string(a.body), "other") {
			t.Errorf("%s shows another queue: %s", path, a.body)
		}
	}
}
