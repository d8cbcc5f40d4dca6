package web

import (
	"strings"
	"testing"
	"time"

	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func TestOutlook(t *testing.T) {
	t.Parallel()
	worker, reason, two, week := "w-7", "migrating", 2, wire.Interval{Days: 7}
	later, sooner := noon.Add(90*time.Second), noon.Add(-time.Second)
	tests := []struct {
		name   string
		doc    queue.Document
		queue  queue.Queue
		want   []string
		absent string
	}{
		{"planned", queue.Document{Status: queue.Planned, Next: later, Version: 3}, queue.Queue{}, []string{"in 1 m 30 s", "asks for version 3"}, "paused"},
		{"planned, but its date has come", queue.Document{Status: queue.Planned, Next: sooner}, queue.Queue{}, []string{"It is due"}, "waits"},
		{"pending", queue.Document{Status: queue.Pending, Next: sooner}, queue.Queue{}, []string{"the next worker that asks for version 0"}, "last of"},
		{"pending, the last attempt", queue.Document{Status: queue.Pending, Attempts: 4}, queue.Queue{}, []string{"next attempt is the last of 5"}, ""},
		{"paused until a date", queue.Document{Status: queue.Pending}, queue.Queue{Paused: true, PausedUntil: &later, PauseReason: &reason},
			[]string{"paused", "until 2026-11-24 12:01:30 UTC: migrating."}, "resumes"},
		{"paused for ever", queue.Document{Status: queue.Planned, Next: later}, queue.Queue{Paused: true}, []string{"until somebody resumes it."}, ""},
		{"full", queue.Document{Status: queue.Pending}, queue.Queue{Counts: queue.Counts{Active: 2}, Settings: queue.Settings{MaxActive: &two}},
			[]string{"2 documents are active"}, ""},
		{"active", queue.Document{Status: queue.Active, Next: later, Worker: &worker, Attempts: 1}, queue.Queue{}, []string{"w-7 holds it for 1 m 30 s", "comes back"}, "killed"},
		{"active for the last time", queue.Document{Status: queue.Active, Next: later, Attempts: 5}, queue.Queue{}, []string{"A worker holds it", "it is killed, for this is attempt 5 of 5"}, ""},
		{"its lease is over", queue.Document{Status: queue.Active, Next: sooner}, queue.Queue{}, []string{"The lease of a worker is over"}, "holds"},
		{"completed", queue.Document{Status: queue.Completed}, queue.Queue{}, []string{"no worker gets it until its date is set again"}, "removes"},
		{"completed and kept for a week", queue.Document{Status: queue.Completed}, queue.Queue{Settings: queue.Settings{CompletedRetention: &week}},
			[]string{"removes what has been completed for 7 days"}, ""},
		{"version paused", queue.Document{Status: queue.Pending, Version: 3}, queue.Queue{Pauses: []queue.Pause{{Version: new(3), Reason: new("schema")}}},
			[]string{"version 3 is paused and not handed out until somebody resumes it: schema."}, ""},
		{"another version paused", queue.Document{Status: queue.Pending}, queue.Queue{Pauses: []queue.Pause{{Version: new(3)}}}, []string{"It is due"}, "paused"},
		{"killed", queue.Document{Status: queue.Killed, Attempts: 5}, queue.Queue{}, []string{"5 of 5 attempts", "retries it"}, ""},
	}
	for _, test := range tests {
		test.queue.AsOf, test.queue.Settings.MaxAttempts = noon, 5
		got := outlook(test.doc, test.queue)
		for _, want := range test.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %q, want %q", test.name, got, want)
			}
		}
		if test.absent != "" && strings.Contains(got, test.absent) {
			t.Errorf("%s: %q, without %q", test.name, got, test.absent)
		}
	}
}

func TestTheOutlookSaysWhetherAnyWorkerAsksForTheVersion(t *testing.T) {
	t.Parallel()
	at := func(before time.Duration, worker string) *queue.Ask {
		return &queue.Ask{At: noon.Add(-before), Worker: worker}
	}
	for _, test := range []struct {
		name   string
		status queue.Status
		asked  *queue.Ask
		want   string
		warns  bool
	}{
		{"asked for", queue.Pending, at(12*time.Second, "w-7"), "Workers ask for version 3: w-7 did 12 s ago.", false},
		{"asked for by somebody", queue.Planned, at(queue.Unasked, ""), "Workers ask for version 3: a worker did 10 m ago.", false},
		{"not any more", queue.Pending, at(2*time.Hour, "w-7"), "But no worker has asked for version 3 for 2 h; the last one was w-7.", true},
		{"never", queue.Planned, nil, "But no worker has asked for version 3 so far, so nobody gets it until one does.", true},
		{"it does not matter", queue.Killed, nil, "", false},
		{"asked for now", queue.Pending, at(0, "w-7"), "w-7 did just now.", false},
	} {
		got, warns := askedFor(queue.Document{Status: test.status, Version: 3, Next: noon}, test.asked, noon)
		if !strings.Contains(got, test.want) || test.want == "" && got != "" || warns != test.warns {
			t.Errorf("%s: %q, want %q; it warns: %t", test.name, got, test.want, warns)
		}
	}
}

func TestTimelineIsNewestFirstWithSpans(t *testing.T) {
	t.Parallel()
	worker, attempt := "w-7", 2
	ago := func(d time.Duration) *time.Time { at := noon.Add(-d); return &at }
	d := queue.Document{
		Status: queue.Pending, CreatedAt: *ago(time.Hour), PickedAt: ago(10 * time.Minute), LastIteration: ago(8 * time.Minute), Next: *ago(time.Minute),
		Worker: &worker, Iterations: 3,
	}
	list := timeline(d, []queue.Log{
		{Kind: queue.KindError, CreatedAt: *ago(8 * time.Minute), Message: "no", Worker: &worker, Attempt: &attempt},
		{Kind: queue.KindNote, CreatedAt: *ago(30 * time.Minute), Message: "hm"},
	}, nil)
	var got []string
	for _, h := range list {
		got = append(got, strings.TrimSpace(h.What+" "+h.After))
	}
	want := "Due 7 m|Last iteration ended|Error at attempt 2 2 m|Last pick 20 m|Note 30 m|Pushed into the queue"
	if joined := strings.Join(got, "|"); joined != want {
		t.Errorf("the timeline is %s, want %s", joined, want)
	}
	if list[1].Text != "iteration 3, 2 m after the pick" {
		t.Errorf("the iteration says %q", list[1].Text)
	}
	alone := timeline(queue.Document{Status: queue.Killed, CreatedAt: noon}, nil, nil)
	if len(alone) != 1 || alone[0].After != "" {
		t.Errorf("a document without a past has %+v", alone)
	}
}

func TestPreviewIsCheapAndWhole(t *testing.T) { // not parallel: it counts what is allocated
	long := strings.Repeat("x", previewed-1)
	for payload, want := range map[string]string{
		`{"a": 1}`:                   `{"a": 1}`,
		`"` + long:                   `"` + long,
		`"` + long + `yz"`:           `"` + long + "…",
		`"` + long[1:] + `\u0001ab"`: `"` + long[1:] + `\u0001…`,
		`"` + long[1:] + `\"ab"`:     `"` + long[1:] + `\"…`,
		`"` + long[1:] + `漢字ab"`:     `"` + long[1:] + `漢…`,
		`"` + long[1:] + `\`:         `"` + long[1:] + `\`,
		"":                           "",
	} {
		if got := preview([]byte(payload)); got != want {
			t.Errorf("the preview of %q is %q, want %q", payload, got, want)
		}
	}
	huge := []byte(`"` + strings.Repeat("x", 1<<20) + `"`)
	if n := testing.AllocsPerRun(10, func() { preview(huge) }); n > 2 {
		t.Errorf("a preview of 1 MiB allocates %v times", n)
	}
}

func TestPageNoteTellsOfShortPages(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		rows  int
		at    documentsQuery
		page  queue.DocPage
		all   int64
		want  string
		short bool
	}{
		{50, documentsQuery{size: 50}, queue.DocPage{Next: "n"}, -1, "50 documents", false},
		{50, documentsQuery{size: 50}, queue.DocPage{Next: "n"}, 12345, "50 of 12,345 documents", false},
		{50, documentsQuery{size: 50}, queue.DocPage{}, 50, "50 documents", false},
		{1, documentsQuery{size: 50, cursor: "c"}, queue.DocPage{}, 51, "1 of 51 documents", false},
		{1, documentsQuery{size: 50}, queue.DocPage{}, 1, "1 document", false},
		{3, documentsQuery{size: 50}, queue.DocPage{Next: "n"}, -1, "3 found; 10,000 rows looked at; go on", true},
		{0, documentsQuery{size: 50, before: "b"}, queue.DocPage{Previous: "p", Next: "n"}, -1, "0 found; 10,000 rows looked at; go on", true},
		{3, documentsQuery{size: 50, before: "b"}, queue.DocPage{Next: "n"}, -1, "3 documents", false},
	} {
		if got, short := pageNote(test.rows, test.at, test.page, test.all); got != test.want || short != test.short {
			t.Errorf("%d rows: %q %v, want %q %v", test.rows, got, short, test.want, test.short)
		}
	}
}
