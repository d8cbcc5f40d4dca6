package queue_test

import (
	"cmp"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/queue"
)

// checkLeases looks at the leases of each document in the order of their numbers.
func (r *race) checkLeases(t *testing.T) {
	t.Helper()
	bySubject := map[string][]*hold{}
	for _, seen := range &r.seen {
		for _, h := range seen {
			bySubject[h.subject] = append(bySubject[h.subject], h)
		}
	}
	if len(bySubject) != r.documents {
		t.Errorf("%d documents were picked; %d are wanted", len(bySubject), r.documents)
	}
	for subject, holds := range bySubject {
		slices.SortFunc(holds, func(a, b *hold) int { return cmp.Compare(a.lease, b.lease) })
		for i, h := range holds {
			if !h.ended.IsZero() && (h.ended.Before(h.from) || !h.ended.Before(h.till)) {
				t.Errorf("%s: lease %d from %s to %s was ended at %s", subject, h.lease, h.from, h.till, h.ended)
			}
			if last := i == len(holds)-1; (h.action == "complete") != last {
				t.Errorf("%s: lease %d of %d ended with %q", subject, i+1, len(holds), h.action)
			}
			if i == 0 {
				continue
			}
			before := holds[i-1]
			end := before.till
			if !before.ended.IsZero() {
				end = before.ended
			}
			if before.lease == h.lease || h.from.Before(end) {
				t.Errorf("%s: lease %d began at %s, before lease %d was over at %s", subject, h.lease, h.from, before.lease, end)
			}
		}
	}
}

// checkCounters compares the counters with what the workers saw, and with a real count.
func (r *race) checkCounters(t *testing.T) {
	t.Helper()
	picked, lost := 0, 0
	for _, seen := range &r.seen {
		picked += len(seen)
		for _, h := range seen {
			if h.ended.IsZero() {
				lost++
			}
		}
	}
	got := map[string]int64{}
	var metric string
	var value int64
	rows, _ := r.db.Query(t.Context(), `select metric, value from fetchq.metric_get('a')`)
	if _, err := pgx.ForEachRow(rows, []any{&metric, &value}, func() error { got[metric] = value; return nil }); err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{
		"docs_planned": 0, "docs_pending": 0, "docs_active": 0, "docs_completed": int64(r.documents), "docs_killed": 0,
		"entered": int64(r.documents), "picked": int64(picked), "completed": int64(r.documents), "rescheduled": r.moved.Load(),
		"rejected": r.rejected.Load(), "orphaned": int64(lost), "killed": 0, "dropped": 0, "forwarded": 0,
		"processed": int64(r.documents) + r.moved.Load() + r.rejected.Load(),
		"errors":    r.rejected.Load() + int64(lost), "logs": r.rejected.Load() + int64(lost),
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("counters (-seen +counted):\n%s", diff)
	}
	checks, err := r.nodes[0].Doctor(t.Context())
	if err != nil || len(checks) != 1 || !checks[0].OK() || checks[0].Real != (queue.Counts{Completed: int64(r.documents)}) {
		t.Errorf("counters against a real count: %+v, error %v", checks, err)
	}
	t.Logf("%d leases of %d documents: %d lost, %d rejected, %d rescheduled", picked, r.documents, lost, r.rejected.Load(), r.moved.Load())
}
