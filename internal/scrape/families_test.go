package scrape

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/fetchq/server/internal/queue"
)

var update = flag.Bool("update", false, "write the table of families into docs/prometheus.md")

// TestWhatIsOfferedIsWhatFamiliesSay scrapes a program whose queue has all there is.
func TestWhatIsOfferedIsWhatFamiliesSay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("pages")
	w.work("pages", 3)
	w.exec(`select fetchq.metric_increment('pages', 'bytes', 1500), fetchq.metric_set('pages', 'depth', -3), fetchq.metric_timing('pages', 'parse', 12.5)`)
	w.counted("pages")
	at := time.UnixMilli(1_700_000_000_500)
	w.backups = Backups{Schedules: []ScheduleBackups{{Name: "nightly", Good: &at, Last: &LastBackup{}}}, Queues: map[string]time.Time{"pages": at}}
	all := w.families(View{})
	known := map[string]bool{}
	for _, f := range Families() {
		known[f.Name] = true
		got := all[f.Name]
		if got == nil {
			t.Errorf("%s is not there", f.Name)
			continue
		}
		if typ := strings.ToLower(got.GetType().String()); typ != f.Type || got.GetHelp() != f.Help {
			t.Errorf("%s is a %s, %q; a %s, %q is told", f.Name, typ, got.GetHelp(), f.Type, f.Help)
		}
		for _, m := range got.Metric {
			var labels []string
			for _, l := range m.Label {
				labels = append(labels, l.GetName())
			}
			if !slices.Equal(labels, f.Labels) || !slices.IsSorted(labels) {
				t.Errorf("%s has the labels %v; %v are told", f.Name, labels, f.Labels)
			}
		}
	}
	for name := range all {
		if !known[name] && !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") {
			t.Errorf("%s is offered, and nothing says so", name)
		}
	}
	for _, name := range []string{"go_goroutines", "process_resident_memory_bytes"} {
		if all[name] == nil {
			t.Errorf("%s is not there", name)
		}
	}
}

func TestNumbersAreThoseOfTheQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("pages")
	w.put("quiet")
	w.work("pages", 5)
	w.exec(`select fetchq.doc_push('pages', 'due', 0, 0, now() - interval '90 seconds')`)
	w.exec(`select fetchq.metric_increment('pages', 'bytes', 1500), fetchq.metric_set('pages', 'depth', -3), fetchq.metric_timing('pages', 'parse', 12.5)`)
	w.exec(`select fetchq.queue_pause('quiet', 'lunch')`)
	w.counted("pages", "quiet")
	all := w.families(View{})
	for _, tt := range []struct {
		name   string
		labels []string
		want   float64
	}{
		{"fetchq_database_up", nil, 1},
		{"fetchq_queues", nil, 2},
		{"fetchq_documents", []string{"pages", "completed"}, 4},
		{"fetchq_documents", []string{"pages", "killed"}, 1},
		{"fetchq_documents", []string{"pages", "pending"}, 1},
		{"fetchq_documents", []string{"quiet", "pending"}, 0},
		{"fetchq_documents_entered_total", []string{"pages"}, 6},
		{"fetchq_documents_picked_total", []string{"pages"}, 5},
		{"fetchq_documents_completed_total", []string{"pages"}, 4},
		{"fetchq_documents_rejected_total", []string{"pages"}, 1},
		{"fetchq_documents_killed_total", []string{"pages"}, 1},
		{"fetchq_errors_total", []string{"pages"}, 1},
		{"fetchq_queue_paused", []string{"pages"}, 0},
		{"fetchq_queue_paused", []string{"quiet"}, 1},
		{"fetchq_queue_oldest_due_age_seconds", []string{"quiet"}, 0},
		{"fetchq_custom_events_total", []string{"bytes", "pages"}, 1500},
		{"fetchq_custom_value", []string{"depth", "pages"}, -3},
		{"fetchq_custom_metrics_left_out", nil, 0},
		{"fetchq_maintenance_jobs", []string{"fold"}, 2},
		{"fetchq_maintenance_failing_jobs", []string{"fold"}, 0},
		{"fetchq_build_info", []string{goVersion, "v1"}, 1},
	} {
		if got := w.number(all, tt.name, tt.labels...); got != tt.want {
			t.Errorf("%s%v is %v; %v is wanted", tt.name, tt.labels, got, tt.want)
		}
	}
	if age := w.number(all, "fetchq_queue_oldest_due_age_seconds", "pages"); age < 90 || age > 150 {
		t.Errorf("the oldest due document waits for %v s; 90 and a little are wanted", age)
	}
	for name, want := range map[string]uint64{"fetchq_wait_seconds": 5, "fetchq_work_seconds": 5} {
		if got := find(all[name], []string{"pages"}).Histogram.GetSampleCount(); got != want {
			t.Errorf("%s has %d values; %d are wanted", name, got, want)
		}
		if got := find(all[name], []string{"quiet"}).Histogram.GetSampleCount(); got != 0 {
			t.Errorf("%s of a queue in which nothing happened has %d values", name, got)
		}
	}
	parse := find(all["fetchq_custom_seconds"], []string{"parse", "pages"}).Histogram
	if parse.GetSampleSum() != 0.0125 || cumulated(parse, 0.01) != 0 || cumulated(parse, 0.025) != 1 {
		t.Errorf("12.5 ms are told as %v", parse)
	}
}

func cumulated(h *dto.Histogram, bound float64) uint64 {
	for _, b := range h.Bucket {
		if b.GetUpperBound() == bound {
			return b.GetCumulativeCount()
		}
	}
	return 1 << 63
}

// TestLateAndFailingJobsAreTold makes jobs late in each of the ways there are.
func TestLateAndFailingJobsAreTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("a")
	w.put("b")
	w.exec(`update fetchq.jobs set next_run = now() + interval '1 hour', claimed_by = null`)
	w.exec(`delete from fetchq.wakes`)
	w.exec(`update fetchq.jobs set next_run = now() - interval '100 seconds' where queue = 'a' and kind = 'fold'`)                                 // due
	w.exec(`insert into fetchq.wakes (queue, kind, at) values ('a', 'orphans', now() - interval '200 seconds')`)                                   // woken
	w.exec(`update fetchq.jobs set next_run = 'infinity', claimed_by = 'x', claimed_until = now() - interval '300 seconds' where kind = 'expire'`) // its node is gone
	w.exec(`update fetchq.jobs set next_run = 'infinity', claimed_by = 'x', claimed_until = now() + interval '9 seconds' where kind = 'mark_due'`) // runs
	w.exec(`update fetchq.jobs set failing_since = now(), last_outcome = 'failed' where queue = 'b' and kind = 'vacuum'`)
	all := w.families(View{})
	for kind, want := range map[string]float64{"fold": 100, "orphans": 200, "expire": 300, "mark_due": 0, "vacuum": 0} {
		if got := w.number(all, "fetchq_maintenance_lag_seconds", kind); got < want || got > want+30 || want == 0 && got != 0 {
			t.Errorf("%s is %v s late; %v are wanted", kind, got, want)
		}
	}
	if a, b := w.number(all, "fetchq_queue_fold_lag_seconds", "a"), w.number(all, "fetchq_queue_fold_lag_seconds", "b"); a < 100 || b != 0 {
		t.Errorf("folds are %v s and %v s late", a, b)
	}
	if v, o := w.number(all, "fetchq_maintenance_failing_jobs", "vacuum"), w.number(all, "fetchq_maintenance_failing_jobs", "orphans"); v != 1 || o != 0 {
		t.Errorf("%v vacuums and %v orphans fail", v, o)
	}
	w.exec(`update fetchq.series_state set last = clock_timestamp() - interval '121 seconds'`)
	w.clock = w.clock.Add(lookLasts)
	if got := w.number(w.families(View{}), "fetchq_snapshot_lag_seconds"); got < 100 || got > 130 {
		t.Errorf("the snapshot is %v s late; 100 are wanted", got)
	}
}

// TestALimitedViewSeesItsQueuesAlone wants nothing of other queues, nor of the program.
func TestALimitedViewSeesItsQueuesAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("mine")
	w.put("theirs")
	w.exec(`select fetchq.metric_set('mine', 'depth', 1), fetchq.metric_set('theirs', 'secret', 2), fetchq.metric_timing('theirs', 'hush', 2)`)
	w.counted("mine", "theirs")
	text := plain(t, w.get(View{Key: "mine", Sees: func(q string) bool { return q == "mine" }}))
	for _, word := range []string{"theirs", "secret", "hush", "go_", "process_", "fetchq_pool", "fetchq_maintenance", "fetchq_queues", "fetchq_postgres"} {
		if strings.Contains(text, word) {
			t.Errorf("%s is told", word)
		}
	}
	for _, word := range []string{`fetchq_database_up 1`, `fetchq_documents{queue="mine",status="pending"} 0`, `fetchq_custom_value{metric="depth",queue="mine"} 1`, `fetchq_wait_seconds_count{queue="mine"} 0`} {
		if !strings.Contains(text, word+"\n") {
			t.Errorf("%s is missing in\n%s", word, text)
		}
	}
	if text := plain(t, w.get(View{})); !strings.Contains(text, "theirs") {
		t.Error("who sees everything gets the answer of another")
	}
}

// TestCustomMetricsAreLimited makes more names than are told.
func TestCustomMetricsAreLimited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 52 {
		w.put(fmt.Sprint("q", i))
	}
	// The names of the last 50 queues are the oldest; the first two have a hundred and fifty, and ten.
	w.exec(`insert into fetchq.metrics (queue, name, type, count) select 'q' || q, 'm' || m, 2, 1 from generate_series(2, 51) q, generate_series(1, 98) m`)
	w.exec(`insert into fetchq.metrics (queue, name, type) select 'q0', 'm' || m, 1 from generate_series(1, 150) m`)
	w.exec(`insert into fetchq.metrics (queue, name, type) select 'q1', 'm' || m, 1 from generate_series(1, 10) m`)
	all := w.families(View{})
	if n := len(all["fetchq_custom_value"].Metric); n != 50*98 {
		t.Errorf("%d gauges are told; %d are wanted", n, 50*98)
	}
	if n := len(all["fetchq_custom_events_total"].Metric); n != 100 {
		t.Errorf("%d counters are told; the first 100 of q0 are wanted", n)
	}
	if find(all["fetchq_custom_events_total"], []string{"m100", "q0"}) == nil {
		t.Error("not the oldest names are told")
	}
	if left := w.number(all, "fetchq_custom_metrics_left_out"); left != 60 {
		t.Errorf("%v are left out; 60 are wanted", left)
	}
}

// TestANewGaugeIsToldWithItsValue scrapes between the moment a name is noted and the snapshot that has its first value.
func TestANewGaugeIsToldWithItsValue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("pages")
	w.exec(`select fetchq.metric_set('pages', 'old', 3)`)
	w.counted("pages")
	w.exec(`select fetchq.metric_set('pages', 'depth', 7), fetchq.metric_set('pages', 'none', 0), fetchq.metric_increment('pages', 'bytes', 5)`)
	w.clock = w.clock.Add(lookLasts)
	all := w.families(View{})
	if n := len(all["fetchq_custom_value"].GetMetric()); n != 1 || w.number(all, "fetchq_custom_value", "old", "pages") != 3 {
		t.Errorf("%d gauges are told before the snapshot; the old one is wanted: %v", n, all["fetchq_custom_value"])
	}
	if got := w.number(all, "fetchq_custom_events_total", "bytes", "pages"); got != 0 { // a counter begins at 0, so that its first value is a rise
		t.Errorf("the counter is told as %v", got)
	}
	w.counted("pages")
	all = w.families(View{})
	for name, want := range map[string]float64{"depth": 7, "none": 0, "old": 3} {
		if got := w.number(all, "fetchq_custom_value", name, "pages"); got != want {
			t.Errorf("%s is told as %v; %v is right", name, got, want)
		}
	}
}

// TestTheTableOfFamiliesIsThatOfTheCode holds docs/prometheus.md against Families.
func TestTheTableOfFamiliesIsThatOfTheCode(t *testing.T) {
	t.Parallel()
	const file, head = "../../docs/prometheus.md", "| family | type | labels | what it is |\n|---|---|---|---|\n"
	var table strings.Builder
	table.WriteString(head)
	for _, f := range Families() {
		fmt.Fprintf(&table, "| %s | %s | %s | %s |\n", f.Name, f.Type, strings.Join(f.Labels, ", "), f.Help)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), head)
	if !found {
		t.Fatalf("%s has no table of families", file)
	}
	_, after, _ := strings.Cut(rest, "\n\n")
	if whole := before + table.String() + "\n" + after; whole != string(text) {
		if !*update {
			t.Fatalf("the table in %s is not that of the code; go test ./internal/scrape -run TestTheTable -update writes it", file)
		}
		if err := os.WriteFile(file, []byte(whole), 0o644); err != nil { //nolint:gosec // a file that everybody reads
			t.Fatal(err)
		}
	}
}

// TestEveryEventOfTheEngineIsTold gives each event a number of its own.
func TestEveryEventOfTheEngineIsTold(t *testing.T) {
	t.Parallel()
	var q queue.Summary
	events := reflect.ValueOf(&q.Events).Elem()
	want := map[float64]string{}
	for i := range events.NumField() {
		events.Field(i).SetInt(int64(i + 1))
		want[float64(i+1)] = events.Type().Field(i).Name
	}
	for _, f := range ofQueues {
		if f.Type != counter {
			continue
		}
		v := f.each(q)
		if want[v] == "" {
			t.Errorf("%s tells what another does, or no event", f.Name)
		}
		delete(want, v)
	}
	for _, name := range want {
		t.Errorf("no family tells %s", name)
	}
}
