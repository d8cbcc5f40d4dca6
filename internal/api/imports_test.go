package api_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/fetchq/server/client"
)

func TestAnImportIsStoredInConstantMemoryAndRefusesOtherTypes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(201, "PUT", "/api/v1/queues/a", `{}`)
	const imports = "/api/v1/queues/a/imports"
	w.refuses(w.call("POST", imports, `{}`), 415, "unsupported", "")
	w.refuses(w.call("POST", imports, `x`, "Content-Type", "text/plain"), 415, "unsupported", "")
	w.refuses(w.call("POST", ops, "a,b\n", "Content-Type", "text/csv"), 415, "unsupported", "")
	w.refuses(w.call("POST", imports+"?on_conflict=replace", "{}\n", "Content-Type", "application/x-ndjson"), 422, "invalid", "on_conflict")
	w.refuses(w.call("POST", imports, "colour\n", "Content-Type", "text/csv; charset=utf-8"), 422, "invalid", "columns")
	// More than there is room for: the world's limit is 16 MiB.
	r, feed := io.Pipe()
	go func() {
		line := `{"payload":"` + strings.Repeat("p", 100_000) + `"}` + "\n"
		for range 400 {
			if _, err := io.WriteString(feed, line); err != nil {
				return
			}
		}
		feed.Close()
	}()
	a, err := w.send(context.WithoutCancel(t.Context()), imports, "application/x-ndjson", r)
	r.Close()
	if err == nil { // else the server closed the connection while we sent
		w.refuses(a, 413, "too_large", "")
	}
	o := w.must(200, "GET", "/api/v1/operations?queue=a", "")
	if !strings.Contains(string(o.body), `"state":"failed"`) || !strings.Contains(string(o.body), "FETCHQ_IMPORT_LIMIT") {
		t.Errorf("%s", o.body)
	}
	c := w.works(w.admin)
	done, err := c.Import(t.Context(), "a", client.ImportCSV, "update", strings.NewReader("subject,priority\nx,1\nx,2\n"))
	if err == nil {
		done, err = c.WaitOperation(t.Context(), done.ID)
	}
	if err != nil || done.Done != 1 || done.LeftAlone != 1 || *done.OnConflict != "update" {
		t.Errorf("%+v, error %v", done, err)
	}
	_, err = c.ImportDocuments(t.Context(), "a", "", func(yield func(client.Push, error) bool) {
		_ = yield(client.Push{}, nil) && yield(client.Push{}, io.ErrUnexpectedEOF)
	})
	if err == nil {
		t.Error("an error of the documents is not told")
	}
	n, err := c.Queue(t.Context(), "a")
	if err != nil || n.Counts.Pending != 1 {
		t.Errorf("%+v, error %v", n.Counts, err)
	}
}
