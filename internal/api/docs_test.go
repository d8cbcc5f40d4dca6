package api_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// pair is a request and its answer as docs/api.md shows them.
type pair struct {
	method, path, body string
	headers            []string
	status             int
	answer             string
}

var block = regexp.MustCompile("(?s)```http\n(.*?)\n?```\n```json\n(.*?)\n?```")

var header = regexp.MustCompile(`^[A-Z][A-Za-z-]*: `)

func readPairs(t *testing.T) []pair {
	t.Helper()
	text, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	var pairs []pair
	for _, m := range block.FindAllStringSubmatch(string(text), -1) {
		var p pair
		lines := strings.Split(m[1], "\n")
		p.method, p.path, _ = strings.Cut(lines[0], " ")
		lines = lines[1:]
		for len(lines) > 0 && header.MatchString(lines[0]) {
			name, value, _ := strings.Cut(lines[0], ": ")
			p.headers, lines = append(p.headers, name, value), lines[1:]
		}
		p.body = strings.Join(lines, "\n")
		status, rest, _ := strings.Cut(m[2], "\n")
		p.answer = rest
		if p.status, err = strconv.Atoi(status); err != nil {
			t.Fatalf("%s %s: the answer begins with %q and not with a status", p.method, p.path, status)
		}
		pairs = append(pairs, p)
	}
	return pairs
}

func TestEveryPairOfTheDocumentationIsTrue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.jobs.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	pairs := readPairs(t)
	if len(pairs) < 17 {
		t.Fatalf("only %d pairs were found", len(pairs))
	}
	real := map[string]string{} // numbers of leases and operations, as the page and as the server gives them
	for _, p := range pairs {
		body, path := p.body, p.path
		for shown, given := range real {
			body, path = strings.ReplaceAll(body, shown, given), strings.ReplaceAll(path, shown, given)
		}
		if strings.HasPrefix(path, "/api/v1/errors") { // groups are as old as the last fold
			if _, err := w.db.Exec(t.Context(), `select fetchq.mnt_fold('pages')`); err != nil {
				t.Fatal(err)
			}
		}
		a := w.call(p.method, path, body, p.headers...)
		w.rest()
		w.folded()
		if a.status != p.status {
			t.Errorf("%s %s: %d %s; %d is wanted", p.method, p.path, a.status, a.body, p.status)
			continue
		}
		if p.answer == "" {
			continue
		}
		var want, got any
		if err := decodeNumbers(p.answer, &want); err != nil {
			t.Fatalf("%s %s: the page's answer is not JSON: %v", p.method, p.path, err)
		}
		if err := decodeNumbers(string(a.body), &got); err != nil {
			t.Fatalf("%s %s: %v", p.method, p.path, err)
		}
		if diff := unlike("", want, got, real); diff != "" {
			t.Errorf("%s %s: %s\nin %s", p.method, p.path, diff, a.body)
		}
	}
}

func decodeNumbers(text string, v any) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	return d.Decode(v)
}

// folded counts what was done, as maintenance does a second later.
func (w *world) folded() {
	w.t.Helper()
	if _, err := w.db.Exec(w.t.Context(), `select fetchq.mnt_fold(name) from fetchq.queues`); err != nil {
		w.t.Fatal(err)
	}
}

// rest waits until no operation waits or runs.
func (w *world) rest() {
	w.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		var open int
		if err := w.db.QueryRow(w.t.Context(), `select count(*) from fetchq.operations where finished_at is null`).Scan(&open); err != nil {
			w.t.Fatal(err)
		}
		if open == 0 {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%d operations are not over", open)
		}
	}
}

// unlike says where an answer differs from the page's. "…" stands for any value but null; a lease of the page for any
// number, and an operation's id for any, which are kept for the requests that name them.
func unlike(at string, want, got any, leases map[string]string) string {
	switch want := want.(type) {
	case map[string]any:
		members, ok := got.(map[string]any)
		if !ok || len(members) != len(want) {
			return fmt.Sprintf("%s is %v", at, got)
		}
		for name, v := range want {
			if diff := unlike(at+"."+name, v, members[name], leases); diff != "" {
				return diff
			}
		}
		return ""
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			return fmt.Sprintf("%s is %v", at, got)
		}
		for i, v := range want {
			if diff := unlike(fmt.Sprintf("%s[%d]", at, i), v, list[i], leases); diff != "" {
				return diff
			}
		}
		return ""
	case json.Number:
		if number, ok := got.(json.Number); ok && strings.HasSuffix(at, ".lease") {
			leases[want.String()] = number.String()
			return ""
		}
	case string:
		if want == "…" && got != nil {
			return ""
		}
		if id, ok := got.(string); ok && strings.HasSuffix(at, ".id") {
			leases[want] = id
			return ""
		}
	}
	if want != got {
		return fmt.Sprintf("%s is %v; %v is wanted", at, got, want)
	}
	return ""
}
