package web

import (
	"strings"
	"testing"
	"time"

	"github.com/fetchq/server/internal/metrics"
	"github.com/fetchq/server/internal/queue"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	before := func(d time.Duration) *time.Time { return new(now.Add(-d)) }
	for name, tt := range map[string]struct {
		q    queue.Summary
		t    metrics.Trend
		word string
		says string // part of the first reason
	}{
		"nothing to do":             {queue.Summary{Counts: queue.Counts{Planned: 5}}, metrics.Trend{}, "idle", ""},
		"one set aside":             {queue.Summary{Counts: queue.Counts{Planned: 5, Killed: 1}}, metrics.Trend{}, "attention", "1 document is killed"},
		"many set aside":            {queue.Summary{Counts: queue.Counts{Completed: 5, Killed: 1200}}, metrics.Trend{}, "attention", "1,200 documents are killed"},
		"set aside and paused":      {queue.Summary{Paused: true, Counts: queue.Counts{Killed: 1}}, metrics.Trend{}, "paused", "nothing is handed out"},
		"few set aside beside work": {queue.Summary{Counts: queue.Counts{Active: 1, Completed: 96, Killed: 4}}, metrics.Trend{}, "fine", ""},
		"set aside beside work":     {queue.Summary{Counts: queue.Counts{Active: 1, Completed: 94, Killed: 5}}, metrics.Trend{}, "attention", "5 documents are killed"},
		"work under way":            {queue.Summary{Counts: queue.Counts{Active: 1}}, metrics.Trend{}, "fine", ""},
		"due for a moment":          {queue.Summary{Counts: queue.Counts{Pending: 1}, OldestDueAt: before(time.Minute)}, metrics.Trend{}, "fine", ""},
		"due for long":              {queue.Summary{Counts: queue.Counts{Pending: 1200}, OldestDueAt: before(3 * time.Hour)}, metrics.Trend{}, "behind", "due for 3 h; 1,200 are pending"},
		"and nobody works":          {queue.Summary{Counts: queue.Counts{Pending: 2}, OldestDueAt: before(time.Hour)}, metrics.Trend{Known: true}, "behind", "nobody works here"},
		"and it will be done":       {queue.Summary{Counts: queue.Counts{Pending: 100}, OldestDueAt: before(time.Hour)}, metrics.Trend{Known: true, ProcessedPerMin: 60, EnteredPerMin: 50}, "behind", "none is in 10 m"},
		"and it grows":              {queue.Summary{Counts: queue.Counts{Pending: 100}, OldestDueAt: before(time.Hour)}, metrics.Trend{Known: true, ProcessedPerMin: 50, EnteredPerMin: 60}, "behind", "more come than go"},
		"paused":                    {queue.Summary{Paused: true, PauseReason: new("the site is down"), PausedUntil: new(now.Add(time.Hour)), OldestDueAt: before(time.Hour)}, metrics.Trend{}, "paused", "UTC, for another 1 h: the site is down"},
		"paused at once":            {queue.Summary{Paused: true, PauseKind: queue.AtOnce}, metrics.Trend{}, "paused", "nothing is handed out or held"},
		"few errors":                {queue.Summary{Counts: queue.Counts{Active: 1}}, metrics.Trend{Known: true, Over: time.Minute, ErrorsPerMin: 2}, "fine", ""},
		"many errors":               {queue.Summary{Counts: queue.Counts{Active: 1}}, metrics.Trend{Known: true, Over: time.Minute, ErrorsPerMin: 10, ProcessedPerMin: 50}, "failing", "10 errors a minute"},
		"errors that workers told":  {queue.Summary{Counts: queue.Counts{Active: 1}}, metrics.Trend{Known: true, Over: time.Minute, ErrorsPerMin: 59, ProcessedPerMin: 59, RejectedPerMin: 59}, "failing", "59 errors a minute beside 0 documents that succeed"},
		"errors among many":         {queue.Summary{Counts: queue.Counts{Active: 1}}, metrics.Trend{Known: true, Over: time.Minute, ErrorsPerMin: 10, ProcessedPerMin: 500}, "fine", ""},
		"errors of a moment":        {queue.Summary{Counts: queue.Counts{Active: 1}}, metrics.Trend{Known: true, Over: 5 * time.Second, ErrorsPerMin: 24}, "fine", ""},
		"failing and behind":        {queue.Summary{Counts: queue.Counts{Pending: 1}, OldestDueAt: before(time.Hour)}, metrics.Trend{Known: true, Over: time.Minute, ErrorsPerMin: 10}, "failing", "errors a minute"},
	} {
		h := judge(tt.q, tt.t, nil, now)
		if h.word != tt.word || tt.says != "" && (len(h.reasons) == 0 || !strings.Contains(h.reasons[0].Text, tt.says)) {
			t.Errorf("%s: it is %s because %q; %s because %q is wanted", name, h.word, h.reasons, tt.word, tt.says)
		}
	}
}

func TestAQueueThatNobodyAsksForSaysSoWhereNobodyWorksThere(t *testing.T) {
	t.Parallel()
	now := time.Now()
	ago := func(d time.Duration) *time.Time { return new(now.Add(-d)) }
	due := queue.Summary{Name: "a", Counts: queue.Counts{Pending: 1}, OldestDueAt: ago(time.Hour)}
	held, paused := due, due
	held.Counts.Active, paused.Paused = 1, true
	for name, tt := range map[string]struct {
		q       queue.Summary
		t       metrics.Trend
		workers *queue.WorkersOf
		says    string
	}{
		"nobody ever":         {due, metrics.Trend{}, &queue.WorkersOf{}, "no worker has asked for its documents so far"},
		"nobody for long":     {due, metrics.Trend{Known: true}, &queue.WorkersOf{AskedAt: ago(6 * time.Minute)}, "no worker has asked for its documents for 6 m"},
		"somebody":            {due, metrics.Trend{}, &queue.WorkersOf{AskedAt: ago(4 * time.Minute)}, ""},
		"nobody knows":        {due, metrics.Trend{}, nil, ""},
		"somebody by SQL":     {held, metrics.Trend{}, &queue.WorkersOf{}, ""},
		"somebody just ended": {due, metrics.Trend{Known: true, ProcessedPerMin: 1}, &queue.WorkersOf{}, ""},
		"paused":              {paused, metrics.Trend{}, &queue.WorkersOf{}, ""},
	} {
		h := judge(tt.q, tt.t, tt.workers, now)
		said := ""
		for _, r := range h.reasons {
			if strings.HasPrefix(r.Text, "no worker") {
				said = r.Text
			}
		}
		if said != tt.says || said != "" && h.word != "behind" {
			t.Errorf("%s: it is %s because %+v; %q is wanted", name, h.word, h.reasons, tt.says)
		}
	}
}

func TestWhatWasKilledIsTheLastReasonOfAQueueInTrouble(t *testing.T) {
	t.Parallel()
	now := time.Now()
	h := judge(queue.Summary{Name: "a", Counts: queue.Counts{Pending: 1, Completed: 1000, Killed: 1}, OldestDueAt: new(now.Add(-time.Hour))}, metrics.Trend{}, nil, now)
	if h.word != "behind" || len(h.reasons) != 2 || !strings.Contains(h.reasons[0].Text, "1 is pending") || !strings.HasPrefix(h.reasons[1].Text, "1 document is killed") {
		t.Errorf("%+v", h)
	}
}

func TestDifferencesNameWhatCameWentAndChanged(t *testing.T) {
	t.Parallel()
	at := time.Now()
	a := []queue.Summary{{Name: "a"}, {Name: "b", AsOf: at}, {Name: "c", Counts: queue.Counts{Pending: 1}}, {Name: "d", OldestDueAt: &at}}
	b := []queue.Summary{{Name: "b", AsOf: at.Add(time.Second)}, {Name: "c", Counts: queue.Counts{Pending: 2}}, {Name: "d", OldestDueAt: new(at.UTC())}, {Name: "e"}}
	got := strings.Join(differences(a, b), " ")
	if got != "c e a" {
		t.Errorf("what differs is %q", got)
	}
}

func TestOnlyPathsOfThisSiteAreLocal(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/": "/", "/queues?sort=name": "/queues?sort=name", "/queues/a/document?subject=https%3A%2F%2Fx": "/queues/a/document?subject=https%3A%2F%2Fx",
		"": "/no", "queues": "/no", "//evil.example": "/no", "/\\evil.example": "/no", "https://evil.example/": "/no", "https:evil.example": "/no",
		"/\tevil": "/no", "/\r\nSet-Cookie: a=b": "/no", "javascript:alert(1)": "/no", "///evil.example": "/no", "\\\\evil": "/no",
	} {
		if got := local(path, "/no"); got != want {
			t.Errorf("%q leads to %q; %q is wanted", path, got, want)
		}
	}
}

func TestSettingsOfAFormBecomeThoseOfTheAPI(t *testing.T) {
	t.Parallel()
	v := values{"max_attempts": "3", "lock": "5m", "journal": "all", "journal_retention": "7 days", "backoff.kind": "fixed", "backoff.base": "1s", "backoff.cap": "1m", "backoff.jitter": "0", "rate.picks": "10", "rate.per": "1s"}
	patch, err := v.patch(false)
	const want = `{"backoff":{"base":"1s","cap":"1m","jitter":0,"kind":"fixed"},"completed_retention":null,"journal":"all","journal_retention":"7 days","key":null,"key_limits":null,"killed_retention":null,"lock":"5m","logs_retention":null,"logs_rows":null,"max_active":null,"max_attempts":3,"rate":{"per":"1s","picks":10},"series_retention":null}`
	if err != nil || string(patch) != want {
		t.Errorf("the patch is %s, %v; %s is wanted", patch, err, want)
	}
	for of, want := range map[string]string{"payload": `{"payload":"/host"}`, "host": `{"subject":"host"}`, "prefix": `{"nth":3,"subject":"prefix","until":"/"}`} {
		v := values{"max_attempts": "3", "backoff.kind": "none", "key.of": of, "key.payload": "/host", "key.until": "/", "key.nth": "3", "key_limits.max_active": "2",
			"key_limits.rate.picks": "5"}
		patch, err := v.patch(false)
		want = `"key":` + want + `,"key_limits":{"max_active":2,"rate":{"per":"1s","picks":5}}`
		if err != nil || !strings.Contains(string(patch), want) {
			t.Errorf("the patch is %s, %v; %s is wanted in it", patch, err, want)
		}
	}
	for field, value := range map[string]string{
		"max_attempts": "", "max_active": "many", "rate.picks": "1.5", "backoff.jitter": "none", "key_limits.max_active": "few", "key_limits.rate.burst": "x",
	} {
		broken := values{}
		for name := range v {
			broken[name] = v[name]
		}
		broken[field] = value
		_, err := broken.patch(false)
		if got, _, ok := wrong(err); !ok || got != field {
			t.Errorf("%s = %q is told as %q, %v", field, value, got, err)
		}
	}
}

func TestEmptyInSaysNeverWhereMoreComeThanGo(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		pending int64
		trend   metrics.Trend
		want    string
	}{
		"nothing pending":   {0, metrics.Trend{Known: true, EnteredPerMin: 5}, "–"},
		"nothing is known":  {5, metrics.Trend{}, "–"},
		"it grows":          {5, metrics.Trend{Known: true, EnteredPerMin: 60, ProcessedPerMin: 50}, "never"},
		"all is given back": {5, metrics.Trend{Known: true, ProcessedPerMin: 50, RejectedPerMin: 50}, "never"},
		"it shrinks":        {50, metrics.Trend{Known: true, ProcessedPerMin: 75, RejectedPerMin: 50}, "2 m"},
	} {
		row := queueRow{Summary: queue.Summary{Counts: queue.Counts{Pending: tt.pending}}, trend: tt.trend}
		if got := row.view(time.Now()).Drain; got != tt.want {
			t.Errorf("%s: it is empty in %q; %q is wanted", name, got, tt.want)
		}
	}
}
