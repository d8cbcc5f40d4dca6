package scrape

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

var goVersion = runtime.Version()

// TestScrapesAtOnceShareALook counts what a hundred of them take from the pool.
func TestScrapesAtOnceShareALook(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("pages")
	look := func(n int) int64 {
		before := w.db.Stat().AcquireCount()
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				var headers []string
				if i%2 == 0 {
					headers = []string{"Accept-Encoding", "gzip"} // another answer from the same look
				}
				if text := plain(t, w.get(View{}, headers...)); !strings.Contains(text, `fetchq_documents{queue="pages",status="pending"} 0`) {
					t.Errorf("a scrape got %.300s", text)
				}
			})
		}
		all.Wait()
		return w.db.Stat().AcquireCount() - before
	}
	one := look(1)
	w.clock = w.clock.Add(lookLasts)
	if many := look(100); many != one {
		t.Errorf("a hundred scrapes take %d connections, one %d", many, one)
	}
	if again := look(10); again != 0 {
		t.Errorf("scrapes within %v of the look take %d connections", lookLasts, again)
	}
	w.clock = w.clock.Add(lookLasts)
	if next := look(1); next != one {
		t.Errorf("the next look takes %d connections, the first %d", next, one)
	}
}

// TestOneWhoGoesAwayLeavesTheAnswerToTheOthers lets the one go whose request is at work.
func TestOneWhoGoesAwayLeavesTheAnswerToTheOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.handler.turn <- struct{}{} // nothing is answered before it is taken back
	ctx, leave := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() {
		gone <- w.handler.Serve(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/metrics", http.NoBody), View{})
	}()
	leave()
	if err := <-gone; err == nil {
		t.Error("one who is gone was answered")
	}
	<-w.handler.turn
	if text := plain(t, w.get(View{})); !strings.Contains(text, "fetchq_database_up 1") {
		t.Errorf("the next got %.300s", text)
	}
}

// waited is a context that tells when somebody waits for its end.
type waited struct {
	context.Context
	here chan struct{}
}

// Done implements context.Context.
func (c waited) Done() <-chan struct{} {
	select {
	case c.here <- struct{}{}:
	default:
	}
	return c.Context.Done()
}

// TestViewsShareNoAnswer has those wait for one at once who see everything, nothing and one queue.
func TestViewsShareNoAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("mine")
	w.put("theirs")
	w.handler.turn <- struct{}{} // nothing is answered before it is taken back
	answers := map[string]*httptest.ResponseRecorder{}
	var all sync.WaitGroup
	for name, view := range map[string]View{
		"all": {}, "none": {Sees: func(string) bool { return false }}, "mine": {Key: "mine", Sees: func(q string) bool { return q == "mine" }},
	} {
		ctx, rec := waited{t.Context(), make(chan struct{}, 1)}, httptest.NewRecorder()
		answers[name] = rec
		all.Go(func() {
			if err := w.handler.Serve(rec, httptest.NewRequestWithContext(ctx, http.MethodGet, "/metrics", http.NoBody), view); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
		<-ctx.here
	}
	<-w.handler.turn
	all.Wait()
	for name, want := range map[string][3]bool{"all": {true, true, true}, "none": {}, "mine": {true, false, false}} {
		text := plain(t, answers[name])
		got := [3]bool{strings.Contains(text, `queue="mine"`), strings.Contains(text, `queue="theirs"`), strings.Contains(text, "go_goroutines")}
		if got != want {
			t.Errorf("who sees %s gets samples of mine, theirs and the program: %v; %v is right", name, got, want)
		}
	}
}

// TestADatabaseThatSaysNothingIsGivenUp scrapes a program whose database takes connections and never answers.
func TestADatabaseThatSaysNothingIsGivenUp(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	db, err := pgxpool.New(t.Context(), "postgres://u@"+silent.Addr().String()+"/d?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	w := newWorldOn(t, db)
	began := time.Now()
	text := plain(t, w.get(View{}))
	if took := time.Since(began); took > 2*lookTime {
		t.Errorf("it took %v", took)
	}
	for _, word := range []string{"fetchq_database_up 0\n", "go_goroutines ", "process_open_fds ", `fetchq_pool_connections{state="used"} `, "fetchq_build_info{"} {
		if !strings.Contains(text, word) {
			t.Errorf("%q is missing", word)
		}
	}
	for _, word := range []string{"fetchq_documents", "fetchq_maintenance", "fetchq_postgres", "fetchq_queues"} {
		if strings.Contains(text, word) {
			t.Errorf("%s is told", word)
		}
	}
}

// TestTheDatabaseThatComesBackIsTold closes nothing for good: the look after it sees queues again.
func TestTheDatabaseThatComesBackIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("pages")
	w.exec(`alter table fetchq.jobs rename to elsewhere`)
	if all := w.families(View{}); w.number(all, upName) != 0 || all["fetchq_documents"] != nil {
		t.Error("a part is told without the rest")
	}
	w.exec(`alter table fetchq.elsewhere rename to jobs`)
	w.clock = w.clock.Add(lookLasts)
	if all := w.families(View{}); w.number(all, upName) != 1 || all["fetchq_documents"] == nil {
		t.Error("the database is back, and it is not told")
	}
}

// TestFormats asks for each format; protobuf alone carries native histograms.
func TestFormats(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("pages")
	w.work("pages", 10)
	w.counted("pages")
	for accept, want := range map[string]string{
		"":           "text/plain; version=0.0.4",
		"text/plain": "text/plain; version=0.0.4",
		"application/openmetrics-text; version=1.0.0": "application/openmetrics-text; version=1.0.0",
		protobuf: "application/vnd.google.protobuf",
	} {
		rec := w.get(View{}, "Accept", accept)
		if got := rec.Header().Get("Content-Type"); !strings.HasPrefix(got, want) {
			t.Errorf("%q is answered as %q; %q is wanted", accept, got, want)
		}
		if strings.Contains(want, "openmetrics") && !strings.HasSuffix(rec.Body.String(), "# EOF\n") {
			t.Error("OpenMetrics has no end")
		}
	}
	native := w.protobuf()["fetchq_work_seconds"].Metric[0].Histogram
	if native.GetSchema() != finestSchema || native.GetSampleCount() != 10 || len(native.PositiveSpan) == 0 || len(native.Bucket) != len(bounds) {
		t.Errorf("a native histogram is %v", native)
	}
}

const protobuf = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"

// protobuf scrapes and reads protobuf.
func (w *world) protobuf() map[string]*dto.MetricFamily {
	w.Helper()
	rec := w.get(View{}, "Accept", protobuf)
	d := expfmt.NewDecoder(bytes.NewReader(rec.Body.Bytes()), expfmt.ResponseFormat(rec.Header()))
	all := map[string]*dto.MetricFamily{}
	for {
		f := &dto.MetricFamily{}
		err := d.Decode(f)
		if err == io.EOF { //nolint:errorlint // as it says
			return all
		}
		if err != nil {
			w.Fatal(err)
		}
		all[f.GetName()] = f
	}
}
