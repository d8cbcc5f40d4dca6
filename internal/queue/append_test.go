package queue_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
)

// TestAKeyedAppendIsMadeOnce repeats a call after its documents have gone, in each way that documents go or end.
func TestAKeyedAppendIsMadeOnce(t *testing.T) {
	t.Parallel()
	ctx, e := engine(t)
	high := 40_000
	docs := []queue.Push{{}, {Subject: "given"}, {Priority: &high}, {Subject: "given"}}
	for _, policy := range []queue.OnConflict{queue.Ignore, queue.Update} {
		for _, action := range []string{"drop", "complete", "kill"} {
			t.Run(string(policy)+" "+action, func(t *testing.T) {
				first, err := e.Append(ctx, "a", action+string(policy), docs, policy)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff([]string{"created", "created", "invalid", "duplicate"}, outcomes(first)); diff != "" {
					t.Fatal(diff)
				}
				var ends []queue.Resolution
				for _, r := range first[:2] {
					ends = append(ends, queue.Resolution{Subject: r.Subject, Action: action})
				}
				if _, err := e.Act(ctx, "a", ends); err != nil {
					t.Fatal(err)
				}
				again, err := e.Append(ctx, "a", action+string(policy), docs, policy)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(told(first), told(again)); diff != "" {
					t.Errorf("the repeated call answers (-first +again):\n%s", diff)
				}
				if docs := pick(t, e, queue.PickParams{Limit: 10}); len(docs) != 0 {
					t.Errorf("the repeated call made %v due again", subjects(docs))
				}
				if action != "drop" {
					for i := range ends {
						ends[i].Action = "drop"
					}
					if _, err := e.Act(ctx, "a", ends); err != nil {
						t.Fatal(err)
					}
				}
			})
		}
	}
}

func TestAKeyStandsForItsDocuments(t *testing.T) {
	t.Parallel()
	ctx, e := engine(t)
	if _, err := e.Append(ctx, "a", "k", []queue.Push{{}, {Subject: "x"}}, queue.Ignore); err != nil {
		t.Fatal(err)
	}
	for name, docs := range map[string][]queue.Push{"fewer": {{}}, "others": {{}, {Subject: "y"}}} {
		_, err := e.Append(ctx, "a", "k", docs, queue.Ignore)
		turnedDown(t, name, err, errs.Invalid, "idempotency_key")
	}
}

// TestTwoKeyedAppendsAtOnceMakeOneSetOfDocuments races the same call on two nodes.
func TestTwoKeyedAppendsAtOnceMakeOneSetOfDocuments(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	nodes := []*queue.Engine{start(t, url, "node-1"), start(t, url, "node-2")}
	put(t, nodes[0], "a", `{}`)
	const calls, each = 20, 10
	for i := range calls {
		key := strings.Repeat("k", i+1)
		var all [4][]queue.Result
		var g errgroup.Group
		for n := range all {
			g.Go(func() (err error) {
				all[n], err = nodes[n%2].Append(t.Context(), "a", key, make([]queue.Push, each), queue.Ignore)
				return err
			})
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
		for _, other := range all[1:] {
			if !slices.Equal(told(all[0]), told(other)) {
				t.Fatalf("answers differ: %v and %v", told(all[0]), told(other))
			}
		}
	}
	if n := one[int](t, dbtest.Open(t, url), `select count(*) from q_a.docs`); n != calls*each {
		t.Errorf("%d documents stand there; %d are wanted", n, calls*each)
	}
}

// TestAnAppendThatIsCutOffLeavesNeitherKeyNorDocuments ends a call between the naming and the pushing, as a crash would.
func TestAnAppendThatIsCutOffLeavesNeitherKeyNorDocuments(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	db, e := dbtest.Open(t, url), start(t, url, "node-1")
	put(t, e, "a", `{}`)
	exec(t, db, `alter table q_a.docs add constraint cut check (subject !~ '-')`) // no made subject goes in
	if _, err := e.Append(t.Context(), "a", "k", make([]queue.Push, 2), queue.Ignore); err == nil {
		t.Fatal("the call was not cut off")
	}
	exec(t, db, `alter table q_a.docs drop constraint cut`)
	results, err := e.Append(t.Context(), "a", "k", make([]queue.Push, 2), queue.Ignore)
	if err != nil || len(results) != 2 {
		t.Fatal(results, err)
	}
	for _, r := range results {
		if _, err := e.Doc(t.Context(), "a", r.Subject); err != nil || r.Outcome != "created" {
			t.Errorf("%s is %s: %v", r.Subject, r.Outcome, err)
		}
	}
}
