package queue_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/queue"
)

// scansOf are the ways by which plans read documents, as "Index Scan by docs_pkey"; those of partitions are named after the whole.
func scansOf(plans []planNode, indexes []string) (ways []string) {
	for _, p := range plans {
		if strings.HasPrefix(p.Relation, "docs") {
			by := p.Index
			for _, index := range indexes {
				if isIndex(p.Index, index) {
					by = index
				}
			}
			ways = append(ways, strings.TrimSuffix(p.Type, " Backward")+" by "+by)
		}
		ways = append(ways, scansOf(p.Plans, indexes)...)
	}
	slices.Sort(ways)
	return slices.Compact(ways)
}

// TestThePlansOfLists asks for each list that a page offers: each reads documents by the one index that has its order.
func TestThePlansOfLists(t *testing.T) {
	if testing.Short() {
		t.Skip("fills a queue with 200,000 documents")
	}
	t.Parallel()
	for _, partitions := range []int{1, 8} {
		t.Run(fmt.Sprintf("%d partitions", partitions), func(t *testing.T) {
			t.Parallel()
			url := dbtest.URL(t)
			w := watch(t, url)
			fill(w, partitions)
			e, plans := watched(t, url)
			now := time.Now()
			day := queue.Span{From: ptr(now.Add(-time.Hour)), To: ptr(now.Add(time.Hour))}
			const pkey, finished, active, planned, due = "docs_pkey", "docs_finished", "docs_active", "docs_planned", "docs_due"
			rest := map[string]queue.DocFilter{
				"version": {Version: ptr(1)}, "priority": {Priority: ptr(2)}, "attempts": {AttemptsMin: 3}, "worker": {Worker: "7"}, "created": {Created: day},
				"payload": {Payload: []byte(`{"a":1}`)}, "nothing": {},
			}
			for name, f := range rest {
				for _, tt := range []struct {
					status *queue.Status
					order  string
					by     string
				}{
					{nil, "", pkey}, {ptr(queue.Completed), "", finished}, {ptr(queue.Killed), "", finished}, {ptr(queue.Active), "", active},
					{ptr(queue.Completed), queue.BySubject, pkey}, {ptr(queue.Active), queue.BySubject, pkey}, {ptr(queue.Planned), queue.BySubject, pkey},
					{ptr(queue.Planned), "", planned}, {ptr(queue.Pending), "", due},
				} {
					f.Status, f.Order, f.Limit = tt.status, tt.order, 200
					by := tt.by
					if orders := f.Orders(); by == planned && orders[0] == queue.BySubject || by == due && orders[0] == queue.BySubject {
						by = pkey
					}
					listed(t, e, plans, fmt.Sprint(name, " of ", tt.status, " by ", tt.order), f, by)
				}
				f.Status, f.Order, f.SubjectPrefix = nil, "", "s 19"
				listed(t, e, plans, name+" of a prefix", f, pkey)
			}
			listed(t, e, plans, "planned of a time", queue.DocFilter{Limit: 200, Status: ptr(queue.Planned), Due: day}, planned)
			listed(t, e, plans, "pending of a time", queue.DocFilter{Limit: 200, Status: ptr(queue.Pending), Due: day}, due)
			listed(t, e, plans, "completed of a time", queue.DocFilter{Limit: 200, Status: ptr(queue.Completed), Finished: day}, finished)
		})
	}
}

// listed asks for a page and the one behind it, and wants both to read documents by one index alone.
func listed(t *testing.T, e *queue.Engine, plans func() []planNode, name string, f queue.DocFilter, by string) {
	t.Helper()
	before := len(plans())
	page, err := e.Docs(t.Context(), "a", f)
	if err == nil && page.Next != "" {
		f.Cursor = page.Next
		page, err = e.Docs(t.Context(), "a", f)
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if page.Previous != "" {
		f.Cursor, f.Before = "", page.Previous
		if _, err := e.Docs(t.Context(), "a", f); err != nil {
			t.Fatalf("%s back: %v", name, err)
		}
	}
	for _, way := range scansOf(plans()[before:], []string{by}) {
		if way != "Index Scan by "+by && way != "Index Only Scan by "+by {
			t.Errorf("%s: documents are read in an %s; %s is wanted", name, way, by)
		}
	}
}
