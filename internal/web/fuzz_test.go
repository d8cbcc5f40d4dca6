package web

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/fetchq/server/internal/errs"
)

// FuzzDocumentsAddress reads the list of documents out of addresses. What is refused names its field; what is taken has an address that says the
// same, on this site.
func FuzzDocumentsAddress(f *testing.F) {
	f.Add("status=killed&subject_prefix=https%3A%2F%2Fa&attempts_min=3&order=due&size=200")
	f.Add("payload=%7B%22a%22%3A1e999%7D&due_after=-1h&due_before=9999-99-99&column=%2Fa%2Fb&column=")
	f.Add("version=-1&priority=99999999999999999999&worker=%00&cursor=%FF&before=x")
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		v, err := url.ParseQuery(text)
		if err != nil {
			return
		}
		q := parseDocumentsQuery("pages", v)
		address := q.url(q.cursor, q.before)
		u, err := url.Parse(address)
		if err != nil || u.Host != "" || u.Path != "/queues/pages/documents" {
			t.Fatalf("%q makes the address %q", text, address)
		}
		if again := parseDocumentsQuery("pages", u.Query()).url(q.cursor, q.before); again != address {
			t.Fatalf("%q makes %q, which makes %q", text, address, again)
		}
		filter, err := q.filter(now)
		if err != nil {
			if errs.Of(err) != errs.Invalid {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		if strings.ContainsRune(filter.SubjectPrefix, 0) || strings.ContainsRune(filter.Worker, 0) || filter.Limit > 200 {
			t.Fatalf("%q asks for %+v", text, filter)
		}
	})
}

// FuzzPath reads paths into payloads, as columns have them. A path that is taken is the same after it was written as a pointer.
func FuzzPath(f *testing.F) {
	f.Add("/a/b~1c/~0")
	f.Add("a.b.c")
	f.Add("/")
	f.Fuzz(func(t *testing.T, text string) {
		steps, ok := readPath(text)
		if !ok {
			return
		}
		if len(steps) == 0 || len(steps) > mostPathSteps {
			t.Fatalf("%q has %d steps", text, len(steps))
		}
		written := pointer(steps)
		again, ok := readPath(written)
		if strings.TrimSpace(written) != written || len(written) > 1024 {
			return // what trims, or is longer escaped than it was
		}
		if !ok || strings.Join(again, "\x00") != strings.Join(steps, "\x00") {
			t.Fatalf("%q has the steps %q, written %q, read again %q", text, steps, written, again)
		}
	})
}
