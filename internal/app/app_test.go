package app

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fetchq/server/internal/metrics"
	"github.com/fetchq/server/internal/queue"
)

func TestASampleCountsAsProcessedAllThatEndsALease(t *testing.T) {
	t.Parallel()
	made := time.Unix(1_800_000_000, 0)
	got := sampleOf(queue.Summary{
		Name: "pages", CreatedAt: made, Counts: queue.Counts{Planned: 10, Pending: 20, Active: 30, Completed: 40, Killed: 50},
		Events: queue.Events{
			Entered: 1000, Picked: 2000, Completed: 1, Rescheduled: 2, Rejected: 4, Orphaned: 4000, Killed: 8000, Dropped: 8, Forwarded: 16, Errors: 7, Logs: 9000,
		},
	})
	want := metrics.Sample{Queue: "pages", Created: made, Pending: 20, Active: 30, Killed: 50, Entered: 1000, Processed: 31, Rejected: 4, Errors: 7}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
