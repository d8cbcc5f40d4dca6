package queue_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/wire"
)

// engine returns a started engine on a database of its own, with one queue "a" of default settings.
func engine(t *testing.T) (context.Context, *queue.Engine) {
	t.Helper()
	ctx := t.Context()
	e := start(t, dbtest.URL(t), "node-1")
	put(t, e, "a", `{}`)
	return ctx, e
}

// start returns a started engine on a database.
func start(t *testing.T, url, node string) *queue.Engine {
	t.Helper()
	e := queue.New(dbtest.Open(t, url), queue.Options{Log: slog.New(slog.DiscardHandler), Node: node, Now: time.Now})
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Stop)
	return e
}

func put(t *testing.T, e *queue.Engine, name, settings string) {
	t.Helper()
	if _, _, err := e.Put(t.Context(), name, json.RawMessage(settings)); err != nil {
		t.Fatalf("put %s: %v", name, err)
	}
}

func push(t *testing.T, e *queue.Engine, docs ...queue.Push) []queue.Result {
	t.Helper()
	results, err := e.Push(t.Context(), "a", docs, queue.Ignore)
	if err != nil {
		t.Fatalf("push: %v", err)
	}
	return results
}

func pick(t *testing.T, e *queue.Engine, p queue.PickParams) []queue.Leased {
	t.Helper()
	picked, err := e.Pick(t.Context(), "a", p)
	if err != nil {
		t.Fatalf("pick: %v", err)
	}
	return picked.Documents
}

func outcomes(results []queue.Result) []string {
	var out []string
	for _, r := range results {
		out = append(out, r.Outcome)
	}
	return out
}

func subjects(docs []queue.Leased) []string {
	var out []string
	for _, d := range docs {
		out = append(out, d.Subject)
	}
	return out
}

func TestPushTellsWhatBecameOfEachDocument(t *testing.T) {
	t.Parallel()
	_, e := engine(t)
	n := 40_000
	got := outcomes(push(t, e, queue.Push{Subject: "x"}, queue.Push{Subject: "y", Payload: []byte(`{"k":[1,2]}`)}, queue.Push{Subject: "x"},
		queue.Push{Subject: ""}, queue.Push{Subject: "z", Version: &n}))
	if diff := cmp.Diff([]string{"created", "created", "duplicate", "invalid", "invalid"}, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"ignored"}, outcomes(push(t, e, queue.Push{Subject: "x"}))); diff != "" {
		t.Error(diff)
	}
	doc, err := e.Doc(t.Context(), "a", "y")
	if err != nil || string(doc.Payload) != `{"k": [1, 2]}` {
		t.Errorf("payload is %s, error %v", doc.Payload, err)
	}
}

func TestPickFollowsPriorityThenDateThenSeq(t *testing.T) {
	t.Parallel()
	_, e := engine(t)
	at := func(d time.Duration) wire.Date { return wire.Date{At: time.Now().Add(d)} }
	five := 5
	same := at(-time.Minute)
	push(t, e, queue.Push{Subject: "b", Next: same}, queue.Push{Subject: "a", Next: same}, queue.Push{Subject: "old", Next: at(-time.Hour)},
		queue.Push{Subject: "high", Priority: &five}, queue.Push{Subject: "later", Next: at(time.Hour)})
	if diff := cmp.Diff([]string{"high", "old", "b", "a"}, subjects(pick(t, e, queue.PickParams{Limit: 10}))); diff != "" {
		t.Error(diff)
	}
}

func TestPushOfADueDateIsPickedWithoutMaintenance(t *testing.T) {
	t.Parallel()
	_, e := engine(t)
	push(t, e, queue.Push{Subject: "soon", Next: wire.Date{Delay: &wire.Interval{Micros: 2_000_000}}})
	if docs := pick(t, e, queue.PickParams{Limit: 10}); len(docs) != 0 {
		t.Fatalf("picked %v before its date", subjects(docs))
	}
	docs := pick(t, e, queue.PickParams{Limit: 10, Wait: 10 * time.Second})
	if diff := cmp.Diff([]string{"soon"}, subjects(docs)); diff != "" {
		t.Error(diff)
	}
}

func TestAWaitIsWokenByAPushHereAndOnAnotherNode(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	one, two := start(t, url, "node-1"), start(t, url, "node-2")
	put(t, one, "a", `{}`)
	for _, pusher := range []*queue.Engine{one, two} {
		got := make(chan []queue.Leased)
		go func() { got <- pick(t, one, queue.PickParams{Limit: 10, Wait: time.Minute}) }()
		time.Sleep(50 * time.Millisecond) // the pick may come second as well; it finds the document then
		push(t, pusher, queue.Push{Subject: "s" + time.Now().String()})
		if docs := <-got; len(docs) != 1 {
			t.Fatalf("picked %d documents, 1 is wanted", len(docs))
		}
	}
}

func TestStopAnswersThoseWhoWait(t *testing.T) {
	t.Parallel()
	_, e := engine(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if docs := pick(t, e, queue.PickParams{Wait: time.Minute}); len(docs) != 0 {
			t.Errorf("picked %v", subjects(docs))
		}
	}()
	e.Stop()
	<-done
}

func TestResolveWithAStaleLeaseChangesNothing(t *testing.T) {
	t.Parallel()
	ctx, e := engine(t)
	push(t, e, queue.Push{Subject: "x"})
	held := pick(t, e, queue.PickParams{})[0]
	if _, err := e.Act(ctx, "a", []queue.Resolution{{Subject: "x", Action: "release"}}); err != nil {
		t.Fatal(err)
	}
	again := pick(t, e, queue.PickParams{})[0]
	before, _ := e.Doc(ctx, "a", "x")
	results, err := e.Resolve(ctx, "a", []queue.Resolution{{Subject: "x", Lease: held.Lease, Action: "complete"}})
	if err != nil || results[0].Outcome != "stale" {
		t.Fatalf("results %v, error %v", results, err)
	}
	after, _ := e.Doc(ctx, "a", "x")
	if diff := cmp.Diff(before, after); diff != "" {
		t.Error(diff)
	}
	if again.Lease <= held.Lease || again.Attempts != 1 {
		t.Errorf("lease %d after %d, attempts %d", again.Lease, held.Lease, again.Attempts)
	}
}

func TestForwardEndsHereAndEntersThere(t *testing.T) {
	t.Parallel()
	ctx, e := engine(t)
	put(t, e, "b", `{}`)
	push(t, e, queue.Push{Subject: "x", Payload: []byte(`{"own":1}`)}, queue.Push{Subject: "y"}, queue.Push{Subject: "z"})
	if _, err := e.Push(ctx, "b", []queue.Push{{Subject: "z"}}, queue.Ignore); err != nil {
		t.Fatal(err)
	}
	var items []queue.Resolution
	for _, d := range pick(t, e, queue.PickParams{Limit: 10}) {
		items = append(items, queue.Resolution{Subject: d.Subject, Lease: d.Lease, Action: "forward", ToQueue: "b"})
	}
	slices.SortFunc(items, func(a, b queue.Resolution) int { return int(a.Subject[0]) - int(b.Subject[0]) })
	items[1].Then = "drop"
	items = append(items, queue.Resolution{Subject: "x", Lease: items[0].Lease, Action: "forward", ToQueue: "nowhere"})
	results, err := e.Resolve(ctx, "a", items)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"ok", "ok", "exists", "invalid"}, outcomes(results)); diff != "" {
		t.Fatal(diff)
	}
	there, err := e.Doc(ctx, "b", "x")
	if err != nil || string(there.Payload) != `{"own": 1}` || there.Status != queue.Pending {
		t.Errorf("there: %+v, error %v", there, err)
	}
	if here, err := e.Doc(ctx, "a", "x"); err != nil || here.Status != queue.Completed {
		t.Errorf("here: %+v, error %v", here, err)
	}
	if _, err := e.Doc(ctx, "a", "y"); errs.Of(err) != errs.NotFound {
		t.Errorf("y is still here: %v", err)
	}
}

func TestSettingsTravelInTheWordsOfTheAPI(t *testing.T) {
	t.Parallel()
	ctx, e := engine(t)
	q, err := e.Patch(ctx, "a", json.RawMessage(`{"lock":"1h30m","max_attempts":3,"completed_retention":"1 week","logs_retention":null,
		"backoff":{"kind":"fixed","base":"PT2S","jitter":0},"rate":{"picks":10,"per":"1s"},"max_active":7}`))
	if err != nil {
		t.Fatal(err)
	}
	seven := 7
	want := queue.Settings{
		MaxAttempts: 3, Lock: wire.Interval{Micros: 5400e6}, MaxActive: &seven, CompletedRetention: &wire.Interval{Days: 7},
		Backoff: queue.Backoff{Kind: "fixed", Base: wire.Interval{Micros: 2e6}, Cap: wire.Interval{Micros: 3600e6}},
		Rate:    &queue.Rate{Picks: 10, Per: wire.Interval{Micros: 1e6}, Burst: 10}, Partitions: 1,
		ViewerPayloads: queue.PayloadsShown, Journal: queue.JournalErrors, JournalRetention: &wire.Interval{Days: 30},
	}
	if diff := cmp.Diff(want, q.Settings); diff != "" {
		t.Error(diff)
	}
	for patch, field := range map[string]string{
		`{"lock":"0s"}`: "lock", `{"lock":5}`: "lock", `{"lock":"soon"}`: "lock", `{"max_attempts":0}`: "max_attempts",
		`{"backoff":{"cap":"31 days"}}`: "backoff.cap", `{"backoff":{"sort":1}}`: "backoff.sort", `{"rate":{"picks":1}}`: "rate.per",
		`{"partitions":4}`: "partitions", `{"colour":"red"}`: "colour", `{"killed_retention":"5m"}`: "killed_retention",
	} {
		var refused *errs.Error
		_, err := e.Patch(ctx, "a", json.RawMessage(patch))
		e := &errs.Error{}
		if errors.As(err, &e) {
			refused = e
		}
		if refused == nil || refused.Code != errs.Invalid || refused.Field != field {
			t.Errorf("%s: %v; a refusal of %s is wanted", patch, err, field)
		}
	}
	if _, err := e.Patch(ctx, "none", json.RawMessage(`{}`)); errs.Of(err) != errs.NotFound {
		t.Errorf("patch of no queue: %v", err)
	}
}

func TestDoctorFindsACounterThatIsWrong(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	e := start(t, url, "node-1")
	put(t, e, "a", `{}`)
	push(t, e, queue.Push{Subject: "x"}, queue.Push{Subject: "y"})
	checks, err := e.Doctor(t.Context())
	if err != nil || len(checks) != 1 || !checks[0].OK() || checks[0].Real.Pending != 2 {
		t.Fatalf("checks %+v, error %v", checks, err)
	}
	if _, err := dbtest.Open(t, url).Exec(t.Context(), `insert into q_a.deltas (version, killed) values (0, 1)`); err != nil {
		t.Fatal(err)
	}
	checks, err = e.Doctor(t.Context())
	if err != nil || checks[0].OK() {
		t.Errorf("checks %+v, error %v", checks, err)
	}
}
