package backup_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fetchq/server/internal/backup"
	"github.com/fetchq/server/internal/errs"
)

// ofArchive tells whether a request is about a volume.
func ofArchive(r *http.Request) bool { return strings.Contains(r.URL.Path, ".tar.zst") }

// slowly lets through 64 kB at a time.
type slowly struct {
	io.ReadCloser
	http.ResponseWriter
}

func (s slowly) Read(p []byte) (int, error) {
	time.Sleep(time.Millisecond)
	return s.ReadCloser.Read(p[:min(len(p), 64<<10)])
}

func (s slowly) Write(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		time.Sleep(time.Millisecond)
		var some int
		some, err = s.ResponseWriter.Write(p[n:min(len(p), n+64<<10)])
		n += some
	}
	return n, err
}

// large fills a queue with 20 MB that no packing makes smaller.
func (w *world) large(queue string) {
	w.t.Helper()
	w.exec(`select fetchq.queue_create($1)`, queue)
	for range 3 {
		w.exec(`select count(*) from fetchq.doc_push_many($1, (select array_agg(gen_random_uuid()::text) from generate_series(1, 1000)),
			(select array_agg((select to_jsonb(string_agg(gen_random_uuid()::text, '')) from generate_series(1, 300 + i * 0))) from generate_series(1, 1000) i))`, queue)
	}
}

func TestS3ThatIsSlow(t *testing.T) {
	t.Parallel()
	_, _ = bucket(t, "")
	at, _ := bucket(t, between(t, func(pass http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Body = slowly{ReadCloser: r.Body}
			pass.ServeHTTP(slowly{ResponseWriter: w}, r)
		})
	}))
	to := open(t, at)
	w := newWorld(t)
	w.large("a")
	want := w.digests("a")
	m := mustRun(t, w, to, backup.RunParams{})
	if _, err := w.b.Restore(t.Context(), to, m.Name, backup.RestoreParams{As: "b"}); err != nil {
		t.Fatal(err)
	}
	w.same("a", want, w.digests("b"))
}

// TestS3ThatDoesNotAnswer takes requests and says nothing: some for volumes, or all.
func TestS3ThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	_, _ = bucket(t, "")
	var silent atomic.Pointer[func(r *http.Request) bool]
	at, dir := bucket(t, proxy(t, func(_ http.ResponseWriter, r *http.Request) bool {
		if is := silent.Load(); is == nil || !(*is)(r) {
			return false
		}
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	}))
	to := open(t, at)
	w := newWorld(t)
	w.fill("a", `{}`, 300)
	m := mustRun(t, w, to, backup.RunParams{Name: "whole"})
	to.SetPatience(300 * time.Millisecond)
	gone := func(what string, is func(r *http.Request) bool, do func() error) {
		t.Helper()
		silent.Store(&is)
		if err := do(); errs.Of(err) != errs.Unavailable || !strings.Contains(err.Error(), "did not answer in time") {
			t.Errorf("%s: %v", what, err)
		}
		silent.Store(nil)
	}
	gone("a run", func(r *http.Request) bool { return r.Method == http.MethodPut && ofArchive(r) }, func() error {
		_, err := w.b.Run(t.Context(), to, backup.RunParams{})
		return err
	})
	gone("a restore", func(r *http.Request) bool { return r.Method == http.MethodGet && ofArchive(r) }, func() error {
		_, err := w.b.Restore(t.Context(), to, m.Name, backup.RestoreParams{Replace: []string{"a"}})
		return err
	})
	every := func(*http.Request) bool { return true }
	gone("a list", every, func() error {
		_, err := to.List(t.Context(), "", 0)
		return err
	})
	gone("a look", every, func() error {
		_, err := w.b.Run(t.Context(), to, backup.RunParams{Name: "other"})
		return err
	})
	to.SetPatience(time.Minute)
	if names := objects(t, dir); len(names) != 2 || w.stages() != "0" {
		t.Errorf("the bucket has %q; %s stages are left", names, w.stages())
	}
	if _, err := w.b.Verify(t.Context(), to, m.Name, backup.VerifyParams{}); err != nil {
		t.Errorf("when it answers again: %v", err)
	}
}

// TestS3ThatForbidsHalfWay has credentials that are taken away while a restore reads.
func TestS3ThatForbidsHalfWay(t *testing.T) {
	t.Parallel()
	_, _ = bucket(t, "")
	var gets atomic.Int64
	at, _ := bucket(t, between(t, func(pass http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method != http.MethodGet || !ofArchive(r):
				pass.ServeHTTP(w, r)
			case gets.Add(1) == 1:
				pass.ServeHTTP(&cut{ResponseWriter: w, left: 9 << 20}, r)
			default:
				w.Header().Set("Content-Type", "application/xml")
				w.WriteHeader(http.StatusForbidden)
				_, _ = io.WriteString(w, `<Error><Code>AccessDenied</Code><Message>no</Message></Error>`)
			}
		})
	}))
	to := open(t, at)
	w := newWorld(t)
	w.large("a")
	m := mustRun(t, w, to, backup.RunParams{})
	before := w.digests("a")
	var read int64
	_, err := w.b.Restore(t.Context(), to, m.Name, backup.RestoreParams{Replace: []string{"a"}, Progress: func(so backup.Progress) { read = max(read, so.Rows) }})
	if errs.Of(err) != errs.Forbidden || read == 0 {
		t.Errorf("after %d rows the restore says %v", read, err)
	}
	w.same("a", before, w.digests("a"))
	if n := w.stages(); n != "0" {
		t.Errorf("%s stages are left", n)
	}
}

// cut ends an answer when so many bytes of it were sent.
type cut struct {
	http.ResponseWriter
	left int
}

func (c *cut) Write(p []byte) (int, error) {
	if c.left -= len(p); c.left < 0 {
		panic(http.ErrAbortHandler)
	}
	return c.ResponseWriter.Write(p)
}
